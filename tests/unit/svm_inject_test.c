// SPDX-License-Identifier: GPL-2.0
/*
 * Events into the guest by the VMCB: as EVENTINJ or as a virtual interrupt, the step that
 * waits for NMIs, and what an exit leaves of an event (APM volume 2, 15.7.2, 15.20, 15.21).
 */
#include <kunit/test.h>
#include <linux/smp.h>
#include <trace/events/ipi.h>

static unsigned int ipis;

#undef smp_send_reschedule
#define smp_send_reschedule(cpu)	((void)(cpu), ipis++)

#include "svm/inject.c"

struct kvml_svm_caps kvml_svm_caps;
const struct kvml_ops *kvml_ops;

static unsigned int requests;

void kvml_vcpu_request(struct kvml_vcpu *v, enum kvml_request req)
{
	requests |= BIT(req);
}

int kvml_queue_exception(struct kvml_vcpu *v, u8 nr)
{
	return 1;
}

int kvml_svm_insn_read(struct kvml_vcpu *v, struct svm_insn *insn)
{
	return 1;
}

#define RIP	0x1000

static struct svm_vcpu *svm;
static struct vmcb *vmcb;

/* A vCPU between two entries, with interrupts on. */
static void start(bool emulated)
{
	memset(svm, 0, sizeof(*svm));
	memset(vmcb, 0, sizeof(*vmcb));
	svm->vmcb = vmcb;
	svm->vcpu.reg_avail = ~0;
	svm->vcpu.reg[KVML_RFLAGS] = X86_EFLAGS_IF;
	svm->vcpu.reg[KVML_CR0] = X86_CR0_PE;
	svm->vcpu.reg[KVML_RIP] = RIP;
	vmcb->save.rip = RIP;
	kvml_svm_caps = (struct kvml_svm_caps){ .emulated = emulated };
	ipis = 0;
	requests = 0;
}

static int svm_inject_init(struct kunit *test)
{
	svm = kunit_kzalloc(test, sizeof(*svm), GFP_KERNEL);
	vmcb = kunit_kzalloc(test, sizeof(*vmcb), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, svm);
	KUNIT_ASSERT_NOT_NULL(test, vmcb);
	return 0;
}

static bool virq_asked(void)
{
	return vmcb->control.int_ctl & V_IRQ_MASK;
}

static u32 event_inj(void)
{
	return vmcb->control.event_inj;
}

#define EXTERNAL(vector) (SVM_EVTINJ_VALID | SVM_EVTINJ_TYPE_INTR | (vector))

/* On a real CPU always as EVENTINJ. */
static void svm_intr_real_test(struct kunit *test)
{
	start(false);
	kvml_svm_inject_intr(&svm->vcpu, 0x31, false);
	KUNIT_EXPECT_EQ(test, event_inj(), EXTERNAL(0x31));
	KUNIT_EXPECT_FALSE(test, virq_asked());
}

/* In an emulator virtual, but where it would wait, or the window needs the field. */
static void svm_intr_emulated_test(struct kunit *test)
{
	start(true);
	kvml_svm_inject_intr(&svm->vcpu, 0x31, false);
	KUNIT_EXPECT_EQ(test, event_inj(), 0);
	KUNIT_EXPECT_TRUE(test, virq_asked());
	KUNIT_EXPECT_EQ(test, vmcb->control.int_vector, 0x31);

	start(true);
	svm->vcpu.reg[KVML_RFLAGS] = 0;
	kvml_svm_inject_intr(&svm->vcpu, 0x31, false);
	KUNIT_EXPECT_EQ(test, event_inj(), EXTERNAL(0x31));

	start(true);
	kvml_svm_open_intr_window(&svm->vcpu);
	kvml_svm_inject_intr(&svm->vcpu, 0x31, false);
	KUNIT_EXPECT_EQ(test, event_inj(), EXTERNAL(0x31));

	start(true);
	svm->vcpu.event.intr.insn_len = 2;
	kvml_svm_inject_intr(&svm->vcpu, 0x80, true);
	KUNIT_EXPECT_EQ(test, event_inj(), SVM_EVTINJ_VALID |
			SVM_EVTINJ_TYPE_SOFT | 0x80);
	KUNIT_EXPECT_EQ(test, vmcb->save.rip, RIP + 2);
}

/* An NMI that waits: by a step if nothing is delivered; never with an event. */
static void svm_nmi_window_test(struct kunit *test)
{
	const struct kvml_exception ud = { .injected = true, .nr = UD_VECTOR };

	/* As at an entry: the IPI is for this CPU. */
	migrate_disable();
	start(false);
	kvml_svm_open_nmi_window(&svm->vcpu);
	KUNIT_EXPECT_TRUE(test, svm->nmi_step);
	KUNIT_EXPECT_EQ(test, ipis, 0);
	/* The next entry has an event: the step must be gone. */
	kvml_svm_inject_intr(&svm->vcpu, 0x31, false);
	KUNIT_EXPECT_FALSE(test, svm->nmi_step);
	kvml_svm_open_nmi_window(&svm->vcpu);
	KUNIT_EXPECT_FALSE(test, svm->nmi_step);
	KUNIT_EXPECT_EQ(test, ipis, 1);
	KUNIT_EXPECT_TRUE(test, requests & BIT(KVML_REQ_EVENT));
	/* An IPI would come before a virtual interrupt, each time. */
	start(true);
	kvml_svm_inject_intr(&svm->vcpu, 0x31, false);
	kvml_svm_open_nmi_window(&svm->vcpu);
	KUNIT_EXPECT_FALSE(test, svm->nmi_step);
	KUNIT_EXPECT_EQ(test, ipis, 0);
	KUNIT_EXPECT_TRUE(test, requests & BIT(KVML_REQ_EVENT));
	/* And QEMU would deliver this one twice; an exception it would not. */
	start(true);
	svm->vcpu.reg[KVML_RFLAGS] = 0;
	kvml_svm_inject_intr(&svm->vcpu, 0x31, false);
	kvml_svm_open_nmi_window(&svm->vcpu);
	KUNIT_EXPECT_EQ(test, ipis, 0);
	start(true);
	kvml_svm_inject_exception(&svm->vcpu, &ud);
	kvml_svm_open_nmi_window(&svm->vcpu);
	KUNIT_EXPECT_EQ(test, ipis, 1);
	/* Blocked by an NMI: its IRET exits. */
	start(false);
	svm->nmi_masked = true;
	kvml_svm_open_nmi_window(&svm->vcpu);
	KUNIT_EXPECT_FALSE(test, svm->nmi_step);
	migrate_enable();
}

struct soft_case {
	const char *name;
	u32 int_info;		/* of the exit; 0: none */
	unsigned long rip;	/* at the exit */
	unsigned long want;	/* RIP that the guest has then */
	bool again;		/* INT3 is to be injected once more */
};

#define CUT(type, vector) (SVM_EXITINTINFO_VALID | SVM_EXITINTINFO_TYPE_##type | \
			   (vector))

/* INT3 of one byte was injected at RIP, so that RIP + 1 was entered. */
static const struct soft_case soft_cases[] = {
	{ "delivered, then an exit", 0, 0x8000, 0x8000, false },
	{ "cut short itself", CUT(EXEPT, BP_VECTOR), RIP + 1, RIP, true },
	{ "delivered, then #DE cut short", CUT(EXEPT, DE_VECTOR), 0x8004, 0x8004,
	  false },
	{ "delivered, then an INT3 of the guest", CUT(EXEPT, BP_VECTOR), 0x8000,
	  0x8000, false },
	{ "delivered, then an NMI cut short", CUT(NMI, NMI_VECTOR), 0x8000, 0x8000,
	  false },
	{ "delivered, then #DE at the same RIP", CUT(EXEPT, DE_VECTOR), RIP + 1,
	  RIP + 1, false },
	{ "delivered, then INT 3 by two bytes", CUT(SOFT, BP_VECTOR), RIP + 1,
	  RIP + 1, false },
};

static void soft_desc(const struct soft_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(soft, soft_cases, soft_desc);

static void svm_soft_test(struct kunit *test)
{
	const struct soft_case *c = test->param_value;
	struct kvml_exception int3 = { .injected = true, .nr = BP_VECTOR,
				       .insn_len = 1 };
	struct kvml_exception *e;

	start(false);
	e = &svm->vcpu.event.exception;
	kvml_svm_inject_exception(&svm->vcpu, &int3);
	KUNIT_EXPECT_EQ(test, vmcb->save.rip, RIP + 1);
	*e = int3;
	svm->vcpu.reg[KVML_RIP] = c->rip;
	svm->exit = (struct svm_exit){ .code = SVM_EXIT_NPF,
				       .int_info = c->int_info };
	kvml_svm_settle_events(svm);
	KUNIT_EXPECT_EQ(test, svm->vcpu.reg[KVML_RIP], c->want);
	KUNIT_EXPECT_EQ(test, e->injected && e->nr == BP_VECTOR, c->again);
	KUNIT_EXPECT_EQ(test, event_inj(), 0);
	if (c->again)
		KUNIT_EXPECT_EQ(test, e->insn_len, 1);
}

/* A virtual interrupt that is still there was not delivered. */
static void svm_virq_left_test(struct kunit *test)
{
	start(true);
	kvml_svm_inject_intr(&svm->vcpu, 0x31, false);
	svm->exit.code = SVM_EXIT_INTR;
	kvml_svm_settle_events(svm);
	KUNIT_EXPECT_TRUE(test, svm->vcpu.event.intr.injected);
	KUNIT_EXPECT_EQ(test, svm->vcpu.event.intr.nr, 0x31);
	KUNIT_EXPECT_FALSE(test, virq_asked());
	kvml_svm_inject_intr(&svm->vcpu, 0x31, false);
	vmcb->control.int_ctl &= ~V_IRQ_MASK;
	kvml_svm_settle_events(svm);
	KUNIT_EXPECT_FALSE(test, svm->vcpu.event.intr.injected);
}

static struct kunit_case svm_inject_cases[] = {
	KUNIT_CASE(svm_intr_real_test),
	KUNIT_CASE(svm_intr_emulated_test),
	KUNIT_CASE(svm_nmi_window_test),
	KUNIT_CASE_PARAM(svm_soft_test, soft_gen_params),
	KUNIT_CASE(svm_virq_left_test),
	{ }
};

static struct kunit_suite svm_inject_suite = {
	.name = "kvmlite_svm_inject",
	.init = svm_inject_init,
	.test_cases = svm_inject_cases,
};

kunit_test_suite(svm_inject_suite);

MODULE_DESCRIPTION("Tests of kvmlite's events by the VMCB");
MODULE_LICENSE("GPL");
