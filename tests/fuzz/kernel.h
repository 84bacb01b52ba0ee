/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the modules' sources under test use of the kernel, for a program in
 * userspace.  Included before each of them; run.sh puts empty files in the place
 * of the kernel's headers that the system does not have.
 */
#ifndef _FUZZ_KERNEL_H
#define _FUZZ_KERNEL_H

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/types.h>
#include <asm/processor-flags.h>
#include <linux/kvm.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __s8 s8;
typedef __s32 s32;
typedef unsigned long long u64;
typedef long long s64;

#define U32_MAX		((u32)~0U)
#define U64_MAX		((u64)~0ULL)

/* ---- linux/bits.h, linux/bitops.h, linux/log2.h ---- */

#define BITS_PER_LONG	64
#define BIT(n)		(1UL << (n))
#define BIT_ULL(n)	(1ULL << (n))
#define GENMASK(h, l)	((~0UL << (l)) & (~0UL >> (63 - (h))))
#define GENMASK_ULL(h, l) ((~0ULL << (l)) & (~0ULL >> (63 - (h))))

static inline unsigned int hweight8(u8 w)
{
	return __builtin_popcount(w);
}

static inline s64 sign_extend64(u64 value, int index)
{
	return (s64)(value << (63 - index)) >> (63 - index);
}

/* ---- linux/kernel.h, linux/minmax.h, linux/compiler.h ---- */

#define __user
#define __rcu
#define __packed	__attribute__((__packed__))
#define noinline	__attribute__((__noinline__))
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define READ_ONCE(x)	(*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define min(a, b)	({ __typeof__(a) _a = (a); __typeof__(b) _b = (b);	\
			   _a < _b ? _a : _b; })
#define max(a, b)	({ __typeof__(a) _a = (a); __typeof__(b) _b = (b);	\
			   _a > _b ? _a : _b; })
#define clamp(v, low, high) min(max(v, low), high)
#define min_t(t, a, b)	min((t)(a), (t)(b))

#define PAGE_SHIFT	12
#define PAGE_SIZE	(1UL << PAGE_SHIFT)
#define PAGE_MASK	(~(PAGE_SIZE - 1))
#define PAGE_ALIGNED(x)	(!((x) & (PAGE_SIZE - 1)))
#define offset_in_page(p) ((unsigned long)(p) & ~PAGE_MASK)

/* ---- members of structures that no source under test looks at ---- */

struct dentry;
struct mm_struct;
struct mutex { int unused; };
struct preempt_notifier { int unused; };
struct fpu_guest { int unused; };
struct rcu_head { int unused; };
struct mmu_notifier { int unused; };
struct srcu_struct { int unused; };
struct xarray { int unused; };
struct list_head { struct list_head *next, *prev; };
typedef struct { int unused; } spinlock_t;
typedef struct { int unused; } refcount_t;
typedef struct { long counter; } atomic_long_t;

/* ---- asm/msr-index.h, asm/traps.h ---- */

#define EFER_LME	BIT(8)
#define EFER_LMA	BIT(10)
#define EFER_NX		BIT(11)

enum { X86_TRAP_UD = 6 };

/* ---- the fuzzer ---- */

/* One input; aborts where something is wrong. */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* What is wrong, in words, and then the bytes of the input. */
#define FUZZ_CHECK(condition, ...)					\
	do {								\
		if (!(condition)) {					\
			fprintf(stderr, "%s:%d: %s: ", __FILE__,	\
				__LINE__, #condition);			\
			fprintf(stderr, __VA_ARGS__);			\
			fputc('\n', stderr);				\
			abort();					\
		}							\
	} while (0)

#endif /* _FUZZ_KERNEL_H */
