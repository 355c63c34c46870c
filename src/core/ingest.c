#include "accesslog/ingest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "accesslog/bounds.h"
#include "accesslog/entry.h"
#include "accesslog/timestamp.h"
#include "ingest_format.h"
#include "ingest_parts.h"
#include "ingest_source.h"

/* After so many looks at lines that fit no format whole, the best will do. */
#define ENOUGH_LOOKS 16

/* What is longer is no time. */
#define MAX_TIME_BYTES 64

/* What one call of ingest_feed() has found, before it goes to the registry. */
struct batch {
	uint64_t n_lines[N_RESULTS];
	uint64_t n_errors[BOUNDS_FIELDS];
	uint64_t has_errors; /* bits of slots */
	uint64_t n_repairs;
	struct str time; /* of the last entry that has one */
	char room[MAX_TIME_BYTES]; /* for times that do not last */
};

static int
add_drop_field(struct ingest *in, const struct config_rule *rule,
    struct config_error *reterr)
{
	struct str field = str_from(rule->field);
	char *copy;

	if (fields_find(&in->fields, field) != FIELDS_NO_SLOT)
		return 0;
	if (in->fields.n == BOUNDS_FIELDS)
		return ingest_format_refuse(&rule->place, rule->field, reterr);
	copy = strdup(rule->field);
	if (!copy)
		return -ENOMEM;
	in->names[in->n_names++] = copy;
	(void)fields_add(&in->fields, str_from(copy));
	return 0;
}

static int
add_fields(struct ingest *in, const struct config *config,
    struct config_error *reterr)
{
	static const char *const times[] = { "time_local", "time_iso8601",
		"msec" };
	size_t i, j;

	for (i = 0; i < 3; i++) {
		in->time_slot[i] = fields_add(&in->fields, str_from(times[i]));
		if (in->time_slot[i] == FIELDS_NO_SLOT)
			return ingest_format_refuse(NULL, times[i], reterr);
	}
	for (i = 0; config && i < config->n_sources; i++) {
		const struct config_source *s = &config->sources[i];

		for (j = 0; j < s->n_drops; j++) {
			int error = add_drop_field(in, &s->drops[j], reterr);

			if (error)
				return error;
		}
	}
	return 0;
}

void
ingest_destroy(struct ingest *in)
{
	size_t i;

	if (!in)
		return;
	for (i = 0; i < in->n_sources; i++)
		ingest_source_destroy(in->sources[i]);
	free(in->sources);
	for (i = 0; i < in->n_formats; i++)
		ingest_format_release(&in->formats[i]);
	free(in->formats);
	detect_destroy(in->detect);
	tally_destroy(in->tally);
	for (i = 0; i < in->n_names; i++)
		free(in->names[i]);
	free(in);
}

size_t
ingest_n_sources(const struct ingest *in)
{
	return in->n_sources;
}

struct ingest_source *
ingest_source_at(const struct ingest *in, size_t i)
{
	return in->sources[i];
}

static int
add_source(struct ingest *in, const struct config_source *spec,
    struct ingest_source **ret_source, struct config_error *reterr)
{
	struct ingest_source **sources = reallocarray(in->sources,
	    in->n_sources + 1, sizeof(struct ingest_source *));
	int error;

	if (!sources)
		return -ENOMEM;
	in->sources = sources;
	error = ingest_source_create(in, spec, &sources[in->n_sources], reterr);
	if (error)
		return error;
	*ret_source = sources[in->n_sources++];
	return 0;
}

static int
init(struct ingest *in, const struct config *config, bool with_zeros,
    struct config_error *reterr)
{
	size_t i;
	int error;

	registry_lock(in->metrics->registry);
	error = tally_create(in->metrics, config, with_zeros, &in->fields,
	    &in->tally, reterr);
	registry_unlock(in->metrics->registry);
	if (!error)
		error = add_fields(in, config, reterr);
	if (!error)
		error = ingest_format_add_shipped(in, reterr);
	for (i = 0; config && i < config->n_sources && !error; i++) {
		struct ingest_source *source;

		error = add_source(in, &config->sources[i], &source, reterr);
	}
	if (error)
		return error;
	registry_lock(in->metrics->registry);
	tally_commit(in->tally);
	registry_unlock(in->metrics->registry);
	return 0;
}

int
ingest_create(struct metrics *metrics, const struct config *config,
    bool with_zeros, struct ingest **ret_ingest, struct config_error *reterr)
{
	struct ingest *in = calloc(1, sizeof(*in));
	int error;

	if (!in)
		return -ENOMEM;
	in->metrics = metrics;
	error = init(in, config, with_zeros, reterr);
	if (error) {
		ingest_destroy(in);
		return error;
	}
	*ret_ingest = in;
	return 0;
}

int
ingest_add_source(struct ingest *in, struct str name, struct str format,
    struct ingest_source **ret_source, struct config_error *reterr)
{
	char *name_text = strndup(name.data, name.len);
	char *format_text = strndup(format.data, format.len);
	struct config_source spec = { .name = name_text,
		.n_formats = 1,
		.formats = &format_text };
	int error = -ENOMEM;

	if (name_text && format_text)
		error = add_source(in, &spec, ret_source, reterr);
	free(format_text);
	free(name_text);
	return error;
}

void
ingest_stream_init(struct ingest_stream *st, struct ingest_source *source,
    bool at_start)
{
	*st = (struct ingest_stream){ .source = source,
		.format = source->n_formats ? source->formats[0] : DETECT_NONE,
		.settled = source->n_formats > 0 };
	lines_init(&st->lines, at_start);
}

void
ingest_stream_move(struct ingest_stream *st, struct ingest_source *source)
{
	st->source = source;
	if (source->n_formats) {
		st->format = source->formats[0];
		st->settled = true;
	} else if (st->format >= source->ingest->n_shipped) {
		/* The shipped ones come first, in the same order everywhere. */
		st->format = DETECT_NONE;
		st->settled = false;
		st->n_looks = 0;
	}
}

static void
look_for_format(struct ingest_stream *st, struct str window, bool final)
{
	struct ingest *in = st->source->ingest;
	struct detect_choice choice;

	if (st->settled)
		return;
	choice = detect_choose(in->detect, window, final);
	if (choice.format == DETECT_NONE)
		return;
	st->format = choice.format;
	st->settled = choice.certain || ++st->n_looks >= ENOUGH_LOOKS;
}

void
ingest_recognise(struct ingest_stream *st, struct str head)
{
	look_for_format(st, head, false);
}

void
ingest_recall(struct ingest_stream *st, struct str name)
{
	const struct ingest *in = st->source->ingest;
	size_t i;

	for (i = 0; i < in->n_shipped && !st->settled; i++) {
		if (!str_equal(str_from(in->formats[i].name), name))
			continue;
		st->format = i;
		st->settled = true;
	}
}

const char *
ingest_format_name(const struct ingest_stream *st)
{
	return st->format == DETECT_NONE
	    ? NULL
	    : st->source->ingest->formats[st->format].name;
}

/* The formats that the user gave, in order. */
static const struct ingest_format *
parse_as_told(const struct ingest_source *s, struct str line,
    const struct entry **ret_entry)
{
	const struct ingest *in = s->ingest;
	size_t i;

	for (i = 0; i < s->n_formats; i++) {
		const struct ingest_format *f = &in->formats[s->formats[i]];

		if (parser_parse(f->parser, line, ret_entry, NULL) ==
		    PARSER_PARSED)
			return f;
	}
	return NULL;
}

/*
 * A line that does not fit the stream's format is held against all shipped
 * ones where the format is recognised by the lines, because a log may change
 * its format from one line to the next, and none should cost a count.
 */
static const struct ingest_format *
parse(struct ingest_stream *st, struct str line, const struct entry **ret_entry)
{
	struct ingest *in = st->source->ingest;
	struct detect_choice choice;

	if (st->source->n_formats)
		return parse_as_told(st->source, line, ret_entry);
	if (st->format != DETECT_NONE &&
	    parser_parse(in->formats[st->format].parser, line, ret_entry,
		NULL) == PARSER_PARSED)
		return &in->formats[st->format];

	choice = detect_choose(in->detect, line, true);
	if (choice.format == DETECT_NONE ||
	    parser_parse(in->formats[choice.format].parser, line, ret_entry,
		NULL) != PARSER_PARSED)
		return NULL;
	if (st->format == DETECT_NONE)
		st->format = choice.format;
	st->settled = false; /* look again in the next bytes */
	st->n_looks = 0;
	return &in->formats[choice.format];
}

static bool
is_dropped(const struct ingest_source *s, const struct entry *e)
{
	size_t i;

	for (i = 0; i < s->n_drops; i++) {
		const struct drop *d = &s->drops[i];

		if (e->text[d->slot].data &&
		    pattern_rule_matches(d->rule, e->text[d->slot]))
			return true;
	}
	return false;
}

static inline struct str
entry_time(const struct ingest_format *f, const struct entry *e)
{
	size_t i;

	for (i = 0; i < f->n_times; i++) {
		if (e->text[f->times[i]].data)
			return e->text[f->times[i]];
	}
	return (struct str){ 0 };
}

/* Series of the last line's time and of errors come when there are some. */
static int
prepare_entry(struct ingest_source *s, const struct ingest_format *f,
    const struct entry *e)
{
	struct registry_family **family = s->ingest->metrics->family;
	struct str values[2] = { str_from(s->name) };
	uint64_t errors = e->errors;
	struct decimal when;
	int error = 0;

	if (s->last_line == INGEST_NO_SERIES &&
	    timestamp_parse(entry_time(f, e), &when))
		error = registry_series(family[METRICS_LAST_LINE], values,
		    &s->last_line);
	if (!error && e->n_repairs && s->json_repairs == INGEST_NO_SERIES)
		error = registry_series(family[METRICS_JSON_REPAIRS], values,
		    &s->json_repairs);
	for (; errors && !error; errors &= errors - 1) {
		size_t slot = (size_t)__builtin_ctzll(errors);

		if (s->errors[slot] != INGEST_NO_SERIES)
			continue;
		values[1] = s->ingest->fields.names[slot];
		error = registry_series(family[METRICS_FIELD_ERRORS], values,
		    &s->errors[slot]);
	}
	return error;
}

static inline void
note_entry(struct batch *b, const struct ingest_format *f,
    const struct entry *e)
{
	struct str time = entry_time(f, e);
	uint64_t errors = e->errors;

	if (time.data && time.len <= sizeof(b->room)) {
		b->time = time;
		if (f->is_json) { /* it lives until the next line is parsed */
			memcpy(b->room, time.data, time.len);
			b->time.data = b->room;
		}
	}
	b->n_repairs += e->n_repairs;
	b->has_errors |= errors;
	while (errors) {
		b->n_errors[__builtin_ctzll(errors)]++;
		errors &= errors - 1;
	}
}

static inline int
feed_line(struct ingest_stream *st, struct str line, struct batch *b)
{
	const struct ingest_format *format;
	const struct entry *entry;
	int error = 0;

	if (!line.len)
		return 0;
	format = parse(st, line, &entry);
	if (!format) {
		b->n_lines[RESULT_UNPARSED]++;
		return 0;
	}
	if (st->source->n_drops && is_dropped(st->source, entry)) {
		b->n_lines[RESULT_FILTERED]++;
		return 0;
	}
	if (entry->errors || entry->n_repairs ||
	    (st->source->last_line == INGEST_NO_SERIES && format->n_times))
		error = prepare_entry(st->source, format, entry);
	if (!error)
		error = tally_plan_count(format->plan, st->source->group,
		    entry);
	if (error)
		return error;
	b->n_lines[RESULT_PARSED]++;
	note_entry(b, format, entry);
	return 0;
}

/* Cannot fail: every line has prepared the series that it needs. */
static void
count_batch(struct ingest_stream *st, const struct batch *b,
    const uint64_t bytes_before[])
{
	struct ingest_source *s = st->source;
	struct registry_family **family = s->ingest->metrics->family;
	uint64_t errors = b->has_errors;
	struct decimal when;
	size_t i;

	for (i = 0; i < N_RESULTS; i++) {
		st->n_lines += b->n_lines[i];
		if (s->lines[i] != INGEST_NO_SERIES)
			registry_add(family[METRICS_LINES], s->lines[i],
			    decimal_of(b->n_lines[i]));
	}
	for (i = 0; i < LINES_BYTES_N; i++) {
		struct decimal delta = decimal_of(
		    st->lines.n_bytes[i] - bytes_before[i]);

		if (i == LINES_BYTES_READ)
			registry_add(family[METRICS_READ_BYTES], s->read_bytes,
			    delta);
		else
			registry_add(family[METRICS_SKIPPED_BYTES],
			    s->skipped[i], delta);
	}
	if (s->last_line != INGEST_NO_SERIES &&
	    timestamp_parse(b->time, &when)) {
		registry_set(family[METRICS_LAST_LINE], s->last_line, when);
		st->last_line = when;
	}
	if (b->n_repairs)
		registry_add(family[METRICS_JSON_REPAIRS], s->json_repairs,
		    decimal_of(b->n_repairs));
	for (; errors; errors &= errors - 1) {
		size_t slot = (size_t)__builtin_ctzll(errors);

		registry_add(family[METRICS_FIELD_ERRORS], s->errors[slot],
		    decimal_of(b->n_errors[slot]));
	}
}

/* Registry locked. */
static void
change_lag(struct ingest_source *s, int64_t n_bytes)
{
	s->lag_bytes += (uint64_t)n_bytes; /* modulo 2^64, also downwards */
	if (s->has_lag)
		registry_set(s->ingest->metrics->family[METRICS_LAG_BYTES],
		    s->lag, decimal_of(s->lag_bytes));
}

void
ingest_grow(struct ingest_stream *st, int64_t n_bytes)
{
	struct ingest_source *s = st->source;
	struct metrics *metrics = s->ingest->metrics;
	struct str name = str_from(s->name);

	if (!n_bytes && s->has_lag)
		return;
	registry_lock(metrics->registry);
	/* Without memory for the gauge there is none, and the next call tries. */
	if (!s->has_lag &&
	    !registry_series(metrics->family[METRICS_LAG_BYTES], &name,
		&s->lag))
		s->has_lag = true;
	change_lag(s, n_bytes);
	registry_unlock(metrics->registry);
}

void
ingest_skip_nuls(struct ingest_stream *st, uint64_t n_bytes)
{
	struct ingest_source *s = st->source;
	struct metrics *metrics = s->ingest->metrics;

	st->lines.n_bytes[LINES_BYTES_NUL] += n_bytes;
	st->lines.at_start = false;
	registry_lock(metrics->registry);
	registry_add(metrics->family[METRICS_SKIPPED_BYTES],
	    s->skipped[LINES_BYTES_NUL], decimal_of(n_bytes));
	change_lag(s, -(int64_t)n_bytes);
	registry_unlock(metrics->registry);
}

int
ingest_feed(struct ingest_stream *st, struct str window, bool final,
    size_t *ret_consumed)
{
	struct registry *registry = st->source->ingest->metrics->registry;
	uint64_t bytes_before[LINES_BYTES_N];
	struct batch batch = { 0 };
	struct str rest = window;
	struct str line;
	int error = 0;

	look_for_format(st, window, final);
	memcpy(bytes_before, st->lines.n_bytes, sizeof(bytes_before));

	registry_lock(registry);
	while (!error) {
		enum lines_result result = lines_next(&st->lines, &rest, final,
		    &line);

		if (result == LINES_MORE)
			break;
		if (result == LINES_TOO_LONG) {
			batch.n_lines[RESULT_TOO_LONG]++;
			continue;
		}
		error = feed_line(st, line, &batch);
		if (error)
			lines_give_back(&st->lines, &rest, line);
	}
	count_batch(st, &batch, bytes_before);
	change_lag(st->source, -(int64_t)(window.len - rest.len));
	registry_unlock(registry);

	*ret_consumed = window.len - rest.len;
	return error;
}
