// SPDX-License-Identifier: GPL-2.0
/* Threads and signals while memory is handed over. See ksmrun_test.c. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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

static volatile bool at_start;

/* Cancelled before it begins, it ends at the first cancellation point. */
static void *mark_when_cancelled(void *arg)
{
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	at_start = true;
	while (at_start)
		usleep(1000);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	madvise(arg, SIZE, MADV_MERGEABLE);
	pthread_testcancel();
	return NULL;
}

static void *mark_again_and_again(void *arg)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	at_start = true;
	for (;;) {
		madvise(arg, PAGE, MADV_MERGEABLE);
		madvise(arg, PAGE, MADV_DONTNEED);
	}
	return NULL;
}

static void cancel(void *(*run)(void *), void *memory, useconds_t delay)
{
	pthread_t thread;
	void *result;

	at_start = false;
	expect(!pthread_create(&thread, NULL, run, memory));
	while (!at_start)
		usleep(1000);
	usleep(delay);
	expect(!pthread_cancel(thread));
	at_start = false;
	expect(!pthread_join(thread, &result));
	expect(result == PTHREAD_CANCELED);
}

/* A thread that is cancelled leaves no lock behind that others wait for. */
void case_cancel(void)
{
	char *p = map(SIZE);
	int i, fd;

	fill(p, SIZE, 1);
	for (i = 0; i < 3; i++) {
		/* What is closed is opened anew, by the thread. */
		for (fd = 3; fd < 4096; fd++)
			close(fd);
		cancel(mark_when_cancelled, p, 0);
		check(p, SIZE, 1);
		p = mergeable(SIZE, 1);
	}
	for (i = 0; i < 30; i++) {
		cancel(mark_again_and_again, p, i * 100);
		check_from(__LINE__, p + PAGE, SIZE - PAGE, 1, 1);
		fill(p, PAGE, 1);
	}
	mergeable(SIZE, 2);
}

/**
 * struct freed - memory that another thread frees during a fork
 * @memory:	where it is
 * @delay:	us from the start of the fork on
 * @replace:	map other memory there, with another content
 * @replaced:	that is complete
 */
struct freed {
	char *memory;
	useconds_t delay;
	bool replace;
	volatile bool replaced;
};

static void *free_later(void *arg)
{
	struct freed *freed = arg;
	long addr;

	at_start = true;
	usleep(freed->delay);
	/* As free() does, without the wrapper. */
	expect(!syscall(SYS_munmap, freed->memory, SIZE));
	if (!freed->replace)
		return NULL;
	addr = syscall(SYS_mmap, freed->memory, SIZE, RW, MAP_PRIVATE |
		       MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (addr == -1) {
		/* The fork has mapped something there for its own ends. */
		expect(errno == EEXIST);
		return NULL;
	}
	fill(freed->memory, SIZE, 2);
	freed->replaced = true;
	return NULL;
}

static void fork_while_freed(struct freed *freed)
{
	char *kept = mergeable(SIZE, 3);
	pthread_t thread;
	pid_t child;

	freed->memory = mergeable(SIZE, 1);
	freed->replaced = false;
	at_start = false;
	expect(!pthread_create(&thread, NULL, free_later, freed));
	while (!at_start)
		usleep(100);
	child = fork();
	if (!child) {
		check(kept, SIZE, 3);
		if (freed->replaced)
			check(freed->memory, SIZE, 2);
		_exit(0);
	}
	wait_for(child);
	expect(!pthread_join(thread, NULL));
	check(kept, SIZE, 3);
	if (freed->replaced) {
		check(freed->memory, SIZE, 2);
		expect(!munmap(freed->memory, SIZE));
	}
	expect(!munmap(kept, SIZE));
}

/* Memory that is freed, or is something else by then, while fork() copies. */
void case_fork_free(void)
{
	struct freed freed = { 0 };
	int i, replaced = 0;

	for (i = 0; i < 50; i++) {
		freed.delay = i / 2 * 500;
		freed.replace = i % 2;
		fork_while_freed(&freed);
		replaced += freed.replaced;
	}
	expect(replaced > 0);
}

static void *live_on(void *arg)
{
	char *p, *q;
	pid_t child;

	pthread_join(*(pthread_t *)arg, NULL);
	p = mergeable(SIZE, 1);
	q = mergeable(SIZE, 1);
	expect(!madvise(p, MIB, MADV_DONTNEED));
	child = fork();
	if (!child) {
		check_zero(p, MIB);
		check(q, SIZE, 1);
		_exit(0);
	}
	wait_for(child);
	p = mremap(p, SIZE, 2 * SIZE, MREMAP_MAYMOVE);
	expect(p != MAP_FAILED);
	check_zero(p, MIB);
	check_from(__LINE__, p + MIB, SIZE - MIB, 1, 256);
	check_zero(p + SIZE, SIZE);
	exit(0);
}

/* The main thread may end before the others. */
void case_main_ends(void)
{
	static pthread_t main_thread;
	pthread_t thread;

	main_thread = pthread_self();
	expect(!pthread_create(&thread, NULL, live_on, &main_thread));
	pthread_exit(NULL);
}
