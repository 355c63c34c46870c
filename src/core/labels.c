#include "accesslog/labels.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "accesslog/pattern.h"
#include "accesslog/request.h"

/*
 * The length of the well-formed sequence at s (1 to 4), or 0; *ret_bad is then
 * how many bytes belong to the malformed one (Unicode, table 3-7, and
 * "substitution of maximal subparts").
 */
static size_t
sequence_len(struct str s, size_t *ret_bad)
{
	const unsigned char *p = (const unsigned char *)s.data;
	unsigned char low = 0x80, high = 0xBF;
	size_t need, i;

	*ret_bad = 1;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xC2 || p[0] > 0xF4)
		return 0;
	need = p[0] < 0xE0 ? 1 : p[0] < 0xF0 ? 2 : 3;
	if (p[0] == 0xE0)
		low = 0xA0; /* no overlong forms */
	if (p[0] == 0xED)
		high = 0x9F; /* no surrogates */
	if (p[0] == 0xF0)
		low = 0x90;
	if (p[0] == 0xF4)
		high = 0x8F; /* nothing above U+10FFFF */

	for (i = 1; i <= need; i++) {
		if (i == s.len || p[i] < low || p[i] > high)
			return 0;
		*ret_bad = i + 1;
		low = 0x80;
		high = 0xBF;
	}
	return need + 1;
}

/* Nearly all values are, from end to end. */
static bool
is_ascii(struct str s)
{
	uint64_t eight, all = 0;
	size_t i;

	for (i = 0; s.len - i >= sizeof(eight); i += sizeof(eight)) {
		memcpy(&eight, s.data + i, sizeof(eight));
		all |= eight;
	}
	for (; i < s.len; i++)
		all |= (unsigned char)s.data[i];
	return !(all & UINT64_C(0x8080808080808080));
}

static bool
is_clean(struct str s, size_t max_bytes)
{
	size_t bad;

	if (s.len > max_bytes)
		return false;
	if (is_ascii(s))
		return true;
	while (s.len) {
		size_t n = sequence_len(s, &bad);

		if (!n)
			return false;
		s = str_after(s, n);
	}
	return true;
}

struct str
labels_clean(struct str value, size_t max_bytes, struct labels_scratch *scratch)
{
	static const char replacement[] = "\xEF\xBF\xBD";
	size_t len = 0;

	assert(max_bytes <= sizeof(scratch->bytes));
	if (is_clean(value, max_bytes))
		return value;
	while (value.len) {
		size_t bad;
		size_t n = sequence_len(value, &bad);
		struct str piece = n ? str_of(value.data, n)
				     : str_of(replacement, 3);

		if (len + piece.len > max_bytes)
			break;
		memcpy(scratch->bytes + len, piece.data, piece.len);
		len += piece.len;
		value = str_after(value, n ? n : bad);
	}
	return str_of(scratch->bytes, len);
}

void
labels_escape(struct str value, struct buf *out)
{
	size_t i, done = 0;

	for (i = 0; i < value.len; i++) {
		char c = value.data[i];

		if (c != '\\' && c != '"' && c != '\n')
			continue;
		buf_add(out, str_of(value.data + done, i - done));
		buf_add_char(out, '\\');
		buf_add_char(out, c == '\n' ? 'n' : c);
		done = i + 1;
	}
	if (done < value.len)
		buf_add(out, str_after(value, done));
}

/* Normalisers */

struct str
labels_method(struct str value)
{
	static const struct str known[] = { { "GET", 3 }, { "POST", 4 },
		{ "HEAD", 4 }, { "PUT", 3 }, { "DELETE", 6 }, { "OPTIONS", 7 },
		{ "PATCH", 5 }, { "CONNECT", 7 }, { "TRACE", 5 } };
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (str_equal(value, known[i]))
			return known[i];
	}
	return LABELS_OTHER;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

struct str
labels_status_class(struct str value)
{
	static const char classes[] = "0xx1xx2xx3xx4xx5xx6xx7xx8xx9xx";

	if (value.len != 3 || !is_digit(value.data[0]) ||
	    !is_digit(value.data[1]) || !is_digit(value.data[2]))
		return STR("-");
	return str_of(classes + 3 * (value.data[0] - '0'), 3);
}

static bool
is_uuid(struct str s)
{
	size_t i;

	if (s.len != 36)
		return false;
	for (i = 0; i < s.len; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s.data[i] != '-' : !is_hex(s.data[i]))
			return false;
	}
	return true;
}

/* Two digits from low to high at the front of s. */
static bool
two_digits(struct str s, int low, int high)
{
	int n;

	if (s.len < 2 || !is_digit(s.data[0]) || !is_digit(s.data[1]))
		return false;
	n = (s.data[0] - '0') * 10 + s.data[1] - '0';
	return n >= low && n <= high;
}

/* 2026-01, 2026-01-31, and the latter with a time of day behind a T. */
static bool
is_date(struct str s)
{
	if (s.len < 7 || !two_digits(s, 0, 99) ||
	    !two_digits(str_after(s, 2), 0, 99) || s.data[4] != '-' ||
	    !two_digits(str_after(s, 5), 1, 12))
		return false;
	s = str_after(s, 7);
	if (!s.len)
		return true;
	if (s.data[0] != '-' || !two_digits(str_after(s, 1), 1, 31))
		return false;
	s = str_after(s, 3);
	if (s.len && s.data[0] != 'T')
		return false;
	for (; s.len > 1; s.len--) {
		if (!is_digit(s.data[s.len - 1]) &&
		    !memchr(":.+-Z", s.data[s.len - 1], 5))
			return false;
	}
	return true;
}

/* A segment of a path that names one thing among many of its kind. */
static bool
is_id(struct str s)
{
	size_t n_digits = 0;
	size_t n_hex = 0;

	while (n_hex < s.len && is_hex(s.data[n_hex]))
		n_digits += is_digit(s.data[n_hex++]);
	if (!n_hex)
		return false;
	if (n_hex == s.len)
		return n_digits == s.len || (n_digits && s.len >= 8);
	return is_uuid(s) || is_date(s);
}

struct str
labels_path(struct str value, struct labels_scratch *room)
{
	struct str path = request_path(value);
	size_t len = 0;
	size_t done = 0; /* what of path is in room */
	size_t i = 0;

	while (i < path.len) {
		size_t end = i + str_find_char(str_after(path, i), '/');

		if (is_id(str_of(path.data + i, end - i))) {
			/* `:id` is longer than an id of one or two digits. */
			if (i - done > sizeof(room->bytes) - len ||
			    sizeof(room->bytes) - len - (i - done) < 3)
				break;
			memcpy(room->bytes + len, path.data + done, i - done);
			len += i - done;
			memcpy(room->bytes + len, ":id", 3);
			len += 3;
			done = end;
		}
		i = end + 1;
	}
	if (!done)
		return path;
	path = str_after(path, done);
	if (path.len > sizeof(room->bytes) - len)
		path.len = sizeof(room->bytes) - len;
	memcpy(room->bytes + len, path.data, path.len);
	return str_of(room->bytes, len + path.len);
}

/* Without `:port`; an IPv6 address has a port only behind brackets. */
static struct str
without_port(struct str host)
{
	size_t colon = str_find_char(host, ':');
	size_t i;

	if (host.len && host.data[0] == '[') {
		colon = str_find_char(host, ']');
		if (colon == host.len)
			return host;
		colon++;
	}
	if (colon == host.len || host.data[colon] != ':')
		return host;
	for (i = colon + 1; i < host.len; i++) {
		if (!is_digit(host.data[i]))
			return host;
	}
	return str_of(host.data, colon);
}

struct str
labels_host(struct str value, struct labels_scratch *room)
{
	struct str host = without_port(value);
	size_t i;

	if (host.len > 1 && host.data[host.len - 1] == '.')
		host.len--;
	for (i = 0; i < host.len; i++) {
		if (host.data[i] >= 'A' && host.data[i] <= 'Z')
			break;
	}
	if (i == host.len)
		return host;
	if (host.len > sizeof(room->bytes))
		host.len = sizeof(room->bytes);
	for (i = 0; i < host.len; i++) {
		char c = host.data[i];

		room->bytes[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a')
						      : c;
	}
	return str_of(room->bytes, host.len);
}

/* The values of one label */

/* What became of a value: raw, then the value, in bytes. */
struct remembered {
	uint64_t hash;
	uint16_t raw_len;
	uint16_t value_len;
	bool is_used;
	bool overflowed;
	char bytes[BOUNDS_LABEL_CACHE_BYTES - 16];
};

_Static_assert(sizeof(struct remembered) == BOUNDS_LABEL_CACHE_BYTES,
    "the arithmetic in bounds.h");

/* A value within the budget. */
struct admitted {
	uint64_t hash;
	size_t len;
	char *bytes; /* owned */
};

struct labels {
	enum config_normalizer normalizer;
	bool is_status; /* the field is `status`, as it is */
	uint64_t hash_seed;
	size_t max_bytes;
	size_t n_rules;
	struct pattern_rule **rules;
	struct remembered *remembered; /* NULL where there is nothing to save */

	uint32_t budget;
	uint32_t n_admitted;
	uint32_t table_size; /* a power of two, above twice n_admitted, or 0 */
	struct admitted *table; /* open addressing; bytes == NULL: free */

	struct labels_scratch normal; /* of the value at hand */
	struct labels_scratch clean;
	char ruled[BOUNDS_RULE_BYTES];
};

static uint64_t
hash_of(const struct labels *l, struct str s)
{
	return XXH3_64bits_withSeed(s.data, s.len, l->hash_seed);
}

static int
create_rules(struct labels *l, const struct config_label *spec,
    struct config_error *reterr)
{
	size_t i;

	if (!spec->n_rules)
		return 0;
	l->rules = calloc(spec->n_rules, sizeof(struct pattern_rule *));
	if (!l->rules)
		return -ENOMEM;
	for (i = 0; i < spec->n_rules; i++) {
		const struct config_rule *rule = &spec->rules[i];
		int error = pattern_rule_create(str_from(rule->regex),
		    str_from(rule->replacement), &l->rules[i], reterr);

		if (error == -EINVAL) {
			reterr->line = rule->place.line;
			reterr->column = rule->place.column +
			    (reterr->column ? reterr->column - 1 : 0);
		}
		if (error)
			return error;
		l->n_rules++;
	}
	return 0;
}

static int
build(struct labels *l, const struct config_label *spec, uint64_t hash_seed,
    struct config_error *reterr)
{
	l->normalizer = spec->normalizer;
	l->is_status = spec->normalizer == CONFIG_AS_IT_IS &&
	    !strcmp(spec->from, "status");
	l->hash_seed = hash_seed;
	l->max_bytes = spec->max_bytes ? spec->max_bytes
				       : BOUNDS_LABEL_VALUE_BYTES;
	if (l->max_bytes > BOUNDS_LABEL_VALUE_MOST_BYTES)
		l->max_bytes = BOUNDS_LABEL_VALUE_MOST_BYTES;
	l->budget = spec->budget;

	if (spec->n_rules || spec->budget || spec->normalizer == CONFIG_PATH ||
	    spec->normalizer == CONFIG_HOST) {
		l->remembered = calloc(BOUNDS_LABEL_CACHE,
		    sizeof(*l->remembered));
		if (!l->remembered)
			return -ENOMEM;
	}
	return create_rules(l, spec, reterr);
}

int
labels_create(const struct config_label *spec, uint64_t hash_seed,
    struct labels **ret_labels, struct config_error *reterr)
{
	struct labels *l = calloc(1, sizeof(*l));
	int error;

	if (!l)
		return -ENOMEM;
	error = build(l, spec, hash_seed, reterr);
	if (error) {
		labels_destroy(l);
		return error;
	}
	*ret_labels = l;
	return 0;
}

void
labels_destroy(struct labels *l)
{
	size_t i;

	if (!l)
		return;
	for (i = 0; i < l->n_rules; i++)
		pattern_rule_destroy(l->rules[i]);
	free(l->rules);
	for (i = 0; i < l->table_size; i++)
		free(l->table[i].bytes);
	free(l->table);
	free(l->remembered);
	free(l);
}

static struct admitted *
probe(const struct labels *l, uint64_t hash, struct str value)
{
	uint32_t mask = l->table_size - 1;
	uint32_t at = (uint32_t)hash & mask;

	for (;; at = (at + 1) & mask) {
		struct admitted *a = &l->table[at];

		if (!a->bytes ||
		    (a->hash == hash &&
			str_equal(str_of(a->bytes, a->len), value)))
			return a;
	}
}

static int
grow_admitted(struct labels *l)
{
	uint32_t old_size = l->table_size;
	struct admitted *old = l->table;
	struct admitted *table;
	uint32_t i;

	if (2 * (l->n_admitted + 1) < old_size)
		return 0;
	table = calloc(old_size ? old_size * 2 : 64, sizeof(*table));
	if (!table)
		return -ENOMEM;
	l->table = table;
	l->table_size = old_size ? old_size * 2 : 64;
	for (i = 0; i < old_size; i++) {
		if (old[i].bytes)
			*probe(l, old[i].hash,
			    str_of(old[i].bytes, old[i].len)) = old[i];
	}
	free(old);
	return 0;
}

/* Gives a clean value its place in the budget, if it has one. */
static int
spend(struct labels *l, struct str value, bool *ret_overflowed)
{
	uint64_t hash = hash_of(l, value);
	struct admitted *a;
	char *bytes;
	int error;

	*ret_overflowed = false;
	/* What is `other` by its own name needs no place. */
	if (!l->budget || str_equal(value, LABELS_OTHER))
		return 0;
	if (l->table_size && probe(l, hash, value)->bytes)
		return 0;
	if (l->n_admitted >= l->budget) {
		*ret_overflowed = true;
		return 0;
	}
	error = grow_admitted(l);
	if (error)
		return error;
	bytes = malloc(value.len + 1);
	if (!bytes)
		return -ENOMEM;
	if (value.len)
		memcpy(bytes, value.data, value.len);
	a = probe(l, hash, value);
	a->hash = hash;
	a->len = value.len;
	a->bytes = bytes;
	l->n_admitted++;
	return 0;
}

int
labels_admit(struct labels *l, struct str value)
{
	bool overflowed;

	return spend(l, value, &overflowed);
}

static struct str
normalise(struct labels *l, struct str value)
{
	switch (l->normalizer) {
	case CONFIG_AS_IT_IS:
		break;
	case CONFIG_METHOD:
		return labels_method(value);
	case CONFIG_STATUS_CLASS:
		return labels_status_class(value);
	case CONFIG_PATH:
		return labels_path(value, &l->normal);
	case CONFIG_HOST:
		return labels_host(value, &l->normal);
	}
	return l->is_status ? labels_status(value) : value;
}

/* All of the way but the budget. */
static struct str
work_out(struct labels *l, struct str raw)
{
	struct str value = normalise(l, raw);
	size_t i;

	for (i = 0; i < l->n_rules; i++) {
		if (pattern_rule_apply(l->rules[i], value, l->ruled, &value))
			break;
	}
	return labels_clean(value, l->max_bytes, &l->clean);
}

static void
remember(struct remembered *r, uint64_t hash, struct str raw, struct str value,
    bool overflowed)
{
	if (raw.len + value.len > sizeof(r->bytes))
		return;
	r->hash = hash;
	r->raw_len = (uint16_t)raw.len;
	r->value_len = (uint16_t)value.len;
	r->overflowed = overflowed;
	memcpy(r->bytes, raw.data, raw.len);
	memcpy(r->bytes + raw.len, value.data, value.len);
	r->is_used = true;
}

int
labels_value(struct labels *l, struct str raw, struct str *ret_value,
    bool *ret_overflowed)
{
	struct remembered *r = NULL;
	struct str value;
	bool overflowed = false;
	uint64_t hash = 0;

	/* Not one value a query string. */
	if (l->normalizer == CONFIG_PATH)
		raw = request_path(raw);
	if (!raw.len)
		raw = STR("-");
	if (l->remembered) {
		hash = hash_of(l, raw);
		r = &l->remembered[hash % BOUNDS_LABEL_CACHE];
		if (r->is_used && r->hash == hash &&
		    str_equal(str_of(r->bytes, r->raw_len), raw)) {
			*ret_value = str_of(r->bytes + r->raw_len,
			    r->value_len);
			*ret_overflowed = r->overflowed;
			return 0;
		}
	}
	value = work_out(l, raw);
	if (l->budget) {
		int error = spend(l, value, &overflowed);

		if (error)
			return error;
	}
	if (overflowed)
		value = LABELS_OTHER;
	if (r)
		remember(r, hash, raw, value, overflowed);
	*ret_value = value;
	*ret_overflowed = overflowed;
	return 0;
}
