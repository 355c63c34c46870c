#include "app/events.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "accesslog/bounds.h"
#include "accesslog/buf.h"
#include "app/log.h"

struct sentence {
	enum log_level level;
	const char *text;
};

static struct sentence
sentence_of(enum event_kind kind)
{
	switch (kind) {
	case EVENT_FOLLOWING:
		return (struct sentence){ LOG_INFO, "following" };
	case EVENT_MISSING:
		return (struct sentence){ LOG_WARN,
			"the file does not exist; waiting for it" };
	case EVENT_NO_MATCH:
		return (struct sentence){ LOG_INFO,
			"nothing matches the pattern; waiting" };
	case EVENT_UNLISTED:
		return (struct sentence){ LOG_WARN,
			"the directory cannot be listed; trying again" };
	case EVENT_UNREADABLE:
		return (struct sentence){ LOG_WARN,
			"the file cannot be read; trying again" };
	case EVENT_COMPRESSED:
		return (struct sentence){ LOG_WARN,
			"the file is compressed and left alone" };
	case EVENT_DUPLICATE:
		return (struct sentence){ LOG_INFO,
			"the file is followed under another name" };
	case EVENT_COPY:
		return (struct sentence){ LOG_INFO,
			"the file begins like one that is followed; left alone "
			"unless it turns out to be another" };
	case EVENT_REPLACED:
		return (struct sentence){ LOG_INFO,
			"the file was replaced; the old one is read to its "
			"end" };
	case EVENT_REMOVED:
		return (struct sentence){ LOG_INFO,
			"the file was renamed or removed; the old one is read "
			"to its end" };
	case EVENT_TRUNCATED:
		return (struct sentence){ LOG_INFO,
			"the file was truncated; reading from its start" };
	case EVENT_RESUMED:
		return (struct sentence){ LOG_INFO,
			"reading on in a rotated file" };
	case EVENT_FINISHED:
		return (struct sentence){ LOG_DEBUG, "finished" };
	case EVENT_FORMAT:
		return (struct sentence){ LOG_INFO, "format recognised" };
	case EVENT_NO_FORMAT:
		return (struct sentence){ LOG_WARN,
			"no shipped format fits the lines so far; give one "
			"with --format" };
	case EVENT_RECEIVING:
		return (struct sentence){ LOG_INFO,
			"receiving; it cannot be replayed: what is sent while "
			"the exporter is down is not counted" };
	case EVENT_NOT_ACCEPTED:
		return (struct sentence){ LOG_WARN,
			"no connection can be accepted; trying again" };
	case EVENT_ACCEPTED:
		return (struct sentence){ LOG_INFO,
			"connections are accepted again" };
	case EVENT_ENDED:
		return (
		    struct sentence){ LOG_INFO, "standard input has ended" };
	case EVENT_POLLED:
		break;
	}
	return (struct sentence){ LOG_WARN,
		"no inotify watch is left; files are polled every second. "
		"Raise fs.inotify.max_user_watches or max_user_instances with "
		"sysctl" };
}

static bool
is_directory(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

static bool
has_slash(const char *path)
{
	return *path && path[strlen(path) - 1] == '/';
}

void
events_log(void *arg, const struct event *event)
{
	struct sentence sentence = sentence_of(event->kind);
	const char *error = event->error ? strerror(-event->error) : NULL;
	struct buf text;

	(void)arg;
	buf_init(&text, BOUNDS_REPLY_BYTES);
	if (event->error == -EINVAL) {
		buf_add_text(&text, "it is not a regular file");
		if (event->path && is_directory(event->path)) {
			buf_clear(&text);
			buf_add_format(&text,
			    "it is a directory; write '%s%s*access.log'",
			    event->path, has_slash(event->path) ? "" : "/");
		}
		buf_add_char(&text, '\0');
		error = buf_status(&text) ? "it is not a regular file"
					  : text.data;
	}
	log_event(sentence.level, sentence.text, "source", event->source,
	    "path", event->path,
	    event->kind == EVENT_RECEIVING ? "address" : "format",
	    event->detail, "error", error, NULL);
	buf_release(&text);
}
