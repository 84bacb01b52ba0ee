// SPDX-License-Identifier: GPL-2.0
/* Threads and signals while memory is handed over. See ksmrun_test.c. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "ksmrun_test.h"

#define WRITERS 3

static volatile bool stop_writers;

/**
 * struct writer - a thread that counts in memory
 * @memory:	a counter in each page
 * @rounds:	what each counter is at the end
 */
struct writer {
	uint64_t *memory;
	uint64_t rounds;
};

static void *count_up(void *arg)
{
	struct writer *writer = arg;
	size_t page;

	while (!stop_writers) {
		for (page = 0; page < SIZE / PAGE; page++)
			writer->memory[page * 512]++;
		writer->rounds++;
	}
	return NULL;
}

/* No update is lost while memory is handed over, merged and unmerged. */
void case_threads(void)
{
	struct writer writers[WRITERS] = { 0 };
	pthread_t threads[WRITERS];
	size_t page;
	int i, round;

	for (i = 0; i < WRITERS; i++) {
		writers[i].memory = (uint64_t *)map(SIZE);
		expect(!pthread_create(&threads[i], NULL, count_up,
				       &writers[i]));
	}
	for (round = 0; round < 5; round++) {
		for (i = 0; i < WRITERS; i++)
			expect(!madvise(writers[i].memory, SIZE,
					MADV_MERGEABLE));
		scan();
		for (i = 0; i < WRITERS; i++)
			expect(!madvise(writers[i].memory, SIZE,
					MADV_UNMERGEABLE));
	}
	stop_writers = true;
	for (i = 0; i < WRITERS; i++) {
		expect(!pthread_join(threads[i], NULL));
		for (page = 0; page < SIZE / PAGE; page++)
			expect(writers[i].memory[page * 512] ==
			       writers[i].rounds);
	}
}

static void *fork_often(void *arg)
{
	char *p = arg;
	pid_t child;
	int i;

	for (i = 0; i < 10; i++) {
		child = fork();
		if (!child) {
			check(p, SIZE / 4, 1);
			_exit(0);
		}
		wait_for(child);
	}
	return NULL;
}

static void *map_often(void *arg)
{
	char *p;

	(void)arg;
	while (!stop_writers) {
		p = map(16 * PAGE);
		fill(p, 16 * PAGE, 1);
		expect(!madvise(p, 16 * PAGE, MADV_MERGEABLE));
		check(p, 16 * PAGE, 1);
		expect(!munmap(p, 16 * PAGE));
		free(malloc(300));
	}
	return NULL;
}

void case_fork_threads(void)
{
	char *p = mergeable(SIZE / 4, 1);
	pthread_t forker, mapper;

	expect(!pthread_create(&mapper, NULL, map_often, NULL));
	expect(!pthread_create(&forker, NULL, fork_often, p));
	expect(!pthread_join(forker, NULL));
	stop_writers = true;
	expect(!pthread_join(mapper, NULL));
	check(p, SIZE / 4, 1);
}

static char *signal_memory;
static volatile sig_atomic_t signals;

static void on_alarm(int number)
{
	(void)number;
	madvise(signal_memory, PAGE, MADV_DONTNEED);
	signals++;
}

/* A handler may interrupt the library anywhere. */
void case_signal(void)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct sigevent event = {
		.sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = SIGALRM,
	};
	struct itimerspec often = { { 0, 2000000 }, { 0, 2000000 } };
	timer_t timer;
	char *p;
	int i;

	signal_memory = mergeable(PAGE, 1);
	expect(!sigaction(SIGALRM, &action, NULL));
	expect(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	expect(!timer_settime(timer, 0, &often, NULL));
	for (i = 0; signals < 20 && i < 5000; i++) {
		p = map(PAGE * 64);
		fill(p, PAGE * 64, 2);
		expect(!madvise(p, PAGE * 64, MADV_MERGEABLE));
		expect(!madvise(p, PAGE, MADV_DONTNEED));
		check_from(__LINE__, p + PAGE, PAGE * 63, 2, 1);
		expect(!munmap(p, PAGE * 64));
	}
	expect(!timer_delete(timer));
	expect(signals >= 20);
}
