/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Attacks on ksmdev: a process of its own for each, which is an ordinary user
 * where that is said, and a look at what is left when it is gone.  Races run for
 * KSM_ATTACK_SECONDS (2 unless the environment says otherwise).
 */
#ifndef KSM_ATTACK_H
#define KSM_ATTACK_H

#include <pthread.h>
#include <setjmp.h>
#include <sys/mount.h>
#include <sys/uio.h>

#include "ksm_test.h"

#define USER		1000
#define STRANGER	1001
#define SLACK_KIB	8192	/* what else moves in MemFree */

/* ---- time ---- */

static s64 attack_end;		/* ms */

static inline void attack_begin(void)
{
	const char *seconds = getenv("KSM_ATTACK_SECONDS");

	attack_end = now_ms() + 1000LL * (seconds ? atoi(seconds) : 2);
}

static inline bool attack_lasts(void)
{
	return now_ms() < attack_end;
}

/* ---- who attacks, and what is left ---- */

/* Become an ordinary user, who may lock @pages. */
static inline void be_user(unsigned long pages)
{
	memlock_limit(pages);
	become(USER);
}

static inline void attack(void (*fn)(void))
{
	s64 before = mem_free();

	tap_as_user(fn);
	ksm_check_nothing_left();
	CHECK_SOON(mem_free() > before - SLACK_KIB - mem_kept());
}

/* ---- threads ---- */

static inline pthread_t thread_start(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, fn, arg), 0);
	return thread;
}

/* A thread whose work is over with the attack, or soon after it. */
static inline void thread_end(pthread_t thread)
{
	struct timespec limit;
	s64 left = attack_end - now_ms();

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += 60 + (left > 0 ? left / 1000 : 0);
	if (pthread_timedjoin_np(thread, NULL, &limit))
		tap_fail("a thread hangs: expected its end within 60 s after the attack's");
}

static inline void *scan_always(void *arg)
{
	while (attack_lasts())
		ksm_scan_force(*(int *)arg);
	return NULL;
}

/* ---- accesses that may fault ---- */

static __thread sigjmp_buf bus_jump;
static __thread volatile bool bus_expected;
static __thread volatile int bus_code;

static inline void bus_handle(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	if (!bus_expected)
		tap_fail("SIGBUS (code %d) at %p, which nobody expected", info->si_code,
			 info->si_addr);
	bus_code = info->si_code;
	bus_expected = false;
	siglongjmp(bus_jump, 1);
}

/* From here on peek() and poke() answer for SIGBUS. */
static inline void bus_catch(void)
{
	struct sigaction action = { .sa_sigaction = bus_handle,
				    .sa_flags = SA_SIGINFO };

	MUST(sigaction(SIGBUS, &action, NULL));
}

/* The byte there, or the si_code of SIGBUS as a negative number. */
static inline int peek(const void *at)
{
	int byte;

	if (sigsetjmp(bus_jump, 1))
		return -bus_code;
	bus_expected = true;
	byte = *(const volatile u8 *)at;
	bus_expected = false;
	return byte;
}

/* 0, or as peek(). */
static inline int poke(void *at, u8 value)
{
	if (sigsetjmp(bus_jump, 1))
		return -bus_code;
	bus_expected = true;
	*(volatile u8 *)at = value;
	bus_expected = false;
	return 0;
}

/* ---- calls ---- */

/* 0 or a negative errno; the call may end half-way. */
static inline int range_try(int fd, unsigned long request, const void *addr,
			    unsigned long pages, u64 *done)
{
	struct ksm_range range = {
		.addr = (unsigned long)addr, .len = pages * PAGE,
	};
	int ret = ioctl(fd, request, &range) ? -errno : 0;

	if (done)
		*done = range.done / PAGE;
	return ret;
}

static inline int domain_try(int fd, u32 flags, int with)
{
	struct ksm_set_domain domain = { .flags = flags, .fd = with };

	return ioctl(fd, KSM_SET_DOMAIN, &domain);
}

static inline int stats_try(int fd, u64 flags)
{
	struct ksm_stats stats = { .flags = flags };

	return ioctl(fd, KSM_GET_STATS, &stats);
}

/*
 * A mount of ksmfs that nobody else sees; it goes with the last descriptor of it.
 * Returns that of its root.
 */
static inline int ksmfs_mount(const char *options)
{
	char dir[] = "/tmp/ksm-attack.XXXXXX";
	int fd, ret;

	CHECK(mkdtemp(dir));
	ret = mount("none", dir, "ksmfs", 0, options) ? errno : 0;
	if (ret) {
		rmdir(dir);
		tap_fail("mounting ksmfs with %s: expected success, got %s", options,
			 strerrorname_np(ret));
	}
	fd = MUST(open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	MUST(umount2(dir, MNT_DETACH));
	MUST(rmdir(dir));
	return fd;
}

/* A page of @mem is in the pipe, as long as that is open. */
static inline void pipe_page(int pipe_fd[2], void *mem)
{
	struct iovec vec = { mem, 16 };

	MUST(pipe(pipe_fd));
	CHECK_EQ(vmsplice(pipe_fd[1], &vec, 1, 0), 16);
}

static inline void pipe_close(int pipe_fd[2])
{
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

#endif /* KSM_ATTACK_H */
