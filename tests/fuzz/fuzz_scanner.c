/*
 * One line against both engines: where the scanner finds values, PCRE2 finds
 * the same ones, and whole entries are the same.  An input is a format, a
 * newline and a line; the number of a format below stands for it as well:
 *
 *	5\n192.0.2.1 - - [...
 *	$status "$request"\n200 "GET / HTTP/1.1"
 */
#include <assert.h>
#include <errno.h>

#include "accesslog/fields.h"
#include "accesslog/format.h"
#include "accesslog/parser.h"
#include "accesslog/scanner.h"

#include "fuzz.h"

static const char *const formats[] = { "common", "combined", "vhost_combined",
	"nginx_timed", "nginx_ingress", "apache_timed", "envoy", "lighttpd",
	"traefik_clf", "haproxy_http",
	"$remote_addr - $remote_user [$time_local] \"$request\" $status "
	"$body_bytes_sent \"$http_referer\" \"$http_user_agent\" "
	"\"$http_x_forwarded_for\" rt=$request_time uct=\"$upstream_connect_time\" "
	"urt=\"$upstream_response_time\"",
	"$host $remote_addr [$time_iso8601] $request_method "
	"\"$scheme://$host$request_uri\" $server_protocol $status "
	"$bytes_sent $request_length $upstream_addr $upstream_status "
	"$request_time $pipe",
	"$msec\t$remote_addr\t$status\t$body_bytes_sent\t$request_uri\t"
	"$upstream_response_time\t$http_user_agent",
	"$remote_addr|$remote_user|$time_local|$request|$status|$bytes_sent|"
	"$upstream_cache_status|$request_time",
	"\"$time_local\",\"$remote_addr\",\"$request\",\"$status\","
	"\"$body_bytes_sent\",\"$request_time\",\"$upstream_response_time\"",
	"$status, $upstream_addr, $upstream_response_time, $request",
	"%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\" %D",
	"%h %l %u %t \"%r\" %>s %b %{ms}T %{X-Forwarded-For}i",
	"%a %{X-Request-Id}o [%{%d/%b/%Y:%T %z}t] %m %U%q %H %>s %B %T",
	"%{CLIENT:remote_addr} %{STATUS:status}\\\\%{QUOTED:request}\\\\x",
	"combinedio", "istio" };

#define N_FORMATS (sizeof(formats) / sizeof(formats[0]))

/* Every field that formats have, or what the default metrics need. */
#define N_WANTED 2

struct engines {
	bool is_ready;
	struct format *format; /* the names of fields are borrowed from it */
	struct wanted {
		struct fields fields;
		struct scanner *scanner; /* NULL: the format is PCRE2's */
		struct parser *both;
		struct parser *pcre2;
	} wanted[N_WANTED];
};

static void
engines_release(struct engines *e)
{
	size_t i;

	for (i = 0; i < N_WANTED; i++) {
		scanner_destroy(e->wanted[i].scanner);
		parser_destroy(e->wanted[i].both);
		parser_destroy(e->wanted[i].pcre2);
	}
	format_destroy(e->format);
	*e = (struct engines){ 0 };
}

static int
wanted_init(struct wanted *w, const struct format *format)
{
	struct config_error why;
	int error = scanner_create(format, &w->fields, &w->scanner);

	assert(!error || error == -ENOTSUP);
	error = parser_create(format, &w->fields, false, &w->both, &why);
	if (!error)
		error = parser_create(format, &w->fields, true, &w->pcre2,
		    &why);
	return error;
}

/* Returns whether text is a format of text. */
static bool
engines_init(struct engines *e, struct str text)
{
	static const char *const few[] = { "status", "body_bytes_sent",
		"bytes_sent", "request_time", "upstream_response_time",
		"time_local" };
	struct config_error why;
	size_t i;
	int error;

	*e = (struct engines){ 0 };
	if (format_create(text, &e->format, &why))
		return false;
	for (i = 0; i < e->format->n_items; i++) {
		if (e->format->items[i].kind == FORMAT_OPEN)
			(void)fields_add(&e->wanted[0].fields,
			    e->format->items[i].text);
	}
	for (i = 0; i < sizeof(few) / sizeof(few[0]); i++)
		(void)fields_add(&e->wanted[1].fields, str_from(few[i]));
	error = e->format->kind == FORMAT_TEXT ? 0 : -EINVAL;
	for (i = 0; i < N_WANTED && !error; i++)
		error = wanted_init(&e->wanted[i], e->format);
	if (error)
		engines_release(e);
	return !error;
}

static void
check_same(struct str a, struct str b)
{
	assert(a.data == b.data);
	assert(a.len == b.len);
}

static void
check_wanted(const struct wanted *w, struct str line)
{
	/* What the scanner forgets is not what PCRE2 finds. */
	struct str values[BOUNDS_FIELDS] = { { 0 } };
	const struct entry *both, *pcre2;
	uint64_t mine = parser_fields(w->pcre2);
	enum parser_result result = parser_parse(w->pcre2, line, &pcre2, NULL);
	bool is_found;
	size_t i;

	is_found = w->scanner && scanner_match(w->scanner, line, values);
	assert(parser_parse(w->both, line, &both, NULL) == result);
	assert(!is_found || result == PARSER_PARSED);
	if (result != PARSER_PARSED)
		return;
	assert(both->errors == pcre2->errors);
	assert(both->has_number == pcre2->has_number);
	for (i = 0; i < w->fields.n; i++) {
		check_same(both->text[i], pcre2->text[i]);
		if (both->has_number & ENTRY_BIT(i))
			assert(!decimal_compare(both->number[i],
			    pcre2->number[i]));
		/*
		 * What is no number is forgotten when it is decoded, and a
		 * status of 0 is 000.
		 */
		if (is_found && mine & ENTRY_BIT(i) &&
		    !(pcre2->errors & ENTRY_BIT(i)) &&
		    !(w->fields.kinds[i] == FIELDS_STATUS &&
			str_equal(values[i], STR("0"))))
			check_same(values[i], pcre2->text[i]);
	}
}

static struct engines *
engines_of(struct str text)
{
	static struct engines known[N_FORMATS];
	static struct engines other;
	size_t n = 0;
	size_t i;

	for (i = 0; i < text.len && text.data[i] >= '0' && text.data[i] <= '9';
	     i++)
		n = n * 10 + (size_t)(text.data[i] - '0');
	if (i == text.len && i && n < N_FORMATS) {
		if (!known[n].is_ready) {
			bool is_format = engines_init(&known[n],
			    str_from(formats[n]));

			assert(is_format);
			known[n].is_ready = true;
		}
		return &known[n];
	}
	engines_release(&other);
	return engines_init(&other, text) ? &other : NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = str_of((const char *)data, size);
	size_t len = str_find_char(input, '\n');
	struct engines *e;
	struct str line;
	size_t i;

	if (len == input.len)
		return 0;
	e = engines_of(str_of(input.data, len));
	if (!e)
		return 0;
	line = fuzz_exact(str_after(input, len + 1));
	for (i = 0; i < N_WANTED; i++)
		check_wanted(&e->wanted[i], line);
	free((char *)(uintptr_t)line.data);
	return 0;
}
