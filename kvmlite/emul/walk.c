// SPDX-License-Identifier: GPL-2.0
/* The guest's page tables: SDM volume 3, 4.3 to 4.8. */
#include <linux/sched/signal.h>
#include <asm/traps.h>

#include "cpuid/cpuid.h"
#include "emul/walk.h"
#include "vcpu/vcpu.h"

#define PTE_ADDR	GENMASK_ULL(51, 12)

#define MAX_LEVELS	5

struct walk {
	struct kvml_vcpu *vcpu;
	unsigned long gva;
	unsigned long cr4;
	u32 flags;
	bool wide;		/* 8-byte entries: PAE, 4 and 5 levels */
	bool nx;		/* EFER.NXE, with wide entries */
	u8 top;			/* level of the first entry with access bits */
	u8 leaf;		/* level of the last entry */
	u64 reserved;		/* of any entry */
	u32 reserved_4m;	/* of one that maps 4 MiB */
	u64 all;		/* bits that all entries have */
	u64 any;		/* bits that some entry has */
	u64 gpa[MAX_LEVELS + 1];	/* by level: where the entry is */
	u64 pte[MAX_LEVELS + 1];
};

static void walk_init(struct walk *w, struct kvml_vcpu *vcpu, unsigned long gva, u32 flags)
{
	unsigned int maxphyaddr = kvml_cpuid_maxphyaddr(vcpu);
	unsigned long cr4 = kvml_reg(vcpu, KVML_CR4);

	w->vcpu = vcpu;
	w->gva = gva;
	w->cr4 = cr4;
	w->flags = flags;
	w->wide = cr4 & X86_CR4_PAE;
	w->nx = w->wide && vcpu->efer & EFER_NX;
	w->all = ~0ULL;
	w->any = 0;
	w->reserved = 0;
	if (kvml_long_mode(vcpu)) {
		w->top = cr4 & X86_CR4_LA57 ? 5 : 4;
		if (maxphyaddr < 52)
			w->reserved = GENMASK_ULL(51, maxphyaddr);
	} else {
		w->gva = (u32)gva;
		w->top = 2;
		/* PSE-36: bits 13 to 20, as far as there are addresses. */
		w->reserved_4m = GENMASK(21, clamp(maxphyaddr, 32u, 40u) - 19);
		if (w->wide)
			w->reserved = GENMASK_ULL(62, maxphyaddr);
	}
	if (w->wide && !w->nx)
		w->reserved |= _PAGE_NX;
}

static unsigned int level_shift(const struct walk *w, unsigned int level)
{
	return PAGE_SHIFT + (level - 1) * (w->wide ? 9 : 10);
}

/* Bit 7 is set in an entry that is not of the last level. */
static bool is_large(const struct walk *w, unsigned int level)
{
	return w->wide ? level <= 3 : w->cr4 & X86_CR4_PSE;
}

/* Tables 4-4 to 4-20: bits that must be 0. */
static u64 reserved_bits(const struct walk *w, unsigned int level, u64 pte)
{
	if (level == 1 || !(pte & _PAGE_PSE))
		return w->reserved;
	if (!w->wide)
		return is_large(w, level) ? w->reserved_4m : 0;
	if (level >= 4 || (level == 3 && !kvml_cpuid_has(w->vcpu, X86_FEATURE_GBPAGES)))
		return w->reserved | _PAGE_PSE;
	return w->reserved | GENMASK_ULL(level_shift(w, level) - 1, 13);
}

/* CR3, or with PAE paging the entry of the table that CR3 points to. */
static bool root(const struct walk *w, u64 *table)
{
	u64 cr3 = kvml_reg(w->vcpu, KVML_CR3);

	if (w->top == 2 && w->wide) {
		cr3 = (cr3 & GENMASK_ULL(31, 5)) + (w->gva >> 30) * 8;
		if (kvml_guest_read(w->vcpu, cr3, &cr3, 8) || !(cr3 & _PAGE_PRESENT))
			return false;
	}
	*table = cr3 & (w->wide ? PTE_ADDR : GENMASK_ULL(31, 12));
	return true;
}

/* An entry of 4 or 8 bytes.  Tables mostly lie in one @slot. */
static bool read_entry(struct kvml_vcpu *vcpu, struct kvml_slot **slot, u64 gpa,
		       unsigned int size, u64 *pte)
{
	kvml_gfn gfn = gpa >> PAGE_SHIFT;
	unsigned long hva;

	if (!*slot || gfn - (*slot)->base >= (*slot)->npages) {
		*slot = kvml_slot_find(vcpu, gfn);
		if (!*slot)
			return false;
	}
	hva = kvml_slot_hva(*slot, gfn) + offset_in_page(gpa);
	return !(size == 8 ? get_user(*pte, (u64 __user *)hva) :
			     get_user(*pte, (u32 __user *)hva));
}

/*
 * Down to the entry that maps a page.  0, or bits of the error code + 1.  As
 * in stock KVM a table that is no memory maps nothing.
 */
static int find_leaf(struct walk *w)
{
	unsigned int size = w->wide ? 8 : 4, bits = w->wide ? 9 : 10;
	unsigned int level = w->top, shift = level_shift(w, level);
	struct kvml_slot *slot = NULL;
	u64 gpa, pte, table;

	if (!root(w, &table))
		return 1;
	for (;; level--, shift -= bits) {
		gpa = table + ((w->gva >> shift) & (BIT(bits) - 1)) * size;
		if (!read_entry(w->vcpu, &slot, gpa, size, &pte) || !(pte & _PAGE_PRESENT))
			return 1;
		if (unlikely(pte & (w->reserved | _PAGE_PSE)) &&
		    pte & reserved_bits(w, level, pte))
			return 1 + (X86_PF_PROT | X86_PF_RSVD);
		w->gpa[level] = gpa;
		w->pte[level] = pte;
		w->all &= pte;
		w->any |= pte;
		if (level == 1 || (pte & _PAGE_PSE && is_large(w, level)))
			break;
		table = pte & PTE_ADDR;
	}
	w->leaf = level;
	return 0;
}

/* SDM volume 3, 4.6.1. */
static bool access_allowed(const struct walk *w)
{
	bool user_page = w->all & _PAGE_USER;
	u32 flags = w->flags;

	if (flags & KVML_WALK_FETCH && w->nx && w->any & _PAGE_NX)
		return false;
	if (flags & KVML_WALK_USER)
		return user_page && (!(flags & KVML_WALK_WRITE) || w->all & _PAGE_RW);
	if (flags & KVML_WALK_FETCH)
		return !(user_page && w->cr4 & X86_CR4_SMEP);
	if (user_page && w->cr4 & X86_CR4_SMAP &&
	    (flags & KVML_WALK_IMPLICIT || !(kvml_reg(w->vcpu, KVML_RFLAGS) & X86_EFLAGS_AC)))
		return false;
	return !(flags & KVML_WALK_WRITE) || w->all & _PAGE_RW ||
	       !(kvml_reg(w->vcpu, KVML_CR0) & X86_CR0_WP);
}

/*
 * Accessed bits of all entries, and the dirty bit of the last.  1: an entry
 * has changed meanwhile.  Read-only tables stay as they are.
 */
static int set_accessed_dirty(struct walk *w)
{
	u64 leaf_bits = _PAGE_ACCESSED | (w->flags & KVML_WALK_WRITE ? _PAGE_DIRTY : 0);
	unsigned int level;

	if (w->all & _PAGE_ACCESSED && !(leaf_bits & ~w->pte[w->leaf]))
		return 0;
	for (level = w->top; level >= w->leaf; level--) {
		u64 old = w->pte[level];
		u64 new = old | (level == w->leaf ? leaf_bits : _PAGE_ACCESSED);

		if (new == old)
			continue;
		if (kvml_guest_cmpxchg(w->vcpu, w->gpa[level], &old, new, w->wide ? 8 : 4) == 1)
			return 1;
	}
	return 0;
}

/* Who writes an entry all the time shall not keep a process that is to end. */
static bool may_retry(void)
{
	cond_resched();
	return !fatal_signal_pending(current);
}

static u64 leaf_gpa(const struct walk *w)
{
	u64 offset = BIT_ULL(level_shift(w, w->leaf)) - 1;
	u64 pte = w->pte[w->leaf];
	u64 frame = pte & PTE_ADDR;

	/* PSE-36: bits 13 to 20 of a 4 MiB entry are bits 32 to 39. */
	if (!w->wide && w->leaf == 2)
		frame = (pte & GENMASK_ULL(31, 22)) | (pte & GENMASK_ULL(20, 13)) << 19;
	return (frame & ~offset) | (w->gva & offset);
}

/* SDM volume 3, 4.7. */
static u32 fault_code(const struct walk *w, u32 code)
{
	if (w->flags & KVML_WALK_WRITE)
		code |= X86_PF_WRITE;
	if (w->flags & KVML_WALK_USER)
		code |= X86_PF_USER;
	if (w->flags & KVML_WALK_FETCH && (w->nx || w->cr4 & X86_CR4_SMEP))
		code |= X86_PF_INSTR;
	return code;
}

/* Memory of the VMM behind @gpa; NULL: none, or it cannot be read there. */
static void __user *memory_at(struct kvml_vcpu *vcpu, u64 gpa)
{
	kvml_gfn gfn = gpa >> PAGE_SHIFT;
	struct kvml_slot *slot = kvml_slot_find(vcpu, gfn);

	if (!slot)
		return NULL;
	return (void __user *)(kvml_slot_hva(slot, gfn) + offset_in_page(gpa));
}

static void remember(const struct walk *w, u64 gpa, struct kvml_path *path)
{
	struct kvml_vcpu *vcpu = w->vcpu;
	unsigned int level;

	path->memory = NULL;
	/* Slots that change while it looks make it worthless. */
	path->generation = kvml_slots_generation(vcpu->vm);
	if (w->top == 2)
		return;
	path->n = 0;
	for (level = w->top; level >= w->leaf; level--, path->n++) {
		path->entry[path->n] = memory_at(vcpu, w->gpa[level]);
		path->pte[path->n] = w->pte[level];
		if (!path->entry[path->n])
			return;
	}
	path->flags = w->flags;
	path->mode = vcpu->mode_changes;
	path->cr3 = kvml_reg(vcpu, KVML_CR3);
	path->page = w->gva & PAGE_MASK;
	path->memory = memory_at(vcpu, gpa & PAGE_MASK);
}

int kvml_walk(struct kvml_vcpu *vcpu, unsigned long gva, u32 flags, u64 *gpa, u32 *error)
{
	return kvml_walk_path(vcpu, gva, flags, gpa, error, NULL);
}

int kvml_walk_path(struct kvml_vcpu *vcpu, unsigned long gva, u32 flags,
		   u64 *gpa, u32 *error, struct kvml_path *path)
{
	struct walk w;
	int r;

	if (!kvml_paging(vcpu)) {
		w.vcpu = vcpu;
		w.gva = (u32)gva;
		w.flags = flags;
		w.top = 0;	/* no entries */
		w.leaf = 1;
		*gpa = w.gva;
		goto found;
	}
	do {
		walk_init(&w, vcpu, gva, flags);
		r = find_leaf(&w);
		if (r) {
			*error = fault_code(&w, r - 1);
			return 1;
		}
		if (flags & KVML_WALK_PROBE)
			break;
		if (!access_allowed(&w)) {
			*error = fault_code(&w, X86_PF_PROT);
			return 1;
		}
	} while (set_accessed_dirty(&w) && may_retry());
	*gpa = leaf_gpa(&w);
found:
	if (path)
		remember(&w, *gpa, path);
	return 0;
}
