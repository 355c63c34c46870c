#include "io/listening.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Returns 0 to 65535, or -1 where text is not a port. */
static int
parse_port(const char *text)
{
	int port = 0;

	if (!*text || strlen(text) > strlen("65535"))
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		port = port * 10 + (*text - '0');
	}
	return port <= 65535 ? port : -1;
}

/*
 * Splits an address; host is "" where there is none.
 *
 *     127.0.0.1:9649    [::1]:9649    :9649    9649
 *     ^^^^^^^^^ ^^^^     ^^^  ^^^^     ^^^^    ^^^^
 *     host      port     host port     port    port
 *
 * Returns NULL, or what is wrong, to be written behind the quoted address.
 */
static const char *
parse_address(const char *address, char host[static NI_MAXHOST], int *ret_port)
{
	static const char not_an_address[] =
	    "is not an address; write HOST:PORT, :PORT or [IPV6]:PORT";
	const char *colon = strrchr(address, ':');
	const char *start = address;
	const char *end = colon ? colon : address;
	int port = parse_port(colon ? colon + 1 : address);
	bool bracketed = *start == '[';

	if (!colon && address[strspn(address, "0123456789")])
		return not_an_address;
	if (bracketed) {
		start++;
		if (end <= start || *--end != ']')
			return not_an_address;
	}
	if (bracketed != !!memchr(start, ':', (size_t)(end - start)) ||
	    end - start >= NI_MAXHOST || !*address)
		return not_an_address;
	if (port < 0)
		return "does not end in a port; write one from 0 to 65535, as "
		       "in :9649";

	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
	*ret_port = port;
	return NULL;
}

void
listening_share(int fd, bool shares)
{
	int on = shares;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
}

unsigned
listening_port(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = { .any.sa_family = AF_UNSPEC };
	socklen_t len = sizeof(address);

	if (getsockname(fd, &address.any, &len))
		return 0;
	if (address.any.sa_family == AF_INET)
		return ntohs(address.v4.sin_port);
	return address.any.sa_family == AF_INET6 ? ntohs(address.v6.sin6_port)
						 : 0;
}

/* Returns a listening socket, or -Exxx; reterr_gai: what getaddrinfo() said. */
static int
open_socket(const char *host, int port, const struct listening_what *what,
    int *reterr_gai)
{
	int type = what->is_datagram ? SOCK_DGRAM : SOCK_STREAM;
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = type,
		.ai_flags = AI_NUMERICSERV,
	};
	struct addrinfo *ai;
	char service[sizeof("65535")];
	const int on = 1;
	const int off = 0;
	int error;
	int fd;

	snprintf(service, sizeof(service), "%hu", (unsigned short)port);
	*reterr_gai = getaddrinfo(host, service, &hints, &ai);
	if (*reterr_gai == EAI_SYSTEM)
		return errno ? -errno : -EIO;
	if (*reterr_gai)
		return *reterr_gai == EAI_MEMORY ? -ENOMEM : -EADDRNOTAVAIL;

	fd = socket(ai->ai_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		error = -errno;
		goto free_ai;
	}
	if (what->shares)
		listening_share(fd, true);
	/* Of a datagram socket it would let another process take the port. */
	if ((type == SOCK_STREAM &&
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on))) ||
	    (ai->ai_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off))) ||
	    bind(fd, ai->ai_addr, ai->ai_addrlen) ||
	    (type == SOCK_STREAM && listen(fd, SOMAXCONN))) {
		error = -errno;
		goto close_fd;
	}
	if (what->shares)
		listening_share(fd, false);
	freeaddrinfo(ai);
	return fd;

close_fd:
	close(fd);
free_ai:
	freeaddrinfo(ai);
	return error;
}

/* Everywhere: IPv6 takes IPv4 with it, where the kernel has it. */
static int
open_any_socket(int port, const struct listening_what *what)
{
	int gai;
	int fd = open_socket("::", port, what, &gai);

	if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)
		fd = open_socket("0.0.0.0", port, what, &gai);
	return fd;
}

/* Writes where fd listens, as HOST:PORT.  Returns 0 or -Exxx. */
static int
describe_socket(int fd, char *text, size_t text_bytes)
{
	struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(address);
	char host[NI_MAXHOST];
	char port[NI_MAXSERV];
	bool v6;

	if (getsockname(fd, (struct sockaddr *)&address, &len))
		return -errno;
	if (getnameinfo((struct sockaddr *)&address, len, host, sizeof(host),
		port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		return -ENOMEM;
	v6 = address.ss_family == AF_INET6;
	snprintf(text, text_bytes, "%s%s%s:%s", v6 ? "[" : "", host,
	    v6 ? "]" : "", port);
	return 0;
}

static void
explain_failure(const struct listening_what *what, int port, int error, int gai,
    char text[LISTENING_ERROR_BYTES])
{
	const char *address = what->address;

	if (error == -EADDRINUSE || error == -EACCES)
		snprintf(text, LISTENING_ERROR_BYTES,
		    "cannot listen on %s: port %d is %s; choose another with "
		    "%s",
		    address, port,
		    error == -EACCES ? "only for root or CAP_NET_BIND_SERVICE"
				     : "in use by another process",
		    what->example);
	else if (error == -EADDRNOTAVAIL)
		snprintf(text, LISTENING_ERROR_BYTES,
		    "cannot listen on %s: %s; choose another with %s", address,
		    gai ? gai_strerror(gai)
			: "this machine has no such address",
		    what->example);
	else
		snprintf(text, LISTENING_ERROR_BYTES, "cannot listen on %s: %s",
		    address, strerror(-error));
}

int
listening_open(const struct listening_what *what,
    struct listening *ret_listening, char reterr_text[LISTENING_ERROR_BYTES])
{
	char host[NI_MAXHOST];
	struct listening l;
	const char *wrong;
	int port;
	int gai = 0;
	int error;

	wrong = parse_address(what->address, host, &port);
	if (wrong) {
		snprintf(reterr_text, LISTENING_ERROR_BYTES, "\"%s\" %s",
		    what->address, wrong);
		return -EINVAL;
	}
	l.fd = !*host || !strcmp(host, "*")
	    ? open_any_socket(port, what)
	    : open_socket(host, port, what, &gai);
	error = l.fd < 0 ? l.fd
			 : describe_socket(l.fd, l.bound, sizeof(l.bound));
	if (error) {
		if (l.fd >= 0)
			close(l.fd);
		explain_failure(what, port, error, gai, reterr_text);
		return error;
	}
	*ret_listening = l;
	return 0;
}
