// SPDX-License-Identifier: GPL-2.0
/*
 * Segment registers are loaded: SDM volume 3, 3.4 and 5.5 to 5.8.  Without
 * gates and other privilege levels, as in stock KVM.
 */
#include <asm/trapnr.h>

#include "cpuid/cpuid.h"
#include "emul/emul.h"
#include "vcpu/regs.h"

/* Types: bits of code and data segments, and two of system segments. */
#define TYPE_ACCESSED	BIT(0)
#define TYPE_RW		BIT(1)	/* data: writable, code: readable */
#define TYPE_CONFORMING	BIT(2)
#define TYPE_CODE	BIT(3)
#define TYPE_LDT	2
#define TYPE_TSS	1	/* with bit 3 of 32 or 64 bits, with bit 1 busy */

/* What is being loaded. */
struct load {
	enum kvml_seg seg;
	enum kvml_transfer why;
	u16 selector;
	u8 rpl;
	u8 cpl;
	unsigned long address;	/* of the descriptor */
};

bool kvml_segment_is_real(struct kvml_vcpu *vcpu)
{
	return !kvml_protected_mode(vcpu) || kvml_reg(vcpu, KVML_RFLAGS) & X86_EFLAGS_VM;
}

u16 kvml_segment_selector(struct kvml_vcpu *vcpu, enum kvml_seg seg)
{
	struct kvm_segment s;

	kvml_ops->get_segment(vcpu, seg, &s);
	return s.selector;
}

static int fault(struct kvml_vcpu *vcpu, u8 vector, u16 selector)
{
	kvml_queue_exception_e(vcpu, vector, selector & ~3);
	return 1;
}

/* ---- descriptors ---- */

/* As the supervisor, whatever the CPL is. */
int kvml_system_access(struct kvml_vcpu *vcpu, unsigned long linear, void *data,
		       unsigned int len, u32 flags)
{
	unsigned int n;
	u64 gpa;
	int r;

	for (; len; linear += n, data += n, len -= n) {
		n = min_t(unsigned int, len, PAGE_SIZE - offset_in_page(linear));
		r = kvml_operand_translate(vcpu, linear, KVML_WALK_IMPLICIT | flags, &gpa);
		if (r)
			return r;
		if (flags & KVML_WALK_WRITE ?
		    kvml_guest_write(vcpu, gpa, data, n) :
		    kvml_guest_read(vcpu, gpa, data, n))
			return kvml_emul_failed(vcpu);
	}
	return 0;
}

/* As the CPU does; read-only memory stays as it is. */
int kvml_segment_set_type(struct kvml_vcpu *vcpu, unsigned long address,
			  struct kvm_segment *s, u8 type)
{
	u64 gpa, old = s->type | s->s << 4 | s->dpl << 5 | s->present << 7;
	int r;

	if (s->type == type)
		return 0;
	r = kvml_operand_translate(vcpu, address + 5,
				   KVML_WALK_IMPLICIT | KVML_WALK_WRITE, &gpa);
	if (r)
		return r;
	kvml_guest_cmpxchg(vcpu, gpa, &old, (old & ~0xf) | type, 1);
	s->type = type;
	return r;
}

/* SDM volume 3, 3.5.1: the table, and whether the descriptor lies in it. */
static bool find_descriptor(struct kvml_vcpu *vcpu, struct load *l, unsigned int len)
{
	unsigned int offset = l->selector & ~7;
	struct kvm_segment ldt;
	struct kvm_dtable gdt;

	if (l->selector & 4) {
		kvml_ops->get_segment(vcpu, KVML_LDTR, &ldt);
		l->address = ldt.base + offset;
		return !ldt.unusable && l->seg < KVML_LDTR && offset + len - 1 <= ldt.limit;
	}
	kvml_ops->get_table(vcpu, KVML_GDT, &gdt);
	l->address = gdt.base + offset;
	return offset + len - 1 <= gdt.limit;
}

/* The new task has the selectors: it has to do with those that are none. */
static u8 not_allowed(const struct load *l)
{
	return l->why == KVML_TASK ? X86_TRAP_TS : X86_TRAP_GP;
}

/* The table has room for @len bytes of it; @out has what its first eight say. */
static int read_descriptor(struct kvml_vcpu *vcpu, struct load *l, unsigned int len,
			   struct kvm_segment *out)
{
	u64 d;
	int r;

	if (!find_descriptor(vcpu, l, len))
		return fault(vcpu, not_allowed(l), l->selector);
	r = kvml_system_access(vcpu, l->address, &d, sizeof(d), 0);
	if (r)
		return r;
	kvml_segment_unpack(out, d >> 40);
	out->base = (d >> 16 & 0xffffff) | (d >> 32 & 0xff000000);
	out->limit = (d & 0xffff) | (d >> 32 & 0xf0000);
	out->selector = l->selector;
	if (out->g)
		out->limit = out->limit << 12 | 0xfff;
	return 0;
}

int kvml_segment_find_tss(struct kvml_vcpu *vcpu, u16 selector,
			  struct kvm_segment *out, unsigned long *address)
{
	struct load l = { .seg = KVML_TR, .why = KVML_LOAD, .selector = selector };
	int r = read_descriptor(vcpu, &l, 8, out);

	*address = l.address;
	return r;
}

/* In long mode system segments have the upper half of the base behind. */
static int read_base(struct kvml_vcpu *vcpu, const struct load *l, struct kvm_segment *s)
{
	u32 high;
	int r = kvml_system_access(vcpu, l->address + 8, &high, sizeof(high), 0);

	if (r)
		return r;
	s->base |= (u64)high << 32;
	return kvml_canonical(s->base) ? r : fault(vcpu, X86_TRAP_GP, l->selector);
}

/* ---- rights: SDM volume 2, MOV, CALL, RET, LLDT, LTR; volume 3, 8.3 ---- */

static bool code_allowed(struct kvml_vcpu *vcpu, const struct load *l,
			 const struct kvm_segment *s)
{
	u8 cpl = l->why == KVML_RETURN ? l->rpl : l->cpl;

	if (!(s->type & TYPE_CODE) || (s->l && s->db && kvml_long_mode(vcpu)))
		return false;
	if (s->type & TYPE_CONFORMING)
		return s->dpl <= cpl;
	return s->dpl == cpl && l->rpl <= cpl;
}

static bool allowed(struct kvml_vcpu *vcpu, const struct load *l, const struct kvm_segment *s)
{
	u8 kind = s->type & (TYPE_CODE | TYPE_RW);

	if (l->seg == KVML_LDTR)
		return !s->s && s->type == TYPE_LDT;
	if (l->seg == KVML_TR)
		return !s->s && (s->type == (TYPE_TSS | BIT(3)) ||
				 (s->type == TYPE_TSS && !kvml_long_mode(vcpu)));
	if (!s->s)
		return false;
	if (l->seg == KVML_CS)
		return code_allowed(vcpu, l, s);
	if (l->seg == KVML_SS)
		return kind == TYPE_RW && l->rpl == l->cpl && s->dpl == l->cpl;
	if (kind == TYPE_CODE)
		return false;
	return (kind & TYPE_CODE && s->type & TYPE_CONFORMING) ||
	       (l->rpl <= s->dpl && l->cpl <= s->dpl);
}

/* ---- the kinds of selectors ---- */

#define DATA_SEGMENT	.type = TYPE_RW | TYPE_ACCESSED, .s = 1, .present = 1

static int find_real(struct kvml_vcpu *vcpu, const struct load *l, struct kvm_segment *out)
{
	/* Real mode keeps the limit. */
	kvml_ops->get_segment(vcpu, l->seg, out);
	if (kvml_protected_mode(vcpu))
		*out = (struct kvm_segment){
			DATA_SEGMENT, .limit = 0xffff, .dpl = 3,
		};
	out->selector = l->selector;
	out->base = l->selector << 4;
	return 0;
}

static int find_null(struct kvml_vcpu *vcpu, const struct load *l, struct kvm_segment *out)
{
	bool stack = l->seg == KVML_SS;

	if (l->seg == KVML_CS || l->seg == KVML_TR ||
	    (stack && (vcpu->emul->bits != 64 || l->rpl != l->cpl || l->cpl == 3)))
		return fault(vcpu, not_allowed(l), 0);
	*out = (struct kvm_segment){ .unusable = 1 };
	/* The CPL is that of SS. */
	if (stack)
		*out = (struct kvm_segment){
			DATA_SEGMENT, .limit = U32_MAX, .dpl = l->cpl,
			.db = 1, .g = 1,
		};
	out->selector = l->selector;
	return 0;
}

static int find_protected(struct kvml_vcpu *vcpu, struct load *l, struct kvm_segment *out)
{
	bool system = l->seg >= KVML_LDTR;
	bool wide = system && kvml_long_mode(vcpu);
	int r = read_descriptor(vcpu, l, wide ? 16 : 8, out);

	if (r)
		return r;
	if ((l->why == KVML_JUMP && !out->s) || (l->why == KVML_RETURN && l->rpl > l->cpl))
		return kvml_emul_failed(vcpu);
	if ((l->why == KVML_RETURN && l->rpl < l->cpl) || !allowed(vcpu, l, out))
		return fault(vcpu, not_allowed(l), l->selector);
	if (!out->present)
		return fault(vcpu, l->seg == KVML_SS ? X86_TRAP_SS : X86_TRAP_NP, l->selector);
	if (l->seg == KVML_CS)
		out->selector = (l->selector & ~3) | l->cpl;
	if (wide)
		r = read_base(vcpu, l, out);
	if (r || l->seg == KVML_LDTR)
		return r;
	return kvml_segment_set_type(vcpu, l->address, out, out->type |
				     (system ? TYPE_RW : TYPE_ACCESSED));
}

int kvml_segment_find(struct kvml_vcpu *vcpu, enum kvml_seg seg, u16 selector,
		      enum kvml_transfer why, struct kvm_segment *out)
{
	struct load l = {
		.seg = seg, .why = why, .selector = selector,
		.rpl = selector & 3, .cpl = kvml_ops->cpl(vcpu),
	};

	/* The new task's: of CS it has the selector, but no segment yet. */
	if (why == KVML_TASK)
		l.cpl = kvml_segment_selector(vcpu, KVML_CS) & 3;
	if (kvml_segment_is_real(vcpu) && seg < KVML_LDTR)
		return find_real(vcpu, &l, out);
	return selector & ~3 ? find_protected(vcpu, &l, out) :
			       find_null(vcpu, &l, out);
}

int kvml_segment_load(struct kvml_vcpu *vcpu, enum kvml_seg seg, u16 selector,
		      enum kvml_transfer why)
{
	struct kvm_segment s;
	int r = kvml_segment_find(vcpu, seg, selector, why, &s);

	if (!r)
		kvml_ops->set_segment(vcpu, seg, &s);
	return r;
}
