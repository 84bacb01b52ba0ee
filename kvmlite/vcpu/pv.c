// SPDX-License-Identifier: GPL-2.0
/* Hypercalls and kvmclock. See pv.h. */
#include <linux/kvm_para.h>
#include <asm/pvclock.h>

#include "base/kick.h"
#include "base/tsc.h"
#include "vcpu/pv.h"
#include "vcpu/vcpu.h"
#include "vm/vm.h"

/* ---- hypercalls ---- */

static unsigned long hypercall(struct kvml_vcpu *vcpu, unsigned long nr)
{
	if (unlikely(kvml_ops->cpl(vcpu)))
		return -KVM_EPERM;
	/* The only one: there is nothing to poll while userspace has the APIC. */
	return nr == KVM_HC_VAPIC_POLL_IRQ ? 0 : -KVM_ENOSYS;
}

void kvml_hypercall(struct kvml_vcpu *vcpu)
{
	unsigned long *rax = &vcpu->reg[KVML_RAX];

	if (likely(kvml_long_mode(vcpu) && kvml_ops->code_bits(vcpu) == 64))
		*rax = hypercall(vcpu, *rax);
	else
		*rax = (u32)hypercall(vcpu, (u32)*rax);
}

/* ---- the VM's time ---- */

/* Not slewed by NTP: the TSC is not, either. */
u64 kvml_pv_host_ns(void)
{
	return ktime_to_ns(ktime_mono_to_any(ktime_get_raw(), TK_OFFS_BOOT));
}

/* ns = (tsc << shift) * mul >> 32; mul has all of its 32 bits. */
static void time_scale(u32 khz, u32 *mul, s8 *shift)
{
	u64 hz = max(khz, 1u) * 1000ull;

	*shift = 0;
	for (; hz > 2 * NSEC_PER_SEC; hz >>= 1)
		--*shift;
	for (; hz <= NSEC_PER_SEC; hz <<= 1)
		++*shift;
	*mul = div64_u64((u64)NSEC_PER_SEC << 32, hz);
}

/* Must hold vm->clock_lock. */
static u64 clock_at(struct kvml_vm *vm, u64 tsc)
{
	s8 shift;
	u32 mul;

	time_scale(tsc_khz, &mul, &shift);
	return vm->clock_ns + pvclock_scale_delta(tsc - vm->clock_tsc, mul, shift);
}

/*
 * Must hold vm->clock_lock: a new pair of TSC and time.  What comes between the
 * two is what the guest's clock is ahead.
 */
static void clock_restart(struct kvml_vm *vm)
{
	guard(irqsave)();
	vm->clock_tsc = rdtsc_ordered();
	vm->clock_ns = kvml_pv_host_ns() - vm->boot_ns;
	vm->clock_lost = kvml_tsc_lost;
}

/* The pair tells what time it is, by the TSC; must hold vm->clock_lock. */
static bool clock_current(const struct kvml_vm *vm)
{
	return kvml_tsc_stable() && vm->clock_lost == kvml_tsc_lost;
}

/* The same: as far along the same line as it is now. */
static void clock_advance(struct kvml_vm *vm)
{
	u64 tsc = rdtsc_ordered();

	vm->clock_ns = clock_at(vm, tsc);
	vm->clock_tsc = tsc;
}

void kvml_pv_vm_init(struct kvml_vm *vm)
{
	raw_spin_lock_init(&vm->clock_lock);
	vm->boot_ns = kvml_pv_host_ns();
	clock_restart(vm);
}

/* kvmclock now, and the host's TSC of that moment. */
static u64 clock_now(struct kvml_vm *vm, u64 *tsc)
{
	guard(raw_spinlock)(&vm->clock_lock);
	if (!clock_current(vm))
		clock_restart(vm);
	*tsc = rdtsc_ordered();
	return clock_at(vm, *tsc);
}

/* ---- the guest's pages ---- */

static bool offsets_equal(struct kvml_vm *vm, u64 offset)
{
	struct kvml_vcpu *vcpu;
	unsigned long id;

	xa_for_each(&vm->vcpus, id, vcpu)
		if (READ_ONCE(vcpu->tsc_offset) != offset)
			return false;
	return true;
}

static void fill_time(struct kvml_vcpu *vcpu, struct pvclock_vcpu_time_info *info)
{
	struct kvml_vm *vm = vcpu->vm;
	bool stable = kvml_tsc_stable();

	raw_spin_lock(&vm->clock_lock);
	if (!clock_current(vm))
		clock_restart(vm);
	else if ((s64)(vm->clock_tsc + vcpu->tsc_offset) < 0)
		/* The pair is older than the guest's TSC. */
		clock_advance(vm);
	info->tsc_timestamp = vm->clock_tsc + vcpu->tsc_offset;
	info->system_time = vm->clock_ns;
	raw_spin_unlock(&vm->clock_lock);
	time_scale(tsc_khz, &info->tsc_to_system_mul, &info->tsc_shift);
	info->flags &= PVCLOCK_GUEST_STOPPED;
	if (stable && offsets_equal(vm, vcpu->tsc_offset))
		info->flags |= PVCLOCK_TSC_STABLE_BIT;
	if (vcpu->pv_stopped)
		info->flags |= PVCLOCK_GUEST_STOPPED;
	vcpu->pv_stopped = false;
}

/* To the guest: the version is odd until the rest is whole. */
static void write_versioned(struct kvml_vcpu *vcpu, u64 gpa, void *data,
			    size_t size, u32 *version)
{
	/* After the odd version that the caller wrote. */
	smp_wmb();
	kvml_guest_write(vcpu, gpa, data, size);
	/* Before the even one. */
	smp_wmb();
	++*version;
	kvml_guest_write(vcpu, gpa, version, sizeof(*version));
}

/* Other vCPUs may read it meanwhile. */
void kvml_pv_update_clock(struct kvml_vcpu *vcpu)
{
	struct pvclock_vcpu_time_info info;
	u64 gpa = vcpu->pv_clock_msr & ~1ull;

	if (!(vcpu->pv_clock_msr & 1) || kvml_guest_read(vcpu, gpa, &info, sizeof(info)))
		return;
	info.version = (info.version + 1) | 1;
	if (kvml_guest_write(vcpu, gpa, &info.version, sizeof(info.version)))
		return;
	fill_time(vcpu, &info);
	write_versioned(vcpu, gpa, &info, sizeof(info), &info.version);
}

/* The wall clock's time when kvmclock was 0. */
static void write_wall_clock(struct kvml_vcpu *vcpu, u64 gpa)
{
	struct pvclock_wall_clock wall;
	u64 tsc, ns;

	if (!gpa || kvml_guest_read(vcpu, gpa, &wall, sizeof(wall)))
		return;
	wall.version = (wall.version + 1) | 1;
	if (kvml_guest_write(vcpu, gpa, &wall.version, sizeof(wall.version)))
		return;
	ns = ktime_get_real_ns() - clock_now(vcpu->vm, &tsc);
	wall.sec = div_u64_rem(ns, NSEC_PER_SEC, &wall.nsec);
	write_versioned(vcpu, gpa, &wall, sizeof(wall), &wall.version);
}

void kvml_pv_set_system_time(struct kvml_vcpu *vcpu, u64 data)
{
	vcpu->pv_clock_msr = data;
	/* Before anybody's TSC is looked at. */
	smp_store_mb(vcpu->vm->clock_used, true);
	kvml_vcpu_request(vcpu, KVML_REQ_CLOCK);
}

void kvml_pv_set_wall_clock(struct kvml_vcpu *vcpu, u64 data)
{
	int idx = srcu_read_lock(&vcpu->vm->srcu);

	vcpu->pv_wall_msr = data;
	write_wall_clock(vcpu, data);
	srcu_read_unlock(&vcpu->vm->srcu, idx);
}

/* All pages: whether the TSC is stable depends on all vCPUs. */
void kvml_pv_tsc_changed(struct kvml_vcpu *vcpu)
{
	/* Pairs with the one in kvml_pv_set_system_time(). */
	smp_mb();
	if (!READ_ONCE(vcpu->vm->clock_used))
		return;
	/* In a hot exit, beside the first use of a clock: no IPIs from here. */
	if (irqs_disabled())
		kvml_vcpu_request(vcpu, KVML_REQ_CLOCKS);
	else
		kvml_vm_request(vcpu->vm, KVML_REQ_CLOCK, false);
}

void kvml_pv_cpu_changed(struct kvml_vcpu *vcpu)
{
	if (unlikely(!kvml_tsc_stable()))
		kvml_vcpu_request(vcpu, KVML_REQ_CLOCK);
}

/* ---- ioctls ---- */

int kvml_pv_get_clock(struct kvml_vm *vm, struct kvm_clock_data __user *arg)
{
	struct kvm_clock_data data = {};
	unsigned long flags;

	/* The three are to be of one moment. */
	local_irq_save(flags);
	data.clock = clock_now(vm, &data.host_tsc);
	data.realtime = ktime_get_real_ns();
	local_irq_restore(flags);
	if (kvml_tsc_stable()) {
		data.flags = KVML_CLOCK_FLAGS;
	} else {
		data.realtime = 0;
		data.host_tsc = 0;
	}
	return copy_to_user(arg, &data, sizeof(data)) ? -EFAULT : 0;
}

int kvml_pv_set_clock(struct kvml_vm *vm, const struct kvm_clock_data *in)
{
	u64 now = ktime_get_real_ns(), clock = in->clock;

	if (in->flags & ~KVML_CLOCK_FLAGS)
		return -EINVAL;
	/* The clock does not go back. */
	if (in->flags & KVM_CLOCK_REALTIME && now > in->realtime)
		clock += now - in->realtime;
	raw_spin_lock(&vm->clock_lock);
	vm->boot_ns = kvml_pv_host_ns() - clock;
	clock_restart(vm);
	raw_spin_unlock(&vm->clock_lock);
	kvml_vm_request(vm, KVML_REQ_CLOCK, false);
	return 0;
}

int kvml_pv_clock_ctrl(struct kvml_vcpu *vcpu)
{
	if (!(vcpu->pv_clock_msr & 1))
		return -EINVAL;
	vcpu->pv_stopped = true;
	kvml_vcpu_request(vcpu, KVML_REQ_CLOCK);
	return 0;
}
