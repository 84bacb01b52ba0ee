// SPDX-License-Identifier: GPL-2.0
/*
 * VMX instructions that fail, and where a VMCS is: the CPU says no to a mistake,
 * which is a line in the log and a 0 (SDM volume 3, 31.2), and after VT-x was
 * switched off nothing happens at all.
 *
 * The failures want a CPU with VT-x, of which nobody makes use.
 */
#include <kunit/test.h>
#include <asm/cpufeature.h>
#include <asm/tlbflush.h>

#include "vmx/vmcs.c"

DEFINE_PER_CPU(bool, kvml_hardware_on);
bool kvml_hardware_gone;

/* The last that could be, of the host and as wide as an address: no CPU has it. */
#define NO_FIELD	0x6ffeUL
#define ERROR_NO_FIELD	12	/* VMREAD or VMWRITE of a field that is not there */
#define ERROR_VMCLEAR	3	/* VMCLEAR of the VMXON region */
#define ERROR_VMPTRLD	10	/* VMPTRLD of the VMXON region */

struct vmx_vmcs_test {
	void *region;		/* VMXON */
	struct kvml_vmcs vmcs[2];
};

static int vmx_vmcs_test_init(struct kunit *test)
{
	struct vmx_vmcs_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	kvml_vmcs_init();
	test->priv = t;
	return 0;
}

static u32 revision(void)
{
	u64 basic;

	rdmsrq(MSR_IA32_VMX_BASIC, basic);
	return (u32)basic & 0x7fffffff;
}

/* Preemption off until vmx_end(); not with KUNIT_ASSERT in between. */
static bool vmx_begin(struct vmx_vmcs_test *t)
{
	unsigned long flags;
	bool failed;

	preempt_disable();
	local_irq_save(flags);
	this_cpu_write(kvml_hardware_on, true);
	cr4_set_bits_irqsoff(X86_CR4_VMXE);
	failed = vmx_on(virt_to_phys(t->region));
	local_irq_restore(flags);
	return !failed;
}

static void vmx_end(void)
{
	unsigned long flags;

	local_irq_save(flags);
	kvml_vmcs_clear_all();
	vmx_off();
	cr4_clear_bits_irqsoff(X86_CR4_VMXE);
	local_irq_restore(flags);
	preempt_enable();
}

/* For tests on a CPU with VT-x; vmx_vmcs_test_exit() frees. */
static struct vmx_vmcs_test *with_vt_x(struct kunit *test)
{
	struct vmx_vmcs_test *t = test->priv;
	unsigned int i;

	if (!boot_cpu_has(X86_FEATURE_VMX))
		kunit_skip(test, "no VT-x");
	if (__read_cr4() & X86_CR4_VMXE)
		kunit_skip(test, "VT-x is in use");
	t->region = (void *)get_zeroed_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->region);
	*(u32 *)t->region = revision();
	for (i = 0; i < ARRAY_SIZE(t->vmcs); i++)
		KUNIT_ASSERT_EQ(test, kvml_vmcs_alloc(&t->vmcs[i], revision()), 0);
	return t;
}

static void vmx_vmcs_test_exit(struct kunit *test)
{
	struct vmx_vmcs_test *t = test->priv;

	kvml_vmcs_free(&t->vmcs[0]);
	kvml_vmcs_free(&t->vmcs[1]);
	free_page((unsigned long)t->region);
}

/* Each of them is an invalid opcode now. */
static void vt_x_off(struct kunit *test)
{
	if (__read_cr4() & X86_CR4_VMXE)
		kunit_skip(test, "VT-x is in use");
	vmclear_page(0);
	vmptrld_page(0);
	vmcs_write(GUEST_RIP, 1);
	vmcs_write(GUEST_RFLAGS, vmcs_read(GUEST_RFLAGS) | 1);
	KUNIT_EXPECT_EQ(test, vmcs_read(GUEST_RIP), 0);
	KUNIT_EXPECT_TRUE(test, vmx_on(0));
	vmx_invept(INVEPT_ALL, 0);
	vmx_invvpid(INVVPID_CONTEXT, 1);
	vmx_off();
}

static void no_vmcs(struct kunit *test)
{
	struct vmx_vmcs_test *t = with_vt_x(test);
	bool on = vmx_begin(t);
	u64 value;

	vmcs_write(GUEST_RIP, 1);
	value = vmcs_read(GUEST_RIP);
	vmx_end();
	KUNIT_EXPECT_TRUE(test, on);
	KUNIT_EXPECT_EQ(test, value, 0);
}

static void no_field(struct kunit *test)
{
	struct vmx_vmcs_test *t = with_vt_x(test);
	u64 value, read_error, write_error, rip;
	bool on = vmx_begin(t);

	kvml_vmcs_load(&t->vmcs[0]);
	vmcs_write(GUEST_RIP, 0x1234);
	value = vmcs_read(NO_FIELD);
	read_error = vmcs_read(VM_INSTRUCTION_ERROR);
	vmcs_write(NO_FIELD, 1);
	write_error = vmcs_read(VM_INSTRUCTION_ERROR);
	rip = vmcs_read(GUEST_RIP);
	vmx_end();
	KUNIT_EXPECT_TRUE(test, on);
	KUNIT_EXPECT_EQ(test, value, 0);
	KUNIT_EXPECT_EQ(test, read_error, ERROR_NO_FIELD);
	KUNIT_EXPECT_EQ(test, write_error, ERROR_NO_FIELD);
	KUNIT_EXPECT_EQ(test, rip, 0x1234);
}

/* The VMCS that was current before still is. */
static void wrong_page(struct kunit *test)
{
	struct vmx_vmcs_test *t = with_vt_x(test);
	u64 clear_error, load_error, rip;
	bool on = vmx_begin(t);

	kvml_vmcs_load(&t->vmcs[0]);
	vmcs_write(GUEST_RIP, 0x5678);
	vmclear_page(virt_to_phys(t->region));
	clear_error = vmcs_read(VM_INSTRUCTION_ERROR);
	vmptrld_page(virt_to_phys(t->region));
	load_error = vmcs_read(VM_INSTRUCTION_ERROR);
	rip = vmcs_read(GUEST_RIP);
	vmx_end();
	KUNIT_EXPECT_TRUE(test, on);
	KUNIT_EXPECT_EQ(test, clear_error, ERROR_VMCLEAR);
	KUNIT_EXPECT_EQ(test, load_error, ERROR_VMPTRLD);
	KUNIT_EXPECT_EQ(test, rip, 0x5678);
}

/* Two take turns on a CPU; it keeps both until it is switched off. */
static void taking_turns(struct kunit *test)
{
	struct vmx_vmcs_test *t = with_vt_x(test);
	u64 rip[ARRAY_SIZE(t->vmcs)];
	bool on = vmx_begin(t), moved[5];
	int cpu = smp_processor_id(), cached[2];

	moved[0] = kvml_vmcs_load(&t->vmcs[0]);
	vmcs_write(GUEST_RIP, 0x11);
	moved[1] = kvml_vmcs_load(&t->vmcs[0]);
	moved[2] = kvml_vmcs_load(&t->vmcs[1]);
	vmcs_write(GUEST_RIP, 0x22);
	moved[3] = kvml_vmcs_load(&t->vmcs[0]);
	rip[0] = vmcs_read(GUEST_RIP);
	kvml_vmcs_load(&t->vmcs[1]);
	rip[1] = vmcs_read(GUEST_RIP);
	cached[0] = t->vmcs[0].cpu;
	kvml_vmcs_clear(&t->vmcs[0]);
	cached[1] = t->vmcs[0].cpu;
	moved[4] = kvml_vmcs_load(&t->vmcs[0]);
	vmx_end();
	KUNIT_EXPECT_TRUE(test, on);
	KUNIT_EXPECT_TRUE(test, moved[0]);
	KUNIT_EXPECT_FALSE(test, moved[1]);
	KUNIT_EXPECT_TRUE(test, moved[2]);
	KUNIT_EXPECT_FALSE(test, moved[3]);
	KUNIT_EXPECT_TRUE(test, moved[4]);
	KUNIT_EXPECT_EQ(test, rip[0], 0x11);
	KUNIT_EXPECT_EQ(test, rip[1], 0x22);
	KUNIT_EXPECT_EQ(test, cached[0], cpu);
	KUNIT_EXPECT_EQ(test, cached[1], -1);
	KUNIT_EXPECT_EQ(test, t->vmcs[0].cpu, -1);
	KUNIT_EXPECT_EQ(test, t->vmcs[1].cpu, -1);
}

static struct kunit_case vmx_vmcs_cases[] = {
	KUNIT_CASE(vt_x_off),
	KUNIT_CASE(no_vmcs),
	KUNIT_CASE(no_field),
	KUNIT_CASE(wrong_page),
	KUNIT_CASE(taking_turns),
	{ }
};

static struct kunit_suite vmx_vmcs_suite = {
	.name = "kvmlite_vmx_vmcs",
	.init = vmx_vmcs_test_init,
	.exit = vmx_vmcs_test_exit,
	.test_cases = vmx_vmcs_cases,
};

kunit_test_suite(vmx_vmcs_suite);

MODULE_DESCRIPTION("Tests of VMX instructions and VMCSs");
MODULE_LICENSE("GPL");
