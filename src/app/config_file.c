#include "app/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/log.h"

/* In which a configuration has its first key, or comments only. */
#define HEAD_BYTES 4096

static bool
is_named_as_one(struct str path)
{
	static const char *const endings[] = { ".yml", ".yaml" };
	size_t i;

	for (i = 0; i < 2; i++) {
		struct str ending = str_from(endings[i]);

		if (path.len > ending.len && str_ends_with(path, ending))
			return true;
	}
	return false;
}

/* "sources:", "metrics: [...]" */
static bool
is_key(struct str line)
{
	size_t n = 0;

	while (n < line.len &&
	    ((line.data[n] >= 'a' && line.data[n] <= 'z') ||
		line.data[n] == '_'))
		n++;
	return n && n < line.len && line.data[n] == ':' &&
	    (n + 1 == line.len || memchr(" \t\r", line.data[n + 1], 3));
}

/* Whether the first line that is no comment is a key; or all are comments. */
static bool
begins_as_one(struct str head)
{
	bool has_comment = false;

	while (head.len) {
		size_t len = str_find_char(head, '\n');
		struct str line = str_of(head.data, len);

		head = str_after(head, len < head.len ? len + 1 : len);
		if (line.len && line.data[line.len - 1] == '\r')
			line.len--;
		if (!line.len)
			continue;
		if (line.data[0] != '#' && !str_equal(line, STR("---")))
			return is_key(line);
		has_comment = true;
	}
	return has_comment;
}

bool
config_file_is_meant(const char *path)
{
	char head[HEAD_BYTES];
	struct stat st;
	ssize_t n;
	int fd;

	if (!is_named_as_one(str_from(path)))
		return false;
	/* To open and close a FIFO would kill who writes to it: SIGPIPE. */
	if (stat(path, &st))
		return errno == ENOENT;
	if (!S_ISREG(st.st_mode))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT;
	n = read(fd, head, sizeof(head));
	(void)close(fd);
	return n > 0 && begins_as_one(str_of(head, (size_t)n));
}

/* Returns 0 or -Exxx. */
static int
read_whole(const char *path, struct buf *ret_text)
{
	bool is_stdin = !strcmp(path, "-");
	FILE *file = is_stdin ? stdin : fopen(path, "rbe");
	int error = 0;

	if (!file)
		return -errno;
	/* One byte more than is allowed tells that it is too large. */
	buf_init(ret_text, BOUNDS_CONFIG_BYTES + 1 + BUFSIZ);
	while (!error && ret_text->len <= BOUNDS_CONFIG_BYTES) {
		char *end = buf_reserve(ret_text, BUFSIZ);
		size_t n;

		if (!end) {
			error = buf_status(ret_text);
			break;
		}
		errno = 0;
		n = fread(end, 1, BUFSIZ, file);
		ret_text->len += n;
		if (n)
			continue;
		if (ferror(file))
			error = errno ? -errno : -EIO;
		break;
	}
	if (!is_stdin)
		(void)fclose(file);
	if (error)
		buf_release(ret_text);
	return error;
}

int
config_file_load(const char *path, struct config **ret_config,
    struct config_error *reterr)
{
	struct buf text;
	int error = read_whole(path, &text);

	if (error)
		return error;
	error = config_parse(buf_str(&text), ret_config, reterr);
	buf_release(&text);
	return error;
}

/* Standard input, that is the configuration, cannot be a source in it too. */
static int
check_stdin(const struct config *c, struct config_error *reterr)
{
	size_t i, j;

	for (i = 0; i < c->n_sources; i++) {
		const struct config_source *source = &c->sources[i];

		for (j = 0; j < source->n_paths; j++) {
			if (strcmp(source->paths[j], "-") != 0)
				continue;
			(void)config_error_set(reterr, 0, 0,
			    "standard input is the configuration already; "
			    "write --config.file=FILE");
			config_error_locate(reterr, source->path_places[j]);
			return -EINVAL;
		}
	}
	return 0;
}

/* Whether file i of the command line stands there a second time. */
static bool
was_given_before(const struct options *o, size_t i)
{
	size_t j;

	for (j = 0; j < i; j++) {
		if (!strcmp(o->files[j], o->files[i]))
			return true;
	}
	return false;
}

int
config_file_compose(const struct options *o, struct config **ret_config,
    struct config_error *reterr)
{
	struct config *c;
	size_t i;
	int error = o->config_file
	    ? config_file_load(o->config_file, &c, reterr)
	    : config_create(&c);

	if (error)
		return error;
	if (o->n_files)
		config_clear_sources(c);
	else if (o->config_file && !strcmp(o->config_file, "-"))
		error = check_stdin(c, reterr);
	for (i = 0; i < o->n_files && !error; i++) {
		if (!was_given_before(o, i))
			error = config_add_source(c, o->files[i], o->format);
	}
	if (!error && !c->n_sources)
		error = config_error_set(reterr, 1, 1,
		    "there is no source; write sources, or files on the "
		    "command line");
	if (error) {
		config_destroy(c);
		return error;
	}
	*ret_config = c;
	return 0;
}

void
config_file_explain(const struct options *o, int error,
    const struct config_error *why, struct buf *out)
{
	if (error != -EINVAL && !*why->text)
		buf_add_format(out, "%s: %s",
		    o->config_file ? o->config_file : "configuration",
		    strerror(-error));
	else if (why->line)
		buf_add_format(out, "%s:%zu:%zu: %s", o->config_file, why->line,
		    why->column, why->text);
	else if (why->column)
		buf_add_format(out, "--format, column %zu: %s", why->column,
		    why->text);
	else if (error == -EINVAL && o->has_format)
		buf_add_format(out, "--format: %s", why->text);
	else
		buf_add_text(out, why->text); /* an input */
}

void
config_file_tell(const struct options *o, int error,
    const struct config_error *why)
{
	struct buf text;

	buf_init(&text, BOUNDS_REPLY_BYTES);
	config_file_explain(o, error, why, &text);
	(void)fprintf(stderr, "accesslog_exporter: %.*s\n",
	    STR_ARGS(buf_str(&text)));
	buf_release(&text);
}

void
config_file_log_misspelt(void *arg, const struct config_error *misspelt)
{
	const struct options *const *options = arg;
	char line[sizeof("18446744073709551615")];
	char column[sizeof("18446744073709551615")];

	(void)snprintf(line, sizeof(line), "%zu", misspelt->line);
	(void)snprintf(column, sizeof(column), "%zu", misspelt->column);
	log_event(LOG_WARN, "a field of the format is almost one that is used",
	    misspelt->line ? "file" : "option",
	    misspelt->line ? (*options)->config_file : "--format", "line",
	    misspelt->line ? line : NULL, "column", column, "error",
	    misspelt->text, NULL);
}
