/*
 * Fields of a format that were probably meant to be others: in
 *
 *	$remote_addr [$time_local] "$request" $statu $body_bytes_sent
 *	                                      ^
 *
 * statu is no mistake of syntax, for nginx has variables of modules and of the
 * user's own, and would show as requests without a status.
 *
 * Told is a field that no metric and no rule uses, whose name is none that is
 * known, and of which one letter too many, too few, wrong, or exchanged with
 * the next makes a name that is used and that the format lacks.  Names of less
 * than five letters are near to too many others.
 */
#ifndef ACCESSLOG_INGEST_MISSPELT_H
#define ACCESSLOG_INGEST_MISSPELT_H

#include "accesslog/config.h"
#include "accesslog/config_error.h"
#include "accesslog/ingest.h"

/*
 * misspelt: where the field stands, and what to write instead; told once where
 * several sources have one text, by an alias.  Without a line it is about the
 * format of the command line.
 */
typedef void (
    *ingest_misspelt_fn)(void *arg, const struct config_error *misspelt);

/*
 * config  what in was created for
 *
 * Returns 0; -ENOMEM, some may not have been told.
 */
int ingest_misspelt_visit(const struct ingest *in, const struct config *config,
    ingest_misspelt_fn tell, void *arg) __attribute__((warn_unused_result));

#endif
