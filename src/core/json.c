#include "accesslog/json.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/*
 * Without JSMN_STRICT: words that are no JSON are read as they are.  With links
 * to the parents: else each bracket would cost a walk over all tokens.
 */
#define JSMN_STATIC
#define JSMN_PARENT_LINKS
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <jsmn.h>
#pragma GCC diagnostic pop

#include "accesslog/bounds.h"
#include "accesslog/json_number.h"
#include "json_escape.h"

#define NO_TOKEN (-1)
#define TOP_BUCKETS 64

/* The paths that lead into an object, and how much of them led here. */
struct inside {
	uint64_t paths; /* bits */
	size_t len;
};

struct json {
	size_t n_paths;
	struct str paths[BOUNDS_JSON_PATHS];
	char *path_text;
	/* Paths by their first key, or by all that may be it (bucket_of()). */
	uint64_t top[TOP_BUCKETS];

	/* The line being read. */
	struct str line;
	int n_tokens;
	int torn; /* a string without an end, or NO_TOKEN */
	bool has_backslash;
	bool has_control;
	size_t scratch_len;
	uint32_t n_repairs;

	/* Written before they are read; no page of them is used without JSON. */
	jsmntok_t tokens[BOUNDS_JSON_TOKENS];
	struct inside inside[BOUNDS_JSON_TOKENS]; /* of the objects */
	char scratch[BOUNDS_LINE_BYTES]; /* strings decoded from this line */
};

static size_t
bucket_of(struct str key)
{
	return key.len
	    ? ((unsigned char)key.data[0] ^ key.len << 3) % TOP_BUCKETS
	    : 0;
}

/* A key may be all of a path, or end where it has a dot. */
static void
note_top(struct json *j, size_t path)
{
	struct str text = j->paths[path];
	size_t i;

	for (i = 0; i <= text.len; i++) {
		if (i == text.len || text.data[i] == '.')
			j->top[bucket_of(str_of(text.data, i))] |= UINT64_C(1)
			    << path;
	}
}

int
json_create(const struct str paths[], size_t n_paths, struct json **ret_json)
{
	struct json *j;
	size_t i, len = 0;

	assert(n_paths <= BOUNDS_JSON_PATHS);
	j = malloc(sizeof(*j));
	if (!j)
		return -ENOMEM;
	memset(j, 0, offsetof(struct json, tokens));
	for (i = 0; i < n_paths; i++)
		len += paths[i].len;
	j->path_text = malloc(len + 1);
	if (!j->path_text) {
		free(j);
		return -ENOMEM;
	}
	for (i = 0, len = 0; i < n_paths; i++) {
		if (paths[i].len)
			memcpy(j->path_text + len, paths[i].data, paths[i].len);
		j->paths[i] = str_of(j->path_text + len, paths[i].len);
		len += paths[i].len;
		note_top(j, i);
	}
	j->n_paths = n_paths;
	*ret_json = j;
	return 0;
}

void
json_destroy(struct json *j)
{
	if (!j)
		return;
	free(j->path_text);
	free(j);
}

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct str
text_of(const struct json *j, int token)
{
	const jsmntok_t *t = &j->tokens[token];

	return str_of(j->line.data + t->start, (size_t)(t->end - t->start));
}

/* Adds the token that jsmn refused, and lets it go on behind it. */
static bool
add_token(struct json *j, jsmn_parser *jsmn, jsmntype_t type, size_t start,
    size_t end, size_t next)
{
	jsmntok_t *t;

	if (jsmn->toknext == BOUNDS_JSON_TOKENS) {
		j->n_repairs++;
		return false;
	}
	t = &j->tokens[jsmn->toknext++];
	*t = (jsmntok_t){ .type = type,
		.start = (int)start,
		.end = (int)end,
		.parent = jsmn->toksuper };
	if (jsmn->toksuper != NO_TOKEN)
		j->tokens[jsmn->toksuper].size++;
	jsmn->pos = (unsigned)next;
	return true;
}

/* A string with an escape that is none, or with a NUL, or without an end. */
static bool
add_string(struct json *j, jsmn_parser *jsmn)
{
	size_t start = jsmn->pos + 1u;
	size_t end = start;

	bool ends;

	while (end < j->line.len && j->line.data[end] != '"')
		end += j->line.data[end] == '\\' ? 2 : 1;
	ends = end < j->line.len;
	if (!ends)
		end = j->line.len;
	if (!add_token(j, jsmn, JSMN_STRING, start, end, end + ends))
		return false;
	j->n_repairs++;
	if (!ends)
		j->torn = (int)jsmn->toknext - 1;
	return ends;
}

/* A word with bytes that jsmn takes for none. */
static bool
add_word(struct json *j, jsmn_parser *jsmn)
{
	size_t end = jsmn->pos;

	while (end < j->line.len && !blank(j->line.data[end]) &&
	    !memchr(",:]}", j->line.data[end], 4))
		end++;
	return add_token(j, jsmn, JSMN_PRIMITIVE, jsmn->pos, end, end);
}

/* Deals with what jsmn stopped at.  Returns whether it can go on. */
static bool
repair(struct json *j, jsmn_parser *jsmn, int reason)
{
	char c = jsmn->pos < j->line.len ? j->line.data[jsmn->pos] : '\0';

	if (reason == JSMN_ERROR_NOMEM || c == '\0') {
		j->n_repairs++;
		return false;
	}
	if (c == '"')
		return add_string(j, jsmn);
	if (c != '}' && c != ']')
		return add_word(j, jsmn);
	/* A bracket that closes nothing; what is behind the object is not. */
	j->n_repairs++;
	jsmn->pos++;
	return j->tokens[0].end == -1;
}

static void
find_tokens(struct json *j)
{
	jsmn_parser jsmn;
	int result;
	int n;

	jsmn_init(&jsmn);
	do {
		result = jsmn_parse(&jsmn, j->line.data, j->line.len, j->tokens,
		    BOUNDS_JSON_TOKENS);
	} while (result < 0 && repair(j, &jsmn, result));

	n = (int)jsmn.toknext;
	if (j->tokens[0].end != -1) {
		struct str rest = str_after(j->line, (size_t)j->tokens[0].end);

		while (rest.len && blank(rest.data[0]))
			rest = str_after(rest, 1);
		/* Counted already where jsmn stumbled there. */
		j->n_repairs += rest.len && result >= 0;
		while (n > 1 && j->tokens[n - 1].start >= j->tokens[0].end)
			n--;
	}
	j->n_tokens = n;
}

static bool
word_valid(struct str word)
{
	if (word.len && (digit(word.data[0]) || word.data[0] == '-'))
		return json_number_len(word) == word.len;
	return str_equal(word, STR("null")) || str_equal(word, STR("true")) ||
	    str_equal(word, STR("false"));
}

static bool
has_control(struct str text)
{
	size_t i;

	for (i = 0; i < text.len; i++) {
		if ((unsigned char)text.data[i] < 0x20)
			return true;
	}
	return false;
}

/* The same for a whole line, eight bytes at a time; a tab is one as well. */
static bool
may_have_control(struct str text)
{
	const uint64_t ones = UINT64_MAX / 0xFF;
	uint64_t hits = 0;
	size_t i;

	for (i = 0; i + 8 <= text.len; i += 8) {
		uint64_t bytes;

		memcpy(&bytes, text.data + i, 8);
		hits |= (bytes - ones * 0x20) & ~bytes;
	}
	return hits & (ones * 0x80) || has_control(str_after(text, i));
}

/*
 * Whether a key without a value is before this token, so that its colon may
 * stand in the gap: {"urt": , "rt": 1}
 */
static bool
lacks_value(const struct json *j, int token)
{
	const jsmntok_t *t = &j->tokens[token];

	return t->type == JSMN_STRING && !t->size && t->parent != NO_TOKEN &&
	    j->tokens[t->parent].type == JSMN_OBJECT;
}

/* Whether between from and to there are just so many commas and colons. */
static bool
gap_valid(const struct json *j, int from, int to, unsigned n_commas,
    unsigned n_colons, bool colon_allowed)
{
	const char *data = j->line.data;

	for (; from < to; from++) {
		if (data[from] == ',') {
			if (!n_commas--)
				return false;
		} else if (data[from] == ':') {
			if (!n_colons && !colon_allowed)
				return false;
			if (n_colons)
				n_colons--;
			else
				colon_allowed = false;
		}
	}
	return !n_commas && !n_colons;
}

/* Where what follows the token begins; of an object, what is inside. */
static int
end_of(const jsmntok_t *t)
{
	switch (t->type) {
	case JSMN_OBJECT:
	case JSMN_ARRAY:
		return t->start + 1;
	case JSMN_STRING:
		return t->end + 1;
	case JSMN_PRIMITIVE:
	case JSMN_UNDEFINED:
		break;
	}
	return t->end;
}

/* Whether this token is what JSON wants in its place. */
static bool
token_valid(const struct json *j, int i)
{
	const jsmntok_t *t = &j->tokens[i];
	const jsmntok_t *before = &j->tokens[i - 1];
	bool is_first = t->parent == i - 1;
	int from = end_of(before);
	int to = t->start - (t->type == JSMN_STRING);

	if (t->type == JSMN_PRIMITIVE && !word_valid(text_of(j, i)))
		return false;
	if (t->type == JSMN_STRING && j->has_control &&
	    has_control(text_of(j, i)))
		return false;
	if (t->parent == NO_TOKEN)
		return false;
	switch (j->tokens[t->parent].type) {
	case JSMN_OBJECT:
		return t->type == JSMN_STRING && t->size > 0 &&
		    gap_valid(j, from, to, !is_first, 0, lacks_value(j, i - 1));
	case JSMN_ARRAY:
		return (t->type != JSMN_STRING || !t->size) &&
		    gap_valid(j, from, to, !is_first, 0, false);
	case JSMN_STRING:
		if (is_first)
			return (t->type != JSMN_STRING || !t->size) &&
			    gap_valid(j, from, to, 0, 1, false);
		/* Behind "a": 1 : 2, jsmn takes the next key for a's child. */
		return t->type == JSMN_STRING && t->size > 0 &&
		    gap_valid(j, from, to, 1, 0, lacks_value(j, i - 1));
	case JSMN_PRIMITIVE:
	case JSMN_UNDEFINED:
		break;
	}
	return false;
}

/* The commas and colons behind the last token. */
static bool
end_valid(const struct json *j)
{
	int last = j->n_tokens - 1;

	/* Where the object is torn, that was counted. */
	return j->tokens[0].end == -1 ||
	    gap_valid(j, end_of(&j->tokens[last]), j->tokens[0].end, 0, 0,
		lacks_value(j, last));
}

/*
 * Each string of a line is decoded at most once and never to more bytes than
 * it has, so that the scratch, as long as the longest line, always suffices.
 */
static struct str
decoded(struct json *j, int token)
{
	struct str rest = text_of(j, token);
	char *start = j->scratch + j->scratch_len;
	char *out = start;

	if (!j->has_backslash || str_find_char(rest, '\\') == rest.len)
		return rest;
	assert(rest.len <= sizeof(j->scratch) - j->scratch_len);
	while (rest.len) {
		size_t len = str_find_char(rest, '\\');
		size_t n;

		memcpy(out, rest.data, len);
		out += len;
		rest = str_after(rest, len);
		if (!rest.len)
			break;
		len = json_escape_decode(rest, out, &n);
		if (len) {
			out += n;
			rest = str_after(rest, len);
			continue;
		}
		/* And what follows it, so that \\ is never seen by halves. */
		len = rest.len < 2 ? rest.len : 2;
		memcpy(out, rest.data, len);
		out += len;
		rest = str_after(rest, len);
	}
	j->scratch_len += (size_t)(out - start);
	return str_of(start, (size_t)(out - start));
}

static bool
numeric(const struct json *j, int token)
{
	const jsmntok_t *t = &j->tokens[token];
	const char *first = j->line.data + t->start;

	/* A torn string may begin where the line ends. */
	return t->type == JSMN_PRIMITIVE && (digit(*first) || *first == '-');
}

/* The value at this token; lists without brackets go on to the next ones. */
static struct json_value
value_at(struct json *j, int i)
{
	const jsmntok_t *t = &j->tokens[i];
	struct json_value v = { JSON_NONE, { 0 } };

	if (t->type == JSMN_ARRAY) {
		if (i + 1 == j->n_tokens || j->tokens[i + 1].parent != i)
			return v;
		t = &j->tokens[++i];
	} else if (numeric(j, i)) {
		v.kind = JSON_WORD;
		v.text = text_of(j, i);
		while (++i < j->n_tokens && numeric(j, i))
			v.text.len = (size_t)(j->line.data + j->tokens[i].end -
			    v.text.data);
		return v;
	}
	switch (t->type) {
	case JSMN_STRING:
		if (i == j->torn)
			break;
		v.kind = JSON_STRING;
		v.text = decoded(j, i);
		break;
	case JSMN_PRIMITIVE:
		v.text = text_of(j, i);
		v.kind = str_equal(v.text, STR("null")) ? JSON_NULL : JSON_WORD;
		if (v.kind == JSON_NULL)
			v.text = (struct str){ 0 };
		break;
	case JSMN_OBJECT:
	case JSMN_ARRAY:
		v.kind = JSON_NESTED;
		break;
	case JSMN_UNDEFINED:
		break;
	}
	return v;
}

static void
set_values(struct json *j, struct json_value values[], uint64_t paths, int i)
{
	struct json_value v;
	uint64_t left = 0;

	for (; paths; paths &= paths - 1) {
		if (values[__builtin_ctzll(paths)].kind == JSON_NONE)
			left |= paths & -paths;
	}
	if (!left)
		return;
	v = value_at(j, i);
	for (; left; left &= left - 1)
		values[__builtin_ctzll(left)] = v;
}

/*
 * Follows the paths that go on with this key; its value is the next token.
 * Returns whether some of them go on inside the value.
 */
static bool
follow_key(struct json *j, int i, struct json_value values[])
{
	int object = j->tokens[i].parent;
	const struct inside *inside;
	struct inside deeper = { 0 };
	uint64_t candidates, here = 0;
	struct str key;

	/* In "a": "b": 1 it is a value, and 1 is too much. */
	if (j->tokens[object].type == JSMN_STRING && object == i - 1)
		return false;
	while (j->tokens[object].type != JSMN_OBJECT) {
		if (j->tokens[object].type == JSMN_ARRAY)
			return false;
		object = j->tokens[object].parent;
	}
	inside = &j->inside[object];
	candidates = inside->paths;
	if (!candidates)
		return false;
	key = decoded(j, i);
	if (!object)
		candidates &= j->top[bucket_of(key)];
	for (; candidates; candidates &= candidates - 1) {
		int path = __builtin_ctzll(candidates);
		struct str rest = str_after(j->paths[path], inside->len);

		if (!str_starts_with(rest, key))
			continue;
		if (rest.len == key.len)
			here |= candidates & -candidates;
		else if (rest.data[key.len] == '.')
			deeper.paths |= candidates & -candidates;
	}
	deeper.len = inside->len + key.len + 1;
	if (here)
		set_values(j, values, here, i + 1);
	if (!deeper.paths || j->tokens[i + 1].type != JSMN_OBJECT)
		return false;
	j->inside[i + 1] = deeper;
	return true;
}

bool
json_read(struct json *j, struct str line, struct json_value values[],
    uint32_t *ret_n_repairs)
{
	size_t start = 0;
	int followed = 0; /* the object whose paths are known */
	int i;

	while (start < line.len && blank(line.data[start]))
		start++;
	if (start == line.len || line.data[start] != '{' ||
	    line.len > BOUNDS_LINE_BYTES)
		return false;

	j->line = line;
	j->torn = NO_TOKEN;
	j->has_backslash = str_find_char(line, '\\') < line.len;
	j->has_control = may_have_control(line);
	j->scratch_len = 0;
	j->n_repairs = 0;
	find_tokens(j);

	if (j->n_paths)
		memset(values, 0, j->n_paths * sizeof(*values));
	j->inside[0] = (struct inside){ .paths = j->n_paths == 64
		    ? UINT64_MAX
		    : (UINT64_C(1) << j->n_paths) - 1 };
	for (i = 1; i < j->n_tokens; i++) {
		const jsmntok_t *t = &j->tokens[i];

		j->n_repairs += i != j->torn && !token_valid(j, i);
		if (t->type == JSMN_OBJECT && i != followed)
			j->inside[i] = (struct inside){ 0 };
		if (t->type == JSMN_STRING && t->size > 0 &&
		    i + 1 < j->n_tokens && follow_key(j, i, values))
			followed = i + 1;
	}
	j->n_repairs += !end_valid(j);
	*ret_n_repairs = j->n_repairs;
	return true;
}
