// SPDX-License-Identifier: GPL-2.0
/*
 * Address space identifiers of AMD-V, and the TLBs of two simulated CPUs, which forget
 * nothing but what VMRUN tells them to forget when it enters: vCPUs that run, are moved,
 * are asked to flush, fail to enter, are freed, beside CPUs that are switched off and on.
 *
 * What must hold when a VMRUN enters: nothing is known under the ASID but translations
 * of this vCPU, and none that is older than the last flush that it was asked for; the
 * ASID is one of the CPU's, and the one that it reads from the VMCB.
 *
 * run() is svm_vcpu_load(), flush_if_asked() and after_vmrun() of the module in few
 * words.
 */
#include "orders.h"

/* ---- asm/svm.h, asm/debugreg.h ---- */

#define hw_breakpoint_active()	false
#define X86_TRAP_DB	1
#define X86_TRAP_BP	3
#define X86_TRAP_NM	7
#define X86_TRAP_AC	17
#define X86_TRAP_MC	18

enum {
	TLB_CONTROL_DO_NOTHING = 0, TLB_CONTROL_FLUSH_ALL_ASID = 1,
	TLB_CONTROL_FLUSH_ASID = 3,
};

struct vmcb_control_area {
	u32 intercepts[6];
	u32 asid;
	u8 tlb_ctl;
	u32 clean;
	u32 exit_code;
	u32 exit_int_info;
};

#define SVM_EXITINTINFO_VALID BIT(31)

struct vmcb { struct vmcb_control_area control; };

#include "asid.c"

const struct kvml_ops *kvml_ops;
struct kvml_svm_caps kvml_svm_caps;

/* ---- vCPUs ---- */

#define VCPUS	3

static struct vmcb vmcbs[VCPUS];

static struct {
	struct svm_vcpu svm;
	bool flush_asked;
	unsigned int flushes;	/* asked for, ever: the age of what it may know */
} vcpus[VCPUS];

/* ---- the CPUs ---- */

#define ASIDS	4	/* at most, and 0 */

struct tag {
	bool foreign;		/* of another hypervisor, or a vCPU that is no more */
	bool known[VCPUS];
	unsigned int age[VCPUS];	/* flushes of the vCPU before it */
};

static struct {
	struct tag tlb[ASIDS];
	u32 vmcb_asid[VCPUS];	/* as the CPU has cached it */
} cpus[ORDERS_CPUS];

enum outcome { ENTERS, FAULTS, INVALID };

static void check_tlb(int i, u32 asid)
{
	const struct tag *tag = &cpus[this_cpu].tlb[asid];
	int other;

	FUZZ_CHECK(!tag->foreign, "vCPU %d has translations of one that is no more", i);
	for (other = 0; other < VCPUS; other++)
		FUZZ_CHECK(other == i || !tag->known[other],
			   "vCPU %d has translations of vCPU %d", i, other);
	FUZZ_CHECK(!tag->known[i] || tag->age[i] == vcpus[i].flushes,
		   "vCPU %d has translations that were to be flushed", i);
}

/* VMRUN.  One that fails its checks has looked at the VMCB. */
static void vmrun(int i, enum outcome outcome)
{
	const struct vmcb_control_area *control = &vmcbs[i].control;
	struct tag *tlb = cpus[this_cpu].tlb;
	u32 asid;

	if (outcome == FAULTS)
		return;
	if (!(control->clean & BIT(VMCB_ASID)))
		cpus[this_cpu].vmcb_asid[i] = control->asid;
	asid = cpus[this_cpu].vmcb_asid[i];
	FUZZ_CHECK(asid == control->asid, "the CPU takes ASID %u, not %u", asid,
		   control->asid);
	FUZZ_CHECK(asid && asid < kvml_svm_caps.asids, "ASID %u", asid);
	if (outcome == INVALID)
		return;
	if (control->tlb_ctl == TLB_CONTROL_FLUSH_ALL_ASID)
		memset(tlb, 0, sizeof(cpus[0].tlb));
	else if (control->tlb_ctl == TLB_CONTROL_FLUSH_ASID &&
		 kvml_svm_caps.flush_by_asid)
		memset(&tlb[asid], 0, sizeof(tlb[asid]));
	check_tlb(i, asid);
	tlb[asid].known[i] = true;
	tlb[asid].age[i] = vcpus[i].flushes;
}

/* ---- the calls ---- */

static void after_vmrun(struct svm_vcpu *svm, u32 exit_code)
{
	svm->vmcb->control.clean = vmcb_clean_after(exit_code);
	if (svm->vmcb->control.tlb_ctl && vmcb_entered(exit_code))
		kvml_svm_asid_entered(svm);
}

static enum order run(int i, int cpu, enum outcome outcome)
{
	struct svm_vcpu *svm = &vcpus[i].svm;

	this_cpu = cpu;
	if (svm->vcpu.cpu != cpu) {
		svm->asid_generation = 0;
		svm->vmcb->control.clean = 0;
		svm->vcpu.cpu = cpu;
	}
	if (vcpus[i].flush_asked)
		kvml_svm_asid_flush(svm);
	vcpus[i].flush_asked = false;
	kvml_svm_asid_prepare(svm);
	vmrun(i, outcome);
	if (outcome != FAULTS)
		after_vmrun(svm, outcome == INVALID ? SVM_EXIT_ERR : SVM_EXIT_HLT);
	return ORDER_ON;
}

static enum order enter(int i, int cpu)
{
	return run(i, cpu, ENTERS);
}

static enum order fault(int i, int cpu)
{
	return run(i, cpu, FAULTS);
}

static enum order fail(int i, int cpu)
{
	return run(i, cpu, INVALID);
}

static enum order ask_flush(int i, int unused)
{
	vcpus[i].flush_asked = true;
	vcpus[i].flushes++;
	return ORDER_ON;
}

static enum order free_and_new(int i, int unused)
{
	unsigned int cpu, asid;

	for (cpu = 0; cpu < ORDERS_CPUS; cpu++) {
		for (asid = 0; asid < ASIDS; asid++) {
			struct tag *tag = &cpus[cpu].tlb[asid];

			tag->foreign |= tag->known[i];
			tag->known[i] = false;
		}
		cpus[cpu].vmcb_asid[i] = 0;
	}
	memset(&vmcbs[i], 0, sizeof(vmcbs[i]));
	memset(&vcpus[i], 0, sizeof(vcpus[i]));
	vcpus[i].svm.vmcb = &vmcbs[i];
	vcpus[i].svm.vcpu.cpu = -1;
	return ORDER_ON;
}

/* Somebody else may have had it meanwhile, with each ASID. */
static void switch_on(void *unused)
{
	unsigned int asid;

	for (asid = 0; asid < ASIDS; asid++)
		cpus[this_cpu].tlb[asid].foreign = true;
	memset(cpus[this_cpu].vmcb_asid, 0, sizeof(cpus[this_cpu].vmcb_asid));
	kvml_svm_asid_init();
}

static enum order off_and_on(int unused, int cpu)
{
	orders_on_cpu(cpu, switch_on, NULL);
	return ORDER_ON;
}

static const struct orders_kind kinds[] = {
	{ "vCPU %d runs on CPU %d", enter, VCPUS, ORDERS_CPUS },
	{ "vCPU %d: VMRUN faults on CPU %d", fault, VCPUS, ORDERS_CPUS },
	{ "vCPU %d: VMRUN fails its checks on CPU %d", fail, VCPUS, ORDERS_CPUS },
	{ "vCPU %d is asked to flush", ask_flush, VCPUS, 0 },
	{ "vCPU %d is freed, and a new one made", free_and_new, VCPUS, 0 },
	{ "CPU %d is switched off and on", off_and_on, 0, ORDERS_CPUS },
};

static unsigned int vcpus_used, cpus_used;

static enum order call(u32 nr)
{
	int vcpu, cpu;
	const struct orders_kind *kind = orders_kind(kinds, nr, &vcpu, &cpu);

	if ((kind->things && !orders_first(&vcpus_used, vcpu)) ||
	    (kind->others && !orders_first(&cpus_used, cpu)))
		return ORDER_NONE;
	return kind->fn(vcpu, cpu);
}

static void say(u32 nr, char *text, size_t size)
{
	orders_say_kind(kinds, nr, text, size);
}

static void begin(void)
{
	int i;

	kvml_svm_caps = *(const struct kvml_svm_caps *)universe->arg;
	orders_cpus_init();
	memset(cpus, 0, sizeof(cpus));
	vcpus_used = 0;
	cpus_used = 0;
	for (i = 0; i < VCPUS; i++)
		free_and_new(i, 0);
	for (i = 0; i < ORDERS_CPUS; i++)
		orders_on_cpu(i, switch_on, NULL);
}

/* All that must hold does when VMRUN enters. */
static void nothing(void)
{
}

#define UNIVERSE(name, ...)						\
	{ name, &(const struct kvml_svm_caps){ __VA_ARGS__ },		\
	  orders_count(kinds, ARRAY_SIZE(kinds)), 5, 6, .begin = begin,	\
	  .call = call, .check = nothing, .end = nothing, .say = say }

int main(int argc, char **argv)
{
	const struct universe universes[] = {
		UNIVERSE("two ASIDs", .asids = 3),
		UNIVERSE("two ASIDs, FLUSHBYASID", .asids = 3, .flush_by_asid = true),
		UNIVERSE("one ASID, FLUSHBYASID", .asids = 2, .flush_by_asid = true),
	};

	return orders_main(argc, argv, universes, ARRAY_SIZE(universes));
}
