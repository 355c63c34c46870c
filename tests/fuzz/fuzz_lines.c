/*
 * lines: however a file comes in, its lines and its bytes are the same, and
 * those that the policy says.
 *
 *	byte 0	bit 0: the bytes are the start of a file
 *	byte 1	how it is cut into reads
 *	rest	the file (fuzz_expand())
 */
#include <assert.h>

#include "accesslog/bounds.h"
#include "accesslog/lines.h"

#include "fuzz.h"

#define MAX_FILE_BYTES (4u * BOUNDS_LINE_BYTES)

struct outcome {
	struct lines lines;
	size_t n_too_long;
	struct buf text; /* every line with a newline behind it */
};

static void
check_line(const struct outcome *o, struct str line, struct str consumed)
{
	assert(line.len <= BOUNDS_LINE_BYTES);
	assert(str_find_char(line, '\n') == line.len);
	assert(!line.len || line.data[0] != '\0');
	assert(!line.len ||
	    (line.data >= consumed.data &&
		line.data + line.len <= consumed.data + consumed.len));
	assert(!o->lines.at_start && !o->lines.in_long_line);
}

/* Feeds what is known of the file so far.  Returns what is consumed of it. */
static size_t
feed(struct outcome *o, struct str known, bool final)
{
	struct str window = fuzz_exact(known);
	struct str rest = window;
	struct str line;

	for (;;) {
		const char *from = rest.data;
		enum lines_result result = lines_next(&o->lines, &rest, final,
		    &line);

		assert(rest.data >= from &&
		    rest.data + rest.len == window.data + window.len);
		if (result == LINES_MORE)
			break;
		if (result == LINES_TOO_LONG) {
			o->n_too_long++;
			continue;
		}
		check_line(o, line, str_of(from, (size_t)(rest.data - from)));
		buf_add(&o->text, line);
		buf_add_char(&o->text, '\n');
	}
	/* An unfinished line is never longer than the longest line. */
	assert(rest.len <= BOUNDS_LINE_BYTES);
	assert(!final || !rest.len);
	free((char *)(uintptr_t)window.data);
	return window.len - rest.len;
}

static void
read_file(struct outcome *o, struct str file, bool at_start, uint8_t cuts)
{
	/* Reads of a few bytes, or of a few thousand in a large file. */
	size_t longest = cuts ? (cuts & 0x3F) + 1 + file.len / 256 : file.len;
	uint64_t random = cuts;
	size_t offset = 0;
	size_t end = 0;
	uint64_t sum = 0;
	size_t i;

	*o = (struct outcome){ 0 };
	lines_init(&o->lines, at_start);
	buf_init(&o->text, 2 * MAX_FILE_BYTES + 2);
	while (end < file.len) {
		size_t n = cuts & 0x40
		    ? longest
		    : 1 + (size_t)(fuzz_next(&random) % longest);

		end = n < file.len - end ? end + n : file.len;
		offset += feed(o, str_of(file.data + offset, end - offset),
		    false);
	}
	offset += feed(o, str_of(file.data + offset, end - offset), true);

	assert(offset == file.len);
	for (i = 0; i < LINES_BYTES_N; i++)
		sum += o->lines.n_bytes[i];
	assert(sum == file.len);
	assert(!buf_status(&o->text));
}

/* What the policy in lines.h comes to when the whole file is at hand. */
static void
check_policy(const struct outcome *o, struct str file, bool at_start)
{
	struct str text = buf_str(&o->text);
	size_t n_too_long = 0;

	if (at_start && str_starts_with(file, STR("\xEF\xBB\xBF")))
		file = str_after(file, 3);
	while (file.len) {
		struct str line;
		bool has_newline;

		while (file.len && file.data[0] == '\0')
			file = str_after(file, 1);
		line = str_of(file.data, str_find_char(file, '\n'));
		has_newline = line.len < file.len;
		file = str_after(file, line.len + has_newline);
		if (line.len > BOUNDS_LINE_BYTES) {
			n_too_long++;
			continue;
		}
		if (!has_newline && !line.len)
			break;
		if (has_newline && line.len && line.data[line.len - 1] == '\r')
			line.len--;
		assert(str_starts_with(text, line));
		text = str_after(text, line.len);
		assert(str_starts_with(text, STR("\n")));
		text = str_after(text, 1);
	}
	assert(!text.len);
	assert(o->n_too_long == n_too_long);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = str_of((const char *)data, size);
	bool at_start = fuzz_byte(&input) & 1;
	uint8_t cuts = fuzz_byte(&input);
	struct outcome whole, cut;
	struct buf file;
	size_t i;

	fuzz_expand(input, MAX_FILE_BYTES, &file);
	read_file(&whole, buf_str(&file), at_start, 0);
	read_file(&cut, buf_str(&file), at_start, cuts);

	check_policy(&whole, buf_str(&file), at_start);
	assert(str_equal(buf_str(&whole.text), buf_str(&cut.text)));
	assert(whole.n_too_long == cut.n_too_long);
	for (i = 0; i < LINES_BYTES_N; i++)
		assert(whole.lines.n_bytes[i] == cut.lines.n_bytes[i]);
	assert(whole.lines.n_bytes[LINES_BYTES_BOM] <= (at_start ? 3u : 0u));

	buf_release(&cut.text);
	buf_release(&whole.text);
	buf_release(&file);
	return 0;
}
