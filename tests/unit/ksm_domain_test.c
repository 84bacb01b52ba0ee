// SPDX-License-Identifier: GPL-2.0
/* Domains: who gets which one, keys, frames of zeroes, what is given back. */
#include <kunit/test.h>

#include "content.c"
#include "domain.c"

#define ALICE	KUIDT_INIT(1000)
#define BOB	KUIDT_INIT(1001)

/* Set by a test: the parts of a domain that cannot be had. */
static int table_error;
static unsigned int tables, passes;
static struct page *freed;

int ksm_table_init(struct ksm_table *t)
{
	tables += !table_error;
	return table_error;
}

void ksm_table_destroy(struct ksm_table *t)
{
	tables--;
}

unsigned long ksm_table_bytes(const struct ksm_table *t)
{
	return 4096;
}

void ksm_pass_init(struct ksm_domain *d)
{
	passes++;
}

void ksm_pass_exit(struct ksm_domain *d)
{
	passes--;
}

/* An area's spares are a number here. */
unsigned long ksm_spares_drop(struct ksm_spares *s, unsigned long max)
{
	unsigned int nr = min_t(unsigned long, max, s->nr_dirty);

	s->nr_dirty -= nr;
	return nr;
}

void ksm_frame_free(struct page *page)
{
	freed = page;
	page->mapping = NULL;
	__free_page(page);
}

static void count(struct ksm_domain *d, void *arg)
{
	++*(unsigned int *)arg;
}

/* Reclaim goes on to up to two domains. */
static bool count_two(struct ksm_domain *d, void *arg)
{
	return ++*(unsigned int *)arg < 2;
}

static unsigned int domains_count(void)
{
	unsigned int n = 0;

	ksm_domain_for_each(count, &n);
	return n;
}

static int ksm_domain_test_init(struct kunit *test)
{
	table_error = 0;
	freed = NULL;
	return 0;
}

/* Whatever a test made is gone after it. */
static void ksm_domain_test_exit(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, domains_count(), 0);
	KUNIT_EXPECT_EQ(test, tables, 0);
	KUNIT_EXPECT_EQ(test, passes, 0);
}

static void ksm_domain_of_uid_test(struct kunit *test)
{
	struct ksm_domain *alice = ksm_domain_of_uid(ALICE);
	struct ksm_domain *again = ksm_domain_of_uid(ALICE);
	struct ksm_domain *bob = ksm_domain_of_uid(BOB);

	KUNIT_ASSERT_NOT_NULL(test, alice);
	KUNIT_ASSERT_NOT_NULL(test, bob);
	KUNIT_EXPECT_PTR_EQ(test, again, alice);
	KUNIT_EXPECT_PTR_NE(test, bob, alice);
	KUNIT_EXPECT_NE(test, bob->id, alice->id);
	KUNIT_EXPECT_EQ(test, domains_count(), 2);

	ksm_domain_put(again);
	KUNIT_EXPECT_EQ(test, domains_count(), 2);
	ksm_domain_put(alice);
	KUNIT_EXPECT_EQ(test, domains_count(), 1);
	ksm_domain_put(bob);
}

/* One that is gone does not come back: its number and its key are new. */
static void ksm_domain_again_test(struct kunit *test)
{
	struct ksm_domain *d = ksm_domain_of_uid(ALICE);
	u64 id, key;

	KUNIT_ASSERT_NOT_NULL(test, d);
	id = d->id;
	key = d->key.page[0];
	ksm_domain_put(d);
	d = ksm_domain_of_uid(ALICE);
	KUNIT_ASSERT_NOT_NULL(test, d);
	KUNIT_EXPECT_GT(test, d->id, id);
	KUNIT_EXPECT_NE(test, d->key.page[0], key);
	ksm_domain_put(d);
}

/* Nobody is given a private domain, not even who asks for nobody's. */
static void ksm_domain_private_test(struct kunit *test)
{
	struct ksm_domain *one = ksm_domain_new(INVALID_UID);
	struct ksm_domain *two = ksm_domain_new(INVALID_UID);
	struct ksm_domain *found;

	KUNIT_ASSERT_NOT_NULL(test, one);
	KUNIT_ASSERT_NOT_NULL(test, two);
	KUNIT_EXPECT_PTR_NE(test, one, two);
	found = ksm_domain_of_uid(INVALID_UID);
	KUNIT_ASSERT_NOT_NULL(test, found);
	KUNIT_EXPECT_PTR_NE(test, found, one);
	KUNIT_EXPECT_PTR_NE(test, found, two);
	ksm_domain_put(found);
	ksm_domain_put(one);
	ksm_domain_put(two);
}

/* The same page has another hash in each domain; a key is odd where it must be. */
static void ksm_domain_keys_test(struct kunit *test)
{
	struct ksm_domain *alice = ksm_domain_of_uid(ALICE);
	struct ksm_domain *bob = ksm_domain_of_uid(BOB);
	u64 *page = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_ASSERT_NOT_NULL(test, alice);
	KUNIT_ASSERT_NOT_NULL(test, bob);
	page[17] = 0x1234;
	KUNIT_EXPECT_EQ(test, ksm_content_hash(page, &alice->key),
			ksm_content_hash(page, &alice->key));
	KUNIT_EXPECT_NE(test, ksm_content_hash(page, &alice->key),
			ksm_content_hash(page, &bob->key));
	KUNIT_EXPECT_EQ(test, alice->key.fold[0] & alice->key.fold[1] & 1, 1);
	ksm_domain_put(alice);
	ksm_domain_put(bob);
}

/* Any page of zeroes at a place has the same frame, until the domain goes. */
static void ksm_domain_zero_test(struct kunit *test)
{
	struct ksm_domain *d = ksm_domain_of_uid(ALICE);
	unsigned long before;
	struct page *page;

	KUNIT_ASSERT_NOT_NULL(test, d);
	before = ksm_domain_bytes(d);
	page = ksm_domain_zero_frame(d, 0, 5);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_NULL(test, page->mapping);
	KUNIT_EXPECT_NULL(test, memchr_inv(page_address(page), 0, PAGE_SIZE));
	KUNIT_EXPECT_PTR_EQ(test, ksm_domain_zero_frame(d, 0, 5), page);
	KUNIT_EXPECT_PTR_EQ(test, ksm_domain_zero_frame(d, 0, 5 + KSM_ZERO_FRAMES),
			    page);
	KUNIT_EXPECT_EQ(test, ksm_domain_bytes(d), before + PAGE_SIZE);
	ksm_domain_put(d);
	KUNIT_EXPECT_PTR_EQ(test, freed, page);
}

static void ksm_domain_no_memory_test(struct kunit *test)
{
	table_error = -ENOMEM;
	KUNIT_EXPECT_NULL(test, ksm_domain_of_uid(ALICE));
	KUNIT_EXPECT_NULL(test, ksm_domain_new(INVALID_UID));
	KUNIT_EXPECT_EQ(test, domains_count(), 0);
}

/* Reclaim comes from anywhere: it does nothing while somebody is at the list. */
static void ksm_domain_try_each_test(struct kunit *test)
{
	struct ksm_domain *d = ksm_domain_of_uid(ALICE);
	unsigned int n = 0;

	KUNIT_ASSERT_NOT_NULL(test, d);
	mutex_lock(&domains_lock);
	ksm_domain_try_each(count_two, &n);
	mutex_unlock(&domains_lock);
	KUNIT_EXPECT_EQ(test, n, 0);
	ksm_domain_try_each(count_two, &n);
	KUNIT_EXPECT_EQ(test, n, 1);
	ksm_domain_put(d);
}

/* What reclaim wanted is there: the domains behind are left alone. */
static void ksm_domain_try_enough_test(struct kunit *test)
{
	struct ksm_domain *d[3];
	unsigned int i, n = 0;

	for (i = 0; i < ARRAY_SIZE(d); i++) {
		d[i] = ksm_domain_new(INVALID_UID);
		KUNIT_ASSERT_NOT_NULL(test, d[i]);
	}
	ksm_domain_try_each(count_two, &n);
	KUNIT_EXPECT_EQ(test, n, 2);
	for (i = 0; i < ARRAY_SIZE(d); i++)
		ksm_domain_put(d[i]);
}

static void ksm_domain_areas_test(struct kunit *test)
{
	struct ksm_domain *d = ksm_domain_of_uid(ALICE);
	struct ksm_area *area = kunit_kzalloc(test, sizeof(*area), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, d);
	KUNIT_ASSERT_NOT_NULL(test, area);
	ksm_domain_add(d, area);
	KUNIT_EXPECT_TRUE(test, list_is_singular(&d->areas));
	ksm_domain_remove(d, area);
	KUNIT_EXPECT_TRUE(test, list_empty(&d->areas));
	ksm_domain_put(d);
}

/* A user owns what is of his id, who makes any other domain owns that. */
static void ksm_domain_owner_test(struct kunit *test)
{
	struct ksm_domain *alice = ksm_domain_of_uid(ALICE);
	struct ksm_domain *made = ksm_domain_new(INVALID_UID);

	KUNIT_ASSERT_NOT_NULL(test, alice);
	KUNIT_ASSERT_NOT_NULL(test, made);
	KUNIT_EXPECT_TRUE(test, uid_eq(alice->owner, ALICE));
	KUNIT_EXPECT_TRUE(test, uid_eq(made->owner, current_euid()));
	KUNIT_EXPECT_FALSE(test, uid_valid(made->uid));
	ksm_domain_put(alice);
	ksm_domain_put(made);
}

/* The kernel runs short: spares of all areas count, and go up to what it asks for. */
static void ksm_domain_spares_test(struct kunit *test)
{
	struct ksm_area *areas = kunit_kcalloc(test, 2, sizeof(*areas), GFP_KERNEL);
	struct ksm_domain *d[] = { ksm_domain_of_uid(ALICE), ksm_domain_of_uid(BOB) };
	struct shrink_control sc = { .nr_to_scan = 12 };

	KUNIT_ASSERT_NOT_NULL(test, areas);
	KUNIT_ASSERT_NOT_NULL(test, d[0]);
	KUNIT_ASSERT_NOT_NULL(test, d[1]);
	KUNIT_EXPECT_EQ(test, spares_shrink_count(NULL, &sc), SHRINK_EMPTY);
	KUNIT_EXPECT_EQ(test, spares_shrink_scan(NULL, &sc), SHRINK_STOP);
	ksm_domain_add(d[0], &areas[0]);
	ksm_domain_add(d[1], &areas[1]);
	areas[0].spares.nr_dirty = 10;
	areas[1].spares.nr_dirty = 7;
	KUNIT_EXPECT_EQ(test, spares_shrink_count(NULL, &sc), 17);
	KUNIT_EXPECT_EQ(test, spares_shrink_scan(NULL, &sc), 12);
	KUNIT_EXPECT_EQ(test, spares_shrink_count(NULL, &sc), 5);

	/* Reclaim may have come from under that lock. */
	mutex_lock(&d[1]->areas_lock);
	KUNIT_EXPECT_EQ(test, spares_shrink_count(NULL, &sc), SHRINK_EMPTY);
	KUNIT_EXPECT_EQ(test, spares_shrink_scan(NULL, &sc), SHRINK_STOP);
	mutex_unlock(&d[1]->areas_lock);
	KUNIT_EXPECT_EQ(test, spares_shrink_scan(NULL, &sc), 5);
	ksm_domain_remove(d[0], &areas[0]);
	ksm_domain_remove(d[1], &areas[1]);
	ksm_domain_put(d[0]);
	ksm_domain_put(d[1]);
}

static struct kunit_case ksm_domain_cases[] = {
	KUNIT_CASE(ksm_domain_of_uid_test),
	KUNIT_CASE(ksm_domain_again_test),
	KUNIT_CASE(ksm_domain_private_test),
	KUNIT_CASE(ksm_domain_keys_test),
	KUNIT_CASE(ksm_domain_zero_test),
	KUNIT_CASE(ksm_domain_no_memory_test),
	KUNIT_CASE(ksm_domain_try_each_test),
	KUNIT_CASE(ksm_domain_try_enough_test),
	KUNIT_CASE(ksm_domain_areas_test),
	KUNIT_CASE(ksm_domain_owner_test),
	KUNIT_CASE(ksm_domain_spares_test),
	{ }
};

static struct kunit_suite ksm_domain_suite = {
	.name = "ksmdev_domain",
	.init = ksm_domain_test_init,
	.exit = ksm_domain_test_exit,
	.test_cases = ksm_domain_cases,
};

kunit_test_suite(ksm_domain_suite);

MODULE_DESCRIPTION("Tests of ksmdev's domains");
MODULE_LICENSE("GPL");
