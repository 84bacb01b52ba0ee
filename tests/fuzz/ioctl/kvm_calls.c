// SPDX-License-Identifier: GPL-2.0
/*
 * Calls of the KVM API, on /dev/kvmlite.  kvm_machine makes what most programs
 * begin with: a VM with memory at guest address 0 that is the start of the
 * arena, tables for all modes, a vCPU, and its struct kvm_run.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/syscall.h>

#include "kvm_vm.h"
#include "call.h"

#define RUN_PAGES	3
#define SLICE_NS	10000000L	/* of a KVM_RUN that nothing else ends */

static struct kvm_run *run_of(u64 vcpu)
{
	return (struct kvm_run *)(RUN_BASE + vcpu % CHILD_FDS * RUN_SIZE);
}

/* ---- making a machine ---- */

static long run_open(const struct call *call)
{
	return child_keep(A(0), open(kvm_device(), O_RDWR | O_CLOEXEC));
}

static long run_create_vm(const struct call *call)
{
	return child_keep(A(0), ioctl(child_fd(A(1)), KVM_CREATE_VM, A(2)));
}

static long map_run(u64 vcpu)
{
	return (long)mmap(run_of(vcpu), RUN_PAGES * PAGE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_FIXED, child_fd(vcpu), 0);
}

static long run_create_vcpu(const struct call *call)
{
	if (child_keep(A(0), ioctl(child_fd(A(1)), KVM_CREATE_VCPU, A(2))) < 0)
		return -1;
	return map_run(A(0));
}

static long run_map_run(const struct call *call)
{
	return (long)mmap(run_of(A(0)), A(1) % RUN_SIZE, A(2) & 7,
			  (A(3) & 1 ? MAP_PRIVATE : MAP_SHARED) | MAP_FIXED,
			  child_fd(A(0)), A(4));
}

/* The default descriptors; what fails ends the child, which is nothing special. */
static long run_machine(const struct call *call)
{
	struct machine m = { .kvm = open(kvm_device(), O_RDWR | O_CLOEXEC) };
	u64 size = (A(1) % 256 + TOOL_PAGES) * PAGE;

	child_keep(8, m.kvm);
	m.vm = ioctl(m.kvm, KVM_CREATE_VM, 0);
	child_keep(9, m.vm);
	m.vcpu = ioctl(m.vm, KVM_CREATE_VCPU, 0);
	if (child_keep(10, m.vcpu) < 0)
		return -1;
	map_run(10);
	m.run = run_of(10);
	m.tool = (char *)MUST(mmap((void *)ARENA, size, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	make_page_tables(m.tool);
	vm_make_tables(&m);
	memcpy(m.tool + TOOL_CODE, __start_guest_code,
	       __stop_guest_code - __start_guest_code);
	set_slot(&m, 0, A(2), 0, m.tool, size);
	vcpu_set_cpuid(m.kvm, m.vcpu);
	vm_mode(&m, A(0) % 3);
	return 0;
}

/* ---- running ---- */

static timer_t slice_start(void)
{
	struct itimerspec times = {
		.it_value.tv_nsec = SLICE_NS, .it_interval.tv_nsec = SLICE_NS,
	};
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1,
	};
	timer_t timer;

	event._sigev_un._tid = gettid();
	MUST(timer_create(CLOCK_MONOTONIC, &event, &timer));
	timer_settime(timer, 0, &times, NULL);
	return timer;
}

/* An answer for what the guest reads. */
static void answer(struct kvm_run *run, u64 data)
{
	if (run->exit_reason == KVM_EXIT_MMIO)
		memcpy(run->mmio.data, &data, sizeof(data));
	if (run->exit_reason == KVM_EXIT_IO &&
	    run->io.data_offset <= RUN_PAGES * PAGE - sizeof(data))
		memcpy((char *)run + run->io.data_offset, &data, sizeof(data));
}

static long run_run(const struct call *call)
{
	struct kvm_run *run = run_of(A(0));
	u64 times = A(1) % 32 + 1;
	timer_t timer = slice_start();
	long ret = 0;

	/* May fault: then there is no struct kvm_run. */
	run->immediate_exit = A(2);
	while (times-- && !ret) {
		ret = ioctl(child_fd(A(0)), KVM_RUN, A(4));
		if (!ret)
			answer(run, A(3));
	}
	timer_delete(timer);
	return ret ?: run->exit_reason;
}

/* Guest code at an address, and the vCPU there; the code ends with an OUT. */
static long run_exec(const struct call *call)
{
	struct kvm_regs regs = {
		.rip = A(1), .rflags = A(2) | 2, .rsp = TOOL_STACK, .rax = A(3),
		.rcx = A(4), .rdx = A(5), .rsi = A(6), .rdi = A(6), .rbx = A(3),
	};
	u8 *code = (u8 *)ARENA + A(1) % ARENA_SIZE;
	static const u8 end[] = { 0xe6, PORT, 0xeb, 0xfc };

	if (!in_arena((unsigned long)code, CALL_BYTES + sizeof(end)))
		return -1;
	memcpy(code, call->bytes, call->nbytes);
	memcpy(code + call->nbytes, end, sizeof(end));
	return ioctl(child_fd(A(0)), KVM_SET_REGS, &regs);
}

/* ---- state ---- */

union state {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_sregs2 sregs2;
	struct kvm_fpu fpu;
	struct kvm_xsave xsave;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp_state;
	struct cpuid_list cpuid;
	struct kvm_clock_data clock;
	u8 bytes[12288];
};

static const struct state_type {
	unsigned long get, set;
	size_t size;
} states[] = {
	{ KVM_GET_REGS, KVM_SET_REGS, sizeof(struct kvm_regs) },
	{ KVM_GET_SREGS, KVM_SET_SREGS, sizeof(struct kvm_sregs) },
	{ KVM_GET_SREGS2, KVM_SET_SREGS2, sizeof(struct kvm_sregs2) },
	{ KVM_GET_FPU, KVM_SET_FPU, sizeof(struct kvm_fpu) },
	{ KVM_GET_XSAVE, KVM_SET_XSAVE, sizeof(struct kvm_xsave) },
	{ KVM_GET_XCRS, KVM_SET_XCRS, sizeof(struct kvm_xcrs) },
	{ KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, sizeof(struct kvm_debugregs) },
	{ KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS,
	  sizeof(struct kvm_vcpu_events) },
	{ KVM_GET_MP_STATE, KVM_SET_MP_STATE, sizeof(struct kvm_mp_state) },
	{ KVM_GET_CPUID2, KVM_SET_CPUID2, sizeof(struct cpuid_list) },
	{ KVM_GET_CLOCK, KVM_SET_CLOCK, sizeof(struct kvm_clock_data) },
	{ KVM_GET_XSAVE2, KVM_SET_XSAVE, sizeof(struct kvm_xsave) },
};

static const struct state_type *state_get(const struct call *call,
					  union state *state, u64 place)
{
	const struct state_type *type = &states[A(1) % ARRAY_SIZE(states)];

	memset(state, 0, sizeof(*state));
	if (type->get == KVM_GET_CPUID2)
		state->cpuid.head.nent = CPUID_MAX;
	if (child_ioctl(A(0), type->get, state, type->size, place))
		return NULL;
	return type;
}

static long run_get(const struct call *call)
{
	union state state;

	return state_get(call, &state, A(2)) ? 0 : -1;
}

static void state_change(union state *state, size_t size, u64 offset, u64 width,
			 u64 value)
{
	unsigned int bytes = 1U << width % 4;

	memcpy(state->bytes + offset % size / bytes * bytes, &value, bytes);
}

/*
 * QEMU, when it emulates AMD-V, ends itself ("invalid tss type") if an exception
 * takes a 32-bit guest out of an outer ring with a busy TSS, which it would not
 * be to QEMU had the guest loaded it.
 */
static void tss_for_qemu(struct kvm_sregs *sregs)
{
	if (!is_amd() || !(sregs->cs.dpl || sregs->ss.dpl))
		return;
	sregs->tr.type = 9;
	sregs->tr.present = 1;
}

/* Read it, change one or two fields, write it. */
static long run_change(const struct call *call)
{
	const struct state_type *type;
	union state state;

	type = state_get(call, &state, 0);
	if (!type)
		return -1;
	state_change(&state, type->size, A(2), A(3), A(4));
	if (A(5))
		state_change(&state, type->size, A(5), A(3), A(6));
	if (type->set == KVM_SET_SREGS || type->set == KVM_SET_SREGS2)
		tss_for_qemu(&state.sregs);
	return child_ioctl(A(0), type->set, &state, type->size, A(7));
}

static long run_mode(const struct call *call)
{
	struct kvm_sregs sregs;

	if (ioctl(child_fd(A(0)), KVM_GET_SREGS, &sregs))
		return -1;
	vm_mode_sregs(A(1) % 3, &sregs);
	sregs.cr0 ^= A(2);
	sregs.cr4 ^= A(3);
	sregs.efer ^= A(4);
	sregs.cs.dpl = A(5) & 3;
	sregs.ss.dpl = A(5) & 3;
	if (A(6))
		sregs.cr3 = A(6);
	tss_for_qemu(&sregs);
	return child_ioctl(A(0), KVM_SET_SREGS, &sregs, sizeof(sregs), A(7));
}

static long run_msr(const struct call *call)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry[3];
	} msrs = { .head.nmsrs = A(4) };
	unsigned int i;

	for (i = 0; i < 3; i++) {
		msrs.entry[i].index = A(2) + i;
		msrs.entry[i].data = A(3);
	}
	return child_ioctl(A(0), A(1) ? KVM_SET_MSRS : KVM_GET_MSRS, &msrs,
			   sizeof(msrs), A(5));
}

static long run_debug(const struct call *call)
{
	struct kvm_guest_debug debug = {
		.control = A(1),
		.arch.debugreg = { A(2), A(2) + 1, A(3), A(3) + 1, 0, 0, 0, A(4) },
	};

	return child_ioctl(A(0), KVM_SET_GUEST_DEBUG, &debug, sizeof(debug), A(5));
}

static long run_interrupt(const struct call *call)
{
	struct kvm_interrupt irq = { .irq = A(1) };

	return A(2) ? ioctl(child_fd(A(0)), KVM_NMI, 0) :
		      child_ioctl(A(0), KVM_INTERRUPT, &irq, sizeof(irq), A(3));
}

static long run_translate(const struct call *call)
{
	struct kvm_translation tr = { .linear_address = A(1) };

	return child_ioctl(A(0), KVM_TRANSLATE, &tr, sizeof(tr), A(2));
}

static long run_sigmask(const struct call *call)
{
	struct {
		struct kvm_signal_mask head;
		u64 set;
	} __attribute__((packed)) mask = { .head.len = A(1), .set = A(2) };

	return child_ioctl(A(0), KVM_SET_SIGNAL_MASK, &mask, sizeof(mask), A(3));
}

/* What the next KVM_RUN takes from, and leaves in, struct kvm_run. */
static long run_sync(const struct call *call)
{
	struct kvm_run *run = run_of(A(0));

	run->kvm_valid_regs = A(1);
	run->kvm_dirty_regs = A(2);
	run->request_interrupt_window = A(3);
	run->cr8 = A(4);
	if (A(5))
		memcpy((u8 *)&run->s + A(5) % (sizeof(run->s.regs) - 8), &A(6), 8);
	return 0;
}

/* ---- the VM ---- */

static long run_slot(const struct call *call)
{
	struct kvm_userspace_memory_region region = {
		.slot = A(1), .flags = A(2), .guest_phys_addr = A(3),
		.memory_size = A(4), .userspace_addr = A(5),
	};

	return child_ioctl(A(0), KVM_SET_USER_MEMORY_REGION, &region,
			   sizeof(region), A(6));
}

static u64 dirty_bits[ARENA_SIZE / PAGE / 64];

static long run_dirty(const struct call *call)
{
	struct kvm_dirty_log log = { .slot = A(1) };

	log.dirty_bitmap = A(2) ? (void *)A(2) : dirty_bits;
	return child_ioctl(A(0), KVM_GET_DIRTY_LOG, &log, sizeof(log), A(3));
}

static long run_clear_dirty(const struct call *call)
{
	struct kvm_clear_dirty_log log = {
		.slot = A(1), .first_page = A(2), .num_pages = A(3),
	};

	log.dirty_bitmap = A(4) ? (void *)A(4) : dirty_bits;
	return child_ioctl(A(0), KVM_CLEAR_DIRTY_LOG, &log, sizeof(log), A(5));
}

static long run_ioeventfd(const struct call *call)
{
	struct kvm_ioeventfd args = {
		.addr = A(1), .len = A(2), .fd = child_fd(A(3)), .flags = A(4),
		.datamatch = A(5),
	};

	return child_ioctl(A(0), KVM_IOEVENTFD, &args, sizeof(args), A(6));
}

static long run_cap(const struct call *call)
{
	struct kvm_enable_cap cap = {
		.cap = A(1), .flags = A(2), .args = { A(3) },
	};

	return child_ioctl(A(0), KVM_ENABLE_CAP, &cap, sizeof(cap), A(4));
}

static long run_irqfd(const struct call *call)
{
	struct kvm_irqfd args = {
		.fd = child_fd(A(1)), .gsi = A(2), .flags = A(3),
	};

	return child_ioctl(A(0), KVM_IRQFD, &args, sizeof(args), A(4));
}

static long run_stats_fd(const struct call *call)
{
	return child_keep(A(1), ioctl(child_fd(A(0)), KVM_GET_STATS_FD, 0));
}

/* ---- lists ---- */

static const unsigned long lists[] = {
	KVM_GET_SUPPORTED_CPUID, KVM_GET_MSR_INDEX_LIST,
	KVM_GET_MSR_FEATURE_INDEX_LIST, KVM_GET_MSRS, KVM_GET_CPUID2,
	KVM_X86_GET_MCE_CAP_SUPPORTED, KVM_SET_CPUID, KVM_SET_CPUID2,
	KVM_SET_GSI_ROUTING, KVM_X86_SETUP_MCE, KVM_SET_IDENTITY_MAP_ADDR,
};

/* A structure that begins with a number of entries. */
static long run_list(const struct call *call)
{
	union state state;

	memset(&state, A(3), sizeof(state));
	memcpy(&state, &A(2), sizeof(u64));
	return child_ioctl(A(0), lists[A(1) % ARRAY_SIZE(lists)], &state,
			   sizeof(state), A(4));
}

static const unsigned long numbers[] = {
	KVM_CHECK_EXTENSION, KVM_GET_API_VERSION, KVM_GET_VCPU_MMAP_SIZE,
	KVM_SET_TSS_ADDR, KVM_GET_TSC_KHZ, KVM_SET_TSC_KHZ, KVM_KVMCLOCK_CTRL,
	KVM_CREATE_IRQCHIP, KVM_CREATE_VCPU, KVM_SMI,
};

/* An ioctl that takes a number. */
static long run_number(const struct call *call)
{
	unsigned long request = numbers[A(1) % ARRAY_SIZE(numbers)];
	long ret = ioctl(child_fd(A(0)), request, A(2));

	return request == KVM_CREATE_VCPU ? child_keep(11, ret) : ret;
}

#define VCPU	FD_VCPU("fd")
#define VM	FD_VM("fd")
#define AT	{ "at", ARG_PLACE, 0, 0 }
#define VALUE(name) { name, ARG_VALUE, 0, 0 }

const struct call_type kvm_calls[] = {
	{ "kvm_machine", DEVICE_KVM, 3, false, run_machine,
	  { { "mode", ARG_ENUM, 2, 2 }, { "pages", ARG_ENUM, 0, 255 },
	    { "flags", ARG_FLAGS, 0, 3 } } },
	{ "kvm_open", DEVICE_KVM, 1, false, run_open, { FD_KVM("to") } },
	{ "kvm_create_vm", DEVICE_KVM, 1, false, run_create_vm,
	  { FD_VM("to"), FD_KVM("fd"), VALUE("type") } },
	{ "kvm_create_vcpu", DEVICE_KVM, 2, false, run_create_vcpu,
	  { FD_VCPU("to"), VM, { "id", ARG_ENUM, 0, 4 } } },
	{ "kvm_map_run", DEVICE_KVM, 1, false, run_map_run,
	  { VCPU, { "len", ARG_LEN, 12288, 0 }, { "prot", ARG_ENUM, 3, 7 },
	    { "private", ARG_ENUM, 0, 1 }, { "offset", ARG_OFFSET, 0, 0 } } },
	{ "kvm_run", DEVICE_KVM, 20, false, run_run,
	  { VCPU, { "times", ARG_ENUM, 0, 8 }, { "immediate", ARG_ENUM, 0, 1 },
	    VALUE("data"), VALUE("value") } },
	{ "kvm_exec", DEVICE_KVM, 20, true, run_exec,
	  { VCPU, { "rip", ARG_GPA, TOOL_DATA, 0 },
	    { "rflags", ARG_FLAGS, 0x202, 0x244ed5 }, VALUE("rax"),
	    { "rcx", ARG_MSR, 0, 0 }, VALUE("rdx"),
	    { "rsi", ARG_GPA, VM_BUF, 0 } } },
	{ "kvm_mode", DEVICE_KVM, 6, false, run_mode,
	  { VCPU, { "mode", ARG_ENUM, 2, 2 },
	    { "cr0", ARG_FLAGS, 0, 0xe005003f }, { "cr4", ARG_FLAGS, 0, 0xf73fff },
	    { "efer", ARG_FLAGS, 0, 0xfd01 }, { "cpl", ARG_ENUM, 0, 3 },
	    { "cr3", ARG_GPA, 0, 0 }, AT } },
	{ "kvm_get", DEVICE_KVM, 4, false, run_get,
	  { VCPU, { "what", ARG_ENUM, 0, ARRAY_SIZE(states) - 1 }, AT } },
	{ "kvm_change", DEVICE_KVM, 16, false, run_change,
	  { VCPU, { "what", ARG_ENUM, 0, ARRAY_SIZE(states) - 1 },
	    { "offset", ARG_ENUM, 0, 319 }, { "width", ARG_ENUM, 3, 3 },
	    VALUE("value"), { "offset2", ARG_ENUM, 0, 319 }, VALUE("value2"),
	    AT } },
	{ "kvm_msr", DEVICE_KVM, 6, false, run_msr,
	  { VCPU, { "set", ARG_ENUM, 0, 1 }, { "index", ARG_MSR, 0x10, 0 },
	    VALUE("value"), { "count", ARG_ENUM, 1, 3 }, AT } },
	{ "kvm_debug", DEVICE_KVM, 4, false, run_debug,
	  { VCPU, { "control", ARG_FLAGS, 0, 0xf0003 },
	    { "dr0", ARG_GPA, 0, 0 }, { "dr2", ARG_GPA, 0, 0 },
	    { "dr7", ARG_FLAGS, 0x400, 0xffff27ff }, AT } },
	{ "kvm_interrupt", DEVICE_KVM, 4, false, run_interrupt,
	  { VCPU, { "irq", ARG_ENUM, 32, 257 }, { "nmi", ARG_ENUM, 0, 1 }, AT } },
	{ "kvm_translate", DEVICE_KVM, 2, false, run_translate,
	  { VCPU, { "addr", ARG_GPA, 0, 0 }, AT } },
	{ "kvm_sigmask", DEVICE_KVM, 1, false, run_sigmask,
	  { VCPU, { "len", ARG_ENUM, 8, 8 }, VALUE("set"), AT } },
	{ "kvm_sync", DEVICE_KVM, 3, false, run_sync,
	  { VCPU, { "valid", ARG_FLAGS, 0, 7 }, { "dirty", ARG_FLAGS, 0, 7 },
	    { "window", ARG_ENUM, 0, 1 }, { "cr8", ARG_ENUM, 0, 15 },
	    { "offset", ARG_ENUM, 0, 512 }, VALUE("value") } },
	{ "kvm_slot", DEVICE_KVM, 8, false, run_slot,
	  { VM, { "slot", ARG_ENUM, 1, 4 }, { "flags", ARG_FLAGS, 0, 3 },
	    { "gpa", ARG_GPA, 0x100000, 0 }, { "size", ARG_LEN, PAGE, 0 },
	    { "addr", ARG_ADDR, ARENA, 0 }, AT } },
	{ "kvm_dirty", DEVICE_KVM, 4, false, run_dirty,
	  { VM, { "slot", ARG_ENUM, 0, 4 }, { "bits", ARG_PLACE, 0, 0 }, AT } },
	{ "kvm_clear_dirty", DEVICE_KVM, 2, false, run_clear_dirty,
	  { VM, { "slot", ARG_ENUM, 0, 4 }, { "first", ARG_ENUM, 0, 256 },
	    { "pages", ARG_ENUM, 64, 256 }, { "bits", ARG_PLACE, 0, 0 }, AT } },
	{ "kvm_ioeventfd", DEVICE_KVM, 4, false, run_ioeventfd,
	  { VM, { "addr", ARG_GPA, 0, 0 }, { "len", ARG_ENUM, 0, 8 },
	    FD_EVENT("event"), { "flags", ARG_FLAGS, 0, 7 },
	    { "match", ARG_ENUM, 0, 2 }, AT } },
	{ "kvm_cap", DEVICE_KVM, 2, false, run_cap,
	  { VM, { "cap", ARG_ENUM, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 230 },
	    { "flags", ARG_FLAGS, 0, 0 }, { "value", ARG_FLAGS, 0, 3 }, AT } },
	{ "kvm_irqfd", DEVICE_KVM, 1, false, run_irqfd,
	  { VM, FD_EVENT("event"), VALUE("gsi"), { "flags", ARG_FLAGS, 0, 3 },
	    AT } },
	{ "kvm_stats_fd", DEVICE_KVM, 2, false, run_stats_fd,
	  { { "fd", ARG_FD, 9, 11 }, FD_PIPE("to") } },
	{ "kvm_list", DEVICE_KVM, 3, false, run_list,
	  { { "fd", ARG_FD, 8, 10 },
	    { "what", ARG_ENUM, 0, ARRAY_SIZE(lists) - 1 },
	    { "count", ARG_ENUM, 0, 260 }, { "fill", ARG_ENUM, 0, 255 }, AT } },
	{ "kvm_number", DEVICE_KVM, 2, false, run_number,
	  { { "fd", ARG_FD, 8, 10 },
	    { "what", ARG_ENUM, 0, ARRAY_SIZE(numbers) - 1 }, VALUE("value") } },
	{ 0 }
};
