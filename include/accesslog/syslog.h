/*
 * What a syslog sender wraps around a log line: one datagram to the messages
 * in it, without copying any.
 *
 *	<190>Aug  5 20:16:01 host nginx[7]: MESSAGE		RFC 3164
 *	<190>Aug  5 20:16:01 nginx: MESSAGE			nohostname
 *	<190>2026-08-05T20:16:01+02:00 host nginx: MESSAGE	rsyslog
 *	<190>nginx: MESSAGE					no time
 *	<190>1 2026-08-05T20:16:01Z host nginx 7 ID [a b="c"] MESSAGE
 *								RFC 5424
 *	57 <190>...						octets counted
 *
 * A datagram has one message or several, each ended by a newline, by the end
 * of the datagram, or after as many octets as stand before it (RFC 6587, 3.4).
 * Time, host, tag and structured data are passed over: the line has its own
 * time, and what is on one socket is one source.
 */
#ifndef ACCESSLOG_SYSLOG_H
#define ACCESSLOG_SYSLOG_H

#include "accesslog/str.h"

enum syslog_kind {
	SYSLOG_BSD, /* RFC 3164, and what is written in its place */
	SYSLOG_IETF, /* RFC 5424 */
	SYSLOG_BARE, /* no priority: all of it is the message */
	SYSLOG_TORN, /* RFC 5424 that ends or goes wrong in its header */
	SYSLOG_END, /* there is no further message */
};

/*
 * datagram     what is left of it; what is consumed is cut off its front
 * ret_message  borrows from the datagram; may be empty.  It ends in no
 *              newline, and has one inside only where its octets were counted.
 *              Where the header is torn, it is there as well: a line that no
 *              format takes.  Untouched at the end.
 *
 * Cost: one look at each byte of the header, one memchr a message.
 */
enum syslog_kind syslog_next(struct str *datagram, struct str *ret_message);

#endif
