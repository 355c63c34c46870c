#include "app/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "app/version.h"

enum option_id {
	ID_FORMAT = 256,
	ID_READ_FROM,
	ID_LISTEN,
	ID_PATH,
	ID_LOG_LEVEL,
	ID_LOG_FORMAT,
	ID_HELP,
	ID_VERSION,
};

static const struct option known[] = {
	{ "format", required_argument, NULL, ID_FORMAT },
	{ "read-from", required_argument, NULL, ID_READ_FROM },
	{ "web.listen-address", required_argument, NULL, ID_LISTEN },
	{ "web.telemetry-path", required_argument, NULL, ID_PATH },
	{ "log.level", required_argument, NULL, ID_LOG_LEVEL },
	{ "log.format", required_argument, NULL, ID_LOG_FORMAT },
	{ "help", no_argument, NULL, ID_HELP },
	{ "version", no_argument, NULL, ID_VERSION },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
    "usage: accesslog_exporter [serve] [OPTION]... FILE|GLOB...\n"
    "       accesslog_exporter scan [OPTION]... FILE...|-\n"
    "\n"
    "serve follows access logs and answers http://localhost:9649/metrics;\n"
    "scan counts files once and prints the metrics.\n"
    "\n"
    "  --format=FORMAT            auto (the default), common, combined,\n"
    "                             vhost_combined, nginx_timed, apache_timed,\n"
    "                             json, apache_json, caddy_json, envoy_json,\n"
    "                             nginx_json, traefik_json; or a mapping such as\n"
    "                             'json: status=code request_time=ms:ms'; or\n"
    "                             grok: '%{COMBINED} %{SECONDS:request_time}'\n"
    "  --read-from=end|beginning  of files that are there at the start (end)\n"
    "  --web.listen-address=ADDR  HOST:PORT, [IPV6]:PORT or :PORT; may be given\n"
    "                             again (:9649)\n"
    "  --web.telemetry-path=PATH  (/metrics)\n"
    "  --log.level=LEVEL          debug, info, warn or error (info)\n"
    "  --log.format=FORMAT        logfmt or json (logfmt)\n"
    "  --version, --help\n"
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
				"\"/\" and has no ?, # or %%; write "
				"/metrics\n",
		    path);
	if (!strcmp(path, "/") || !strcmp(path, "/-/healthy") ||
	    !strcmp(path, "/-/ready"))
		return COMPLAIN("--web.telemetry-path=%s: that is another "
				"page; write /metrics\n",
		    path);
	o->telemetry_path = path;
	return OPTIONS_RUN;
}

static enum options_result
set(struct options *o, int id, const char *value)
{
	switch (id) {
	case ID_FORMAT:
		o->format = value;
		return OPTIONS_RUN;
	case ID_READ_FROM:
		o->from_start = !strcmp(value, "beginning");
		if (o->from_start || !strcmp(value, "end"))
			return OPTIONS_RUN;
		return COMPLAIN("--read-from=%s: write end or beginning\n",
		    value);
	case ID_LISTEN:
		if (o->n_addresses == BOUNDS_HTTP_ADDRESSES)
			return COMPLAIN("--web.listen-address: more than %d "
					"of them; write fewer\n",
			    BOUNDS_HTTP_ADDRESSES);
		o->addresses[o->n_addresses++] = value;
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

/* The known option that shares the most of its beginning with text. */
static const char *
nearest(const char *text)
{
	const char *best = NULL;
	size_t most = 2; /* fewer letters in common are chance */
	size_t i, n;

	text += strspn(text, "-");
	for (i = 0; known[i].name; i++) {
		for (n = 0; text[n] && text[n] == known[i].name[n]; n++)
			;
		if (n > most) {
			most = n;
			best = known[i].name;
		}
	}
	return best;
}

static enum options_result
complain_of(char *argument, int what)
{
	const char *near;

	if (what == ':')
		return COMPLAIN(
		    "%s needs a value; write %s=VALUE (see --help)\n", argument,
		    argument);
	argument[strcspn(argument, "=")] = '\0';
	near = nearest(argument);
	if (near)
		return COMPLAIN("unknown option \"%s\"; did you mean --%s? "
				"(see --help)\n",
		    argument, near);
	return COMPLAIN("unknown option \"%s\"; see --help\n", argument);
}

static enum options_result
check_files(struct options *o)
{
	bool is_scan = o->command == OPTIONS_SCAN;
	size_t i;

	if (!o->n_files)
		return COMPLAIN("no file to %s; write for example "
				"accesslog_exporter%s "
				"/var/log/nginx/access.log (see --help)\n",
		    is_scan ? "count" : "follow", is_scan ? " scan" : "");
	if (o->n_files > BOUNDS_SOURCES)
		return COMPLAIN("more than %d files; write a glob such as "
				"'/srv/*/access.log'\n",
		    BOUNDS_SOURCES);
	for (i = 0; i < o->n_files; i++) {
		if (!*o->files[i])
			return COMPLAIN("an empty file name; write a path\n");
		if (!is_scan && !strcmp(o->files[i], "-"))
			return COMPLAIN("standard input cannot be followed; "
					"write accesslog_exporter scan - to "
					"count it once\n");
	}
	return OPTIONS_RUN;
}

static enum options_result
check_scan(const struct options *o)
{
	if (o->command == OPTIONS_SCAN && (o->n_addresses || o->telemetry_path))
		return COMPLAIN("scan serves nothing; leave out --web.*\n");
	return OPTIONS_RUN;
}

enum options_result
options_parse(int argc, char *argv[], struct options *ret_options)
{
	struct options o = { .format = "auto",
		.log_level = LOG_INFO,
		.log_format = LOG_LOGFMT };
	enum options_result result = OPTIONS_RUN;
	int id;

	if (argc > 1 &&
	    (!strcmp(argv[1], "serve") || !strcmp(argv[1], "scan"))) {
		o.command = argv[1][1] == 'c' ? OPTIONS_SCAN : OPTIONS_SERVE;
		argv++;
		argc--;
	}
	opterr = 0;
	while (result == OPTIONS_RUN &&
	    (id = getopt_long(argc, argv, ":", known, NULL)) != -1) {
		if (id == '?' || id == ':')
			result = complain_of(argv[optind - 1], id);
		else
			result = set(&o, id, optarg);
	}
	if (result != OPTIONS_RUN)
		return result;

	o.files = argv + optind;
	o.n_files = (size_t)(argc - optind);
	result = check_files(&o);
	if (result == OPTIONS_RUN)
		result = check_scan(&o);
	if (result != OPTIONS_RUN)
		return result;
	if (!o.n_addresses)
		o.addresses[o.n_addresses++] = ":9649";
	if (!o.telemetry_path)
		o.telemetry_path = "/metrics";
	*ret_options = o;
	return OPTIONS_RUN;
}
