/*
 * The pipeline: bytes -> lines -> parser -> registry, and a count for
 * everything that is turned away.
 *
 *	ingest         the metrics (tally.h) and the formats in use
 *	ingest_source  one entry of the configuration: a name and its formats
 *	ingest_stream  one file of a source, from one offset on
 *
 * Thread: the loop thread, or one thread of its own where each has its own
 * ingest and registry.  The registry's lock is taken once a call.
 */
#ifndef ACCESSLOG_INGEST_H
#define ACCESSLOG_INGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "accesslog/config.h"
#include "accesslog/config_error.h"
#include "accesslog/detect.h"
#include "accesslog/lines.h"
#include "accesslog/metrics.h"

struct ingest;
struct ingest_source;

struct ingest_stream {
	struct ingest_source *source;
	struct lines lines;
	size_t format; /* index of the one in use, or DETECT_NONE */
	bool settled; /* the format is certain, or was given by the user */
	unsigned n_looks; /* how often the format was looked for */
	uint64_t n_lines; /* so far, without the empty ones */
	struct decimal last_line; /* its time; 0 while no line had one */
};

/*
 * metrics     borrowed for the life of the ingest
 * config      its metrics, and its sources in its order; borrowed during the
 *             call.  NULL: the default metrics and no source
 * with_zeros  common status codes start at 0, so that rate() sees the first
 *             500; not for a one-time count
 * reterr      line and column in the configuration
 *
 * A second one with the same metrics, for another configuration, takes over:
 * its families are shown from now on, those that it shares with the first go
 * on where they are, the others of the first are shown no more.  The first one
 * may then be destroyed.  On failure all stays as it was.
 *
 * Returns 0, -EINVAL with reterr, -ENOMEM.
 */
int ingest_create(struct metrics *metrics, const struct config *config,
    bool with_zeros, struct ingest **ret_ingest, struct config_error *reterr)
    __attribute__((warn_unused_result));

/* Frees the sources as well.  NULL does nothing. */
void ingest_destroy(struct ingest *in);

/* The sources, in the order in which they were added; owned by the ingest. */
size_t ingest_n_sources(const struct ingest *in);
struct ingest_source *ingest_source_at(const struct ingest *in, size_t i);

/*
 * A source without static labels and rules.
 *
 * name        value of the label `source`; copied
 * format      "auto", or what format_create() takes
 * ret_source  owned by the ingest
 *
 * Returns 0, -EINVAL with reterr, -ENOMEM.
 */
int ingest_add_source(struct ingest *in, struct str name, struct str format,
    struct ingest_source **ret_source, struct config_error *reterr)
    __attribute__((warn_unused_result));

/* Whether the user gave the formats of its lines: none is recognised. */
bool ingest_source_has_format(const struct ingest_source *source);

/*
 * Begin with a file.
 *
 * at_start  the first byte fed will be byte 0 of the file
 */
void ingest_stream_init(struct ingest_stream *st, struct ingest_source *source,
    bool at_start);

/*
 * The file goes on in another source, of the same ingest or of one that took
 * over.  A format that was recognised is kept where the source recognises its
 * formats.  Where the file has a lag, ingest_grow() takes it off before and
 * adds it after.
 */
void ingest_stream_move(struct ingest_stream *st, struct ingest_source *source);

/*
 * Look for the format in the first bytes of the file, before it is read from
 * somewhere else, say its end.  Counts nothing.
 */
void ingest_recognise(struct ingest_stream *st, struct str head);

/*
 * A format by this name was in use when the file was last read.  It is again,
 * unless the user says which, or no shipped format has this name.
 */
void ingest_recall(struct ingest_stream *st, struct str name);

/* The name of the format in use, or NULL while none is known. */
const char *ingest_format_name(const struct ingest_stream *st);

/*
 * The file has grown by so many bytes, which are not read yet, or has lost
 * them; ingest_feed() and ingest_skip_nuls() take off what they consume.  So
 * the lag agrees with the bytes read at every moment.
 *
 * n_bytes  negative where unread bytes are gone
 */
void ingest_grow(struct ingest_stream *st, int64_t n_bytes);

/*
 * Account for n_bytes of a hole in a sparse file, at the start of a line, that
 * were passed over without reading them.
 */
void ingest_skip_nuls(struct ingest_stream *st, uint64_t n_bytes);

/*
 * Count the whole lines at the front of window.
 *
 * final         nothing follows: an unfinished last line is one
 * ret_consumed  bytes that are done with; the rest is an unfinished line and
 *               must be fed again, with more behind it
 *
 * Returns 0; -ENOMEM: the bytes up to *ret_consumed are counted, the line
 * behind them is not, and can be fed again.
 * Cost: no allocation a line once its series exist.
 */
int ingest_feed(struct ingest_stream *st, struct str window, bool final,
    size_t *ret_consumed) __attribute__((warn_unused_result));

#endif
