/*
 * Rules and the values of a label: whatever a user writes as a rule and a
 * client as a value, a value is clean, short, the same each time, and within
 * the budget.
 *
 *	byte 0	the normaliser; from 16 on the field is `status`
 *	byte 1	the budget
 *	byte 2	how long a value may be, in units of 4 bytes
 *	rest	lines: a regex, a replacement, and values
 */
#include <assert.h>
#include <errno.h>

#include "accesslog/bounds.h"
#include "accesslog/labels.h"
#include "accesslog/pattern.h"

#include "fuzz.h"

/* More would make one input slow, and find nothing new. */
#define MAX_VALUES 64

static struct str
next_line(struct str *rest)
{
	size_t n = str_find_char(*rest, '\n');
	struct str line = str_of(rest->data, n);

	*rest = str_after(*rest, n < rest->len ? n + 1 : n);
	return line;
}

/* free(); a NUL ends it, as everything in a configuration. */
static char *
terminated(struct str s)
{
	char *text = strndup(s.len ? s.data : "", s.len);

	assert(text);
	return text;
}

/* What a rule gives lies in its room, and it says the same each time. */
static void
check_rule(const char *regex, const char *replacement, struct str value)
{
	static char room[BOUNDS_RULE_BYTES];
	struct pattern_rule *r = NULL;
	struct config_error why = { 0 };
	struct str result = { 0 };
	int error = pattern_rule_create(str_from(regex), str_from(replacement),
	    &r, &why);

	if (error) {
		assert(error == -EINVAL && !r);
		assert(*why.text && why.column <= strlen(regex) + 1);
		return;
	}
	if (pattern_rule_apply(r, value, room, &result)) {
		assert(result.data == room && result.len <= sizeof(room));
		assert(pattern_rule_matches(r, value));
	} else {
		assert(!result.data && !pattern_rule_matches(r, value));
	}
	pattern_rule_destroy(r);
}

/* Normalisers are done when they are done. */
static void
check_normalisers(struct str value)
{
	static struct labels_scratch once, again;
	struct str path = labels_path(value, &once);

	assert(str_find_char(path, '?') == path.len);
	assert(str_find_char(path, '#') == path.len);
	/* What is cut at the room's end may end in an id again. */
	if (path.len < sizeof(once.bytes))
		assert(str_equal(labels_path(path, &again), path));
	assert(labels_host(value, &once).len <= value.len);
	assert(labels_status_class(value).len <= 3);
	assert(labels_method(value).len <= 7);
}

struct seen {
	size_t n;
	struct str raw[MAX_VALUES];
	char *value[MAX_VALUES]; /* owned */
	size_t len[MAX_VALUES];
};

/* Asks for a value; what was said of the same before must be said again. */
static void
check_value(struct labels *l, struct str raw, size_t max_bytes,
    struct seen *seen)
{
	struct labels_scratch scratch;
	struct str guarded = fuzz_exact(raw);
	struct str value;
	bool overflowed = false;
	size_t i;

	assert(!labels_value(l, guarded, &value, &overflowed));
	/* `other` is short and always as it is. */
	assert(
	    overflowed || value.len <= max_bytes || str_equal(value, STR("-")));
	if (!overflowed)
		assert(
		    labels_clean(value, sizeof(scratch.bytes), &scratch).data ==
		    value.data);
	else
		assert(str_equal(value, LABELS_OTHER));
	for (i = 0; i < seen->n; i++) {
		if (str_equal(seen->raw[i], raw))
			assert(str_equal(str_of(seen->value[i], seen->len[i]),
			    value));
	}
	if (seen->n < MAX_VALUES) {
		seen->raw[seen->n] = raw;
		seen->value[seen->n] = terminated(value);
		seen->len[seen->n] = strlen(seen->value[seen->n]);
		if (seen->len[seen->n] == value.len)
			seen->n++;
		else /* a NUL in it */
			free(seen->value[seen->n]);
	}
	free((char *)(uintptr_t)guarded.data);
}

/* How many different values there are that are not `other`. */
static size_t
n_distinct(const struct seen *seen)
{
	size_t n = 0;
	size_t i, j;

	for (i = 0; i < seen->n; i++) {
		struct str value = str_of(seen->value[i], seen->len[i]);

		if (str_equal(value, LABELS_OTHER))
			continue;
		for (j = 0; j < i; j++) {
			if (str_equal(value,
				str_of(seen->value[j], seen->len[j])))
				break;
		}
		n += j == i;
	}
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = str_of((const char *)data, size);
	uint8_t choice = fuzz_byte(&input);
	uint8_t budget = fuzz_byte(&input);
	uint32_t max_bytes = 4u * fuzz_byte(&input);
	char *regex = terminated(next_line(&input));
	char *replacement = terminated(next_line(&input));
	struct config_rule rule = { .regex = regex,
		.replacement = replacement };
	char name[] = "a";
	char status[] = "status";
	const struct config_label spec = { .name = name,
		.from = choice < 16 ? name : status,
		.normalizer = choice % (CONFIG_HOST + 1),
		.n_rules = *regex != '\0',
		.rules = &rule,
		.budget = budget,
		.max_bytes = max_bytes };
	struct config_error why = { 0 };
	struct labels *l = NULL;
	struct seen seen = { 0 };
	struct str values = input;
	size_t i;
	int round;
	int error = labels_create(&spec, 1, &l, &why);

	check_rule(regex, replacement, next_line(&input));
	if (error) {
		assert(error == -EINVAL && !l);
	} else {
		for (round = 0; round < 2; round++) {
			input = values;
			for (i = 0; i < MAX_VALUES / 2 && input.len; i++) {
				struct str value = next_line(&input);

				check_normalisers(value);
				check_value(l, value,
				    max_bytes ? max_bytes
					      : BOUNDS_LABEL_VALUE_BYTES,
				    &seen);
			}
		}
		if (budget)
			assert(n_distinct(&seen) <= budget);
	}
	for (i = 0; i < seen.n; i++)
		free(seen.value[i]);
	labels_destroy(l);
	free(replacement);
	free(regex);
	return 0;
}
