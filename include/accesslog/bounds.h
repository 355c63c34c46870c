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
 * again from its start.  256 KiB amortise the system call over some thousand
 * lines and stay inside a second-level cache.
 */
#define BOUNDS_READ_BYTES (256u * 1024)

/* Read of one file in one turn of the loop: about 5 ms at 1 GB/s. */
#define BOUNDS_TURN_BYTES (4u * 1024 * 1024)

/* Fields in use by all metrics together: bits of one 64-bit word. */
#define BOUNDS_FIELDS 64

/* Format text: length, nesting of %{}, and size with all names expanded. */
#define BOUNDS_FORMAT_BYTES (16u * 1024)
#define BOUNDS_FORMAT_DEPTH 32
#define BOUNDS_FORMAT_EXPANDED_BYTES (128u * 1024)
#define BOUNDS_FORMAT_ITEMS 4096

/*
 * Backtracking steps of one match.  A line of BOUNDS_LINE_BYTES whose every
 * byte is a quote costs three steps a byte; a hundred times that is refused
 * within some tens of milliseconds, and a line is never worth more.
 */
#define BOUNDS_MATCH_STEPS 1000000u
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

/* Families of metrics in one registry, and buckets of one histogram. */
#define BOUNDS_FAMILIES 256
#define BOUNDS_BUCKETS 64

/* Series of one metric; past it they are summed into `other`. */
#define BOUNDS_SERIES 100000u

/* An answer of 100,000 series with 256 bytes of text each, twice. */
#define BOUNDS_REPLY_BYTES (64u * 1024 * 1024)

/* Sources on one command line, and files followed by all of them. */
#define BOUNDS_SOURCES 4096
#define BOUNDS_FILES 65536

/*
 * Descriptors that followed files leave free: 2 * 256 connections at most, as
 * no address may lack them, and what libuv, SQLite and a scrape open.
 */
#define BOUNDS_SPARE_DESCRIPTORS 640

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

/* A busy directory is looked at this often, and is quiet after so many. */
#define BOUNDS_TICK_MS 250
#define BOUNDS_QUIET_TICKS 8

/* More events than this in one second make a directory busy. */
#define BOUNDS_EVENTS_PER_SECOND 4

/* What cannot be watched, is missing or held is looked at this often. */
#define BOUNDS_POLL_MS 1000

/* A scrape waits for the logs to be drained: half its timeout, at most this. */
#define BOUNDS_SCRAPE_WAIT_MS 1000

/*
 * HTTP.  Memory of a connection bounds its header; 256 connections of 16 KiB
 * are 4 MiB.  From BUSY on, the oldest idle ones are closed to make room.
 */
#define BOUNDS_HTTP_CONNECTIONS 256
#define BOUNDS_HTTP_CONNECTIONS_BUSY 128
#define BOUNDS_HTTP_CONNECTION_BYTES (16u * 1024)
#define BOUNDS_HTTP_IDLE_SECONDS 10
#define BOUNDS_HTTP_ADDRESSES 16

#endif
