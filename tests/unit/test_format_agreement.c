/*
 * nginx' string, Apache's string and the grok expression of one format give
 * the same entries: for lines of all kinds below, for the same lines cut at
 * every byte, and for the real logs in ACCESSLOG_CORPORA.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/format.h"
#include "accesslog/parser.h"
#include "support.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

/* In each the identity (%l) is what grok has as %{COLUMN}. */
static const char *const common[] = {
	"%{COMMON}",
	("$remote_addr $identity $remote_user [$time_local] \"$request\" "
	 "$status $body_bytes_sent"),
	"%h %l %u %t \"%r\" %>s %b",
	"LogFormat \"%h %l %u %t \\\"%r\\\" %>s %b\" common",
};

static const char *const combined[] = {
	"%{COMBINED}",
	("log_format combined '$remote_addr $identity $remote_user "
	 "[$time_local] ' '\"$request\" $status $body_bytes_sent '\n"
	 "'\"$http_referer\" \"$http_user_agent\"';"),
	"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-agent}i\"",
	("LogFormat \"%h %l %u %t \\\"%r\\\" %>s %b \\\"%{Referer}i\\\" "
	 "\\\"%{User-Agent}i\\\"\" combined"),
};

static const char *const vhost[] = {
	"%{VHOST_COMBINED}",
	("${server_name}:$server_port $remote_addr $identity $remote_user "
	 "[$time_local] \"$request\" $status $bytes_sent \"$http_referer\" "
	 "\"$http_user_agent\""),
	"%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-agent}i\"",
};

static const char *const fields_of_all[] = { "remote_addr", "remote_user",
	"time_local", "request", "status", "body_bytes_sent", "bytes_sent",
	"http_referer", "http_user_agent", "server_name", "server_port",
	"request_method", "request_uri", "server_protocol", "uri" };

struct family {
	const char *const *texts;
	size_t n;
	struct fields fields;
	struct parser *parsers[4];
	size_t n_parsed;
};

static void
family_init(struct family *f, const char *const texts[], size_t n)
{
	size_t i;

	*f = (struct family){ .texts = texts, .n = n };
	for (i = 0; i < N(fields_of_all); i++)
		(void)fields_add(&f->fields, str_from(fields_of_all[i]));
	for (i = 0; i < n; i++) {
		struct config_error why = { 0 };
		struct format *format = NULL;

		if (format_create(str_from(texts[i]), &format, &why) ||
		    parser_create(format, &f->fields, true, &f->parsers[i],
			&why))
			fail_msg("%s: column %zu: %s", texts[i], why.column,
			    why.text);
		format_destroy(format);
	}
}

static void
family_release(struct family *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		parser_destroy(f->parsers[i]);
}

static void
compare(const struct family *f, size_t i, struct str line,
    const struct entry *a, const struct entry *b)
{
	size_t slot;

	for (slot = 0; slot < f->fields.n; slot++) {
		bool same_number = !((a->has_number ^ b->has_number) &
				       ENTRY_BIT(slot)) &&
		    (!(a->has_number & ENTRY_BIT(slot)) ||
			!decimal_compare(a->number[slot], b->number[slot]));

		if (!a->text[slot].data == !b->text[slot].data &&
		    str_equal(a->text[slot], b->text[slot]) && same_number)
			continue;
		fail_msg("%s\n%.*s\n%.*s is \"%.*s\" and not \"%.*s\"",
		    f->texts[i], STR_ARGS(line),
		    STR_ARGS(f->fields.names[slot]), STR_ARGS(b->text[slot]),
		    STR_ARGS(a->text[slot]));
	}
	assert_int_equal(a->errors, b->errors);
}

static void
check_line(struct family *f, struct str line)
{
	const struct entry *first, *e;
	enum parser_result expected = parser_parse(f->parsers[0], line, &first,
	    NULL);
	size_t i;

	f->n_parsed += expected == PARSER_PARSED;
	for (i = 1; i < f->n; i++) {
		if (parser_parse(f->parsers[i], line, &e, NULL) != expected)
			fail_msg("%s\n%.*s\nshould be %s", f->texts[i],
			    STR_ARGS(line),
			    expected == PARSER_PARSED ? "parsed" : "unparsed");
		if (expected == PARSER_PARSED)
			compare(f, i, line, first, e);
	}
}

static void
they_agree_on_lines_cut_anywhere(void **state)
{
	static const char *const lines[] = {
		"::1 - john doe [25/Dec/2019:08:06:42 +0300] \"GET /a\\\"b c "
		"HTTP/1.1\" 200 5 \"-\" \"x\\\\\" and more",
		"a, b id \"\" [x] \"\\x16\\x03\" 400 - \"\" \"\\x22\"",
		"h - a\"b [t] \"GET /a\"b HTTP/1.1\" 2000 0x1f \"a\"b\" \"c\"",
		"example.com:443 ::1 - - [t] \"-\" 408 18446744073709551615 "
		"\"-\" \"-\"",
		"[::1]:80 192.0.2.1 - - [t] \"\" - - \"r",
		"{\"status\": 200}",
	};
	struct family families[3];
	size_t i, j, len;

	(void)state;
	family_init(&families[0], common, N(common));
	family_init(&families[1], combined, N(combined));
	family_init(&families[2], vhost, N(vhost));
	for (i = 0; i < N(families); i++) {
		for (j = 0; j < N(lines); j++) {
			for (len = 0; len <= strlen(lines[j]); len++)
				check_line(&families[i], str_of(lines[j], len));
		}
		assert_true(families[i].n_parsed > 10);
		family_release(&families[i]);
	}
}

static size_t
check_file(struct family *f, const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t room = 0, n = 0;
	ssize_t len;

	if (!file)
		fail_msg("cannot open %s", path);
	while ((len = getline(&text, &room, file)) > 0) {
		len -= text[len - 1] == '\n';
		check_line(f, str_of(text, (size_t)len));
		n++;
	}
	free(text);
	assert_int_equal(fclose(file), 0);
	return n;
}

static void
they_agree_on_real_logs(void **state)
{
	const char *folder = getenv("ACCESSLOG_CORPORA");
	struct family families[3];
	struct dirent *d;
	size_t n = 0;
	size_t i;
	DIR *dir;

	(void)state;
	if (!folder)
		folder = "../shared/corpora";
	dir = opendir(folder);
	if (!dir) {
		print_message("no %s: ACCESSLOG_CORPORA names the logs\n",
		    folder);
		skip();
		return;
	}
	family_init(&families[0], common, N(common));
	family_init(&families[1], combined, N(combined));
	family_init(&families[2], vhost, N(vhost));
	while ((d = readdir(dir))) {
		size_t len = strlen(d->d_name);
		char path[4096];

		if (len < 4 || strcmp(d->d_name + len - 4, ".log") != 0)
			continue;
		assert_true(snprintf(path, sizeof(path), "%s/%s", folder,
				d->d_name) < (int)sizeof(path));
		print_message("%s\n", path);
		for (i = 0; i < N(families); i++)
			n += check_file(&families[i], path);
	}
	(void)closedir(dir);
	for (i = 0; i < N(families); i++) {
		print_message("%zu lines are %s\n", families[i].n_parsed,
		    families[i].texts[0]);
		assert_true(families[i].n_parsed > 0);
		family_release(&families[i]);
	}
	print_message("%zu lines compared\n", n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_agree_on_lines_cut_anywhere),
		cmocka_unit_test(they_agree_on_real_logs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
