/*
 * Apache's LogFormat, https://httpd.apache.org/docs/2.4/mod/mod_log_config.html:
 *
 *	%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i" %{ms}T
 *	LogFormat "%h %l %u %t \"%r\" %>s %b" common
 *
 * Each directive has the name of the nginx variable that says the same; times
 * are seconds whatever their unit.  Of several for one field the most precise
 * is taken (%D before %T), and %>s before %s.
 */
#ifndef ACCESSLOG_FORMAT_APACHE_H
#define ACCESSLOG_FORMAT_APACHE_H

#include "format_build.h"

/* Whether text has directives that are Apache's alone, or is a LogFormat. */
bool format_apache_claims(struct str text);

/* from: where in text the format begins.  Returns 0, -EINVAL, -ENOMEM. */
int format_apache_read(struct format_build *b, struct str text, size_t from)
    __attribute__((warn_unused_result));

#endif
