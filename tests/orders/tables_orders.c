// SPDX-License-Identifier: GPL-2.0
/*
 * Second-stage page tables and the MMU notifier, beside a guest that accesses all it
 * can at any time, and a host that takes its pages away, puts huge ones together and
 * takes them apart.
 *
 * What must hold at the end of each call: no CPU knows a translation to a page that
 * the host has taken, or with a right that host, slot and dirty log do not give; no
 * table is freed that a CPU may know; counters tell what is in the tables.  Calls that
 * nothing comes between leave in the tables just what the model says: an array of
 * rights by page.
 *
 * A call may be paused, where it does not hold the lock, and the next one of the
 * sequence happens there.
 */
#include "orders.h"

/* The CPU may walk the tables between any two stores to them. */
static void cpu_walks(void);
#undef xchg
#define xchg(p, v) ({ __typeof__(*(p)) _old = *(p); *(p) = (v); cpu_walks(); _old; })
#undef WRITE_ONCE
#define WRITE_ONCE(x, v) ({ (x) = (v); cpu_walks(); })
#undef atomic64_andnot
#define atomic64_andnot(bits, a) ({ (a)->counter &= ~(bits); cpu_walks(); })

/* ---- linux/mm.h, linux/sched.h ---- */

#define PMD_SIZE	(1UL << 21)
#define PMD_MASK	(~(PMD_SIZE - 1))
#define FOLIO_MAPPING_FLAGS 3
#define signal_pending(task) false
#define cond_resched()	((void)0)

struct address_space;
struct folio { unsigned long pfn, mapping; };

static struct folio *page_folio(struct folio *folio)
{
	return folio;
}

static struct folio *pfn_to_page(unsigned long pfn);
static bool mapping_unevictable(const struct address_space *mapping);
static void cond_resched_lock(spinlock_t *lock);

/* What the host shows of tables: one by one. */
#define NR_SECONDARY_PAGETABLE 0
#define mod_lruvec_page_state(page, item, n) ((page)->shown += (n))

/* No page is broken here. */
#define send_sig_mceerr(code, address, shift, task) ((void)(address))

#define folio_test_referenced(folio) false
#define folio_set_referenced(folio) ((void)(folio))

static inline const void *memchr_inv(const void *p, int c, size_t size)
{
	const char *bytes = p;

	/* All are the first one. */
	return *bytes == c && !memcmp(bytes, bytes + 1, size - 1) ? NULL : p;
}

#include "mmu.c"
#include "backing.c"
#include "notifier.c"

const struct kvml_ops *kvml_ops;

#include "tables_model.h"

/* ---- the calls ---- */

/* Ranges that the host has begun to take: two, and one more within each beginning. */
#define OPEN_RANGES	2
static unsigned int open_ranges[2 * OPEN_RANGES], nr_open;

enum { RANGE_A, RANGE_2M, RANGE_C };

static const struct {
	int first, last;
	struct mmu_notifier_range range;
} ranges[] = {
	[RANGE_A] = { A, A, { HVA, HVA + PAGE_SIZE } },
	[RANGE_2M] = { A, B, { HVA, HVA + PMD_SIZE, .blockable = true } },
	[RANGE_C] = { C, C, { HVA + PMD_SIZE, HVA + PMD_SIZE + PAGE_SIZE } },
};

/* Is nothing between this call and what it does? */
static bool alone(void)
{
	return depth == 1 && !disturbed;
}

static bool has_access(int i, bool write)
{
	int level;
	u64 entry = walk(gfn_of[i], &level);

	return entry && (!write || entry & fmt->write);
}

static bool no_memory;	/* for one of this call's allocations */

static void check_fault(int i, bool write, bool huge, int result)
{
	bool failed = no_memory && !fuzz_fail_alloc;
	bool read_only = write && slot_of(i)->flags & KVM_MEM_READONLY;

	FUZZ_CHECK(result == (read_only ? KVML_FAULT_MMIO : failed ? -ENOMEM : 1),
		   "%d", result);
	if (result != 1 || host[i].taken)
		return;
	/* All between two ranges that are taken counts as taken. */
	if (nr_open) {
		model_look();
		return;
	}
	model_map(i, write, huge);
	FUZZ_CHECK(i != B || host_huge || vetted,
		   "get_user_pages() was not asked");
}

static int fault(kvml_gfn gfn, bool write)
{
	struct kvml_vcpu *vcpu = &vcpus[depth];
	int result;

	vm.srcu.readers++;
	result = kvml_mmu_fault(vcpu, gfn << PAGE_SHIFT,
				write ? KVML_ACCESS_WRITE : KVML_ACCESS_READ);
	vm.srcu.readers--;
	return result;
}

static enum order access_page(unsigned int i, bool write)
{
	bool huge = host_huge && !tell_small;
	int result;

	if (has_access(i, write))
		return ORDER_NONE;
	result = fault(gfn_of[i], write);
	if (alone())
		check_fault(i, write, huge, result);
	return ORDER_ON;
}

static enum order read_page(unsigned int i)
{
	return access_page(i, false);
}

static enum order write_page(unsigned int i)
{
	return access_page(i, true);
}

static bool mmio_is_current(unsigned int i)
{
	struct kvml_vcpu vcpu = { .vm = &vm, .mmio_gfn = ~0ull };

	return kvml_mmu_is_mmio(&vcpu, mmio_gfn[i] << PAGE_SHIFT);
}

static enum order access_mmio(unsigned int i)
{
	u32 before = generation;
	int result;

	if (mmio_is_current(i))
		return ORDER_NONE;
	result = fault(mmio_gfn[i], false);
	FUZZ_CHECK(result == KVML_FAULT_MMIO, "%d", result);
	model.mmio_generation[i] = before;
	model.mmio[i] = mmio_is_current(i);
	FUZZ_CHECK(!alone() || no_memory || model.mmio[i],
		   "gfn %llu: no MMIO entry", mmio_gfn[i]);
	return ORDER_ON;
}

/* ---- the host's ---- */

static bool may_take(unsigned int r)
{
	/* No part of a huge page. */
	return nr_open < OPEN_RANGES && (r != RANGE_A || !host_huge);
}

static void take(unsigned int r)
{
	unsigned int before = model_leaves();
	int i;

	must_not_sleep = !ranges[r].range.blockable;
	vm.notifier->mn.ops->invalidate_range_start(&vm.notifier->mn,
						    &ranges[r].range);
	must_not_sleep = false;
	for (i = ranges[r].first; i <= ranges[r].last; i++)
		host[i].taken++;
	if (!alone())
		return;
	model_zap(ranges[r].first, ranges[r].last);
	model.unmapped += before - model_leaves();
}

static void give_back(unsigned int r)
{
	int i;

	for (i = ranges[r].first; i <= ranges[r].last; i++)
		host[i].taken--;
	vm.notifier->mn.ops->invalidate_range_end(&vm.notifier->mn,
						  &ranges[r].range);
}

static void new_pages(unsigned int r, bool huge)
{
	if (r == RANGE_2M)
		host_new_piece(huge);
	else if (r == RANGE_C)
		host_new_page(C);
	else if (!host_huge)
		host_new_page(A);
}

static enum order begin_taking(unsigned int r)
{
	if (!may_take(r))
		return ORDER_NONE;
	take(r);
	open_ranges[nr_open++] = r;
	return ORDER_ON;
}

static enum order end_taking(unsigned int unused)
{
	unsigned int r = open_ranges[0];

	if (!nr_open)
		return ORDER_NONE;
	memmove(open_ranges, open_ranges + 1, --nr_open * sizeof(open_ranges[0]));
	new_pages(r, !host_huge);
	give_back(r);
	return ORDER_ON;
}

static enum order replace(unsigned int r, bool huge)
{
	if (!may_take(r))
		return ORDER_NONE;
	take(r);
	check_known();
	new_pages(r, huge);
	give_back(r);
	return ORDER_ON;
}

static enum order replace_pages(unsigned int r)
{
	return replace(r, false);
}

static enum order put_together(unsigned int r)
{
	return replace(r, true);
}

/* As fork() and KSM do: the next write makes it dirty again. */
static enum order write_protect(unsigned int unused)
{
	unsigned int r = host_huge ? RANGE_2M : RANGE_A;
	int i;

	if (!may_take(r) || !host[A].dirty)
		return ORDER_NONE;
	take(r);
	check_known();
	for (i = A; i <= ranges[r].last; i++)
		host[i].dirty = false;
	give_back(r);
	return ORDER_ON;
}

static enum order age_pages(unsigned int unused)
{
	bool young = false, result;
	int i;

	for (i = A; i <= C; i++)
		young |= model.young[i];
	must_not_sleep = true;
	result = vm.notifier->mn.ops->clear_young(&vm.notifier->mn, NULL, HVA,
						  HVA + NPAGES * PAGE_SIZE);
	must_not_sleep = false;
	if (!alone())
		return ORDER_ON;
	FUZZ_CHECK(result == young, "the slot is %syoung", young ? "" : "not ");
	if (!fmt->accessed)
		model_zap(A, C);
	for (i = A; i <= C; i++)
		model.young[i] = false;
	return young ? ORDER_ON : ORDER_SAME;
}

/* The VMM's memory ends: nothing of it is left. */
static enum order release_all(unsigned int unused)
{
	vm.notifier->mn.ops->release(&vm.notifier->mn, NULL);
	model_zap(A, D);
	FUZZ_CHECK(model.mmio[0] || model.mmio[1] ||
		   atomic_long_read(&vm.mmu.stat.tables) == 1, "%ld tables are left",
		   atomic_long_read(&vm.mmu.stat.tables));
	return ORDER_ON;
}

/* ---- the VMM's, one at a time ---- */

static bool vm_locked;

/* It waits for who looks at the slots. */
static bool may_change_slot(void)
{
	return !vm_locked && !vm.srcu.readers;
}

static enum order toggle_log(unsigned int unused)
{
	int i;

	if (!may_change_slot())
		return ORDER_NONE;
	vm_locked = true;
	log_calls++;
	generation++;
	if (slot.dirty) {
		slot.dirty = NULL;
		kvml_mmu_zap_slot(&vm, &slot);
		model_zap(A, C);
	} else {
		slot.dirty = memset(dirty_log, 0, sizeof(dirty_log));
		kvml_mmu_protect_slot(&vm, &slot);
		for (i = A; i <= C; i++)
			model_protect(i);
	}
	log_calls--;
	vm_locked = false;
	return ORDER_ON;
}

static enum order fetch_log(unsigned int unused)
{
	unsigned long bits[ARRAY_SIZE(dirty_log)], i;
	bool any = false;

	if (!slot.dirty || vm_locked)
		return ORDER_NONE;
	vm_locked = true;
	log_calls++;
	for (i = A; i <= C; i++)
		if (test_bit(gfn_of[i] - BASE, slot.dirty))
			model_protect(i);
	for (i = 0; i < ARRAY_SIZE(dirty_log); i++) {
		bits[i] = slot.dirty[i];
		slot.dirty[i] = 0;
		any |= bits[i];
	}
	if (any && kvml_mmu_protect_bits(&vm, &slot, 0, NPAGES, bits))
		kvml_mmu_flush(&vm);
	log_calls--;
	vm_locked = false;
	return any ? ORDER_ON : ORDER_SAME;
}

/* The other way about, writable or read-only. */
static enum order remake_slot(unsigned int unused)
{
	u32 flags = slot.flags ^ KVM_MEM_READONLY;

	if (!may_change_slot())
		return ORDER_NONE;
	vm_locked = true;
	slot.flags |= KVML_SLOT_INVALID;
	generation++;
	kvml_mmu_zap_slot(&vm, &slot);
	slot.flags = flags;
	slot.dirty = NULL;
	generation++;
	model_zap(A, C);
	vm_locked = false;
	return ORDER_ON;
}

/* ---- what happens to the next call ---- */

static enum order pause_next(unsigned int where)
{
	if (depth > 1 || pause_at != RUN)
		return ORDER_NONE;
	pause_at = where;
	return ORDER_ON;
}

static enum order fail_next(unsigned int n)
{
	if (depth > 1 || no_memory)
		return ORDER_NONE;
	fuzz_fail_alloc = n;
	no_memory = true;
	return ORDER_ON;
}

static enum order tell_small_next(unsigned int unused)
{
	if (!host_huge || tell_small)
		return ORDER_NONE;
	tell_small = true;
	return ORDER_ON;
}

/* ---- universes ---- */

enum {
	READ_A, WRITE_A, READ_B, WRITE_B, WRITE_C, WRITE_D, MMIO_NEAR, MMIO_FAR,
	REPLACE_A, REPLACE_2M, REPLACE_C, HUGE, WRITE_PROTECT, AGE,
	BEGIN_A, BEGIN_2M, BEGIN_C, END, RELEASE, LOG, FETCH, REMAKE,
	FAIL_1, FAIL_2, TELL_SMALL,
	PAUSE_LOOKED, PAUSE_LOCK, PAUSE_RESCHED, PAUSE_FLUSHING,
	PAUSE_FLUSHED,
};

static const struct {
	const char *text;
	enum order (*fn)(unsigned int arg);
	unsigned int arg;
} calls[] = {
	[READ_A] = { "the guest reads page A", read_page, A },
	[WRITE_A] = { "the guest writes page A", write_page, A },
	[READ_B] = { "the guest reads page B, the last of the 2 MiB", read_page, B },
	[WRITE_B] = { "the guest writes page B, the last of the 2 MiB", write_page, B },
	[WRITE_C] = { "the guest writes page C, beside them", write_page, C },
	[WRITE_D] = { "the guest writes page D, of another slot", write_page, D },
	[MMIO_NEAR] = { "the guest reads beyond the slots", access_mmio, 0 },
	[MMIO_FAR] = { "the guest reads far beyond the slots", access_mmio, 1 },
	[REPLACE_A] = { "the host replaces page A", replace_pages, RANGE_A },
	[REPLACE_2M] = { "the host replaces the 2 MiB by small pages",
			 replace_pages, RANGE_2M },
	[REPLACE_C] = { "the host replaces page C", replace_pages, RANGE_C },
	[HUGE] = { "the host replaces the 2 MiB by a huge page", put_together,
		   RANGE_2M },
	[WRITE_PROTECT] = { "the host write-protects page A", write_protect },
	[AGE] = { "the host looks at what was accessed", age_pages },
	[BEGIN_A] = { "the host begins to replace page A", begin_taking, RANGE_A },
	[BEGIN_2M] = { "the host begins to replace the 2 MiB, huge or not",
		       begin_taking, RANGE_2M },
	[BEGIN_C] = { "the host begins to replace page C", begin_taking, RANGE_C },
	[END] = { "the host has done so", end_taking },
	[RELEASE] = { "all of the VMM's memory goes", release_all },
	[LOG] = { "the dirty log begins or ends", toggle_log },
	[FETCH] = { "the dirty log is fetched", fetch_log },
	[REMAKE] = { "the slot is made anew, read-only or not", remake_slot },
	[FAIL_1] = { "(no memory for what comes next)", fail_next, 1 },
	[FAIL_2] = { "(memory for one page for what comes next)", fail_next, 2 },
	[TELL_SMALL] = { "(the host tells of one page of the huge one:)",
			 tell_small_next },
	[PAUSE_LOOKED] = { "(the next call pauses when it has asked the host, for:)",
			   pause_next, LOOKED },
	[PAUSE_LOCK] = { "(the next call pauses before it takes the lock, for:)",
			 pause_next, LOCK },
	[PAUSE_RESCHED] = { "(the next call pauses in the middle of its range, for:)",
			    pause_next, RESCHED },
	[PAUSE_FLUSHING] = { "(the next call pauses before CPUs flush, for:)",
			     pause_next, FLUSHING },
	[PAUSE_FLUSHED] = { "(the next call pauses when CPUs have flushed, for:)",
			    pause_next, FLUSHED },
};

static const u8 sizes[] = {
	READ_A, WRITE_A, READ_B, WRITE_C, WRITE_D, MMIO_NEAR, MMIO_FAR,
	REPLACE_A, REPLACE_2M, REPLACE_C, HUGE, WRITE_PROTECT, AGE, RELEASE, REMAKE,
	FAIL_1, FAIL_2, TELL_SMALL,
};

static const u8 logs[] = {
	READ_A, WRITE_A, WRITE_B, WRITE_C, REPLACE_A, HUGE, WRITE_PROTECT, AGE,
	LOG, FETCH, REMAKE,
};

static const u8 races[] = {
	READ_A, WRITE_A, READ_B, WRITE_C, MMIO_FAR, HUGE, AGE,
	BEGIN_A, BEGIN_2M, BEGIN_C, END, LOG, FETCH, REMAKE,
	PAUSE_LOOKED, PAUSE_LOCK, PAUSE_RESCHED, PAUSE_FLUSHING,
	PAUSE_FLUSHED,
};

struct tables_universe {
	const struct kvml_pt_format *fmt;
	const u8 *calls;
};

static const struct tables_universe *tables(void)
{
	return universe->arg;
}

static bool is_modifier(unsigned int call)
{
	return call >= FAIL_1;
}

/* A call that was to be paused, or to fail, and was not, is tried without that. */
static enum order call(u32 nr)
{
	unsigned int c = tables()->calls[nr];
	bool outer_disturbed = disturbed;
	enum order result;

	depth++;
	disturbed = false;
	result = calls[c].fn(calls[c].arg);
	check_known();
	if (disturbed)
		model_look();
	depth--;
	disturbed = outer_disturbed;
	if (is_modifier(c) || depth)
		return result;
	if (pause_at != RUN || fuzz_fail_alloc || tell_small)
		result = ORDER_NONE;
	pause_at = RUN;
	fuzz_fail_alloc = 0;
	no_memory = false;
	tell_small = false;
	return result;
}

static void say(u32 nr, char *text, size_t size)
{
	const struct tables_universe *t = universe->arg;

	snprintf(text, size, "%s", calls[t->calls[nr]].text);
}

static void add_backing(struct kvml_slot *s)
{
	s->backing = kvml_backing_alloc(&vm, s->base, s->npages, s->hva);
	kvml_backing_add(&vm.notifier->backings, s->backing);
}

static void begin(void)
{
	unsigned int i;

	fmt = tables()->fmt;
	memset(&vm, 0, sizeof(vm));
	memset(&model, 0, sizeof(model));
	memset(known, 0, sizeof(known));
	memset(host, 0, sizeof(host));
	frames = 0;
	host_new_piece(false);
	host_new_page(C);
	host_new_page(D);
	nr_open = 0;
	pause_at = RUN;
	no_memory = false;
	tell_small = false;
	slot = (struct kvml_slot){ .base = BASE, .npages = NPAGES, .hva = HVA };
	other_slot = (struct kvml_slot){ .base = BASE + OTHER, .npages = 1,
					 .hva = HVA + OTHER * PAGE_SIZE };
	generation = 1;
	vm.mmu.fmt = fmt;
	for (i = 0; i < ARRAY_SIZE(vcpus); i++)
		vcpus[i] = (struct kvml_vcpu){ .vm = &vm, .mmio_gfn = ~0ull };
	orders_before_lock = NULL;
	vm.notifier = kvml_notifier_get();
	FUZZ_CHECK(!IS_ERR(vm.notifier) && !kvml_mmu_init(&vm), "init");
	add_backing(&slot);
	add_backing(&other_slot);
	orders_before_lock = before_lock;
	orders_page_freed = page_freed;
	cpus_run = true;
}

/* No vCPU is left. */
static void end(void)
{
	unsigned int i;

	fuzz_fail_alloc = 0;
	pause_at = RUN;
	cpus_run = false;
	kvml_backing_remove(&vm.notifier->backings, slot.backing);
	kvml_backing_remove(&vm.notifier->backings, other_slot.backing);
	kvml_backings_settle(&vm.notifier->backings);
	kvml_notifier_put(vm.notifier);
	for (i = 0; i < ARRAY_SIZE(vcpus); i++)
		kvml_mmu_vcpu_free(&vcpus[i]);
	kvml_mmu_free(&vm);
	FUZZ_CHECK(!pages_used, "%u pages are left", pages_used);
}

#define UNIVERSE(name, fmt, which, length, deep)			\
	{ name, &(const struct tables_universe){ &(fmt), which },	\
	  ARRAY_SIZE(which), length, deep, .begin = begin, .call = call, \
	  .check = check, .end = end, .say = say }

static const struct universe universes[] = {
	UNIVERSE("EPT", ept, sizes, 4, 6),
	UNIVERSE("EPT without A and D", ept_without_ad, sizes, 4, 6),
	UNIVERSE("NPT", npt, sizes, 4, 5),
	UNIVERSE("EPT, dirty log", ept, logs, 5, 7),
	UNIVERSE("EPT without A and D, dirty log", ept_without_ad, logs, 5, 7),
	UNIVERSE("NPT, dirty log", npt, logs, 5, 6),
	UNIVERSE("EPT, races", ept, races, 5, 6),
	UNIVERSE("EPT without A and D, races", ept_without_ad, races, 5, 6),
	UNIVERSE("NPT, races", npt, races, 4, 5),
};

int main(int argc, char **argv)
{
	return orders_main(argc, argv, universes, ARRAY_SIZE(universes));
}
