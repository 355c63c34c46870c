#include "format_value.h"

#include <stdbool.h>
#include <stddef.h>

#include "accesslog/fields.h"

static const struct {
	const char *name;
	enum format_value_shape shape;
} shapes[] = {
	{ "args", VALUE_ARGS },
	{ "connection_status", VALUE_FLAG },
	{ "cookie_", VALUE_TEXT },
	{ "host", VALUE_HOST },
	{ "http_accept", VALUE_TEXT },
	{ "http_accept_", VALUE_TEXT },
	{ "http_authorization", VALUE_TEXT },
	{ "http_cookie", VALUE_TEXT },
	{ "http_host", VALUE_HOST },
	{ "http_sec_ch_", VALUE_TEXT },
	{ "http_user_agent", VALUE_TEXT },
	{ "http_x_forwarded_for", VALUE_ADDRESS },
	{ "is_args", VALUE_IS_ARGS },
	{ "pipe", VALUE_FLAG },
	{ "proxy_add_x_forwarded_for", VALUE_ADDRESS },
	{ "realip_remote_addr", VALUE_ADDRESS },
	{ "remote_addr", VALUE_ADDRESS },
	{ "remote_port", VALUE_PORT },
	{ "remote_user", VALUE_USER },
	{ "request", VALUE_TEXT },
	{ "request_body", VALUE_TEXT },
	{ "request_uri", VALUE_URI },
	{ "scheme", VALUE_SCHEME },
	{ "sent_http_", VALUE_TEXT },
	{ "server_name", VALUE_HOST },
	{ "server_port", VALUE_PORT },
	{ "ssl_client_i_dn", VALUE_TEXT },
	{ "ssl_client_s_dn", VALUE_TEXT },
	{ "time", VALUE_TEXT },
	{ "time_local", VALUE_TIME_LOCAL },
	{ "upstream_", VALUE_LIST },
	{ "uri", VALUE_URI },
};

/* A name that ends in '_' stands for all that begin with it. */
static bool
is_named(struct str name, struct str row)
{
	if (row.data[row.len - 1] == '_')
		return str_starts_with(name, row);
	return str_equal(name, row);
}

enum format_value_shape
format_value_shape(struct str name)
{
	size_t i;

	switch (fields_kind_of(name)) {
	case FIELDS_STATUS:
		return VALUE_STATUS;
	case FIELDS_COUNT:
		return VALUE_COUNT;
	case FIELDS_SECONDS:
		return VALUE_SECONDS;
	case FIELDS_SECONDS_LIST:
		return VALUE_SECONDS_LIST;
	case FIELDS_TIME:
	case FIELDS_TEXT:
		break;
	}
	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		if (is_named(name, str_from(shapes[i].name)))
			return shapes[i].shape;
	}
	return VALUE_WORD;
}
