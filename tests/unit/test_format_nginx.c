/* nginx' log_format: what each way to write it makes of a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "formats.h"

#define TIME "25/Dec/2019:08:06:42 +0300"
#define COMBINED                                                               \
	"$remote_addr - $remote_user [$time_local] \"$request\" $status "      \
	"$body_bytes_sent \"$http_referer\" \"$http_user_agent\""
#define COMBINED_LINE                                                          \
	"2001:db8::1 - john doe [" TIME "] \"GET /a\\x22b HTTP/1.1\" 200 "     \
	"612 \"-\" \"curl \\x5C\""
#define COMBINED_FIELDS                                                        \
	"remote_addr=2001:db8::1; remote_user=john doe; time_local=" TIME      \
	"; request=GET /a\\x22b HTTP/1.1; status=200; body_bytes_sent=612; "   \
	"http_referer=-; http_user_agent=curl \\x5C"

static void
every_way_to_write_a_format_is_the_same_format(void **state)
{
	(void)state;
	formats_check(COMBINED, COMBINED_LINE, COMBINED_FIELDS);
	formats_check("nginx:" COMBINED, COMBINED_LINE, COMBINED_FIELDS);
	formats_check("'" COMBINED "'", COMBINED_LINE, COMBINED_FIELDS);
	formats_check("escape=default " COMBINED, COMBINED_LINE,
	    COMBINED_FIELDS);
	formats_check("  log_format main '" COMBINED "';\n", COMBINED_LINE,
	    COMBINED_FIELDS);
	formats_check(
	    "log_format  main  escape=default\n"
	    "    '$remote_addr - $remote_user [$time_local] '\n"
	    "    # the rest; and a comment's \"quote\n"
	    "    '\"$request\" $status $body_bytes_sent '\n"
	    "    \"\\\"$http_referer\\\" \\\"${http_user_agent}\\\"\" "
	    "; # end\n",
	    COMBINED_LINE, COMBINED_FIELDS);
	formats_check("'$status ' \"$body_bytes_sent\"'$pipe'", "200 5.",
	    "status=200; body_bytes_sent=5; pipe=.");
	formats_check("log_format x $status:$body_bytes_sent $pipe;", "200:5p",
	    "status=200; body_bytes_sent=5; pipe=p");
	formats_check("\"$status \\\"$request\\\"\"", "200 \"GET /\"",
	    "status=200; request=GET /");
	formats_check("\"$status\" \"$request\"", "\"200\" \"GET /\"",
	    "status=200; request=GET /");
}

static void
braces_and_letter_case_make_no_other_name(void **state)
{
	(void)state;
	formats_check("${status}ms ${Request_Time}s", "404ms 0.250s",
	    "status=404; request_time=0.25");
	formats_check("$document_uri $query_string $status", "/a b=c 200",
	    "uri=/a; args=b=c; status=200");
}

static void
variables_without_a_separator_are_told_apart(void **state)
{
	(void)state;
	formats_check("$scheme$host$request_uri $status",
	    "httpsexample.com/a?b=/c 200",
	    "scheme=https; host=example.com; request_uri=/a?b=/c; status=200");
	formats_check("\"$scheme://$host$uri$is_args$args\" $status",
	    "\"http://[::1]/a/b?c=d?e\" 301",
	    "scheme=http; host=[::1]; uri=/a/b; is_args=?; args=c=d?e; "
	    "status=301");
	formats_check("\"$scheme://$host$uri$is_args$args\" $status",
	    "\"http://h/a\" 301",
	    "scheme=http; host=h; uri=/a; is_args=; args=; status=301");
	formats_check("$ssl_protocol/$ssl_cipher $status$body_bytes_sent$pipe",
	    "TLSv1.3/TLS_AES_256_GCM_SHA384 200612.",
	    "ssl_protocol=TLSv1.3; ssl_cipher=TLS_AES_256_GCM_SHA384; "
	    "status=200; body_bytes_sent=612; pipe=.");
	formats_check("$ssl_protocol/$ssl_cipher $status", "-/- 200",
	    "ssl_protocol=-; ssl_cipher=-; status=200");
	formats_check("$request_time$status", "0.123200",
	    "request_time=0.123; status=200");
}

static void
delimiters_of_all_kinds_end_a_value(void **state)
{
	(void)state;
	formats_check("$remote_addr\t$http_user_agent\t$status\t$request_time",
	    "::1\tcurl 7 (x)\t200\t0.5",
	    "remote_addr=::1; http_user_agent=curl 7 (x); status=200; "
	    "request_time=0.5");
	formats_check("$remote_addr\\t$status", "::1\t200",
	    "remote_addr=::1; status=200");
	formats_check("$time_local|$request|$status|$upstream_response_time|x",
	    TIME "|GET / HTTP/1.1|200|0.1, 0.2|x",
	    "time_local=" TIME "; request=GET / HTTP/1.1; status=200; "
	    "upstream_response_time=0.3");
	formats_check("$http_user_agent | $status  $body_bytes_sent",
	    "a |b| c | 200  5",
	    "http_user_agent=a |b| c; status=200; body_bytes_sent=5");
	formats_check("$remote_addr:$remote_port $server_name:$server_port "
		      "$status",
	    "2001:db8::1:4711 [::1]:443 200",
	    "remote_addr=2001:db8::1; remote_port=4711; server_name=[::1]; "
	    "server_port=443; status=200");
	formats_check("$time_local $time_iso8601 $msec $status",
	    TIME " 2019-12-25T08:06:42+03:00 1577250402.123 200",
	    "time_local=" TIME "; time_iso8601=2019-12-25T08:06:42+03:00; "
	    "msec=1577250402.123; status=200");
	formats_check("$http_user_agent $status", "curl 7 (a b) 200",
	    "http_user_agent=curl 7 (a b); status=200");
	formats_check("$status,$request_time,$http_host",
	    "200,0.1,example.com:443",
	    "status=200; request_time=0.1; http_host=example.com:443");
	formats_check("rt=$request_time uct=\"$upstream_connect_time\" $status",
	    "rt=0.1 uct=\"0.1, 0.2\" 502",
	    "request_time=0.1; upstream_connect_time=0.3; status=502");
}

/* A client of a unix-domain socket has none. */
static void
a_port_may_be_missing(void **state)
{
	(void)state;
	formats_check("$remote_addr:$remote_port $status", "unix:: 200",
	    "remote_addr=unix:; remote_port=; status=200");
	formats_check("$remote_addr:$remote_port $status", "::1:4711 200",
	    "remote_addr=::1; remote_port=4711; status=200");
	formats_check("$server_name:$server_port $status", "a.example: 200",
	    "server_name=a.example; server_port=; status=200");
	formats_check("$remote_port $status", "- 200",
	    "remote_port=-; status=200");
	formats_check("$status $remote_port", "200 ",
	    "status=200; remote_port=");
	formats_check("$remote_port $status", "http 200", "unparsed");
}

/* What is known of the next columns tells where a text ends. */
static void
a_text_may_hold_its_delimiter_before_a_number(void **state)
{
	static const char *const delimiters[] = { ";", ",", "|", "\t", " | ",
		"; ", " " };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(delimiters) / sizeof(delimiters[0]); i++) {
		const char *d = delimiters[i];
		char format[200], line[200], fields[300];

		(void)snprintf(format, sizeof(format),
		    "$remote_addr%s$request%s$status%s$body_bytes_sent%s"
		    "$http_user_agent%s$request_time%s$pipe",
		    d, d, d, d, d, d);
		(void)snprintf(line, sizeof(line),
		    "::1%sGET /a%sb%sc HTTP/1.1%s200%s5%sM/5 (a%s 1%sb)%s0.500%s.",
		    d, d, d, d, d, d, d, d, d, d);
		(void)snprintf(fields, sizeof(fields),
		    "remote_addr=::1; request=GET /a%sb%sc HTTP/1.1; "
		    "status=200; body_bytes_sent=5; http_user_agent=M/5 "
		    "(a%s 1%sb); request_time=0.5; pipe=.",
		    d, d, d, d);
		formats_check(format, line, fields);
	}
	/* A status and bytes, not the words of a text. */
	formats_check("$http_user_agent $status $body_bytes_sent",
	    "M/5 (x 404 y 17 200 z) 200 612",
	    "http_user_agent=M/5 (x 404 y 17 200 z); status=200; "
	    "body_bytes_sent=612");
	formats_check("$request_uri;$status;$pipe", "/a;b;c;200;.",
	    "request_uri=/a;b;c; status=200; pipe=.");
	formats_check("$http_x_team $status $body_bytes_sent",
	    "web 2 and more 200 612",
	    "http_x_team=web 2 and more; status=200; body_bytes_sent=612");
	/* Where nothing is known of them, the first one ends it. */
	formats_check("$status;$http_user_agent;$request_id", "200;a;b;c",
	    "status=200; http_user_agent=a; request_id=b");
	/* The last column, if it is no text, ends there as well. */
	formats_check("$status;$body_bytes_sent", "200;5;x y",
	    "status=200; body_bytes_sent=5");
	formats_check("$status|$request_time", "200|0.5|x y",
	    "status=200; request_time=0.5");
	formats_check("$status,$upstream_response_time", "200,0.1, 0.2,x",
	    "status=200; upstream_response_time=0.3");
	formats_check("$status\t$remote_addr", "200\t::1\tx",
	    "status=200; remote_addr=::1");
	/* Numbers that are none cost their fields only. */
	formats_check("$request;$status;$body_bytes_sent", "GET /;-;0x1f",
	    "request=GET /; status none; body_bytes_sent error");
	formats_check("$status;$http_user_agent;$request_time", "200;a;nan",
	    "status=200; http_user_agent=a; request_time error");
	formats_check("$request;$status;$body_bytes_sent", "GET /;x;5",
	    "unparsed");
}

/* Nothing comes after it: what separates the columns is its own there. */
static void
a_text_that_is_the_last_keeps_the_separator(void **state)
{
	static const char delimiters[] = { ';', ',', '|', '\t' };
	static const char *const names[] = { "request_uri", "uri", "args",
		"http_referer", "http_user_agent", "request", "remote_user" };
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(delimiters); i++) {
		for (j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
			char d = delimiters[i];
			char format[100], line[100], fields[100];

			(void)snprintf(format, sizeof(format), "$status%c$%s",
			    d, names[j]);
			(void)snprintf(line, sizeof(line), "200%c/a%cb=1?x%cz",
			    d, d, d);
			(void)snprintf(fields, sizeof(fields),
			    "status=200; %s=/a%cb=1?x%cz", names[j], d, d);
			formats_check(format, line, fields);
		}
	}
	formats_check("$status,$http_x_forwarded_for", "200,10.0.0.1, 10.0.0.2",
	    "status=200; http_x_forwarded_for=10.0.0.1, 10.0.0.2");
	formats_check(
	    "nginx:$remote_addr;$status;$body_bytes_sent;$request_uri",
	    "1.2.3.4;200;5;/a;jsessionid=1?x=y;z",
	    "remote_addr=1.2.3.4; status=200; body_bytes_sent=5; "
	    "request_uri=/a;jsessionid=1?x=y;z");
}

/* A path with spaces is between the method and the protocol. */
static void
a_path_may_hold_spaces_before_its_protocol(void **state)
{
	(void)state;
	formats_check("$request_method $request_uri $server_protocol $status",
	    "GET /a b c HTTP/1.1 200",
	    "request_method=GET; request_uri=/a b c; "
	    "server_protocol=HTTP/1.1; status=200");
	formats_check("\"$request_method $uri $server_protocol\" $status",
	    "\"GET /a b\\\"c d HTTP/1.1\" 200",
	    "request_method=GET; uri=/a b\\\"c d; "
	    "server_protocol=HTTP/1.1; status=200");
	/* Of a request that has none it is still a word. */
	formats_check("\"$request_method $request_uri $server_protocol\" "
		      "$status",
	    "\"GET / -\" 400",
	    "request_method=GET; request_uri=/; server_protocol=-; status=400");
}

/* Of a bad request: what a client wrote further on is not its protocol. */
static void
a_protocol_may_be_missing(void **state)
{
	(void)state;
	formats_check("nginx:$remote_addr $request_uri $server_protocol "
		      "$status $body_bytes_sent \"$http_user_agent\"",
	    "10.0.0.1 /x  400 5 \"a HTTP/1.1 200 7 b\"",
	    "remote_addr=10.0.0.1; request_uri=/x; server_protocol=; "
	    "status=400; body_bytes_sent=5; "
	    "http_user_agent=a HTTP/1.1 200 7 b");
	formats_check("nginx:$remote_addr $request_uri $server_protocol "
		      "$status $body_bytes_sent \"$http_user_agent\"",
	    "10.0.0.1 /x - 400 5 \"a HTTP/1.1 200 7 b\"",
	    "remote_addr=10.0.0.1; request_uri=/x; server_protocol=-; "
	    "status=400; body_bytes_sent=5; "
	    "http_user_agent=a HTTP/1.1 200 7 b");
	formats_check("nginx:$remote_addr;$request_uri;$server_protocol;"
		      "$status;$http_user_agent",
	    "1.2.3.4;/x;;400;evil;HTTP/1.1;200;x",
	    "remote_addr=1.2.3.4; request_uri=/x; server_protocol=; "
	    "status=400; http_user_agent=evil;HTTP/1.1;200;x");
	formats_check("$status $request_uri $server_protocol "
		      "\"$http_user_agent\"",
	    "400 /x - \"a HTTP/1.1 \\x22b\"",
	    "status=400; request_uri=/x; server_protocol=-; "
	    "http_user_agent=a HTTP/1.1 \\x22b");
	formats_check("$request;$status;$server_protocol;$http_user_agent",
	    "-;400;;a;200;HTTP/1.1;b",
	    "request=-; status=400; server_protocol=; "
	    "http_user_agent=a;200;HTTP/1.1;b");
	/* Spaces and dashes of a path before a protocol are the path's. */
	formats_check("$request_method $request_uri $server_protocol $status",
	    "GET /a - b  c HTTP/1.1 200",
	    "request_method=GET; request_uri=/a - b  c; "
	    "server_protocol=HTTP/1.1; status=200");
	formats_check("\"$request_method $request_uri $server_protocol\" "
		      "$status",
	    "\"GET /a - b  c HTTP/1.1\" 200",
	    "request_method=GET; request_uri=/a - b  c; "
	    "server_protocol=HTTP/1.1; status=200");
}

static void
parts_of_a_quoted_request_are_fields(void **state)
{
	(void)state;
	formats_check("\"$request_method $request_uri $server_protocol\" "
		      "$status",
	    "\"GET /a\\x22b?c HTTP/2.0\" 200",
	    "request_method=GET; request_uri=/a\\x22b?c; "
	    "server_protocol=HTTP/2.0; status=200");
	formats_check("\"$request_method $uri\" $status",
	    "\"GET /a\\\" b\" 200",
	    "request_method=GET; uri=/a\\\" b; "
	    "status=200");
}

#define TIMES "$status $request_time $upstream_response_time"

static void
upstream_lists_are_one_value(void **state)
{
	(void)state;
	formats_check(TIMES, "200 0.5 0.001, 0.002 : 0.003",
	    "status=200; request_time=0.5; upstream_response_time=0.006");
	formats_check(TIMES, "200 0.5 0.001 : ",
	    "status=200; request_time=0.5; upstream_response_time=0.001");
	formats_check(TIMES, "200 0.5 -",
	    "status=200; request_time=0.5; upstream_response_time none");
	formats_check(TIMES, "200 0.5 -, -",
	    "status=200; request_time=0.5; upstream_response_time none");
	formats_check("escape=json " TIMES, "200 0.5 ",
	    "status=200; request_time=0.5; upstream_response_time none");
	formats_check("escape=json $status $request_time $pipe", "200  .",
	    "status=200; request_time none; pipe=.");
	formats_check(TIMES, "502 0.5 0.100, -",
	    "status=502; request_time=0.5; upstream_response_time=0.1");
	formats_check(TIMES, "200 - nan",
	    "status=200; request_time none; upstream_response_time error");
	formats_check(TIMES, "200 0x1f 1_000",
	    "status=200; request_time error; upstream_response_time error");
	formats_check("$upstream_addr $upstream_status $status "
		      "$upstream_response_time",
	    "[2a02::7]:5000, unix:/run/s : 10.0.0.1:80 502, - : 200 200 "
	    "0.1, - : 0.2",
	    "upstream_addr=[2a02::7]:5000, unix:/run/s : 10.0.0.1:80; "
	    "upstream_status=502, - : 200; status=200; "
	    "upstream_response_time=0.3");
	formats_check("$http_x_forwarded_for $status $http_x_forwarded_for",
	    "10.0.0.1, 10.0.0.2 200 10.0.0.1, 10.0.0.2",
	    "http_x_forwarded_for=10.0.0.1, 10.0.0.2; status=200");
	formats_check("[$upstream_response_time] $status", "[0.1, 0.2] 200",
	    "upstream_response_time=0.3; status=200");
}

static void
escaped_values_are_kept_as_they_are(void **state)
{
	(void)state;
	formats_check("escape=none \"$request\" $status", "\"GET /a\"b \" 200",
	    "request=GET /a\"b ; status=200");
	formats_check("escape=json {\"r\":\"$request\",\"s\":$status,"
		      "\"t\":$request_time,\"u\":\"$http_user_agent\"}",
	    "{\"r\":\"GET \\\"\\\\ \\u0001 HTTP/1.1\",\"s\":200,\"t\":0.5,"
	    "\"u\":\"\"}",
	    "request=GET \\\"\\\\ \\u0001 HTTP/1.1; status=200; "
	    "request_time=0.5; http_user_agent=");
	formats_check("\"$request\" $status", "\"\\x16\\x03\\x01\" 400",
	    "request=\\x16\\x03\\x01; status=400");
}

static void
a_torn_or_longer_line_keeps_its_core(void **state)
{
	(void)state;
	formats_check("$status $request_time $http_host", "200 0.5",
	    "status=200; request_time=0.5; http_host error");
	formats_check("$status $request_time $http_host", "200 0.5 h and more",
	    "status=200; request_time=0.5; http_host=h");
	formats_check("$status \"$http_user_agent\"", "200 \"cur",
	    "status=200; http_user_agent error");
	formats_check("$request_time $status", "0.5 ", "unparsed");
	formats_check("$status $status", "200 404", "status=200");
}

static void
what_is_wrong_is_said_with_its_column(void **state)
{
	(void)state;
	formats_refuse("$status $", 9, "\"$\" without a name");
	formats_refuse("$status $-", 9, "\"$\" without a name");
	formats_refuse("$status ${a", 9, "\"${\" without \"}\"");
	formats_refuse("$status ${a-b}", 9, "\"${\" without \"}\"");
	formats_refuse("$status ${}", 9, "\"$\" without a name");
	formats_refuse("$status $1", 9, "is no variable");
	formats_refuse("nginx:$status $", 15, "\"$\" without a name");
	formats_refuse("'$status ' '$'", 13, "\"$\" without a name");
	formats_refuse("escape=xml $status", 8, "\"xml\" is no way to escape");
	formats_refuse("log_format m escape= '$status';", 21,
	    "\"\" is no way to escape");
	formats_refuse("log_format '$status'", 12, "without a name");
	formats_refuse("log_format ", 12, "without a name");
	formats_refuse("log_format m '$status", 14, "a quote that is not");
	formats_refuse("'$status' $request", 11, "between the quoted");
	formats_refuse("log_format m '$status'; x", 25, "text after the");
	formats_refuse("log_format m;", 0, "none of the fields");
	formats_refuse("$remote_addr", 0, "as in $status");
	formats_refuse("nginx:", 0, "none of the fields");
	formats_refuse("$remote_addr $statu", 14,
	    "write status in place of statu");
	formats_refuse("nginx:%h %>s", 0, "none of the fields");
}

static void
a_format_cut_anywhere_is_read_inside_of_itself(void **state)
{
	(void)state;
	formats_check_cuts("log_format main escape=json '${remote_addr}:$x\\' '"
			   " # c\n\"$status\\\"$upstream_response_time\"  ; ");
	formats_check_cuts("nginx:" COMBINED);
}

static void
each_allocation_failure_is_reported_and_leaks_nothing(void **state)
{
	(void)state;
	formats_check_allocations(COMBINED);
	formats_check_allocations("'$status' '$a|$b|$c|$d'");
	formats_check_allocations("$uri$is_args$args;$status;$request_time");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    every_way_to_write_a_format_is_the_same_format),
		cmocka_unit_test(braces_and_letter_case_make_no_other_name),
		cmocka_unit_test(variables_without_a_separator_are_told_apart),
		cmocka_unit_test(delimiters_of_all_kinds_end_a_value),
		cmocka_unit_test(a_port_may_be_missing),
		cmocka_unit_test(a_text_may_hold_its_delimiter_before_a_number),
		cmocka_unit_test(a_text_that_is_the_last_keeps_the_separator),
		cmocka_unit_test(a_path_may_hold_spaces_before_its_protocol),
		cmocka_unit_test(a_protocol_may_be_missing),
		cmocka_unit_test(parts_of_a_quoted_request_are_fields),
		cmocka_unit_test(upstream_lists_are_one_value),
		cmocka_unit_test(escaped_values_are_kept_as_they_are),
		cmocka_unit_test(a_torn_or_longer_line_keeps_its_core),
		cmocka_unit_test(what_is_wrong_is_said_with_its_column),
		cmocka_unit_test(
		    a_format_cut_anywhere_is_read_inside_of_itself),
		cmocka_unit_test(
		    each_allocation_failure_is_reported_and_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
