/*
 * A configuration as a user may write it: it is refused with a place that is
 * in the text, or it keeps what config.h and registry.h ask for, so that a
 * registry takes every metric of it.
 */
#include <assert.h>
#include <errno.h>

#include "accesslog/bounds.h"
#include "accesslog/config.h"
#include "accesslog/fields.h"

#include "fuzz.h"

static size_t
n_lines(struct str text)
{
	size_t n = 1;
	size_t i;

	for (i = 0; i < text.len; i++)
		n += text.data[i] == '\n' || text.data[i] == '\r';
	return n;
}

static void
check_error(const struct config_error *e, struct str text)
{
	assert(memchr(e->text, '\0', sizeof(e->text)));
	assert(e->text[0]);
	assert(e->line <= n_lines(text));
	assert(e->column <= text.len + 1);
	assert((e->line == 0) == (e->column == 0));
}

/* What is said to stand at a place byte for byte does. */
static void
check_place(struct config_place place, const char *value, struct str text)
{
	size_t line = 1;

	assert(place.line && place.column);
	if (!place.verbatim)
		return;
	if (str_starts_with(text, STR("\xEF\xBB\xBF")))
		text = str_after(text, 3);
	while (line < place.line) {
		char c;

		assert(text.len);
		c = text.data[0];
		text = str_after(text, 1);
		line += c == '\n' ||
		    (c == '\r' && (!text.len || text.data[0] != '\n'));
	}
	assert(place.column <= text.len + 1);
	assert(str_starts_with(str_after(text, place.column - 1),
	    str_from(value)));
}

static void
check_rules(const struct config_rule *rules, size_t n, bool is_drop,
    struct str text)
{
	size_t i;

	assert(n <= BOUNDS_CONFIG_RULES);
	for (i = 0; i < n; i++) {
		assert(rules[i].regex[0]);
		assert(!rules[i].field == !is_drop);
		assert(!rules[i].replacement == is_drop);
		check_place(rules[i].place, rules[i].regex, text);
	}
}

static void
check_source(const struct config_source *s, struct str text)
{
	size_t i;

	assert(s->name[0] && s->n_paths && s->n_formats);
	assert(s->n_labels <= BOUNDS_LABELS);
	for (i = 0; i < s->n_paths; i++)
		assert(s->paths[i][0]);
	for (i = 0; i < s->n_excludes; i++)
		assert(s->excludes[i][0]);
	for (i = 0; i < s->n_formats; i++)
		check_place(s->format_places[i], s->formats[i], text);
	for (i = 0; i < s->n_labels; i++)
		assert(s->labels[i].name[0] && s->labels[i].value[0]);
	check_rules(s->drops, s->n_drops, true, text);
}

static void
check_metric(const struct config *c, const struct config_metric *m,
    struct registry *registry, struct str text)
{
	const char *names[BOUNDS_LABELS];
	struct registry_spec spec = { .name = m->name,
		.help = m->help,
		.type = m->type,
		.n_labels = m->n_labels,
		.labels = names,
		.n_bounds = m->n_bounds,
		.bounds = m->bounds,
		.max_series = m->max_series,
		.max_value_bytes = c->max_label_bytes };
	struct registry_family *family;
	size_t i, j;

	assert(str_starts_with(str_from(m->name), str_from(c->name_space)));
	assert(m->n_labels <= BOUNDS_LABELS);
	assert(m->n_bounds <= BOUNDS_BUCKETS);
	assert((m->type == REGISTRY_HISTOGRAM) == (m->n_bounds > 0));
	assert(m->type == REGISTRY_COUNTER || m->value);
	assert(!m->value || fields_name_valid(str_from(m->value)));
	for (i = 0; i < m->n_labels; i++) {
		const struct config_label *l = &m->labels[i];

		assert(fields_name_valid(str_from(l->from)));
		assert(l->max_bytes >= 8 &&
		    l->max_bytes <= BOUNDS_LABEL_VALUE_MOST_BYTES);
		check_rules(l->rules, l->n_rules, false, text);
		names[i] = l->name;
		for (j = 0; j < i; j++)
			assert(strcmp(names[i], names[j]) != 0);
	}
	assert(!registry_add_family(registry, &spec, &family));
}

static void
check_config(const struct config *c, struct str text)
{
	struct registry *registry;
	size_t i;

	assert(!registry_create(1, &registry));
	assert(c->n_sources <= BOUNDS_SOURCES);
	assert(c->n_metrics <= BOUNDS_CONFIG_METRICS);
	assert(c->n_metrics || c->default_metrics);
	for (i = 0; i < c->n_sources; i++)
		check_source(&c->sources[i], text);
	for (i = 0; i < c->n_metrics; i++)
		check_metric(c, &c->metrics[i], registry, text);
	registry_destroy(registry);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = fuzz_exact(str_of((const char *)data, size));
	struct config_error reason = { 0 };
	struct config *config;
	int error = config_parse(text, &config, &reason);

	assert(!error || error == -EINVAL);
	if (error) {
		check_error(&reason, text);
	} else {
		check_config(config, text);
		config_destroy(config);
	}
	free((char *)(uintptr_t)text.data);
	return 0;
}
