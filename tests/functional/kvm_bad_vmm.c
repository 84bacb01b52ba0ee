// SPDX-License-Identifier: GPL-2.0
/*
 * A VMM that does it wrong: state no processor can be in, huge counts, unknown
 * flags, bad pointers, wrong processes, sudden death.  Each call gives the
 * errno that stock KVM gives; where kernels or vendors differ, any of theirs.
 */
#define _GNU_SOURCE
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/time.h>

#include "kvm_guest.h"

GUEST(out, GUEST_OUT)
GUEST(spin, "1: incq (%rdi)\n\tjmp 1b")

#define BAD_POINTER	((void *)0x8000000000001000UL)

static char scratch[65536] __attribute__((aligned(4096)));

/* The vCPU still works. */
static void check_alive(const struct machine *m)
{
	guest_call(m, guest_out, 0, 0, 0);
	CHECK_EQ(m->run->io.port, PORT);
}

/* ---- special registers ---- */

#define FIELD(name)	offsetof(struct kvm_sregs, name)

/*
 * Values of one field of a vCPU in 64-bit mode: refused by KVM_SET_SREGS
 * everywhere, or left to KVM_RUN by some, which may then end in any way but
 * must end.
 */
static const struct {
	const char *name;
	size_t offset;
	u64 value;
	bool refused;
} bad_fields[] = {
	{ "CR0 without PE", FIELD(cr0), 0x80000010, true },
	{ "CR0 with NW but not CD", FIELD(cr0), 0xa0010033, true },
	{ "CR0 beyond 32 bits", FIELD(cr0), 0x180010033, true },
	{ "CR0 without PG", FIELD(cr0), 0x10033, true },
	{ "CR3 beyond the physical addresses", FIELD(cr3), 1ULL << 62, true },
	{ "CR4 without PAE", FIELD(cr4), 0x600, true },
	{ "CR4 with a reserved bit", FIELD(cr4), 1 << 31 | 0x620, true },
	{ "CR4 beyond 32 bits", FIELD(cr4), 1ULL << 40 | 0x620, true },
	{ "CR8 above 15", FIELD(cr8), 16, false },
	{ "EFER with a reserved bit", FIELD(efer), 1ULL << 40 | 0x500, false },
	{ "EFER without LMA", FIELD(efer), 0x100, true },
	{ "EFER without LME", FIELD(efer), 0x400, true },
	{ "EFER without both", FIELD(efer), 0, false },
	{ "APIC base beyond the physical addresses", FIELD(apic_base),
	  1ULL << 60 | 0xfee00900, true },
	{ "APIC base with a reserved bit", FIELD(apic_base), 0xfee00901, true },
	{ "APIC mode x2APIC without xAPIC", FIELD(apic_base), 0xfee00500, true },
	{ "CS base not canonical", FIELD(cs.base), 1ULL << 63, false },
	{ "FS base not canonical", FIELD(fs.base), 1ULL << 63, false },
	{ "GS base not canonical", FIELD(gs.base), 1ULL << 63, false },
	{ "TR base not canonical", FIELD(tr.base), 1ULL << 63, false },
	{ "LDTR base not canonical", FIELD(ldt.base), 1ULL << 63, false },
	{ "GDTR base not canonical", FIELD(gdt.base), 1ULL << 63, false },
	{ "IDTR base not canonical", FIELD(idt.base), 1ULL << 63, false },
	{ "CR2 not canonical", FIELD(cr2), 1ULL << 63, false },
	{ "CR3 in no slot", FIELD(cr3), 0x7fff000, false },
};

/*
 * KVM_RUN of whatever state: an exit or an errno.  Some states have the guest
 * fault for ever; a signal must end that.
 */
static int run_bounded(const struct machine *m)
{
	const struct itimerval limit = {
		.it_interval = { .tv_usec = 50000 },
		.it_value = { .tv_usec = 50000 },
	}, never = { .it_value = { .tv_sec = 0 } };
	struct sigaction action = { .sa_handler = runner_kick_handler };
	int ret;

	MUST(sigaction(SIGALRM, &action, NULL));
	MUST(setitimer(ITIMER_REAL, &limit, NULL));
	ret = vcpu_run(m);
	MUST(setitimer(ITIMER_REAL, &never, NULL));
	signal(SIGALRM, SIG_DFL);
	alarm(TAP_TIMEOUT);
	return ret;
}

static void run_insane(const struct machine *m)
{
	struct kvm_regs regs = { .rip = guest_address(guest_out),
				 .rflags = RFLAGS, .rsp = TOOL_STACK };
	unsigned int i;

	MUST(ioctl(m->vcpu, KVM_SET_REGS, &regs));
	for (i = 0; i < 5; i++)
		if (run_bounded(m) || m->run->exit_reason != KVM_EXIT_IO)
			break;
}

static void test_sregs(void)
{
	struct kvm_sregs sregs, before, after;
	unsigned int i, wrong = 0;
	int ret;

	for (i = 0; i < ARRAY_SIZE(bad_fields); i++) {
		struct machine m = machine_make();

		MUST(ioctl(m.vcpu, KVM_GET_SREGS, &sregs));
		before = sregs;
		memcpy((char *)&sregs + bad_fields[i].offset,
		       &bad_fields[i].value, sizeof(u64));
		ret = ioctl(m.vcpu, KVM_SET_SREGS, &sregs);
		if (ret && errno != EINVAL)
			tap_fail("%s: expected EINVAL, got %s", bad_fields[i].name,
				 strerrorname_np(errno));
		wrong += !ret && bad_fields[i].refused;
		if (ret) {
			MUST(ioctl(m.vcpu, KVM_GET_SREGS, &after));
			if (memcmp(&before, &after, sizeof(before)))
				tap_fail("%s: refused, but not without effect",
					 bad_fields[i].name);
			check_alive(&m);
		} else {
			tap_note("%s: taken%s", bad_fields[i].name,
				 bad_fields[i].refused ? ", expected EINVAL" : "");
			run_insane(&m);
		}
		machine_close(&m);
	}
	CHECK_EQ(wrong, 0);
}

/* Every byte of a segment, one by one: any answer, and KVM_RUN ends. */
static void test_segments(void)
{
	static const size_t segments[] = {
		FIELD(cs), FIELD(ds), FIELD(ss), FIELD(tr), FIELD(ldt),
	};
	struct machine m = machine_make();
	struct kvm_sregs good, sregs;
	struct kvm_segment *segment;
	unsigned int i, n;

	MUST(ioctl(m.vcpu, KVM_GET_SREGS, &good));
	for (i = 0; i < ARRAY_SIZE(segments); i++)
		for (n = 0; n < 11; n++) {
			struct machine each = m;

			each.vcpu = MUST(ioctl(m.vm, KVM_CREATE_VCPU,
					       1 + i * 11 + n));
			each.run = vcpu_map(m.kvm, each.vcpu);
			vcpu_set_cpuid(m.kvm, each.vcpu);
			sregs = good;
			segment = (void *)((char *)&sregs + segments[i]);
			((u8 *)segment)[12 + n % 10] = n < 10 ? 0xff : 0x55;
			if (!ioctl(each.vcpu, KVM_SET_SREGS, &sregs))
				run_insane(&each);
			close(each.vcpu);
		}
	check_alive(&m);
}

static void test_interrupt_bitmap(void)
{
	struct machine m = machine_make();
	struct kvm_sregs sregs;

	MUST(ioctl(m.vcpu, KVM_GET_SREGS, &sregs));
	memset(sregs.interrupt_bitmap, 0xff, sizeof(sregs.interrupt_bitmap));
	ioctl(m.vcpu, KVM_SET_SREGS, &sregs);
	run_insane(&m);
}

static void test_regs(void)
{
	struct machine m = machine_make();
	struct kvm_regs regs;

	/* All flags, no canonical address at all. */
	memset(&regs, 0xff, sizeof(regs));
	regs.rip = 1ULL << 63;
	MUST(ioctl(m.vcpu, KVM_SET_REGS, &regs));
	run_bounded(&m);
}

/* ---- other state ---- */

static void test_fpu_state(void)
{
	struct machine m = machine_make();
	struct kvm_fpu fpu;
	struct kvm_xcrs xcrs;
	u8 *xsave = (u8 *)scratch;
	unsigned int i;
	static const u64 bad_xcr0[] = { 0, 2, 4, 5, 1ULL << 63, 1 << 30 | 1 };

	/* MXCSR with reserved bits: a real processor would fault on these. */
	MUST(ioctl(m.vcpu, KVM_GET_FPU, &fpu));
	memset(&fpu, 0xff, sizeof(fpu));
	ioctl(m.vcpu, KVM_SET_FPU, &fpu);
	check_alive(&m);
	MUST(ioctl(m.vcpu, KVM_GET_XSAVE, xsave));
	memset(xsave + 24, 0xff, 4);	/* counts if there is SSE state */
	xsave[512] |= 2;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_XSAVE, xsave), EINVAL);
	MUST(ioctl(m.vcpu, KVM_GET_XSAVE, xsave));
	memset(xsave + 512, 0xff, 8);	/* XSTATE_BV: all there is */
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_XSAVE, xsave), EINVAL);
	MUST(ioctl(m.vcpu, KVM_GET_XSAVE, xsave));
	memset(xsave + 520, 0xff, 8);	/* XCOMP_BV: the compact format */
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_XSAVE, xsave), EINVAL);
	check_alive(&m);
	for (i = 0; i < ARRAY_SIZE(bad_xcr0); i++) {
		memset(&xcrs, 0, sizeof(xcrs));
		xcrs.nr_xcrs = 1;
		xcrs.xcrs[0].value = bad_xcr0[i];
		CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_XCRS, &xcrs), EINVAL);
	}
	MUST(ioctl(m.vcpu, KVM_GET_XCRS, &xcrs));
	xcrs.flags = 1;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_XCRS, &xcrs), EINVAL);
	xcrs.flags = 0;
	xcrs.nr_xcrs = 17;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_XCRS, &xcrs), EINVAL);
	xcrs.nr_xcrs = -1U;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_XCRS, &xcrs), EINVAL);
	check_alive(&m);
}

static void test_debugregs(void)
{
	struct machine m = machine_make();
	struct kvm_debugregs regs;

	MUST(ioctl(m.vcpu, KVM_GET_DEBUGREGS, &regs));
	regs.flags = 1;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_DEBUGREGS, &regs), EINVAL);
	regs.flags = 0;
	regs.dr6 = 1ULL << 32;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_DEBUGREGS, &regs), EINVAL);
	regs.dr6 = 0xffff0ff0;
	regs.dr7 = 1ULL << 32;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_DEBUGREGS, &regs), EINVAL);
	check_alive(&m);
}

static void test_events(void)
{
	struct machine m = machine_make();
	struct kvm_vcpu_events good, events;
	struct kvm_interrupt irq = { .irq = 256 };

	MUST(ioctl(m.vcpu, KVM_GET_VCPU_EVENTS, &good));
	events = good;
	events.flags = 1U << 31;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_VCPU_EVENTS, &events), EINVAL);
	events = good;
	events.exception.injected = 1;
	events.exception.nr = 32;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_VCPU_EVENTS, &events), EINVAL);
	events.exception.nr = 2;	/* NMI */
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_VCPU_EVENTS, &events), EINVAL);
	/* A payload without its capability being enabled. */
	events = good;
	events.flags = KVM_VCPUEVENT_VALID_PAYLOAD;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_VCPU_EVENTS, &events), EINVAL);
	CHECK_ERRNO(ioctl(m.vcpu, KVM_INTERRUPT, &irq), EINVAL);
	irq.irq = -1U;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_INTERRUPT, &irq), EINVAL);
	check_alive(&m);
	/* Everything at once, and no handler for any of it. */
	memset(&events, 0xff, sizeof(events));
	events.flags = KVM_VCPUEVENT_VALID_NMI_PENDING |
		KVM_VCPUEVENT_VALID_SHADOW;
	events.exception.nr = 14;
	if (!ioctl(m.vcpu, KVM_SET_VCPU_EVENTS, &events))
		run_insane(&m);
}

/* Each exception and interrupt in turn, with no IDT: the guest shuts down. */
static void test_injection(void)
{
	unsigned int nr;

	for (nr = 0; nr < 32; nr += 3) {
		struct machine m = machine_make();
		struct kvm_vcpu_events events;

		MUST(ioctl(m.vcpu, KVM_GET_VCPU_EVENTS, &events));
		events.exception.injected = 1;
		events.exception.nr = nr;
		events.exception.has_error_code = nr % 2;
		events.exception.error_code = -1U;
		if (!ioctl(m.vcpu, KVM_SET_VCPU_EVENTS, &events))
			run_insane(&m);
		machine_close(&m);
	}
}

struct msr_one {
	struct kvm_msrs head;
	struct kvm_msr_entry entry;
};

/* How many of one MSR are taken: 0 or 1, never an error. */
static long set_msr(const struct machine *m, u32 index, u64 value)
{
	struct msr_one msr = {
		.head.nmsrs = 1, .entry = { .index = index, .data = value },
	};

	return MUST(ioctl(m->vcpu, KVM_SET_MSRS, &msr));
}

static void test_msrs(void)
{
	static const struct {
		u32 index;
		u64 value;
		const char *name;
	} bad[] = {
		{ 0xc0000082, 1ULL << 63, "LSTAR not canonical" },
		{ 0xc0000083, 1ULL << 62, "CSTAR not canonical" },
		{ 0xc0000102, 1ULL << 63, "KERNEL_GS_BASE not canonical" },
		{ 0xc0000100, 1ULL << 63, "FS_BASE not canonical" },
		{ 0xc0000080, 1ULL << 40, "EFER reserved" },
		{ 0x277, 0x0207040600070406, "PAT type 2" },
		{ 0x277, -1ULL, "PAT types 255" },
		{ 0x1b, 0xfee00901, "APIC_BASE reserved" },
		{ 0xdeadbeef, 0, "unknown" },
		{ 0x2ff, 1 << 9, "MTRR_DEF_TYPE reserved" },
		{ 0x200, 2, "MTRR_PHYSBASE0 type 2" },
		{ 0x4b564d01, 1ULL << 63 | 3, "kvmclock at no address" },
	};
	struct machine m = machine_make();
	struct msr_one msr = { .head.nmsrs = -1U };
	unsigned int i;

	CHECK_ERRNO(ioctl(m.vcpu, KVM_GET_MSRS, &msr), E2BIG);
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_MSRS, &msr), E2BIG);
	msr.head.nmsrs = 256;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_GET_MSRS, &msr), E2BIG);
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_MSRS, &msr), E2BIG);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (set_msr(&m, bad[i].index, bad[i].value))
			tap_note("%s: %llx is taken", bad[i].name,
				 (unsigned long long)bad[i].value);
	/* These are refused by every KVM. */
	CHECK_EQ(set_msr(&m, 0xc0000082, 1ULL << 63), 0);
	CHECK_EQ(set_msr(&m, 0xc0000102, 1ULL << 63), 0);
	CHECK_EQ(set_msr(&m, 0x277, -1ULL), 0);
	CHECK_EQ(set_msr(&m, 0xdeadbeef, 0), 0);
	run_insane(&m);
}

/* Any value in any MSR of the list: taken or not, and KVM_RUN ends. */
static void test_msrs_random(void)
{
	static const u64 values[] = { 0, -1ULL, 1ULL << 63, 0x5555555555555555 };
	static struct {
		struct kvm_msr_list head;
		u32 indices[1024];
	} list = { .head.nmsrs = 1024 };
	struct machine m = machine_make();
	unsigned int i, n;

	MUST(ioctl(m.kvm, KVM_GET_MSR_INDEX_LIST, &list));
	for (n = 0; n < ARRAY_SIZE(values); n++) {
		struct machine each = machine_make();

		for (i = 0; i < list.head.nmsrs; i++)
			set_msr(&each, list.indices[i], values[n]);
		run_insane(&each);
		machine_close(&each);
	}
	check_alive(&m);
}

static void test_cpuid(void)
{
	struct machine m = machine_bare();
	struct cpuid_list list;
	struct kvm_cpuid_entry2 *e;

	cpuid_get_supported(m.kvm, &list);
	list.head.nent = 257;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_CPUID2, &list), E2BIG);
	list.head.nent = -1U;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_CPUID2, &list), E2BIG);
	cpuid_get_supported(m.kvm, &list);
	e = cpuid_find(&list, 0x80000008, 0);
	CHECK(e);
	e->eax = (e->eax & 0xff) | 99 << 8;	/* bits of a linear address */
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_CPUID2, &list), EINVAL);
	/* Nonsense that KVM leaves to the VMM. */
	memset(list.entries, 0xff, sizeof(list.entries));
	list.head.nent = 200;
	ioctl(m.vcpu, KVM_SET_CPUID2, &list);
	run_bounded(&m);
}

/* ---- KVM_RUN ---- */

static void test_run(void)
{
	struct machine m = machine_make();

	CHECK_ERRNO(ioctl(m.vcpu, KVM_RUN, 1), EINVAL);
	guest_start(&m, guest_out, 0, 0, 0);
	/* A priority no APIC has; refused before the guest runs. */
	m.run->cr8 = 16;
	CHECK_ERRNO(vcpu_run(&m), EINVAL);
	m.run->cr8 = 0;
	vcpu_run_until(&m, KVM_EXIT_IO);
	/* Whatever the VMM writes there. */
	memset(m.run, 0xff, 256);
	m.run->immediate_exit = 0;
	m.run->kvm_valid_regs = 0;
	m.run->kvm_dirty_regs = 0;
	m.run->cr8 = 0;
	m.run->request_interrupt_window = 0;
	vcpu_run_until(&m, KVM_EXIT_IO);
	/* No memory at all: nothing to fetch. */
	set_slot(&m, 0, 0, 0, m.tool, 0);
	if (!run_bounded(&m))
		CHECK(m.run->exit_reason == KVM_EXIT_INTERNAL_ERROR ||
		      m.run->exit_reason == KVM_EXIT_SHUTDOWN ||
		      m.run->exit_reason == KVM_EXIT_MMIO);
}

/* ---- flags ---- */

static void test_flags(void)
{
	struct machine m = machine_make();
	struct kvm_ioeventfd io = {
		.addr = 0x20, .len = 1, .flags = 1U << 31,
		.fd = MUST(eventfd(0, 0)),
	};
	struct kvm_guest_debug debug = { .control = 0 };
	struct kvm_clock_data clock = { .flags = 1U << 31 };

	if (has_cap(m.kvm, KVM_CAP_IOEVENTFD)) {
		CHECK_ERRNO(ioctl(m.vm, KVM_IOEVENTFD, &io), EINVAL);
		io.flags = KVM_IOEVENTFD_FLAG_PIO;
		io.len = 3;
		CHECK_ERRNO(ioctl(m.vm, KVM_IOEVENTFD, &io), EINVAL);
		io.len = 4;
		io.addr = -2ULL;
		CHECK_ERRNO(ioctl(m.vm, KVM_IOEVENTFD, &io), EINVAL);
		io.addr = 0x20;
		io.fd = -1;
		CHECK_ERRNO(ioctl(m.vm, KVM_IOEVENTFD, &io), EBADF);
		io.fd = m.vm;
		CHECK_ERRNO(ioctl(m.vm, KVM_IOEVENTFD, &io), EINVAL);
		io.flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
		CHECK_ERRNO(ioctl(m.vm, KVM_IOEVENTFD, &io), EINVAL);
		io.fd = -1;
		CHECK_ERRNO(ioctl(m.vm, KVM_IOEVENTFD, &io), EBADF);
		io.fd = MUST(eventfd(0, 0));
		CHECK_ERRNO(ioctl(m.vm, KVM_IOEVENTFD, &io), ENOENT);
	}
	/* Unknown control bits have never been refused. */
	debug.control = 0xffff0000 & ~(KVM_GUESTDBG_USE_SW_BP |
				       KVM_GUESTDBG_USE_HW_BP |
				       KVM_GUESTDBG_INJECT_DB |
				       KVM_GUESTDBG_INJECT_BP);
	ioctl(m.vcpu, KVM_SET_GUEST_DEBUG, &debug);
	debug.control = 0;
	MUST(ioctl(m.vcpu, KVM_SET_GUEST_DEBUG, &debug));
	if (has_cap(m.kvm, KVM_CAP_ADJUST_CLOCK))
		CHECK_ERRNO(ioctl(m.vm, KVM_SET_CLOCK, &clock), EINVAL);
	check_alive(&m);
}

/* ---- pointers ---- */

/* The calls that read or write what their argument points to. */
static const struct {
	const char *name;
	unsigned long request;
	enum { SYSTEM, VM, VCPU } of;
} pointer_calls[] = {
#define CALL(name, of) { #name, name, of }
	CALL(KVM_GET_MSR_INDEX_LIST, SYSTEM),
	CALL(KVM_GET_SUPPORTED_CPUID, SYSTEM),
	CALL(KVM_X86_GET_MCE_CAP_SUPPORTED, SYSTEM),
	CALL(KVM_SET_USER_MEMORY_REGION, VM),
	CALL(KVM_GET_DIRTY_LOG, VM),
	CALL(KVM_ENABLE_CAP, VM),
	CALL(KVM_GET_REGS, VCPU),
	CALL(KVM_SET_REGS, VCPU),
	CALL(KVM_GET_SREGS, VCPU),
	CALL(KVM_SET_SREGS, VCPU),
	CALL(KVM_TRANSLATE, VCPU),
	CALL(KVM_INTERRUPT, VCPU),
	CALL(KVM_GET_MSRS, VCPU),
	CALL(KVM_SET_MSRS, VCPU),
	CALL(KVM_GET_FPU, VCPU),
	CALL(KVM_SET_FPU, VCPU),
	CALL(KVM_GET_MP_STATE, VCPU),
	CALL(KVM_SET_MP_STATE, VCPU),
	CALL(KVM_SET_CPUID2, VCPU),
	CALL(KVM_GET_CPUID2, VCPU),
	CALL(KVM_X86_SETUP_MCE, VCPU),
	CALL(KVM_SET_GUEST_DEBUG, VCPU),
	CALL(KVM_GET_VCPU_EVENTS, VCPU),
	CALL(KVM_SET_VCPU_EVENTS, VCPU),
	CALL(KVM_GET_DEBUGREGS, VCPU),
	CALL(KVM_SET_DEBUGREGS, VCPU),
	CALL(KVM_GET_XSAVE, VCPU),
	CALL(KVM_SET_XSAVE, VCPU),
	CALL(KVM_GET_XCRS, VCPU),
	CALL(KVM_SET_XCRS, VCPU),
#undef CALL
};

static void test_pointers(void)
{
	struct machine m = machine_make();
	/* The last bytes of a page: most structs end where nothing is. */
	char *edge = map_memory(2 * PAGE) + PAGE - 4;
	void *const pointers[] = { NULL, BAD_POINTER, edge };
	unsigned int i, n;

	MUST(munmap(edge + 4, PAGE));
	for (i = 0; i < ARRAY_SIZE(pointer_calls); i++) {
		int fd = pointer_calls[i].of == SYSTEM ? m.kvm :
			pointer_calls[i].of == VM ? m.vm : m.vcpu;

		for (n = 0; n < ARRAY_SIZE(pointers); n++) {
			/* These structs are as small as what is left there. */
			if (pointers[n] == edge &&
			    (pointer_calls[i].request == KVM_INTERRUPT ||
			     pointer_calls[i].request == KVM_GET_MP_STATE ||
			     pointer_calls[i].request == KVM_SET_MP_STATE ||
			     pointer_calls[i].request == KVM_GET_MSR_INDEX_LIST))
				continue;
			if (ioctl(fd, pointer_calls[i].request, pointers[n]) != -1)
				tap_fail("%s: expected EFAULT, got success",
					 pointer_calls[i].name);
			if (errno != EFAULT)
				tap_fail("%s: expected EFAULT, got %s",
					 pointer_calls[i].name,
					 strerrorname_np(errno));
		}
	}
	/* NULL is no mask at all; other bad pointers are bad. */
	MUST(ioctl(m.vcpu, KVM_SET_SIGNAL_MASK, NULL));
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_SIGNAL_MASK, BAD_POINTER), EFAULT);
	check_alive(&m);
}

/* Entries behind a good head that are not there. */
static void test_list_pointers(void)
{
	struct machine m = machine_make();
	char *edge = map_memory(2 * PAGE) + PAGE - 8;
	u32 *head = (void *)edge;

	MUST(munmap(edge + 8, PAGE));
	head[0] = 10;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_CPUID2, edge), EFAULT);
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_MSRS, edge), EFAULT);
	CHECK_ERRNO(ioctl(m.vcpu, KVM_GET_MSRS, edge), EFAULT);
	head[0] = 256;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_GET_CPUID2, edge), EFAULT);
	CHECK_ERRNO(ioctl(m.kvm, KVM_GET_SUPPORTED_CPUID, edge), EFAULT);
	head[0] = 4096;
	CHECK_ERRNO(ioctl(m.kvm, KVM_GET_MSR_INDEX_LIST, edge), EFAULT);
	check_alive(&m);
}

/* ---- descriptors and processes ---- */

static void test_closed(void)
{
	struct machine m = machine_make();
	struct kvm_regs regs;
	int vm = m.vm, vcpu = m.vcpu;

	machine_close(&m);
	CHECK_ERRNO(ioctl(vm, KVM_CREATE_VCPU, 1), EBADF);
	CHECK_ERRNO(ioctl(vcpu, KVM_RUN, 0), EBADF);
	CHECK_ERRNO(ioctl(vcpu, KVM_GET_REGS, &regs), EBADF);
	/* The mapping outlives them all. */
	*(volatile u8 *)&m.run->immediate_exit = 1;
}

/* A descriptor of another process's VM is of no use. */
static void test_wrong_mm(void)
{
	struct machine m = machine_make();
	struct kvm_regs regs;
	pid_t child = tap_fork();

	if (!child) {
		CHECK_ERRNO(ioctl(m.vm, KVM_CREATE_VCPU, 1), EIO);
		CHECK_ERRNO(try_slot(&m, 1, 0, 0x8000000, scratch, PAGE), EIO);
		CHECK_ERRNO(ioctl(m.vm, KVM_CHECK_EXTENSION, KVM_CAP_HLT), EIO);
		CHECK_ERRNO(ioctl(m.vm, _IO(KVMIO, 0xff), 0), EIO);
		CHECK_ERRNO(ioctl(m.vcpu, KVM_GET_REGS, &regs), EIO);
		CHECK_ERRNO(ioctl(m.vcpu, KVM_RUN, 0), EIO);
		CHECK_ERRNO(ioctl(m.vcpu, _IO(KVMIO, 0xff), 0), EIO);
		/* The device itself belongs to nobody. */
		close(vm_create(m.kvm));
		_exit(0);
	}
	tap_join(child);
	check_alive(&m);
}

/* The parent ends first; the child only closes. */
static void test_orphan(void)
{
	int pipe_fd[2];
	pid_t parent, child;
	char c;

	MUST(pipe(pipe_fd));
	parent = tap_fork();
	if (!parent) {
		struct machine m = machine_make();

		check_alive(&m);
		child = MUST(fork());
		if (!child) {
			struct kvm_regs regs;

			prctl(PR_SET_PDEATHSIG, 0);
			while (getppid() == parent)
				sleep_ms(1);
			sleep_ms(20);
			if (ioctl(m.vcpu, KVM_GET_REGS, &regs) != -1 ||
			    errno != EIO)
				_exit(1);
			machine_close(&m);
			_exit(write(pipe_fd[1], "x", 1) != 1);
		}
		_exit(0);
	}
	tap_join(parent);
	close(pipe_fd[1]);
	CHECK_EQ(read(pipe_fd[0], &c, 1), 1);
}

/* Free memory in KiB; the free lists of each CPU are kept short. */
static s64 mem_free(void)
{
	char line[256];
	s64 value = -1;
	FILE *f;

	/* Without this they may hold tens of MiB. */
	if (system("echo 100000 >/proc/sys/vm/percpu_pagelist_high_fraction") ||
	    system("echo 3 >/proc/sys/vm/drop_caches"))
		tap_note("the free lists cannot be kept short");
	f = fopen("/proc/meminfo", "re");
	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "MemFree:", 8))
			value = strtoll(line + 8, NULL, 10);
	fclose(f);
	return value;
}

static void make_and_end_vm(void)
{
	struct machine m = { .kvm = kvm_open() };

	m.vm = vm_create(m.kvm);
	m.vcpu = MUST(ioctl(m.vm, KVM_CREATE_VCPU, 0));
	set_slot(&m, 0, KVM_MEM_LOG_DIRTY_PAGES, 0, scratch, sizeof(scratch));
	machine_close(&m);
}

static void test_thousand(void)
{
	const unsigned int count = 1000;
	unsigned int i;
	s64 before;

	for (i = 0; i < 50; i++)
		make_and_end_vm();
	before = mem_free();
	for (i = 0; i < count; i++)
		make_and_end_vm();
	/* Some of the end of a VM comes later: one page each is the limit. */
	CHECK_SOON(before - mem_free() < count * 4);
	tap_note("%lld KiB less after %u VMs", (long long)(before - mem_free()),
		 count);
}

/* Killed while its guest runs, with a second thread in the midst of calls. */
static void *churn(void *arg)
{
	const struct machine *m = arg;

	for (;;) {
		try_slot(m, 1, 0, 0x8000000, scratch, sizeof(scratch));
		try_slot(m, 1, 0, 0x8000000, scratch, 0);
		close(ioctl(m->vm, KVM_CREATE_VCPU, 1));
	}
	return NULL;
}

static void victim(volatile u64 *count)
{
	struct machine m = machine_make();
	pthread_t thread;

	set_slot(&m, 2, 0, 0x9000000, (void *)count, PAGE);
	CHECK_EQ(pthread_create(&thread, NULL, churn, &m), 0);
	guest_start(&m, guest_spin, 0x9000000, 0, 0);
	for (;;)
		vcpu_run(&m);
}

static void test_kill(void)
{
	volatile u64 *count = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int round;
	s64 before = 0;

	for (round = 0; round < 12; round++) {
		pid_t child;

		/* The first ones fill caches that stay. */
		if (round == 2)
			before = mem_free();
		*count = 0;
		child = tap_fork();
		if (!child)
			victim(count);
		CHECK_SOON(*count > 1000);
		sleep_ms(round);
		MUST(kill(child, SIGKILL));
		tap_wait(child);
	}
	CHECK_SOON(before - mem_free() < 2048);
	tap_note("%lld KiB less after 10 deaths",
		 (long long)(before - mem_free()));
}

static const struct tap_test tests[] = {
	{ "special registers that cannot be", test_sregs },
	{ "segments that cannot be", test_segments },
	{ "all interrupts pending", test_interrupt_bitmap },
	{ "general registers that cannot be", test_regs },
	{ "FPU state that cannot be", test_fpu_state },
	{ "debug registers that cannot be", test_debugregs },
	{ "events that cannot be", test_events },
	{ "every exception without a handler", test_injection },
	{ "MSRs: counts and values", test_msrs },
	{ "MSRs: anything", test_msrs_random },
	{ "CPUID: counts and values", test_cpuid },
	{ "struct kvm_run", test_run },
	{ "unknown flags", test_flags },
	{ "bad pointers", test_pointers },
	{ "bad pointers to lists", test_list_pointers },
	{ "closed descriptors", test_closed },
	{ "another process", test_wrong_mm },
	{ "a child that outlives its VMM", test_orphan },
	{ "a thousand VMs leave nothing behind", test_thousand },
	{ "death at any time leaves nothing behind", test_kill },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
