/*
 * The configuration: YAML text to a tree of plain values, or an error with
 * line and column that says what to write instead.  It opens no file.
 *
 *	namespace: accesslog            # of the access metrics; '' for none
 *	default_metrics: true           # beside those below
 *	limits: { series: 100000, label_bytes: 128, memory_bytes: 268435456 }
 *	sources:
 *	  - name: shop                  # by default its first path
 *	    paths: [/var/log/nginx/shop*.log]
 *	    # or -, syslog+udp://HOST:PORT ... (endpoint.h)
 *	    exclude: ['*.gz']
 *	    format: combined            # or a list of formats, tried in order
 *	    labels: { site: shop }      # added to each of its series
 *	    drop: [{ field: request_uri, regex: ^/health }]
 *	metrics:
 *	  - name: requests_by_route_total
 *	    type: counter               # counter, gauge, histogram
 *	    help: Requests by method and route.
 *	    value: body_bytes_sent      # a field; without it each request is 1
 *	    buckets: [0.01, 0.1, 1]     # histograms
 *	    max_series: 1000            # by default limits.series
 *	    labels:
 *	      - status                  # short for { name: status }
 *	      - name: route
 *	        from: request_uri       # a field; by default the label's name
 *	        normalize: path         # method, status_class, path, host
 *	        rules: [{ regex: '^/p/\d+', replacement: /p/:id }]
 *	        budget: 200             # distinct values; the rest is `other`
 *	        max_length: 64          # bytes; by default limits.label_bytes
 *
 * paths, exclude, format, drop and rules may be one value in place of a list.
 *
 * A name of a metric gets the namespace and `_` in front, unless it begins
 * with them already.  Names are those that Prometheus allows; what would give
 * one series two values is refused: two metrics of one name (or a name and the
 * _bucket, _sum or _count of a histogram), two labels of one name, a label of
 * a source that a metric has as well, `le`, `quantile`, `__x`.
 *
 * Unknown keys are errors that name the nearest known one.  Regular
 * expressions, formats and globs are compiled by those who use them, and their
 * errors carry the lines and columns kept here (config_error_locate()).
 */
#ifndef ACCESSLOG_CONFIG_H
#define ACCESSLOG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accesslog/config_error.h"
#include "accesslog/decimal.h"
#include "accesslog/registry.h"
#include "accesslog/str.h"

/* A field whose value matches is changed, or its line dropped. */
struct config_rule {
	char *field; /* drop rules; NULL in the rules of a label */
	char *regex;
	char *replacement; /* $1 or ${name}: a group; NULL in drop rules */
	struct config_place place; /* of the regex */
	struct config_place field_place;
};

enum config_normalizer {
	CONFIG_AS_IT_IS,
	CONFIG_METHOD, /* the eight of RFC 9110 and PATCH, else `other` */
	CONFIG_STATUS_CLASS, /* 2xx */
	CONFIG_PATH, /* no query; numbers, UUIDs, long hex, dates: `:id` */
	CONFIG_HOST, /* lower case, no port, no trailing dot */
};

struct config_label {
	char *name;
	char *from; /* a field */
	enum config_normalizer normalizer; /* applied before the rules */
	size_t n_rules;
	struct config_rule *rules;
	uint32_t budget; /* distinct values; 0: no limit but max_series */
	uint32_t max_bytes; /* of a value */
	struct config_place
	    place; /* of the name; of from where that is given */
};

struct config_metric {
	char *name; /* with its namespace */
	char *help;
	enum registry_type type;
	char *value; /* a field, or NULL for 1 a request */
	struct config_place value_place;
	size_t n_bounds;
	struct decimal *bounds;
	size_t n_labels;
	struct config_label *labels;
	uint32_t max_series;
	struct config_place place; /* of the name */
};

struct config_pair {
	char *name;
	char *value;
	struct config_place place; /* of the name */
};

struct config_source {
	char *name;
	size_t n_paths;
	char **paths; /* or inputs (endpoint.h) */
	struct config_place *path_places; /* NULL: on the command line */
	size_t n_excludes;
	char **excludes; /* fnmatch(3) patterns of a path or its last part */
	size_t n_formats;
	char **formats; /* "auto", or what format_create() takes */
	struct config_place *format_places;
	size_t n_labels;
	struct config_pair *labels;
	size_t n_drops;
	struct config_rule *drops;
	struct config_place place;
};

struct config {
	char *text; /* that the places borrow from; NULL: of none */
	char *name_space; /* may be empty */
	bool default_metrics;
	uint32_t max_series;
	uint32_t max_label_bytes;
	uint32_t max_memory_bytes; /* of all series; 0: BOUNDS_REGISTRY_BYTES */
	size_t n_sources;
	struct config_source *sources;
	size_t n_metrics; /* without the default ones */
	struct config_metric *metrics;
};

/*
 * text        the whole file; borrowed
 * ret_config  config_destroy(); untouched on failure
 *
 * Returns 0, -EINVAL with reterr, -ENOMEM.
 */
int config_parse(struct str text, struct config **ret_config,
    struct config_error *reterr) __attribute__((warn_unused_result));

/*
 * The configuration of an empty command line: the default metrics, no source.
 * Returns 0 or -ENOMEM.
 */
int config_create(struct config **ret_config)
    __attribute__((warn_unused_result));

/*
 * One more source, named after its path and without more to it; format is
 * "auto" or what format_create() takes.  Both are copied.
 *
 * Returns 0 or -ENOMEM, c unchanged.
 */
int config_add_source(struct config *c, const char *path, const char *format)
    __attribute__((warn_unused_result));

/* Takes all sources out again. */
void config_clear_sources(struct config *c);

/* NULL does nothing. */
void config_destroy(struct config *c);

#endif
