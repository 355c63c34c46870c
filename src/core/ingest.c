#include "accesslog/ingest.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "accesslog/bounds.h"
#include "accesslog/entry.h"
#include "accesslog/labels.h"
#include "accesslog/parser.h"
#include "accesslog/patterns.h"
#include "accesslog/timestamp.h"

/* After so many looks at lines that fit no format whole, the best will do. */
#define ENOUGH_LOOKS 16

#define NO_SERIES UINT32_MAX

/* A time is copied, because the text of an entry may not outlive its line. */
#define MAX_TIME_BYTES 64

/* The codes that people alert on, and those that every site has. */
static const char *const common_statuses[] = { "200", "201", "204", "206",
	"301", "302", "304", "400", "401", "403", "404", "405", "408", "429",
	"499", "500", "502", "503", "504" };

/* The default metrics, in terms of fields. */
static const struct {
	enum metrics_id id;
	const char *label; /* a field, or NULL for none */
	/* The first that a format has; NULL: each request counts 1. */
	const char *values[2];
} defaults[] = {
	{ METRICS_REQUESTS, "status", { NULL } },
	{ METRICS_RESPONSE_BYTES, "status",
	    { "body_bytes_sent", "bytes_sent" } },
	{ METRICS_REQUEST_DURATION, NULL, { "request_time" } },
	{ METRICS_UPSTREAM_DURATION, NULL, { "upstream_response_time" } },
};

#define N_METRICS (sizeof(defaults) / sizeof(defaults[0]))

struct metric {
	struct registry_family *family;
	size_t label; /* slot, or FIELDS_NO_SLOT */
	size_t values[2]; /* slots, or FIELDS_NO_SLOT */
	/* Series by the number of the status; NO_SERIES until it is seen. */
	uint32_t by_status[1000];
	uint32_t without_status;
};

/* A format with what reading its lines needs. */
struct ingest_format {
	char *name;
	struct parser *parser;
	uint64_t fields; /* that its lines can have, as bits of slots */
	size_t value[N_METRICS]; /* slot of each metric's value */
};

struct ingest {
	struct metrics *metrics;
	struct fields fields;
	size_t time_slot[3];
	struct metric metric[N_METRICS];
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
	N_RESULTS,
};

struct ingest_source {
	struct ingest *ingest;
	char *name;
	size_t format; /* DETECT_NONE: recognised by its lines */
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
	char time[MAX_TIME_BYTES]; /* of the last entry that has one */
	size_t time_len;
};

static size_t
add_field(struct ingest *in, const char *name)
{
	size_t slot = name ? fields_add(&in->fields, str_from(name))
			   : FIELDS_NO_SLOT;

	assert(!name || slot != FIELDS_NO_SLOT);
	return slot;
}

static int
add_zeros(struct metric *m)
{
	size_t i;

	for (i = 0; i < sizeof(common_statuses) / sizeof(char *); i++) {
		struct str status = str_from(common_statuses[i]);
		uint32_t index;
		int error = registry_series(m->family, &status, &index);

		if (error)
			return error;
	}
	return 0;
}

static int
init_metrics(struct ingest *in, bool with_zeros)
{
	static const char *const times[] = { "time_local", "time_iso8601",
		"msec" };
	size_t i;
	int error = 0;

	for (i = 0; i < N_METRICS && !error; i++) {
		struct metric *m = &in->metric[i];

		m->family = in->metrics->family[defaults[i].id];
		m->label = add_field(in, defaults[i].label);
		m->values[0] = add_field(in, defaults[i].values[0]);
		m->values[1] = add_field(in, defaults[i].values[1]);
		memset(m->by_status, 0xFF, sizeof(m->by_status));
		m->without_status = NO_SERIES;
		if (with_zeros && m->label != FIELDS_NO_SLOT)
			error = add_zeros(m);
	}
	for (i = 0; i < 3; i++)
		in->time_slot[i] = add_field(in, times[i]);
	return error;
}

/* Makes f, already parsed, one of the formats; copies name. */
static int
add_format(struct ingest *in, struct str name, const struct format *format,
    struct config_error *reterr)
{
	struct ingest_format *formats, *f;
	size_t i, j;
	int error;

	formats = reallocarray(in->formats, in->n_formats + 1,
	    sizeof(*formats));
	if (!formats)
		return -ENOMEM;
	in->formats = formats;
	f = &formats[in->n_formats];
	*f = (struct ingest_format){ .name = strndup(name.data, name.len) };
	if (!f->name)
		return -ENOMEM;
	error = parser_create(format, &in->fields, false, &f->parser, reterr);
	if (error) {
		free(f->name);
		return error;
	}

	f->fields = parser_fields(f->parser);
	for (i = 0; i < N_METRICS; i++) {
		f->value[i] = FIELDS_NO_SLOT;
		for (j = 2; j-- > 0;) {
			size_t slot = in->metric[i].values[j];

			if (slot != FIELDS_NO_SLOT &&
			    f->fields & ENTRY_BIT(slot))
				f->value[i] = slot;
		}
	}
	in->n_formats++;
	return 0;
}

static int
add_shipped_formats(struct ingest *in)
{
	size_t n_rows, i, n = 0;
	const struct patterns_row *rows = patterns_all(&n_rows);
	struct format **formats = calloc(n_rows, sizeof(*formats));
	struct config_error reason;
	int error = formats ? 0 : -ENOMEM;

	for (i = 0; i < n_rows && !error; i++) {
		struct str name = str_from(rows[i].name);

		if (rows[i].kind != PATTERNS_FORMAT)
			continue;
		error = format_create(name, &formats[n], &reason);
		if (!error)
			error = add_format(in, name, formats[n++], &reason);
	}
	if (!error)
		error = detect_create((const struct format *const *)formats, n,
		    &in->detect, &reason);
	in->n_shipped = n;

	/* What is compiled in compiles: a unit test says so for each file. */
	assert(error != -EINVAL);
	for (i = 0; i < n; i++)
		format_destroy(formats[i]);
	free(formats);
	return error;
}

int
ingest_create(struct metrics *metrics, bool with_zeros,
    struct ingest **ret_ingest)
{
	struct ingest *in = calloc(1, sizeof(*in));
	int error;

	if (!in)
		return -ENOMEM;
	in->metrics = metrics;
	registry_lock(metrics->registry);
	error = init_metrics(in, with_zeros);
	registry_unlock(metrics->registry);
	if (!error)
		error = add_shipped_formats(in);
	if (error) {
		ingest_destroy(in);
		return error;
	}
	*ret_ingest = in;
	return 0;
}

static void
source_destroy(struct ingest_source *s)
{
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
	for (i = 0; i < in->n_formats; i++) {
		parser_destroy(in->formats[i].parser);
		free(in->formats[i].name);
	}
	free(in->formats);
	detect_destroy(in->detect);
	free(in);
}

static int
source_series(struct ingest_source *s)
{
	static const struct str results[N_RESULTS] = {
		[RESULT_PARSED] = { "parsed", 6 },
		[RESULT_UNPARSED] = { "unparsed", 8 },
		[RESULT_TOO_LONG] = { "too_long", 8 },
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

	if (str_equal(text, STR("auto"))) {
		*ret_format = DETECT_NONE;
		return 0;
	}
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

int
ingest_add_source(struct ingest *in, struct str name, struct str format,
    struct ingest_source **ret_source, struct config_error *reterr)
{
	struct ingest_source **sources;
	struct ingest_source *s;
	int error = -ENOMEM;

	sources = reallocarray(in->sources, in->n_sources + 1,
	    sizeof(struct ingest_source *));
	if (!sources)
		return -ENOMEM;
	in->sources = sources;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->ingest = in;
	s->name = strndup(name.data, name.len);
	if (!s->name)
		goto destroy;
	error = choose_format(in, format, &s->format, reterr);
	if (error)
		goto destroy;
	registry_lock(in->metrics->registry);
	error = source_series(s);
	registry_unlock(in->metrics->registry);
	if (error)
		goto destroy;
	sources[in->n_sources++] = s;
	*ret_source = s;
	return 0;

destroy:
	source_destroy(s);
	return error;
}

void
ingest_stream_init(struct ingest_stream *st, struct ingest_source *source,
    bool at_start)
{
	*st = (struct ingest_stream){ .source = source,
		.format = source->format,
		.settled = source->format != DETECT_NONE };
	lines_init(&st->lines, at_start);
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

const char *
ingest_format_name(const struct ingest_stream *st)
{
	return st->format == DETECT_NONE
	    ? NULL
	    : st->source->ingest->formats[st->format].name;
}

/*
 * A line that does not fit the stream's format is held against all shipped
 * ones where the format is recognised by the lines, because a log may change
 * its format from one line to the next, and none should cost a count.
 */
static const struct ingest_format *
parse(struct ingest_stream *st, struct str line, struct entry *e)
{
	struct ingest *in = st->source->ingest;
	struct detect_choice choice;

	if (st->format != DETECT_NONE &&
	    parser_parse(in->formats[st->format].parser, line, e, NULL) ==
		PARSER_PARSED)
		return &in->formats[st->format];
	if (st->source->format != DETECT_NONE)
		return NULL;

	choice = detect_choose(in->detect, line, true);
	if (choice.format == DETECT_NONE ||
	    parser_parse(in->formats[choice.format].parser, line, e, NULL) !=
		PARSER_PARSED)
		return NULL;
	st->settled = false; /* look again in the next bytes */
	st->n_looks = 0;
	return &in->formats[choice.format];
}

/* The number of three digits, which is below 1000; or 1000. */
static unsigned
status_number(struct str text)
{
	unsigned n = 0;
	size_t i;

	if (!text.data || text.len != 3)
		return 1000;
	for (i = 0; i < 3; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return 1000;
		n = n * 10 + (unsigned)(text.data[i] - '0');
	}
	return n;
}

/* Every `status` label has at most 1,001 values: no hash is needed. */
static int
status_series(struct metric *m, struct str status, uint32_t *ret_index)
{
	unsigned number = status_number(status);
	uint32_t *known = number < 1000 ? &m->by_status[number]
					: &m->without_status;

	if (*known == NO_SERIES) {
		struct str value = labels_status(status);
		int error = registry_series(m->family, &value, known);

		if (error)
			return error;
	}
	*ret_index = *known;
	return 0;
}

static struct str
entry_time(const struct ingest *in, const struct entry *e)
{
	size_t i;

	for (i = 0; i < 3; i++) {
		if (e->text[in->time_slot[i]].data)
			return e->text[in->time_slot[i]];
	}
	return (struct str){ 0 };
}

/* Series of the last line's time and of errors come when there are some. */
static int
prepare_entry(struct ingest_source *s, const struct entry *e)
{
	struct registry_family **family = s->ingest->metrics->family;
	struct str values[2] = { str_from(s->name) };
	uint64_t errors = e->errors;
	struct decimal when;
	int error = 0;

	if (s->last_line == NO_SERIES &&
	    timestamp_parse(entry_time(s->ingest, e), &when))
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

/* All series first, then all values: on failure nothing was counted. */
static int
count_entry(struct ingest *in, const struct ingest_format *format,
    const struct entry *e)
{
	uint32_t series[N_METRICS];
	size_t i;
	int error;

	for (i = 0; i < N_METRICS; i++) {
		struct metric *m = &in->metric[i];

		if (m->label != FIELDS_NO_SLOT)
			error = status_series(m, e->text[m->label], &series[i]);
		else if (format->value[i] != FIELDS_NO_SLOT)
			error = registry_series(m->family, NULL, &series[i]);
		else
			error = 0;
		if (error)
			return error;
	}
	for (i = 0; i < N_METRICS; i++) {
		struct metric *m = &in->metric[i];
		size_t slot = format->value[i];

		if (m->values[0] == FIELDS_NO_SLOT)
			registry_add(m->family, series[i], decimal_of(1));
		else if (slot == FIELDS_NO_SLOT ||
		    !(e->has_number & ENTRY_BIT(slot)))
			continue;
		else if (registry_spec(m->family)->type == REGISTRY_HISTOGRAM)
			registry_observe(m->family, series[i], e->number[slot]);
		else
			registry_add(m->family, series[i], e->number[slot]);
	}
	return 0;
}

static void
note_entry(struct ingest *in, struct batch *b, const struct entry *e)
{
	struct str time = entry_time(in, e);
	uint64_t errors = e->errors;

	if (time.data && time.len <= sizeof(b->time)) {
		memcpy(b->time, time.data, time.len);
		b->time_len = time.len;
	}
	b->n_repairs += e->n_repairs;
	b->has_errors |= errors;
	while (errors) {
		b->n_errors[__builtin_ctzll(errors)]++;
		errors &= errors - 1;
	}
}

static int
feed_line(struct ingest_stream *st, struct str line, struct batch *b)
{
	struct ingest *in = st->source->ingest;
	const struct ingest_format *format;
	struct entry entry;
	int error;

	if (!line.len)
		return 0;
	format = parse(st, line, &entry);
	if (!format) {
		b->n_lines[RESULT_UNPARSED]++;
		return 0;
	}
	error = prepare_entry(st->source, &entry);
	if (!error)
		error = count_entry(in, format, &entry);
	if (error)
		return error;
	b->n_lines[RESULT_PARSED]++;
	note_entry(in, b, &entry);
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

	for (i = 0; i < N_RESULTS; i++)
		registry_add(family[METRICS_LINES], s->lines[i],
		    decimal_of(b->n_lines[i]));
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
	if (s->last_line != NO_SERIES &&
	    timestamp_parse(str_of(b->time, b->time_len), &when))
		registry_set(family[METRICS_LAST_LINE], s->last_line, when);
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
		struct lines before = st->lines;
		struct str from = rest;
		enum lines_result result = lines_next(&st->lines, &rest, final,
		    &line);

		if (result == LINES_MORE)
			break;
		if (result == LINES_TOO_LONG) {
			batch.n_lines[RESULT_TOO_LONG]++;
			continue;
		}
		error = feed_line(st, line, &batch);
		if (error) {
			st->lines = before;
			rest = from;
		}
	}
	count_batch(st, &batch, bytes_before);
	change_lag(st->source, -(int64_t)(window.len - rest.len));
	registry_unlock(registry);

	*ret_consumed = window.len - rest.len;
	return error;
}
