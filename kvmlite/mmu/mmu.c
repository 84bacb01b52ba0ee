// SPDX-License-Identifier: GPL-2.0
/* Second-stage page tables: faults, and taking rights away again. */
#include <linux/pagemap.h>

#include "base/kick.h"
#include "mmu/backing.h"
#include "mmu/hostpage.h"
#include "mmu/mmu.h"
#include "vcpu/vcpu.h"
#include "vm/vm.h"

#define ROOT_LEVEL	4
#define ENTRIES		512
#define ADDRESS_MASK	GENMASK_ULL(51, 12)
#define LARGE		BIT_ULL(7)
/* The slots' generation in an MMIO entry */
#define GENERATION_MASK	GENMASK_ULL(43, 12)

/* Tables that accesses to addresses without memory may cost */
#define MAX_MMIO_TABLES	1024

/* gfns that an entry of @level translates */
static kvml_gfn level_gfns(int level)
{
	return 1ULL << (9 * (level - 1));
}

static unsigned int entry_index(kvml_gfn gfn, int level)
{
	return (gfn >> (9 * (level - 1))) % ENTRIES;
}

static bool is_mmio(const struct kvml_pt_format *fmt, u64 entry)
{
	return fmt->mmio && (entry | GENERATION_MASK) == (fmt->mmio | GENERATION_MASK);
}

/* A leaf, at level 1; at level 2, if it is no table. */
static bool is_leaf(const struct kvml_pt_format *fmt, u64 entry)
{
	return (entry & fmt->present) && !is_mmio(fmt, entry);
}

static bool is_table(const struct kvml_pt_format *fmt, u64 entry, int level)
{
	return level > 1 && (entry & fmt->present) && !(entry & LARGE);
}

static u64 *entry_table(u64 entry)
{
	return __va(entry & ADDRESS_MASK);
}

/*
 * The entry of @gfn at @level, or, if there is no table of that level, the one
 * above; @stop is set to the level reached.
 */
static u64 *find_entry(const struct kvml_mmu *mmu, kvml_gfn gfn, int level, int *stop)
{
	u64 *table = mmu->root;
	int at;

	for (at = ROOT_LEVEL; ; at--) {
		u64 *entry = &table[entry_index(gfn, at)];

		*stop = at;
		if (at == level || !is_table(mmu->fmt, *entry, at))
			return entry;
		table = entry_table(*entry);
	}
}

static atomic_long_t *leaf_counter(struct kvml_mmu *mmu, int level)
{
	return level == 1 ? &mmu->stat.pages_4k : &mmu->stat.pages_2m;
}

static void zap_leaf(struct kvml_mmu *mmu, u64 *entry, int level)
{
	u64 old = xchg(entry, 0);

	if (!is_leaf(mmu->fmt, old))
		return;
	atomic_long_dec(leaf_counter(mmu, level));
	mmu->zapped++;
}

/* ---- tables ---- */

/* Also in SecPageTables of /proc/meminfo and of the VMM's memory cgroup. */
static void count_table(struct kvml_mmu *mmu, void *table, int n)
{
	atomic_long_add(n, &mmu->stat.tables);
	mod_lruvec_page_state(virt_to_page(table), NR_SECONDARY_PAGETABLE, n);
}

/* Tables that vCPUs may know until a flush. */
static void unhook_table(struct kvml_mmu *mmu, u64 *entry, struct list_head *freed)
{
	u64 *table = entry_table(xchg(entry, 0));

	list_add(&virt_to_page(table)->lru, freed);
	count_table(mmu, table, -1);
	mmu->zapped++;
}

static void free_tables(struct list_head *freed)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, freed, lru)
		__free_page(page);
}

/* Frees the tables above @gfn that are empty. */
static void prune_tables(struct kvml_mmu *mmu, kvml_gfn gfn, struct list_head *freed)
{
	int level, stop;

	for (level = 2; level <= ROOT_LEVEL; level++) {
		u64 *entry = find_entry(mmu, gfn, level, &stop);

		if (stop > level || !is_table(mmu->fmt, *entry, level))
			continue;
		if (memchr_inv(entry_table(*entry), 0, PAGE_SIZE))
			return;
		unhook_table(mmu, entry, freed);
	}
}

/* No vCPU is left. */
static void free_tree(struct kvml_mmu *mmu, u64 *table, int level)
{
	int i;

	for (i = 0; level > 1 && i < ENTRIES; i++)
		if (is_table(mmu->fmt, table[i], level))
			free_tree(mmu, entry_table(table[i]), level - 1);
	count_table(mmu, table, -1);
	free_page((unsigned long)table);
	cond_resched();
}

/* Sleeps: not under mmu->lock. */
static int fill_spares(struct kvml_spares *spares)
{
	while (unlikely(spares->nr < KVML_SPARE_TABLES)) {
		void *table = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);

		if (!table)
			return -ENOMEM;
		spares->table[spares->nr++] = table;
	}
	return 0;
}

/*
 * The entry of @gfn at @level, with new tables above it as needed, for which
 * fill_spares() has made enough.  A large leaf in the way goes.
 */
static u64 *make_entry(struct kvml_mmu *mmu, struct kvml_spares *spares,
		       kvml_gfn gfn, int level)
{
	for (;;) {
		int stop;
		u64 *entry = find_entry(mmu, gfn, level, &stop);
		void *table;

		if (stop == level)
			return entry;
		zap_leaf(mmu, entry, stop);
		table = spares->table[--spares->nr];
		WRITE_ONCE(*entry, __pa(table) | mmu->fmt->table);
		count_table(mmu, table, 1);
	}
}

/* ---- ranges ---- */

/* What is done with each entry of a range; the results are or-ed. */
typedef bool (*entry_fn)(struct kvml_mmu *mmu, u64 *entry, int level);

static bool zap_entry(struct kvml_mmu *mmu, u64 *entry, int level)
{
	zap_leaf(mmu, entry, level);
	return true;
}

static bool protect_entry(struct kvml_mmu *mmu, u64 *entry, int level)
{
	if (level > 1) {
		zap_leaf(mmu, entry, level);
	} else if (is_leaf(mmu->fmt, *entry) && (*entry & mmu->fmt->write)) {
		/* The CPU may be setting A or D */
		atomic64_andnot(mmu->fmt->write, (atomic64_t *)entry);
		mmu->zapped++;
	}
	return true;
}

/* Leaves of one table: gfn @base + n for each bit n from @bit to @end. */
static void protect_leaves(struct kvml_mmu *mmu, u64 *table, kvml_gfn base,
			   unsigned long bit, unsigned long end,
			   const unsigned long *bits)
{
	for_each_set_bit_from(bit, bits, end)
		protect_entry(mmu, &table[entry_index(base + bit, 1)], 1);
}

static bool entry_young(struct kvml_mmu *mmu, u64 *entry, int level)
{
	u64 accessed = mmu->fmt->accessed;

	return is_leaf(mmu->fmt, *entry) && (!accessed || (*entry & accessed));
}

/*
 * No flush: a CPU that knows the translation does not set A again until it
 * forgets it, as with the host's own page tables on x86.  Without A bits, the
 * next fault tells.
 */
static bool age_entry(struct kvml_mmu *mmu, u64 *entry, int level)
{
	if (!entry_young(mmu, entry, level))
		return false;
	if (mmu->fmt->accessed)
		atomic64_andnot(mmu->fmt->accessed, (atomic64_t *)entry);
	else
		zap_leaf(mmu, entry, level);
	return true;
}

/* @fn for entries of @gfn to @end in what the level 2 entry @entry translates. */
static bool for_level2(struct kvml_mmu *mmu, u64 *entry, kvml_gfn gfn,
		       kvml_gfn end, entry_fn fn)
{
	bool result = false;
	u64 *table;

	if (!is_table(mmu->fmt, *entry, 2))
		return *entry && fn(mmu, entry, 2);

	table = entry_table(*entry);
	for (; gfn < end; gfn++) {
		u64 *leaf = &table[entry_index(gfn, 1)];

		if (*leaf)
			result |= fn(mmu, leaf, 1);
	}
	return result;
}

/*
 * @fn for all entries of gfns @gfn to @end.  Must hold mmu->lock, which is
 * given up now and then if @may_sleep.  Empty tables go to @freed if not NULL.
 */
static bool for_range(struct kvml_mmu *mmu, kvml_gfn gfn, kvml_gfn end,
		      entry_fn fn, bool may_sleep, struct list_head *freed)
{
	bool result = false;

	while (gfn < end) {
		int level;
		u64 *entry = find_entry(mmu, gfn, 2, &level);
		kvml_gfn next = min(end, (gfn | (level_gfns(level) - 1)) + 1);

		if (level == 2) {
			result |= for_level2(mmu, entry, gfn, next, fn);
			if (freed)
				prune_tables(mmu, gfn, freed);
			if (may_sleep)
				cond_resched_lock(&mmu->lock);
		}
		gfn = next;
	}
	return result;
}

bool kvml_mmu_flush_due(struct kvml_vm *vm)
{
	return READ_ONCE(vm->mmu.zapped) != READ_ONCE(vm->mmu.flushed);
}

void kvml_mmu_flush(struct kvml_vm *vm)
{
	struct kvml_mmu *mmu = &vm->mmu;
	unsigned long zapped = READ_ONCE(mmu->zapped);

	kvml_vm_request(vm, KVML_REQ_FLUSH_TLB, true);

	spin_lock(&mmu->lock);
	if ((long)(zapped - mmu->flushed) > 0)
		WRITE_ONCE(mmu->flushed, zapped);
	vm->mmu.stat.remote_tlb_flush++;
	spin_unlock(&mmu->lock);
}

void kvml_mmu_zap(struct kvml_vm *vm, kvml_gfn start, kvml_gfn end)
{
	struct kvml_mmu *mmu = &vm->mmu;
	LIST_HEAD(freed);

	spin_lock(&mmu->lock);
	for_range(mmu, start, end, zap_entry, true, &freed);
	spin_unlock(&mmu->lock);
	kvml_mmu_flush_if_due(vm);
	free_tables(&freed);
}

void kvml_mmu_zap_slot(struct kvml_vm *vm, struct kvml_slot *slot)
{
	kvml_mmu_zap(vm, slot->base, slot->base + slot->npages);
}

void kvml_mmu_protect_slot(struct kvml_vm *vm, struct kvml_slot *slot)
{
	struct kvml_mmu *mmu = &vm->mmu;

	spin_lock(&mmu->lock);
	for_range(mmu, slot->base, slot->base + slot->npages, protect_entry, true, NULL);
	spin_unlock(&mmu->lock);
	kvml_mmu_flush_if_due(vm);
}

bool kvml_mmu_protect_bits(struct kvml_vm *vm, struct kvml_slot *slot,
			   unsigned long first, unsigned long n,
			   const unsigned long *bits)
{
	struct kvml_mmu *mmu = &vm->mmu;
	kvml_gfn base = slot->base + first;
	unsigned long bit, end;
	int level;

	spin_lock(&mmu->lock);
	for (bit = find_first_bit(bits, n); bit < n;
	     bit = find_next_bit(bits, n, end)) {
		u64 *entry = find_entry(mmu, base + bit, 2, &level);

		/* As far as the entry goes. */
		end = ((base + bit) | (level_gfns(level) - 1)) + 1 - base;
		if (level == 2 && !is_table(mmu->fmt, *entry, 2))
			protect_entry(mmu, entry, 2);
		else if (level == 2)
			protect_leaves(mmu, entry_table(*entry), base, bit, min(n, end), bits);
	}
	spin_unlock(&mmu->lock);
	return kvml_mmu_flush_due(vm);
}

void kvml_mmu_invalidate_start(struct kvml_backing *b, unsigned long start,
			       unsigned long end, bool may_sleep)
{
	struct kvml_mmu *mmu = &b->vm->mmu;
	unsigned long zapped;
	kvml_gfn first, behind;

	kvml_backing_gfns(b, start, end, &first, &behind);
	spin_lock(&mmu->lock);
	b->taken_start = b->taken ? min(b->taken_start, start) : start;
	b->taken_end = b->taken ? max(b->taken_end, end) : end;
	b->taken++;
	zapped = mmu->zapped;
	for_range(mmu, first, behind, zap_entry, may_sleep, NULL);
	b->vm->mmu.stat.mmu_unmapped += mmu->zapped - zapped;
	spin_unlock(&mmu->lock);
}

void kvml_mmu_invalidate_end(struct kvml_backing *b)
{
	struct kvml_mmu *mmu = &b->vm->mmu;

	spin_lock(&mmu->lock);
	WRITE_ONCE(mmu->notifier_seq, mmu->notifier_seq + 1);
	b->taken--;
	spin_unlock(&mmu->lock);
}

static bool any_young(struct kvml_mmu *mmu, kvml_gfn start, kvml_gfn end, entry_fn fn)
{
	bool young;

	spin_lock(&mmu->lock);
	young = for_range(mmu, start, end, fn, false, NULL);
	spin_unlock(&mmu->lock);
	return young;
}

bool kvml_mmu_age_range(struct kvml_vm *vm, kvml_gfn start, kvml_gfn end)
{
	return any_young(&vm->mmu, start, end, age_entry);
}

bool kvml_mmu_test_young(struct kvml_vm *vm, kvml_gfn start, kvml_gfn end)
{
	return any_young(&vm->mmu, start, end, entry_young);
}

/* ---- MMIO ---- */

static u64 mmio_entry(const struct kvml_pt_format *fmt, u32 generation)
{
	return fmt->mmio | (u64)generation << PAGE_SHIFT;
}

bool kvml_mmu_is_mmio(struct kvml_vcpu *vcpu, u64 gpa)
{
	struct kvml_vm *vm = vcpu->vm;
	struct kvml_mmu *mmu = &vm->mmu;
	u32 generation = kvml_slots_generation(vm);
	u64 entry;
	int level;

	if (vcpu->mmio_gfn == gpa >> PAGE_SHIFT && vcpu->mmio_generation == generation)
		return true;
	if (!mmu->fmt->mmio)
		return false;
	/* Tables may be freed, but for the lock. */
	spin_lock(&mmu->lock);
	entry = *find_entry(mmu, gpa >> PAGE_SHIFT, 1, &level);
	spin_unlock(&mmu->lock);
	if (level != 1 || entry != mmio_entry(mmu->fmt, generation))
		return false;
	vcpu->mmio_gfn = gpa >> PAGE_SHIFT;
	vcpu->mmio_generation = generation;
	return true;
}

/*
 * @generation is that of the slots in which there is none for @gfn.  Only to
 * make the next access faster: failures do not matter.
 */
static void map_mmio(struct kvml_vcpu *vcpu, kvml_gfn gfn, u32 generation)
{
	struct kvml_mmu *mmu = &vcpu->vm->mmu;
	long tables;
	u64 *entry;
	int level;

	if (!mmu->fmt->mmio || gfn >= KVML_MAX_GFN || fill_spares(&vcpu->spares))
		return;

	spin_lock(&mmu->lock);
	entry = find_entry(mmu, gfn, 1, &level);
	if (level > 1 && !*entry && mmu->mmio_tables < MAX_MMIO_TABLES) {
		tables = atomic_long_read(&mmu->stat.tables);
		entry = make_entry(mmu, &vcpu->spares, gfn, 1);
		mmu->mmio_tables += atomic_long_read(&mmu->stat.tables) - tables;
		level = 1;
	}
	/* A leaf: there is a slot now. */
	if (level == 1 && !is_leaf(mmu->fmt, *entry))
		WRITE_ONCE(*entry, mmio_entry(mmu->fmt, generation));
	spin_unlock(&mmu->lock);
}

/* ---- faults ---- */

struct fault {
	struct kvml_vm *vm;
	struct kvml_spares *spares;
	struct kvml_slot *slot;
	kvml_gfn gfn;
	unsigned long hva;
	bool write;
	struct kvml_hostpage page;
};

/* Does the host take away, or has it taken, what it told?  Under mmu->lock. */
static bool is_stale(const struct kvml_mmu *mmu, const struct fault *f)
{
	unsigned long start = f->hva & (f->page.level == 2 ? PMD_MASK : PAGE_MASK);
	unsigned long end = start + (f->page.level == 2 ? PMD_SIZE : PAGE_SIZE);
	const struct kvml_backing *b = f->slot->backing;

	if (mmu->notifier_seq != f->page.seq)
		return true;
	return b->taken && b->taken_start < end && start < b->taken_end;
}

/*
 * What get_user_pages() would do with a page found by walking.  False: let it
 * decide, the page may be one that it refuses (memfd_secret).  The page cannot
 * go away: under mmu->lock and not stale.
 */
static bool touch_page(const struct fault *f)
{
	struct folio *folio = page_folio(pfn_to_page(f->page.pfn));
	unsigned long mapping = (unsigned long)READ_ONCE(folio->mapping);

	if (!(mapping & FOLIO_MAPPING_FLAGS) &&
	    mapping_unevictable((struct address_space *)mapping))
		return false;
	if (!folio_test_referenced(folio))
		folio_set_referenced(folio);
	return true;
}

/* Is a 2 MiB leaf right for this piece of the slot? */
static bool may_be_huge(const struct kvml_mmu *mmu, const struct fault *f)
{
	const struct kvml_slot *slot = f->slot;
	kvml_gfn first = round_down(f->gfn, ENTRIES);

	return mmu->fmt->huge && !slot->dirty && !(slot->flags & KVM_MEM_READONLY) &&
	       (slot->hva >> PAGE_SHIFT) % ENTRIES == slot->base % ENTRIES &&
	       first >= slot->base && first + ENTRIES <= slot->base + slot->npages;
}

/* A large leaf comes in place of a table. */
static void replace_table(struct kvml_mmu *mmu, u64 *entry, struct list_head *freed)
{
	u64 *table = entry_table(*entry);
	int i;

	for (i = 0; i < ENTRIES; i++)
		if (table[i])
			zap_leaf(mmu, &table[i], 1);
	unhook_table(mmu, entry, freed);
}

/* @level: of the leaf; must hold mmu->lock. */
static void set_leaf(struct kvml_mmu *mmu, const struct fault *f, u64 *entry, int level)
{
	const struct kvml_pt_format *fmt = mmu->fmt;
	unsigned long pfn = f->page.pfn & ~(level_gfns(level) - 1);
	u64 old = *entry;
	u64 new = ((u64)pfn << PAGE_SHIFT) | fmt->leaf | fmt->accessed |
		  (f->page.device ? fmt->memtype_uc : fmt->memtype_wb) |
		  (level == 2 ? LARGE : 0);

	if (f->page.writable)
		new |= fmt->write | fmt->dirty;
	if (f->page.device)
		WRITE_ONCE(mmu->device, true);
	if (is_leaf(fmt, old) && !((old ^ new) & ADDRESS_MASK)) {
		/* Another vCPU was faster, or it becomes writable. */
		if (f->page.writable && !(old & fmt->write))
			WRITE_ONCE(*entry, new);
		return;
	}
	if (old)
		zap_leaf(mmu, entry, level);
	WRITE_ONCE(*entry, new);
	atomic_long_inc(leaf_counter(mmu, level));
}

/*
 * Maps what was resolved.  1: done; 0: it is stale, the guest may try again;
 * -EAGAIN: resolve again.  Must hold mmu->lock.
 */
static int map_locked(struct kvml_mmu *mmu, struct fault *f, struct list_head *freed)
{
	int level;
	u64 *entry;

	if (is_stale(mmu, f))
		return 0;
	if (!f->page.vetted && !touch_page(f)) {
		f->page.vetted = true;
		return -EAGAIN;
	}
	if (f->slot->flags & KVM_MEM_READONLY)
		f->page.writable = false;
	/* The log wants to know of the first write. */
	if (f->slot->dirty && !f->write)
		f->page.writable = false;

	level = f->page.level == 2 && may_be_huge(mmu, f) ? 2 : 1;
	entry = make_entry(mmu, f->spares, f->gfn, level);
	if (is_table(mmu->fmt, *entry, level))
		replace_table(mmu, entry, freed);
	set_leaf(mmu, f, entry, level);
	/* Together with the leaf, for kvml_mmu_protect_bits(). */
	if (f->write)
		kvml_slot_mark_dirty(f->slot, f->gfn);
	return 1;
}

static int map(struct fault *f)
{
	struct kvml_mmu *mmu = &f->vm->mmu;
	unsigned long zapped;
	LIST_HEAD(freed);
	bool flush;
	int r;

	r = fill_spares(f->spares);
	if (r)
		return r;
	spin_lock(&mmu->lock);
	zapped = mmu->zapped;
	r = map_locked(mmu, f, &freed);
	flush = mmu->zapped != zapped;
	spin_unlock(&mmu->lock);
	if (unlikely(flush)) {
		kvml_mmu_flush(f->vm);
		free_tables(&freed);
	}
	return r;
}

int kvml_mmu_fault(struct kvml_vcpu *vcpu, u64 gpa, u32 access)
{
	struct kvml_vm *vm = vcpu->vm;
	u32 generation = kvml_slots_generation(vm);
	struct fault f = {
		.vm = vm,
		.spares = &vcpu->spares,
		.gfn = gpa >> PAGE_SHIFT,
		.write = access & KVML_ACCESS_WRITE,
	};
	int r;

	vcpu->stat.pf_taken++;
	f.slot = kvml_slot_lookup(vcpu, f.gfn);
	if (!f.slot) {
		map_mmio(vcpu, f.gfn, generation);
		return KVML_FAULT_MMIO;
	}
	if (unlikely(f.slot->flags & KVML_SLOT_INVALID)) {
		vcpu->stat.pf_retried++;
		cond_resched();
		return 1;
	}
	if (f.write && (f.slot->flags & KVM_MEM_READONLY))
		return KVML_FAULT_MMIO;

	f.hva = kvml_slot_hva(f.slot, f.gfn);
	do {
		r = kvml_hostpage_find(vm, f.hva, f.write, &f.page);
		if (!r)
			r = map(&f);
	} while (r == -EAGAIN && !signal_pending(current));

	/* As if the VMM had touched it. The signal ends KVM_RUN. */
	if (unlikely(r == -EHWPOISON)) {
		send_sig_mceerr(BUS_MCEERR_AR, (void __user *)f.hva, PAGE_SHIFT, current);
		return 1;
	}
	if (r > 0) {
		vcpu->stat.pf_fixed++;
	} else if (!r || r == -EAGAIN) {
		vcpu->stat.pf_retried++;
		cond_resched();
		r = 1;
	}
	return r;
}

int kvml_mmu_init(struct kvml_vm *vm)
{
	struct kvml_mmu *mmu = &vm->mmu;

	spin_lock_init(&mmu->lock);
	mmu->root = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!mmu->root)
		return -ENOMEM;
	count_table(mmu, mmu->root, 1);
	return 0;
}

void kvml_mmu_free(struct kvml_vm *vm)
{
	free_tree(&vm->mmu, vm->mmu.root, ROOT_LEVEL);
}

void kvml_mmu_vcpu_free(struct kvml_vcpu *vcpu)
{
	struct kvml_spares *spares = &vcpu->spares;

	while (spares->nr)
		free_page((unsigned long)spares->table[--spares->nr]);
}
