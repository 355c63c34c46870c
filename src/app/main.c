#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include "app/cmd_check.h"
#include "app/cmd_explain.h"
#include "app/cmd_formats.h"
#include "app/cmd_scan.h"
#include "app/cmd_serve.h"
#include "app/log.h"
#include "app/options.h"

/* What is closed would be taken by the first file or socket that is opened. */
static void
open_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		(void)close(fd);
}

int
main(int argc, char *argv[])
{
	struct options options;

	open_standard_descriptors();
	switch (options_parse(argc, argv, &options)) {
	case OPTIONS_RUN:
		break;
	case OPTIONS_DONE:
		return 0;
	case OPTIONS_WRONG:
		return 2;
	}
	/*
	 * Large answers go back to the system when they are sent.  glibc would
	 * raise its threshold after the first, and keep the later ones.
	 */
	(void)mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	log_setup(options.log_level, options.log_format);
	switch (options.command) {
	case OPTIONS_SERVE:
		return cmd_serve_run(&options);
	case OPTIONS_SCAN:
		return cmd_scan_run(&options);
	case OPTIONS_CHECK:
		return cmd_check_run(&options);
	case OPTIONS_EXPLAIN:
		return cmd_explain_run(&options);
	case OPTIONS_FORMATS:
		return cmd_formats_run(&options);
	}
	return 2;
}
