#include "accesslog/endpoint.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "accesslog/bounds.h"
#include "accesslog/str.h"

static const struct scheme {
	enum endpoint_kind kind;
	const char *prefix;
	const char *example;
} schemes[] = {
	{ ENDPOINT_SYSLOG_UDP, "syslog+udp://", "syslog+udp://127.0.0.1:5514" },
	{ ENDPOINT_SYSLOG_UNIX, "syslog+unix://",
	    "syslog+unix:///run/accesslog.sock" },
	{ ENDPOINT_JSON_TCP, "json+tcp://", "json+tcp://127.0.0.1:5170" },
};

#define N_SCHEMES (sizeof(schemes) / sizeof(schemes[0]))

/* WORD:// */
static bool
has_scheme(const char *text)
{
	size_t n = strspn(text,
	    "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");

	return n && !strncmp(text + n, "://", 3);
}

static bool
is_port(const char *text)
{
	size_t n = strspn(text, "0123456789");

	return n && !text[n] &&
	    (n < 5 || (n == 5 && strcmp(text, "65535") <= 0));
}

/*
 *	127.0.0.1:5514   [::1]:5514   :5514
 *	^^^^^^^^^ ^^^^   ^^^^^ ^^^^    ^^^^
 *	host      port   host  port    port
 */
static bool
is_host_and_port(const char *address)
{
	const char *colon = strrchr(address, ':');
	struct str host;

	if (!colon || !is_port(colon + 1))
		return false;
	host = str_of(address, (size_t)(colon - address));
	if (host.len && host.data[0] == '[')
		return host.len > 2 && host.data[host.len - 1] == ']';
	return str_find_char(host, ':') == host.len &&
	    str_find_char(host, '/') == host.len;
}

static int
check_address(const struct scheme *s, const char *text,
    struct config_error *reterr)
{
	const char *address = text + strlen(s->prefix);

	if (s->kind != ENDPOINT_SYSLOG_UNIX && !is_host_and_port(address))
		return config_error_set(reterr, 0, 0,
		    "\"%.100s\" has no address and port; write for example %s",
		    text, s->example);
	if (s->kind == ENDPOINT_SYSLOG_UNIX && *address != '/')
		return config_error_set(reterr, 0, 0,
		    "\"%.100s\" has no absolute path; write for example %s",
		    text, s->example);
	if (s->kind == ENDPOINT_SYSLOG_UNIX &&
	    strlen(address) > BOUNDS_SOCKET_PATH_BYTES)
		return config_error_set(reterr, 0, 0,
		    "the path of a socket has at most %d bytes; write a "
		    "shorter one, such as %s",
		    BOUNDS_SOCKET_PATH_BYTES, s->example);
	return 0;
}

int
endpoint_parse(const char *text, struct endpoint *ret_endpoint,
    struct config_error *reterr)
{
	size_t i;

	if (!strcmp(text, "-")) {
		*ret_endpoint = (struct endpoint){ ENDPOINT_STDIN, text };
		return 0;
	}
	for (i = 0; i < N_SCHEMES; i++) {
		const struct scheme *s = &schemes[i];
		size_t n = strlen(s->prefix);
		int error;

		if (strncmp(text, s->prefix, n) != 0)
			continue;
		error = check_address(s, text, reterr);
		if (!error)
			*ret_endpoint = (struct endpoint){ s->kind, text + n };
		return error;
	}
	if (has_scheme(text))
		return config_error_set(reterr, 0, 0,
		    "there is no input \"%.*s\"; write syslog+udp://HOST:PORT, "
		    "syslog+unix:///PATH or json+tcp://HOST:PORT, or ./%.60s "
		    "for a file of that name",
		    (int)strcspn(text, ":"), text, text);
	*ret_endpoint = (struct endpoint){ ENDPOINT_PATH, text };
	return 0;
}
