#include "app/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "accesslog/config_error.h"
#include "accesslog/endpoint.h"
#include "accesslog/spelling.h"
#include "app/config_file.h"
#include "app/version.h"

enum option_id {
	ID_CONFIG = 256,
	ID_FORMAT,
	ID_READ_FROM,
	ID_STATE,
	ID_LISTEN,
	ID_PATH,
	ID_LIFECYCLE,
	ID_LOG_LEVEL,
	ID_LOG_FORMAT,
	ID_QUIET,
	ID_HELP,
	ID_VERSION,
};

static const struct option known[] = {
	{ "config.file", required_argument, NULL, ID_CONFIG },
	{ "format", required_argument, NULL, ID_FORMAT },
	{ "read-from", required_argument, NULL, ID_READ_FROM },
	{ "state.dir", required_argument, NULL, ID_STATE },
	{ "web.listen-address", required_argument, NULL, ID_LISTEN },
	{ "web.enable-lifecycle", no_argument, NULL, ID_LIFECYCLE },
	{ "web.telemetry-path", required_argument, NULL, ID_PATH },
	{ "log.level", required_argument, NULL, ID_LOG_LEVEL },
	{ "log.format", required_argument, NULL, ID_LOG_FORMAT },
	{ "quiet", no_argument, NULL, ID_QUIET },
	{ "help", no_argument, NULL, ID_HELP },
	{ "version", no_argument, NULL, ID_VERSION },
	{ NULL, 0, NULL, 0 },
};

#define N_OPTIONS (sizeof(known) / sizeof(known[0]) - 1)

/* What each command takes; what it does not take is refused, not ignored. */
static const struct command {
	const char *name;
	const char *does; /* with its files */
	size_t max_files;
	bool needs_file;
	bool takes_format;
	bool takes_config;
	bool serves; /* --web.*, --read-from, --state.dir */
} commands[] = {
	[OPTIONS_SERVE] = { "serve", "follow", BOUNDS_SOURCES, true, true, true,
	    true },
	[OPTIONS_SCAN] = { "scan", "count", BOUNDS_SOURCES, true, true, false,
	    false },
	[OPTIONS_CHECK] = { "check", "check", 1, true, false, true, false },
	[OPTIONS_EXPLAIN] = { "explain", "explain", 1, true, true, false,
	    false },
	[OPTIONS_FORMATS] = { "formats", "show", 1, false, false, false,
	    false },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const char help[] =
    "usage: accesslog_exporter [serve] [OPTION]... [FILE|GLOB|-|URL]...\n"
    "       accesslog_exporter scan [--quiet] [OPTION]... FILE...|-\n"
    "       accesslog_exporter explain [--format=FORMAT] FILE|-\n"
    "       accesslog_exporter check CONFIG\n"
    "       accesslog_exporter formats [NAME]\n"
    "serve follows access logs and answers http://localhost:9649/metrics.\n"
    "  --format=FORMAT            auto (the default), a name (see formats), nginx'\n"
    "                             '$remote_addr ... $status', Apache's '%h ... %b',\n"
    "                             grok '%{COMBINED} ...', 'regex:(?<status>...)'\n"
    "  --config.file=FILE         sources and metrics; SIGHUP reads it again\n"
    "  --read-from=end|beginning  of files that are there at the start (end)\n"
    "  --state.dir=DIR            keeps counters and offsets ($STATE_DIRECTORY)\n"
    "  --web.listen-address=ADDR  HOST:PORT, [IPV6]:PORT, :PORT or PORT; may be\n"
    "                             given again (:9649)\n"
    "  --web.telemetry-path=PATH  (/metrics)\n"
    "  --web.enable-lifecycle     POST /-/reload reads the configuration again\n"
    "  --log.level=LEVEL          debug, info, warn or error (info)\n"
    "  --log.format=FORMAT        logfmt or json (logfmt)\n"
    "  --version, --help, -h\n"
    "\n"
    "Example: accesslog_exporter /var/log/nginx/access.log '/srv/*/access.log'\n"
    "The manual: man accesslog_exporter\n";

#define COMPLAIN(...)                                                          \
	(fprintf(stderr, "accesslog_exporter: " __VA_ARGS__), OPTIONS_WRONG)

static enum options_result
set_path(struct options *o, const char *path)
{
	if (path[0] != '/' || strpbrk(path, "?#% "))
		return COMPLAIN("--web.telemetry-path=%s: a path begins with "
				"\"/\" and has no ?, #, %% or space; "
				"write /metrics\n",
		    path);
	if (!strcmp(path, "/") || !strcmp(path, "/-/healthy") ||
	    !strcmp(path, "/-/ready") || !strcmp(path, "/-/reload"))
		return COMPLAIN("--web.telemetry-path=%s: that is another "
				"page; write /metrics\n",
		    path);
	o->telemetry_path = path;
	return OPTIONS_RUN;
}

/* An address without the forms of "everywhere" that are the same. */
static const char *
plain_address(const char *address)
{
	if (*address == '*' && address[1] == ':')
		address++;
	return *address == ':' ? address + 1 : address;
}

static const char *
port_of(const char *address)
{
	const char *colon = strrchr(address, ':');

	return colon ? colon + 1 : address;
}

static bool
is_everywhere(const char *address)
{
	const char *plain = plain_address(address);

	return !strchr(plain, ':') || !strncmp(plain, "[::]:", 5) ||
	    !strncmp(plain, "0.0.0.0:", 8);
}

/* One everywhere leaves its port to no other; 0 is another port each time. */
static enum options_result
add_address(struct options *o, const char *address)
{
	const char *port = port_of(address);
	size_t i;

	if (o->n_addresses == BOUNDS_HTTP_ADDRESSES)
		return COMPLAIN("--web.listen-address: more than %d of them; "
				"write fewer\n",
		    BOUNDS_HTTP_ADDRESSES);
	for (i = 0; i < o->n_addresses && strcmp(port, "0") != 0; i++) {
		const char *other = o->addresses[i];

		if (!strcmp(plain_address(other), plain_address(address)))
			return COMPLAIN("--web.listen-address=%s was given "
					"twice; write it once\n",
			    address);
		if (!strcmp(port_of(other), port) &&
		    (is_everywhere(other) || is_everywhere(address)))
			return COMPLAIN("--web.listen-address=%s and %s have "
					"the same port, and one of them is "
					"everywhere; write only that\n",
			    other, address);
	}
	o->addresses[o->n_addresses++] = address;
	return OPTIONS_RUN;
}

static enum options_result
set(struct options *o, int id, const char *value)
{
	switch (id) {
	case ID_CONFIG:
		if (!*value)
			return COMPLAIN("--config.file: an empty file name; "
					"write a path\n");
		o->config_file = value;
		return OPTIONS_RUN;
	case ID_FORMAT:
		if (o->has_format)
			return COMPLAIN("--format was given twice; it holds "
					"for all files, write it once\n");
		o->has_format = true;
		o->format = value;
		return OPTIONS_RUN;
	case ID_READ_FROM:
		o->has_read_from = true;
		o->from_start = !strcmp(value, "beginning");
		if (o->from_start || !strcmp(value, "end"))
			return OPTIONS_RUN;
		return COMPLAIN("--read-from=%s: write end or beginning\n",
		    value);
	case ID_STATE:
		if (!*value)
			return COMPLAIN("--state.dir: an empty directory name; "
					"write a path\n");
		o->state_dir = value;
		return OPTIONS_RUN;
	case ID_LISTEN:
		return add_address(o, value);
	case ID_LIFECYCLE:
		o->has_lifecycle = true;
		return OPTIONS_RUN;
	case ID_QUIET:
		o->is_quiet = true;
		return OPTIONS_RUN;
	case ID_PATH:
		return set_path(o, value);
	case ID_LOG_LEVEL:
		if (log_level_of(value, &o->log_level))
			return OPTIONS_RUN;
		return COMPLAIN("--log.level=%s: write debug, info, warn or "
				"error\n",
		    value);
	case ID_LOG_FORMAT:
		if (log_format_of(value, &o->log_format))
			return OPTIONS_RUN;
		return COMPLAIN("--log.format=%s: write logfmt or json\n",
		    value);
	case 'h':
	case ID_HELP:
		(void)fputs(help, stdout);
		return OPTIONS_DONE;
	case ID_VERSION:
		(void)printf("accesslog_exporter %s%s%s%s (%s)\n",
		    version_number(), *version_revision() ? " (" : "",
		    version_revision(), *version_revision() ? ")" : "",
		    version_compiler());
		return OPTIONS_DONE;
	default:
		return OPTIONS_WRONG;
	}
}

/* NULL: there is none of this name. */
static const struct command *
find_command(const char *name)
{
	size_t i;

	for (i = 0; i < N_COMMANDS; i++) {
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	}
	return NULL;
}

/* The known option that was meant, or shares the most of its beginning. */
static const char *
nearest_option(const char *text)
{
	const char *names[N_OPTIONS];
	const char *best;
	size_t most = 2; /* fewer letters in common are chance */
	size_t i, n;

	text += strspn(text, "-");
	for (i = 0; i < N_OPTIONS; i++)
		names[i] = known[i].name;
	best = spelling_nearest(str_from(text), names, N_OPTIONS);
	for (i = 0; !best && i < N_OPTIONS; i++) {
		for (n = 0; text[n] && text[n] == names[i][n]; n++)
			;
		if (n > most) {
			most = n;
			best = names[i];
		}
	}
	return best;
}

/*
 * The argument that getopt_long() did not know.  One with a single dash is
 * letters to it, and it is not done with "-config.file" after the c.
 */
static char *
refused_argument(int argc, char *argv[])
{
	char *next = optind < argc ? argv[optind] : NULL;

	if (optopt && next && next[0] == '-' && next[1] == optopt)
		return next;
	return argv[optind - 1];
}

static enum options_result
complain_of(char *argument, int what)
{
	const char *near;
	size_t i;
	bool has_one_dash = argument[0] == '-' && argument[1] != '-';

	if (what == ':')
		return COMPLAIN(
		    "%s needs a value; write %s=VALUE (see --help)\n", argument,
		    argument);
	argument[strcspn(argument, "=")] = '\0';
	for (i = 0; i < N_OPTIONS; i++) {
		if (strcmp(argument + strspn(argument, "-"), known[i].name) !=
		    0)
			continue;
		if (has_one_dash)
			return COMPLAIN("%s begins with two dashes; write "
					"--%s\n",
			    argument, known[i].name);
		return COMPLAIN("%s takes no value; write it alone\n",
		    argument);
	}
	near = nearest_option(argument);
	if (near)
		return COMPLAIN("unknown option \"%s\"; did you mean --%s? "
				"(see --help)\n",
		    argument, near);
	return COMPLAIN("unknown option \"%s\"; see --help\n", argument);
}

/*
 * The command that a word was meant to be, where nobody would call a log so: a
 * third of its letters may be wrong.
 */
static const char *
command_meant(const char *word)
{
	const char *names[N_COMMANDS + 2];
	const char *near;
	struct stat st;
	size_t i;

	if (strpbrk(word, "/.*?[") || !lstat(word, &st))
		return NULL;
	for (i = 0; i < N_COMMANDS; i++)
		names[i] = commands[i].name;
	names[i++] = "help";
	names[i++] = "version";
	near = spelling_nearest(str_from(word), names, i);
	return near &&
		spelling_distance(str_from(word), str_from(near)) <=
		    strlen(near) / 3
	    ? near
	    : NULL;
}

/* No command was named: the first file may have been meant to be one. */
static enum options_result
check_command(const struct options *o)
{
	const char *word = o->n_files ? o->files[0] : "";
	const char *near = command_meant(word);
	bool is_option;

	if (!near)
		return OPTIONS_RUN;
	if (find_command(word))
		return COMPLAIN("a command comes first; write "
				"accesslog_exporter %s, or ./%s for a file of "
				"that name\n",
		    near, word);
	is_option = !find_command(near);
	return COMPLAIN("there is no command \"%s\"; write %s%s, or ./%s for "
			"a file of that name\n",
	    word, is_option ? "--" : "", near, word);
}

/* A configuration where a log should be would be read as one. */
static enum options_result
check_path(const struct options *o, const char *path)
{
	const struct command *c = &commands[o->command];

	if (o->command == OPTIONS_CHECK || strpbrk(path, "*?[") ||
	    !config_file_is_meant(path))
		return OPTIONS_RUN;
	if (c->takes_config)
		return COMPLAIN("%s looks like a configuration, not a log; "
				"write --config.file=%s\n",
		    path, path);
	return COMPLAIN("%s looks like a configuration, and %s works without "
			"one; leave it out, or write accesslog_exporter check "
			"%s\n",
	    path, c->name, path);
}

/* What is no path: is it for this command, and such as there are? */
static enum options_result
check_file(const struct options *o, const char *file)
{
	const struct command *c = &commands[o->command];
	struct config_error why;
	struct endpoint endpoint;

	if (!*file)
		return COMPLAIN("an empty file name; write a path\n");
	if (c->needs_file && endpoint_parse(file, &endpoint, &why))
		return COMPLAIN("%s\n", why.text);
	if (!c->needs_file)
		return OPTIONS_RUN;
	if (endpoint.kind == ENDPOINT_PATH)
		return check_path(o, file);
	if (endpoint.kind != ENDPOINT_STDIN && !c->serves)
		return COMPLAIN("%s takes files; what comes to %s is for "
				"serve\n",
		    c->name, file);
	if (endpoint.kind == ENDPOINT_STDIN && c->serves && o->config_file &&
	    !strcmp(o->config_file, "-"))
		return COMPLAIN("standard input is the configuration already; "
				"write --config.file=FILE\n");
	return OPTIONS_RUN;
}

static enum options_result
check_files(const struct options *o)
{
	const struct command *c = &commands[o->command];
	size_t i;

	if (!o->n_files && c->needs_file && !o->config_file)
		return COMPLAIN("no file to %s; write for example "
				"accesslog_exporter%s%s %s (see --help)\n",
		    c->does, c->serves ? "" : " ", c->serves ? "" : c->name,
		    o->command == OPTIONS_CHECK ? "accesslog_exporter.yml"
						: "/var/log/nginx/access.log");
	if (o->n_files > c->max_files)
		return c->max_files == 1
		    ? COMPLAIN("%s takes one %s; write one after the other\n",
			  c->name, c->needs_file ? "file" : "name")
		    : COMPLAIN("more than %d files; write a glob such as "
			       "'/srv/*/access.log'\n",
			  BOUNDS_SOURCES);
	for (i = 0; i < o->n_files; i++) {
		enum options_result result = check_file(o, o->files[i]);

		if (result != OPTIONS_RUN)
			return result;
	}
	return OPTIONS_RUN;
}

static enum options_result
check_options(const struct options *o)
{
	const struct command *c = &commands[o->command];

	if (!c->serves &&
	    (o->n_addresses || o->telemetry_path || o->has_lifecycle))
		return COMPLAIN("%s serves nothing; leave out --web.*\n",
		    c->name);
	if (!c->serves && o->has_read_from)
		return COMPLAIN("%s follows nothing; leave out --read-from\n",
		    c->name);
	if (o->command != OPTIONS_SCAN && o->is_quiet)
		return COMPLAIN("%s shows no progress; leave out --quiet\n",
		    c->name);
	if (!c->serves && o->state_dir)
		return COMPLAIN("%s keeps nothing; leave out --state.dir\n",
		    c->name);
	if (!c->takes_format && o->has_format)
		return COMPLAIN("%s reads no log; leave out --format\n",
		    c->name);
	if (!c->takes_config && o->config_file)
		return COMPLAIN("%s works without a configuration; leave out "
				"--config.file\n",
		    c->name);
	if (c->serves && o->config_file && o->has_format && !o->n_files)
		return COMPLAIN("--format is for files on the command line; "
				"write format into the configuration\n");
	if (o->command == OPTIONS_CHECK && o->config_file && o->n_files)
		return COMPLAIN("check takes one configuration; write "
				"accesslog_exporter check FILE\n");
	return OPTIONS_RUN;
}

enum options_result
options_parse(int argc, char *argv[], struct options *ret_options)
{
	struct options o = { .log_level = LOG_INFO, .log_format = LOG_LOGFMT };
	enum options_result result = OPTIONS_RUN;
	const struct command *named = argc > 1 ? find_command(argv[1]) : NULL;
	int id;

	if (argc > 1 && !strcmp(argv[1], "help"))
		return set(&o, ID_HELP, NULL);
	if (named) {
		o.command = (enum options_command)(named - commands);
		argv++;
		argc--;
	}
	opterr = 0;
	while (result == OPTIONS_RUN &&
	    (id = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
		if (id == '?' || id == ':')
			result = complain_of(refused_argument(argc, argv), id);
		else
			result = set(&o, id, optarg);
	}
	if (result != OPTIONS_RUN)
		return result;

	o.files = argv + optind;
	o.n_files = (size_t)(argc - optind);
	if (!named)
		result = check_command(&o);
	if (result == OPTIONS_RUN)
		result = check_options(&o);
	if (result == OPTIONS_RUN)
		result = check_files(&o);
	if (result != OPTIONS_RUN)
		return result;
	if (o.command == OPTIONS_CHECK && !o.config_file)
		o.config_file = o.files[0];
	if (!o.format)
		o.format = "auto";
	if (!o.n_addresses)
		o.addresses[o.n_addresses++] = ":9649";
	if (!o.telemetry_path)
		o.telemetry_path = "/metrics";
	*ret_options = o;
	return OPTIONS_RUN;
}
