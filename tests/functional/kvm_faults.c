// SPDX-License-Identifier: GPL-2.0
/* /dev/kvmlite when memory runs out, request by request; see faults.h. */
#define _GNU_SOURCE
#include <dirent.h>
#include <sys/eventfd.h>

#include "kvm_vm.h"
#include "faults.h"

#define COUNTERS	"/sys/kernel/debug/kvmlite"

/* ---- what must not stay ---- */

/* Entries of a folder whose name contains @part. */
static s64 entries(const char *path, const char *part)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	s64 count = 0;

	/* The module loads without it, too, if that is all that failed. */
	if (!folder)
		return 0;
	while ((entry = readdir(folder)))
		count += !!strstr(entry->d_name, part);
	closedir(folder);
	return count;
}

/* Counters of VMs are in folders named PID-NUMBER. */
static s64 vms(const char *unused)
{
	(void)unused;
	return entries(COUNTERS, "-");
}

static s64 vcpus(const char *unused)
{
	DIR *folder = opendir(COUNTERS);
	struct dirent *entry;
	char path[300];
	s64 count = 0;

	(void)unused;
	/* The module loads without it, too, if that is all that failed. */
	if (!folder)
		return 0;
	while ((entry = readdir(folder))) {
		snprintf(path, sizeof(path), COUNTERS "/%s", entry->d_name);
		if (strchr(entry->d_name, '-'))
			count += entries(path, "vcpu");
	}
	closedir(folder);
	return count;
}

static s64 descriptors(const char *unused)
{
	(void)unused;
	return entries("/proc/self/fd", "");
}

static const struct fault_counter fault_counters[] = {
	{ "VMs", vms },
	{ "vCPUs", vcpus },
	{ "descriptors", descriptors },
	{ "users of the module", fault_module_users },
};

static unsigned int fault_counters_count(void)
{
	return ARRAY_SIZE(fault_counters);
}

static const int none[] = { 0 };
static const int no_memory[] = { ENOMEM, 0 };
static const int usual[] = { ENOMEM, EFAULT, 0 };

/* ---- a guest ---- */

/* rsi pages from rdi on get rsi, rsi - 1, ... 1 */
GUEST(fill, "1: mov %rsi, (%rdi)\n\t"
	    "add $4096, %rdi\n\t"
	    "dec %rsi\n\t"
	    "jnz 1b\n\t"
	    GUEST_OUT)
/* rsi to (rdi), and back to rax */
GUEST(mmio, "mov %rsi, (%rdi)\n\t"
	    "mov (%rdi), %rax\n\t"
	    GUEST_OUT)
/* rdx bytes at rsi to the port */
GUEST(outs, "mov %rdx, %rcx\n\t"
	    "mov %edi, %edx\n\t"
	    "rep outsb\n\t"
	    GUEST_OUT)
/* rdx bytes from the port to rsi */
GUEST(ins, "mov %rdx, %rcx\n\t"
	   "mov %rsi, %r8\n\t"
	   "mov %edi, %edx\n\t"
	   "mov %r8, %rdi\n\t"
	   "rep insb\n\t"
	   GUEST_OUT)
GUEST(cpuid, "cpuid\n\t" GUEST_OUT)

#define RAM		0x1000000UL
#define RAM_PAGES	6UL
#define RAM_SLOT	1
#define STRING_PORT	0x540

static struct machine m;
static char *ram;

static void ram_map(void)
{
	ram = map_memory(RAM_PAGES * PAGE);
}

static void ram_add(u32 flags)
{
	ram_map();
	set_slot(&m, RAM_SLOT, flags, RAM, ram, RAM_PAGES * PAGE);
}

static void ram_remove(void)
{
	set_slot(&m, RAM_SLOT, 0, RAM, ram, 0);
	MUST(munmap(ram, RAM_PAGES * PAGE));
}

static void ram_check(void)
{
	unsigned long i;

	for (i = 0; i < RAM_PAGES; i++)
		CHECK_EQ(*(u64 *)(ram + i * PAGE), RAM_PAGES - i);
}

/* What shows that the VM works. */
static void ram_fill(void)
{
	vm_call(&m, guest_fill, RAM, RAM_PAGES, 0);
	ram_check();
}

static void machine_prove(void)
{
	vm_call(&m, guest_cpuid, 0, 0, 0);
}

/* A call within a VM that is there all the time. */
static void run_in_vm(const struct fault_case *c)
{
	fault_setup();
	m = vm_make();
	fault_run(c);
	machine_prove();
}

/* ---- /dev/kvmlite ---- */

static int made;

static void finish_made(void)
{
	MUST(close(made));
}

static void prepare_device(void)
{
	m.kvm = kvm_open();
}

static void finish_device(void)
{
	MUST(close(m.kvm));
}

static long call_create_vm(void)
{
	made = ioctl(m.kvm, KVM_CREATE_VM, 0);
	return made;
}

static void finish_create_vm(void)
{
	MUST(ioctl(made, KVM_CHECK_EXTENSION, KVM_CAP_HLT));
	finish_made();
	finish_device();
}

static void test_create_vm(void)
{
	static const struct fault_case c = {
		.prepare = prepare_device, .call = call_create_vm,
		.finish = finish_create_vm, .errnos = usual,
	};

	fault_run(&c);
}

/* What CREATE_VM makes runs a guest. */
static void prepare_machine(void)
{
	m = vm_make();
	ram_add(0);
	ram_fill();
	ram_remove();
	/* The mapping of a vCPU holds it. */
	MUST(munmap(m.run, MUST(ioctl(m.kvm, KVM_GET_VCPU_MMAP_SIZE, 0))));
}

static long call_close(void)
{
	machine_close(&m);
	return 0;
}

static void finish_machine(void)
{
	MUST(munmap(m.tool, TOOL_PAGES * PAGE));
}

static void test_close(void)
{
	static const struct fault_case c = {
		.prepare = prepare_machine, .call = call_close,
		.finish = finish_machine, .errnos = none, .silent = true,
	};

	fault_run(&c);
}

static void prepare_vm(void)
{
	prepare_device();
	m.vm = vm_create(m.kvm);
}

static long call_create_vcpu(void)
{
	m.vcpu = ioctl(m.vm, KVM_CREATE_VCPU, 0);
	return m.vcpu;
}

static void finish_create_vcpu(void)
{
	struct kvm_regs regs;

	MUST(ioctl(m.vcpu, KVM_GET_REGS, &regs));
	CHECK_EQ(regs.rip, 0xfff0);
	machine_close(&m);
}

static void test_create_vcpu(void)
{
	static const struct fault_case c = {
		.prepare = prepare_vm, .call = call_create_vcpu,
		.finish = finish_create_vcpu, .errnos = usual,
	};

	fault_run(&c);
}

static struct cpuid_list cpuid;

static long call_supported_cpuid(void)
{
	cpuid.head.nent = CPUID_MAX;
	return ioctl(m.kvm, KVM_GET_SUPPORTED_CPUID, &cpuid);
}

static void test_supported_cpuid(void)
{
	static const struct fault_case c = {
		.call = call_supported_cpuid, .errnos = usual,
	};

	run_in_vm(&c);
}

#define MSRS_MAX 64

static struct {
	struct kvm_msr_list head;
	u32 index[MSRS_MAX];
} msr_list;

static unsigned long msr_list_request;

static long call_msr_list(void)
{
	msr_list.head.nmsrs = MSRS_MAX;
	return ioctl(m.kvm, msr_list_request, &msr_list);
}

static void check_msr_list(int err)
{
	if (!err)
		CHECK(msr_list.head.nmsrs > 0);
}

static void msr_list_test(unsigned long request)
{
	static const struct fault_case c = {
		.call = call_msr_list, .check = check_msr_list,
		.errnos = usual, .silent = true,
	};

	msr_list_request = request;
	run_in_vm(&c);
}

static void test_msr_list(void)
{
	msr_list_test(KVM_GET_MSR_INDEX_LIST);
}

static void test_msr_features(void)
{
	msr_list_test(KVM_GET_MSR_FEATURE_INDEX_LIST);
}

static u64 mce_cap;

static long call_mce_cap(void)
{
	return ioctl(m.kvm, KVM_X86_GET_MCE_CAP_SUPPORTED, &mce_cap);
}

static void test_mce_cap(void)
{
	static const struct fault_case c = {
		.call = call_mce_cap, .errnos = usual, .silent = true,
	};

	run_in_vm(&c);
}

/* ---- MSRs ---- */

#define MSR_STAR	0xc0000081
#define MSR_UCODE_REV	0x8b

struct msrs {
	struct kvm_msrs head;
	struct kvm_msr_entry entry[2];
};

static struct msrs msrs;
static int msrs_fd;
static unsigned long msrs_request;

/* A list that ends early counts as an error of the entry: 0 is none of it. */
static long call_msrs(void)
{
	int nr = ioctl(msrs_fd, msrs_request, &msrs);

	if (nr >= 0)
		CHECK_EQ(nr, msrs.head.nmsrs);
	return nr;
}

static void msrs_test(int *fd, unsigned long request, u32 first, u32 second)
{
	static const struct fault_case c = {
		.call = call_msrs, .errnos = usual,
	};

	fault_setup();
	m = vm_make();
	msrs = (struct msrs){
		.head.nmsrs = 2,
		.entry = { { .index = first }, { .index = second } },
	};
	msrs_fd = *fd;
	if (request == KVM_SET_MSRS)
		CHECK_EQ(ioctl(msrs_fd, KVM_GET_MSRS, &msrs), 2);
	msrs_request = request;
	fault_run(&c);
	machine_prove();
}

static void test_get_features(void)
{
	msrs_test(&m.kvm, KVM_GET_MSRS, MSR_UCODE_REV, MSR_UCODE_REV);
}

static void test_get_msrs(void)
{
	msrs_test(&m.vcpu, KVM_GET_MSRS, MSR_STAR, 0x277);
}

static void test_set_msrs(void)
{
	msrs_test(&m.vcpu, KVM_SET_MSRS, MSR_STAR, 0x277);
}

/* ---- state that is got and set as one structure ---- */

static union {
	struct kvm_regs regs;
	struct kvm_xsave xsave;
	char bytes[8192];
} got, again;

static unsigned long get_request, set_request;
static size_t state_size;

static long call_get(void)
{
	return ioctl(m.vcpu, get_request, &again);
}

static void check_get(int err)
{
	if (!err)
		CHECK(!memcmp(&got, &again, state_size));
}

static long call_set(void)
{
	return ioctl(m.vcpu, set_request, &got);
}

static void check_set(int err)
{
	(void)err;
	MUST(ioctl(m.vcpu, get_request, &again));
	check_get(0);
}

static void test_state(unsigned long get, unsigned long set, size_t size)
{
	/* Some are stored by put_user(), which is never made to fail. */
	static const struct fault_case cget = {
		.call = call_get, .check = check_get, .errnos = usual,
		.silent = true,
	};
	static const struct fault_case cset = {
		.call = call_set, .check = check_set, .errnos = usual,
	};

	fault_setup();
	m = vm_make();
	get_request = get;
	set_request = set;
	state_size = size;
	MUST(ioctl(m.vcpu, get, &got));
	fault_run(&cget);
	if (set)
		fault_run(&cset);
	machine_prove();
}

#define STATE(name, get, set, size)	\
static void test_##name(void)		\
{					\
	test_state(get, set, size);	\
}

STATE(regs, KVM_GET_REGS, KVM_SET_REGS, sizeof(struct kvm_regs))
STATE(sregs, KVM_GET_SREGS, KVM_SET_SREGS, sizeof(struct kvm_sregs))
STATE(sregs2, KVM_GET_SREGS2, KVM_SET_SREGS2, sizeof(struct kvm_sregs2))
STATE(fpu, KVM_GET_FPU, KVM_SET_FPU, sizeof(struct kvm_fpu))
STATE(xcrs, KVM_GET_XCRS, KVM_SET_XCRS, sizeof(struct kvm_xcrs))
STATE(xsave, KVM_GET_XSAVE, KVM_SET_XSAVE, sizeof(struct kvm_xsave))
STATE(xsave2, KVM_GET_XSAVE2, 0, sizeof(struct kvm_xsave))
STATE(debugregs, KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, sizeof(struct kvm_debugregs))
STATE(events, KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, sizeof(struct kvm_vcpu_events))
STATE(mp_state, KVM_GET_MP_STATE, KVM_SET_MP_STATE, sizeof(struct kvm_mp_state))

/* ---- the other calls of a vCPU ---- */

static long call_set_cpuid(void)
{
	return ioctl(m.vcpu, KVM_SET_CPUID2, &cpuid);
}

static void test_set_cpuid(void)
{
	static const struct fault_case c = {
		.call = call_set_cpuid, .errnos = usual,
	};

	fault_setup();
	m = vm_make();
	cpuid_get_supported(m.kvm, &cpuid);
	fault_run(&c);
	machine_prove();
}

static struct {
	struct kvm_cpuid head;
	struct kvm_cpuid_entry entry[2];
} cpuid1 = { .head.nent = 2, .entry[1].function = 1 };

static long call_set_cpuid1(void)
{
	return ioctl(m.vcpu, KVM_SET_CPUID, &cpuid1);
}

static void test_set_cpuid1(void)
{
	static const struct fault_case c = {
		.call = call_set_cpuid1, .errnos = usual,
	};

	/* A guest with these has no long mode: it is not run. */
	fault_setup();
	m = machine_bare();
	fault_run(&c);
}

static long call_get_cpuid(void)
{
	cpuid.head.nent = CPUID_MAX;
	return ioctl(m.vcpu, KVM_GET_CPUID2, &cpuid);
}

static void test_get_cpuid(void)
{
	static const struct fault_case c = {
		.call = call_get_cpuid, .errnos = usual,
	};

	run_in_vm(&c);
}

static struct kvm_interrupt interrupt = { .irq = 32 };
static struct kvm_translation translation = { .linear_address = TOOL_DATA };
static struct kvm_guest_debug debug;
static u64 mce = 1;

static struct {
	struct kvm_signal_mask head;
	u64 set;
} signal_mask = { .head.len = sizeof(u64) };

static unsigned long vcpu_request;
static void *vcpu_argument;

static long call_vcpu(void)
{
	return ioctl(m.vcpu, vcpu_request, vcpu_argument);
}

static void vcpu_test(unsigned long request, void *argument)
{
	static const struct fault_case c = {
		.call = call_vcpu, .errnos = usual,
	};

	fault_setup();
	m = vm_make();
	vcpu_request = request;
	vcpu_argument = argument;
	fault_run(&c);
}

static void test_translate(void)
{
	vcpu_test(KVM_TRANSLATE, &translation);
	CHECK_EQ(translation.physical_address, TOOL_DATA);
	machine_prove();
}

static void test_guest_debug(void)
{
	vcpu_test(KVM_SET_GUEST_DEBUG, &debug);
	machine_prove();
}

static void test_setup_mce(void)
{
	vcpu_test(KVM_X86_SETUP_MCE, &mce);
	machine_prove();
}

static void test_signal_mask(void)
{
	vcpu_test(KVM_SET_SIGNAL_MASK, &signal_mask);
	machine_prove();
}

/* Only one interrupt can wait: the event that is left is taken back. */
static void finish_interrupt(void)
{
	struct kvm_vcpu_events events;

	MUST(ioctl(m.vcpu, KVM_GET_VCPU_EVENTS, &events));
	events.interrupt.injected = 0;
	MUST(ioctl(m.vcpu, KVM_SET_VCPU_EVENTS, &events));
}

static long call_interrupt(void)
{
	return ioctl(m.vcpu, KVM_INTERRUPT, &interrupt);
}

static void test_interrupt(void)
{
	static const struct fault_case c = {
		.call = call_interrupt, .finish = finish_interrupt,
		.errnos = usual,
	};

	run_in_vm(&c);
}

static long call_mmap(void)
{
	long size = 3 * PAGE, i;
	volatile char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
				m.vcpu, 0);

	if (p == MAP_FAILED)
		return -1;
	for (i = 0; i < size; i += PAGE)
		(void)p[i];
	return munmap((void *)p, size);
}

static void test_mmap(void)
{
	static const struct fault_case c = {
		.call = call_mmap, .errnos = usual, .silent = true,
	};

	run_in_vm(&c);
}

/* ---- calls of a VM ---- */

static long call_slot(void)
{
	return try_slot(&m, RAM_SLOT, 0, RAM, ram, RAM_PAGES * PAGE);
}

static void finish_slot(void)
{
	ram_fill();
	ram_remove();
}

static void test_slot_create(void)
{
	static const struct fault_case c = {
		.prepare = ram_map, .call = call_slot, .finish = finish_slot,
		.errnos = usual,
	};

	run_in_vm(&c);
}

static void prepare_slot(void)
{
	ram_add(0);
	ram_fill();
}

static long call_slot_delete(void)
{
	return try_slot(&m, RAM_SLOT, 0, RAM, ram, 0);
}

/* A slot that could not be deleted is there. */
static void check_slot_delete(int err)
{
	if (err == ENOMEM)
		ram_fill();
}

static void finish_slot_delete(void)
{
	MUST(munmap(ram, RAM_PAGES * PAGE));
}

static void test_slot_delete(void)
{
	static const struct fault_case c = {
		.prepare = prepare_slot, .call = call_slot_delete,
		.check = check_slot_delete, .finish = finish_slot_delete,
		.errnos = usual,
	};

	run_in_vm(&c);
}

static long call_slot_move(void)
{
	return try_slot(&m, RAM_SLOT, 0, 2 * RAM, ram, RAM_PAGES * PAGE);
}

static void check_slot_move(int err)
{
	vm_call(&m, guest_fill, err ? RAM : 2 * RAM, RAM_PAGES, 0);
	ram_check();
}

static void test_slot_move(void)
{
	static const struct fault_case c = {
		.prepare = prepare_slot, .call = call_slot_move,
		.check = check_slot_move, .finish = ram_remove,
		.errnos = usual,
	};

	run_in_vm(&c);
}

static long call_slot_log(void)
{
	return try_slot(&m, RAM_SLOT, KVM_MEM_LOG_DIRTY_PAGES, RAM, ram,
			RAM_PAGES * PAGE);
}

static u64 dirty[1];

static int get_dirty(void)
{
	struct kvm_dirty_log log = {
		.slot = RAM_SLOT, .dirty_bitmap = dirty,
	};

	dirty[0] = 0;
	return ioctl(m.vm, KVM_GET_DIRTY_LOG, &log);
}

#define ALL_DIRTY	((1UL << RAM_PAGES) - 1)

static void check_slot_log(int err)
{
	ram_fill();
	if (err)
		return;
	MUST(get_dirty());
	CHECK_EQ(dirty[0], ALL_DIRTY);
}

static void test_slot_log(void)
{
	static const struct fault_case c = {
		.prepare = prepare_slot, .call = call_slot_log,
		.check = check_slot_log, .finish = ram_remove,
		.errnos = usual,
	};

	run_in_vm(&c);
}

static void prepare_dirty(void)
{
	ram_add(KVM_MEM_LOG_DIRTY_PAGES);
	ram_fill();
}

static long call_get_dirty(void)
{
	return get_dirty();
}

/* As with KVM, what a failed call has taken is gone; what comes is not. */
static void check_get_dirty(int err)
{
	if (err)
		ram_fill();
	else
		CHECK_EQ(dirty[0], ALL_DIRTY);
}

static void test_get_dirty(void)
{
	static const struct fault_case c = {
		.prepare = prepare_dirty, .call = call_get_dirty,
		.check = check_get_dirty, .finish = ram_remove,
		.errnos = usual,
	};

	run_in_vm(&c);
}

static long call_enable_cap(void)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		.args = { KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE },
	};

	return ioctl(m.vm, KVM_ENABLE_CAP, &cap);
}

static void test_enable_cap(void)
{
	static const struct fault_case c = {
		.call = call_enable_cap, .errnos = usual,
	};

	run_in_vm(&c);
}

static long call_clear_dirty(void)
{
	struct kvm_clear_dirty_log log = {
		.slot = RAM_SLOT, .num_pages = RAM_PAGES, .dirty_bitmap = dirty,
	};

	dirty[0] = ALL_DIRTY;
	return ioctl(m.vm, KVM_CLEAR_DIRTY_LOG, &log);
}

static void check_clear_dirty(int err)
{
	MUST(get_dirty());
	CHECK_EQ(dirty[0], err ? ALL_DIRTY : 0);
}

static void test_clear_dirty(void)
{
	static const struct fault_case c = {
		.prepare = prepare_dirty, .call = call_clear_dirty,
		.check = check_clear_dirty, .finish = ram_remove,
		.errnos = usual,
	};

	fault_setup();
	m = vm_make();
	MUST(call_enable_cap());
	fault_run(&c);
}

static int event;

static int ioeventfd(u32 flags)
{
	struct kvm_ioeventfd args = {
		.addr = MMIO_BASE, .len = 8, .fd = event, .flags = flags,
	};

	return ioctl(m.vm, KVM_IOEVENTFD, &args);
}

static void prepare_event(void)
{
	struct kvm_ioeventfd args = {
		.addr = 2 * MMIO_BASE, .len = 4,
	};

	/* Beside another one, so that a removal makes a smaller set. */
	event = MUST(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	args.fd = event;
	MUST(ioctl(m.vm, KVM_IOEVENTFD, &args));
}

static void finish_event(void)
{
	struct kvm_ioeventfd args = {
		.addr = 2 * MMIO_BASE, .len = 4, .fd = event,
		.flags = KVM_IOEVENTFD_FLAG_DEASSIGN,
	};

	MUST(ioctl(m.vm, KVM_IOEVENTFD, &args));
	MUST(close(event));
}

/* The guest's write counts in the eventfd; or it comes to us. */
static void event_check(bool there)
{
	u64 value = 0;

	guest_start(&m, guest_mmio, MMIO_BASE, 5, 0);
	vm_run_until(&m, KVM_EXIT_MMIO);
	CHECK_EQ(m.run->mmio.is_write, !there);
	CHECK_EQ(read(event, &value, sizeof(value)),
		 there ? (ssize_t)sizeof(value) : -1);
	CHECK_EQ(value, there);
}

static long call_event_add(void)
{
	return ioeventfd(0);
}

static void check_event_add(int err)
{
	event_check(!err);
}

static void finish_event_add(void)
{
	MUST(ioeventfd(KVM_IOEVENTFD_FLAG_DEASSIGN));
	finish_event();
}

static void test_event_add(void)
{
	static const struct fault_case c = {
		.prepare = prepare_event, .call = call_event_add,
		.check = check_event_add, .finish = finish_event_add,
		.errnos = usual,
	};

	run_in_vm(&c);
}

static void prepare_event_remove(void)
{
	prepare_event();
	MUST(ioeventfd(0));
}

static long call_event_remove(void)
{
	return ioeventfd(KVM_IOEVENTFD_FLAG_DEASSIGN);
}

static void check_event_remove(int err)
{
	event_check(err);
}

static void test_event_remove(void)
{
	static const struct fault_case c = {
		.prepare = prepare_event_remove, .call = call_event_remove,
		.check = check_event_remove, .finish = finish_event,
		.errnos = usual,
	};

	run_in_vm(&c);
}

static struct kvm_clock_data clock_data;

static long call_get_clock(void)
{
	return ioctl(m.vm, KVM_GET_CLOCK, &clock_data);
}

static long call_set_clock(void)
{
	struct kvm_clock_data data = { .clock = 1000 };

	return ioctl(m.vm, KVM_SET_CLOCK, &data);
}

static void test_clock(void)
{
	static const struct fault_case get = {
		.call = call_get_clock, .errnos = usual,
	};
	static const struct fault_case set = {
		.call = call_set_clock, .errnos = usual,
	};

	run_in_vm(&get);
	run_in_vm(&set);
}

static long call_identity_map(void)
{
	u64 address = 0xfffbc000;

	return ioctl(m.vm, KVM_SET_IDENTITY_MAP_ADDR, &address);
}

static void test_identity_map(void)
{
	static const struct fault_case c = {
		.call = call_identity_map, .errnos = usual,
	};

	fault_setup();
	prepare_vm();
	fault_run(&c);
}

static int *stats_of;

static long call_stats(void)
{
	made = ioctl(*stats_of, KVM_GET_STATS_FD, 0);
	return made;
}

static long call_stats_read(void)
{
	char data[256];

	return pread(made, data, sizeof(data), 0) == sizeof(data) ? 0 : -1;
}

static void stats_test(int *fd)
{
	static const struct fault_case make = {
		.call = call_stats, .finish = finish_made, .errnos = usual,
	};
	static const struct fault_case use = {
		.call = call_stats_read, .errnos = usual,
	};

	fault_setup();
	m = vm_make();
	stats_of = fd;
	fault_run(&make);
	MUST(call_stats());
	fault_run(&use);
}

static void test_vm_stats(void)
{
	stats_test(&m.vm);
}

static void test_vcpu_stats(void)
{
	stats_test(&m.vcpu);
}

/* ---- KVM_RUN ---- */

/*
 * An instruction that could not be read is an internal error, as with KVM: the
 * VMM may run the vCPU again.
 */
static long call_run(void)
{
	if (vcpu_run(&m))
		return -1;
	if (m.run->exit_reason != KVM_EXIT_INTERNAL_ERROR)
		return 0;
	errno = EFAULT;
	return -1;
}

static void prepare_run_memory(void)
{
	ram_add(0);
	guest_start(&m, guest_fill, RAM, RAM_PAGES, 0);
}

static void check_run_memory(int err)
{
	if (err)
		return;
	vm_check_exit(&m, KVM_EXIT_IO, "KVM_EXIT_IO", __FILE_NAME__, __LINE__);
	ram_check();
}

static void test_run_memory(void)
{
	static const struct fault_case c = {
		.prepare = prepare_run_memory, .call = call_run,
		.check = check_run_memory, .finish = ram_remove,
		.errnos = no_memory,
	};

	run_in_vm(&c);
}

static void prepare_run_mmio(void)
{
	guest_start(&m, guest_mmio, MMIO_BASE, 0x1234, 0);
}

static void check_run_mmio(int err)
{
	if (err)
		return;
	vm_check_exit(&m, KVM_EXIT_MMIO, "KVM_EXIT_MMIO", __FILE_NAME__, __LINE__);
	CHECK_EQ(m.run->mmio.phys_addr, MMIO_BASE);
	CHECK_EQ(m.run->mmio.is_write, 1);
	CHECK_EQ(*(u64 *)m.run->mmio.data, 0x1234);
}

/* What is left of the program. */
static void finish_run_mmio(void)
{
	vm_run_until(&m, KVM_EXIT_MMIO);
	CHECK_EQ(m.run->mmio.is_write, 0);
	*(u64 *)m.run->mmio.data = 0x5678;
	vm_run_to_out(&m);
	CHECK_EQ(vcpu_regs(&m).rax, 0x5678);
}

static void test_run_mmio(void)
{
	static const struct fault_case c = {
		.prepare = prepare_run_mmio, .call = call_run,
		.check = check_run_mmio, .finish = finish_run_mmio,
		.errnos = usual,
	};

	run_in_vm(&c);
}

#define TEXT	"of a guest"

static char text[sizeof(TEXT)];
static unsigned int text_len;

static void prepare_run_outs(void)
{
	ram_add(0);
	memcpy(ram, TEXT, sizeof(TEXT));
	text_len = 0;
	guest_start(&m, guest_outs, STRING_PORT, RAM, sizeof(TEXT));
}

/* In one piece, or in several if the memory could not be read in one. */
static long call_run_outs(void)
{
	while (!call_run()) {
		vm_check_exit(&m, KVM_EXIT_IO, "KVM_EXIT_IO", __FILE_NAME__,
			      __LINE__);
		if (m.run->io.port == PORT)
			return 0;
		CHECK_EQ(m.run->io.port, STRING_PORT);
		CHECK(text_len + m.run->io.count <= sizeof(text));
		memcpy(text + text_len, vcpu_io_data(&m), m.run->io.count);
		text_len += m.run->io.count;
	}
	return -1;
}

static void check_run_outs(int err)
{
	if (err)
		return;
	CHECK_EQ(text_len, sizeof(TEXT));
	CHECK(!strcmp(text, TEXT));
}

static void test_run_outs(void)
{
	static const struct fault_case c = {
		.prepare = prepare_run_outs, .call = call_run_outs,
		.check = check_run_outs, .finish = ram_remove,
		.errnos = usual,
	};

	run_in_vm(&c);
}

static void prepare_run_ins(void)
{
	ram_add(0);
	guest_start(&m, guest_ins, STRING_PORT, RAM, sizeof(TEXT));
}

/* What could not be stored is asked for again. */
static long call_run_ins(void)
{
	while (!call_run()) {
		vm_check_exit(&m, KVM_EXIT_IO, "KVM_EXIT_IO", __FILE_NAME__,
			      __LINE__);
		if (m.run->io.port == PORT)
			return 0;
		CHECK_EQ(m.run->io.port, STRING_PORT);
		CHECK_EQ(m.run->io.count, sizeof(TEXT));
		memcpy(vcpu_io_data(&m), TEXT, sizeof(TEXT));
	}
	return -1;
}

static void check_run_ins(int err)
{
	if (!err)
		CHECK(!strcmp(ram, TEXT));
}

static void test_run_ins(void)
{
	static const struct fault_case c = {
		.prepare = prepare_run_ins, .call = call_run_ins,
		.check = check_run_ins, .finish = ram_remove,
		.errnos = usual,
	};

	run_in_vm(&c);
}

/* ---- the table ---- */

#define TEST(name, run) { name ": each failure leaves all as it was", run }

static const struct tap_test tests[] = {
	TEST("KVM_CREATE_VM", test_create_vm),
	TEST("KVM_CREATE_VCPU", test_create_vcpu),
	TEST("close() of all", test_close),
	TEST("KVM_GET_SUPPORTED_CPUID", test_supported_cpuid),
	TEST("KVM_GET_MSR_INDEX_LIST", test_msr_list),
	TEST("KVM_GET_MSR_FEATURE_INDEX_LIST", test_msr_features),
	TEST("KVM_X86_GET_MCE_CAP_SUPPORTED", test_mce_cap),
	TEST("KVM_GET_MSRS of the device", test_get_features),
	TEST("KVM_GET_MSRS", test_get_msrs),
	TEST("KVM_SET_MSRS", test_set_msrs),
	TEST("KVM_GET_REGS, KVM_SET_REGS", test_regs),
	TEST("KVM_GET_SREGS, KVM_SET_SREGS", test_sregs),
	TEST("KVM_GET_SREGS2, KVM_SET_SREGS2", test_sregs2),
	TEST("KVM_GET_FPU, KVM_SET_FPU", test_fpu),
	TEST("KVM_GET_XCRS, KVM_SET_XCRS", test_xcrs),
	TEST("KVM_GET_XSAVE, KVM_SET_XSAVE", test_xsave),
	TEST("KVM_GET_XSAVE2", test_xsave2),
	TEST("KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS", test_debugregs),
	TEST("KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS", test_events),
	TEST("KVM_GET_MP_STATE, KVM_SET_MP_STATE", test_mp_state),
	TEST("KVM_SET_CPUID2", test_set_cpuid),
	TEST("KVM_SET_CPUID", test_set_cpuid1),
	TEST("KVM_GET_CPUID2", test_get_cpuid),
	TEST("KVM_TRANSLATE", test_translate),
	TEST("KVM_SET_GUEST_DEBUG", test_guest_debug),
	TEST("KVM_X86_SETUP_MCE", test_setup_mce),
	TEST("KVM_SET_SIGNAL_MASK", test_signal_mask),
	TEST("KVM_INTERRUPT", test_interrupt),
	TEST("mmap() of a vCPU", test_mmap),
	TEST("KVM_SET_USER_MEMORY_REGION, a new slot", test_slot_create),
	TEST("KVM_SET_USER_MEMORY_REGION, a slot goes", test_slot_delete),
	TEST("KVM_SET_USER_MEMORY_REGION, a slot moves", test_slot_move),
	TEST("KVM_SET_USER_MEMORY_REGION, logging begins", test_slot_log),
	TEST("KVM_GET_DIRTY_LOG", test_get_dirty),
	TEST("KVM_ENABLE_CAP", test_enable_cap),
	TEST("KVM_CLEAR_DIRTY_LOG", test_clear_dirty),
	TEST("KVM_IOEVENTFD, a new one", test_event_add),
	TEST("KVM_IOEVENTFD, one goes", test_event_remove),
	TEST("KVM_GET_CLOCK, KVM_SET_CLOCK", test_clock),
	TEST("KVM_SET_IDENTITY_MAP_ADDR", test_identity_map),
	TEST("KVM_GET_STATS_FD of a VM, and reading it", test_vm_stats),
	TEST("KVM_GET_STATS_FD of a vCPU, and reading it", test_vcpu_stats),
	TEST("KVM_RUN that needs memory", test_run_memory),
	TEST("KVM_RUN to an MMIO exit", test_run_mmio),
	TEST("KVM_RUN to an exit for OUTS", test_run_outs),
	TEST("KVM_RUN that stores what INS read", test_run_ins),
	{ "after all failures no frame of the module is left", fault_frames_check },
	TEST("loading the module", fault_load_test),
};

int main(int argc, char **argv)
{
	fault_find_module("kvmlite");
	fault_frames_start();
	return tap_main(argc, argv, tests, ARRAY_SIZE(tests), NULL);
}
