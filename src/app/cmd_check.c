#include "app/cmd_check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "accesslog/config.h"
#include "accesslog/endpoint.h"
#include "accesslog/format.h"
#include "accesslog/ingest_absent.h"
#include "accesslog/ingest_misspelt.h"
#include "accesslog/pattern.h"
#include "app/config_file.h"
#include "app/pipeline.h"
#include "io/paths.h"

/* FILE:LINE:COLUMN: text, as compilers write it. */
static void
tell(const char *path, const struct config_error *e)
{
	if (e->line)
		(void)fprintf(stderr, "%s:%zu:%zu: %s\n", path, e->line,
		    e->column, e->text);
	else
		(void)fprintf(stderr, "%s: %s\n", path, e->text);
}

static int
check_format(const char *text, struct config_error *reterr)
{
	const struct fields none = { 0 };
	struct format *format;
	struct pattern *pattern;
	int error = format_create(str_from(text), &format, reterr);

	if (error)
		return error;
	error = pattern_create(format, &none, true, &pattern, reterr);
	if (!error)
		pattern_destroy(pattern);
	format_destroy(format);
	return error;
}

/* Tells of each format that is wrong.  Returns 0, -EINVAL, -ENOMEM. */
static int
check_formats(const char *path, const struct config *c)
{
	size_t i, j;
	int result = 0;

	for (i = 0; i < c->n_sources; i++) {
		const struct config_source *s = &c->sources[i];

		for (j = 0; j < s->n_formats; j++) {
			struct config_error why = { 0 };
			int error = 0;

			if (strcmp(s->formats[j], "auto") != 0)
				error = check_format(s->formats[j], &why);
			if (error == -ENOMEM)
				return error;
			if (!error)
				continue;
			config_error_locate(&why, s->format_places[j]);
			tell(path, &why);
			result = error;
		}
	}
	return result;
}

/* What a source has of files right now, those of one path of it. */
static int
list_path(const struct config_source *s, const char *path,
    struct paths *followed)
{
	struct paths found = { 0 };
	struct stat st;
	struct config_error why;
	struct endpoint endpoint;
	bool is_there = !stat(path, &st);
	char *unlisted = NULL; /* a directory */
	int why_unlisted = 0;
	size_t i;
	int error, why_not;

	if (endpoint_parse(path, &endpoint, &why) ||
	    endpoint.kind != ENDPOINT_PATH) {
		(void)printf("  %s: receives\n", path);
		return 0;
	}
	if (is_there || !paths_is_glob(path))
		error = paths_add(&found, path);
	else
		error = paths_glob(path, &found, &unlisted, &why_unlisted);
	if (unlisted)
		(void)printf("  %s: %s: %s\n", path, unlisted,
		    strerror(-why_unlisted));
	else if (!error && !found.n)
		(void)printf("  %s: nothing yet\n", path);
	free(unlisted);
	for (i = 0; i < found.n && !error; i++) {
		const char *file = found.items[i];
		size_t n = followed->n;

		if (paths_is_excluded(file, s->excludes, s->n_excludes)) {
			(void)printf("  %s: excluded\n", file);
			continue;
		}
		error = paths_add(followed, file);
		if (error || followed->n == n)
			continue; /* another path of the source has it */
		if (stat(file, &st))
			(void)printf("  %s: %s\n", file,
			    errno == ENOENT ? "not there yet"
					    : strerror(errno));
		else if (S_ISFIFO(st.st_mode) && !strcmp(file, path))
			(void)printf("  %s: receives\n", file);
		else if (!S_ISREG(st.st_mode))
			(void)printf("  %s: not a regular file\n", file);
		else if ((why_not = paths_try(file)))
			(void)printf("  %s: %s\n", file, strerror(-why_not));
		else
			(void)printf("  %s\n", file);
	}
	paths_release(&found);
	return error;
}

static int
list_files(const struct config *c)
{
	size_t i, j;
	int error = 0;

	for (i = 0; i < c->n_sources && !error; i++) {
		const struct config_source *s = &c->sources[i];
		struct paths followed = { 0 };

		(void)printf("%s:\n", s->name);
		for (j = 0; j < s->n_paths && !error; j++)
			error = list_path(s, s->paths[j], &followed);
		paths_release(&followed);
	}
	return error;
}

static void
warn(void *arg, const struct config_error *e)
{
	const char *const *path = arg;

	(void)fprintf(stderr, "%s:%zu:%zu: warning: %s\n", *path, e->line,
	    e->column, e->text);
}

/* The rules and metrics: what use of the configuration would find. */
static int
check_use(const char *path, const struct config *c)
{
	struct config_error why = { 0 };
	struct ingest *before;
	struct pipeline p;
	int error = pipeline_init(&p);

	if (error)
		return error;
	error = pipeline_configure(&p, c, true, &before, &why);
	if (error == -EINVAL)
		tell(path, &why);
	if (!error)
		error = ingest_misspelt_visit(p.ingest, c, warn, &path);
	if (!error)
		ingest_absent_visit(p.ingest, c, warn, &path);
	pipeline_release(&p);
	return error;
}

int
cmd_check_run(const struct options *o)
{
	const char *path = o->config_file;
	struct config_error why = { 0 };
	struct config *config = NULL;
	int error = config_file_load(path, &config, &why);

	if (error == -EINVAL)
		tell(path, &why);
	if (!error)
		error = check_formats(path, config);
	if (!error)
		error = check_use(path, config);
	if (!error)
		error = list_files(config);
	config_destroy(config);
	if (!error && (fflush(stdout) || ferror(stdout)))
		error = errno ? -errno : -EIO;
	if (error == -ENOENT || error == -EACCES || error == -EISDIR) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(-error));
		return 2;
	}
	if (error && error != -EINVAL)
		(void)fprintf(stderr, "accesslog_exporter: %s\n",
		    strerror(-error));
	return !error ? 0 : error == -EINVAL ? 2 : 1;
}
