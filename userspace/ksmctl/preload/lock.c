// SPDX-License-Identifier: GPL-2.0
#include <pthread.h>
#include <signal.h>

#include "lock.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* The holder's signal mask and cancellation state; guarded by the mutex. */
static sigset_t holder_mask;
static int holder_cancel;

void lock_take(void)
{
	sigset_t all, before;
	int cancel;

	/* First: it does not matter where an earlier cancellation strikes. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pthread_mutex_lock(&mutex);
	holder_mask = before;
	holder_cancel = cancel;
}

void lock_drop(void)
{
	sigset_t before = holder_mask;
	int cancel = holder_cancel;

	pthread_mutex_unlock(&mutex);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_setcancelstate(cancel, NULL);
}
