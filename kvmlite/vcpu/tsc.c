// SPDX-License-Identifier: GPL-2.0
/* See tsc.h. */
#include "base/tsc.h"
#include "vcpu/pv.h"
#include "vcpu/tsc.h"
#include "vcpu/vcpu.h"
#include "vm/vm.h"

#define TOLERANCE_PPM	250

/* ---- TSCs that are meant to be the same ---- */

static u64 cycles(u64 ns, u32 khz)
{
	return mul_u64_u32_div(ns, khz, NSEC_PER_MSEC);
}

/* @elapsed: nanoseconds since the last write. */
static bool follows(const struct kvml_tsc_sync *s, u64 value, u64 elapsed, u32 khz)
{
	u64 second = khz * 1000ull, expected;

	if (khz != s->khz)
		return false;
	if (!value)
		return true;
	expected = s->value + cycles(elapsed, khz);
	return s->by_user && value < expected + second && value + second > expected;
}

/* The offset for a vCPU that is to have @value now. */
static u64 synchronize(struct kvml_vcpu *vcpu, u64 value, bool by_user)
{
	struct kvml_tsc_sync *s = &vcpu->vm->tsc;
	unsigned long flags;
	u64 offset, ns;

	raw_spin_lock_irqsave(&s->lock, flags);
	s->offset += kvml_tsc_lost - s->lost;
	s->lost = kvml_tsc_lost;
	offset = value - rdtsc();
	ns = kvml_pv_host_ns();
	if (!follows(s, value, ns - s->ns, vcpu->tsc_khz)) {
		s->offset = offset;
	} else if (!check_tsc_unstable()) {
		offset = s->offset;
	} else {
		/* The other TSCs are where their CPUs' are: as near as time tells. */
		value += cycles(ns - s->ns, vcpu->tsc_khz);
		offset = value - rdtsc();
	}
	s->value = value;
	s->ns = ns;
	s->khz = vcpu->tsc_khz;
	s->by_user |= by_user;
	raw_spin_unlock_irqrestore(&s->lock, flags);
	return offset;
}

/* ---- the counter ---- */

static void set_offset(struct kvml_vcpu *vcpu, u64 offset)
{
	WRITE_ONCE(vcpu->tsc_offset, offset);
	kvml_ops->update_tsc(vcpu);
	kvml_pv_tsc_changed(vcpu);
}

void kvml_tsc_vm_init(struct kvml_vm *vm)
{
	raw_spin_lock_init(&vm->tsc.lock);
	vm->tsc.lost = kvml_tsc_lost;
	vm->tsc_khz = tsc_khz;
}

void kvml_tsc_vcpu_init(struct kvml_vcpu *vcpu)
{
	vcpu->tsc_khz = vcpu->vm->tsc_khz;
	vcpu->tsc_offset = synchronize(vcpu, 0, false);
	vcpu->tsc_lost = kvml_tsc_lost;
}

u64 kvml_tsc_read(struct kvml_vcpu *vcpu)
{
	return rdtsc() + vcpu->tsc_offset;
}

void kvml_tsc_write(struct kvml_vcpu *vcpu, u64 value)
{
	set_offset(vcpu, synchronize(vcpu, value, true));
}

void kvml_tsc_move(struct kvml_vcpu *vcpu, u64 cycles)
{
	set_offset(vcpu, vcpu->tsc_offset + cycles);
}

/* ---- sleep ---- */

void kvml_tsc_catch_up(struct kvml_vcpu *vcpu)
{
	u64 lost = kvml_tsc_lost - vcpu->tsc_lost;

	vcpu->tsc_lost = kvml_tsc_lost;
	set_offset(vcpu, vcpu->tsc_offset + lost);
}

/* ---- its frequency ---- */

static u32 khz_plus_ppm(u32 khz, s32 ppm)
{
	return div_u64((u64)khz * (1000000 + ppm), 1000000);
}

int kvml_tsc_set_khz(u32 *khz, unsigned long wanted)
{
	u32 value = (u32)wanted ?: tsc_khz;

	if (value < khz_plus_ppm(tsc_khz, -TOLERANCE_PPM) ||
	    value > khz_plus_ppm(tsc_khz, TOLERANCE_PPM))
		return -EINVAL;
	WRITE_ONCE(*khz, value);
	return 0;
}
