#include "accesslog/tally.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "accesslog/bounds.h"
#include "accesslog/buf.h"
#include "accesslog/labels.h"
#include "tally_parts.h"

/* The codes that people alert on, and those that every site has. */
static const char *const common_statuses[] = { "200", "201", "204", "206",
	"301", "302", "304", "400", "401", "403", "404", "405", "408", "429",
	"499", "500", "502", "503", "504" };

/* Where the default metrics have their values from. */
static const struct {
	enum metrics_id id;
	/* The first that a format has; NULL: each request counts 1. */
	const char *values[2];
} defaults[] = {
	{ METRICS_REQUESTS, { NULL } },
	{ METRICS_RESPONSE_BYTES, { "body_bytes_sent", "bytes_sent" } },
	{ METRICS_REQUEST_DURATION, { "request_time" } },
	{ METRICS_UPSTREAM_DURATION, { "upstream_response_time" } },
};

#define N_DEFAULTS (sizeof(defaults) / sizeof(defaults[0]))

_Static_assert(N_DEFAULTS == METRICS_N_ACCESS, "all of them");

/* What a metric is made from; everything borrowed. */
struct plan {
	struct registry_spec spec;
	const char *values[2];
	size_t n_labels;
	const struct config_label *labels;
	struct config_place place;
};

/* The mistake at a place; -EINVAL. */
#define refuse(place, reterr, ...)                                             \
	config_error_set((reterr), (place)->line, (place)->column, __VA_ARGS__)

static int
add_field(struct tally *t, struct fields *fields, const char *name,
    const struct config_place *place, size_t *ret_slot,
    struct config_error *reterr)
{
	size_t slot = fields_find(fields, str_from(name));
	char *copy;

	if (slot != FIELDS_NO_SLOT) {
		*ret_slot = slot;
		return 0;
	}
	if (fields->n == BOUNDS_FIELDS)
		return refuse(place, reterr,
		    "there is no room for the field %s: all metrics together "
		    "may use 64",
		    name);
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	t->names[t->n_names++] = copy;
	*ret_slot = fields_add(fields, str_from(copy));
	return 0;
}

/* A field that is summed or observed: text becomes a number there. */
static int
add_value(struct tally *t, struct fields *fields, const char *name,
    const struct config_place *place, size_t *ret_slot,
    struct config_error *reterr)
{
	size_t slot;
	int error = add_field(t, fields, name, place, &slot, reterr);

	if (error)
		return error;
	switch (fields->kinds[slot]) {
	case FIELDS_TIME:
		if (strcmp(name, "msec") != 0)
			return refuse(place, reterr,
			    "%s is a date, not a number; write msec, or a "
			    "field with a number",
			    name);
		fields->kinds[slot] = FIELDS_SECONDS;
		break;
	case FIELDS_TEXT:
		fields->kinds[slot] = FIELDS_SECONDS;
		break;
	case FIELDS_STATUS:
	case FIELDS_COUNT:
	case FIELDS_SECONDS:
	case FIELDS_SECONDS_LIST:
		break;
	}
	*ret_slot = slot;
	return 0;
}

/* Labels */

static const char *
field_of(const struct config_label *l)
{
	return l->from ? l->from : l->name;
}

static bool
same_rules(const struct config_label *a, const struct config_label *b)
{
	size_t i;

	if (a->n_rules != b->n_rules)
		return false;
	for (i = 0; i < a->n_rules; i++) {
		if (strcmp(a->rules[i].regex, b->rules[i].regex) != 0 ||
		    strcmp(a->rules[i].replacement, b->rules[i].replacement) !=
			0)
			return false;
	}
	return true;
}

/* Names do not matter: what is worked out is the same. */
static bool
same_label(const struct config_label *a, const struct config_label *b)
{
	return !strcmp(field_of(a), field_of(b)) &&
	    a->normalizer == b->normalizer && a->budget == b->budget &&
	    a->max_bytes == b->max_bytes && same_rules(a, b);
}

static int
add_label(struct tally *t, struct fields *fields,
    const struct config_label *spec, size_t *ret_label,
    struct config_error *reterr)
{
	struct config_label with_field = *spec;
	struct label *labels, *l;
	size_t i;
	int error;

	for (i = 0; i < t->n_labels; i++) {
		if (same_label(&t->labels[i].spec, spec)) {
			*ret_label = i;
			return 0;
		}
	}
	labels = reallocarray(t->labels, t->n_labels + 1, sizeof(*labels));
	if (!labels)
		return -ENOMEM;
	t->labels = labels;
	l = &labels[t->n_labels];
	with_field.from = (char *)(uintptr_t)field_of(spec);
	*l = (struct label){ .spec = with_field };
	error = add_field(t, fields, with_field.from, &spec->place, &l->slot,
	    reterr);
	if (!error)
		error = labels_create(&with_field,
		    registry_hash_seed(t->metrics->registry), &l->values,
		    reterr);
	if (error)
		return error;
	*ret_label = t->n_labels++;
	return 0;
}

/* Static labels */

static int
add_static(struct tally *t, const char *name, const struct config_place *place,
    struct config_error *reterr)
{
	char **statics;
	size_t i;

	for (i = 0; i < t->n_statics; i++) {
		if (!strcmp(t->statics[i], name))
			return 0;
	}
	if (t->n_statics == BOUNDS_LABELS)
		return refuse(place, reterr,
		    "there is no room for the label %s: the sources may have "
		    "16 labels together",
		    name);
	statics = reallocarray(t->statics, t->n_statics + 1, sizeof(char *));
	if (!statics)
		return -ENOMEM;
	t->statics = statics;
	statics[t->n_statics] = strdup(name);
	if (!statics[t->n_statics])
		return -ENOMEM;
	t->n_statics++;
	return 0;
}

static int
add_statics(struct tally *t, const struct config *config,
    struct config_error *reterr)
{
	size_t i, j;
	int error = 0;

	for (i = 0; i < config->n_sources && !error; i++) {
		const struct config_source *s = &config->sources[i];

		for (j = 0; j < s->n_labels && !error; j++)
			error = add_static(t, s->labels[j].name, &s->place,
			    reterr);
	}
	return error;
}

static const char *
pair_value(const struct config_pair pairs[], size_t n_pairs, const char *name)
{
	size_t i;

	for (i = 0; i < n_pairs; i++) {
		if (!strcmp(pairs[i].name, name))
			return pairs[i].value;
	}
	return "";
}

static bool
is_group(const struct tally *t, const struct group *g,
    const struct config_pair pairs[], size_t n_pairs)
{
	size_t i;

	for (i = 0; i < t->n_statics; i++) {
		if (!str_equal(g->values[i],
			str_from(pair_value(pairs, n_pairs, t->statics[i]))))
			return false;
	}
	return true;
}

static void
group_release(const struct tally *t, struct group *g)
{
	size_t i;

	for (i = 0; g->values && i < t->n_statics; i++)
		free((void *)(uintptr_t)g->values[i].data);
	free(g->values);
}

static int
group_init(const struct tally *t, const struct config_pair pairs[],
    size_t n_pairs, struct group *g)
{
	size_t i;

	g->values = calloc(t->n_statics + 1, sizeof(*g->values));
	if (!g->values)
		return -ENOMEM;
	for (i = 0; i < t->n_statics; i++) {
		char *value = strdup(pair_value(pairs, n_pairs, t->statics[i]));

		if (!value) {
			group_release(t, g);
			return -ENOMEM;
		}
		g->values[i] = str_from(value);
	}
	return 0;
}

/* Metrics */

/* Adds metric i of the plans: fields, labels, a family that is prepared. */
static int
add_metric(struct tally *t, struct fields *fields, const struct plan *plan,
    struct config_error *reterr)
{
	const char *names[BOUNDS_LABELS];
	struct metric *m = &t->metric[t->n_metrics];
	struct registry_spec spec = plan->spec;
	size_t i, j;
	int error = 0;

	*m = (struct metric){ .n_labels = plan->n_labels,
		.counts_requests = !plan->values[0],
		.values = { FIELDS_NO_SLOT, FIELDS_NO_SLOT } };
	t->n_metrics++; /* it can be destroyed from here on */
	if (m->counts_requests && spec.type != REGISTRY_COUNTER)
		return refuse(&plan->place, reterr,
		    "%s has no value; write value: and the field to observe, "
		    "or type: counter",
		    spec.name);
	if (plan->n_labels + t->n_statics > BOUNDS_LABELS)
		return refuse(&plan->place, reterr,
		    "%s has too many labels; a metric may have 16, those of "
		    "the sources included",
		    spec.name);
	for (i = 0; i < 2 && plan->values[i] && !error; i++)
		error = add_value(t, fields, plan->values[i], &plan->place,
		    &m->values[i], reterr);
	for (i = 0; i < plan->n_labels && !error; i++) {
		names[i] = plan->labels[i].name;
		error = add_label(t, fields, &plan->labels[i], &m->labels[i],
		    reterr);
	}
	if (error)
		return error;
	for (j = 0; j < t->n_statics; j++) {
		for (i = 0; i < plan->n_labels; i++) {
			if (!strcmp(names[i], t->statics[j]))
				return refuse(&plan->labels[i].place, reterr,
				    "the label %s is one of a source as well; "
				    "give one of them another name",
				    names[i]);
		}
		names[plan->n_labels + j] = t->statics[j];
	}
	spec.labels = names;
	spec.n_labels = plan->n_labels + t->n_statics;
	error = registry_prepare_family(t->metrics->registry, &spec,
	    &m->family);
	if (error == -ENOSPC)
		return refuse(&plan->place, reterr,
		    "there is no room for the metric %s: 256 are possible, "
		    "with those of the exporter and those of earlier "
		    "configurations",
		    spec.name);
	if (error)
		return error;
	m->spec = *registry_spec(m->family);
	m->spec.max_series = spec.max_series;
	return 0;
}

/* Whether the series of m are numbered by status; else how they are found. */
static enum label_kind
kind_of(const struct tally *t, const struct metric *m)
{
	const struct config_label *l;

	if (!m->n_labels)
		return WITHOUT_LABELS;
	assert(t->labels && m->labels[0] < t->n_labels);
	l = &t->labels[m->labels[0]].spec;
	if (m->n_labels == 1 && l->normalizer == CONFIG_AS_IT_IS &&
	    !l->n_rules && !l->budget && (!l->max_bytes || l->max_bytes >= 3) &&
	    !strcmp(l->from, "status"))
		return BY_STATUS;
	return BY_LABELS;
}

static uint64_t
hash_text(const char *text, uint64_t seed)
{
	return text ? XXH3_64bits_withSeed(text, strlen(text), seed) : seed + 1;
}

/* What the values of its labels come from. */
static uint64_t
tag_of(const struct plan *plan)
{
	uint64_t tag = 1;
	size_t i, j;

	for (i = 0; i < plan->n_labels; i++) {
		const struct config_label *l = &plan->labels[i];
		const uint64_t numbers[] = { l->normalizer, l->budget,
			l->max_bytes, l->n_rules };

		tag = hash_text(l->name, tag);
		tag = hash_text(l->from, tag);
		tag = XXH3_64bits_withSeed(numbers, sizeof(numbers), tag);
		for (j = 0; j < l->n_rules; j++) {
			tag = hash_text(l->rules[j].regex, tag);
			tag = hash_text(l->rules[j].replacement, tag);
		}
	}
	return tag;
}

/*
 * What the counters about the budgets need, and, where the family is there
 * from before a reload, the values that are in it: they keep their places.
 */
static int
open_budgets(struct tally *t, struct metric *m, const struct plan *plan)
{
	const struct registry_spec *spec = registry_spec(m->family);
	struct str values[2] = { str_from(spec->name) };
	uint64_t tag = tag_of(plan);
	bool is_same = registry_tag(m->family) == tag;
	size_t i;
	uint32_t j;
	int error = 0;

	for (i = 0; i < m->n_labels && !error; i++) {
		struct label *l = &t->labels[m->labels[i]];

		if (!l->spec.budget)
			continue;
		values[1] = str_from(spec->labels[i]);
		error = registry_series(
		    t->metrics->family[METRICS_LABEL_OVERFLOW], values,
		    &m->label_overflow[i]);
		for (j = 0;
		     is_same && j < registry_n_series(m->family) && !error; j++)
			error = labels_admit(l->values,
			    registry_value(m->family, j, i));
	}
	registry_set_tag(m->family, tag);
	return error;
}

/* An earlier metric in which an entry has the same values. */
static const struct metric *
same_as(const struct tally *t, const struct metric *m)
{
	size_t i;

	for (i = 0; i < t->n_metrics; i++) {
		const struct metric *before = &t->metric[i];

		if (before < m && !before->same && before->kind == BY_LABELS &&
		    before->n_labels == m->n_labels &&
		    !memcmp(before->labels, m->labels, sizeof(m->labels)) &&
		    registry_spec(before->family)->max_value_bytes ==
			registry_spec(m->family)->max_value_bytes)
			return before;
	}
	return NULL;
}

static bool
is_access_family(const struct metrics *metrics, const struct registry_family *f)
{
	size_t i;

	for (i = 0; i < metrics->n_access; i++) {
		if (metrics->access[i] == f)
			return true;
	}
	return false;
}

/* A name is taken by another metric of these, or by one of the exporter's. */
static int
check_name(const struct tally *t, const struct plan plans[], size_t i,
    struct config_error *reterr)
{
	const char *name = plans[i].spec.name;
	const struct registry_family *f = registry_find_family(
	    t->metrics->registry, str_from(name));
	bool taken = f && !is_access_family(t->metrics, f);
	size_t j;

	for (j = 0; j < i; j++)
		taken |= !strcmp(plans[j].spec.name, name);
	return taken ? refuse(&plans[i].place, reterr,
			   "the name %s is taken; write another one", name)
		     : 0;
}

static int
add_metrics(struct tally *t, struct fields *fields, const struct plan plans[],
    size_t n_plans, struct config_error *reterr)
{
	size_t i;
	int error = 0;

	t->metric = calloc(n_plans + 1, sizeof(*t->metric));
	if (!t->metric)
		return -ENOMEM;
	for (i = 0; i < n_plans && !error; i++) {
		error = check_name(t, plans, i, reterr);
		if (!error)
			error = add_metric(t, fields, &plans[i], reterr);
		if (error)
			break;
		t->metric[i].kind = kind_of(t, &t->metric[i]);
		t->metric[i].same = same_as(t, &t->metric[i]);
		error = open_budgets(t, &t->metric[i], &plans[i]);
	}
	return error;
}

/* What a name of metrics.def is in a namespace; free(). */
static char *
name_in(const char *name_space, const char *name)
{
	const char *rest = strchr(name, '_');
	struct buf out;

	buf_init(&out, SIZE_MAX / 2);
	buf_add_text(&out, name_space);
	buf_add_text(&out, *name_space ? rest : rest + 1);
	buf_add_char(&out, '\0');
	return buf_take(&out); /* NULL after a failure */
}

static void
plan_default(size_t i, struct plan *ret_plan)
{
	static char status[] = "status";
	static const struct config_label by_status = { .name = status,
		.from = status,
		.max_bytes = BOUNDS_LABEL_VALUE_BYTES };

	*ret_plan = (struct plan){ .values = { defaults[i].values[0],
				       defaults[i].values[1] } };
	metrics_spec(defaults[i].id, &ret_plan->spec);
	ret_plan->n_labels = ret_plan->spec.n_labels;
	ret_plan->labels = &by_status;
	assert(ret_plan->n_labels <= 1);
}

static struct plan
plan_configured(const struct config *config, const struct config_metric *c)
{
	return (struct plan){
		.spec = { .name = c->name,
		    .help = c->help ? c->help : "",
		    .type = c->type,
		    .n_bounds = c->n_bounds,
		    .bounds = c->bounds,
		    .max_series = c->max_series ? c->max_series
						: config->max_series,
		    /* Each label has its own; static ones have none. */
		    .max_value_bytes = BOUNDS_LABEL_VALUE_MOST_BYTES,
		    .is_limited = true,
		    .is_kept = true },
		.values = { c->value },
		.n_labels = c->n_labels,
		.labels = c->labels,
		.place = c->place,
	};
}

static int
plan_metrics(struct tally *t, const struct config *config,
    struct fields *fields, struct config_error *reterr)
{
	size_t n_default = !config || config->default_metrics ? N_DEFAULTS : 0;
	size_t n_plans = n_default + (config ? config->n_metrics : 0);
	char *names[N_DEFAULTS] = { NULL };
	struct plan *plans = calloc(n_plans + 1, sizeof(*plans));
	int error = plans ? 0 : -ENOMEM;
	size_t i;

	for (i = 0; i < n_default && !error; i++) {
		plan_default(i, &plans[i]);
		if (!config || !config->name_space)
			continue;
		names[i] = name_in(config->name_space, plans[i].spec.name);
		plans[i].spec.name = names[i];
		plans[i].spec.max_series = config->max_series;
		if (!names[i])
			error = -ENOMEM;
	}
	for (; i < n_plans && !error; i++)
		plans[i] = plan_configured(config,
		    &config->metrics[i - n_default]);
	if (!error && config)
		error = add_statics(t, config, reterr);
	if (!error)
		error = add_metrics(t, fields, plans, n_plans, reterr);

	/* What labels were compared by is the caller's. */
	for (i = 0; i < t->n_labels; i++) {
		struct config_label *l = &t->labels[i].spec;

		*l = (struct config_label){ .budget = l->budget };
	}
	for (i = 0; i < N_DEFAULTS; i++)
		free(names[i]);
	free(plans);
	return error;
}

int
tally_create(struct metrics *metrics, const struct config *config,
    bool with_zeros, struct fields *fields, struct tally **ret_tally,
    struct config_error *reterr)
{
	struct tally *t = calloc(1, sizeof(*t));
	int error;

	if (!t)
		return -ENOMEM;
	t->metrics = metrics;
	t->with_zeros = with_zeros;
	t->max_memory_bytes = config && config->max_memory_bytes
	    ? config->max_memory_bytes
	    : BOUNDS_REGISTRY_BYTES;
	error = plan_metrics(t, config, fields, reterr);
	if (error) {
		tally_destroy(t);
		return error;
	}
	t->status_slot = fields_find(fields, STR("status"));
	*ret_tally = t;
	return 0;
}

void
tally_destroy(struct tally *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < t->n_groups; i++)
		group_release(t, &t->groups[i]);
	free(t->groups);
	free(t->metric);
	for (i = 0; i < t->n_labels; i++)
		labels_destroy(t->labels[i].values);
	free(t->labels);
	for (i = 0; i < t->n_statics; i++)
		free(t->statics[i]);
	free(t->statics);
	for (i = 0; i < t->n_names; i++)
		free(t->names[i]);
	free(t);
}

void
tally_commit(struct tally *t)
{
	struct registry_family *families[BOUNDS_FAMILIES];
	struct registry_spec specs[BOUNDS_FAMILIES];
	size_t i;

	assert(t->n_metrics <= BOUNDS_FAMILIES);
	for (i = 0; i < t->n_metrics; i++) {
		families[i] = t->metric[i].family;
		specs[i] = t->metric[i].spec;
	}
	registry_limit_bytes(t->metrics->registry, t->max_memory_bytes);
	metrics_use(t->metrics, families, specs, t->n_metrics);
}

/* Groups */

static int
add_zeros(const struct tally *t, const struct group *g)
{
	struct str values[BOUNDS_LABELS];
	size_t i, j;

	memcpy(values + 1, g->values, t->n_statics * sizeof(*values));
	for (i = 0; i < t->n_metrics; i++) {
		const struct metric *m = &t->metric[i];

		if (m->kind != BY_STATUS || m->spec.type != REGISTRY_COUNTER)
			continue;
		for (j = 0; j < sizeof(common_statuses) / sizeof(char *); j++) {
			uint32_t series;
			bool overflowed;
			int error;

			values[0] = str_from(common_statuses[j]);
			error = registry_find_series(m->family, values, &series,
			    &overflowed);
			if (error)
				return error;
		}
	}
	return 0;
}

int
tally_add_group(struct tally *t, const struct config_pair pairs[],
    size_t n_pairs, size_t *ret_group)
{
	struct group *groups;
	struct group g;
	size_t i;
	int error;

	for (i = 0; i < t->n_groups; i++) {
		if (is_group(t, &t->groups[i], pairs, n_pairs)) {
			*ret_group = i;
			return 0;
		}
	}
	groups = reallocarray(t->groups, t->n_groups + 1, sizeof(*groups));
	if (!groups)
		return -ENOMEM;
	t->groups = groups;
	error = group_init(t, pairs, n_pairs, &g);
	if (error)
		return error;
	if (t->with_zeros)
		error = add_zeros(t, &g);
	if (error) {
		group_release(t, &g);
		return error;
	}
	groups[t->n_groups] = g;
	*ret_group = t->n_groups++;
	return 0;
}
