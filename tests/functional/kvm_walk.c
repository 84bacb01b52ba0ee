// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's page tables, walked in software: INS and OUTS leave the guest
 * before their memory is looked at, so that rights, faults, accessed and dirty
 * bits are the emulator's.  The same access by MOV, which the processor makes,
 * says what is right.
 */
#define _GNU_SOURCE
#include "kvm_insn.h"

#define TABLES		0x40000UL	/* level 4, 3, 2, 1 (low), 1 of the page, 3, 2 */
#define GVA		0x400000UL	/* the page: low tables do not map it */
#define MEMORY		0x400000UL	/* what it maps */
#define MEMORY_SIZE	(4 * MIB)
#define OFFSET		0x123UL

#define P		0x001ULL
#define W		0x002ULL
#define U		0x004ULL
#define A		0x020ULL
#define D		0x040ULL
#define PS		0x080ULL
#define NX		(1ULL << 63)
#define RESERVED	(1ULL << 51)

#define CR0_WP		0x10000ULL
#define CR4_SMAP	0x200000ULL
#define EFER_NXE	0x800ULL
#define FLAG_AC		0x40000ULL
#define IOPL3		0x3000ULL
#define ERROR_PRESENT	0x1
#define ERROR_RESERVED	0x8

enum paging { PAGING_LONG, PAGING_PAE, PAGING_32 };

/**
 * struct view - how the page is mapped
 * @name:	for messages
 * @level:	of the entry that is not P, W, U
 * @set:	in that entry
 * @clear:	in that entry
 * @large:	a large page
 * @wide:	not for entries of 4 bytes
 */
struct view {
	const char *name;
	int level;
	u64 set;
	u64 clear;
	bool large;
	bool wide;
};

static const struct view views[] = {
	{ "everything allowed", 1, 0, 0, false, false },
	{ "accessed", 1, A, 0, false, false },
	{ "accessed and dirty", 1, A | D, 0, false, false },
	{ "not present", 1, 0, P, false, false },
	{ "read-only", 1, 0, W, false, false },
	{ "supervisor", 1, 0, U, false, false },
	{ "read-only supervisor", 1, 0, W | U, false, false },
	{ "not executable", 1, NX, 0, false, true },
	{ "a reserved bit", 1, RESERVED, 0, false, true },
	{ "a reserved bit, not present", 1, RESERVED, P, false, true },
	{ "no table", 2, 0, P, false, false },
	{ "a read-only table", 2, 0, W, false, false },
	{ "a supervisor's table", 2, 0, U, false, false },
	{ "a table not executable", 2, NX, 0, false, true },
	{ "a reserved bit in level 2", 2, RESERVED, 0, false, true },
	{ "level 3 not present", 3, 0, P, false, true },
	{ "level 3 read-only", 3, 0, W, false, true },
	{ "level 3 of the supervisor", 3, 0, U, false, true },
	{ "a reserved bit in level 3", 3, RESERVED, 0, false, true },
	{ "level 4 not present", 4, 0, P, false, true },
	{ "level 4 read-only", 4, 0, W, false, true },
	{ "a large page in level 4", 4, PS, 0, false, true },
	{ "a large page", 2, 0, 0, true, false },
	{ "a large page, read-only", 2, 0, W, true, false },
	{ "a large page, supervisor", 2, 0, U, true, false },
	{ "a large page with a reserved bit", 2, 1 << 13, 0, true, true },
	{ "a large page at an odd address", 2, 1 << 21, 0, true, false },
};

/* What else decides. */
struct rules {
	unsigned int cpl;
	bool wp;
	bool nx;
	bool smap;
	bool ac;
};

/* movb (%rsi), %al and OUTSB; movb %al, (%rdi) and INSB */
static const u8 load_hardware[] = { 0x8a, 0x06, 0xe6, PORT, 0xeb, 0xfc };
static const u8 load_software[] = { 0x6e, 0xe6, PORT, 0xeb, 0xfc, 0x90 };
static const u8 store_hardware[] = { 0x88, 0x07, 0xe6, PORT, 0xeb, 0xfc };
static const u8 store_software[] = { 0x6c, 0xe6, PORT, 0xeb, 0xfc, 0x90 };

/* The processor forgets translations. */
GUEST(flush64, "mov %cr3, %rax\n\t"
	       "mov %rax, %cr3\n\t"
	       GUEST_OUT)

GUEST32(flush32, "mov %cr3, %eax\n\t"
		 "mov %eax, %cr3\n\t"
		 GUEST_OUT)

struct result {
	bool trapped;
	struct vm_event event;
	u64 entries[4];
};

static bool is_wide(enum paging kind)
{
	return kind != PAGING_32;
}

/* ---- page tables ---- */

static u64 get_entry(const struct machine *m, enum paging kind, u64 at)
{
	return is_wide(kind) ? *(u64 *)(m->tool + at) :
				 *(u32 *)(m->tool + at);
}

static void set_entry(const struct machine *m, enum paging kind, u64 at,
		      u64 value)
{
	if (is_wide(kind))
		*(u64 *)(m->tool + at) = value;
	else
		*(u32 *)(m->tool + at) = value;
}

/* In long mode nothing is shared with the tables of low memory. */
static u64 gva_of(enum paging kind)
{
	return kind == PAGING_LONG ? GVA | 1ULL << 39 : GVA;
}

/* Where the entry of the page is. */
static u64 entry_of(enum paging kind, int level)
{
	bool apart = kind == PAGING_LONG;

	switch (level) {
	case 4:
		return TABLES + 8;
	case 3:
		return TABLES + (apart ? 5 : 1) * PAGE;
	case 2:
		return TABLES + (apart ? 6 : 2) * PAGE +
		       (is_wide(kind) ? (GVA >> 21) * 8 : (GVA >> 22) * 4);
	default:
		return TABLES + 4 * PAGE;
	}
}

/* Levels of the tables that have access rights. */
static int top_level(enum paging kind)
{
	return kind == PAGING_LONG ? 4 : 2;
}

/* Low memory is the supervisor's, but for the program at CPL 3. */
static void map_low(const struct machine *m, enum paging kind,
		    unsigned int cpl)
{
	unsigned int size = is_wide(kind) ? 8 : 4;
	u64 page;

	for (page = 0; page < 512; page++)
		set_entry(m, kind, TABLES + 3 * PAGE + page * size,
			  page << 12 | P | W | A | D);
	if (cpl)
		set_entry(m, kind,
			  TABLES + 3 * PAGE + (INSN_CODE >> 12) * size,
			  INSN_CODE | P | W | U | A | D);
}

static void map_page(const struct machine *m, enum paging kind,
		     const struct view *view)
{
	u64 at = entry_of(kind, view->level);

	memset(m->tool + TABLES, 0, 3 * PAGE);
	memset(m->tool + TABLES + 4 * PAGE, 0, 3 * PAGE);
	set_entry(m, kind, TABLES, (TABLES + PAGE) | P | W | U);
	set_entry(m, kind, TABLES + PAGE, (TABLES + 2 * PAGE) | P |
		  (kind == PAGING_LONG ? W | U : 0));
	if (kind == PAGING_LONG) {
		set_entry(m, kind, entry_of(kind, 4),
			  (TABLES + 5 * PAGE) | P | W | U);
		set_entry(m, kind, entry_of(kind, 3),
			  (TABLES + 6 * PAGE) | P | W | U);
	}
	set_entry(m, kind, TABLES + 2 * PAGE, (TABLES + 3 * PAGE) | P | W | U);
	set_entry(m, kind, entry_of(kind, 2),
		  view->large ? MEMORY | P | W | U | PS :
				(TABLES + 4 * PAGE) | P | W | U);
	set_entry(m, kind, entry_of(kind, 1), MEMORY | P | W | U);
	set_entry(m, kind, at,
		  (get_entry(m, kind, at) & ~view->clear) | view->set);
}

/* ---- a vCPU under these rules ---- */

static void paging_sregs(enum paging kind, struct kvm_sregs *sregs)
{
	vm_mode_sregs(kind == PAGING_LONG ? MODE_LONG : MODE_PROTECTED, sregs);
	sregs->cr0 |= 0x80000000;
	sregs->cr3 = TABLES;
	if (kind == PAGING_PAE) {
		sregs->cr3 += PAGE;
		sregs->cr4 |= 0x20;
	} else if (kind == PAGING_32) {
		sregs->cr3 += 2 * PAGE;
		sregs->cr4 |= 0x10;	/* PSE */
	}
}

static void user_segments(struct kvm_sregs *sregs)
{
	struct kvm_segment *data[] = { &sregs->ds, &sregs->es, &sregs->ss };
	unsigned int i;

	sregs->cs.dpl = 3;
	sregs->cs.selector = SEL_USER_CODE;
	for (i = 0; i < ARRAY_SIZE(data); i++) {
		data[i]->dpl = 3;
		data[i]->selector = SEL_USER_DATA;
	}
}

static void apply_rules(const struct machine *m, enum paging kind,
			const struct rules *rules)
{
	struct kvm_sregs sregs = vcpu_sregs(m);

	paging_sregs(kind, &sregs);
	sregs.cr0 &= ~CR0_WP;
	if (rules->wp)
		sregs.cr0 |= CR0_WP;
	if (rules->smap)
		sregs.cr4 |= CR4_SMAP;
	if (rules->nx)
		sregs.efer |= EFER_NXE;
	if (rules->cpl)
		user_segments(&sregs);
	vcpu_set_sregs(m, &sregs);
}

static void flush(const struct machine *m, enum paging kind)
{
	struct rules none = { .nx = true };

	if (!is_wide(kind))
		none.nx = false;
	vcpu_complete(m);
	apply_rules(m, kind, &none);
	vm_call(m, kind == PAGING_LONG ? guest_flush64 : guest_flush32, 0, 0,
		0);
}

/* An entry with a reserved bit is present; QEMU's own emulation forgets that. */
static struct vm_event page_fault(const struct machine *m)
{
	struct vm_event event = vm_event(m);

	if (is_amd() && event.vector == PF_VECTOR && event.error & ERROR_RESERVED)
		event.error |= ERROR_PRESENT;
	return event;
}

/* To the end of the program, or to an exception. */
static struct result run_access(const struct machine *m, enum paging kind,
				const struct rules *rules)
{
	u64 address = gva_of(kind) + OFFSET;
	struct kvm_regs regs = {
		.rip = INSN_CODE, .rsp = TOOL_STACK, .rdx = 0x11,
		.rflags = RFLAGS | IOPL3 | (rules->ac ? FLAG_AC : 0),
		.rsi = address, .rdi = address, .rcx = 7,
	};
	struct result result = { 0 };
	int i;

	apply_rules(m, kind, rules);
	vcpu_set_regs(m, &regs);
	do
		vcpu_run_until(m, KVM_EXIT_IO);
	while (m->run->io.port == 0x11);
	result.trapped = vm_trapped(m);
	if (result.trapped) {
		result.event = page_fault(m);
		regs = vcpu_regs(m);
		CHECK_EQ(regs.rsi, address);
		CHECK_EQ(regs.rdi, address);
		return result;
	}
	for (i = 0; i < top_level(kind); i++)
		result.entries[i] = get_entry(m, kind, entry_of(kind, i + 1));
	return result;
}

static struct result try_access(const struct machine *m, enum paging kind,
				const struct view *view,
				const struct rules *rules, const u8 *code)
{
	memcpy(m->tool + INSN_CODE, code, 6);
	map_page(m, kind, view);
	map_low(m, kind, rules->cpl);
	flush(m, kind);
	map_page(m, kind, view);
	return run_access(m, kind, rules);
}

static void compare(const struct result *got, const struct result *want,
		    const struct view *view, const struct rules *rules,
		    const char *name)
{
	if (got->trapped == want->trapped &&
	    got->event.vector == want->event.vector &&
	    got->event.error == want->event.error &&
	    got->event.cr2 == want->event.cr2 &&
	    !memcmp(got->entries, want->entries, sizeof(got->entries)))
		return;
	tap_fail("%s, %s, CPL %u, WP %d, NX %d, SMAP %d, AC %d: expected vector %lld (code %llx), entries %llx %llx, got vector %lld (code %llx), entries %llx %llx",
		 name, view->name, rules->cpl, rules->wp, rules->nx,
		 rules->smap, rules->ac,
		 want->trapped ? (long long)want->event.vector : -1,
		 (unsigned long long)want->event.error,
		 (unsigned long long)want->entries[0],
		 (unsigned long long)want->entries[1],
		 got->trapped ? (long long)got->event.vector : -1,
		 (unsigned long long)got->event.error,
		 (unsigned long long)got->entries[0],
		 (unsigned long long)got->entries[1]);
}

static void check_access(const struct machine *m, enum paging kind,
			 const struct view *view, const struct rules *rules)
{
	struct result want, got;

	want = try_access(m, kind, view, rules, load_hardware);
	got = try_access(m, kind, view, rules, load_software);
	compare(&got, &want, view, rules, "OUTS");
	want = try_access(m, kind, view, rules, store_hardware);
	got = try_access(m, kind, view, rules, store_software);
	compare(&got, &want, view, rules, "INS");
}

static bool has_smap(const struct machine *m)
{
	struct cpuid_list list;
	struct kvm_cpuid_entry2 *e;

	cpuid_get_supported(m->kvm, &list);
	e = cpuid_find(&list, 7, 0);
	return e && e->ebx & 1 << 20;
}

/*
 * Bits of @i choose; false: makes no sense.  QEMU's own emulation aborts when an
 * exception leaves CPL 3 in a 32-bit guest.
 */
static bool make_rules(struct rules *rules, unsigned int i, enum paging kind,
		       bool smap)
{
	*rules = (struct rules){
		.cpl = i & 1 ? 3 : 0, .wp = i & 2, .nx = i & 4, .smap = i & 8,
		.ac = i & 16,
	};
	if (is_amd() && kind != PAGING_LONG && rules->cpl)
		return false;
	return (is_wide(kind) || !rules->nx) && (smap || !rules->smap) &&
	       (rules->smap || !rules->ac);
}

static void check_paging(enum paging kind)
{
	struct machine m = vm_make_size(2 * MIB);
	bool smap = has_smap(&m);
	struct rules rules;
	unsigned int i, v;

	set_slot(&m, 1, 0, MEMORY, map_memory(MEMORY_SIZE), MEMORY_SIZE);
	/* SS of CPL 0 in a 32-bit TSS */
	if (kind != PAGING_LONG)
		*(u32 *)(m.tool + VM_TSS + 8) = SEL_DATA;
	for (v = 0; v < ARRAY_SIZE(views); v++) {
		if (views[v].level > top_level(kind) ||
		    (views[v].wide && !is_wide(kind)))
			continue;
		for (i = 0; i < 32; i++)
			if (make_rules(&rules, i, kind, smap))
				check_access(&m, kind, &views[v], &rules);
	}
}

static void test_long(void)
{
	check_paging(PAGING_LONG);
}

static void test_pae(void)
{
	check_paging(PAGING_PAE);
}

static void test_32(void)
{
	check_paging(PAGING_32);
}

static const struct tap_test tests[] = {
	{ "4-level paging", test_long },
	{ "PAE paging", test_pae },
	{ "32-bit paging", test_32 },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
