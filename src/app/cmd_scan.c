#include "app/cmd_scan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accesslog/exposition.h"
#include "app/log.h"
#include "app/pipeline.h"
#include "io/scan.h"

static void
tell_failure(const char *file, int error)
{
	if (error == -EMEDIUMTYPE)
		log_event(LOG_ERROR,
		    "the file is compressed; write zcat FILE | "
		    "accesslog_exporter scan -",
		    "file", file, NULL);
	else
		log_event(LOG_ERROR, "the file cannot be read", "file", file,
		    "error", strerror(-error), NULL);
}

static int
scan_one(struct pipeline *p, struct ingest_source *source, const char *file)
{
	struct ingest_stream stream;
	const char *format;
	int error;

	ingest_stream_init(&stream, source, true);
	error = scan_file(file, &stream);
	if (error)
		tell_failure(file, error);
	format = ingest_format_name(&stream);
	if (format) {
		struct str values[] = { str_from(file), str_from(format) };
		int no_memory;

		registry_lock(p->registry);
		no_memory = metrics_set(&p->metrics, METRICS_FORMAT_INFO,
		    values, decimal_of(1));
		registry_unlock(p->registry);
		if (no_memory && !error)
			error = no_memory;
	} else if (!error && stream.lines.n_bytes[LINES_BYTES_READ]) {
		log_event(LOG_WARN,
		    "no shipped format fits the lines of this file; "
		    "give one with --format",
		    "file", file, NULL);
	}
	return error;
}

static int
print(struct pipeline *p)
{
	struct registry_snapshot snapshot;
	struct buf out;
	struct str text;
	int error = registry_snapshot(p->registry, &snapshot);

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

int
cmd_scan_run(const struct options *o)
{
	struct ingest_source **sources = calloc(o->n_files,
	    sizeof(struct ingest_source *));
	struct pipeline p;
	bool has_failed = false;
	size_t i;
	int error = sources ? pipeline_init(&p, false) : -ENOMEM;

	if (error)
		goto free_sources;
	for (i = 0; i < o->n_files && !error; i++)
		error = pipeline_add_source(&p, o, o->files[i], &sources[i]);
	for (i = 0; i < o->n_files && !error; i++)
		has_failed |= scan_one(&p, sources[i], o->files[i]) != 0;
	if (!error)
		error = print(&p);
	pipeline_release(&p);

free_sources:
	free(sources);
	if (error == -EINVAL)
		return 2; /* was told */
	if (error)
		log_event(LOG_ERROR, "scan has failed", "error",
		    strerror(-error), NULL);
	return error || has_failed ? 1 : 0;
}
