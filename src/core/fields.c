#include "accesslog/fields.h"

#include "accesslog/spelling.h"

static const struct {
	const char *name;
	enum fields_kind kind;
} known[] = {
	{ "body_bytes_sent", FIELDS_COUNT },
	{ "bytes_sent", FIELDS_COUNT },
	{ "connection", FIELDS_TEXT },
	{ "first_byte_time", FIELDS_SECONDS },
	{ "host", FIELDS_TEXT },
	{ "http_host", FIELDS_TEXT },
	{ "http_referer", FIELDS_TEXT },
	{ "http_user_agent", FIELDS_TEXT },
	{ "http_x_forwarded_for", FIELDS_TEXT },
	{ "msec", FIELDS_TIME },
	{ "pipe", FIELDS_TEXT },
	{ "remote_addr", FIELDS_TEXT },
	{ "remote_user", FIELDS_TEXT },
	{ "request", FIELDS_TEXT },
	{ "request_id", FIELDS_TEXT },
	{ "request_length", FIELDS_COUNT },
	{ "request_method", FIELDS_TEXT },
	{ "request_time", FIELDS_SECONDS },
	{ "request_uri", FIELDS_TEXT },
	{ "scheme", FIELDS_TEXT },
	{ "server_name", FIELDS_TEXT },
	{ "server_port", FIELDS_TEXT },
	{ "server_protocol", FIELDS_TEXT },
	{ "status", FIELDS_STATUS },
	{ "time_iso8601", FIELDS_TIME },
	{ "time_local", FIELDS_TIME },
	{ "upload_time", FIELDS_SECONDS },
	{ "upstream_addr", FIELDS_TEXT },
	{ "upstream_cache_status", FIELDS_TEXT },
	{ "upstream_connect_time", FIELDS_SECONDS_LIST },
	{ "upstream_header_time", FIELDS_SECONDS_LIST },
	{ "upstream_response_time", FIELDS_SECONDS_LIST },
	{ "upstream_status", FIELDS_TEXT },
	{ "uri", FIELDS_TEXT },
};

#define N_KNOWN (sizeof(known) / sizeof(known[0]))

enum fields_kind
fields_kind_of(struct str name)
{
	size_t i;

	for (i = 0; i < N_KNOWN; i++) {
		if (str_equal(name, str_from(known[i].name)))
			return known[i].kind;
	}
	return FIELDS_TEXT;
}

const char *
fields_nearest(struct str name)
{
	const char *names[N_KNOWN];
	size_t i;

	for (i = 0; i < N_KNOWN; i++)
		names[i] = known[i].name;
	return spelling_nearest(name, names, N_KNOWN);
}

static bool
letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool
fields_name_valid(struct str name)
{
	size_t i;

	if (!name.len || name.len > BOUNDS_LABEL_VALUE_BYTES ||
	    !letter(name.data[0]))
		return false;
	for (i = 1; i < name.len; i++) {
		char c = name.data[i];

		if (!letter(c) && !(c >= '0' && c <= '9'))
			return false;
	}
	return true;
}

size_t
fields_find(const struct fields *f, struct str name)
{
	size_t i;

	for (i = 0; i < f->n; i++) {
		if (str_equal(f->names[i], name))
			return i;
	}
	return FIELDS_NO_SLOT;
}

size_t
fields_add(struct fields *f, struct str name)
{
	size_t slot = fields_find(f, name);

	if (slot != FIELDS_NO_SLOT || f->n == BOUNDS_FIELDS)
		return slot;
	f->names[f->n] = name;
	f->kinds[f->n] = fields_kind_of(name);
	return f->n++;
}
