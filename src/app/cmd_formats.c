#include "app/cmd_formats.h"

#include <stdio.h>

#include "accesslog/patterns.h"

static void
list(void)
{
	size_t n, i;
	const struct patterns_row *rows = patterns_all(&n);

	for (i = 0; i < n; i++) {
		if (rows[i].kind == PATTERNS_FORMAT)
			(void)printf("%-15s %s\n", rows[i].name,
			    rows[i].description);
	}
}

int
cmd_formats_run(const struct options *o)
{
	const struct patterns_row *row;

	if (!o->n_files) {
		list();
		return fflush(stdout) ? 1 : 0;
	}
	row = patterns_find(str_from(o->files[0]));
	if (!row || row->kind != PATTERNS_FORMAT) {
		(void)fprintf(stderr,
		    "accesslog_exporter: no format is called \"%s\"; write "
		    "accesslog_exporter formats for the names\n",
		    o->files[0]);
		return 2;
	}
	(void)printf("%s\n\nexpression\n  %s\n\nsample\n  %s\n",
	    row->description, row->text, row->sample);
	return fflush(stdout) ? 1 : 0;
}
