// SPDX-License-Identifier: GPL-2.0
/*
 * Events for the guest: which exceptions make a double fault, what is handed over
 * first, and when a window is opened instead (SDM volume 3, 6.9, 6.15).
 */
#include <kunit/test.h>

/* No tracepoints here. */
#define _KVMLITE_TRACE_H
#define trace_kvm_inj_virq(...)	do { } while (0)

#include "vcpu/event.c"

/* ---- a vendor that writes down what it is told ---- */

static struct {
	bool nmi_allowed, nmi_masked, intr_allowed;
	u32 shadow;
	int exception;		/* handed over; -1: none */
	int intr;
	bool intr_soft;
	unsigned int nmis, nmi_windows, intr_windows;
	bool triple_fault;
} vendor;

static void inject_exception_fn(struct kvml_vcpu *v,
				const struct kvml_exception *e)
{
	vendor.exception = e->nr;
}

static void inject_intr_fn(struct kvml_vcpu *v, u8 vector, bool soft)
{
	vendor.intr = vector;
	vendor.intr_soft = soft;
}

static void inject_nmi_fn(struct kvml_vcpu *v)
{
	vendor.nmis++;
}

static bool nmi_allowed_fn(struct kvml_vcpu *v)
{
	return vendor.nmi_allowed;
}

static void open_nmi_window_fn(struct kvml_vcpu *v)
{
	vendor.nmi_windows++;
}

static bool intr_allowed_fn(struct kvml_vcpu *v)
{
	return vendor.intr_allowed;
}

static void open_intr_window_fn(struct kvml_vcpu *v)
{
	vendor.intr_windows++;
}

static bool get_nmi_masked_fn(struct kvml_vcpu *v)
{
	return vendor.nmi_masked;
}

static void set_nmi_masked_fn(struct kvml_vcpu *v, bool masked)
{
	vendor.nmi_masked = masked;
}

static u32 get_shadow_fn(struct kvml_vcpu *v)
{
	return vendor.shadow;
}

static void set_shadow_fn(struct kvml_vcpu *v, u32 shadow)
{
	vendor.shadow = shadow;
}

static const struct kvml_ops vendor_ops = {
	.inject_exception = inject_exception_fn,
	.inject_intr = inject_intr_fn,
	.inject_nmi = inject_nmi_fn,
	.nmi_allowed = nmi_allowed_fn,
	.open_nmi_window = open_nmi_window_fn,
	.intr_allowed = intr_allowed_fn,
	.open_intr_window = open_intr_window_fn,
	.get_nmi_masked = get_nmi_masked_fn,
	.set_nmi_masked = set_nmi_masked_fn,
	.get_shadow = get_shadow_fn,
	.set_shadow = set_shadow_fn,
};

const struct kvml_ops *kvml_ops = &vendor_ops;

void kvml_vcpu_request(struct kvml_vcpu *v, enum kvml_request req)
{
	vendor.triple_fault |= req == KVML_REQ_TRIPLE_FAULT;
}

static struct kvml_vcpu *vcpu;
static struct kvml_events *event;

static void forget(void)
{
	memset(&vendor, 0, sizeof(vendor));
	vendor.exception = -1;
	vendor.intr = -1;
	vendor.nmi_allowed = true;
	memset(event, 0, sizeof(*event));
}

static int event_test_init(struct kunit *test)
{
	vcpu = kunit_kzalloc(test, sizeof(*vcpu), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vcpu);
	vcpu->reg_avail = ~0;
	event = &vcpu->event;
	forget();
	return 0;
}

/* ---- table 6-5 ---- */

enum { DE = 0, DB = 1, NMI = 2, BP = 3, OF = 4, UD = 6, NM = 7, DF = 8, TS = 10,
	NP = 11, SS = 12, GP = 13, PF = 14, MF = 16, AC = 17, MC = 18, XM = 19 };

static void event_double_fault_test(struct kunit *test)
{
	static const u8 contributory[] = { DE, TS, NP, SS, GP };
	static const u8 benign[] = { DB, NMI, BP, OF, 5, UD, NM, MF, AC, MC, XM };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(contributory); i++) {
		u8 nr = contributory[i];

		for (j = 0; j < ARRAY_SIZE(contributory); j++)
			KUNIT_EXPECT_TRUE(test, double_fault(nr, contributory[j]));
		KUNIT_EXPECT_FALSE(test, double_fault(nr, PF));
		KUNIT_EXPECT_TRUE(test, double_fault(PF, nr));
		for (j = 0; j < ARRAY_SIZE(benign); j++) {
			KUNIT_EXPECT_FALSE(test, double_fault(nr, benign[j]));
			KUNIT_EXPECT_FALSE(test, double_fault(benign[j], nr));
		}
	}
	KUNIT_EXPECT_TRUE(test, double_fault(PF, PF));
	for (i = 0; i < ARRAY_SIZE(benign); i++) {
		KUNIT_EXPECT_FALSE(test, double_fault(PF, benign[i]));
		KUNIT_EXPECT_FALSE(test, double_fault(benign[i], PF));
	}
}

static void event_queue_test(struct kunit *test)
{
	struct kvml_exception *e = &event->exception;

	kvml_queue_exception_e(vcpu, GP, 0x18);
	KUNIT_EXPECT_TRUE(test, e->pending);
	KUNIT_EXPECT_FALSE(test, e->injected);
	KUNIT_EXPECT_EQ(test, e->nr, GP);
	KUNIT_EXPECT_EQ(test, e->error, 0x18);
	/* What the guest does not know yet is replaced. */
	kvml_queue_pf(vcpu, 0x1234, 2);
	KUNIT_EXPECT_EQ(test, e->nr, PF);
	KUNIT_EXPECT_EQ(test, vcpu->cr2, 0x1234);

	/* #GP while #PF is delivered. */
	kvml_inject_events(vcpu);
	KUNIT_EXPECT_EQ(test, vendor.exception, PF);
	kvml_queue_exception_e(vcpu, GP, 0x18);
	KUNIT_EXPECT_EQ(test, e->nr, DF);
	KUNIT_EXPECT_TRUE(test, e->has_error);
	KUNIT_EXPECT_EQ(test, e->error, 0);
	KUNIT_EXPECT_TRUE(test, e->pending);

	/* And anything while that is. */
	kvml_inject_events(vcpu);
	KUNIT_EXPECT_EQ(test, vendor.exception, DF);
	kvml_queue_pf(vcpu, 0, 0);
	KUNIT_EXPECT_TRUE(test, vendor.triple_fault);
	KUNIT_EXPECT_FALSE(test, kvml_events_any(event));
}

/* One after the other is no double fault. */
static void event_serial_test(struct kunit *test)
{
	kvml_queue_exception(vcpu, DB);
	kvml_inject_events(vcpu);
	kvml_queue_pf(vcpu, 0, 4);
	KUNIT_EXPECT_EQ(test, event->exception.nr, PF);
	KUNIT_EXPECT_EQ(test, event->exception.error, 4);
	KUNIT_EXPECT_FALSE(test, vendor.triple_fault);
}

/* ---- what goes first ---- */

static const struct order_case {
	const char *text;
	bool exc_pending, exc_injected, nmi_injected, intr;
	u8 nmi_pending;
	bool nmi_blocked;
	/* handed over */
	bool exception, nmi, interrupt;
	unsigned int windows;
	u8 nmi_left;
} order_cases[] = {
	{ "nothing" },
	{ "an exception", .exc_pending = true, .exception = true },
	{ "an exception whose delivery was cut short", .exc_injected = true,
	  .exception = true },
	{ "an exception before an interrupt", .exc_pending = true, .intr = true,
	  .exception = true },
	{ "an exception before an NMI that was cut short", .exc_pending = true,
	  .nmi_injected = true, .exception = true },
	{ "an exception, and an NMI waits", .exc_pending = true,
	  .nmi_pending = 1, .exception = true, .windows = 1, .nmi_left = 1 },
	{ "an NMI that was cut short before an interrupt",
	  .nmi_injected = true, .intr = true, .nmi = true },
	{ "an interrupt that was cut short, and an NMI waits", .intr = true,
	  .nmi_pending = 1, .interrupt = true, .windows = 1, .nmi_left = 1 },
	{ "an NMI", .nmi_pending = 1, .nmi = true },
	{ "two NMIs", .nmi_pending = 2, .nmi = true, .windows = 1,
	  .nmi_left = 1 },
	{ "an NMI that is blocked", .nmi_pending = 1, .nmi_blocked = true,
	  .windows = 1, .nmi_left = 1 },
	{ "an interrupt", .intr = true, .interrupt = true },
};

static void order_desc(const struct order_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->text);
}

KUNIT_ARRAY_PARAM(order, order_cases, order_desc);

static void event_order_test(struct kunit *test)
{
	const struct order_case *c = test->param_value;

	event->exception.pending = c->exc_pending;
	event->exception.injected = c->exc_injected;
	event->exception.nr = UD;
	event->nmi.injected = c->nmi_injected;
	event->nmi.pending = c->nmi_pending;
	event->intr.injected = c->intr;
	event->intr.nr = 0x31;
	vendor.nmi_allowed = !c->nmi_blocked;
	kvml_inject_events(vcpu);
	KUNIT_EXPECT_EQ(test, vendor.exception, c->exception ? UD : -1);
	KUNIT_EXPECT_EQ(test, vendor.nmis, c->nmi);
	KUNIT_EXPECT_EQ(test, vendor.intr, c->interrupt ? 0x31 : -1);
	KUNIT_EXPECT_EQ(test, vendor.nmi_windows, c->windows);
	KUNIT_EXPECT_EQ(test, event->nmi.pending, c->nmi_left);
	/* It stays, should its delivery be cut short; the vendor forgets it. */
	KUNIT_EXPECT_FALSE(test, event->exception.pending);
	KUNIT_EXPECT_EQ(test, event->exception.injected, c->exception);
}

/* RF is set for faults: their instruction is to be done again. */
static void event_rf_test(struct kunit *test)
{
	static const struct {
		u8 nr;
		unsigned long rf;
	} cases[] = {
		{ DE, X86_EFLAGS_RF }, { DB }, { BP }, { OF },
		{ UD, X86_EFLAGS_RF }, { DF }, { GP, X86_EFLAGS_RF },
		{ PF, X86_EFLAGS_RF },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		forget();
		vcpu->reg[KVML_RFLAGS] = X86_EFLAGS_FIXED;
		kvml_queue_exception(vcpu, cases[i].nr);
		kvml_inject_events(vcpu);
		KUNIT_EXPECT_EQ_MSG(test, vcpu->reg[KVML_RFLAGS],
				    X86_EFLAGS_FIXED | cases[i].rf,
				    "exception %u", cases[i].nr);
		/* Handed over again, nothing is changed any more. */
		vcpu->reg[KVML_RFLAGS] = X86_EFLAGS_FIXED;
		kvml_inject_events(vcpu);
		KUNIT_EXPECT_EQ(test, vcpu->reg[KVML_RFLAGS], X86_EFLAGS_FIXED);
	}
}

/* The exit that follows: all that was handed over has arrived. */
static void arrive(void)
{
	event->exception.injected = false;
	event->intr.injected = false;
	event->nmi.injected = false;
	vendor.exception = -1;
	vendor.intr = -1;
}

/* KVM_INTERRUPT, and then the instruction in userspace ends with an exception. */
static void event_postponed_test(struct kunit *test)
{
	struct kvm_vcpu_events out;

	kvml_event_interrupt(vcpu, 0x31);
	kvml_queue_exception(vcpu, UD);
	kvml_inject_events(vcpu);
	KUNIT_EXPECT_EQ(test, vendor.exception, UD);
	KUNIT_EXPECT_EQ(test, vendor.intr, -1);
	KUNIT_EXPECT_EQ(test, vendor.intr_windows, 1);
	arrive();
	/* Its handler runs with interrupts off. */
	KUNIT_EXPECT_TRUE(test, kvml_events_any(event));
	kvml_inject_events(vcpu);
	KUNIT_EXPECT_EQ(test, vendor.intr, -1);
	KUNIT_EXPECT_EQ(test, vendor.intr_windows, 2);
	kvml_event_get(vcpu, &out);
	KUNIT_EXPECT_EQ(test, out.interrupt.injected, 1);
	KUNIT_EXPECT_EQ(test, out.interrupt.nr, 0x31);
	arrive();
	vendor.intr_allowed = true;
	kvml_inject_events(vcpu);
	KUNIT_EXPECT_EQ(test, vendor.intr, 0x31);
	arrive();
	KUNIT_EXPECT_FALSE(test, kvml_events_any(event));
}

/* ---- ioctls ---- */

static void event_nmi_limit_test(struct kunit *test)
{
	kvml_event_nmi(vcpu);
	kvml_event_nmi(vcpu);
	kvml_event_nmi(vcpu);
	KUNIT_EXPECT_EQ(test, event->nmi.pending, 2);
	forget();
	vendor.nmi_masked = true;
	kvml_event_nmi(vcpu);
	kvml_event_nmi(vcpu);
	KUNIT_EXPECT_EQ(test, event->nmi.pending, 1);
	forget();
	event->nmi.injected = true;
	kvml_event_nmi(vcpu);
	kvml_event_nmi(vcpu);
	KUNIT_EXPECT_EQ(test, event->nmi.pending, 1);
}

static void event_interrupt_test(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, kvml_event_interrupt(vcpu, 256), -EINVAL);
	KUNIT_EXPECT_EQ(test, kvml_event_interrupt(vcpu, U32_MAX), -EINVAL);
	KUNIT_EXPECT_FALSE(test, kvml_events_any(event));
	event->intr.soft = true;
	KUNIT_EXPECT_EQ(test, kvml_event_interrupt(vcpu, 255), 0);
	kvml_inject_events(vcpu);
	KUNIT_EXPECT_EQ(test, vendor.intr, 255);
	KUNIT_EXPECT_FALSE(test, vendor.intr_soft);
}

static void event_set_invalid_test(struct kunit *test)
{
	struct kvm_vcpu_events in = { };
	unsigned int bit, nr;

	for (bit = 0; bit < 32; bit++) {
		bool known = BIT(bit) & (KVM_VCPUEVENT_VALID_NMI_PENDING |
					 KVM_VCPUEVENT_VALID_SIPI_VECTOR |
					 KVM_VCPUEVENT_VALID_SHADOW);

		in.flags = BIT(bit);
		KUNIT_EXPECT_EQ_MSG(test, kvml_event_set(vcpu, &in),
				    known ? 0 : -EINVAL, "flag %u", bit);
	}
	in.flags = 0;
	in.exception.injected = 1;
	for (nr = 0; nr < 256; nr++) {
		in.exception.nr = nr;
		KUNIT_EXPECT_EQ_MSG(test, kvml_event_set(vcpu, &in),
				    nr < 32 && nr != NMI ? 0 : -EINVAL,
				    "exception %u", nr);
	}
}

/* What was got can be set again, and is the same then. */
static void event_get_set_test(struct kunit *test)
{
	struct kvm_vcpu_events out, again;

	event->exception = (struct kvml_exception){
		.pending = true, .nr = PF, .has_error = true, .error = 6,
	};
	event->intr.injected = true;
	event->intr.nr = 0x44;
	event->nmi.pending = 2;
	vendor.nmi_masked = true;
	vendor.shadow = KVM_X86_SHADOW_INT_STI;
	kvml_event_get(vcpu, &out);
	KUNIT_EXPECT_EQ(test, out.exception.injected, 1);
	KUNIT_EXPECT_EQ(test, out.exception.error_code, 6);
	KUNIT_EXPECT_EQ(test, out.nmi.pending, 2);
	forget();
	KUNIT_EXPECT_EQ(test, kvml_event_set(vcpu, &out), 0);
	KUNIT_EXPECT_TRUE(test, vendor.nmi_masked);
	KUNIT_EXPECT_EQ(test, vendor.shadow, KVM_X86_SHADOW_INT_STI);
	kvml_event_get(vcpu, &again);
	KUNIT_EXPECT_MEMEQ(test, &again, &out, sizeof(out));
	/* More NMIs than may wait. */
	out.nmi.pending = 255;
	KUNIT_EXPECT_EQ(test, kvml_event_set(vcpu, &out), 0);
	KUNIT_EXPECT_EQ(test, event->nmi.pending, 2);
	/* Without the flags these stay. */
	out.flags = 0;
	out.nmi.pending = 0;
	out.interrupt.shadow = 0;
	KUNIT_EXPECT_EQ(test, kvml_event_set(vcpu, &out), 0);
	KUNIT_EXPECT_EQ(test, event->nmi.pending, 2);
	KUNIT_EXPECT_EQ(test, vendor.shadow, KVM_X86_SHADOW_INT_STI);
}

static struct kunit_case event_cases[] = {
	KUNIT_CASE(event_double_fault_test),
	KUNIT_CASE(event_queue_test),
	KUNIT_CASE(event_serial_test),
	KUNIT_CASE_PARAM(event_order_test, order_gen_params),
	KUNIT_CASE(event_rf_test),
	KUNIT_CASE(event_postponed_test),
	KUNIT_CASE(event_nmi_limit_test),
	KUNIT_CASE(event_interrupt_test),
	KUNIT_CASE(event_set_invalid_test),
	KUNIT_CASE(event_get_set_test),
	{ }
};

static struct kunit_suite event_suite = {
	.name = "kvmlite_event",
	.init = event_test_init,
	.test_cases = event_cases,
};

kunit_test_suite(event_suite);

MODULE_DESCRIPTION("Tests of kvmlite's events");
MODULE_LICENSE("GPL");
