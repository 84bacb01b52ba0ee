// SPDX-License-Identifier: GPL-2.0
/*
 * Memory operands: from segment and offset to pieces of guest-physical memory
 * (SDM volume 3, chapters 4 and 5), and to userspace where there is none.
 */
#include "base/trace.h"
#include "cpuid/cpuid.h"
#include "emul/emul.h"
#include "io/io.h"

/* Such a data segment is valid above its limit. */
static bool expands_down(const struct kvm_segment *s)
{
	return s->s && (s->type & 0xc) == 0x4;
}

static u32 last_offset(const struct kvm_segment *s)
{
	if (expands_down(s))
		return s->db ? U32_MAX : 0xffff;
	return s->limit;
}

static bool within_limit(const struct kvm_segment *s, u32 first, u32 last)
{
	return first <= last && last <= last_offset(s) &&
	       !(expands_down(s) && first <= s->limit);
}

static bool segment_allows(struct kvml_vcpu *vcpu, const struct kvm_segment *s, u32 flags)
{
	u8 kind = s->type & 0xa;

	/* Mostly it does: then the mode need not be known. */
	if (!s->unusable && (flags & KVML_WALK_WRITE ? kind == 0x2 : kind != 0x8))
		return true;
	return !kvml_protected_mode(vcpu) || kvml_reg(vcpu, KVML_RFLAGS) & X86_EFLAGS_VM;
}

static bool linear_32(struct kvml_vcpu *vcpu, enum kvml_seg seg, u32 offset,
		      unsigned int len, u32 flags, unsigned long *linear)
{
	struct kvm_segment s;

	kvml_ops->get_segment(vcpu, seg, &s);
	*linear = (u32)(s.base + offset);
	return segment_allows(vcpu, &s, flags) && within_limit(&s, offset, offset + len - 1);
}

static bool linear_64(struct kvml_vcpu *vcpu, enum kvml_seg seg, u64 offset,
		      unsigned int len, unsigned long *linear)
{
	*linear = offset;
	if (seg == KVML_FS || seg == KVML_GS)
		*linear += kvml_ops->segment_base(vcpu, seg);
	return kvml_canonical(*linear) && kvml_canonical(*linear + len - 1);
}

/*
 * The exit told the guest-physical address, and the CPU has made all checks
 * for it: which operand it is of is clear if there is one only.  Another vCPU
 * may have changed the instruction since, so the checks must have been those
 * of this access: gpa_known is 1 or 2, and 2 for writing (KVML_WALK_WRITE is 1).
 */
static bool exit_gpa(struct kvml_emul *e, unsigned long linear, u32 flags, u64 *gpa)
{
	if (e->gpa_known <= (flags & KVML_WALK_WRITE) || e->insn.flags & KVML_INSN_TWO_MEM)
		return false;
	if (e->gva_known ? (linear ^ e->gva) & PAGE_MASK :
			   offset_in_page(linear) != offset_in_page(e->gpa))
		return false;
	*gpa = (e->gpa & PAGE_MASK) | offset_in_page(linear);
	return true;
}

int kvml_operand_translate(struct kvml_vcpu *vcpu, unsigned long linear, u32 flags, u64 *gpa)
{
	u32 error;

	return kvml_walk(vcpu, linear, flags, gpa, &error) ?
	       kvml_queue_pf(vcpu, linear, error) : 0;
}

int kvml_operand_find(struct kvml_vcpu *vcpu, enum kvml_seg seg,
		      unsigned long offset, unsigned int len, u32 flags,
		      struct kvml_operand *o)
{
	struct kvml_emul *e = vcpu->emul;
	unsigned int first;
	unsigned long linear;
	int r;

	/* The CPU has made all checks, and the base is 0. */
	if (e->bits == 64 && seg != KVML_FS && seg != KVML_GS &&
	    offset_in_page(offset) + len <= PAGE_SIZE &&
	    exit_gpa(e, offset, flags, &o->piece[0].gpa)) {
		o->piece[0].len = len;
		o->pieces = 1;
		o->mmio = true;
		return 0;
	}
	if (e->bits == 64 ? !linear_64(vcpu, seg, offset, len, &linear) :
			    !linear_32(vcpu, seg, offset, len, flags, &linear))
		return kvml_queue_exception_e(vcpu, seg == KVML_SS ? 12 : 13, 0);

	first = min_t(unsigned int, len, PAGE_SIZE - offset_in_page(linear));
	o->piece[0].len = first;
	o->mmio = false;
	o->pieces = first == len ? 1 : 2;
	if (first == len && exit_gpa(e, linear, flags, &o->piece[0].gpa)) {
		o->mmio = true;
		return 0;
	}
	if (e->user)
		flags |= KVML_WALK_USER;
	r = kvml_operand_translate(vcpu, linear, flags, &o->piece[0].gpa);
	if (r || first == len)
		return r;
	o->piece[1].len = len - first;
	linear += first;
	if (e->bits != 64)
		linear = (u32)linear;
	return kvml_operand_translate(vcpu, linear, flags, &o->piece[1].gpa);
}

/* Userspace has answered: *vcpu->run is what it says, and not trusted. */
static int complete_mmio(struct kvml_vcpu *vcpu)
{
	struct kvml_emul *e = vcpu->emul;
	struct kvml_emul_mmio *m = &e->mmio[e->mmio_started];

	if (!m->write) {
		m->data = 0;
		memcpy(&m->data, vcpu->run->mmio.data, m->len);
		trace_kvm_mmio(KVML_TRACE_READ, m->len, m->gpa, m->data);
	}
	e->mmio_done = e->mmio_started + 1;
	return kvml_emul_resume(vcpu, m->data);
}

static int mmio_exit(struct kvml_vcpu *vcpu, const struct kvml_emul_mmio *m)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = m->gpa;
	*(u64 *)run->mmio.data = m->data;
	run->mmio.len = m->len;
	run->mmio.is_write = m->write;
	vcpu->complete = complete_mmio;
	return KVML_EMUL_USER;
}

/* The next access of the instruction to MMIO: done already, or to be done. */
static int mmio_access(struct kvml_vcpu *vcpu, u64 gpa, unsigned int len, bool write, u64 *data)
{
	struct kvml_emul *e = vcpu->emul;
	unsigned int i = e->mmio_pos++;
	struct kvml_emul_mmio *m = &e->mmio[i];

	if (i < e->mmio_done && m->gpa == gpa && m->len == len && m->write == write) {
		if (!write)
			*data = m->data;
		return 0;
	}
	/* The guest's page tables changed: what was done after it is void. */
	*m = (struct kvml_emul_mmio){ gpa, write ? *data : 0, len, write };
	e->mmio_started = i;
	vcpu->stat.mmio_exits++;
	if (write)
		trace_kvm_mmio(KVML_TRACE_WRITE, len, gpa, *data);
	if (write && !kvml_bus_write(vcpu->vm, KVML_BUS_MMIO, gpa, len, data)) {
		e->mmio_done = i + 1;
		return 0;
	}
	return mmio_exit(vcpu, m);
}

/* Bytes of one piece, by eight as KVM_EXIT_MMIO has them. */
static int mmio_bytes(struct kvml_vcpu *vcpu, u64 gpa, unsigned int len, bool write, void *data)
{
	unsigned int n;
	u64 part = 0;
	int r;

	for (; len; gpa += n, data += n, len -= n) {
		if (vcpu->emul->mmio_pos == KVML_EMUL_MMIO)
			return kvml_emul_failed(vcpu);
		n = min(len, 8u);
		if (write)
			memcpy(&part, data, n);
		r = mmio_access(vcpu, gpa, n, write, &part);
		if (r)
			return r;
		if (!write)
			memcpy(data, &part, n);
		part = 0;
	}
	return 0;
}

/* A write to a read-only slot exits as well: it can be read. */
static bool no_memory(struct kvml_vcpu *vcpu, const struct kvml_operand *o)
{
	return o->mmio && !(vcpu->emul->insn.flags & KVML_INSN_WRITE);
}

int kvml_operand_read_bytes(struct kvml_vcpu *vcpu, const struct kvml_operand *o, void *data)
{
	unsigned int i, len;
	int r;

	for (i = 0; i < o->pieces; i++, data += len) {
		u64 gpa = o->piece[i].gpa;

		len = o->piece[i].len;
		if (!no_memory(vcpu, o) && !kvml_guest_read(vcpu, gpa, data, len))
			continue;
		r = mmio_bytes(vcpu, gpa, len, false, data);
		if (r)
			return r;
	}
	return 0;
}

int kvml_operand_read(struct kvml_vcpu *vcpu, const struct kvml_operand *o, u64 *value)
{
	*value = 0;
	/* Nearly always. */
	if (o->pieces == 1 && no_memory(vcpu, o))
		return mmio_access(vcpu, o->piece[0].gpa, o->piece[0].len, false, value);
	return kvml_operand_read_bytes(vcpu, o, value);
}

bool kvml_operand_writable(struct kvml_vcpu *vcpu, const struct kvml_operand *o)
{
	return o->pieces == 1 && !o->mmio && kvml_slot_writable(vcpu, o->piece[0].gpa);
}

unsigned int kvml_operand_room(struct kvml_vcpu *vcpu, enum kvml_seg seg, unsigned long offset,
			       const struct kvml_operand *o)
{
	u64 room = PAGE_SIZE - offset_in_page(o->piece[0].gpa);
	u64 last = U64_MAX >> (64 - 8 * vcpu->emul->insn.addr_size);
	struct kvm_segment s;

	if (vcpu->emul->bits != 64) {
		kvml_ops->get_segment(vcpu, seg, &s);
		last = min_t(u64, last, last_offset(&s));
	}
	return min(room - 1, last - offset) + 1;
}

/* MMIO first: memory is written once, when userspace need not be asked. */
int kvml_operand_write_bytes(struct kvml_vcpu *vcpu,
			     const struct kvml_operand *o, const void *data)
{
	unsigned int i, first = o->piece[0].len;
	bool memory[2] = {};
	int r;

	for (i = 0; i < o->pieces; i++) {
		memory[i] = !o->mmio && kvml_slot_writable(vcpu, o->piece[i].gpa);
		if (memory[i])
			continue;
		r = mmio_bytes(vcpu, o->piece[i].gpa, o->piece[i].len, true,
			       (void *)data + (i ? first : 0));
		if (r)
			return r;
	}
	for (i = 0; i < o->pieces; i++)
		if (memory[i] && kvml_guest_write(vcpu, o->piece[i].gpa, data + (i ? first : 0),
						  o->piece[i].len))
			return -EFAULT;
	return 0;
}

int kvml_operand_write(struct kvml_vcpu *vcpu, const struct kvml_operand *o, u64 value)
{
	unsigned int len = o->piece[0].len;

	if (o->pieces == 1 && o->mmio) {
		value &= U64_MAX >> (64 - 8 * len);
		return mmio_access(vcpu, o->piece[0].gpa, len, true, &value);
	}
	return kvml_operand_write_bytes(vcpu, o, &value);
}

/*
 * Atomic for other vCPUs is what lies in memory and is aligned; a host that
 * detects split locks would not let us do more.
 */
int kvml_operand_exchange(struct kvml_vcpu *vcpu, const struct kvml_operand *o,
			  u64 old, u64 new)
{
	unsigned int len = o->piece[0].len;
	u64 gpa = o->piece[0].gpa;

	if (!kvml_operand_writable(vcpu, o) || gpa & (len - 1))
		return kvml_operand_write(vcpu, o, new);
	/* 1: another one was faster, and the guest runs the instruction again. */
	return kvml_guest_cmpxchg(vcpu, gpa, &old, new, len);
}
