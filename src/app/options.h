/*
 * The command line.
 */
#ifndef ACCESSLOG_OPTIONS_H
#define ACCESSLOG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "accesslog/bounds.h"
#include "app/log.h"

enum options_command {
	OPTIONS_SERVE,
	OPTIONS_SCAN,
	OPTIONS_CHECK,
	OPTIONS_EXPLAIN,
	OPTIONS_FORMATS, /* files[0], where given, is a name */
};

struct options {
	enum options_command command;
	const char *config_file; /* check: never NULL */
	bool has_format;
	const char *format;
	bool has_read_from;
	bool from_start;
	const char *state_dir; /* NULL: $STATE_DIRECTORY, or none */
	size_t n_addresses;
	const char *addresses[BOUNDS_HTTP_ADDRESSES];
	const char *telemetry_path;
	bool has_lifecycle;
	bool is_quiet;
	enum log_level log_level;
	enum log_format log_format;
	size_t n_files;
	char **files; /* borrowed from argv */
};

enum options_result {
	OPTIONS_RUN, /* ret_options says what */
	OPTIONS_DONE, /* --help or --version was answered */
	OPTIONS_WRONG, /* the user was told what to write instead */
};

enum options_result options_parse(int argc, char *argv[],
    struct options *ret_options);

#endif
