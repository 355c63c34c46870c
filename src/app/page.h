/*
 * The page for people at "/": what this is, what it follows, links.
 */
#ifndef ACCESSLOG_PAGE_H
#define ACCESSLOG_PAGE_H

#include "accesslog/buf.h"
#include "accesslog/registry_snapshot.h"

/*
 * sources         the arguments, n_sources of them; the first hundred are shown
 * snapshot        where the numbers come from
 * telemetry_path  what the metrics link leads to
 */
void page_render(char *const sources[], size_t n_sources,
    const struct registry_snapshot *snapshot, const char *telemetry_path,
    struct buf *out);

#endif
