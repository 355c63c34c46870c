#include "rendered.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "accesslog/bounds.h"
#include "accesslog/exposition.h"

struct buf
rendered_page(struct registry *r)
{
	struct registry_snapshot s;
	struct buf out;

	assert_int_equal(registry_snapshot_take(r, &s), 0);
	buf_init(&out, BOUNDS_REPLY_BYTES);
	exposition_render(&s, &out);
	buf_add_char(&out, '\0');
	assert_int_equal(buf_status(&out), 0);
	registry_snapshot_release(&s);
	return out;
}

const char *
rendered_value(struct registry *r, const char *series,
    char to[RENDERED_VALUE_BYTES])
{
	struct buf out = rendered_page(r);
	size_t len = strlen(series);
	const char *line = out.data;

	(void)snprintf(to, RENDERED_VALUE_BYTES, "absent");
	while (line && *line) {
		const char *newline = strchr(line, '\n');

		if (newline && !strncmp(line, series, len) && line[len] == ' ')
			(void)snprintf(to, RENDERED_VALUE_BYTES, "%.*s",
			    (int)(newline - line - (ptrdiff_t)len - 1),
			    line + len + 1);
		line = newline ? newline + 1 : NULL;
	}
	buf_release(&out);
	return to;
}
