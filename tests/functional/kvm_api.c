// SPDX-License-Identifier: GPL-2.0
/*
 * The KVM API's system, VM and vCPU calls: what they answer, that every
 * capability tells the truth, the lists of MSRs and CPUID leaves, file
 * descriptors, binary statistics.
 */
#define _GNU_SOURCE
#include <sys/eventfd.h>

#include "kvm_guest.h"
#include "kvm_stats.h"

GUEST(out, GUEST_OUT)

/* ---- the calls ---- */

static void test_version(void)
{
	int kvm = kvm_open();

	CHECK_EQ(MUST(ioctl(kvm, KVM_GET_API_VERSION, 0)), KVM_API_VERSION);
	CHECK_EQ(KVM_API_VERSION, 12);
	CHECK_ERRNO(ioctl(kvm, KVM_GET_API_VERSION, 1), EINVAL);
}

static void test_vm_type(void)
{
	int kvm = kvm_open();

	CHECK_ERRNO(ioctl(kvm, KVM_CREATE_VM, 0xffffUL), EINVAL);
	CHECK_ERRNO(ioctl(kvm, KVM_CREATE_VM, 1UL << 63), EINVAL);
	close(MUST(ioctl(kvm, KVM_CREATE_VM, 0)));
}

/* As stock KVM has it: only the VM's descriptor answers ENOTTY. */
static void test_unknown(void)
{
	static const unsigned long requests[] = {
		_IO(KVMIO, 0xff), _IOW(KVMIO, 0xfe, struct kvm_regs),
		_IO('X', 0x80), _IO(KVMIO, 0x00) | 1UL << 16,
	};
	struct machine m = machine_bare();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		CHECK_ERRNO(ioctl(m.kvm, requests[i], 0), EINVAL);
		CHECK_ERRNO(ioctl(m.vm, requests[i], 0), ENOTTY);
		CHECK_ERRNO(ioctl(m.vcpu, requests[i], 0), EINVAL);
	}
}

static void test_wrong_descriptor(void)
{
	struct machine m = machine_bare();

	CHECK_ERRNO(ioctl(m.kvm, KVM_CREATE_VCPU, 1), EINVAL);
	CHECK_ERRNO(ioctl(m.kvm, KVM_RUN, 0), EINVAL);
	CHECK_ERRNO(ioctl(m.vm, KVM_CREATE_VM, 0), ENOTTY);
	CHECK_ERRNO(ioctl(m.vm, KVM_RUN, 0), ENOTTY);
	CHECK_ERRNO(ioctl(m.vm, KVM_GET_VCPU_MMAP_SIZE, 0), ENOTTY);
	CHECK_ERRNO(ioctl(m.vcpu, KVM_GET_API_VERSION, 0), EINVAL);
	CHECK_ERRNO(ioctl(m.vcpu, KVM_CREATE_VCPU, 1), EINVAL);
	CHECK_ERRNO(ioctl(m.vcpu, KVM_CHECK_EXTENSION, KVM_CAP_USER_MEMORY),
		    EINVAL);
	CHECK_ERRNO(read(m.vm, &m, 1), EINVAL);
	CHECK_ERRNO(read(m.vcpu, &m, 1), EINVAL);
}

static void test_create_vcpu(void)
{
	int kvm = kvm_open(), vm = vm_create(kvm);
	long last = MUST(ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPU_ID));

	/* Then there may be as many identifiers as vCPUs. */
	if (!last)
		last = MUST(ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS));
	MUST(ioctl(vm, KVM_CREATE_VCPU, 0));
	CHECK_ERRNO(ioctl(vm, KVM_CREATE_VCPU, 0), EEXIST);
	MUST(ioctl(vm, KVM_CREATE_VCPU, last - 1));
	CHECK_ERRNO(ioctl(vm, KVM_CREATE_VCPU, last - 1), EEXIST);
	CHECK_ERRNO(ioctl(vm, KVM_CREATE_VCPU, last), EINVAL);
	CHECK_ERRNO(ioctl(vm, KVM_CREATE_VCPU, -1UL), EINVAL);
	MUST(ioctl(vm, KVM_CREATE_VCPU, 1));
}

static void test_cloexec(void)
{
	struct machine m = machine_bare();

	CHECK_EQ(MUST(fcntl(m.vm, F_GETFD)), FD_CLOEXEC);
	CHECK_EQ(MUST(fcntl(m.vcpu, F_GETFD)), FD_CLOEXEC);
}

static void touch(void *address)
{
	*(volatile char *)address = 1;
}

static void test_vcpu_mmap(void)
{
	struct machine m = machine_bare();
	long size = MUST(ioctl(m.kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
	char *run;

	CHECK_EQ(size % PAGE, 0);
	CHECK(size >= (long)sizeof(struct kvm_run));
	CHECK_ERRNO(ioctl(m.kvm, KVM_GET_VCPU_MMAP_SIZE, 1), EINVAL);
	/* Two mappings show the same. */
	run = (char *)vcpu_map(m.kvm, m.vcpu);
	m.run->request_interrupt_window = 1;
	CHECK_EQ(((struct kvm_run *)run)->request_interrupt_window, 1);
	/* Beyond the end there is nothing. */
	run = (void *)MUST(mmap(NULL, size + PAGE, PROT_READ | PROT_WRITE,
				MAP_SHARED, m.vcpu, 0));
	touch(run + size - PAGE);
	tap_check_signal(touch, run + size, SIGBUS);
}

static void test_vcpu_outlives_vm(void)
{
	struct machine m = machine_make();
	struct kvm_run *run = m.run;
	unsigned int i;

	guest_start(&m, guest_out, 0, 0, 0);
	close(m.vm);
	close(m.kvm);
	for (i = 0; i < 10; i++)
		vcpu_run_until(&m, KVM_EXIT_IO);
	CHECK_EQ(run->io.port, PORT);
	close(m.vcpu);
	/* The page lives as long as it is mapped. */
	CHECK_EQ(run->io.port, PORT);
}

static void test_enable_cap(void)
{
	struct machine m = machine_bare();
	struct kvm_enable_cap cap = { .cap = 0xffff };

	CHECK_ERRNO(ioctl(m.vm, KVM_ENABLE_CAP, &cap), EINVAL);
	CHECK_ERRNO(ioctl(m.vcpu, KVM_ENABLE_CAP, &cap), EINVAL);
	cap = (struct kvm_enable_cap){ .cap = KVM_CAP_USER_MEMORY };
	CHECK_ERRNO(ioctl(m.vm, KVM_ENABLE_CAP, &cap), EINVAL);
	CHECK_ERRNO(ioctl(m.vcpu, KVM_ENABLE_CAP, &cap), EINVAL);
	cap = (struct kvm_enable_cap){
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .flags = 1,
	};
	CHECK_ERRNO(ioctl(m.vm, KVM_ENABLE_CAP, &cap), EINVAL);
	CHECK_ERRNO(ioctl(m.vm, KVM_ENABLE_CAP, NULL), EFAULT);
	CHECK_ERRNO(ioctl(m.vcpu, KVM_ENABLE_CAP, NULL), EFAULT);
}

/* ---- capabilities ---- */

static void test_limits(void)
{
	int kvm = kvm_open();
	int recommended = has_cap(kvm, KVM_CAP_NR_VCPUS);
	int most = has_cap(kvm, KVM_CAP_MAX_VCPUS);
	int ids = has_cap(kvm, KVM_CAP_MAX_VCPU_ID);
	int slots = has_cap(kvm, KVM_CAP_NR_MEMSLOTS);

	tap_note("vCPUs: %d recommended, %d at most, identifiers below %d; %d slots",
		 recommended, most, ids, slots);
	CHECK(recommended >= 1);
	CHECK(most >= recommended);
	CHECK(!ids || ids >= most);
	CHECK(slots >= 32);
}

static void test_unknown_caps(void)
{
	struct machine m = machine_bare();

	CHECK_EQ(has_cap(m.kvm, 0xffff), 0);
	CHECK_EQ(has_cap(m.kvm, -1L), 0);
	CHECK_EQ(has_cap(m.kvm, 1L << 32), 0);
	CHECK_EQ(has_cap(m.vm, 0xffff), 0);
	/* Of other architectures. */
	CHECK_EQ(has_cap(m.kvm, KVM_CAP_ARM_PSCI), 0);
	CHECK_EQ(has_cap(m.kvm, KVM_CAP_PPC_IRQ_LEVEL), 0);
}

/* QEMU and every other VMM refuse to start without these. */
static void test_needed_caps(void)
{
	static const int needed[] = {
		KVM_CAP_USER_MEMORY, KVM_CAP_DESTROY_MEMORY_REGION_WORKS,
		KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, KVM_CAP_SET_TSS_ADDR,
		KVM_CAP_EXT_CPUID, KVM_CAP_MP_STATE, KVM_CAP_IRQ_ROUTING,
		KVM_CAP_MCE, KVM_CAP_IMMEDIATE_EXIT, KVM_CAP_HLT,
	};
	int kvm = kvm_open();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(needed); i++)
		if (!has_cap(kvm, needed[i]))
			tap_fail("capability %d is missing", needed[i]);
}

static char scratch[65536] __attribute__((aligned(4096)));

static int try_memory(const struct machine *m)
{
	return try_slot(m, 0, 0, 0, scratch, PAGE);
}

static int try_memory_readonly(const struct machine *m)
{
	return try_slot(m, 0, KVM_MEM_READONLY, 0, scratch, PAGE);
}

static int try_tss(const struct machine *m)
{
	return ioctl(m->vm, KVM_SET_TSS_ADDR, 0xfffbd000UL);
}

/* After the first vCPU it is too late. */
static int try_identity_map(const struct machine *m)
{
	u64 address = 0xfffbc000;
	int vm = vm_create(m->kvm), ret;

	ret = ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &address);
	if (!ret)
		CHECK_ERRNO(ioctl(m->vm, KVM_SET_IDENTITY_MAP_ADDR, &address),
			    EINVAL);
	return ret;
}

static int try_cpuid(const struct machine *m)
{
	struct kvm_cpuid2 *list = (void *)scratch;

	list->nent = CPUID_MAX;
	return ioctl(m->kvm, KVM_GET_SUPPORTED_CPUID, list);
}

static int try_mp_state(const struct machine *m)
{
	return ioctl(m->vcpu, KVM_GET_MP_STATE, scratch);
}

static int try_events(const struct machine *m)
{
	return ioctl(m->vcpu, KVM_GET_VCPU_EVENTS, scratch);
}

static int try_debugregs(const struct machine *m)
{
	return ioctl(m->vcpu, KVM_GET_DEBUGREGS, scratch);
}

static int try_xsave(const struct machine *m)
{
	return ioctl(m->vcpu, KVM_GET_XSAVE, scratch);
}

static int try_xsave2(const struct machine *m)
{
	return ioctl(m->vcpu, KVM_GET_XSAVE2, scratch);
}

static int try_xcrs(const struct machine *m)
{
	return ioctl(m->vcpu, KVM_GET_XCRS, scratch);
}

static int try_sregs2(const struct machine *m)
{
	return ioctl(m->vcpu, KVM_GET_SREGS2, scratch);
}

static int try_get_tsc(const struct machine *m)
{
	return ioctl(m->vcpu, KVM_GET_TSC_KHZ, 0);
}

static int try_mce(const struct machine *m)
{
	u64 cap = 1;

	return ioctl(m->vcpu, KVM_X86_SETUP_MCE, &cap);
}

static int try_nmi(const struct machine *m)
{
	return ioctl(m->vcpu, KVM_NMI, 0);
}

static int try_ioeventfd(const struct machine *m)
{
	struct kvm_ioeventfd io = {
		.addr = 0x20, .len = 1, .flags = KVM_IOEVENTFD_FLAG_PIO,
		.fd = MUST(eventfd(0, 0)),
	};
	int ret = ioctl(m->vm, KVM_IOEVENTFD, &io);

	if (!ret) {
		CHECK_ERRNO(ioctl(m->vm, KVM_IOEVENTFD, &io), EEXIST);
		io.flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
		MUST(ioctl(m->vm, KVM_IOEVENTFD, &io));
		CHECK_ERRNO(ioctl(m->vm, KVM_IOEVENTFD, &io), ENOENT);
	}
	return ret;
}

static int try_ioeventfd_any(const struct machine *m)
{
	struct kvm_ioeventfd io = { .addr = MMIO_BASE, .fd = MUST(eventfd(0, 0)) };

	return ioctl(m->vm, KVM_IOEVENTFD, &io);
}

static int try_irqchip(const struct machine *m)
{
	int vm = vm_create(m->kvm);

	return ioctl(vm, KVM_CREATE_IRQCHIP, 0);
}

static int try_pit(const struct machine *m)
{
	struct kvm_pit_config config = { .flags = 0 };
	int vm = vm_create(m->kvm);

	if (ioctl(vm, KVM_CREATE_IRQCHIP, 0))
		return -1;
	return ioctl(vm, KVM_CREATE_PIT2, &config);
}

/* Also offered where no controller can be made, which kvm_as_stock looks at. */
static int try_signal_msi(const struct machine *m)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x40 };
	int vm = vm_create(m->kvm);

	if (!has_cap(m->kvm, KVM_CAP_IRQCHIP))
		return 0;
	MUST(ioctl(vm, KVM_CREATE_IRQCHIP, 0));
	MUST(ioctl(vm, KVM_CREATE_VCPU, 0));
	return ioctl(vm, KVM_SIGNAL_MSI, &msi) < 0 ? -1 : 0;
}

static int try_stats(const struct machine *m)
{
	return ioctl(m->vm, KVM_GET_STATS_FD, 0);
}

static int try_clock(const struct machine *m)
{
	return ioctl(m->vm, KVM_GET_CLOCK, scratch);
}

static int try_msr_features(const struct machine *m)
{
	struct kvm_msr_list *list = (void *)scratch;

	list->nmsrs = 1024;
	return ioctl(m->kvm, KVM_GET_MSR_FEATURE_INDEX_LIST, list);
}

static int try_guest_debug(const struct machine *m)
{
	memset(scratch, 0, sizeof(scratch));
	return ioctl(m->vcpu, KVM_SET_GUEST_DEBUG, scratch);
}

static int try_coalesced(const struct machine *m)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = MMIO_BASE, .size = PAGE };

	return ioctl(m->vm, KVM_REGISTER_COALESCED_MMIO, &zone);
}

static int try_manual_protect(const struct machine *m)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args[0] = 1,
	};

	return ioctl(m->vm, KVM_ENABLE_CAP, &cap);
}

static int try_immediate_exit(const struct machine *m)
{
	vcpu_complete(m);
	return 0;
}

static int try_vm_tsc(const struct machine *m)
{
	int vm = vm_create(m->kvm);
	int khz = MUST(ioctl(m->vcpu, KVM_GET_TSC_KHZ, 0));

	return ioctl(vm, KVM_SET_TSC_KHZ, khz);
}

static int try_split_irqchip(const struct machine *m)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_SPLIT_IRQCHIP, .args[0] = 24,
	};
	int vm = vm_create(m->kvm);

	return ioctl(vm, KVM_ENABLE_CAP, &cap);
}

/* What each capability promises, done; and refused where it is not offered. */
static void test_truth(void)
{
	static const struct {
		int cap;
		int (*try)(const struct machine *m);
		const char *name;
	} table[] = {
		{ KVM_CAP_USER_MEMORY, try_memory, "USER_MEMORY" },
		{ KVM_CAP_READONLY_MEM, try_memory_readonly, "READONLY_MEM" },
		{ KVM_CAP_SET_TSS_ADDR, try_tss, "SET_TSS_ADDR" },
		{ KVM_CAP_SET_IDENTITY_MAP_ADDR, try_identity_map,
		  "SET_IDENTITY_MAP_ADDR" },
		{ KVM_CAP_EXT_CPUID, try_cpuid, "EXT_CPUID" },
		{ KVM_CAP_MP_STATE, try_mp_state, "MP_STATE" },
		{ KVM_CAP_VCPU_EVENTS, try_events, "VCPU_EVENTS" },
		{ KVM_CAP_DEBUGREGS, try_debugregs, "DEBUGREGS" },
		{ KVM_CAP_XSAVE, try_xsave, "XSAVE" },
		{ KVM_CAP_XSAVE2, try_xsave2, "XSAVE2" },
		{ KVM_CAP_XCRS, try_xcrs, "XCRS" },
		{ KVM_CAP_SREGS2, try_sregs2, "SREGS2" },
		{ KVM_CAP_GET_TSC_KHZ, try_get_tsc, "GET_TSC_KHZ" },
		{ KVM_CAP_MCE, try_mce, "MCE" },
		{ KVM_CAP_USER_NMI, try_nmi, "USER_NMI" },
		{ KVM_CAP_IOEVENTFD, try_ioeventfd, "IOEVENTFD" },
		{ KVM_CAP_IOEVENTFD_ANY_LENGTH, try_ioeventfd_any,
		  "IOEVENTFD_ANY_LENGTH" },
		{ KVM_CAP_IRQCHIP, try_irqchip, "IRQCHIP" },
		{ KVM_CAP_PIT2, try_pit, "PIT2" },
		{ KVM_CAP_SIGNAL_MSI, try_signal_msi, "SIGNAL_MSI" },
		{ KVM_CAP_SPLIT_IRQCHIP, try_split_irqchip, "SPLIT_IRQCHIP" },
		{ KVM_CAP_BINARY_STATS_FD, try_stats, "BINARY_STATS_FD" },
		{ KVM_CAP_ADJUST_CLOCK, try_clock, "ADJUST_CLOCK" },
		{ KVM_CAP_GET_MSR_FEATURES, try_msr_features,
		  "GET_MSR_FEATURES" },
		{ KVM_CAP_SET_GUEST_DEBUG, try_guest_debug, "SET_GUEST_DEBUG" },
		{ KVM_CAP_COALESCED_MMIO, try_coalesced, "COALESCED_MMIO" },
		{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, try_manual_protect,
		  "MANUAL_DIRTY_LOG_PROTECT2" },
		{ KVM_CAP_IMMEDIATE_EXIT, try_immediate_exit, "IMMEDIATE_EXIT" },
		{ KVM_CAP_VM_TSC_CONTROL, try_vm_tsc, "VM_TSC_CONTROL" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		struct machine m = machine_bare();
		int offered = has_cap(m.kvm, table[i].cap);
		int ret = table[i].try(&m);

		if (offered && ret < 0)
			tap_fail("%s is offered, but the call gives %s",
				 table[i].name, strerrorname_np(errno));
		/* Stock KVM has more than it offers, e.g. VM_TSC_CONTROL. */
		if (!offered && ret >= 0)
			tap_note("%s works, but is not offered", table[i].name);
		if (!offered && ret < 0 && errno != ENOTTY && errno != EINVAL)
			tap_fail("%s is not offered: expected ENOTTY or EINVAL, got %s",
				 table[i].name, strerrorname_np(errno));
		machine_close(&m);
	}
}

static void test_vm_caps(void)
{
	static const int caps[] = {
		KVM_CAP_USER_MEMORY, KVM_CAP_IRQCHIP, KVM_CAP_HLT,
		KVM_CAP_NR_VCPUS, KVM_CAP_MAX_VCPUS, KVM_CAP_NR_MEMSLOTS,
		KVM_CAP_MP_STATE, KVM_CAP_XSAVE, KVM_CAP_SYNC_REGS,
		KVM_CAP_READONLY_MEM, KVM_CAP_SYNC_MMU,
	};
	struct machine m = machine_bare();
	unsigned int i;

	if (!has_cap(m.kvm, KVM_CAP_CHECK_EXTENSION_VM))
		tap_skip("no CHECK_EXTENSION of a VM");
	for (i = 0; i < ARRAY_SIZE(caps); i++)
		CHECK_EQ(has_cap(m.vm, caps[i]), has_cap(m.kvm, caps[i]));
}

/* ---- lists of MSRs ---- */

#define MSRS_MAX	1024

struct msr_list {
	struct kvm_msr_list head;
	u32 indices[MSRS_MAX];
};

static void get_msr_list(int kvm, unsigned long request, struct msr_list *list)
{
	u32 count;

	list->head.nmsrs = 0;
	CHECK_ERRNO(ioctl(kvm, request, list), E2BIG);
	count = list->head.nmsrs;
	CHECK(count > 0 && count <= MSRS_MAX);
	list->head.nmsrs = count - 1;
	CHECK_ERRNO(ioctl(kvm, request, list), E2BIG);
	CHECK_EQ(list->head.nmsrs, count);
	list->head.nmsrs = MSRS_MAX;
	MUST(ioctl(kvm, request, list));
	CHECK_EQ(list->head.nmsrs, count);
	CHECK_ERRNO(ioctl(kvm, request, NULL), EFAULT);
}

static void test_msr_list(void)
{
	static const u32 expected[] = {
		0x10, 0x174, 0x175, 0x176, 0x277, 0xc0000081, 0xc0000082,
		0xc0000084, 0xc0000102,
	};
	struct msr_list list;
	unsigned int i, n;
	int kvm = kvm_open();

	get_msr_list(kvm, KVM_GET_MSR_INDEX_LIST, &list);
	for (i = 0; i < list.head.nmsrs; i++)
		for (n = 0; n < i; n++)
			CHECK(list.indices[i] != list.indices[n]);
	for (i = 0; i < ARRAY_SIZE(expected); i++) {
		for (n = 0; n < list.head.nmsrs; n++)
			if (list.indices[n] == expected[i])
				break;
		if (n == list.head.nmsrs)
			tap_fail("MSR %x is not in the list", expected[i]);
	}
}

struct msr_one {
	struct kvm_msrs head;
	struct kvm_msr_entry entry;
};

/* The system's KVM_GET_MSRS answers for the feature MSRs, and no others. */
static void test_msr_feature_list(void)
{
	struct msr_list list;
	struct msr_one msr;
	unsigned int i;
	int kvm = kvm_open();

	if (!has_cap(kvm, KVM_CAP_GET_MSR_FEATURES))
		tap_skip("no feature MSRs");
	get_msr_list(kvm, KVM_GET_MSR_FEATURE_INDEX_LIST, &list);
	for (i = 0; i < list.head.nmsrs; i++) {
		msr = (struct msr_one){ .head.nmsrs = 1,
					.entry.index = list.indices[i] };
		CHECK_EQ(MUST(ioctl(kvm, KVM_GET_MSRS, &msr)), 1);
	}
	msr = (struct msr_one){ .head.nmsrs = 1, .entry.index = 0xc0000082 };
	/* 6.12 reads as 0 what it saves for a vCPU. */
	if (MUST(ioctl(kvm, KVM_GET_MSRS, &msr)))
		CHECK_EQ(msr.entry.data, 0);
	CHECK_ERRNO(ioctl(kvm, KVM_SET_MSRS, &msr), EINVAL);
	msr.head.nmsrs = 256;
	CHECK_ERRNO(ioctl(kvm, KVM_GET_MSRS, &msr), E2BIG);
}

/* ---- CPUID ---- */

static void test_cpuid_probe(void)
{
	struct cpuid_list list;
	int kvm = kvm_open();
	u32 count;

	cpuid_get_supported(kvm, &list);
	count = list.head.nent;
	CHECK(count > 4 && count <= CPUID_MAX);
	list.head.nent = 0;
	CHECK_ERRNO(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &list), E2BIG);
	list.head.nent = 1;
	CHECK_ERRNO(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &list), E2BIG);
	list.head.nent = count - 1;
	CHECK_ERRNO(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &list), E2BIG);
	list.head.nent = count;
	MUST(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &list));
	CHECK_EQ(list.head.nent, count);
	/* A count that is too large is no error here. */
	list.head.nent = CPUID_MAX;
	MUST(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &list));
	CHECK_EQ(list.head.nent, count);
	CHECK_ERRNO(ioctl(kvm, KVM_GET_SUPPORTED_CPUID, NULL), EFAULT);
}

static void test_cpuid_content(void)
{
	struct kvm_cpuid_entry2 *e;
	struct cpuid_list list;
	u32 i, n;

	cpuid_get_supported(kvm_open(), &list);
	e = cpuid_find(&list, 0, 0);
	CHECK(e && e->eax >= 1);
	e = cpuid_find(&list, 1, 0);
	CHECK(e && (e->edx & 1));		/* FPU */
	e = cpuid_find(&list, 0x80000001, 0);
	CHECK(e && (e->edx & 1 << 29));		/* long mode */
	e = cpuid_find(&list, 0x80000008, 0);
	CHECK(e && (e->eax & 0xff) >= 32 && (e->eax >> 8 & 0xff) >= 48);
	e = cpuid_find(&list, 0x40000000, 0);
	CHECK(e && !memcmp(&e->ebx, "KVMKVMKVM\0\0\0", 12));
	CHECK(e->eax >= 0x40000001);
	CHECK(cpuid_find(&list, 0x40000001, 0));
	for (i = 0; i < list.head.nent; i++) {
		CHECK_EQ(list.entries[i].flags &
			 ~KVM_CPUID_FLAG_SIGNIFCANT_INDEX, 0);
		for (n = 0; n < i; n++)
			CHECK(list.entries[i].function != list.entries[n].function ||
			      list.entries[i].index != list.entries[n].index);
	}
}

/* Leaves with bits that follow CR4, XCR0 or an MSR of the vCPU. */
static bool is_dynamic_leaf(u32 function)
{
	return function == 1 || function == 7 || function == 0xd ||
		function == 0x40000001;
}

static void test_cpuid_set(void)
{
	struct machine m = machine_bare();
	struct cpuid_list want, got;
	u32 i;

	got.head.nent = 0;
	MUST(ioctl(m.vcpu, KVM_GET_CPUID2, &got));
	CHECK_EQ(got.head.nent, 0);
	cpuid_get_supported(m.kvm, &want);
	MUST(ioctl(m.vcpu, KVM_SET_CPUID2, &want));
	got.head.nent = want.head.nent - 1;
	CHECK_ERRNO(ioctl(m.vcpu, KVM_GET_CPUID2, &got), E2BIG);
	memset(&got, 0, sizeof(got));
	got.head.nent = CPUID_MAX;
	MUST(ioctl(m.vcpu, KVM_GET_CPUID2, &got));
	/* 6.1 leaves the count as it was. */
	CHECK(got.head.nent == want.head.nent || got.head.nent == CPUID_MAX);
	CHECK_EQ(got.entries[want.head.nent].function, 0);
	for (i = 0; i < want.head.nent; i++) {
		CHECK_EQ(got.entries[i].function, want.entries[i].function);
		CHECK_EQ(got.entries[i].index, want.entries[i].index);
		if (!is_dynamic_leaf(want.entries[i].function) &&
		    memcmp(&got.entries[i], &want.entries[i],
			   sizeof(want.entries[i])))
			tap_fail("leaf %x differs", want.entries[i].function);
	}
}

/* ---- binary statistics ---- */

static void stats_check_desc(struct stats *s, u32 i)
{
	const struct kvm_stats_desc *desc = &s->stat[i].desc;
	u32 type = desc->flags & KVM_STATS_TYPE_MASK;
	u64 data[512];
	ssize_t size = desc->size * sizeof(u64);

	CHECK(type <= KVM_STATS_TYPE_MAX);
	CHECK((desc->flags & KVM_STATS_UNIT_MASK) <= KVM_STATS_UNIT_MAX);
	CHECK((desc->flags & KVM_STATS_BASE_MASK) <= KVM_STATS_BASE_MAX);
	CHECK(desc->size >= 1 && desc->size <= ARRAY_SIZE(data));
	CHECK(type >= KVM_STATS_TYPE_LINEAR_HIST || desc->size == 1);
	CHECK_EQ(desc->offset % sizeof(u64), 0);
	CHECK(desc->name[0]);
	CHECK(strnlen(desc->name, s->header.name_size) < s->header.name_size);
	CHECK_EQ(pread(s->fd, data, size, s->header.data_offset + desc->offset),
		 size);
}

static void stats_open(struct stats *s, int fd)
{
	char id[256] = "";
	u32 i;

	stats_read(s, fd);
	CHECK_EQ(s->header.flags, 0);
	CHECK(s->header.name_size >= 16);
	CHECK_EQ(pread(s->fd, id, s->header.name_size, s->header.id_offset),
		 s->header.name_size);
	CHECK(!strncmp(id, "kvm", 3));
	for (i = 0; i < s->header.num_desc; i++)
		stats_check_desc(s, i);
}

static struct stats stats;

static void test_stats_vcpu(void)
{
	struct machine m = machine_make();
	u64 exits, io;
	unsigned int i;

	if (!has_cap(m.kvm, KVM_CAP_BINARY_STATS_FD))
		tap_skip("no binary statistics");
	stats_open(&stats, m.vcpu);
	exits = stats_get(&stats, "exits");
	io = stats_get(&stats, "io_exits");
	guest_start(&m, guest_out, 0, 0, 0);
	for (i = 0; i < 100; i++)
		vcpu_run_until(&m, KVM_EXIT_IO);
	CHECK(stats_get(&stats, "exits") >= exits + 100);
	CHECK_EQ(stats_get(&stats, "io_exits"), io + 100);
	/* The descriptor lives on. */
	close(m.vcpu);
	close(m.vm);
	munmap(m.run, MUST(ioctl(m.kvm, KVM_GET_VCPU_MMAP_SIZE, 0)));
	CHECK_EQ(stats_get(&stats, "io_exits"), io + 100);
}

static void test_stats_vm(void)
{
	struct machine m = machine_make();
	char byte;

	if (!has_cap(m.kvm, KVM_CAP_BINARY_STATS_FD))
		tap_skip("no binary statistics");
	stats_open(&stats, m.vm);
	/* The end of the file, and no writing. */
	CHECK_EQ(pread(stats.fd, &byte, 1, 1 << 20), 0);
	CHECK_ERRNO(write(stats.fd, &byte, 1), EBADF);
}

static const struct tap_test tests[] = {
	{ "the API version is 12", test_version },
	{ "unknown types of VM are refused", test_vm_type },
	{ "unknown calls", test_unknown },
	{ "calls on the wrong descriptor", test_wrong_descriptor },
	{ "creating vCPUs", test_create_vcpu },
	{ "descriptors close at exec", test_cloexec },
	{ "mapping a vCPU", test_vcpu_mmap },
	{ "a vCPU outlives its VM's descriptor", test_vcpu_outlives_vm },
	{ "enabling unknown capabilities", test_enable_cap },
	{ "limits are plausible", test_limits },
	{ "unknown capabilities are not there", test_unknown_caps },
	{ "capabilities that every VMM needs", test_needed_caps },
	{ "capabilities tell the truth", test_truth },
	{ "capabilities of a VM", test_vm_caps },
	{ "the list of MSRs", test_msr_list },
	{ "the list of feature MSRs", test_msr_feature_list },
	{ "probing for supported CPUID", test_cpuid_probe },
	{ "supported CPUID makes sense", test_cpuid_content },
	{ "supported CPUID can be set and read", test_cpuid_set },
	{ "statistics of a vCPU", test_stats_vcpu },
	{ "statistics of a VM", test_stats_vm },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
