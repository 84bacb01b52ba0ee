// SPDX-License-Identifier: GPL-2.0
/*
 * The end of a VM beside everything that makes the host take guest memory away.
 *
 * In each round a VM with many vCPUs has guest memory mapped by its guest.  Then a
 * thread takes that memory away, page by page, in one of the ways below, while
 * the last descriptor of the VM is closed.  MMU notifiers walk the VM's vCPUs:
 * whoever frees them too early is found by KASAN (the kernel debug) or KFENCE
 * (debugfs=off kfence.sample_interval=100), by a panic.  The test itself fails
 * if the window was missed in every round, or if the module is still in use.
 */
#define _GNU_SOURCE
#include <sys/swap.h>

#include "kvm_guest.h"
#include "swap.h"

#define VCPUS	100
#define BASE	(16 * MIB)
#define SIZE	(24 * MIB)
#define PAGES	(SIZE / PAGE)

/* Of each test: KVM_TEARDOWN_ROUNDS, which is less where KASAN makes each one slow. */
static unsigned int rounds = 4;

/* A byte in each of rsi pages at rdi. */
GUEST_FUNCTION
static void guest_touch(void)
{
	__asm__ volatile("1: movb $1, (%rdi)\n\t"
			 "add $4096, %rdi\n\t"
			 "dec %rsi\n\t"
			 "jnz 1b\n\t"
			 GUEST_OUT);
}

/* Takes page @i at @page away from the guest. */
typedef void (*take_fn)(char *page, unsigned long i);

struct round {
	take_fn take;
	char *mem;
	bool go, stop;
	unsigned long taken;	/* pages, so far */
};

static void *taker(void *arg)
{
	struct round *r = arg;
	unsigned long i;

	while (!READ_ONCE(r->go))
		;
	for (i = 0; !READ_ONCE(r->stop) && i < PAGES; i++) {
		r->take(r->mem + i * PAGE, i);
		WRITE_ONCE(r->taken, i + 1);
	}
	return NULL;
}

/* A VM whose guest has all pages of @mem; one descriptor is left, of the VM. */
static int make_vm(char *mem)
{
	struct machine m = machine_make();
	unsigned int i;

	memset(mem, 1, SIZE);
	set_slot(&m, 1, 0, BASE, mem, SIZE);
	guest_call(&m, guest_touch, BASE, PAGES, 0);
	for (i = 1; i < VCPUS; i++)
		close(MUST(ioctl(m.vm, KVM_CREATE_VCPU, i)));
	MUST(munmap(m.run, 3 * PAGE));
	close(m.vcpu);
	close(m.kvm);
	return m.vm;
}

/* Returns how many pages were taken while the VM went. */
static unsigned long one_round(take_fn take)
{
	struct round r = { .take = take, .mem = map_memory(SIZE) };
	unsigned long before, during;
	pthread_t thread;
	int vm;

	MUST(madvise(r.mem, SIZE, MADV_NOHUGEPAGE));
	vm = make_vm(r.mem);
	CHECK_EQ(pthread_create(&thread, NULL, taker, &r), 0);
	WRITE_ONCE(r.go, true);
	while (!READ_ONCE(r.taken))
		;
	before = READ_ONCE(r.taken);
	close(vm);
	during = READ_ONCE(r.taken) - before;
	WRITE_ONCE(r.stop, true);
	pthread_join(thread, NULL);
	munmap(r.mem, SIZE);
	return during;
}

static void teardown(take_fn take)
{
	unsigned long during = 0;
	unsigned int n;

	for (n = 0; n < rounds; n++)
		during += one_round(take);
	tap_note("%lu pages went while %u VMs did", during, rounds);
	CHECK(during > 0);
}

/* ---- ways to take a page ---- */

static void take_dontneed(char *page, unsigned long i)
{
	(void)i;
	madvise(page, PAGE, MADV_DONTNEED);
}

static void take_munmap(char *page, unsigned long i)
{
	(void)i;
	munmap(page, PAGE);
}

static void take_mprotect(char *page, unsigned long i)
{
	mprotect(page, PAGE, i % 2 ? PROT_NONE : PROT_READ);
}

static void take_mremap(char *page, unsigned long i)
{
	char *to = mremap(page, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);

	(void)i;
	if (to != MAP_FAILED)
		munmap(to, PAGE);
}

static void take_pageout(char *page, unsigned long i)
{
	(void)i;
	madvise(page, PAGE, MADV_PAGEOUT);
}

/* Now and then a child shares all of it; then each write copies a page. */
static void take_fork(char *page, unsigned long i)
{
	pid_t pid;

	if (i % 256 == 0) {
		pid = fork();
		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	*(volatile char *)page = i;
}

static void test_dontneed(void) { teardown(take_dontneed); }
static void test_munmap(void) { teardown(take_munmap); }
static void test_mprotect(void) { teardown(take_mprotect); }
static void test_mremap(void) { teardown(take_mremap); }
static void test_fork(void) { teardown(take_fork); }

/* ---- swap ---- */

#define SWAP_DEVICE	"/dev/ram0"

static void test_pageout(void)
{
	int fd = open(SWAP_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		tap_skip("no " SWAP_DEVICE " to swap to (modprobe brd)");
	swap_make(fd);
	close(fd);
	if (swapon(SWAP_DEVICE, 0) && errno != EBUSY)
		tap_fail("swapon: %s", strerrorname_np(errno));
	teardown(take_pageout);
	MUST(swapoff(SWAP_DEVICE));
}

/* ---- KSM ---- */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		tap_skip("%s: %s", path, strerrorname_np(errno));
	CHECK_EQ(write(fd, text, strlen(text)), (long)strlen(text));
	close(fd);
}

/* The scanner merges all pages, as they are equal; each write copies one. */
static void take_ksm(char *page, unsigned long i)
{
	if (i == 0)
		madvise(page, SIZE, MADV_MERGEABLE);
	if (i % 64 == 0)
		usleep(1000);
	*(volatile char *)page = 1;
}

static void test_ksm(void)
{
	write_file("/sys/kernel/mm/ksm/sleep_millisecs", "0");
	write_file("/sys/kernel/mm/ksm/pages_to_scan", "10000");
	write_file("/sys/kernel/mm/ksm/run", "1");
	teardown(take_ksm);
	write_file("/sys/kernel/mm/ksm/run", "0");
}

/* ---- the VMM goes ---- */

/*
 * The VM's last descriptor is another process's, which closes it when the VMM,
 * whose memory it is, has just been killed: at moments of the next 8 ms, however many
 * rounds there are.
 */
static void test_exit(void)
{
	unsigned int n, steps = rounds * 4;
	int pair[2];
	char *mem;
	pid_t pid;
	int vm;

	for (n = 0; n < steps; n++) {
		MUST(pipe(pair));
		pid = MUST(fork());
		if (!pid) {
			mem = map_memory(SIZE);
			madvise(mem, SIZE, MADV_NOHUGEPAGE);
			vm = make_vm(mem);
			/* The child of the VMM has the VM, and no memory of it. */
			if (!MUST(fork())) {
				CHECK_EQ(read(pair[0], &n, 1), 1);
				usleep(n * 8000 / steps);
				close(vm);
				_exit(0);
			}
			close(vm);
			CHECK_EQ(write(pair[1], &n, 1), 1);
			_exit(0);
		}
		close(pair[0]);
		close(pair[1]);
		tap_join(pid);
	}
}

/* ---- descriptors that are closed at the same time ---- */

static void *close_one(void *fd)
{
	close((long)fd);
	return NULL;
}

/* vCPUs' and the VM's, by a thread each, while memory goes. */
static void test_closers(void)
{
	struct round r = { .take = take_dontneed };
	pthread_t thread, closers[9];
	long fds[9];
	unsigned int n, i;
	struct machine m;

	for (n = 0; n < rounds * 4; n++) {
		r = (struct round){ .take = take_dontneed,
				    .mem = map_memory(SIZE) };
		madvise(r.mem, SIZE, MADV_NOHUGEPAGE);
		m = machine_make();
		set_slot(&m, 1, 0, BASE, r.mem, SIZE);
		guest_call(&m, guest_touch, BASE, PAGES, 0);
		MUST(munmap(m.run, 3 * PAGE));
		fds[0] = m.vm;
		fds[1] = m.vcpu;
		for (i = 2; i < 9; i++)
			fds[i] = MUST(ioctl(m.vm, KVM_CREATE_VCPU, i));
		CHECK_EQ(pthread_create(&thread, NULL, taker, &r), 0);
		WRITE_ONCE(r.go, true);
		for (i = 0; i < 9; i++)
			CHECK_EQ(pthread_create(&closers[i], NULL, close_one,
						(void *)fds[i]), 0);
		for (i = 0; i < 9; i++)
			pthread_join(closers[i], NULL);
		WRITE_ONCE(r.stop, true);
		pthread_join(thread, NULL);
		munmap(r.mem, SIZE);
		close(m.kvm);
	}
}

static const struct tap_test tests[] = {
	{ "a VM goes while its memory is given back", test_dontneed },
	{ "a VM goes while its memory is unmapped", test_munmap },
	{ "a VM goes while its memory is protected", test_mprotect },
	{ "a VM goes while its memory is moved", test_mremap },
	{ "a VM goes while its memory is shared by fork and copied", test_fork },
	{ "a VM goes while its memory is swapped out", test_pageout },
	{ "a VM goes while KSM merges its memory", test_ksm },
	{ "a VM goes while the process whose memory it is ends", test_exit },
	{ "a VM's descriptors are closed at the same time", test_closers },
};

static bool rounds_set(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	rounds = n;
	return !*end && n >= 1 && n <= 1000;
}

int main(int argc, char **argv)
{
	const char *wanted = getenv("KVM_TEARDOWN_ROUNDS");

	if (wanted && !rounds_set(wanted)) {
		fprintf(stderr, "KVM_TEARDOWN_ROUNDS is a number from 1 to 1000, not '%s'\n",
			wanted);
		return 2;
	}
	return tap_main(argc, argv, tests, ARRAY_SIZE(tests), NULL);
}
