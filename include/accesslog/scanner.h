/*
 * The quick engine behind pattern.h: formats that are sequences of literals
 * and delimited fields, as nginx' and Apache's are, read by a short program of
 * searches for the delimiters.
 *
 *	%{CLIENT:remote_addr} %{COLUMN} %{USER:remote_user} \[%{BRACKETED:...
 *	to ' ' or ','       ' ' to ' ' ' ' to ' '        ' [' to ']'   '] "'
 *
 * It knows the few shapes that the expressions of such formats have (the table
 * in scanner.c) and compiles what it knows; it never says that a line does not
 * fit.  Where it finds the values they are those that PCRE2 finds, because at
 * each step it takes what PCRE2 tries first.  Where it would have to try
 * something else, PCRE2 is to be asked.
 */
#ifndef ACCESSLOG_SCANNER_H
#define ACCESSLOG_SCANNER_H

#include <stdbool.h>

#include "accesslog/fields.h"
#include "accesslog/format.h"

struct scanner;

/*
 * format       borrowed during the call
 * wanted       borrowed during the call; the program ends after the last of
 *              them, but not before the core
 * ret_scanner  owned by the caller, scanner_destroy(); untouched on failure
 *
 * Returns 0, -ENOMEM, or -ENOTSUP for a format that is PCRE2's alone.
 */
int scanner_create(const struct format *format, const struct fields *wanted,
    struct scanner **ret_scanner) __attribute__((warn_unused_result));

/* NULL does nothing. */
void scanner_destroy(struct scanner *s);

/*
 * values  by slot: slices of the line for all wanted fields that the format
 *         has; of any of them where the answer is false
 *
 * Returns false where the line is to be matched by PCRE2.
 * Thread: any.  Cost: linear in the part of the line that is looked at; reads
 * no byte behind it.
 */
bool scanner_match(const struct scanner *s, struct str line,
    struct str values[]);

#endif
