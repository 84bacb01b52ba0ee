// SPDX-License-Identifier: GPL-2.0
/*
 * Clean bits of the VMCB (APM volume 2, 15.15): who changes a part that the CPU may
 * have kept says so, and nothing else is loaded again.
 */
#include <kunit/test.h>

#include "svm/state.c"

const struct kvml_ops *kvml_ops;

void kvml_svm_vcpu_put(struct kvml_vcpu *vcpu)
{
}

static struct svm_vcpu *svm;

static int svm_state_init(struct kunit *test)
{
	svm = kunit_kzalloc(test, sizeof(*svm), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, svm);
	svm->vmcb = kunit_kzalloc(test, sizeof(*svm->vmcb), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, svm->vmcb);
	svm->vcpu.vm = kunit_kzalloc(test, sizeof(*svm->vcpu.vm), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, svm->vcpu.vm);
	svm->vcpu.reg_avail = ~0;
	return 0;
}

static void tsc(void)
{
	svm->vcpu.tsc_offset = 1;
	kvml_svm_update_tsc(&svm->vcpu);
}

static void pat(void)
{
	kvml_svm_set_msr(&svm->vcpu, MSR_IA32_CR_PAT, 0x0606060606060606);
}

static void lstar(void)
{
	kvml_svm_set_msr(&svm->vcpu, MSR_LSTAR, 0x1000);
}

static void spec_ctrl(void)
{
	kvml_svm_set_msr(&svm->vcpu, MSR_IA32_SPEC_CTRL, 0);
}

static void efer(void)
{
	kvml_svm_set_efer(&svm->vcpu, EFER_SCE);
}

static void cr0(void)
{
	kvml_svm_set_cr0(&svm->vcpu, X86_CR0_PE);
}

static void cr0_hidden(void)
{
	kvml_svm_set_cr0(&svm->vcpu, X86_CR0_PE | X86_CR0_CD);
}

static void cr3(void)
{
	kvml_reg_set(&svm->vcpu, KVML_CR3, 0x2000);
	kvml_svm_regs_flush(svm);
}

static void rip(void)
{
	kvml_reg_set(&svm->vcpu, KVML_RIP, 0x2000);
	kvml_reg_set(&svm->vcpu, KVML_RSP, 0x2000);
	kvml_reg_set(&svm->vcpu, KVML_RFLAGS, 2);
	kvml_svm_regs_flush(svm);
}

static void segment_cs(void)
{
	struct kvm_segment seg = { .base = 0x1000, .present = 1 };

	kvml_svm_set_segment(&svm->vcpu, KVML_CS, &seg);
}

static void gdt(void)
{
	struct kvm_dtable table = { .base = 0x1000 };

	kvml_svm_set_table(&svm->vcpu, KVML_GDT, &table);
}

static void idt(void)
{
	struct kvm_dtable table = { .base = 0x1000 };

	kvml_svm_set_table(&svm->vcpu, KVML_IDT, &table);
}

static void debug(void)
{
	svm->vcpu.dr7 = 1;
	kvml_svm_update_debug(&svm->vcpu);
}

static void intercept(void)
{
	vmcb_intercept(svm->vmcb, INTERCEPT_IRET, true);
}

static void intercept_again(void)
{
	vmcb_intercept(svm->vmcb, INTERCEPT_IRET, false);
}

/* By the numbers of 15.15.3. */
static const struct clean_case {
	const char *name;
	void (*change)(void);
	u32 dirty;
} clean_cases[] = {
	{ "TSC offset", tsc, BIT(0) },
	{ "an intercept", intercept, BIT(0) },
	{ "an intercept that is as it was", intercept_again, 0 },
	{ "PAT", pat, BIT(4) },
	{ "an MSR of VMLOAD", lstar, 0 },
	{ "SPEC_CTRL", spec_ctrl, 0 },
	{ "EFER", efer, BIT(5) },
	{ "CR0", cr0, BIT(5) },
	{ "CR0 with intercepts", cr0_hidden, BIT(5) | BIT(0) },
	{ "CR3", cr3, BIT(5) },
	{ "RIP, RSP, RFLAGS", rip, 0 },
	{ "CS", segment_cs, BIT(8) },
	{ "GDT", gdt, BIT(7) },
	{ "IDT", idt, BIT(7) },
	{ "DR7 and exceptions", debug, BIT(6) | BIT(0) },
};

static void clean_desc(const struct clean_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(clean, clean_cases, clean_desc);

static void svm_clean_test(struct kunit *test)
{
	const struct clean_case *c = test->param_value;

	svm->vmcb->control.clean = VMCB_CLEAN;
	c->change();
	KUNIT_EXPECT_EQ(test, svm->vmcb->control.clean,
			VMCB_CLEAN & ~c->dirty);
}

/* CR0.CD and NW are hidden from the CPU, unless the VMM wants them to have effect. */
static void svm_cd_test(struct kunit *test)
{
	const unsigned long off = X86_CR0_CD | X86_CR0_NW;

	kvml_svm_set_cr0(&svm->vcpu, X86_CR0_PE | off);
	KUNIT_EXPECT_EQ(test, svm->vmcb->save.cr0, X86_CR0_PE);
	KUNIT_EXPECT_TRUE(test, svm->cr0_hidden);
	KUNIT_EXPECT_EQ(test, kvml_reg(&svm->vcpu, KVML_CR0), X86_CR0_PE | off);
	svm->vcpu.vm->disabled_quirks = KVM_X86_QUIRK_CD_NW_CLEARED;
	kvml_svm_set_cr0(&svm->vcpu, X86_CR0_PE | off);
	KUNIT_EXPECT_EQ(test, svm->vmcb->save.cr0, X86_CR0_PE | off);
	KUNIT_EXPECT_FALSE(test, svm->cr0_hidden);
}

static struct kunit_case svm_state_cases[] = {
	KUNIT_CASE_PARAM(svm_clean_test, clean_gen_params),
	KUNIT_CASE(svm_cd_test),
	{ }
};

static struct kunit_suite svm_state_suite = {
	.name = "kvmlite_svm_state",
	.init = svm_state_init,
	.test_cases = svm_state_cases,
};

kunit_test_suite(svm_state_suite);

MODULE_DESCRIPTION("Tests of the VMCB's clean bits");
MODULE_LICENSE("GPL");
