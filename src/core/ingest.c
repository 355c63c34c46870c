#include "accesslog/ingest.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "accesslog/bounds.h"
#include "accesslog/entry.h"
#include "accesslog/parser.h"
#include "accesslog/pattern.h"
#include "accesslog/patterns.h"
#include "accesslog/tally.h"
#include "accesslog/tally_plan.h"
#include "accesslog/timestamp.h"

/* After so many looks at lines that fit no format whole, the best will do. */
#define ENOUGH_LOOKS 16

#define NO_SERIES UINT32_MAX

/* What is longer is no time of JSON. */
#define MAX_TIME_BYTES 64

/* A format with what reading its lines needs. */
struct ingest_format {
	char *name;
	struct parser *parser;
	uint64_t fields; /* that its lines can have, as bits of slots */
	struct tally_plan *plan;
	bool is_json;
	size_t n_times;
	size_t times[3]; /* slots of these fields, the best first */
};

struct ingest {
	struct metrics *metrics;
	struct fields fields;
	size_t time_slot[3];
	struct tally *tally;
	size_t n_names;
	char *names[BOUNDS_FIELDS]; /* of fields that only drop rules need */
	struct detect *detect; /* over the shipped formats */
	size_t n_shipped;
	size_t n_formats; /* the shipped ones, then those that users wrote */
	struct ingest_format *formats;
	size_t n_sources;
	struct ingest_source **sources;
};

enum result {
	RESULT_PARSED,
	RESULT_UNPARSED,
	RESULT_TOO_LONG,
	RESULT_FILTERED,
	N_RESULTS,
};

/* Lines whose field matches are dropped. */
struct drop {
	size_t slot;
	struct pattern_rule *rule;
};

struct ingest_source {
	struct ingest *ingest;
	char *name;
	size_t group; /* of the tally */
	size_t n_formats; /* tried in order; 0: recognised by its lines */
	size_t *formats;
	size_t n_drops;
	struct drop *drops;
	uint32_t lines[N_RESULTS]; /* series */
	uint32_t read_bytes;
	uint32_t skipped[LINES_BYTES_N];
	/* NO_SERIES until there is one. */
	uint32_t last_line;
	uint32_t json_repairs;
	uint32_t errors[BOUNDS_FIELDS];
	bool has_lag; /* its files grow; else it is read once */
	uint64_t lag_bytes;
	uint32_t lag; /* series, once has_lag */
};

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
too_many_fields(const struct config_place *place, const char *field,
    struct config_error *reterr)
{
	return config_error_set(reterr, place ? place->line : 0,
	    place ? place->column : 0,
	    "there is no room for the field %s: metrics and rules together may "
	    "use %d",
	    field, BOUNDS_FIELDS);
}

static int
add_drop_field(struct ingest *in, const struct config_rule *rule,
    struct config_error *reterr)
{
	struct str field = str_from(rule->field);
	char *copy;

	if (fields_find(&in->fields, field) != FIELDS_NO_SLOT)
		return 0;
	if (in->fields.n == BOUNDS_FIELDS)
		return too_many_fields(&rule->place, rule->field, reterr);
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
			return too_many_fields(NULL, times[i], reterr);
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

static void
format_release(struct ingest_format *f)
{
	parser_destroy(f->parser);
	tally_plan_destroy(f->plan);
	free(f->name);
}

static void
plan_times(const struct ingest *in, struct ingest_format *f)
{
	size_t i;

	for (i = 0; i < 3; i++) {
		assert(in->time_slot[i] < BOUNDS_FIELDS);
		if (f->fields & ENTRY_BIT(in->time_slot[i]))
			f->times[f->n_times++] = in->time_slot[i];
	}
}

/* Makes f, already parsed, one of the formats; copies name. */
static int
add_format(struct ingest *in, struct str name, const struct format *format,
    struct config_error *reterr)
{
	struct ingest_format *formats, *f;
	int error;

	formats = reallocarray(in->formats, in->n_formats + 1,
	    sizeof(*formats));
	if (!formats)
		return -ENOMEM;
	in->formats = formats;
	f = &formats[in->n_formats];
	*f = (struct ingest_format){ .name = strndup(name.data, name.len),
		.is_json = format->kind == FORMAT_JSON };
	if (!f->name)
		return -ENOMEM;
	error = parser_create(format, &in->fields, false, &f->parser, reterr);
	if (!error) {
		f->fields = parser_fields(f->parser);
		plan_times(in, f);
		error = tally_plan_create(in->tally, f->fields, &f->plan);
	}
	if (error == -ENOSPC)
		error = too_many_fields(NULL, "request", reterr);
	if (error) {
		format_release(f);
		return error;
	}
	in->n_formats++;
	return 0;
}

static int
add_shipped_formats(struct ingest *in, struct config_error *reterr)
{
	size_t n_rows, i, n = 0;
	const struct patterns_row *rows = patterns_all(&n_rows);
	struct format **formats = calloc(n_rows, sizeof(*formats));
	int error = formats ? 0 : -ENOMEM;

	for (i = 0; i < n_rows && !error; i++) {
		struct str name = str_from(rows[i].name);

		if (rows[i].kind != PATTERNS_FORMAT)
			continue;
		error = format_create(name, &formats[n], reterr);
		if (!error)
			error = add_format(in, name, formats[n++], reterr);
	}
	if (!error)
		error = detect_create((const struct format *const *)formats, n,
		    &in->detect, reterr);
	in->n_shipped = n;
	for (i = 0; i < n; i++)
		format_destroy(formats[i]);
	free(formats);
	return error;
}

static void
source_destroy(struct ingest_source *s)
{
	size_t i;

	for (i = 0; i < s->n_drops; i++)
		pattern_rule_destroy(s->drops[i].rule);
	free(s->drops);
	free(s->formats);
	free(s->name);
	free(s);
}

void
ingest_destroy(struct ingest *in)
{
	size_t i;

	if (!in)
		return;
	for (i = 0; i < in->n_sources; i++)
		source_destroy(in->sources[i]);
	free(in->sources);
	for (i = 0; i < in->n_formats; i++)
		format_release(&in->formats[i]);
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
source_series(struct ingest_source *s)
{
	static const struct str results[N_RESULTS] = {
		[RESULT_PARSED] = { "parsed", 6 },
		[RESULT_UNPARSED] = { "unparsed", 8 },
		[RESULT_TOO_LONG] = { "too_long", 8 },
		[RESULT_FILTERED] = { "filtered", 8 },
	};
	static const struct str reasons[LINES_BYTES_N] = {
		[LINES_BYTES_NUL] = { "nul", 3 },
		[LINES_BYTES_BOM] = { "bom", 3 },
		[LINES_BYTES_TOO_LONG] = { "too_long", 8 },
	};
	struct registry_family **family = s->ingest->metrics->family;
	struct str values[2] = { str_from(s->name) };
	size_t i;
	int error;

	error = registry_series(family[METRICS_READ_BYTES], values,
	    &s->read_bytes);
	for (i = 0; i < N_RESULTS && !error; i++) {
		s->lines[i] = NO_SERIES;
		if (i == RESULT_FILTERED && !s->n_drops)
			continue;
		values[1] = results[i];
		error = registry_series(family[METRICS_LINES], values,
		    &s->lines[i]);
	}
	for (i = 0; i < LINES_BYTES_N && !error; i++) {
		if (i == LINES_BYTES_READ)
			continue;
		values[1] = reasons[i];
		error = registry_series(family[METRICS_SKIPPED_BYTES], values,
		    &s->skipped[i]);
	}
	s->last_line = NO_SERIES;
	s->json_repairs = NO_SERIES;
	memset(s->errors, 0xFF, sizeof(s->errors));
	return error;
}

/* Finds or makes the format that the user gave as text. */
static int
choose_format(struct ingest *in, struct str text, size_t *ret_format,
    struct config_error *reterr)
{
	struct format *format;
	size_t i;
	int error;

	for (i = 0; i < in->n_formats; i++) {
		if (str_equal(text, str_from(in->formats[i].name))) {
			*ret_format = i;
			return 0;
		}
	}
	error = format_create(text, &format, reterr);
	if (error)
		return error;
	error = add_format(in, text, format, reterr);
	if (!error)
		*ret_format = in->n_formats - 1;
	format_destroy(format);
	return error;
}

/* A mistake at a column of a text that itself stands at place. */
static void
move_error(const struct config_place *place, struct config_error *reterr)
{
	if (!place || !place->line)
		return;
	reterr->line = place->line;
	reterr->column = place->column +
	    (reterr->column ? reterr->column - 1 : 0);
}

static int
add_formats(struct ingest_source *s, const struct config_source *spec,
    struct config_error *reterr)
{
	size_t i;

	s->formats = calloc(spec->n_formats + 1, sizeof(*s->formats));
	if (!s->formats)
		return -ENOMEM;
	if (spec->n_formats == 1 && !strcmp(spec->formats[0], "auto"))
		return 0;
	for (i = 0; i < spec->n_formats; i++) {
		int error;

		if (!strcmp(spec->formats[i], "auto"))
			error = config_error_set(reterr, 0, 0,
			    "auto chooses among all formats by itself; write "
			    "it alone, or name the formats of the list");
		else
			error = choose_format(s->ingest,
			    str_from(spec->formats[i]), &s->formats[i], reterr);
		if (error == -EINVAL)
			move_error(spec->format_places ? &spec->format_places[i]
						       : NULL,
			    reterr);
		if (error)
			return error;
		s->n_formats++;
	}
	return 0;
}

static int
add_drops(struct ingest_source *s, const struct config_source *spec,
    struct config_error *reterr)
{
	size_t i;

	s->drops = calloc(spec->n_drops + 1, sizeof(*s->drops));
	if (!s->drops)
		return -ENOMEM;
	for (i = 0; i < spec->n_drops; i++) {
		const struct config_rule *rule = &spec->drops[i];
		int error = pattern_rule_create(str_from(rule->regex),
		    (struct str){ 0 }, &s->drops[i].rule, reterr);

		if (error == -EINVAL)
			move_error(&rule->place, reterr);
		if (error)
			return error;
		s->drops[i].slot = fields_find(&s->ingest->fields,
		    str_from(rule->field));
		assert(s->drops[i].slot != FIELDS_NO_SLOT);
		s->n_drops++;
	}
	return 0;
}

static int
source_init(struct ingest_source *s, const struct config_source *spec,
    struct config_error *reterr)
{
	struct ingest *in = s->ingest;
	int error;

	s->name = strdup(spec->name);
	if (!s->name)
		return -ENOMEM;
	error = add_formats(s, spec, reterr);
	if (!error)
		error = add_drops(s, spec, reterr);
	if (error)
		return error;
	registry_lock(in->metrics->registry);
	error = tally_add_group(in->tally, spec->labels, spec->n_labels,
	    &s->group);
	if (!error)
		error = source_series(s);
	registry_unlock(in->metrics->registry);
	return error;
}

static int
add_source(struct ingest *in, const struct config_source *spec,
    struct ingest_source **ret_source, struct config_error *reterr)
{
	struct ingest_source **sources;
	struct ingest_source *s;
	int error;

	sources = reallocarray(in->sources, in->n_sources + 1,
	    sizeof(struct ingest_source *));
	if (!sources)
		return -ENOMEM;
	in->sources = sources;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->ingest = in;
	error = source_init(s, spec, reterr);
	if (error) {
		source_destroy(s);
		return error;
	}
	sources[in->n_sources++] = s;
	*ret_source = s;
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
		error = add_shipped_formats(in, reterr);
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

	if (s->last_line == NO_SERIES &&
	    timestamp_parse(entry_time(f, e), &when))
		error = registry_series(family[METRICS_LAST_LINE], values,
		    &s->last_line);
	if (!error && e->n_repairs && s->json_repairs == NO_SERIES)
		error = registry_series(family[METRICS_JSON_REPAIRS], values,
		    &s->json_repairs);
	for (; errors && !error; errors &= errors - 1) {
		size_t slot = (size_t)__builtin_ctzll(errors);

		if (s->errors[slot] != NO_SERIES)
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

	if (time.data && !f->is_json) {
		b->time = time;
	} else if (time.data && time.len <= sizeof(b->room)) {
		/* It lives until the next line is parsed. */
		memcpy(b->room, time.data, time.len);
		b->time = str_of(b->room, time.len);
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
	    (st->source->last_line == NO_SERIES && format->n_times))
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
		if (s->lines[i] != NO_SERIES)
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
	if (s->last_line != NO_SERIES && timestamp_parse(b->time, &when)) {
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
