/*
 * Every ceiling in the program, in one place, with its arithmetic.  Whatever
 * grows has its maximum here and a counter or an error for when it is hit.
 */
#ifndef ACCESSLOG_BOUNDS_H
#define ACCESSLOG_BOUNDS_H

/*
 * A line longer than this is skipped to its newline and counted once.  Eight
 * times what nginx and Apache accept as a request line by default (8 KiB), so
 * that request, referer and user agent at their limits still fit together,
 * each of their bytes escaped as four.
 */
#define BOUNDS_LINE_BYTES (64u * 1024)

/*
 * One read.  Must exceed BOUNDS_LINE_BYTES, because an unfinished line is read
 * again from its start.  128 KiB amortise the system call over some hundred
 * lines, stay inside a second-level cache, and are little beside the 8 MB that
 * the program may have.
 */
#define BOUNDS_READ_BYTES (128u * 1024)

/*
 * One read of `scan`, each of whose workers has a buffer of its own.  Out of the
 * page cache the kernel copies large pieces faster: a scan takes 5 % less CPU
 * with 512 KiB than with 128, 8 % less with 1 MiB, and no less with 2 MiB.
 */
#define BOUNDS_SCAN_BYTES (1024u * 1024)

/* Read of one file in one turn of the loop: about 5 ms at 1 GB/s. */
#define BOUNDS_TURN_BYTES (4u * 1024 * 1024)

/*
 * Parts in which a scan reads a large file: enough of them for all cores to
 * end at nearly the same time, and each, some milliseconds, far longer than to
 * begin with it.
 */
#define BOUNDS_PART_BYTES (8u * 1024 * 1024)

/*
 * Threads of a scan: some MiB each, one of which is its buffer, and more than a
 * disk or a bus can feed.
 */
#define BOUNDS_WORKERS 64

/* Fields in use by all metrics together: bits of one 64-bit word. */
#define BOUNDS_FIELDS 64

/* Format text: length, nesting of %{}, and size with all names expanded. */
#define BOUNDS_FORMAT_BYTES (16u * 1024)
#define BOUNDS_FORMAT_DEPTH 32
#define BOUNDS_FORMAT_EXPANDED_BYTES (128u * 1024)
#define BOUNDS_FORMAT_ITEMS 4096

/*
 * Backtracking steps of one match.  The shipped formats take at most three a
 * byte, 196,608 for a line of BOUNDS_LINE_BYTES.  An expression of the user's
 * that needs more is given up after some tens of milliseconds.
 */
#define BOUNDS_MATCH_STEPS 250000u
#define BOUNDS_MATCH_HEAP_KIB 4096u

/*
 * Paths of a JSON format: bits of one 64-bit word.  Keys and values of one
 * line: thrice what Caddy writes of a request with a hundred headers.  Where
 * they all nest, closing them costs half of the square of it, a millisecond.
 */
#define BOUNDS_JSON_PATHS 64
#define BOUNDS_JSON_TOKENS 1024

/* Lines and bytes looked at to recognise a format. */
#define BOUNDS_DETECT_LINES 100
#define BOUNDS_DETECT_BYTES (64u * 1024)

/*
 * Labels: names of one metric, and bytes of one value.  128 code points hold
 * every method, host and route that is worth a series.
 */
#define BOUNDS_LABELS 16
#define BOUNDS_LABEL_VALUE_BYTES 128

/* What a family may allow instead, for values that users wrote: PATH_MAX. */
#define BOUNDS_LABEL_VALUE_MOST_BYTES 4096

/* And the least: `other` has room, and a character of any length. */
#define BOUNDS_LABEL_VALUE_LEAST_BYTES 8

/* Families of metrics in one registry, and buckets of one histogram. */
#define BOUNDS_FAMILIES 256
#define BOUNDS_BUCKETS 64

/* Series of one metric; past it they are summed into `other`. */
#define BOUNDS_SERIES 100000u

/* Series of all metrics about requests together, text and cells. */
#define BOUNDS_REGISTRY_BYTES (256u * 1024 * 1024)

/* What a configuration may make of it at the least: some thousand series. */
#define BOUNDS_REGISTRY_LEAST_BYTES (1024u * 1024)

/*
 * Values of one label that are remembered with what rules made of them, and
 * the bytes of one with both; 1 MiB a label.  What is longer is worked out for
 * each line.
 */
#define BOUNDS_LABEL_CACHE 4096u
#define BOUNDS_LABEL_CACHE_BYTES 256u

/* Text of a regular expression of the user's, and of its replacement. */
#define BOUNDS_RULE_BYTES 4096

/* An answer of 100,000 series with 256 bytes of text each, twice. */
#define BOUNDS_REPLY_BYTES (64u * 1024 * 1024)

/*
 * The configuration: 4096 sources of 256 bytes; six levels are what it has,
 * the rest is for mistakes to be seen as such.  Aliases make large things of
 * small ones: so the values are counted with all of them written out.
 */
#define BOUNDS_CONFIG_BYTES (1024u * 1024)
#define BOUNDS_CONFIG_DEPTH 16
#define BOUNDS_CONFIG_KEYS 64
#define BOUNDS_CONFIG_ANCHORS 256
#define BOUNDS_CONFIG_VALUES 100000u
#define BOUNDS_CONFIG_METRICS 200
#define BOUNDS_CONFIG_FORMATS 16
#define BOUNDS_CONFIG_RULES 256

/* Sources on one command line, and files followed by all of them. */
#define BOUNDS_SOURCES 4096
#define BOUNDS_FILES 65536

/*
 * Inputs that are no files: standard input, FIFOs, sockets.  Each connection of
 * theirs holds an unfinished line at most: 128 of BOUNDS_LINE_BYTES are 8 MiB.
 */
#define BOUNDS_INPUTS 64
#define BOUNDS_INPUT_CONNECTIONS 128

/* A message of syslog: a line, and what may stand before it. */
#define BOUNDS_DATAGRAM_BYTES (BOUNDS_LINE_BYTES + 4u * 1024)

/*
 * What the kernel is asked to hold for a socket that is read too late, up to
 * net.core.rmem_max.  It gives twice of it, and counts its own memory as well:
 * that was 6,553 datagrams of 230 bytes, and 137 of 60,000.
 */
#define BOUNDS_RECEIVE_BYTES (4 * 1024 * 1024)

/*
 * Read of all inputs together before a scrape is answered or the exporter ends:
 * 0.2 s of JSON where another process has one of two cores.  It is what all
 * connections hold, or two queues of datagrams.
 */
#define BOUNDS_DRAIN_BYTES (16u * 1024 * 1024)

/* The path of a socket: sun_path of unix(7), less its NUL. */
#define BOUNDS_SOCKET_PATH_BYTES 107

/*
 * Descriptors that followed files leave free: 2 * 256 connections at most, as
 * no address may lack them, 64 inputs and 128 connections of theirs, and what
 * libuv, SQLite and a scrape open; a reload may open as many inputs again
 * before it closes those that go.
 */
#define BOUNDS_SPARE_DESCRIPTORS 832

/*
 * How many bytes before the offset prove that a file is the one we read.  Lines
 * of one client often end alike for longer than a line's user agent (160
 * bytes); in a kilobyte there are several times of day.
 */
#define BOUNDS_ANCHOR_BYTES 1024

/* Where two files have this much in common, one is a copy of the other. */
#define BOUNDS_COPY_BYTES 4096

/* A file that was renamed away is let go when it was quiet for this long. */
#define BOUNDS_HOLD_MS (60u * 1000)

/* Finished files of one path that are remembered, should they come back. */
#define BOUNDS_FINISHED 16

/*
 * Files of a glob that are remembered while their directory is away, should it
 * come back: a kilobyte each.
 */
#define BOUNDS_AWAY 1024

/*
 * At the start a file that was read before and cannot be opened now is waited
 * for: its lines may have been shown.  As long as a mount or chmod(1) may take.
 */
#define BOUNDS_UNSEEN_MS (60u * 1000)

/* A busy directory is looked at this often, and is quiet after so many. */
#define BOUNDS_TICK_MS 250
#define BOUNDS_QUIET_TICKS 8

/* More events than this in one second make a directory busy. */
#define BOUNDS_EVENTS_PER_SECOND 4

/* What cannot be watched, is missing or held is looked at this often. */
#define BOUNDS_POLL_MS 1000

/* A scrape waits for the logs to be drained: half its timeout, at most this. */
#define BOUNDS_SCRAPE_WAIT_MS 1000

/* A loop that has not answered for so long is not healthy. */
#define BOUNDS_LOOP_SILENT_MS 30000

/* POST /-/reload waits for the loop to have read the configuration. */
#define BOUNDS_RELOAD_WAIT_MS 5000

/*
 * The state is saved this long after the first change that is not saved yet:
 * what a crash makes the next start read again.  Its log keeps at most so many
 * bytes between two saves; and this long a tool may have the file locked.
 */
#define BOUNDS_SAVE_MS 5000
#define BOUNDS_STATE_LOG_BYTES 4194304
#define BOUNDS_STATE_BUSY_MS 500

/*
 * At the end it is saved for so long at the most.  A service manager kills after
 * ten seconds or later, and 100,000 series take less than one.
 */
#define BOUNDS_STOP_MS 5000

/*
 * And before that, logs without a name are read for so long: some hundred
 * megabytes, of what came since they were read last.
 */
#define BOUNDS_STOP_READ_MS 500

/* What Retry-After says of a page that waits for the logs to be read again. */
#define BOUNDS_RETRY_SECONDS 1

/*
 * HTTP.  Memory of a connection bounds its header; 256 connections of 16 KiB
 * are 4 MiB.  From BUSY on, the oldest idle ones are closed to make room.
 */
#define BOUNDS_HTTP_CONNECTIONS 256
#define BOUNDS_HTTP_CONNECTIONS_BUSY 128
#define BOUNDS_HTTP_CONNECTION_BYTES (16u * 1024)
#define BOUNDS_HTTP_IDLE_SECONDS 10
#define BOUNDS_HTTP_ADDRESSES 16

/*
 * A connection that did not get on for this long has stalled.  A round trip to
 * the other side of the earth takes less.
 */
#define BOUNDS_HTTP_STALLED_MS 333u

/*
 * libmicrohttpd closes what is silent for the idle limit.  So what still has
 * no whole request after twice that time is dripping it.
 */
#define BOUNDS_HTTP_DRIPPING_SECONDS (2 * BOUNDS_HTTP_IDLE_SECONDS)

/*
 * Answers on their way to clients of one address: one of the largest, and one
 * beside it.  Of 1 MiB, as many as there may be connections before the oldest
 * are closed: these are never closed for it.
 */
#define BOUNDS_HTTP_BODIES_BYTES ((size_t)2 * BOUNDS_REPLY_BYTES)

/*
 * What libmicrohttpd sends in one turn of its loop, and keeps a copy of until
 * it has closed the connection.  A large answer goes out in few turns, because
 * others may be rendered between them.
 */
#define BOUNDS_HTTP_BLOCK_MIN_BYTES ((size_t)64 * 1024)
#define BOUNDS_HTTP_BLOCK_MAX_BYTES ((size_t)512 * 1024)

#endif
