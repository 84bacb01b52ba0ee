// SPDX-License-Identifier: GPL-2.0
/*
 * The table of a domain: entries are found wherever it grew and shrank between,
 * with hashes that collide; and the life of stable frames.
 */
#include <kunit/test.h>
#include <linux/prandom.h>
#include <linux/vmalloc.h>

#include "stable.c"

struct ksm_knobs ksm_knobs;

static struct address_space mapping;
static unsigned int freed;

void ksm_frame_free(struct page *page)
{
	freed++;
	page->mapping = NULL;
	page->private = 0;
	frame_folio(page)->index = 0;
	put_page(page);
}

/* Room for nine segments: the directory has to grow. */
#define ENTRIES		10000

static struct ksm_table *table;
/* Entries are but their fields: no memory is behind them. */
static struct page *pages;

static int ksm_table_test_init(struct kunit *test)
{
	freed = 0;
	table = kunit_kzalloc(test, sizeof(*table), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, table);
	pages = vzalloc(ENTRIES * sizeof(*pages));
	KUNIT_ASSERT_NOT_NULL(test, pages);
	KUNIT_ASSERT_EQ(test, ksm_table_init(table), 0);
	return 0;
}

/* Whatever a test left, the table is to be empty when it goes. */
static void ksm_table_test_exit(struct kunit *test)
{
	unsigned int i;

	for (i = 0; pages && table && i < ENTRIES; i++)
		if (!hlist_unhashed(page_node(&pages[i])))
			ksm_table_del(table, &pages[i]);
	if (table)
		ksm_table_destroy(table);
	vfree(pages);
	pages = NULL;
	table = NULL;
}

static void add(unsigned int i, u64 hash)
{
	ksm_table_prepare(table, 1);
	pages[i].private = hash;
	spin_lock(&table->lock);
	ksm_table_add(table, &pages[i]);
	spin_unlock(&table->lock);
}

static void del(unsigned int i)
{
	spin_lock(&table->lock);
	ksm_table_del(table, &pages[i]);
	spin_unlock(&table->lock);
}

static bool find(unsigned int i)
{
	struct hlist_node *node;
	bool found = false;

	spin_lock(&table->lock);
	node = ksm_table_bucket(table, pages[i].private)->first;
	for (; node && !found; node = node->next)
		found = node_page(node) == &pages[i];
	spin_unlock(&table->lock);
	return found;
}

/* Each chain holds what belongs to it, and all chains what was added. */
static void expect_sound(struct kunit *test, unsigned long entries)
{
	unsigned long nr, seen = 0, wrong = 0;
	struct hlist_node *node;

	KUNIT_EXPECT_EQ(test, table->nr_entries, entries);
	KUNIT_EXPECT_GE(test, table->nr_buckets, KSM_SEGMENT_BUCKETS);
	KUNIT_EXPECT_LE(test, table->nr_buckets,
			table->nr_segments * KSM_SEGMENT_BUCKETS);
	KUNIT_EXPECT_LE(test, table->nr_segments, table->max_segments);
	spin_lock(&table->lock);
	for (nr = 0; nr < table->nr_buckets; nr++) {
		node = table_bucket_nr(table, nr)->first;
		for (; node; node = node->next) {
			seen++;
			wrong += table_index(table, node_page(node)->private) != nr;
		}
	}
	spin_unlock(&table->lock);
	KUNIT_EXPECT_EQ(test, seen, entries);
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* The buckets that linear hashing (Litwin, 1980) has, by its own definition. */
static void ksm_table_index_test(struct kunit *test)
{
	unsigned long nr;
	u64 hash;

	for (nr = 512; nr < 2100; nr++) {
		unsigned long round = nr >= 2048 ? 2048 : nr >= 1024 ? 1024 : 512;

		table->nr_buckets = nr;
		for (hash = 0; hash < 5000; hash += 13) {
			unsigned long want = hash % (2 * round);

			if (want >= nr)
				want = hash % round;
			KUNIT_ASSERT_EQ(test, table_index(table, hash), want);
		}
	}
	table->nr_buckets = KSM_SEGMENT_BUCKETS;
}

struct hashes_case {
	const char *text;
	u64 (*hash)(unsigned int i);
	unsigned int n;
};

static u64 hash_spread(unsigned int i)
{
	return i * 0x9e3779b97f4a7c15ull;
}

static u64 hash_same(unsigned int i)
{
	return 42;
}

static u64 hash_few(unsigned int i)
{
	return i % 7;
}

/* Alike in all bits that a table of this size looks at. */
static u64 hash_high(unsigned int i)
{
	return (u64)i << 32 | 0x1ff;
}

static u64 hash_ones(unsigned int i)
{
	return ~(u64)i;
}

static const struct hashes_case hashes_cases[] = {
	{ "spread", hash_spread, ENTRIES },
	{ "counting down", hash_ones, ENTRIES },
	{ "all the same", hash_same, 3000 },
	{ "seven of them", hash_few, 3000 },
	{ "different in high bits only", hash_high, 3000 },
};

static void hashes_desc(const struct hashes_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", c->text);
}

KUNIT_ARRAY_PARAM(hashes, hashes_cases, hashes_desc);

/* All in, every third out, all the others found, all out. */
static void ksm_table_fill_test(struct kunit *test)
{
	const struct hashes_case *c = test->param_value;
	unsigned int i, lost = 0, out = 0;

	for (i = 0; i < c->n; i++)
		add(i, c->hash(i));
	expect_sound(test, c->n);
	KUNIT_EXPECT_LE(test, table->nr_entries,
			table->nr_buckets * KSM_TABLE_LOAD);
	for (i = 0; i < c->n; i += 3, out++)
		del(i);
	expect_sound(test, c->n - out);
	for (i = 0; i < c->n; i++)
		lost += i % 3 && (i < 200 || i % 50 == 0) && !find(i);
	KUNIT_EXPECT_EQ(test, lost, 0);
	for (i = 0; i < c->n; i++)
		if (i % 3)
			del(i);
	expect_sound(test, 0);
	KUNIT_EXPECT_EQ(test, table->nr_buckets, KSM_SEGMENT_BUCKETS);
}

static void ksm_table_random_test(struct kunit *test)
{
	struct rnd_state rnd;
	unsigned long in = 0;
	unsigned int step, i;

	prandom_seed_state(&rnd, 1);
	for (step = 0; step < 40000; step++) {
		/* First more come than go, then more go than come. */
		bool more = prandom_u32_state(&rnd) % 8 <
			    (step / 8000 % 2 ? 2 : 6);

		i = prandom_u32_state(&rnd) % 4000;
		if (hlist_unhashed(page_node(&pages[i])) == more) {
			if (more)
				add(i, prandom_u32_state(&rnd) % 3000);
			else
				del(i);
			in += more ? 1 : -1;
		}
		if (step % 4000 == 0)
			expect_sound(test, in);
	}
	expect_sound(test, in);
}

/* Memory that a domain needed once is given back, but for the directory. */
static void ksm_table_memory_test(struct kunit *test)
{
	unsigned long before = ksm_table_bytes(table);
	unsigned int i;

	KUNIT_EXPECT_EQ(test, before, PAGE_SIZE + 8 * sizeof(void *));
	for (i = 0; i < ENTRIES; i++)
		add(i, hash_spread(i));
	KUNIT_EXPECT_EQ(test, table->nr_segments,
			DIV_ROUND_UP(ENTRIES, KSM_SEGMENT_BUCKETS * KSM_TABLE_LOAD));
	KUNIT_EXPECT_EQ(test, table->max_segments, 16);
	for (i = 0; i < ENTRIES; i++)
		del(i);
	KUNIT_EXPECT_EQ(test, table->nr_segments, 1);
	KUNIT_EXPECT_EQ(test, ksm_table_bytes(table), before + 8 * sizeof(void *));
}

/* Without memory chains get longer, nothing else. */
static void ksm_table_no_room_test(struct kunit *test)
{
	unsigned int i, lost = 0;

	spin_lock(&table->lock);
	for (i = 0; i < 4000; i++) {
		pages[i].private = hash_spread(i);
		ksm_table_add(table, &pages[i]);
	}
	spin_unlock(&table->lock);
	KUNIT_EXPECT_EQ(test, table->nr_segments, 1);
	expect_sound(test, 4000);
	for (i = 0; i < 4000; i += 9)
		lost += !find(i);
	KUNIT_EXPECT_EQ(test, lost, 0);
}

/* ---- stable frames ---- */

static struct page *stable_new(struct kunit *test)
{
	struct page *page = alloc_page(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	INIT_HLIST_NODE(page_node(page));
	page->private = 5;
	page->mapping = &mapping;
	table->nr_candidates++;
	spin_lock(&table->lock);
	ksm_table_add(table, page);
	ksm_stable_make(table, page);
	spin_unlock(&table->lock);
	return page;
}

static bool stable_get(struct page *page)
{
	bool got;

	spin_lock(&table->lock);
	got = ksm_stable_get(table, page);
	spin_unlock(&table->lock);
	return got;
}

/* The page of a candidate changes: nobody finds it any more. */
static void ksm_candidate_del_test(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, find(3));
	pages[3].mapping = &mapping;
	add(3, 17);
	table->nr_candidates++;
	KUNIT_EXPECT_TRUE(test, find(3));
	KUNIT_EXPECT_FALSE(test, page_stable(&pages[3]));
	ksm_candidate_del(table, &pages[3]);
	KUNIT_EXPECT_FALSE(test, find(3));
	KUNIT_EXPECT_EQ(test, table->nr_candidates, 0);
	KUNIT_EXPECT_EQ(test, table->nr_entries, 0);
}

static void ksm_stable_life_test(struct kunit *test)
{
	struct page *page = stable_new(test);

	ksm_knobs.max_page_sharing = 256;
	KUNIT_EXPECT_TRUE(test, page_stable(page));
	KUNIT_EXPECT_EQ(test, table->nr_stable, 1);
	KUNIT_EXPECT_EQ(test, table->nr_candidates, 0);
	KUNIT_EXPECT_TRUE(test, stable_get(page));
	KUNIT_EXPECT_TRUE(test, stable_get(page));
	KUNIT_EXPECT_EQ(test, atomic_long_read(stable_sharers(page)), 3);
	KUNIT_EXPECT_EQ(test, page_count(page), 3);
	ksm_stable_put(table, page);
	ksm_stable_put(table, page);
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	KUNIT_EXPECT_EQ(test, freed, 0);
	KUNIT_EXPECT_EQ(test, table->nr_entries, 1);
	ksm_stable_put(table, page);
	KUNIT_EXPECT_EQ(test, freed, 1);
	KUNIT_EXPECT_EQ(test, table->nr_entries, 0);
	KUNIT_EXPECT_EQ(test, table->nr_stable, 0);
}

/* Full at @max sharers; back in the table when half of them are gone. */
static void stable_limit(struct kunit *test, unsigned int max)
{
	struct page *page = stable_new(test);
	unsigned int n;

	ksm_knobs.max_page_sharing = max;
	freed = 0;
	for (n = 1; n < max; n++)
		KUNIT_EXPECT_TRUE(test, stable_get(page));
	KUNIT_EXPECT_FALSE(test, hlist_unhashed(page_node(page)));
	KUNIT_EXPECT_FALSE(test, stable_get(page));
	KUNIT_EXPECT_TRUE(test, hlist_unhashed(page_node(page)));
	KUNIT_EXPECT_EQ(test, table->nr_entries, 0);
	for (n = max; n > max / 2 + 1; n--) {
		ksm_stable_put(table, page);
		KUNIT_EXPECT_TRUE(test, hlist_unhashed(page_node(page)));
	}
	ksm_stable_put(table, page);
	KUNIT_EXPECT_EQ(test, freed, 0);
	KUNIT_EXPECT_FALSE(test, hlist_unhashed(page_node(page)));
	KUNIT_EXPECT_EQ(test, table->nr_entries, 1);
	for (n = max / 2; n; n--)
		ksm_stable_put(table, page);
	KUNIT_EXPECT_EQ(test, freed, 1);
	KUNIT_EXPECT_EQ(test, table->nr_entries, 0);
}

static void ksm_stable_limit_test(struct kunit *test)
{
	stable_limit(test, 8);
	stable_limit(test, 9);
	stable_limit(test, 256);
}

/* A lower limit holds for those that have more already. */
static void ksm_stable_lower_limit_test(struct kunit *test)
{
	struct page *page = stable_new(test);
	unsigned int n;

	ksm_knobs.max_page_sharing = 100;
	for (n = 1; n < 50; n++)
		KUNIT_EXPECT_TRUE(test, stable_get(page));
	ksm_knobs.max_page_sharing = 10;
	KUNIT_EXPECT_FALSE(test, stable_get(page));
	for (; n; n--)
		ksm_stable_put(table, page);
	KUNIT_EXPECT_EQ(test, freed, 1);
	KUNIT_EXPECT_EQ(test, table->nr_entries, 0);
	KUNIT_EXPECT_EQ(test, table->nr_stable, 0);
}

static struct kunit_case ksm_table_cases[] = {
	KUNIT_CASE(ksm_table_index_test),
	KUNIT_CASE_PARAM(ksm_table_fill_test, hashes_gen_params),
	KUNIT_CASE(ksm_table_random_test),
	KUNIT_CASE(ksm_table_memory_test),
	KUNIT_CASE(ksm_table_no_room_test),
	KUNIT_CASE(ksm_candidate_del_test),
	KUNIT_CASE(ksm_stable_life_test),
	KUNIT_CASE(ksm_stable_limit_test),
	KUNIT_CASE(ksm_stable_lower_limit_test),
	{ }
};

static struct kunit_suite ksm_table_suite = {
	.name = "ksmdev_table",
	.init = ksm_table_test_init,
	.exit = ksm_table_test_exit,
	.test_cases = ksm_table_cases,
};

kunit_test_suite(ksm_table_suite);

MODULE_DESCRIPTION("Tests of ksmdev's table of contents");
MODULE_LICENSE("GPL");
