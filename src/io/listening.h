/*
 * Listening and receiving sockets from addresses as people write them.
 *
 *	127.0.0.1:9649   [::1]:9649   localhost:9649   :9649   9649
 *
 * Where there is no host, or it is "*", the socket listens everywhere: on IPv6
 * and with it on IPv4, or on IPv4 alone where the kernel has no IPv6.
 */
#ifndef ACCESSLOG_LISTENING_H
#define ACCESSLOG_LISTENING_H

#include <stdbool.h>

/* NI_MAXHOST and NI_MAXSERV of <netdb.h>, with "[]:" between them. */
#define LISTENING_BOUND_BYTES (1025 + 32 + 4)
#define LISTENING_ERROR_BYTES (1025 + 256)

struct listening_what {
	const char *address; /* PORT 0 takes a free port */
	bool is_datagram; /* else it takes connections */
	bool shares; /* its port, with those of listening_share() */
	const char *example; /* of another address, for messages */
};

struct listening {
	int fd; /* owned by the caller; non-blocking, closed on exec */
	char bound[LISTENING_BOUND_BYTES]; /* where, as "[::]:9649" */
};

/*
 * Whether other sockets of this user may have the port of fd as well, while they
 * share it too.  What comes goes to the one with the more specific address.
 */
void listening_share(int fd, bool shares);

/* The port of fd; 0: it has none. */
unsigned listening_port(int fd);

/*
 * what           borrowed during the call
 * ret_listening  untouched on failure
 * reterr_text    what is wrong and what to write instead
 *
 * Returns 0; -EINVAL when the address cannot be read; -EADDRINUSE, -EACCES,
 * -EADDRNOTAVAIL ... from the system; -ENOMEM.
 */
int listening_open(const struct listening_what *what,
    struct listening *ret_listening, char reterr_text[LISTENING_ERROR_BYTES])
    __attribute__((warn_unused_result));

#endif
