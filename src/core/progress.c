#include "accesslog/progress.h"

/* Shorter, it says nothing; longer, nothing more. */
#define BAR_LEAST 10
#define BAR_MOST 40

/* n in the largest unit of which there is one: `8.1 M`, `950 `. */
static void
render_scaled(uint64_t n, struct buf *out)
{
	static const char units[] = " kMGTPE";
	uint64_t unit = 1;
	size_t i = 0;

	while (n / unit >= 1000) {
		unit *= 1000;
		i++;
	}
	buf_add_u64(out, n / unit);
	if (i && n / unit < 10) {
		buf_add_char(out, '.');
		buf_add_u64(out, n / (unit / 10) % 10);
	}
	buf_add_char(out, ' ');
	if (i)
		buf_add_char(out, units[i]);
}

static void
render_bytes(uint64_t n, struct buf *out)
{
	render_scaled(n, out);
	buf_add_char(out, 'B');
}

static void
render_lines(uint64_t n, struct buf *out)
{
	render_scaled(n, out);
	buf_add_text(out, n < 1000 ? "lines" : " lines");
}

static void
render_rate(const struct progress *p, struct buf *out)
{
	double rate = p->ms ? (double)p->n_lines * 1000 / (double)p->ms : 0;

	render_lines((uint64_t)rate, out);
	buf_add_text(out, "/s");
}

static void
render_pair(uint64_t n, uint64_t part, const char *unit, struct buf *out)
{
	buf_add_u64(out, n);
	buf_add_char(out, ':');
	buf_add_char(out, (char)('0' + part / 10));
	buf_add_char(out, (char)('0' + part % 10));
	buf_add_text(out, unit);
}

/* `3 s`, `2:05 min`, `1:02 h` */
static void
render_time(uint64_t seconds, struct buf *out)
{
	if (seconds < 60) {
		buf_add_u64(out, seconds);
		buf_add_text(out, " s");
	} else if (seconds < 3600) {
		render_pair(seconds / 60, seconds % 60, " min", out);
	} else {
		render_pair(seconds / 3600, seconds / 60 % 60, " h", out);
	}
}

static void
render_bar(unsigned percent, size_t n_columns, struct buf *out)
{
	size_t n_full = n_columns * percent / 100;
	size_t i;

	buf_add_text(out, " [");
	for (i = 0; i < n_columns; i++)
		buf_add_char(out, i < n_full ? '=' : i == n_full ? '>' : ' ');
	buf_add_char(out, ']');
}

static void
render_rate_and_rest(const struct progress *p, struct buf *out)
{
	buf_add_text(out, ", ");
	render_rate(p, out);
	if (p->n_bytes && p->n_bytes < p->size_bytes) {
		double left = (double)(p->size_bytes - p->n_bytes) /
		    (double)p->n_bytes * (double)p->ms / 1000;

		buf_add_text(out, ", ");
		render_time((uint64_t)(left + 0.5), out);
		buf_add_text(out, " left");
	}
}

void
progress_render(const struct progress *p, size_t n_columns, struct buf *out)
{
	size_t start = out->len;
	unsigned percent = 0;
	size_t n_taken;

	if (p->size_bytes) {
		uint64_t n_bytes = p->n_bytes < p->size_bytes ? p->n_bytes
							      : p->size_bytes;

		percent = (unsigned)((double)n_bytes * 100 /
		    (double)p->size_bytes);
		if (percent < 100)
			buf_add_char(out, ' ');
		if (percent < 10)
			buf_add_char(out, ' ');
		buf_add_u64(out, percent);
		buf_add_text(out, " % of ");
		render_bytes(p->size_bytes, out);
	} else {
		render_bytes(p->n_bytes, out);
	}
	render_rate_and_rest(p, out);
	n_taken = out->len - start + sizeof(" []") - 1;
	if (p->size_bytes && n_taken + BAR_LEAST <= n_columns)
		render_bar(percent,
		    n_columns - n_taken < BAR_MOST ? n_columns - n_taken
						   : BAR_MOST,
		    out);
	if (out->len - start > n_columns)
		out->len = start + n_columns;
}

void
progress_render_sum(const struct progress *p, struct buf *out)
{
	render_bytes(p->n_bytes, out);
	buf_add_text(out, ", ");
	render_lines(p->n_lines, out);
	buf_add_text(out, " in ");
	if (p->ms < 10000) {
		buf_add_u64(out, p->ms / 1000);
		buf_add_char(out, '.');
		buf_add_u64(out, p->ms / 100 % 10);
		buf_add_text(out, " s");
	} else {
		render_time(p->ms / 1000, out);
	}
	buf_add_text(out, ", ");
	render_rate(p, out);
}
