#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/buf.h"
#include "accesslog/ingest_misspelt.h"
#include "accesslog/registry.h"
#include "support.h"

struct fixture {
	struct registry *registry;
	struct metrics metrics;
	struct ingest *ingest;
	struct config *config;
};

static void
begin(struct fixture *f, struct config *config)
{
	struct config_error why = { 0 };

	f->config = config;
	assert_int_equal(registry_create(1, &f->registry), 0);
	assert_int_equal(metrics_init(&f->metrics, f->registry), 0);
	assert_int_equal(
	    ingest_create(&f->metrics, config, false, &f->ingest, &why), 0);
}

static void
end(struct fixture *f)
{
	ingest_destroy(f->ingest);
	registry_destroy(f->registry);
	config_destroy(f->config);
}

/* What is told of a configuration, which is taken, is what is expected. */
static void
assert_config_told(struct config *config, struct str expected)
{
	struct fixture f;
	struct buf told;

	buf_init(&told, 4096);
	begin(&f, config);
	assert_int_equal(
	    ingest_misspelt_visit(f.ingest, config, support_note_error, &told),
	    0);
	end(&f);
	assert_str(buf_str(&told), expected);
	buf_release(&told);
}

static struct config *
parsed(struct str text)
{
	struct config *config;
	struct config_error why = { 0 };

	assert_int_equal(config_parse(text, &config, &why), 0);
	return config;
}

static void
assert_told(struct str text, struct str expected)
{
	assert_config_told(parsed(text), expected);
}

/* As a command line has it, with one file. */
static void
assert_format_told(const char *format, struct str expected)
{
	struct config *config;

	assert_int_equal(config_create(&config), 0);
	assert_int_equal(config_add_source(config, "a.log", format), 0);
	assert_config_told(config, expected);
}

#define TOLD(misspelt, meant)                                                  \
	"the format has the field " misspelt ", which nothing uses, and "      \
	"lacks " meant "; write " meant " if that is meant\n"

static void
a_letter_too_few_too_many_wrong_or_exchanged_is_told(void **state)
{
	(void)state;
	assert_format_told("$request $statu",
	    STR("0:10: " TOLD("statu", "status")));
	assert_format_told("$request ${statuss}",
	    STR("0:10: " TOLD("statuss", "status")));
	assert_format_told("$request $stauts $body_bytes_send",
	    STR("0:10: " TOLD("stauts",
		"status") "0:18: " TOLD("body_bytes_send", "body_bytes_sent")));
	/* nginx does not tell upper from lower case. */
	assert_format_told("$request $STATUS", STR(""));
	assert_format_told("$request $STATU",
	    STR("0:10: " TOLD("statu", "status")));
	assert_format_told("$request $status $request_tine "
			   "$upstream_reponse_time",
	    STR("0:18: " TOLD("request_tine", "request_time") "0:32: " TOLD(
		"upstream_reponse_time", "upstream_response_time")));
}

static void
it_is_told_in_every_syntax(void **state)
{
	(void)state;
	assert_format_told("log_format main '$request '\n  '$statu';",
	    STR("0:32: " TOLD("statu", "status")));
	assert_format_told("%{WORD:request} %{STATUS:statu}",
	    STR("0:17: " TOLD("statu", "status")));
	assert_format_told("regex:(?<request>.*) (?<statu>[0-9]+)",
	    STR("0:22: " TOLD("statu", "status")));
	assert_format_told("json: request=r statu=status",
	    STR("0:17: " TOLD("statu", "status")));
	/* Apache's own directives are known or refused; headers are not. */
	assert_told(STR("sources:\n- paths: a.log\n"
			"  format: '%r %>s \"%{User-Agnt}i\"'\n"
			"metrics:\n- name: x_total\n  type: counter\n"
			"  labels: [http_user_agent]\n"),
	    STR("3:20: " TOLD("http_user_agnt", "http_user_agent")));
}

/* One variable after the other, each in a format that lacks the rest. */
static void
variables_that_nginx_and_its_modules_have_are_not_told(void **state)
{
	static const char *const names[] = { "ancient_browser", "arg_status",
		"args", "binary_remote_addr", "bytes_received", "connection",
		"connection_requests", "connection_time", "connections_active",
		"connections_reading", "connections_waiting",
		"connections_writing", "content_length", "content_type",
		"cookie_status", "date_gmt", "date_local", "document_root",
		"document_uri", "fastcgi_path_info", "fastcgi_script_name",
		"geoip2_data_country_code", "geoip_city", "geoip_city_country",
		"geoip_country_code", "geoip_country_code3", "geoip_org",
		"gzip_ratio", "host", "hostname", "http2", "http3",
		"http_accept", "http_cf_connecting_ip", "http_host",
		"http_x_forwarded_host", "http_x_forwarded_port",
		"http_x_forwarded_proto", "http_x_real_ip", "https",
		"invalid_referer", "is_args", "is_request_port",
		"jwt_claim_sub", "limit_conn_status", "limit_rate",
		"limit_req_status", "memcached_key", "modern_browser", "msec",
		"msie", "my_own", "my_status", "namespace", "nginx_version",
		"pid", "pipe", "protocol", "proxy_add_x_forwarded_for",
		"proxy_host", "proxy_port", "proxy_protocol_addr",
		"proxy_protocol_port", "proxy_protocol_server_addr",
		"proxy_protocol_tlv_aws_vpce_id", "proxy_upstream_name",
		"query_string", "realip_remote_addr", "realip_remote_port",
		"realpath_root", "remote_addr", "remote_port", "remote_user",
		"req_id", "request_body", "request_body_file",
		"request_completion", "request_filename", "request_id",
		"request_length", "request_method", "request_port",
		"request_uri", "scheme", "secure_link", "secure_link_expires",
		"sent_http_content_type", "sent_trailer_status", "server_addr",
		"server_name", "server_port", "server_protocol", "service_name",
		"session_log_id", "session_time", "slice_range",
		"ssl_alpn_protocol", "ssl_cipher", "ssl_ciphers",
		"ssl_client_cert", "ssl_client_i_dn", "ssl_client_s_dn",
		"ssl_client_serial", "ssl_curve", "ssl_curves",
		"ssl_early_data", "ssl_preread_server_name", "ssl_protocol",
		"ssl_server_name", "ssl_session_id", "ssl_session_reused",
		"tcpinfo_rcv_space", "tcpinfo_rtt", "tcpinfo_rttvar",
		"tcpinfo_snd_cwnd", "time_iso8601", "time_local", "trace_id",
		"uid_got", "uid_reset", "uid_set", "upstream_addr",
		"upstream_bytes_received", "upstream_bytes_sent",
		"upstream_cache_age", "upstream_cache_key",
		"upstream_cache_last_modified", "upstream_cache_status",
		"upstream_connect_time", "upstream_cookie_session",
		"upstream_first_byte_time", "upstream_header_time",
		"upstream_http_etag", "upstream_last_addr",
		"upstream_last_server_name", "upstream_queue_time",
		"upstream_response_length", "upstream_session_time",
		"upstream_status", "upstream_trailer_grpc_status", "uri", "url",
		"vhost" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct buf config;

		buf_init(&config, 1024);
		buf_add_format(&config,
		    "sources:\n- {paths: a.log, format: '$request \"$%s\"'}\n"
		    "metrics:\n- name: x_total\n  type: counter\n"
		    "  labels: [host, request_method, request_uri, uri,\n"
		    "    remote_addr, server_name, http_user_agent, http_host,\n"
		    "    upstream_cache_status, upstream_addr, scheme]\n",
		    names[i]);
		assert_int_equal(buf_status(&config), 0);
		assert_told(buf_str(&config), STR(""));
		buf_release(&config);
	}
}

static void
a_request_is_meant_where_a_part_of_it_is_used(void **state)
{
	(void)state;
	assert_format_told("$reqest $status", STR(""));
	assert_told(
	    STR("sources:\n- {paths: a.log, format: '$reqest $status'}\n"
		"metrics:\n- name: x_total\n  type: counter\n"
		"  labels: [request_method]\n"),
	    STR("2:27: " TOLD("reqest", "request")));
}

static void
what_the_format_has_already_is_not_meant_again(void **state)
{
	(void)state;
	assert_format_told("$request $status $statu", STR(""));
	/* request_method comes from the request. */
	assert_told(STR("sources:\n- {paths: a.log,\n"
			"  format: '$request $request_methof'}\n"
			"metrics:\n- name: x_total\n  type: counter\n"
			"  labels: [request_method]\n"),
	    STR(""));
}

static void
what_nothing_uses_is_not_meant(void **state)
{
	(void)state;
	assert_format_told("$request $upstream_addres", STR(""));
	assert_told(STR("default_metrics: false\nsources:\n"
			"- {paths: a.log, format: '$request $statu'}\n"
			"metrics:\n- name: x_total\n  type: counter\n"
			"  labels: [request_method]\n"),
	    STR(""));
}

static void
what_is_used_is_no_slip(void **state)
{
	(void)state;
	assert_told(STR("sources:\n"
			"- {paths: a.log, format: '$request $statu'}\n"
			"metrics:\n- name: x_total\n  type: counter\n"
			"  labels: [statu]\n"),
	    STR(""));
}

static void
a_field_of_ones_own_may_be_meant(void **state)
{
	(void)state;
	assert_told(STR("sources:\n- paths: a.log\n"
			"  format: '$status $tenat'\n"
			"  drop: {field: tenant, regex: test}\n"),
	    STR("3:20: " TOLD("tenat", "tenant")));
}

static void
each_place_of_a_configuration_is_told(void **state)
{
	(void)state;
	assert_told(
	    STR("sources:\n"
		"- paths: a.log\n  format: [common, '$request $statu']\n"
		"- paths: b.log\n  format: common\n"
		"- paths: c.log\n  format: >-\n    $request\n"
		"    $statu\n"
		"- paths: d.log\n  format: '$request $statu'\n"),
	    STR("3:30: " TOLD("statu", "status") "9:5: " TOLD("statu",
		"status") "11:21: " TOLD("statu", "status")));
}

static void
a_place_that_several_sources_share_is_told_once(void **state)
{
	(void)state;
	assert_told(STR("sources:\n"
			"- paths: a.log\n  format: &own '$request $statu'\n"
			"- paths: b.log\n  format: '$request $statu'\n"
			"- paths: c.log\n  format: *own\n"
			"- paths: d.log\n  format: [common, *own]\n"),
	    STR("3:11: the format has the field statu, which nothing uses, "
		"and lacks status; write status if that is meant (column 10 of "
		"this text)\n5:21: " TOLD("statu", "status")));
}

static void
the_format_of_a_command_line_is_told_once(void **state)
{
	struct config *config;

	(void)state;
	assert_int_equal(config_create(&config), 0);
	assert_int_equal(config_add_source(config, "a.log", "$request $statu"),
	    0);
	assert_int_equal(config_add_source(config, "b.log", "$request $statu"),
	    0);
	assert_config_told(config, STR("0:10: " TOLD("statu", "status")));
}

static void
nothing_is_told_of_shipped_formats(void **state)
{
	(void)state;
	assert_format_told("auto", STR(""));
	assert_format_told("combined", STR(""));
	assert_format_told("json", STR(""));
	assert_told(STR("default_metrics: true\n"), STR(""));
}

static void
a_failed_allocation_is_no_crash(void **state)
{
	struct fixture f;
	struct buf told;
	unsigned long n;

	(void)state;
	begin(&f,
	    parsed(STR("sources:\n"
		       "- {paths: a, format: '$request $statu'}\n")));
	for (n = 1;; n++) {
		int error;

		buf_init(&told, 4096);
		assert_non_null(buf_reserve(&told, 1024));
		support_fail_allocation(n);
		error = ingest_misspelt_visit(f.ingest, f.config,
		    support_note_error, &told);
		support_stop_failing();
		buf_release(&told);
		assert_int_equal(error, support_did_fail() ? -ENOMEM : 0);
		if (!support_did_fail())
			break;
	}
	assert_true(n > 1);
	end(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_letter_too_few_too_many_wrong_or_exchanged_is_told),
		cmocka_unit_test(it_is_told_in_every_syntax),
		cmocka_unit_test(
		    variables_that_nginx_and_its_modules_have_are_not_told),
		cmocka_unit_test(
		    what_the_format_has_already_is_not_meant_again),
		cmocka_unit_test(a_request_is_meant_where_a_part_of_it_is_used),
		cmocka_unit_test(what_nothing_uses_is_not_meant),
		cmocka_unit_test(what_is_used_is_no_slip),
		cmocka_unit_test(a_field_of_ones_own_may_be_meant),
		cmocka_unit_test(each_place_of_a_configuration_is_told),
		cmocka_unit_test(
		    a_place_that_several_sources_share_is_told_once),
		cmocka_unit_test(the_format_of_a_command_line_is_told_once),
		cmocka_unit_test(nothing_is_told_of_shipped_formats),
		cmocka_unit_test(a_failed_allocation_is_no_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
