// SPDX-License-Identifier: GPL-2.0
#include <pthread.h>
#include <signal.h>

#include "lock.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* The holder's signal mask; guarded by the mutex. */
static sigset_t holder_mask;

void lock_take(void)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pthread_mutex_lock(&mutex);
	holder_mask = before;
}

void lock_drop(void)
{
	sigset_t before = holder_mask;

	pthread_mutex_unlock(&mutex);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}
