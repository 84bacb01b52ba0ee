// SPDX-License-Identifier: GPL-2.0
/* Where a VMCS is. See vmcs.h. */
#include <linux/io.h>

#include "base/barrier.h"
#include "base/hardware.h"
#include "vmx/vmcs.h"

DEFINE_STATIC_KEY_FALSE(kvml_vmcs_counting);
DEFINE_PER_CPU(u64, kvml_vmreads);
DEFINE_PER_CPU(u64, kvml_vmwrites);

/* Preemption off. */
static DEFINE_PER_CPU(struct kvml_vmcs *, current_vmcs);
/* Interrupts off. */
static DEFINE_PER_CPU(struct list_head, cached_vmcs);

void kvml_vmcs_read_failed(unsigned long field)
{
	pr_warn_ratelimited("kvmlite: VMREAD of field %#lx failed, error %u\n",
			    field, field == VM_INSTRUCTION_ERROR ? 0 :
			    (u32)vmcs_read(VM_INSTRUCTION_ERROR));
}

void kvml_vmcs_write_failed(unsigned long field, unsigned long value)
{
	pr_warn_ratelimited("kvmlite: VMWRITE of %#lx to field %#lx failed, error %lu\n",
			    value, field, vmcs_read(VM_INSTRUCTION_ERROR));
}

static void vmclear_page(u64 phys)
{
	asm goto("1: vmclear %[phys]\n\t"
		 "jna %l[failed]\n"
		 "2:\n\t"
		 _ASM_EXTABLE(1b, 2b)
		 :: [phys] "m"(phys) : "cc", "memory" : failed);
	return;
failed:
	pr_warn_ratelimited("kvmlite: VMCLEAR of %#llx failed\n", phys);
}

static void vmptrld_page(u64 phys)
{
	asm goto("1: vmptrld %[phys]\n\t"
		 "jna %l[failed]\n"
		 "2:\n\t"
		 _ASM_EXTABLE(1b, 2b)
		 :: [phys] "m"(phys) : "cc", "memory" : failed);
	return;
failed:
	pr_warn_ratelimited("kvmlite: VMPTRLD of %#llx failed\n", phys);
}

int kvml_vmcs_alloc(struct kvml_vmcs *vmcs, u32 revision)
{
	vmcs->page = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vmcs->page)
		return -ENOMEM;
	*(u32 *)vmcs->page = revision;
	vmcs->phys = virt_to_phys(vmcs->page);
	vmcs->cpu = -1;
	return 0;
}

void kvml_vmcs_free(struct kvml_vmcs *vmcs)
{
	free_page((unsigned long)vmcs->page);
	vmcs->page = NULL;
}

/* On the CPU that caches it; interrupts off. */
static void clear_here(void *arg)
{
	struct kvml_vmcs *vmcs = arg;

	if (vmcs->cpu != smp_processor_id())
		return;
	vmclear_page(vmcs->phys);
	if (this_cpu_read(current_vmcs) == vmcs)
		this_cpu_write(current_vmcs, NULL);
	list_del(&vmcs->link);
	vmcs->launched = false;
	vmcs->host_rsp = 0;
	/* Whoever sees no CPU may put it into another list. */
	smp_store_release(&vmcs->cpu, -1);
}

void kvml_vmcs_clear(struct kvml_vmcs *vmcs)
{
	/* Pairs with the release in clear_here(). */
	int cpu = smp_load_acquire(&vmcs->cpu);

	if (cpu < 0)
		return;
	smp_call_function_single(cpu, clear_here, vmcs, true);
	/* A CPU that is offline by now has cleared all that it had. */
	WARN_ON_ONCE(smp_load_acquire(&vmcs->cpu) >= 0);
}

/* From wherever it is cached to this CPU; false: that is off. */
static bool move_here(struct kvml_vmcs *vmcs)
{
	unsigned long flags;
	bool on;

	kvml_vmcs_clear(vmcs);
	local_irq_save(flags);
	on = kvml_hardware_here();
	if (on) {
		vmclear_page(vmcs->phys);
		list_add(&vmcs->link, this_cpu_ptr(&cached_vmcs));
		vmcs->cpu = smp_processor_id();
	}
	local_irq_restore(flags);
	return on;
}

bool kvml_vmcs_load(struct kvml_vmcs *vmcs)
{
	bool moved = vmcs->cpu != smp_processor_id();

	if (this_cpu_read(current_vmcs) == vmcs)
		return false;
	/* Nobody clears the list of a CPU that is off when it goes offline. */
	if (moved && !move_here(vmcs)) {
		WARN_ON_ONCE(!kvml_hardware_lost());
		return false;
	}
	this_cpu_write(current_vmcs, vmcs);
	vmptrld_page(vmcs->phys);
	kvml_branch_barrier();
	return moved;
}

void kvml_vmcs_clear_all(void)
{
	struct kvml_vmcs *vmcs, *next;

	list_for_each_entry_safe(vmcs, next, this_cpu_ptr(&cached_vmcs), link)
		clear_here(vmcs);
}

void kvml_vmcs_clear_in_crash(void)
{
	struct kvml_vmcs *vmcs;

	list_for_each_entry(vmcs, this_cpu_ptr(&cached_vmcs), link)
		vmclear_page(vmcs->phys);
}

void kvml_vmcs_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		INIT_LIST_HEAD(&per_cpu(cached_vmcs, cpu));
}
