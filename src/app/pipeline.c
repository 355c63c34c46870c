#include "app/pipeline.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

int
pipeline_init(struct pipeline *p, bool with_zeros)
{
	struct config_error why; /* of a configuration, and there is none */
	uint64_t seed;
	int error;

	*p = (struct pipeline){ 0 };
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return errno ? -errno : -EIO;
	error = registry_create(seed, &p->registry);
	if (!error)
		error = metrics_init(&p->metrics, p->registry);
	if (!error)
		error = ingest_create(&p->metrics, NULL, with_zeros, &p->ingest,
		    &why);
	if (error)
		pipeline_release(p);
	return error;
}

void
pipeline_release(struct pipeline *p)
{
	ingest_destroy(p->ingest);
	registry_destroy(p->registry);
	*p = (struct pipeline){ 0 };
}

int
pipeline_add_source(struct pipeline *p, const struct options *o,
    const char *file, struct ingest_source **ret_source)
{
	struct config_error why;
	int error = ingest_add_source(p->ingest, str_from(file),
	    str_from(o->format), ret_source, &why);

	if (error != -EINVAL)
		return error;
	if (why.column)
		(void)fprintf(stderr,
		    "accesslog_exporter: --format, column %zu: %s\n",
		    why.column, why.text);
	else
		(void)fprintf(stderr, "accesslog_exporter: --format: %s\n",
		    why.text);
	return error;
}
