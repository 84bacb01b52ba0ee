// SPDX-License-Identifier: GPL-2.0
/*
 * From the first VM to the last: descriptors closed in any order, VMMs killed
 * at any moment, the module unloaded, CPUs that come and go, memory and
 * descriptors that run out; nothing stays behind.
 *
 * For other tests: "kvm_life --hold" runs a guest until its standard input is
 * closed and prints "ok" when it does, or the errno of KVM_CREATE_VM.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "kvm_guest.h"

/* Count at rdi, forever. */
GUEST_FUNCTION
static void guest_count(void)
{
	__asm__ volatile("1: incq (%rdi)\n\t"
			 "jmp 1b");
}

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

/* To userspace each time. */
GUEST_FUNCTION
static void guest_out(void)
{
	__asm__ volatile("1: incq (%rdi)\n\t"
			 "out %al, $0x10\n\t"
			 "jmp 1b");
}

/* Counts at rdi, and is its own handler of SYSCALL. */
GUEST(count_syscalls, "incq (%rdi)\n\tsyscall");

/* ---- what is there ---- */

static bool is_ours(void)
{
	return !!strcmp(kvm_device(), "/dev/kvm");
}

/* The module that VMs hold. */
static const char *module_name(void)
{
	if (is_ours())
		return "kvmlite";
	return is_amd() ? "kvm_amd" : "kvm_intel";
}

static long module_users(void)
{
	char path[64];
	long users = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", module_name());
	f = fopen(path, "re");
	if (!f)
		return -1;
	CHECK_EQ(fscanf(f, "%ld", &users), 1);
	fclose(f);
	return users;
}

/* Folders of VMs in debugfs. */
static unsigned int vm_folders(void)
{
	const char *path = is_ours() ? "/sys/kernel/debug/kvmlite" :
			   "/sys/kernel/debug/kvm";
	unsigned int count = 0;
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		count += entry->d_type == DT_DIR && entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static bool exists(const char *path)
{
	return !access(path, F_OK);
}

/* Does any line of a file contain the text? */
static bool file_has(const char *path, const char *text)
{
	bool found = false;
	char line[256];
	FILE *f = fopen(path, "re");

	if (!f)
		return false;
	while (fgets(line, sizeof(line), f))
		found |= !!strstr(line, text);
	fclose(f);
	return found;
}

static void write_file(const char *path, const char *text)
{
	int fd = MUST(open(path, O_WRONLY | O_CLOEXEC));

	MUST(write(fd, text, strlen(text)));
	close(fd);
}

/* As it was before the test: no user of the module, no folder. */
static long users_before;
static unsigned int folders_before;

static void remember(void)
{
	users_before = module_users();
	folders_before = vm_folders();
}

static void check_nothing_left(void)
{
	CHECK_SOON(module_users() == users_before);
	CHECK_SOON(vm_folders() == folders_before);
}

static volatile u64 *counter_of(const struct machine *m)
{
	return (u64 *)(m->tool + TOOL_DATA);
}

/* ---- closing ---- */

enum { FD_KVM, FD_VM, FD_VCPU0, FD_VCPU1, FD_STATS, FDS };

static void end_one(struct machine *m, int *fd, unsigned int which)
{
	MUST(close(fd[which]));
	fd[which] = -1;
	/* What is still there still works. */
	if (fd[FD_VCPU0] >= 0)
		vcpu_run_until(m, KVM_EXIT_IO);
	if (fd[FD_STATS] >= 0) {
		char text[16];

		CHECK_EQ(pread(fd[FD_STATS], text, 16, 0), 16);
	}
}

/* The @n-th order; the mapping of the vCPU goes before the step @unmap. */
static void close_in_order(unsigned int n, unsigned int unmap)
{
	struct machine m = machine_make();
	int fd[FDS] = { m.kvm, m.vm, m.vcpu };
	unsigned int left, i, which;
	long size = MUST(ioctl(m.kvm, KVM_GET_VCPU_MMAP_SIZE, 0));

	fd[FD_VCPU1] = MUST(ioctl(m.vm, KVM_CREATE_VCPU, 1));
	fd[FD_STATS] = MUST(ioctl(m.vcpu, KVM_GET_STATS_FD, 0));
	guest_start(&m, guest_out, TOOL_DATA, 0, 0);
	for (left = FDS; left; left--) {
		i = n % left;
		n /= left;
		for (which = 0; fd[which] < 0 || i--; which++)
			;
		if (which == FD_VCPU0 && unmap)
			MUST(munmap(m.run, size));
		end_one(&m, fd, which);
	}
	if (!unmap)
		MUST(munmap(m.run, size));
	MUST(munmap(m.tool, TOOL_PAGES * PAGE));
}

static void test_close(void)
{
	unsigned int n;

	remember();
	/* All 120 orders. */
	for (n = 0; n < 120; n++)
		close_in_order(n, n % 2);
	check_nothing_left();
}

/* ---- killing ---- */

static char scratch[16 * PAGE] __attribute__((aligned(PAGE)));

/* Two vCPUs run, and the thread changes slots and vCPUs. */
__attribute__((noreturn))
static void busy_vmm(void)
{
	struct machine m = machine_make(), second = machine_sibling(&m, 1);
	struct runner r[2];

	guest_start(&m, guest_count, TOOL_DATA, 0, 0);
	guest_start(&second, guest_out, TOOL_DATA + 8, 0, 0);
	runner_start(&r[0], &m);
	runner_start(&r[1], &second);
	for (;;) {
		try_slot(&m, 1, KVM_MEM_LOG_DIRTY_PAGES, 0x8000000, scratch,
			 sizeof(scratch));
		madvise(scratch, sizeof(scratch), MADV_DONTNEED);
		close(ioctl(m.vm, KVM_CREATE_VCPU, 2));
		close(ioctl(m.kvm, KVM_CREATE_VM, 0));
		try_slot(&m, 1, 0, 0x8000000, scratch, 0);
	}
}

static void sleep_us(unsigned int us)
{
	struct timespec ts = { .tv_nsec = us * 1000L };

	nanosleep(&ts, NULL);
}

static void test_kill(void)
{
	unsigned int n;
	int status;
	pid_t child;

	remember();
	srandom(1);
	for (n = 0; n < 60; n++) {
		child = tap_fork();
		if (!child)
			busy_vmm();
		/* From its first steps on. */
		sleep_us(random() % 40000);
		MUST(kill(child, SIGKILL));
		status = tap_wait(child);
		if (!WIFSIGNALED(status))
			tap_fail("the VMM: expected death by SIGKILL, got %s",
				 tap_status_text(status));
	}
	check_nothing_left();
}

/* ---- the module ---- */

static int unload(void)
{
	return syscall(SYS_delete_module, module_name(), O_NONBLOCK);
}

static void load(void)
{
	char command[64];

	snprintf(command, sizeof(command), "modprobe %s", module_name());
	CHECK_EQ(system(command), 0);
	CHECK_SOON(exists(kvm_device()));
}

static void need_unload(void)
{
	/* The last VM must be gone for it; see kvm_main(). */
	if (is_tcg() && !is_ours())
		tap_skip("QEMU's emulation cannot do without a VM");
	if (module_users())
		tap_skip("somebody else uses the module");
}

static void check_unloaded(void)
{
	CHECK_EQ(module_users(), -1);
	if (!is_ours())
		return;
	CHECK(!exists("/dev/kvmlite"));
	CHECK(!exists("/sys/class/misc/kvmlite"));
	CHECK(!exists("/sys/module/kvmlite"));
	CHECK(!exists("/sys/kernel/debug/kvmlite"));
	CHECK(!exists("/sys/kernel/tracing/events/kvmlite"));
	CHECK(!file_has("/sys/devices/system/cpu/hotplug/states", "kvmlite"));
	CHECK(!file_has("/proc/modules", "kvmlite"));
}

/* The errno of rmmod: somebody uses the module. */
static void check_busy(void)
{
	CHECK_ERRNO(unload(), EAGAIN);
	CHECK(exists(kvm_device()));
}

/* One thing after the other is all that holds it. */
static void test_unload_busy(void)
{
	struct machine m;
	struct runner r;
	int stats;

	need_unload();
	m.kvm = kvm_open();
	check_busy();
	close(m.kvm);
	m = machine_make();
	close(m.kvm);
	check_busy();
	guest_start(&m, guest_count, TOOL_DATA, 0, 0);
	runner_start(&r, &m);
	CHECK_RUNNER_SOON(&r, *counter_of(&m) > 100);
	check_busy();
	runner_stop(&r);
	close(m.vm);
	check_busy();
	stats = MUST(ioctl(m.vcpu, KVM_GET_STATS_FD, 0));
	close(m.vcpu);
	check_busy();
	close(stats);
	/* Only the mapping is left. */
	check_busy();
	MUST(munmap(m.run, 3 * PAGE));
	MUST(unload());
	check_unloaded();
	load();
}

/* A child that inherited a descriptor, and one that is being killed. */
static void test_unload_child(void)
{
	int go[2];
	pid_t child;
	char c;

	need_unload();
	MUST(pipe(go));
	child = tap_fork();
	if (!child) {
		struct machine m = machine_make();

		guest_start(&m, guest_count, TOOL_DATA, 0, 0);
		MUST(write(go[1], "x", 1));
		for (;;)
			vcpu_run(&m);
	}
	CHECK_EQ(read(go[0], &c, 1), 1);
	check_busy();
	MUST(kill(child, SIGKILL));
	tap_wait(child);
	/* The last of its files may be closed a moment later. */
	CHECK_SOON(!unload());
	check_unloaded();
	load();
}

/* Free memory in KiB; the free lists of each CPU are kept short. */
static s64 mem_free(void)
{
	char line[256];
	s64 value = -1;
	FILE *f;

	write_file("/proc/sys/vm/percpu_pagelist_high_fraction", "100000");
	write_file("/proc/sys/vm/drop_caches", "3");
	f = fopen("/proc/meminfo", "re");
	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "MemFree:", 8))
			value = strtoll(line + 8, NULL, 10);
	fclose(f);
	return value;
}

static void load_run_unload(void)
{
	struct machine m = machine_make();

	guest_start(&m, guest_out, TOOL_DATA, 0, 0);
	vcpu_run_until(&m, KVM_EXIT_IO);
	machine_close(&m);
	MUST(munmap(m.run, 3 * PAGE));
	MUST(munmap(m.tool, TOOL_PAGES * PAGE));
	CHECK_SOON(!unload());
	check_unloaded();
	load();
}

static void test_reload(void)
{
	const unsigned int cycles = 20;
	s64 before;
	unsigned int n;

	need_unload();
	for (n = 0; n < 5; n++)
		load_run_unload();
	before = mem_free();
	for (n = 0; n < cycles; n++)
		load_run_unload();
	/* Less than the module's own size each time, by far. */
	CHECK_SOON(before - mem_free() < 1024);
	tap_note("%lld KiB less after %u times",
		 (long long)(before - mem_free()), cycles);
}

/* ---- CPUs that come and go ---- */

#define CPU1	"/sys/devices/system/cpu/cpu1/online"

static void need_hotplug(void)
{
	if (!exists(CPU1))
		tap_skip("there is no second CPU to switch off");
}

static void pin_thread(pthread_t thread, unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK_EQ(pthread_setaffinity_np(thread, sizeof(set), &set), 0);
}

static void check_progress(struct runner *r, unsigned int nr)
{
	u64 before[4];
	unsigned int i;

	for (i = 0; i < nr; i++)
		before[i] = *(volatile u64 *)(r[i].m.tool + TOOL_DATA + 8 * i);
	for (i = 0; i < nr; i++)
		CHECK_RUNNER_SOON(&r[i],
				  *(volatile u64 *)(r[i].m.tool + TOOL_DATA +
						    8 * i) > before[i] + 100);
}

/* vCPUs on both CPUs, and one of them is taken away, again and again. */
static void test_hotplug_running(void)
{
	struct machine m[4];
	struct runner r[4];
	unsigned int i, n;

	need_hotplug();
	m[0] = machine_make();
	for (i = 0; i < 4; i++) {
		if (i)
			m[i] = machine_sibling(&m[0], i);
		guest_start(&m[i], i % 2 ? guest_out : guest_count,
			    TOOL_DATA + 8 * i, 0, 0);
		runner_start(&r[i], &m[i]);
	}
	for (n = 0; n < 10; n++) {
		for (i = 0; i < 4; i++)
			pin_thread(r[i].thread, i / 2);
		check_progress(r, 4);
		write_file(CPU1, "0");
		check_progress(r, 4);
		write_file(CPU1, "1");
	}
	for (i = 0; i < 4; i++)
		runner_stop(&r[i]);
	for (i = 0; i < 4; i++)
		runner_check(&r[i]);
}

static void run_on(const struct machine *m, unsigned int cpu)
{
	pin_thread(pthread_self(), cpu);
	vcpu_run_until(m, KVM_EXIT_IO);
}

/*
 * vCPUs wander between both CPUs, and their VM goes while one is away, or just
 * back.  What a CPU had of a vCPU must be gone with the CPU: lists that are
 * broken are found by CONFIG_DEBUG_LIST.
 */
static void test_hotplug_vms(void)
{
	struct runner r[6];
	struct machine m;
	unsigned int n, i, cycle;

	need_hotplug();
	for (n = 0; n < 6; n++) {
		m = machine_make();
		for (i = 0; i < 6; i++) {
			struct machine v = i ? machine_sibling(&m, i) : m;

			guest_start(&v, guest_out, TOOL_DATA + 8 * i, 0, 0);
			runner_start(&r[i], &v);
		}
		for (cycle = 0; cycle < 4; cycle++) {
			sleep_ms(10);
			write_file(CPU1, "0");
			sleep_ms(10);
			if (n % 2 == 0 || cycle < 3)
				write_file(CPU1, "1");
		}
		for (i = 0; i < 6; i++) {
			runner_stop(&r[i]);
			runner_check(&r[i]);
			MUST(munmap(r[i].m.run, 3 * PAGE));
			close(r[i].m.vcpu);
		}
		close(m.vm);
		close(m.kvm);
		write_file(CPU1, "1");
	}
}

/* A vCPU that rests; what it left on the CPU is not lost with it. */
static void test_hotplug_idle(void)
{
	struct machine m;
	unsigned int n;
	u64 runs = 0;

	need_hotplug();
	m = machine_make();
	guest_start(&m, guest_out, TOOL_DATA, 0, 0);
	for (n = 0; n < 5; n++) {
		run_on(&m, 1);
		write_file(CPU1, "0");
		if (n % 2) {
			run_on(&m, 0);
			runs++;
		}
		pin_thread(pthread_self(), 0);
		write_file(CPU1, "1");
		run_on(&m, 1);
		runs += 2;
		CHECK_EQ(*counter_of(&m), runs);
	}
}

#define MSR_STAR	0xc0000081
#define MSR_LSTAR	0xc0000082
#define MSR_FMASK	0xc0000084
#define EFER_SCE	1

/*
 * A CPU that comes back has the host's MSRs of SYSCALL, whatever the guest had
 * there before: a guest that ran with them would enter the host's handler.
 */
static void test_hotplug_syscall(void)
{
	struct machine m;
	struct kvm_sregs sregs;
	struct runner r;
	unsigned int n;

	need_hotplug();
	m = machine_make();
	MUST(ioctl(m.vcpu, KVM_GET_SREGS, &sregs));
	sregs.efer |= EFER_SCE;
	MUST(ioctl(m.vcpu, KVM_SET_SREGS, &sregs));
	vcpu_set_msr(&m, MSR_STAR, 8ull << 32);
	vcpu_set_msr(&m, MSR_LSTAR, guest_address(guest_count_syscalls));
	vcpu_set_msr(&m, MSR_FMASK, 0);
	guest_start(&m, guest_count_syscalls, TOOL_DATA, 0, 0);
	pin_thread(pthread_self(), 0);
	runner_start(&r, &m);
	for (n = 0; n < 3; n++) {
		pin_thread(r.thread, 1);
		check_progress(&r, 1);
		/* It never goes back to userspace on CPU 1. */
		pin_thread(r.thread, 0);
		check_progress(&r, 1);
		write_file(CPU1, "0");
		write_file(CPU1, "1");
	}
	pin_thread(r.thread, 1);
	check_progress(&r, 1);
	runner_stop(&r);
	runner_check(&r);
}

/* The first VM comes, or the last one goes, while the CPU is away. */
static void test_hotplug_first_last(void)
{
	struct machine m;
	unsigned int n;

	need_hotplug();
	remember();
	for (n = 0; n < 3; n++) {
		write_file(CPU1, "0");
		m = machine_make();
		guest_start(&m, guest_out, TOOL_DATA, 0, 0);
		run_on(&m, 0);
		write_file(CPU1, "1");
		run_on(&m, 1);
		write_file(CPU1, "0");
		machine_close(&m);
		MUST(munmap(m.run, 3 * PAGE));
		check_nothing_left();
		write_file(CPU1, "1");
		m = machine_make();
		guest_start(&m, guest_out, TOOL_DATA, 0, 0);
		run_on(&m, 1);
		machine_close(&m);
		MUST(munmap(m.run, 3 * PAGE));
		check_nothing_left();
	}
}

/* ---- what runs out ---- */

static void limit_files(unsigned int files)
{
	struct rlimit limit = { files, files };

	MUST(setrlimit(RLIMIT_NOFILE, &limit));
}

static void test_no_files(void)
{
	struct machine m;
	unsigned int n;
	int last;

	remember();
	m = machine_make();
	last = MUST(dup(0));
	close(last);
	limit_files(last + 5);
	/* VMs, vCPUs, statistics: none of those that got no number stays. */
	for (n = 0; n < 5; n++)
		MUST(ioctl(m.kvm, KVM_CREATE_VM, 0));
	CHECK_ERRNO(ioctl(m.kvm, KVM_CREATE_VM, 0), EMFILE);
	CHECK_ERRNO(ioctl(m.vm, KVM_CREATE_VCPU, 1), EMFILE);
	CHECK_ERRNO(ioctl(m.vm, KVM_GET_STATS_FD, 0), EMFILE);
	CHECK_ERRNO(ioctl(m.vcpu, KVM_GET_STATS_FD, 0), EMFILE);
	close(last);
	/* The number is free again, and so is the vCPU's. */
	MUST(ioctl(m.vm, KVM_CREATE_VCPU, 1));
	limit_files(last + 64);
	CHECK_EQ(vm_folders(), folders_before + 5);
	guest_start(&m, guest_out, TOOL_DATA, 0, 0);
	vcpu_run_until(&m, KVM_EXIT_IO);
}

struct walker {
	const struct machine *m;
	bool stop;
};

/* Taking memory from a guest looks at all its vCPUs. */
static void *walk_vcpus(void *arg)
{
	struct walker *w = arg;

	while (!READ_ONCE(w->stop))
		MUST(madvise(w->m->tool + TOOL_STACK - PAGE, PAGE, MADV_DONTNEED));
	return NULL;
}

/*
 * A vCPU that gets no descriptor is freed at once: nobody may have found it.
 * Only a kernel that looks at uses of free memory would tell.
 */
static void test_no_files_walked(void)
{
	struct machine m = machine_make();
	struct walker w = { .m = &m };
	pthread_t thread;
	unsigned int n;
	int last;

	CHECK_EQ(pthread_create(&thread, NULL, walk_vcpus, &w), 0);
	last = MUST(dup(0));
	close(last);
	limit_files(last);
	for (n = 0; n < 2000; n++)
		CHECK_ERRNO(ioctl(m.vm, KVM_CREATE_VCPU, 1), EMFILE);
	WRITE_ONCE(w.stop, true);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	guest_start(&m, guest_out, TOOL_DATA, 0, 0);
	vcpu_run_until(&m, KVM_EXIT_IO);
}

/* As many vCPUs as we may have, but not more than 255; first and last run. */
static void test_many_vcpus(void)
{
	struct machine m = machine_make(), last;
	long max = MUST(ioctl(m.kvm, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS));
	u32 id;

	if (max > 255)
		max = 255;
	limit_files(max + 64);
	for (id = 1; id < max - 1; id++)
		MUST(ioctl(m.vm, KVM_CREATE_VCPU, id));
	last = machine_sibling(&m, max - 1);
	guest_start(&m, guest_out, TOOL_DATA, 0, 0);
	guest_start(&last, guest_out, TOOL_DATA, 0, 0);
	vcpu_run_until(&m, KVM_EXIT_IO);
	vcpu_run_until(&last, KVM_EXIT_IO);
	CHECK_EQ(*counter_of(&m), 2);
}

#define CGROUP	"/sys/fs/cgroup/kvm_life"

/* The calling process may have 16 MiB. */
static void enter_small_cgroup(void)
{
	char pid[16];

	if (!exists("/sys/fs/cgroup/cgroup.controllers") ||
	    !file_has("/sys/fs/cgroup/cgroup.controllers", "memory"))
		tap_skip("no memory controller");
	write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (mkdir(CGROUP, 0755) && errno != EEXIST)
		tap_skip("no cgroup: %s", strerrorname_np(errno));
	write_file(CGROUP "/memory.max", "16M");
	snprintf(pid, sizeof(pid), "%d", getpid());
	write_file(CGROUP "/cgroup.procs", pid);
}

/* Killed by the OOM killer, or refused: either ends it. */
static void check_out_of_memory(void (*use)(void))
{
	pid_t child;
	int status;

	remember();
	child = tap_fork();
	if (!child) {
		enter_small_cgroup();
		use();
		_exit(0);
	}
	status = tap_wait(child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == TAP_SKIPPED)
		_exit(TAP_SKIPPED);
	if (status && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
		tap_fail("expected ENOMEM or SIGKILL, got %s",
			 tap_status_text(status));
	check_nothing_left();
	MUST(rmdir(CGROUP));
}

/* What VMs and vCPUs take is on the VMM's account. */
static void use_vms(void)
{
	int kvm = kvm_open(), vm = -1;
	unsigned int n;

	limit_files(1 << 16);
	for (n = 0; n < 1 << 15; n++) {
		if (n % 16 == 0)
			vm = ioctl(kvm, KVM_CREATE_VM, 0);
		else if (ioctl(vm, KVM_CREATE_VCPU, n % 16) < 0)
			vm = -1;
		if (vm < 0) {
			CHECK_EQ(errno, ENOMEM);
			return;
		}
	}
	tap_fail("expected ENOMEM or SIGKILL, got %u VMs and vCPUs in 16 MiB", n);
}

static void test_no_memory_for_vms(void)
{
	check_out_of_memory(use_vms);
}

/* The guest takes more than there is: its VMM pays. */
static void use_guest_memory(void)
{
	struct machine m = machine_make();
	char *mem = map_memory(64 * MIB);

	set_slot(&m, 1, 0, 0x4000000, mem, 64 * MIB);
	guest_start(&m, guest_touch, 0x4000000, 64 * MIB / PAGE, 0);
	if (!vcpu_run(&m))
		tap_fail("expected ENOMEM or SIGKILL, got 64 MiB of the guest in 16 MiB");
	CHECK(errno == ENOMEM || errno == EFAULT);
}

static void test_no_memory_for_guest(void)
{
	check_out_of_memory(use_guest_memory);
}

static const struct tap_test tests[] = {
	{ "descriptors closed in any order", test_close },
	{ "VMMs killed at any moment", test_kill },
	{ "no descriptors left", test_no_files },
	{ "no descriptors left while others look at vCPUs", test_no_files_walked },
	{ "many vCPUs", test_many_vcpus },
	{ "no memory for VMs and vCPUs", test_no_memory_for_vms },
	{ "no memory for the guest", test_no_memory_for_guest },
	{ "a CPU goes under running vCPUs", test_hotplug_running },
	{ "VMs come and go while a CPU does", test_hotplug_vms },
	{ "a CPU goes and comes under a resting vCPU", test_hotplug_idle },
	{ "a CPU goes and comes, and the guest uses SYSCALL", test_hotplug_syscall },
	{ "a CPU is away for the first VM, or the last", test_hotplug_first_last },
	{ "rmmod while anything is open", test_unload_busy },
	{ "rmmod while another process runs a guest", test_unload_child },
	{ "load, run, unload", test_reload },
};

/* ---- VMMs for others ---- */

static void run_two(void)
{
	static struct machine m, second;
	static struct runner r[2];

	m = machine_make();
	second = machine_sibling(&m, 1);
	guest_start(&m, guest_count, TOOL_DATA, 0, 0);
	guest_start(&second, guest_out, TOOL_DATA + 8, 0, 0);
	runner_start(&r[0], &m);
	runner_start(&r[1], &second);
	check_progress(r, 2);
}

static int hold(void)
{
	int vm, kvm = open(kvm_device(), O_RDWR | O_CLOEXEC);
	char c;

	vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0) {
		printf("%s\n", strerrorname_np(errno));
		return 1;
	}
	run_two();
	printf("ok\n");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--hold"))
		return hold();
	if (is_amd())
		return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
	return tap_main(argc, argv, tests, ARRAY_SIZE(tests), NULL);
}
