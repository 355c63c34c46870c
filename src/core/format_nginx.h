/*
 * nginx' log_format, https://nginx.org/en/docs/http/ngx_http_log_module.html:
 *
 *	$remote_addr - ${remote_user} [$time_local] "$request" $status
 *	escape=json $status $body_bytes_sent
 *	'$remote_addr - $remote_user ' '"$request" $status'
 *	log_format main escape=default '$remote_addr ' '"$request" $status';
 *
 * Text that begins with a single quote, or is a whole directive, is read as
 * nginx reads its file: the strings in quotes are put together.  Any other text
 * is the format itself, and its quotes are part of the line.
 */
#ifndef ACCESSLOG_FORMAT_NGINX_H
#define ACCESSLOG_FORMAT_NGINX_H

#include "format_build.h"

/* Whether text has a variable of nginx' in it, or is a log_format directive. */
bool format_nginx_claims(struct str text);

/* from: where in text the format begins.  Returns 0, -EINVAL, -ENOMEM. */
int format_nginx_read(struct format_build *b, struct str text, size_t from)
    __attribute__((warn_unused_result));

#endif
