// SPDX-License-Identifier: GPL-2.0
/*
 * Which CPU has which VMCS: tasks that load vCPUs, are scheduled out and in, enter the
 * guest, and vCPUs that are freed, beside CPUs that go offline and come back, on two
 * simulated CPUs with VT-x.
 *
 * What must hold: a VMCS is in the list of the CPU that it names, which is on, and in
 * no other; current is none that is freed or elsewhere; a CPU loads none that another
 * one caches (SDM volume 3, 25.11.1), has none when it is switched off, and caches no
 * page that is freed.
 *
 * vmx_vcpu_load(), vmx_vcpu_free() and the way of disable_here() are those of vmx.c and
 * hardware.c in few words.
 */
#include "orders.h"

/* ---- linux/jump_label.h, linux/stringify.h, asm/{asm,cpufeature,tsc,vmx}.h ---- */

#define DECLARE_STATIC_KEY_FALSE(name) extern bool name
#define DEFINE_STATIC_KEY_FALSE(name) bool name
#define static_branch_unlikely(key) (*(key))
#define __stringify(x)	#x
#define _ASM_EXTABLE(from, to) ""
#define DEFINE_EXTABLE_TYPE_REG ""
#define UNDEFINE_EXTABLE_TYPE_REG ""
#define EX_TYPE_ZERO_REG 0
#define VM_INSTRUCTION_ERROR 0x4400
#define X86_FEATURE_CONSTANT_TSC 0
#define boot_cpu_has(feature) true
#define check_tsc_unstable() false
#define pr_warn_ratelimited(...) FUZZ_CHECK(false, __VA_ARGS__)

/* ---- base/barrier.h ---- */

#define _KVMLITE_BARRIER_H
#define kvml_branch_barrier() barrier_of_branches()

static void barrier_of_branches(void);

/* A VMREAD, which nothing here depends on. */
#define asm_goto_output(...)						\
	do {								\
		value = 0;						\
		if (false)						\
			goto failed;					\
	} while (0)

/* ---- linux/preempt.h: who is scheduled is the program's ---- */

struct task_struct;

struct preempt_ops {
	void (*sched_in)(struct preempt_notifier *notifier, int cpu);
	void (*sched_out)(struct preempt_notifier *notifier,
			  struct task_struct *next);
};

#define preempt_notifier_init(n, o) ((n)->ops = (o))
#define preempt_notifier_register(n) ((void)(n))
#define preempt_notifier_unregister(n) ((void)(n))
#define preempt_disable()	((void)0)
#define preempt_enable()	((void)0)
#define get_cpu()		this_cpu
#define put_cpu()		((void)0)
#define cond_resched()		((void)0)

/* ---- the CPUs' VT-x ---- */

static struct {
	bool on;
	u64 pointer;		/* current-VMCS pointer */
	unsigned int cached;	/* VMCSs */
	const void *guest;	/* whose branches it has learned */
} hw[ORDERS_CPUS];

/* Of a page: the CPU that may cache it, or -1; in what state it was left. */
static struct {
	int cached;
	bool cleared, launched;
} region[ORDERS_PAGES];

#include "vmcs.h"

enum result { VMX_DONE, VMX_FAILED, VMX_FAULT };

static void check_crash(void);

static enum result vmx_instruction(const char *text, u64 phys)
{
	unsigned int i = virt_to_page((void *)phys) - pages;

	if (!hw[this_cpu].on)
		return VMX_FAULT;
	if (!pages[i].used)
		return VMX_FAILED;
	check_crash();
	if (strstr(text, "vmclear")) {
		if (region[i].cached == this_cpu) {
			region[i].cached = -1;
			hw[this_cpu].cached--;
		}
		region[i].cleared = true;
		region[i].launched = false;
		if (hw[this_cpu].pointer == phys)
			hw[this_cpu].pointer = 0;
		return VMX_DONE;
	}
	FUZZ_CHECK(strstr(text, "vmptrld"), "%s", text);
	FUZZ_CHECK(region[i].cached < 0 || region[i].cached == this_cpu,
		   "CPU %d loads what CPU %d caches", this_cpu, region[i].cached);
	FUZZ_CHECK(region[i].cleared, "VMPTRLD before any VMCLEAR");
	hw[this_cpu].cached += region[i].cached < 0;
	region[i].cached = this_cpu;
	hw[this_cpu].pointer = phys;
	check_crash();
	return VMX_DONE;
}

/* "asm goto(text : operands)": on after that, or to one of its labels. */
#define asm
#define goto(...)							\
	switch (vmx_instruction(#__VA_ARGS__, phys)) {			\
	case VMX_FAILED:						\
		goto failed;						\
	case VMX_FAULT:							\
	case VMX_DONE:							\
		break;							\
	}

#include "vmcs.c"

#undef asm
#undef goto

#include "load.c"

/* The TSC goes on. */
u64 kvml_tsc_lost;

void kvml_tsc_catch_up(struct kvml_vcpu *vcpu)
{
}

static void page_freed(const struct page *page)
{
	int cpu = region[page - pages].cached;

	FUZZ_CHECK(cpu < 0, "a page is freed that CPU %d caches", cpu);
}

/* Would kvml_vmcs_clear_in_crash(), by an NMI that comes now, find all? */
static void check_crash(void)
{
	unsigned int cached = hw[this_cpu].cached;
	struct kvml_vmcs *vmcs;

	list_for_each_entry(vmcs, this_cpu_ptr(&cached_vmcs), link)
		cached -= region[virt_to_page(vmcs->page) - pages].cached == this_cpu;
	FUZZ_CHECK(!cached, "CPU %d caches a VMCS that its list has not", this_cpu);
}

static void barrier_of_branches(void)
{
	hw[this_cpu].guest = NULL;
}

/* ---- vCPUs, and the tasks that run them ---- */

#define VCPUS	2

struct vmx_vcpu {
	struct kvml_vcpu vcpu;
	struct kvml_vmcs vmcs;
};

static struct {
	struct vmx_vcpu *vmx;
	enum { PUT, RUNNING, OUT } state;
	int cpu;		/* while running */
} task[VCPUS];

static enum { CPU_ON, CPU_LEAVING, CPU_DEAD } cpu_state[ORDERS_CPUS];

DEFINE_PER_CPU(bool, kvml_hardware_on);
bool kvml_hardware_gone;

static bool busy(int cpu)
{
	int i;

	for (i = 0; i < VCPUS; i++)
		if (task[i].state == RUNNING && task[i].cpu == cpu)
			return true;
	return false;
}

void kvml_vcpu_request(struct kvml_vcpu *vcpu, enum kvml_request req)
{
	set_bit(req, &vcpu->requests);
}

static struct kvml_vmcs *vmcs_of(struct kvml_vcpu *vcpu)
{
	return &container_of(vcpu, struct vmx_vcpu, vcpu)->vmcs;
}

static void vmx_load(struct kvml_vcpu *vcpu, int cpu)
{
	if (kvml_vmcs_load(vmcs_of(vcpu)))
		kvml_vcpu_request(vcpu, KVML_REQ_FLUSH_TLB);
}

static void vmx_put(struct kvml_vcpu *vcpu)
{
}

static const struct kvml_ops ops = { .vcpu_load = vmx_load, .vcpu_put = vmx_put };
const struct kvml_ops *kvml_ops = &ops;

static void vcpu_new(int i)
{
	struct vmx_vcpu *vmx = calloc(1, sizeof(*vmx));
	unsigned int page;

	FUZZ_CHECK(!kvml_vmcs_alloc(&vmx->vmcs, 1), "no memory");
	page = virt_to_page(vmx->vmcs.page) - pages;
	region[page].cached = -1;
	region[page].cleared = false;
	region[page].launched = false;
	vmx->vcpu.cpu = -1;
	kvml_vcpu_load_init(&vmx->vcpu);
	task[i].vmx = vmx;
}

static void vcpu_free(int i)
{
	kvml_vmcs_clear(&task[i].vmx->vmcs);
	kvml_vmcs_free(&task[i].vmx->vmcs);
	free(task[i].vmx);
}

/* ---- what must hold ---- */

static int vcpu_of(const struct kvml_vmcs *vmcs)
{
	int i;

	for (i = 0; i < VCPUS; i++)
		if (&task[i].vmx->vmcs == vmcs)
			return i;
	return -1;
}

/* How many it has. */
static unsigned int check_list(int cpu)
{
	struct list_head *head = per_cpu_ptr(&cached_vmcs, cpu), *at;
	unsigned int n = 0;

	for (at = head->next; at != head; at = at->next) {
		struct kvml_vmcs *vmcs = list_entry(at, struct kvml_vmcs, link);

		FUZZ_CHECK(vcpu_of(vmcs) >= 0, "CPU %d has a VMCS that is freed",
			   cpu);
		FUZZ_CHECK(at->prev->next == at && at->next->prev == at,
			   "CPU %d: the list is corrupt", cpu);
		FUZZ_CHECK(vmcs->cpu == cpu, "CPU %d has a VMCS of CPU %d", cpu,
			   vmcs->cpu);
		FUZZ_CHECK(per_cpu(kvml_hardware_on, cpu),
			   "CPU %d is off and has a VMCS", cpu);
		FUZZ_CHECK(++n <= VCPUS, "CPU %d: the list has no end", cpu);
	}
	return n;
}

static void check(void)
{
	unsigned int listed = 0, i;
	int cpu;

	for (cpu = 0; cpu < ORDERS_CPUS; cpu++) {
		const struct kvml_vmcs *now = per_cpu(current_vmcs, cpu);

		listed += check_list(cpu);
		if (!now)
			continue;
		FUZZ_CHECK(vcpu_of(now) >= 0, "CPU %d: current is freed", cpu);
		FUZZ_CHECK(now->cpu == cpu, "CPU %d: current is elsewhere", cpu);
	}
	for (i = 0; i < VCPUS; i++)
		listed -= task[i].vmx->vmcs.cpu >= 0;
	FUZZ_CHECK(!listed, "a VMCS names a CPU that does not have it");
}

/* ---- the calls ---- */

/* A task that the scheduler brings to a CPU that leaves does no more there. */
static enum order load(int i, int cpu)
{
	if (task[i].state != PUT || busy(cpu) || cpu_state[cpu] != CPU_ON)
		return ORDER_NONE;
	this_cpu = cpu;
	task[i].state = RUNNING;
	task[i].cpu = cpu;
	kvml_vcpu_load(&task[i].vmx->vcpu);
	return ORDER_ON;
}

static enum order put(int i, int unused)
{
	if (task[i].state != RUNNING)
		return ORDER_NONE;
	this_cpu = task[i].cpu;
	kvml_vcpu_put(&task[i].vmx->vcpu);
	task[i].state = PUT;
	return ORDER_ON;
}

static enum order sched_out_task(int i, int unused)
{
	struct preempt_notifier *n = &task[i].vmx->vcpu.preempt_notifier;

	if (task[i].state != RUNNING)
		return ORDER_NONE;
	this_cpu = task[i].cpu;
	n->ops->sched_out(n, NULL);
	task[i].state = OUT;
	return ORDER_ON;
}

static enum order sched_in_task(int i, int cpu)
{
	struct preempt_notifier *n = &task[i].vmx->vcpu.preempt_notifier;

	if (task[i].state != OUT || busy(cpu) || cpu_state[cpu] == CPU_DEAD)
		return ORDER_NONE;
	this_cpu = cpu;
	task[i].state = RUNNING;
	task[i].cpu = cpu;
	n->ops->sched_in(n, cpu);
	return ORDER_ON;
}

/* handle_requests() and enter_guest() of vcpu.c, and the instruction. */
static enum order enter(int i, int unused)
{
	struct vmx_vcpu *vmx = task[i].vmx;
	unsigned int page = virt_to_page(vmx->vmcs.page) - pages;
	int cpu = task[i].cpu;

	if (task[i].state != RUNNING || kvml_hardware_gone)
		return ORDER_NONE;
	this_cpu = cpu;
	if (test_and_clear_bit(KVML_REQ_LOAD, &vmx->vcpu.requests))
		kvml_vcpu_reload(&vmx->vcpu);
	if (test_bit(KVML_REQ_LOAD, &vmx->vcpu.requests))
		return ORDER_ON;
	FUZZ_CHECK(hw[cpu].on, "vCPU %d enters on CPU %d, which is off", i, cpu);
	FUZZ_CHECK(hw[cpu].pointer == vmx->vmcs.phys && vmx->vcpu.cpu == cpu,
		   "vCPU %d enters and is not loaded", i);
	FUZZ_CHECK(vmx->vmcs.launched == region[page].launched,
		   "vCPU %d: VMLAUNCH, or VMRESUME, of the wrong state", i);
	FUZZ_CHECK(!hw[cpu].guest || hw[cpu].guest == vmx,
		   "vCPU %d runs on branches of another one", i);
	vmx->vmcs.launched = true;
	region[page].launched = true;
	hw[cpu].guest = vmx;
	return ORDER_ON;
}

/* By a task on CPU @cpu. */
static enum order free_and_new(int i, int cpu)
{
	if (task[i].state != PUT || busy(cpu) || cpu_state[cpu] == CPU_DEAD)
		return ORDER_NONE;
	this_cpu = cpu;
	vcpu_free(i);
	vcpu_new(i);
	return ORDER_ON;
}

static void disable_here(void *unused)
{
	if (!kvml_hardware_here())
		return;
	kvml_vmcs_clear_all();
	FUZZ_CHECK(!hw[this_cpu].cached, "CPU %d is switched off and caches a VMCS",
		   this_cpu);
	hw[this_cpu].on = false;
	this_cpu_write(kvml_hardware_on, false);
}

static void enable_here(void *unused)
{
	hw[this_cpu].on = true;
	hw[this_cpu].pointer = 0;
	this_cpu_write(kvml_hardware_on, true);
}

/* One CPU at a time. */
static enum order switch_off(int unused, int cpu)
{
	if (cpu_state[cpu] != CPU_ON || cpu_state[!cpu] != CPU_ON || busy(cpu))
		return ORDER_NONE;
	orders_on_cpu(cpu, disable_here, NULL);
	cpu_state[cpu] = CPU_LEAVING;
	return ORDER_ON;
}

static enum order die(int unused, int cpu)
{
	if (cpu_state[cpu] != CPU_LEAVING || busy(cpu))
		return ORDER_NONE;
	cpu_state[cpu] = CPU_DEAD;
	cpu_online[cpu] = false;
	return ORDER_ON;
}

static enum order come_back(int unused, int cpu)
{
	if (cpu_state[cpu] != CPU_DEAD)
		return ORDER_NONE;
	cpu_online[cpu] = true;
	cpu_state[cpu] = CPU_ON;
	if (!kvml_hardware_gone)
		orders_on_cpu(cpu, enable_here, NULL);
	return ORDER_ON;
}

/* The machine goes down, whoever is loaded. */
static enum order shut_down(int unused, int unused_cpu)
{
	int cpu;

	if (kvml_hardware_gone)
		return ORDER_NONE;
	kvml_hardware_gone = true;
	for (cpu = 0; cpu < ORDERS_CPUS; cpu++)
		if (cpu_online[cpu])
			orders_on_cpu(cpu, disable_here, NULL);
	return ORDER_ON;
}

static void clear_in_crash(void *unused)
{
	kvml_vmcs_clear_in_crash();
	FUZZ_CHECK(!hw[this_cpu].cached, "CPU %d crashes and caches a VMCS", this_cpu);
}

/* The host does; nothing comes after that. */
static enum order crash(int unused, int unused_cpu)
{
	int cpu;

	for (cpu = 0; cpu < ORDERS_CPUS; cpu++)
		if (cpu_online[cpu])
			orders_on_cpu(cpu, clear_in_crash, NULL);
	return ORDER_SAME;
}

static const struct orders_kind kinds[] = {
	{ "a task loads vCPU %d on CPU %d", load, VCPUS, ORDERS_CPUS },
	{ "vCPU %d is put", put, VCPUS, 0 },
	{ "the task of vCPU %d is scheduled out", sched_out_task, VCPUS, 0 },
	{ "the task of vCPU %d is scheduled in on CPU %d", sched_in_task, VCPUS,
	  ORDERS_CPUS },
	{ "vCPU %d enters the guest", enter, VCPUS, 0 },
	{ "vCPU %d is freed on CPU %d, and a new one made", free_and_new, VCPUS,
	  ORDERS_CPUS },
	{ "CPU %d is switched off to go offline", switch_off, 0, ORDERS_CPUS },
	{ "CPU %d is offline", die, 0, ORDERS_CPUS },
	{ "CPU %d is online again", come_back, 0, ORDERS_CPUS },
	{ "the machine shuts down", shut_down, 0, 0 },
	{ "the machine crashes", crash, 0, 0 },
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

	orders_cpus_init();
	orders_page_freed = page_freed;
	memset(hw, 0, sizeof(hw));
	memset(cpu_state, 0, sizeof(cpu_state));
	memset(task, 0, sizeof(task));
	kvml_hardware_gone = false;
	vcpus_used = 0;
	cpus_used = 0;
	kvml_vmcs_init();
	for (i = 0; i < ORDERS_CPUS; i++)
		orders_on_cpu(i, enable_here, NULL);
	for (i = 0; i < VCPUS; i++)
		vcpu_new(i);
}

static void end(void)
{
	int i;

	for (this_cpu = 0; !cpu_online[this_cpu]; this_cpu++)
		;
	for (i = 0; i < VCPUS; i++)
		vcpu_free(i);
}

int main(int argc, char **argv)
{
	const struct universe universe = {
		"VMCSs", .calls = orders_count(kinds, ARRAY_SIZE(kinds)),
		.length = 7, .deep = 9, .begin = begin, .call = call,
		.check = check, .end = end, .say = say,
	};

	return orders_main(argc, argv, &universe, 1);
}
