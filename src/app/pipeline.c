#include "app/pipeline.h"

#include <errno.h>
#include <sys/random.h>

int
pipeline_init(struct pipeline *p)
{
	uint64_t seed;
	int error;

	*p = (struct pipeline){ 0 };
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return errno ? -errno : -EIO;
	error = registry_create(seed, &p->registry);
	if (!error)
		error = metrics_init(&p->metrics, p->registry);
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
pipeline_configure(struct pipeline *p, const struct config *config,
    bool with_zeros, struct ingest **ret_before, struct config_error *reterr)
{
	struct ingest *in;
	int error = ingest_create(&p->metrics, config, with_zeros, &in, reterr);

	if (error)
		return error;
	*ret_before = p->ingest;
	p->ingest = in;
	return 0;
}
