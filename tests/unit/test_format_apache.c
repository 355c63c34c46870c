/* Apache's LogFormat: what each directive makes of a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats.h"

#define TIME "25/Dec/2019:08:06:42 +0300"
#define COMBINED "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-agent}i\""
#define ESCAPED                                                                \
	"%h %l %u %t \\\"%r\\\" %>s %b \\\"%{Referer}i\\\" "                   \
	"\\\"%{User-agent}i\\\""
#define COMBINED_LINE                                                          \
	"::1 - john doe [" TIME "] \"GET /a\\\"b HTTP/1.1\" 200 - \"-\" "      \
	"\"x\\\\\""
#define COMBINED_FIELDS                                                        \
	"remote_addr=::1; remote_logname=-; remote_user=john doe; "            \
	"time_local=" TIME "; request=GET /a\\\"b HTTP/1.1; status=200; "      \
	"body_bytes_sent=0; http_referer=-; http_user_agent=x\\\\"

static void
every_way_to_write_a_format_is_the_same_format(void **state)
{
	(void)state;
	formats_check(COMBINED, COMBINED_LINE, COMBINED_FIELDS);
	formats_check("apache:" COMBINED, COMBINED_LINE, COMBINED_FIELDS);
	formats_check(ESCAPED, COMBINED_LINE, COMBINED_FIELDS);
	formats_check("\"" ESCAPED "\"", COMBINED_LINE, COMBINED_FIELDS);
	formats_check("LogFormat \"" ESCAPED "\" combined\n", COMBINED_LINE,
	    COMBINED_FIELDS);
	formats_check("\tLogFormat '" COMBINED "'", COMBINED_LINE,
	    COMBINED_FIELDS);
	formats_check("\"%>s\" \"%r\"", "\"200\" \"GET /\"",
	    "status=200; request=GET /");
}

static void
users_may_be_two_quotes_or_hold_spaces(void **state)
{
	(void)state;
	formats_check("%h %l %u %t %>s", "h - \"\" [" TIME "] 401",
	    "remote_addr=h; remote_logname=-; remote_user=\"\"; time_local=" TIME
	    "; status=401");
	formats_check("%h %l %u %t %>s", "h - a [b] \"c [" TIME "] 401",
	    "unparsed");
	formats_check("\"%u\" %>s", "\"a b\\\"c\" 401",
	    "remote_user=a b\\\"c; status=401");
}

static void
durations_are_seconds_whatever_their_unit(void **state)
{
	(void)state;
	formats_check("%>s %D", "200 1234567",
	    "status=200; request_time=1.234567");
	formats_check("%>s %T", "200 3", "status=200; request_time=3");
	formats_check("%>s %{s}T", "200 3", "status=200; request_time=3");
	formats_check("%>s %{ms}T", "200 1500", "status=200; request_time=1.5");
	formats_check("%>s %{us}T", "200 15",
	    "status=200; "
	    "request_time=0.000015");
	/* The most precise of several. */
	formats_check("%>s %T/%D", "200 1/1500000",
	    "status=200; request_time=1.5");
	formats_check("%>s %D/%T %{ms}T", "200 1500000/1 1500",
	    "status=200; request_time=1.5");
	formats_check("%T %D %>s", "1 1500000 200",
	    "request_time=1.5; status=200");
	formats_check("%>s %D", "200 -", "status=200; request_time none");
	/* To the first byte of the answer, to the last one of the request. */
	formats_check("%>s %^FB %^FU %D", "200 1500 20 2000",
	    "status=200; first_byte_time=0.0015; upload_time=0.00002; "
	    "request_time=0.002");
	formats_check("%>s %^FB %b", "200 - 5",
	    "status=200; first_byte_time none; body_bytes_sent=5");
	formats_check("%>s %^FB", "200 x", "status=200; first_byte_time error");
	formats_check("%>s %D", "200 0.5", "status=200; request_time error");
}

static void
times_are_read_in_the_formats_that_people_write(void **state)
{
	(void)state;
	formats_check("%t %>s", "[" TIME "] 200",
	    "time_local=" TIME "; status=200");
	formats_check("%{%d/%b/%Y:%T %z}t %>s", TIME " 200",
	    "time_local=" TIME "; status=200");
	formats_check("[%{begin:%d/%b/%Y:%H:%M:%S %z}t] %>s", "[" TIME "] 200",
	    "time_local=" TIME "; status=200");
	formats_check("%{[%d/%b/%Y:%T %z]}t %>s", "[" TIME "] 200",
	    "time_local=" TIME "; status=200");
	formats_check("%{end:%FT%T%z}t %>s", "2019-12-25T08:06:42+0300 200",
	    "time_iso8601=2019-12-25T08:06:42+0300; status=200");
	formats_check("%{sec}t %>s", "1577250402 200",
	    "msec=1577250402; status=200");
	formats_check("%{msec}t %>s", "1577250402123 200",
	    "time_msec=1577250402123; status=200");
	formats_check("[%{%d/%b/%Y %T}t.%{msec_frac}t %{%z}t] %>s",
	    "[25/Dec/2019 08:06:42.123 +0300] 200",
	    "time=25/Dec/2019 08:06:42; time_fraction=123; status=200");
}

/* As Apache's manual writes what is the same as %r. */
static void
a_decoded_path_may_hold_spaces(void **state)
{
	(void)state;
	formats_check("\"%m %U%q %H\" %>s", "\"GET /a b?c=d e HTTP/1.1\" 200",
	    "request_method=GET; uri=/a b; is_args=?; args=c=d e; "
	    "server_protocol=HTTP/1.1; status=200");
	formats_check("\"%m %U%q %H\" %>s", "\"GET /a b HTTP/1.1\" 200",
	    "request_method=GET; uri=/a b; is_args=; args=; "
	    "server_protocol=HTTP/1.1; status=200");
	formats_check("\"%m %U%q %H\" %>s", "\"GET /a?b HTTP/1.1\" 200",
	    "request_method=GET; uri=/a; is_args=?; args=b; "
	    "server_protocol=HTTP/1.1; status=200");
	formats_check("%m %U%q %>s %b", "GET /a 404 b 404 5",
	    "request_method=GET; uri=/a 404 b; is_args=; args=; status=404; "
	    "body_bytes_sent=5");
	/* Of a request that is none. */
	formats_check("\"%m %U%q %H\" %>s", "\"- - -\" 400",
	    "request_method=-; uri=-; is_args=; args=; server_protocol=-; "
	    "status=400");
}

static void
modifiers_choose_between_statuses_and_are_else_ignored(void **state)
{
	(void)state;
	formats_check("%s %>s", "301 200", "status=200");
	formats_check("%>s %<s", "200 301", "status=200");
	formats_check("%s %>b", "301 5", "status=301; body_bytes_sent=5");
	formats_check("%>s %!200,304{Referer}i|%400,501{User-agent}i",
	    "200 -|-", "status=200; http_referer=-; http_user_agent=-");
	formats_check("%>s %{Referer}>i", "200 -",
	    "status=200; http_referer=-");
}

static void
directives_have_nginx_names(void **state)
{
	(void)state;
	formats_check("%>s %a %{c}a %A %v %V:%p %{remote}p %{tid}P %P %k %f %R",
	    "200 10.0.0.1 ::1 ::2 a.example b.example:443 4711 139 42 3 /srv/i "
	    "cgi-script",
	    "status=200; remote_addr=10.0.0.1; realip_remote_addr=::1; "
	    "server_addr=::2; server_name=a.example; host=b.example; "
	    "server_port=443; remote_port=4711; tid=139; pid=42; "
	    "connection_requests=3; request_filename=/srv/i; "
	    "handler=cgi-script");
	formats_check("%L %m %U%q %H %X %B %O %I %S %>s",
	    "XyZ GET /a/b?c=d HTTP/1.1 + 1 2 3 5 200",
	    "request_id=XyZ; request_method=GET; uri=/a/b; is_args=?; "
	    "args=c=d; server_protocol=HTTP/1.1; connection_status=+; "
	    "body_bytes_sent=1; bytes_sent=2; request_length=3; "
	    "bytes_transferred=5; status=200");
	formats_check("\"%m %U%q %H\" %>s", "\"GET /a HTTP/1.0\" 200",
	    "request_method=GET; uri=/a; is_args=; args=; "
	    "server_protocol=HTTP/1.0; status=200");
	formats_check("%>s|%{X-Real-IP}i|%{Content-Type}o|%{JSESSIONID}C|"
		      "%{SITE_NAME}e|%{a.b}n|%{SSL_PROTOCOL}x|%{cipher}c|"
		      "%{X-T}^ti|%{X-T}^to",
	    "200|::1|text/html; charset=utf-8|A B|s|n|TLSv1.3|AES|i|o",
	    "status=200; http_x_real_ip=::1; sent_http_content_type=text/html; "
	    "charset=utf-8; cookie_jsessionid=A B; site_name=s; a_b=n; "
	    "ssl_protocol=TLSv1.3; ssl_cipher=AES; trailer_x_t=i; "
	    "sent_trailer_x_t=o");
	/* A variable of that name is not the status. */
	formats_check("%{STATUS}e %>s", "x 200", "status=200");
}

static void
percent_signs_and_escapes_are_characters(void **state)
{
	(void)state;
	formats_check("%%%>s%%\\t\\\\%b", "%200%\t\\5",
	    "status=200; body_bytes_sent=5");
}

static void
requests_of_all_kinds_parse(void **state)
{
	(void)state;
	formats_check("\"%r\" %>s", "\"\\x16\\x03\\x01\\xe0\" 400",
	    "request=\\x16\\x03\\x01\\xe0; status=400");
	formats_check("\"%r\" %>s", "\"-\" 408", "request=-; status=408");
	formats_check("\"%r\" %>s", "\"\" 400", "request=; status=400");
	formats_check("\"%r\" %>s", "\"GET /a b HTTP/1.0\" 404",
	    "request=GET /a b HTTP/1.0; status=404");
	formats_check("%h %r %>s", "h GET / HTTP/1.1 200",
	    "remote_addr=h; request=GET / HTTP/1.1; status=200");
	formats_check("%>s \"%{User-agent}i\" %D", "200 \"a\\\\\" 5",
	    "status=200; http_user_agent=a\\\\; request_time=0.000005");
}

static void
what_is_wrong_is_said_with_its_column(void **state)
{
	(void)state;
	formats_refuse("%h %y %>s", 4, "%y is no directive");
	formats_refuse("apache:%>s %", 12, "\"%\" without a letter");
	formats_refuse("apache:%>s %>", 12, "\"%\" without a letter");
	formats_refuse("%>s %{Referer", 6, "\"{\" without \"}\"");
	formats_refuse("%>s %{Referer}", 5, "\"%\" without a letter");
	formats_refuse("%>s %i", 5,
	    "%i without a name; write for example "
	    "%{Referer}i");
	formats_refuse("%>s %C", 5, "%{session}C");
	formats_refuse("%>s %{}i", 5, "\"\" is no name");
	formats_refuse("%>s %{1x}e", 5, "\"1x\" is no name");
	formats_refuse("%>s %{}t", 5, "without a format");
	formats_refuse("%>s %{ns}T", 5, "write %{s}T, %{ms}T or %{us}T");
	formats_refuse("%>s %{x}p", 5, "%{remote}p");
	formats_refuse("%>s %{x}h", 5, "write it without");
	formats_refuse("%>s %^tx", 5, "%^tx is no directive");
	formats_refuse("%>s %^FX", 5, "%^FX is no directive");
	formats_refuse("%>s %^F", 5, "%^F is no directive");
	formats_refuse("%>s %{ms}^FB", 5, "%^FB does not take \"{ms}\"");
	formats_refuse("LogFormat combined", 11, "without a string");
	formats_refuse("LogFormat \"%>s", 11, "a quote that is not closed");
	formats_refuse("LogFormat \"%>s\" a b", 19, "text after the name");
	formats_refuse("LogFormat \"%>s \\\"%y\\\"\" a", 18,
	    "%y is no directive");
	formats_refuse("%h %l %u", 0, "as in %>s");
	formats_refuse("apache:$status", 0, "none of the fields");
}

static void
a_format_cut_anywhere_is_read_inside_of_itself(void **state)
{
	(void)state;
	formats_check_cuts(
	    "LogFormat \"" ESCAPED " %!200,304{X}^ti %{ms}T%%\\t\" combined");
	formats_check_cuts("apache:%{%d/%b/%Y:%T %z}t %{us}T " COMBINED);
}

static void
each_allocation_failure_is_reported_and_leaks_nothing(void **state)
{
	(void)state;
	formats_check_allocations(COMBINED " %{X}i");
	formats_check_allocations("LogFormat \"%>s %{[%T]}t %U%q\" x");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    every_way_to_write_a_format_is_the_same_format),
		cmocka_unit_test(users_may_be_two_quotes_or_hold_spaces),
		cmocka_unit_test(durations_are_seconds_whatever_their_unit),
		cmocka_unit_test(
		    times_are_read_in_the_formats_that_people_write),
		cmocka_unit_test(a_decoded_path_may_hold_spaces),
		cmocka_unit_test(
		    modifiers_choose_between_statuses_and_are_else_ignored),
		cmocka_unit_test(directives_have_nginx_names),
		cmocka_unit_test(percent_signs_and_escapes_are_characters),
		cmocka_unit_test(requests_of_all_kinds_parse),
		cmocka_unit_test(what_is_wrong_is_said_with_its_column),
		cmocka_unit_test(
		    a_format_cut_anywhere_is_read_inside_of_itself),
		cmocka_unit_test(
		    each_allocation_failure_is_reported_and_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
