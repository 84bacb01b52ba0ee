/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small VMM for tests that look at the API rather than at the guest: one or
 * more vCPUs in 64-bit mode and memory for what the guest itself needs.  All
 * end the test on failure; see tap.h.
 *
 * Written against the KVM API only: KVM_DEVICE in the environment names
 * another device than /dev/kvmlite, e.g. /dev/kvm.
 */
#ifndef KVM_GUEST_H
#define KVM_GUEST_H

#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include <linux/kvm.h>

#include "tap.h"

#define PAGE		4096UL
#define MIB		(1UL << 20)

/* Guest physical: what the guest needs; slot 0. */
#define TOOL_PAGES	32UL
#define TOOL_PML4	0x1000UL
#define TOOL_PDPT	0x2000UL
#define TOOL_PD		0x3000UL
#define TOOL_CODE	0x4000UL
#define TOOL_DATA	0x8000UL
#define TOOL_STACK	0x10000UL
#define CODE_MAX	0x4000UL

#define PORT		0x10
#define MMIO_BASE	0x30000000UL	/* no slot is ever there */
#define RFLAGS		0x202UL		/* IF: Bochs preempts no other guest */

/*
 * A program of the guest: position independent, in 64-bit mode; arguments in
 * rdi, rsi, rdx.  All programs are copied to TOOL_CODE.
 */
#define GUEST_FUNCTION	__attribute__((naked, used, section("guest_code")))

#define GUEST(name, code)						\
GUEST_FUNCTION								\
static void guest_##name(void)						\
{									\
	__asm__ volatile(code);						\
}

/* Ends a program: to userspace, again and again. */
#define GUEST_OUT	"9: out %al, $0x10\n\tjmp 9b"

struct machine {
	int kvm;
	int vm;
	int vcpu;
	struct kvm_run *run;
	char *tool;		/* memory of slot 0 */
};

static inline const char *kvm_device(void)
{
	return getenv("KVM_DEVICE") ?: "/dev/kvmlite";
}

static inline int kvm_open(void)
{
	int fd = open(kvm_device(), O_RDWR | O_CLOEXEC);

	if (fd < 0)
		tap_skip("%s: %s", kvm_device(), strerrorname_np(errno));
	return fd;
}

/* What the device or a VM says of a capability; 0 is no. */
static inline int has_cap(int fd, long cap)
{
	return MUST(ioctl(fd, KVM_CHECK_EXTENSION, cap));
}

static inline bool is_amd(void)
{
	u32 eax = 0, ebx, ecx, edx;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
	return ebx == 0x68747541;	/* Auth */
}

/* QEMU's own emulation of a CPU, which leaves out some of AMD-V. */
static inline bool is_tcg(void)
{
	u32 eax = 0x40000000, ebx, ecx, edx;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
	return ebx == 0x54474354;	/* TCGT */
}

static inline void *map_memory(unsigned long size)
{
	return (void *)MUST(mmap(NULL, size, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static inline int try_slot(const struct machine *m, u32 slot, u32 flags,
			   u64 address, const void *mem, u64 size)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot, .flags = flags, .guest_phys_addr = address,
		.memory_size = size, .userspace_addr = (unsigned long)mem,
	};

	return ioctl(m->vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static inline void set_slot(const struct machine *m, u32 slot, u32 flags,
			    u64 address, const void *mem, u64 size)
{
	MUST(try_slot(m, slot, flags, address, mem, size));
}

static inline int vm_create(int kvm)
{
	return MUST(ioctl(kvm, KVM_CREATE_VM, 0));
}

static inline struct kvm_run *vcpu_map(int kvm, int vcpu)
{
	long size = MUST(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0));

	return (void *)MUST(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
				 vcpu, 0));
}

#define CPUID_MAX	256

struct cpuid_list {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entries[CPUID_MAX];
};

static inline void cpuid_get_supported(int kvm, struct cpuid_list *list)
{
	memset(list, 0, sizeof(*list));
	list->head.nent = CPUID_MAX;
	MUST(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, list));
}

static inline struct kvm_cpuid_entry2 *cpuid_find(struct cpuid_list *list,
						  u32 function, u32 index)
{
	u32 i;

	for (i = 0; i < list->head.nent; i++)
		if (list->entries[i].function == function &&
		    list->entries[i].index == index)
			return &list->entries[i];
	return NULL;
}

static inline struct kvm_segment flat_segment(bool code)
{
	return (struct kvm_segment){
		.limit = 0xffffffff, .selector = code ? 8 : 16,
		.type = code ? 11 : 3, .present = 1, .db = !code, .s = 1,
		.l = code, .g = 1,
	};
}

/* The first GiB, one to one, in pages of 2 MiB. */
static inline void make_page_tables(char *tool)
{
	u64 *pd = (u64 *)(tool + TOOL_PD), i;

	*(u64 *)(tool + TOOL_PML4) = TOOL_PDPT | 3;
	*(u64 *)(tool + TOOL_PDPT) = TOOL_PD | 3;
	for (i = 0; i < 512; i++)
		pd[i] = i << 21 | 0x83;
}

static inline void long_mode_sregs(struct kvm_sregs *sregs)
{
	sregs->cr0 = 0x80010033;	/* PG WP NE ET MP PE */
	sregs->cr3 = TOOL_PML4;
	sregs->cr4 = 0x620;		/* OSXMMEXCPT OSFXSR PAE */
	sregs->efer = 0x500;		/* LMA LME */
	sregs->cs = flat_segment(true);
	sregs->ds = flat_segment(false);
	sregs->es = sregs->ds;
	sregs->fs = sregs->ds;
	sregs->gs = sregs->ds;
	sregs->ss = sregs->ds;
}

static inline void vcpu_set_long_mode(int vcpu)
{
	struct kvm_sregs sregs;

	MUST(ioctl(vcpu, KVM_GET_SREGS, &sregs));
	long_mode_sregs(&sregs);
	MUST(ioctl(vcpu, KVM_SET_SREGS, &sregs));
}

static inline void vcpu_set_cpuid(int kvm, int vcpu)
{
	struct cpuid_list list;

	cpuid_get_supported(kvm, &list);
	MUST(ioctl(vcpu, KVM_SET_CPUID2, &list));
}

/* A VM with a vCPU as it is after reset, and no memory. */
static inline struct machine machine_bare(void)
{
	struct machine m = { .kvm = kvm_open() };

	m.vm = vm_create(m.kvm);
	m.vcpu = MUST(ioctl(m.vm, KVM_CREATE_VCPU, 0));
	m.run = vcpu_map(m.kvm, m.vcpu);
	return m;
}

extern const char __start_guest_code[], __stop_guest_code[];

/* With @size bytes of memory at 0; TOOL_PAGES pages at least. */
static inline struct machine machine_make_size(u64 size)
{
	struct machine m = machine_bare();

	m.tool = map_memory(size);
	make_page_tables(m.tool);
	CHECK(__stop_guest_code - __start_guest_code <= (long)CODE_MAX);
	memcpy(m.tool + TOOL_CODE, __start_guest_code,
	       __stop_guest_code - __start_guest_code);
	set_slot(&m, 0, 0, 0, m.tool, size);
	vcpu_set_cpuid(m.kvm, m.vcpu);
	vcpu_set_long_mode(m.vcpu);
	return m;
}

static inline struct machine machine_make(void)
{
	return machine_make_size(TOOL_PAGES * PAGE);
}

/* Another vCPU of the same VM, as a machine of its own. */
static inline struct machine machine_sibling(const struct machine *m, u32 id)
{
	struct machine sibling = *m;

	sibling.vcpu = MUST(ioctl(m->vm, KVM_CREATE_VCPU, id));
	sibling.run = vcpu_map(m->kvm, sibling.vcpu);
	vcpu_set_cpuid(m->kvm, sibling.vcpu);
	vcpu_set_long_mode(sibling.vcpu);
	return sibling;
}

/* The mappings of run and tool stay until the process ends. */
static inline void machine_close(const struct machine *m)
{
	close(m->vcpu);
	close(m->vm);
	close(m->kvm);
}

static inline int vcpu_run(const struct machine *m)
{
	return ioctl(m->vcpu, KVM_RUN, 0);
}

/* What the last exit left to do is done, and the guest does not run. */
static inline void vcpu_complete(const struct machine *m)
{
	m->run->immediate_exit = 1;
	CHECK_ERRNO(vcpu_run(m), EINTR);
	m->run->immediate_exit = 0;
}

#define vcpu_run_until(m, reason) \
	vcpu_run_until_at(m, reason, #reason, __FILE_NAME__, __LINE__)

static inline void vcpu_run_until_at(const struct machine *m, u32 reason,
				     const char *name, const char *file, int line)
{
	if (vcpu_run(m))
		tap_fail("%s:%d: KVM_RUN: expected %s, got %s", file, line, name,
			 strerrorname_np(errno));
	if (m->run->exit_reason != reason)
		tap_fail("%s:%d: KVM_RUN: expected %s, got exit reason %u (suberror %u)",
			 file, line, name, m->run->exit_reason,
			 m->run->internal.suberror);
}

static inline struct kvm_regs vcpu_regs(const struct machine *m)
{
	struct kvm_regs regs;

	MUST(ioctl(m->vcpu, KVM_GET_REGS, &regs));
	return regs;
}

static inline u64 vcpu_msr(const struct machine *m, u32 index)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msr = { .head.nmsrs = 1, .entry.index = index };

	CHECK_EQ(ioctl(m->vcpu, KVM_GET_MSRS, &msr), 1);
	return msr.entry.data;
}

static inline void vcpu_set_msr(const struct machine *m, u32 index, u64 value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msr = { .head.nmsrs = 1,
		  .entry = { .index = index, .data = value } };

	CHECK_EQ(ioctl(m->vcpu, KVM_SET_MSRS, &msr), 1);
}

static inline u64 guest_address(void (*program)(void))
{
	return TOOL_CODE + ((char *)program - __start_guest_code);
}

/* Where the next KVM_RUN starts. */
static inline void guest_start(const struct machine *m, void (*program)(void),
			       u64 rdi, u64 rsi, u64 rdx)
{
	struct kvm_regs regs = {
		.rip = guest_address(program), .rflags = RFLAGS,
		.rsp = TOOL_STACK, .rdi = rdi, .rsi = rsi, .rdx = rdx,
	};

	vcpu_complete(m);
	MUST(ioctl(m->vcpu, KVM_SET_REGS, &regs));
}

/* Run a program that ends in GUEST_OUT. */
#define guest_call(m, program, rdi, rsi, rdx) do {			\
	const struct machine *__m = (m);				\
									\
	guest_start(__m, program, rdi, rsi, rdx);			\
	vcpu_run_until(__m, KVM_EXIT_IO);				\
} while (0)

static inline void sleep_ms(unsigned int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000,
			       .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&ts, NULL);
}

/* ---- a vCPU that runs in a thread ---- */

/**
 * struct runner - the thread
 * @stop:	end soon
 * @io:		exits for OUT so far
 * @mmio:	exits for MMIO so far
 * @mmio_address: of the last one
 * @error:	of KVM_RUN, if that ended it
 * @reason:	of the exit that ended it, if one did
 */
struct runner {
	struct machine m;
	pthread_t thread;
	bool stop;
	u64 io;
	u64 mmio;
	u64 mmio_address;
	int error;
	u32 reason;
};

#define READ_ONCE(x)	__atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), v, __ATOMIC_SEQ_CST)

static inline void runner_kick_handler(int sig)
{
	(void)sig;
}

static inline bool runner_step(struct runner *r)
{
	if (vcpu_run(&r->m)) {
		if (errno == EINTR)
			return true;
		WRITE_ONCE(r->error, errno);
		return false;
	}
	switch (r->m.run->exit_reason) {
	case KVM_EXIT_IO:
		WRITE_ONCE(r->io, r->io + 1);
		return true;
	case KVM_EXIT_MMIO:
		r->mmio_address = r->m.run->mmio.phys_addr;
		WRITE_ONCE(r->mmio, r->mmio + 1);
		return true;
	default:
		WRITE_ONCE(r->reason, r->m.run->exit_reason);
		return false;
	}
}

static inline void *runner_main(void *arg)
{
	struct runner *r = arg;

	while (!READ_ONCE(r->stop) && runner_step(r))
		;
	return NULL;
}

static inline void runner_start(struct runner *r, const struct machine *m)
{
	struct sigaction action = { .sa_handler = runner_kick_handler };

	MUST(sigaction(SIGUSR1, &action, NULL));
	*r = (struct runner){ .m = *m };
	CHECK_EQ(pthread_create(&r->thread, NULL, runner_main, r), 0);
}

static inline void runner_stop(struct runner *r)
{
	WRITE_ONCE(r->stop, true);
	WRITE_ONCE(r->m.run->immediate_exit, 1);
	pthread_kill(r->thread, SIGUSR1);
	CHECK_EQ(pthread_join(r->thread, NULL), 0);
	r->m.run->immediate_exit = 0;
}

static inline void runner_check(const struct runner *r)
{
	if (READ_ONCE(r->error))
		tap_fail("KVM_RUN: expected success, got %s",
			 strerrorname_np(r->error));
	if (READ_ONCE(r->reason))
		tap_fail("expected the vCPU to run, got exit reason %u (suberror %u)",
			 r->reason, r->m.run->internal.suberror);
}

/* Poll until the condition holds; only a hang takes that long. */
#define CHECK_SOON(condition) do {					\
	int __tries = 6000;						\
									\
	while (!(condition) && --__tries)				\
		sleep_ms(5);						\
	if (!__tries)							\
		tap_fail("%s:%d: expected within 30 s: %s",		\
			 __FILE_NAME__, __LINE__, #condition);		\
} while (0)

/* The same while a vCPU must go on. */
#define CHECK_RUNNER_SOON(r, condition) do {				\
	int __tries = 6000;						\
									\
	while (!(condition) && --__tries) {				\
		runner_check(r);					\
		sleep_ms(5);						\
	}								\
	if (!__tries)							\
		tap_fail("%s:%d: expected within 30 s: %s",		\
			 __FILE_NAME__, __LINE__, #condition);		\
} while (0)

/*
 * tap_main(), for stock KVM with a VM that is there all the time: with the first
 * and the last one the kernel patches its scheduler, and QEMU's own emulation, if
 * its CPUs do not take turns, sometimes runs the breakpoint that does this when
 * the kernel no longer expects it.
 */
static inline int kvm_main(int argc, char **argv, const struct tap_test *tests,
			   unsigned int count)
{
	int kvm = -1;

	if (!strcmp(kvm_device(), "/dev/kvm"))
		kvm = open(kvm_device(), O_RDWR | O_CLOEXEC);
	if (kvm >= 0)
		ioctl(kvm, KVM_CREATE_VM, 0);
	return tap_main(argc, argv, tests, count, NULL);
}

#endif /* KVM_GUEST_H */
