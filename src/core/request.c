#include "accesslog/request.h"

/* A method is letters, and '-' or '_' after the first (M-SEARCH). */
static size_t
method_len(struct str line)
{
	size_t i;

	for (i = 0; i < line.len; i++) {
		char c = line.data[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			(i > 0 && (c == '-' || c == '_'))))
			break;
	}
	return i;
}

struct request
request_split(struct str line)
{
	struct request r = { 0 };
	size_t len = method_len(line);
	const char *space;
	struct str rest;

	if (!len || (len < line.len && line.data[len] != ' '))
		return r;
	r.method = str_of(line.data, len);
	if (len + 1 >= line.len)
		return r;

	rest = str_after(line, len + 1);
	space = memrchr(rest.data, ' ', rest.len);
	if (space) {
		size_t at = (size_t)(space - rest.data);

		if (str_starts_with(str_after(rest, at + 1), STR("HTTP"))) {
			r.protocol = str_after(rest, at + 1);
			rest.len = at;
		}
	}
	r.uri = rest;
	return r;
}

struct str
request_path(struct str uri)
{
	size_t query = str_find_char(uri, '?');
	size_t fragment = str_find_char(uri, '#');

	return str_of(uri.data, query < fragment ? query : fragment);
}
