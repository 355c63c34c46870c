#include "app/cmd_scan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "accesslog/exposition.h"
#include "accesslog/ingest_misspelt.h"
#include "app/config_file.h"
#include "app/crew.h"
#include "app/log.h"
#include "app/pipeline.h"

/* A bar that moves five times a second is smooth enough. */
#define DRAW_MS 200
#define DEFAULT_COLUMNS 80

/* With the program that unpacks it, as its name tells. */
static const char *
failure_of(const struct crew_log *l)
{
#define COMPRESSED(cat)                                                        \
	"compressed, and only gzip files are read as they are; write " cat     \
	" FILE | accesslog_exporter scan -"
	static const struct {
		const char *suffix, *text;
	} known[] = {
		{ ".xz", COMPRESSED("xzcat") },
		{ ".bz2", COMPRESSED("bzcat") },
		{ ".zst", COMPRESSED("zstdcat") },
	};
#undef COMPRESSED
	struct str path = str_from(l->log.path);
	size_t i;

	for (i = 0; l->error == -EMEDIUMTYPE && i < 3; i++) {
		struct str suffix = str_from(known[i].suffix);

		if (path.len > suffix.len && str_ends_with(path, suffix))
			return known[i].text;
	}
	return scan_failure(l->error);
}

static void
tell_failure(const struct crew_log *l)
{
	bool has_begun = l->error == -EBADMSG || l->error == -ENODATA ||
	    l->error == -ERANGE;

	log_event(LOG_ERROR,
	    has_begun ? "the file cannot be read to its end; what could be "
			"read is counted"
		      : "the file cannot be read",
	    "file", l->log.path, "error", failure_of(l), NULL);
}

/* Returns whether all could be read. */
static bool
tell_of_logs(const struct crew *crew, size_t n_logs)
{
	bool all_read = true;
	size_t i;

	for (i = 0; i < n_logs; i++) {
		const struct crew_log *l = crew_log_at(crew, i);

		if (l->error) {
			tell_failure(l);
			all_read = false;
		} else if (!l->format && l->has_lines) {
			log_event(LOG_WARN,
			    "no shipped format fits the lines of this file; "
			    "give one with --format",
			    "file", l->log.path, NULL);
		}
	}
	return all_read;
}

/* In place of what the line on the terminal has; not told if it cannot be. */
static void
draw(struct crew *crew, bool is_last)
{
	size_t n_columns = DEFAULT_COLUMNS;
	struct winsize size;
	struct progress p;
	struct buf out;

	if (!ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_col)
		n_columns = size.ws_col;
	crew_progress(crew, &p);
	buf_init(&out, BOUNDS_LINE_BYTES);
	buf_add_char(&out, '\r');
	if (is_last)
		progress_render_sum(&p, &out);
	else
		progress_render(&p, n_columns - 1, &out);
	while (out.len < n_columns && !buf_status(&out))
		buf_add_char(&out, ' ');
	if (is_last)
		buf_add_char(&out, '\n');
	(void)fwrite(out.data, 1, out.len, stderr);
	buf_release(&out);
}

static int
count(struct crew *crew, bool with_progress)
{
	int error = crew_start(crew);

	if (error)
		return error;
	if (!with_progress) {
		(void)crew_wait(crew, 0);
		return 0;
	}
	do
		draw(crew, false);
	while (!crew_wait(crew, DRAW_MS));
	draw(crew, true);
	return 0;
}

static int
print(struct pipeline *p)
{
	struct registry_snapshot snapshot;
	struct buf out;
	struct str text;
	int error = registry_snapshot_take(p->registry, &snapshot);

	if (error)
		return error;
	buf_init(&out, BOUNDS_REPLY_BYTES);
	exposition_render(&snapshot, &out);
	registry_snapshot_release(&snapshot);
	error = buf_status(&out);
	text = buf_str(&out);
	if (!error &&
	    (fwrite(text.data, 1, text.len, stdout) != text.len ||
		fflush(stdout)))
		error = errno ? -errno : -EIO;
	buf_release(&out);
	return error;
}

static int
scan(const struct options *o, const struct config *config, bool *ret_all_read,
    struct config_error *reterr)
{
	struct pipeline sum;
	struct crew *crew;
	int error = pipeline_init(&sum);

	if (error)
		return error;
	error = crew_create(config, &crew, reterr);
	if (error)
		goto release_sum;
	error = ingest_misspelt_visit(crew_ingest(crew), config,
	    config_file_log_misspelt, &o);
	if (!error)
		error = count(crew, !o->is_quiet && isatty(STDERR_FILENO));
	if (error)
		goto destroy_crew;
	*ret_all_read = tell_of_logs(crew, config->n_sources);
	error = crew_merge(crew, &sum.metrics);
	if (!error)
		error = print(&sum);

destroy_crew:
	crew_destroy(crew);
release_sum:
	pipeline_release(&sum);
	return error;
}

int
cmd_scan_run(const struct options *o)
{
	struct config_error why = { 0 };
	struct config *config;
	bool all_read = false;
	int error = config_file_compose(o, &config, &why);

	if (!error) {
		error = scan(o, config, &all_read, &why);
		config_destroy(config);
	}
	if (error == -EINVAL) {
		config_file_tell(o, error, &why);
		return 2;
	}
	if (error)
		log_event(LOG_ERROR, "scan has failed", "error",
		    strerror(-error), NULL);
	return error || !all_read ? 1 : 0;
}
