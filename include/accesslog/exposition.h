/*
 * A snapshot of the registry as Prometheus' text format 0.0.4.
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 *
 * A pure writer: it knows no socket and takes no lock.  Families without a
 * series are left out.  Numbers are written without printf, and so exactly:
 * counters above 2^53 keep all their digits.
 */
#ifndef ACCESSLOG_EXPOSITION_H
#define ACCESSLOG_EXPOSITION_H

#include "accesslog/buf.h"
#include "accesslog/registry_snapshot.h"

#define EXPOSITION_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* A failure is in buf_status(out). */
void exposition_render(const struct registry_snapshot *s, struct buf *out);

/* One family of a snapshot, with its HELP and TYPE. */
void exposition_render_family(const struct registry_snapshot_family *f,
    struct buf *out);

#endif
