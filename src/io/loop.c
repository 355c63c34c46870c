#include "io/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <uv.h>

#define MAX_SIGNALS 8

struct loop {
	uv_loop_t uv;
	size_t n_signals;
	uv_signal_t signals[MAX_SIGNALS];
	loop_signal_fn on_signal;
	void *arg;
};

int
loop_create(struct loop **ret_loop)
{
	struct loop *l = calloc(1, sizeof(*l));
	int error;

	if (!l)
		return -ENOMEM;
	error = uv_loop_init(&l->uv);
	if (error) {
		free(l);
		return error;
	}
	*ret_loop = l;
	return 0;
}

void
loop_destroy(struct loop *l)
{
	size_t i;
	int error;

	if (!l)
		return;
	for (i = 0; i < l->n_signals; i++)
		uv_close((uv_handle_t *)&l->signals[i], NULL);
	(void)uv_run(&l->uv, UV_RUN_DEFAULT);
	error = uv_loop_close(&l->uv);
	assert(!error);
	free(l);
}

static void
signal_came(uv_signal_t *handle, int signal_number)
{
	struct loop *l = handle->data;

	l->on_signal(l->arg, signal_number);
}

int
loop_on_signals(struct loop *l, const int signals[], size_t n,
    loop_signal_fn on_signal, void *arg)
{
	size_t i;
	int error;

	assert(n <= MAX_SIGNALS && !l->n_signals);
	l->on_signal = on_signal;
	l->arg = arg;
	for (i = 0; i < n; i++) {
		error = uv_signal_init(&l->uv, &l->signals[i]);
		if (error)
			return error;
		l->signals[l->n_signals++].data = l;
		error = uv_signal_start(&l->signals[i], signal_came,
		    signals[i]);
		if (error)
			return error;
	}
	return 0;
}

int
loop_run(struct loop *l)
{
	return uv_run(&l->uv, UV_RUN_DEFAULT) < 0 ? -EIO : 0;
}

void
loop_stop(struct loop *l)
{
	uv_stop(&l->uv);
}

struct uv_loop_s *
loop_uv(struct loop *l)
{
	return &l->uv;
}
