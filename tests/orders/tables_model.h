/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For tables_orders.c: the VM, the host, the CPUs, what is mapped, and what must hold.
 */
#ifndef _TABLES_MODEL_H
#define _TABLES_MODEL_H

/* ---- formats: SDM volume 3, tables 29-2 to 29-7; APM volume 2, 15.25 ---- */

#define EPT_FORMAT							\
	.table = 0x7, .leaf = 0x5, .write = 0x2,			\
	.memtype_wb = 6 << 3 | BIT(6), .present = 0x7, .mmio = 0x6, .huge = true

static const struct kvml_pt_format ept = {
	EPT_FORMAT, .accessed = BIT(8), .dirty = BIT(9),
};

static const struct kvml_pt_format ept_without_ad = { EPT_FORMAT };

static const struct kvml_pt_format npt = {
	.table = 0x7, .leaf = 0x5, .write = 0x2, .accessed = 0x20,
	.dirty = 0x40, .memtype_uc = 0x18, .present = 0x1,
	.mmio = BIT_ULL(51) | 0x7, .huge = true,
};

/* ---- the VM ---- */

/* A slot of 2 MiB and one page, and another one of one page. */
#define HVA	0x7f0000000000ul
#define BASE	512ul
#define NPAGES	513ul
#define OTHER	(512 + 300)

/*
 * Pages that are looked at: the first and the last of the 2 MiB, the next one, and
 * the other slot's.
 */
enum { A, B, C, D, SEEN };

static const kvml_gfn gfn_of[] = { BASE, BASE + 511, BASE + 512, BASE + OTHER };

/* No memory: the second one shares no table with the slots. */
static const kvml_gfn mmio_gfn[] = { BASE + OTHER + 1, BIT_ULL(27) };

static struct kvml_vm vm;
static struct kvml_slot slot, other_slot;
static u32 generation;
static struct kvml_vcpu vcpus[4];	/* by the depth of their calls */
static unsigned long dirty_log[NPAGES / BITS_PER_LONG + 1];
static const struct kvml_pt_format *fmt;

/* ---- the host ---- */

static struct {
	unsigned long pfn;
	bool dirty;		/* and writable */
	unsigned int taken;	/* times */
} host[SEEN];

static bool host_huge;		/* A to B are a huge page */
static unsigned long frames;
static struct folio folios[2];

/* Has been asked for with get_user_pages(), last. */
static bool vetted;

static void host_new_page(int i)
{
	host[i].pfn = (++frames << 10) + i + 1;
	host[i].dirty = false;
}

static void host_new_piece(bool huge)
{
	int i;

	host_huge = huge;
	frames++;
	for (i = A; i <= B; i++) {
		host[i].pfn = (frames << 10) + (huge ? gfn_of[i] % 512 : i + 1);
		host[i].dirty = false;
	}
}

static struct folio *pfn_to_page(unsigned long pfn)
{
	struct folio *folio = &folios[!host_huge && pfn == host[B].pfn];

	folio->pfn = pfn;
	folio->mapping = (unsigned long)folio;
	return folio;
}

/* B, while it is small, is of a file that get_user_pages() has to be asked about. */
static bool mapping_unevictable(const struct address_space *mapping)
{
	return mapping == (const void *)&folios[1];
}

/* ---- pausing a call ---- */

enum pause { RUN, LOOKED, LOCK, RESCHED, FLUSHING, FLUSHED };

static enum pause pause_at;
/* Calls in progress, and whether one came between another. */
static unsigned int depth;
static bool disturbed;

static bool must_not_sleep;

static void reached(enum pause where)
{
	bool atomic = must_not_sleep;

	if (pause_at != where)
		return;
	pause_at = RUN;
	disturbed = true;
	must_not_sleep = false;
	orders_inner();
	must_not_sleep = atomic;
}

static void before_lock(void)
{
	reached(LOCK);
}

static void cond_resched_lock(spinlock_t *lock)
{
	FUZZ_CHECK(!must_not_sleep, "sleeps");
	spin_unlock(lock);
	reached(RESCHED);
	spin_lock(lock);
}

/* ---- the CPUs: what they may know since they were last told to forget ---- */

#define KNOWN	8

static struct {
	unsigned int n;
	struct { unsigned long pfn; bool write; } translation[KNOWN];
} known[SEEN];

static bool cpus_run;

static bool entry_is_mmio(u64 entry)
{
	return (entry & ~(((1ull << 32) - 1) << 12)) == fmt->mmio;
}

/* The last entry of a walk, and its level; 0 if it translates nothing. */
static u64 walk(kvml_gfn gfn, int *level)
{
	u64 *table = vm.mmu.root, entry;

	for (*level = 4; ; --*level) {
		struct page *page = virt_to_page(table);

		FUZZ_CHECK(page->used, "a table is freed that is linked");
		page->known = true;
		entry = table[gfn >> (9 * (*level - 1)) & 511];
		if (!(entry & fmt->present) || entry_is_mmio(entry))
			return 0;
		if (*level == 1 || entry & BIT(7))
			return entry;
		table = __va(entry & GENMASK_ULL(51, 12));
	}
}

static unsigned long entry_pfn(u64 entry, int level, kvml_gfn gfn)
{
	return (entry & GENMASK_ULL(51, 12)) / PAGE_SIZE +
	       (level == 2 ? gfn % 512 : 0);
}

static void know(int i, unsigned long pfn, bool write)
{
	unsigned int k;

	for (k = 0; k < known[i].n; k++) {
		if (known[i].translation[k].pfn != pfn)
			continue;
		known[i].translation[k].write |= write;
		return;
	}
	FUZZ_CHECK(k < KNOWN, "too many");
	known[i].translation[k].pfn = pfn;
	known[i].translation[k].write = write;
	known[i].n++;
}

static void cpu_walks(void)
{
	unsigned int i;
	int level;

	if (!cpus_run)
		return;
	for (i = 0; i < SEEN; i++) {
		u64 entry = walk(gfn_of[i], &level);

		if (entry)
			know(i, entry_pfn(entry, level, gfn_of[i]),
			     entry & fmt->write);
	}
	for (i = 0; i < ARRAY_SIZE(mmio_gfn); i++)
		FUZZ_CHECK(!walk(mmio_gfn[i], &level), "memory where there is none");
}

static void page_freed(const struct page *page)
{
	FUZZ_CHECK(!page->known || !cpus_run, "a table is freed that a CPU may know");
	FUZZ_CHECK(!page->shown, "a table is freed and still shown");
}

void kvml_vm_request(struct kvml_vm *of, unsigned int req, bool wait)
{
	unsigned int i;

	FUZZ_CHECK(!locks_held, "waits for CPUs with the lock held");
	FUZZ_CHECK(req == KVML_REQ_FLUSH_TLB, "request %u", req);
	reached(FLUSHING);
	if (wait) {
		memset(known, 0, sizeof(known));
		for (i = 0; i < ORDERS_PAGES; i++)
			pages[i].known = false;
	}
	cpu_walks();
	reached(FLUSHED);
}

/* ---- in place of memslot.c and hostpage.c ---- */

struct kvml_slot *kvml_slot_lookup(struct kvml_vcpu *of, kvml_gfn gfn)
{
	return gfn - slot.base < slot.npages ? &slot :
	       gfn == other_slot.base ? &other_slot : NULL;
}

static const struct kvml_slot *slot_of(int i)
{
	return i == D ? &other_slot : &slot;
}

u32 kvml_slots_generation(struct kvml_vm *of)
{
	return generation;
}

void kvml_slot_mark_dirty(struct kvml_slot *s, kvml_gfn gfn)
{
	if (s->dirty)
		set_bit(gfn - s->base, s->dirty);
}

static int page_of(kvml_gfn gfn)
{
	int i;

	for (i = 0; i < SEEN && gfn_of[i] != gfn; i++)
		;
	FUZZ_CHECK(i < SEEN, "gfn %llu is none of ours", gfn);
	return i;
}

/* In the next answer of the host, as if get_user_pages() had given one page. */
static bool tell_small;

/* While a page is taken the host may still have it. */
int kvml_hostpage_find(struct kvml_vm *of, unsigned long hva, bool write,
		       struct kvml_hostpage *page)
{
	int i = page_of(BASE + (hva - HVA) / PAGE_SIZE), k;
	bool huge = i < C && host_huge;

	page->seq = of->mmu.notifier_seq;
	page->level = huge && !tell_small ? 2 : 1;
	tell_small = tell_small && !huge;
	for (k = huge ? A : i; k <= (huge ? B : i); k++)
		host[k].dirty |= write;
	page->pfn = host[i].pfn;
	page->writable = host[i].dirty;
	page->device = i == C;
	if (page->device)
		page->vetted = true;
	vetted = page->vetted;
	reached(LOOKED);
	return 0;
}

/* ---- the model: what is mapped ---- */

enum right { NOTHING, READABLE, WRITABLE };

static struct {
	enum right right[SEEN];
	bool young[SEEN];
	bool large;		/* A to B, by one entry */
	bool mmio[2];
	u32 mmio_generation[2];
	u64 unmapped;		/* by the notifier */
} model;

static unsigned int model_leaves(void)
{
	unsigned int i, n = model.large;

	for (i = model.large ? C : A; i < SEEN; i++)
		n += model.right[i] != NOTHING;
	return n;
}

static void model_zap(int first, int last)
{
	int i;

	if (model.large && first < C) {
		first = A;
		if (last < B)
			last = B;
		model.large = false;
	}
	for (i = first; i <= last; i++) {
		model.right[i] = NOTHING;
		model.young[i] = false;
	}
}

static void model_protect(int i)
{
	if (model.large && i < C)
		model_zap(A, B);
	else if (model.right[i] == WRITABLE)
		model.right[i] = READABLE;
}

static void model_map(int i, bool write, bool huge)
{
	const struct kvml_slot *s = slot_of(i);
	bool read_only = s->flags & KVM_MEM_READONLY;
	bool large = i < C && huge && !s->dirty && !read_only;
	bool writable = host[i].dirty && !read_only && (write || !s->dirty);
	int k;

	if (i < C && large != model.large)
		model_zap(A, B);
	if (i < C)
		model.large = large;
	for (k = large ? A : i; k <= (large ? B : i); k++) {
		if (model.right[k] == NOTHING)
			model.young[k] = true;
		if (model.right[k] == WRITABLE)
			continue;
		model.right[k] = writable ? WRITABLE : READABLE;
		/* The entry is written anew. */
		model.young[k] |= writable;
	}
}

/* What came between calls nobody can tell; what is there now can be looked at. */
static void model_look(void)
{
	unsigned int i;
	int level;

	model.large = false;
	for (i = 0; i < SEEN; i++) {
		u64 entry = walk(gfn_of[i], &level);

		model.right[i] = !entry ? NOTHING :
				 entry & fmt->write ? WRITABLE : READABLE;
		model.young[i] = entry && (!fmt->accessed || entry & fmt->accessed);
		model.large |= entry && level == 2;
	}
	model.unmapped = vm.mmu.stat.mmu_unmapped;
}

/* ---- what must hold ---- */

/* Somebody is about to take rights for the log, and has not returned. */
static unsigned int log_calls;

static void check_known(void)
{
	unsigned int i, k;

	cpu_walks();
	for (i = 0; i < SEEN; i++) {
		const struct kvml_slot *s = slot_of(i);

		for (k = 0; k < known[i].n; k++) {
			unsigned long pfn = known[i].translation[k].pfn;
			bool write = known[i].translation[k].write;

			FUZZ_CHECK(!host[i].taken && pfn == host[i].pfn,
				   "gfn %llu: a CPU knows a page that the host has taken",
				   gfn_of[i]);
			if (!write)
				continue;
			FUZZ_CHECK(host[i].dirty &&
				   !(s->flags & KVM_MEM_READONLY),
				   "gfn %llu: a CPU may write", gfn_of[i]);
			FUZZ_CHECK(!s->dirty || log_calls ||
				   test_bit(gfn_of[i] - s->base, s->dirty),
				   "gfn %llu: a CPU may write unseen by the log",
				   gfn_of[i]);
		}
	}
}

struct count { long tables, small, large; };

/* All entries, by eights. */
__attribute__((__no_sanitize_address__))
static void count_entries(const u64 *table, int level, struct count *c)
{
	int i, k;

	c->tables++;
	for (i = 0; i < 512; i += 8) {
		if (!(table[i] | table[i + 1] | table[i + 2] | table[i + 3] |
		      table[i + 4] | table[i + 5] | table[i + 6] | table[i + 7]))
			continue;
		for (k = i; k < i + 8; k++) {
			u64 entry = table[k];

			if (!entry || entry_is_mmio(entry))
				continue;
			if (level > 1 && !(entry & BIT(7)))
				count_entries(__va(entry & GENMASK_ULL(51, 12)),
					      level - 1, c);
			else if (level == 1)
				c->small++;
			else
				c->large++;
		}
	}
}

static void check_counters(void)
{
	struct kvml_mmu *mmu = &vm.mmu;
	unsigned int spares = 0, i;
	struct count c = { };
	long shown = 0;

	count_entries(mmu->root, 4, &c);
	for (i = 0; i < ORDERS_PAGES; i++)
		shown += pages[i].used && pages[i].shown == 1;
	FUZZ_CHECK(shown == c.tables, "%ld tables, and %ld shown", c.tables, shown);
	FUZZ_CHECK(c.tables == atomic_long_read(&mmu->stat.tables),
		   "%ld tables, and %ld counted", c.tables,
		   atomic_long_read(&mmu->stat.tables));
	FUZZ_CHECK(c.small == atomic_long_read(&mmu->stat.pages_4k),
		   "%ld pages of 4 KiB, and %ld counted", c.small,
		   atomic_long_read(&mmu->stat.pages_4k));
	FUZZ_CHECK(c.large == atomic_long_read(&mmu->stat.pages_2m),
		   "%ld pages of 2 MiB, and %ld counted", c.large,
		   atomic_long_read(&mmu->stat.pages_2m));
	for (i = 0; i < ARRAY_SIZE(vcpus); i++)
		spares += vcpus[i].spares.nr;
	FUZZ_CHECK(pages_used == c.tables + spares,
		   "%u pages, for %ld tables and %u spare ones", pages_used,
		   c.tables, spares);
	FUZZ_CHECK(vm.mmu.stat.mmu_unmapped == model.unmapped,
		   "%llu pages unmapped, and %llu counted", model.unmapped,
		   vm.mmu.stat.mmu_unmapped);
	FUZZ_CHECK(c.small + c.large == model_leaves(), "%ld leaves, not %u",
		   c.small + c.large, model_leaves());
}

static void check_entry(int i)
{
	int level;
	u64 entry = walk(gfn_of[i], &level);
	u64 want = host[i].pfn * PAGE_SIZE | fmt->leaf |
		   (i == C ? fmt->memtype_uc : fmt->memtype_wb);

	if (model.large && i < C)
		want = (want & ~((u64)PMD_SIZE - 1)) | (want & (PAGE_SIZE - 1)) | BIT(7);
	if (model.right[i] == NOTHING)
		want = 0;
	if (model.right[i] == WRITABLE)
		want |= fmt->write;
	FUZZ_CHECK((entry & ~(fmt->accessed | fmt->dirty)) == want,
		   "gfn %llu: entry %llx, not %llx", gfn_of[i], entry, want);
	FUZZ_CHECK(!(entry & fmt->write) || (entry & fmt->dirty) == fmt->dirty,
		   "gfn %llu: the CPU would have to set D", gfn_of[i]);
	FUZZ_CHECK(kvml_mmu_test_young(&vm, gfn_of[i], gfn_of[i] + 1) == model.young[i],
		   "gfn %llu is %syoung", gfn_of[i], model.young[i] ? "not " : "");
}

static void check_mmio(int i)
{
	struct kvml_vcpu vcpu = { .vm = &vm, .mmio_gfn = ~0ull };
	bool want = model.mmio[i] &&
		    model.mmio_generation[i] == generation;

	FUZZ_CHECK(kvml_mmu_is_mmio(&vcpu, mmio_gfn[i] << PAGE_SHIFT) == want,
		   "gfn %llu: an MMIO entry is%s current", mmio_gfn[i],
		   want ? " not" : "");
}

static void check(void)
{
	unsigned int i, k;

	check_known();
	FUZZ_CHECK(!kvml_mmu_flush_due(&vm), "a flush is due");
	/* They know what is there and nothing else. */
	for (i = 0; i < SEEN; i++) {
		FUZZ_CHECK(known[i].n == (model.right[i] != NOTHING),
			   "gfn %llu: a CPU knows %u translations", gfn_of[i],
			   known[i].n);
		for (k = 0; k < known[i].n; k++)
			FUZZ_CHECK(known[i].translation[k].write ==
				   (model.right[i] == WRITABLE),
				   "gfn %llu: a CPU may still write", gfn_of[i]);
	}
	check_counters();
	for (i = 0; i < SEEN; i++)
		check_entry(i);
	for (i = 0; i < ARRAY_SIZE(mmio_gfn); i++)
		check_mmio(i);
}

#endif /* _TABLES_MODEL_H */
