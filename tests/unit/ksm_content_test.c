// SPDX-License-Identifier: GPL-2.0
/* The hash of a page, and what compares pages: no bit of them is overlooked. */
#include <kunit/test.h>
#include <linux/math64.h>
#include <linux/prandom.h>
#include <linux/vmalloc.h>

#include "content.c"

static struct ksm_key key;
static u8 *a, *b;

static int ksm_content_init(struct kunit *test)
{
	struct rnd_state rnd;

	a = (u8 *)__get_free_page(GFP_KERNEL);
	b = (u8 *)__get_free_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_ASSERT_NOT_NULL(test, b);
	KUNIT_ASSERT_EQ(test, ksm_key_init(&key), 0);
	prandom_seed_state(&rnd, 3);
	prandom_bytes_state(&rnd, a, PAGE_SIZE);
	memcpy(b, a, PAGE_SIZE);
	return 0;
}

static void ksm_content_exit(struct kunit *test)
{
	if (key.page)
		ksm_key_destroy(&key);
	free_page((unsigned long)a);
	free_page((unsigned long)b);
	a = NULL;
	b = NULL;
}

/* content.h's formula, with 64-bit words and carries by hand. */
static u64 hash_by_hand(const u64 *m)
{
	u64 low = 0, high = 0, x, y, sum_low;
	unsigned int i;

	for (i = 0; i < PAGE_SIZE / 8; i += 2) {
		x = m[i] + key.page[i];
		y = m[i + 1] + key.page[i + 1];
		low += x * y;
		high += mul_u64_u64_shr(x, y, 64) + (low < x * y);
	}
	x = low * key.fold[0];
	y = high * key.fold[1];
	sum_low = x + y;
	return (mul_u64_u64_shr(low, key.fold[0], 64) +
		mul_u64_u64_shr(high, key.fold[1], 64) + (sum_low < x)) ^
	       sum_low ^ high;
}

static void ksm_hash_formula_test(struct kunit *test)
{
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, 4);
	for (i = 0; i < 50; i++) {
		prandom_bytes_state(&rnd, a, PAGE_SIZE);
		KUNIT_EXPECT_EQ(test, ksm_content_hash(a, &key),
				hash_by_hand((u64 *)a));
	}
	memset(a, 0xff, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, ksm_content_hash(a, &key),
			hash_by_hand((u64 *)a));
	memset(a, 0, PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, ksm_content_hash(a, &key),
			hash_by_hand((u64 *)a));
}

/* Equal pages have equal hashes, pages that differ in one bit have not. */
static void ksm_hash_bits_test(struct kunit *test)
{
	u64 hash = ksm_content_hash(a, &key);
	unsigned int i, same = 0;

	KUNIT_EXPECT_EQ(test, ksm_content_hash(b, &key), hash);
	for (i = 0; i < PAGE_SIZE; i++) {
		b[i] ^= BIT(i % 8);
		same += ksm_content_hash(b, &key) == hash;
		b[i] ^= BIT(i % 8);
	}
	KUNIT_EXPECT_EQ(test, same, 0);
}

/* Words that change places count, within a pair and between pairs. */
static void ksm_hash_order_test(struct kunit *test)
{
	u64 hash = ksm_content_hash(a, &key), *words = (u64 *)b;
	unsigned int i, same = 0;

	for (i = 0; i + 2 < WORDS; i++) {
		swap(words[i], words[i + 1]);
		same += ksm_content_hash(b, &key) == hash;
		swap(words[i], words[i + 1]);
		swap(words[i], words[i + 2]);
		same += ksm_content_hash(b, &key) == hash;
		swap(words[i], words[i + 2]);
	}
	KUNIT_EXPECT_EQ(test, same, 0);
}

/* Each domain has a key of its own, so one's hashes say nothing in another. */
static void ksm_hash_keys_test(struct kunit *test)
{
	struct ksm_key other;

	KUNIT_ASSERT_EQ(test, ksm_key_init(&other), 0);
	KUNIT_EXPECT_EQ(test, key.fold[0] & key.fold[1] & 1, 1);
	KUNIT_EXPECT_NE(test, memcmp(key.page, other.page, PAGE_SIZE), 0);
	KUNIT_EXPECT_NE(test, key.fold[0], other.fold[0]);
	KUNIT_EXPECT_NE(test, key.fold[1], other.fold[1]);
	KUNIT_EXPECT_NE(test, ksm_content_hash(a, &key),
			ksm_content_hash(a, &other));
	memset(a, 0, PAGE_SIZE);
	KUNIT_EXPECT_NE(test, ksm_content_hash(a, &key),
			ksm_content_hash(a, &other));
	ksm_key_destroy(&other);
	KUNIT_EXPECT_NULL(test, other.page);
	KUNIT_EXPECT_EQ(test, other.fold[0] | other.fold[1], 0);
}

/* ---- comparing: by words, by AVX2, and what chooses between them ---- */

static bool run_avx2_equal(const u8 *x, const u8 *y)
{
	bool same;

	kernel_fpu_begin();
	same = equal_avx2(x, y);
	asm volatile("vzeroupper");
	kernel_fpu_end();
	return same;
}

static bool run_avx2_zero(const u8 *x)
{
	bool zero;

	kernel_fpu_begin();
	zero = zero_avx2(x);
	asm volatile("vzeroupper");
	kernel_fpu_end();
	return zero;
}

static bool run_words_equal(const u8 *x, const u8 *y)
{
	return equal_words((const u64 *)x, (const u64 *)y);
}

static bool run_words_zero(const u8 *x)
{
	return zero_words((const u64 *)x);
}

static bool run_equal(const u8 *x, const u8 *y)
{
	return ksm_content_equal(x, y);
}

static bool run_zero(const u8 *x)
{
	return ksm_content_zero(x);
}

static const struct way {
	const char *name;
	bool (*equal)(const u8 *x, const u8 *y);
	bool (*zero)(const u8 *x);
	bool avx2;
} ways[] = {
	{ "words", run_words_equal, run_words_zero },
	{ "AVX2", run_avx2_equal, run_avx2_zero, .avx2 = true },
	{ "either", run_equal, run_zero },
};

static void way_desc(const struct way *w, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", w->name);
}

KUNIT_ARRAY_PARAM(way, ways, way_desc);

static void ksm_equal_test(struct kunit *test)
{
	const struct way *w = test->param_value;
	unsigned int i, wrong = 0;

	if (w->avx2 && !boot_cpu_has(X86_FEATURE_AVX2))
		kunit_skip(test, "this CPU has no AVX2");
	KUNIT_EXPECT_TRUE(test, w->equal(a, b));
	for (i = 0; i < PAGE_SIZE; i++) {
		b[i] ^= BIT(i % 8);
		wrong += w->equal(a, b);
		wrong += w->equal(b, a);
		b[i] ^= BIT(i % 8);
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	/* Two differences must not cancel each other out. */
	for (i = 0; i + 512 < PAGE_SIZE; i += 32) {
		b[i] ^= 1;
		b[i + 512] ^= 1;
		wrong += w->equal(a, b);
		b[i] ^= 1;
		b[i + 512] ^= 1;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_TRUE(test, w->equal(a, b));
}

static void ksm_zero_test(struct kunit *test)
{
	const struct way *w = test->param_value;
	unsigned int i, wrong = 0;

	if (w->avx2 && !boot_cpu_has(X86_FEATURE_AVX2))
		kunit_skip(test, "this CPU has no AVX2");
	memset(a, 0, PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, w->zero(a));
	for (i = 0; i < PAGE_SIZE; i++) {
		a[i] = BIT(i % 8);
		wrong += w->zero(a);
		a[i] = 0;
	}
	KUNIT_EXPECT_EQ(test, wrong, 0);
	memset(a, 0xff, PAGE_SIZE);
	KUNIT_EXPECT_FALSE(test, w->zero(a));
}

/* A fault in the middle stands for a machine check: both leave by the same way. */
static void ksm_content_copy_test(struct kunit *test)
{
	u8 *page = vmalloc(PAGE_SIZE), *end = page + PAGE_SIZE;

	KUNIT_ASSERT_NOT_NULL(test, page);
	memset(b, 0, PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, ksm_content_copy(b, a));
	KUNIT_EXPECT_EQ(test, memcmp(a, b, PAGE_SIZE), 0);
	/* Nothing is mapped behind it. */
	KUNIT_EXPECT_FALSE(test, ksm_content_copy(b, end));
	KUNIT_EXPECT_FALSE(test, ksm_content_copy(b, page + 8));
	KUNIT_EXPECT_TRUE(test, ksm_content_copy(b, page));
	vfree(page);
}

static struct kunit_case ksm_content_cases[] = {
	KUNIT_CASE(ksm_hash_formula_test),
	KUNIT_CASE(ksm_hash_bits_test),
	KUNIT_CASE(ksm_hash_order_test),
	KUNIT_CASE(ksm_hash_keys_test),
	KUNIT_CASE_PARAM(ksm_equal_test, way_gen_params),
	KUNIT_CASE_PARAM(ksm_zero_test, way_gen_params),
	KUNIT_CASE(ksm_content_copy_test),
	{ }
};

static struct kunit_suite ksm_content_suite = {
	.name = "ksmdev_content",
	.init = ksm_content_init,
	.exit = ksm_content_exit,
	.test_cases = ksm_content_cases,
};

kunit_test_suite(ksm_content_suite);

MODULE_DESCRIPTION("Tests of ksmdev's hash and comparisons");
MODULE_LICENSE("GPL");
