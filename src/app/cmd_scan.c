#include "app/cmd_scan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accesslog/exposition.h"
#include "app/config_file.h"
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
	struct config_error why = { 0 };
	struct config *config = NULL;
	struct ingest *before;
	struct pipeline p;
	bool has_failed = false;
	size_t i;
	int error = pipeline_init(&p);

	if (error)
		goto tell;
	error = config_file_compose(o, &config, &why);
	if (!error)
		error = pipeline_configure(&p, config, false, &before, &why);
	if (!error) {
		for (i = 0; i < config->n_sources; i++)
			has_failed |= scan_one(&p,
					  ingest_source_at(p.ingest, i),
					  config->sources[i].paths[0]) != 0;
		error = print(&p);
	}
	config_destroy(config);
	pipeline_release(&p);

tell:
	if (error == -EINVAL) {
		config_file_tell(o, error, &why);
		return 2;
	}
	if (error)
		log_event(LOG_ERROR, "scan has failed", "error",
		    strerror(-error), NULL);
	return error || has_failed ? 1 : 0;
}
