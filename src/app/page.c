#include "app/page.h"

#include <time.h>

#include "accesslog/labels.h"
#include "accesslog/metrics.h"
#include "app/version.h"

/* A person reads no more, and the page stays small. */
#define MAX_SHOWN 100

static const char head[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\">"
    "<meta name=\"color-scheme\" content=\"light dark\">"
    "<title>accesslog_exporter</title><style>"
    "body{font:16px/1.5 system-ui,sans-serif;margin:2em auto;max-width:75em;"
    "padding:0 1em}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.3em .8em .3em 0;white-space:nowrap}"
    "tr{border-bottom:1px solid #8884}"
    ".n{text-align:right;font-variant-numeric:tabular-nums}"
    "td:first-child{overflow-wrap:anywhere;white-space:normal;min-width:14em}"
    "td:nth-child(2){white-space:normal}"
    /* Where a row has no room it is a block, each cell a line with its name. */
    "@media(max-width:64em){thead{display:none}tr,td,td.n{display:block;"
    "text-align:left}tr{padding:.5em 0}td{padding:0}td:empty{display:none}"
    "td:first-child{font-weight:bold}"
    "td:not(:first-child):before{display:inline-block;width:9em;opacity:.7}";

static const char head_end[] =
    "}</style></head><body>\n<h1>accesslog_exporter</h1>\n"
    "<p>Counts the requests in access logs, for Prometheus.</p>\n";

static const struct {
	const char *title;
	bool is_number;
} columns[] = {
	{ "Log", false },
	{ "Files", false },
	{ "Format", false },
	{ "Requests", true },
	{ "Unparsed", true },
	{ "Unread bytes", true },
	{ "Last request", false },
};
#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void
add_escaped(struct buf *out, struct str text)
{
	size_t i;

	for (i = 0; i < text.len; i++) {
		switch (text.data[i]) {
		case '<':
			buf_add(out, STR("&lt;"));
			break;
		case '&':
			buf_add(out, STR("&amp;"));
			break;
		case '"':
			buf_add(out, STR("&quot;"));
			break;
		default:
			buf_add_char(out, text.data[i]);
		}
	}
}

/* The label text that begins every series of a source: source="..." */
static void
source_label(const char *source, struct buf *out)
{
	struct labels_scratch scratch;

	buf_clear(out);
	buf_add(out, STR("source=\""));
	labels_escape(labels_clean(str_from(source),
			  BOUNDS_LABEL_VALUE_MOST_BYTES, &scratch),
	    out);
	buf_add_char(out, '"');
}

/*
 * The cells of the first series of a family whose labels begin with `label`
 * and end with `rest`; NULL where there is none.
 */
static const uint64_t *
find_series(const struct registry_snapshot *s, enum metrics_id id,
    struct str label, struct str rest)
{
	const struct registry_snapshot_family *f = &s->families[id];
	uint32_t i;

	for (i = 0; i < f->n_series; i++) {
		struct str text = registry_text(f->family, i);

		if (!str_starts_with(text, label) ||
		    text.len < label.len + rest.len ||
		    !str_ends_with(text, rest))
			continue;
		return f->cells + i * f->n_cells;
	}
	return NULL;
}

static void
add_number(struct buf *out, const uint64_t *cells)
{
	buf_add(out, STR("<td class=\"n\">"));
	if (cells)
		buf_add_u64(out, cells[0]);
	buf_add(out, STR("</td>"));
}

static void
add_time(struct buf *out, const uint64_t *cells)
{
	char text[sizeof("2026-11-20 15:40:00 UTC")];
	time_t when = cells ? (time_t)cells[0] : 0;
	struct tm tm;

	buf_add(out, STR("<td>"));
	if (cells && gmtime_r(&when, &tm) &&
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm))
		buf_add_text(out, text);
	buf_add(out, STR("</td>"));
}

/*
 * A cell with the last label of each series of the source that is not 0, and
 * with its value where that is wanted: "combined, common"; "following 4".
 */
static void
add_list(struct buf *out, const struct registry_snapshot *s, enum metrics_id id,
    struct str label, const char *last, bool with_values, const char *otherwise)
{
	const struct registry_snapshot_family *f = &s->families[id];
	size_t prefix = label.len + strlen(last) + sizeof(",=\"") - 1;
	bool is_empty = true;
	uint32_t i;

	buf_add(out, STR("<td>"));
	for (i = 0; i < f->n_series; i++) {
		struct str text = registry_text(f->family, i);
		const uint64_t *cells = f->cells + i * f->n_cells;

		if (!str_starts_with(text, label) || text.len <= prefix ||
		    !cells[0])
			continue;
		if (!is_empty)
			buf_add(out, STR(", "));
		is_empty = false;
		add_escaped(out,
		    str_of(text.data + prefix, text.len - prefix - 1));
		if (with_values) {
			buf_add(out, STR("&nbsp;"));
			buf_add_u64(out, cells[0]);
		}
	}
	if (is_empty)
		buf_add_text(out, otherwise);
	buf_add(out, STR("</td>"));
}

static void
add_source(struct buf *out, const char *source,
    const struct registry_snapshot *s)
{
	struct buf label_text;
	struct str label;

	buf_init(&label_text, BOUNDS_REPLY_BYTES);
	source_label(source, &label_text);
	label = buf_str(&label_text);

	buf_add(out, STR("<tr><td>"));
	add_escaped(out, str_from(source));
	buf_add(out, STR("</td>"));
	add_list(out, s, METRICS_FILES, label, "state", true, "no files");
	add_list(out, s, METRICS_FORMAT_INFO, label, "format", false,
	    "not known yet");
	add_number(out,
	    find_series(s, METRICS_LINES, label, STR(",result=\"parsed\"")));
	add_number(out,
	    find_series(s, METRICS_LINES, label, STR(",result=\"unparsed\"")));
	add_number(out, find_series(s, METRICS_LAG_BYTES, label, STR("")));
	add_time(out, find_series(s, METRICS_LAST_LINE, label, STR("")));
	buf_add(out, STR("</tr>\n"));
	buf_release(&label_text);
}

void
page_render(char *const sources[], size_t n_sources,
    const struct registry_snapshot *snapshot, const char *telemetry_path,
    struct buf *out)
{
	size_t n_shown = n_sources < MAX_SHOWN ? n_sources : MAX_SHOWN;
	size_t i;

	buf_add_text(out, head);
	for (i = 1; i < N_COLUMNS; i++) {
		buf_add(out, STR("td:nth-child("));
		buf_add_u64(out, i + 1);
		buf_add(out, STR("):before{content:\""));
		buf_add_text(out, columns[i].title);
		buf_add(out, STR("\"}"));
	}
	buf_add_text(out, head_end);
	buf_add(out, STR("<p><a href=\""));
	add_escaped(out, str_from(telemetry_path));
	buf_add(out,
	    STR("\">Metrics</a> &middot; "
		"<a href=\"/-/healthy\">healthy</a> &middot; "
		"<a href=\"/-/ready\">ready</a></p>\n"
		"<table><thead><tr>"));
	for (i = 0; i < N_COLUMNS; i++) {
		buf_add_text(out,
		    columns[i].is_number ? "<th class=\"n\">" : "<th>");
		buf_add_text(out, columns[i].title);
		buf_add(out, STR("</th>"));
	}
	buf_add(out, STR("</tr></thead><tbody>\n"));
	for (i = 0; i < n_shown; i++)
		add_source(out, sources[i], snapshot);
	buf_add(out, STR("</tbody></table>\n"));
	if (n_shown < n_sources) {
		buf_add(out, STR("<p>and "));
		buf_add_u64(out, n_sources - n_shown);
		buf_add(out, STR(" more</p>\n"));
	}
	buf_add(out, STR("<p>Version "));
	add_escaped(out, str_from(version_number()));
	if (*version_revision()) {
		buf_add(out, STR(", revision "));
		add_escaped(out, str_from(version_revision()));
	}
	buf_add(out, STR("</p>\n</body></html>\n"));
}
