/*
 * What nginx' and Apache's formats have in common: literal text with variables
 * in it, and no word on what a variable may hold.  From the variable's name
 * and from what follows it comes the narrowest expression that still takes all
 * that a server writes there:
 *
 *	$remote_addr - $remote_user [$time_local] "$request" $status
 *	            ^              ^^           ^          ^
 *	      up to a space   up to " ["   up to "]"   up to the quote that
 *	                                               no backslash escapes
 *
 * They are possessive wherever giving back a byte could never help, so a line
 * of another format is refused in linear time.  Text that may itself hold its
 * delimiter (a request between semicolons) ends where the next column looks
 * like one (format_end.h).  Where nothing tells that, text between spaces is
 * looked for byte by byte.
 */
#ifndef ACCESSLOG_FORMAT_COLUMNS_H
#define ACCESSLOG_FORMAT_COLUMNS_H

#include "accesslog/buf.h"
#include "format_build.h"
#include "format_value.h"

struct format_columns_piece {
	bool is_field;
	bool is_uncaptured; /* another piece has the field */
	bool is_integer; /* a duration in whole units */
	unsigned shift; /* as struct format_item */
	/* The best of those with the same name is captured; the first of them. */
	/* 0: a name of the user's own, which says nothing of its values. */
	unsigned rank;
	enum format_value_shape shape; /* of a field */
	size_t column;
	size_t from, len; /* of the literal, or of the name, in the text */
};

struct format_columns {
	struct buf text; /* what the pieces refer to */
	struct format_columns_piece *pieces;
	size_t n_pieces;
	size_t capacity;
	bool may_be_empty; /* a missing value is written as nothing, not "-" */
};

/*
 * Text with its backslashes read: \" \' \\ \t \r \n are what nginx and Apache
 * make of them in their files; others stay as they are.
 */
struct format_columns_script {
	char *bytes;
	size_t *columns; /* of each byte, in the user's text */
	size_t len;
};

/* Room for text of max_bytes.  Returns 0 or -ENOMEM. */
int format_columns_script_init(struct format_columns_script *s,
    size_t max_bytes) __attribute__((warn_unused_result));

void format_columns_script_release(struct format_columns_script *s);

/* Adds the bytes [from, to) of text. */
void format_columns_script_add(struct format_columns_script *s, struct str text,
    size_t from, size_t to);

/*
 * The end of what is quoted from pos on, where its quote stands: the place of
 * the closing one, or the length of text where there is none.
 */
size_t format_columns_quote_end(struct str text, size_t pos);

/* The place of the first byte from pos on that is not white space. */
size_t format_columns_after_space(struct str text, size_t pos);

/*
 * Whether all of text from pos on is one string in double quotes with escaped
 * ones inside of it, as it stands in a configuration file; not a line that
 * begins and ends with a quoted column.
 */
bool format_columns_is_quoted(struct str text, size_t pos);

void format_columns_init(struct format_columns *c);

void format_columns_release(struct format_columns *c);

/* Adds to the literal at the end, or begins one. */
int format_columns_add_literal(struct format_columns *c, size_t column,
    char byte) __attribute__((warn_unused_result));

/* piece: its column, rank, shift; name is copied, in lower case, '-' as '_'. */
int format_columns_add_field(struct format_columns *c, struct str name,
    struct format_columns_piece piece) __attribute__((warn_unused_result));

/* The literal, or the name of the field, that piece i is; borrowed. */
static inline struct str
format_columns_text(const struct format_columns *c, size_t i)
{
	const struct format_columns_piece *p = &c->pieces[i];

	return str_of(c->text.data + p->from, p->len);
}

/* The items of all pieces. */
int format_columns_build(struct format_columns *c, struct format_build *b)
    __attribute__((warn_unused_result));

#endif
