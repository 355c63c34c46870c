#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "accesslog/buf.h"
#include "accesslog/ingest_absent.h"
#include "accesslog/registry.h"
#include "support.h"

/* What is told of a configuration is what is expected. */
static void
assert_told(struct str text, struct str expected)
{
	struct registry *registry;
	struct metrics metrics;
	struct ingest *ingest;
	struct config *config;
	struct config_error why = { 0 };
	struct buf told;

	buf_init(&told, 4096);
	assert_int_equal(registry_create(1, &registry), 0);
	assert_int_equal(metrics_init(&metrics, registry), 0);
	assert_int_equal(config_parse(text, &config, &why), 0);
	assert_int_equal(ingest_create(&metrics, config, false, &ingest, &why),
	    0);
	ingest_absent_visit(ingest, config, support_note_error, &told);
	config_destroy(config);
	assert_str(buf_str(&told), expected);
	buf_release(&told);
	ingest_destroy(ingest);
	registry_destroy(registry);
}

#define SOURCE(format) "sources:\n- paths: a.log\n  format: " format "\n"
#define METRIC(rest)                                                           \
	"metrics:\n- name: x_total\n  type: counter\n  help: x\n" rest "\n"

static void
a_field_that_its_format_has_is_not_told(void **state)
{
	(void)state;
	/* Derived from the request, and the server's own. */
	assert_told(
	    STR(SOURCE("combined") METRIC("  value: body_bytes_sent\n"
					  "  labels: [request_method, status, "
					  "{name: a, from: http_user_agent}]")),
	    STR(""));
	assert_told(STR(SOURCE("'$status $own'") METRIC("  labels: [own]")),
	    STR(""));
}

static void
a_mistyped_field_is_told_with_its_place_and_what_was_meant(void **state)
{
	(void)state;
	assert_told(STR(SOURCE("combined") METRIC(
			"  value: body_bytes_snt\n  labels:\n  - status\n"
			"  - {name: agent, from: http_user_agnt}")),
	    STR("8:10: no format of a source has the field body_bytes_snt, "
		"which stays empty; write body_bytes_sent, or a format that "
		"has it\n"
		"11:25: no format of a source has the field http_user_agnt, "
		"which stays empty; write http_user_agent, or a format that "
		"has it\n"));
}

static void
a_known_field_is_told_where_the_format_has_it_not(void **state)
{
	(void)state;
	assert_told(STR(SOURCE("common") METRIC("  labels: [http_user_agent]")),
	    STR("8:12: no format of a source has the field http_user_agent, "
		"which stays empty; write one that explain shows, or a format "
		"that has it\n"));
}

static void
one_source_of_several_or_one_format_of_a_list_is_enough(void **state)
{
	(void)state;
	assert_told(STR("sources:\n- paths: a.log\n  format: common\n"
			"- paths: b.log\n  format: combined\n" METRIC(
			    "  labels: [http_user_agent]")),
	    STR(""));
	assert_told(STR(SOURCE("[combined, common]")
			    METRIC("  labels: [http_user_agent]")),
	    STR(""));
}

static void
a_format_that_is_recognised_can_be_any_that_is_shipped(void **state)
{
	(void)state;
	assert_told(STR(SOURCE("auto") METRIC("  labels: [http_user_agent, "
					      "upstream_response_time]")),
	    STR(""));
	assert_told(STR(SOURCE("auto") METRIC("  labels: [nobody_has_this]")),
	    STR("8:12: no format of a source has the field nobody_has_this, "
		"which stays empty; write one that explain shows, or a format "
		"that has it\n"));
}

static void
a_rule_needs_the_field_in_its_own_source(void **state)
{
	(void)state;
	assert_told(STR("sources:\n- paths: a.log\n  format: common\n"
			"  drop: {field: http_user_agent, regex: bot}\n"
			"- paths: b.log\n  format: combined\n"
			"  drop: {field: http_user_agent, regex: bot}\n"),
	    STR("4:17: no format of this source has the field http_user_agent, "
		"which stays empty; write one that explain shows, or a format "
		"that has it\n"));
}

static void
without_a_source_nothing_is_told(void **state)
{
	(void)state;
	assert_told(STR(METRIC("  labels: [nobody_has_this]")), STR(""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_field_that_its_format_has_is_not_told),
		cmocka_unit_test(
		    a_mistyped_field_is_told_with_its_place_and_what_was_meant),
		cmocka_unit_test(
		    a_known_field_is_told_where_the_format_has_it_not),
		cmocka_unit_test(
		    one_source_of_several_or_one_format_of_a_list_is_enough),
		cmocka_unit_test(
		    a_format_that_is_recognised_can_be_any_that_is_shipped),
		cmocka_unit_test(a_rule_needs_the_field_in_its_own_source),
		cmocka_unit_test(without_a_source_nothing_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
