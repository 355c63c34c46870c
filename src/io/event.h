/*
 * What happened to a followed file, told once per change to whoever writes
 * the log.
 */
#ifndef ACCESSLOG_EVENT_H
#define ACCESSLOG_EVENT_H

enum event_kind {
	EVENT_FOLLOWING, /* a file was opened */
	EVENT_MISSING, /* nothing is at the path; it is waited for */
	EVENT_NO_MATCH, /* nothing matches a glob; path is the glob */
	EVENT_UNLISTED, /* path is a directory in which a glob looks */
	EVENT_UNREADABLE, /* error says why; it is tried again */
	EVENT_COMPRESSED, /* left alone */
	EVENT_DUPLICATE, /* the file is followed under another name */
	EVENT_COPY, /* what is in it was already read from another file */
	EVENT_REPLACED, /* another file is at the path: a rotation */
	EVENT_REMOVED, /* nothing is at the path any more */
	EVENT_TRUNCATED, /* it was cut and is read from its start */
	EVENT_RESUMED, /* what was not read yet was found under this name */
	EVENT_FINISHED, /* a held file was let go */
	EVENT_FORMAT, /* detail: the format that its lines were found to have */
	EVENT_NO_FORMAT, /* lines came that fit no shipped format */
	/* Not a file, path as the user wrote it; detail: the address, if any. */
	EVENT_RECEIVING,
	EVENT_NOT_ACCEPTED, /* connections; error says why; it is tried again */
	EVENT_ACCEPTED, /* all that waited */
	EVENT_ENDED, /* standard input */
	EVENT_POLLED, /* no room for a watch of the directory; source NULL */
};

struct event {
	enum event_kind kind;
	const char *source; /* all borrowed during the call */
	const char *path;
	const char *detail; /* or NULL */
	int error; /* 0 or -Exxx */
};

/* Thread: the loop thread. */
typedef void (*event_fn)(void *arg, const struct event *event);

#endif
