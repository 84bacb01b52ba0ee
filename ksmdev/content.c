// SPDX-License-Identifier: GPL-2.0
/* Hashing, comparing and testing for zero, a page at a time. See content.h. */
#include <linux/gfp.h>
#include <linux/random.h>
#include <linux/string.h>
#include <asm/asm.h>
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>

#include "content.h"

#define WORDS (PAGE_SIZE / sizeof(u64))
/* Bytes that the AVX2 loops look at before they decide; lines of 32. */
#define STEP 512

int ksm_key_init(struct ksm_key *key)
{
	key->page = (u64 *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!key->page)
		return -ENOMEM;
	get_random_bytes(key->page, PAGE_SIZE);
	get_random_bytes(key->fold, sizeof(key->fold));
	key->fold[0] |= 1;
	key->fold[1] |= 1;
	return 0;
}

void ksm_key_destroy(struct ksm_key *key)
{
	memzero_explicit(key->page, PAGE_SIZE);
	free_page((unsigned long)key->page);
	memzero_explicit(key, sizeof(*key));
}

static unsigned __int128 mul(u64 a, u64 b)
{
	return (unsigned __int128)a * b;
}

u64 ksm_content_hash(const void *page, const struct ksm_key *key)
{
	const u64 *m = page;
	const u64 *k = key->page;
	unsigned __int128 sum = 0;
	unsigned int i;
	u64 low, high;

#pragma GCC unroll 16
	for (i = 0; i < WORDS; i += 2)
		sum += mul(m[i] + k[i], m[i + 1] + k[i + 1]);

	/* 128 bits to 64 under the key; an equal sum stays equal. */
	low = sum;
	high = sum >> 64;
	sum = mul(low, key->fold[0]) + mul(high, key->fold[1]);
	return (u64)(sum >> 64) ^ (u64)sum ^ high;
}

static bool equal_words(const u64 *a, const u64 *b)
{
	unsigned int i, j;

	for (i = 0; i < WORDS; i += 16) {
		u64 diff = 0;

#pragma GCC unroll 16
		for (j = i; j < i + 16; j++)
			diff |= a[j] ^ b[j];
		if (diff)
			return false;
	}
	return true;
}

static bool zero_words(const u64 *a)
{
	unsigned int i, j;

	for (i = 0; i < WORDS; i += 16) {
		u64 bits = 0;

#pragma GCC unroll 16
		for (j = i; j < i + 16; j++)
			bits |= a[j];
		if (bits)
			return false;
	}
	return true;
}

/* The lines of a step: the assembler repeats what stands up to .endr. */
#define FOR_EACH_LINE							\
	".irp line, 0, 32, 64, 96, 128, 160, 192, 224, "		\
	"256, 288, 320, 352, 384, 416, 448, 480\n\t"

/* The caller is within kernel_fpu_begin(). */
static bool equal_avx2(const u8 *a, const u8 *b)
{
	const u8 *end = a + PAGE_SIZE;
	bool same = true;

	for (; a < end && same; a += STEP, b += STEP)
		asm volatile("vpxor %%ymm1, %%ymm1, %%ymm1\n\t"
			     FOR_EACH_LINE
			     "vmovdqa \\line(%1), %%ymm0\n\t"
			     "vpxor \\line(%2), %%ymm0, %%ymm0\n\t"
			     "vpor %%ymm0, %%ymm1, %%ymm1\n\t"
			     ".endr\n\t"
			     "vptest %%ymm1, %%ymm1"
			     : "=@ccz" (same) : "r" (a), "r" (b) : "memory");
	return same;
}

/* The caller is within kernel_fpu_begin(). */
static bool zero_avx2(const u8 *a)
{
	const u8 *end = a + PAGE_SIZE;
	bool zero = true;

	for (; a < end && zero; a += STEP)
		asm volatile("vpxor %%ymm1, %%ymm1, %%ymm1\n\t"
			     FOR_EACH_LINE
			     "vpor \\line(%1), %%ymm1, %%ymm1\n\t"
			     ".endr\n\t"
			     "vptest %%ymm1, %%ymm1"
			     : "=@ccz" (zero) : "r" (a) : "memory");
	return zero;
}

/*
 * Always from tasks, where the FPU may be used.  What its state costs is paid
 * only where the first words do not decide already.
 */
static bool use_avx2(void)
{
	return cpu_feature_enabled(X86_FEATURE_AVX2);
}

bool ksm_content_equal(const void *a, const void *b)
{
	const u64 *x = a, *y = b;
	bool same;

	if ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[WORDS / 2] ^ y[WORDS / 2]) |
	    (x[WORDS - 1] ^ y[WORDS - 1]))
		return false;
	if (!use_avx2())
		return equal_words(x, y);
	kernel_fpu_begin();
	same = equal_avx2(a, b);
	asm volatile("vzeroupper");
	kernel_fpu_end();
	return same;
}

bool ksm_content_zero(const void *page)
{
	const u64 *x = page;
	bool zero;

	if (x[0] | x[1] | x[WORDS / 2] | x[WORDS - 1])
		return false;
	if (!use_avx2())
		return zero_words(x);
	kernel_fpu_begin();
	zero = zero_avx2(page);
	asm volatile("vzeroupper");
	kernel_fpu_end();
	return zero;
}

/*
 * Copy a page; false if memory of @from is broken.  A machine check within the instruction is
 * an error for us to handle, as in copy_mc_to_kernel(), which copies byte by byte.
 */
bool ksm_content_copy(void *to, const void *from)
{
	unsigned long left = WORDS;

	asm volatile("1: rep movsq\n"
		     "2:\n"
		     _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_DEFAULT_MCE_SAFE)
		     : "+c" (left), "+D" (to), "+S" (from) : : "memory");
	return !left;
}
