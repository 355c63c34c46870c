/*
 * ingest: however a file comes in, what is counted is the same, and every
 * byte of it is accounted for.
 *
 *	byte 0	which source; bit 7: not from byte 0 of the file
 *	byte 1	how it is cut into reads
 *	rest	the file (fuzz_expand())
 */
#include <assert.h>

#include "accesslog/bounds.h"
#include "accesslog/ingest.h"
#include "accesslog/metrics.h"
#include "accesslog/registry_snapshot.h"

#include "fuzz.h"

#define MAX_FILE_BYTES (4u * BOUNDS_LINE_BYTES)

/* A format such as a user may write, in which any column can be a status. */
static const char own_format[] =
    "%{NOTSPACE:status} (?:%{SECONDS:request_time:ms}|x)"
    "(?: %{SECONDS_LIST:upstream_response_time} )?%{BYTES:bytes_sent}";

static const char *const formats[] = { "auto", "combined", "nginx_timed",
	"apache_timed", "vhost_combined", own_format };

#define N_FORMATS (sizeof(formats) / sizeof(formats[0]))
#define AUTO 0

static struct registry *registry;
static struct metrics metrics;
static struct ingest *ingest;
static struct ingest_source *sources[N_FORMATS];

static void
init(void)
{
	struct config_error reason;
	size_t i;

	assert(!registry_create(1, &registry));
	assert(!metrics_init(&metrics, registry));
	assert(!ingest_create(&metrics, NULL, true, &ingest, &reason));
	for (i = 0; i < N_FORMATS; i++)
		assert(!ingest_add_source(ingest, str_from(formats[i]),
		    str_from(formats[i]), &sources[i], &reason));
}

/* Whole numbers of family id in s, all series together. */
static uint64_t
total(const struct registry_snapshot *s, enum metrics_id id)
{
	const struct registry_snapshot_family *f = &s->families[id];
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < f->n_series; i++)
		sum += f->cells[i * f->n_cells];
	return sum;
}

/* Billionths that the value at cells has gained; it wraps, as the cells do. */
static uint64_t
nanos_gained(const uint64_t before[2], const uint64_t after[2])
{
	return (after[0] - before[0]) * 1000000000u + after[1] - before[1];
}

/* Whether the series at place i gained the same from a to b as from b to c. */
static bool
same_gain(const struct registry_snapshot_family *a,
    const struct registry_snapshot_family *b,
    const struct registry_snapshot_family *c, uint32_t i)
{
	static const uint64_t nothing[BOUNDS_BUCKETS + 3];
	const uint64_t *before = i < a->n_series ? a->cells + i * a->n_cells
						 : nothing;
	const uint64_t *middle = b->cells + i * b->n_cells;
	const uint64_t *after = c->cells + i * c->n_cells;
	size_t value = c->n_cells - 2;
	size_t j;

	for (j = 0; j < value; j++) {
		if (middle[j] - before[j] != after[j] - middle[j])
			return false;
	}
	return after[value] == UINT64_MAX ||
	    nanos_gained(before + value, middle + value) ==
	    nanos_gained(middle + value, after + value);
}

/* Feeds the file in pieces.  ret_stream: as it is at the end. */
static void
read_file(size_t source, struct str file, bool at_start, uint8_t cuts,
    struct ingest_stream *ret_stream)
{
	size_t longest = cuts ? (cuts & 0x3F) + 1 + file.len / 256 : file.len;
	uint64_t random = cuts;
	size_t offset = 0;
	size_t end = 0;
	uint64_t sum = 0;
	bool final = false;
	size_t i;

	ingest_stream_init(ret_stream, sources[source], at_start);
	while (!final) {
		size_t n = cuts & 0x40 || !longest
		    ? longest
		    : 1 + (size_t)(fuzz_next(&random) % longest);
		struct str window;
		size_t consumed = SIZE_MAX;

		final = end == file.len;
		end = n < file.len - end ? end + n : file.len;
		window = fuzz_exact(str_of(file.data + offset, end - offset));
		assert(!ingest_feed(ret_stream, window, final, &consumed));
		assert(consumed <= window.len);
		assert(window.len - consumed <= BOUNDS_LINE_BYTES);
		free((char *)(uintptr_t)window.data);
		offset += consumed;
	}
	assert(offset == file.len);
	for (i = 0; i < LINES_BYTES_N; i++)
		sum += ret_stream->lines.n_bytes[i];
	assert(sum == file.len);
}

static void
check_accounts(const struct registry_snapshot *before,
    const struct registry_snapshot *after, size_t n_bytes)
{
	uint64_t read = total(after, METRICS_READ_BYTES) -
	    total(before, METRICS_READ_BYTES);
	uint64_t skipped = total(after, METRICS_SKIPPED_BYTES) -
	    total(before, METRICS_SKIPPED_BYTES);
	uint64_t lines = total(after, METRICS_LINES) -
	    total(before, METRICS_LINES);
	uint64_t requests = total(after, METRICS_REQUESTS) -
	    total(before, METRICS_REQUESTS);

	assert(read + skipped == n_bytes);
	assert(requests <= lines && lines <= n_bytes);
}

static void
check_same(const struct registry_snapshot *a, const struct registry_snapshot *b,
    const struct registry_snapshot *c, size_t source)
{
	/*
	 * First what all formats agree about; then what depends on which one
	 * was recognised, and so on the reads where none is given.  The time
	 * of the last line is no total.
	 */
	static const enum metrics_id same[] = { METRICS_LINES,
		METRICS_READ_BYTES, METRICS_SKIPPED_BYTES, METRICS_REQUESTS,
		METRICS_RESPONSE_BYTES, METRICS_REQUEST_DURATION,
		METRICS_UPSTREAM_DURATION, METRICS_FIELD_ERRORS };
	size_t n = source == AUTO ? 3 : sizeof(same) / sizeof(same[0]);
	size_t i;
	uint32_t j;

	for (i = 0; i < n; i++) {
		enum metrics_id id = same[i];

		assert(b->families[id].n_series == c->families[id].n_series);
		for (j = 0; j < c->families[id].n_series; j++)
			assert(same_gain(&a->families[id], &b->families[id],
			    &c->families[id], j));
	}
	assert(total(b, METRICS_REQUESTS) - total(a, METRICS_REQUESTS) ==
	    total(c, METRICS_REQUESTS) - total(b, METRICS_REQUESTS));
}

/* Sums that are nearly full would hide differences from later inputs. */
static void
empty_when_full(const struct registry_snapshot *s)
{
	size_t i;
	uint32_t j;

	for (i = 0; i < s->n_families; i++) {
		const struct registry_snapshot_family *f = &s->families[i];

		for (j = 0; j < f->n_series; j++) {
			if (f->cells[(j + 1) * f->n_cells - 2] < INT64_MAX)
				continue;
			ingest_destroy(ingest);
			registry_destroy(registry);
			ingest = NULL;
			return;
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = str_of((const char *)data, size);
	uint8_t choice = fuzz_byte(&input);
	uint8_t cuts = fuzz_byte(&input);
	size_t source = (choice & 0x7F) % N_FORMATS;
	struct ingest_stream whole, cut;
	struct registry_snapshot a, b, c;
	struct buf file;

	if (!ingest)
		init();
	fuzz_expand(input, MAX_FILE_BYTES, &file);

	assert(!registry_snapshot_take(registry, &a));
	read_file(source, buf_str(&file), !(choice & 0x80), 0, &whole);
	assert(!registry_snapshot_take(registry, &b));
	read_file(source, buf_str(&file), !(choice & 0x80), cuts, &cut);
	assert(!registry_snapshot_take(registry, &c));

	check_accounts(&a, &b, file.len);
	check_accounts(&b, &c, file.len);
	check_same(&a, &b, &c, source);

	empty_when_full(&c);
	registry_snapshot_release(&c);
	registry_snapshot_release(&b);
	registry_snapshot_release(&a);
	buf_release(&file);
	return 0;
}
