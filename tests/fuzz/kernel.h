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
#define round_down(x, n) ((x) & ~((__typeof__(x))(n) - 1))
#define container_of(p, type, member)					\
	((type *)((char *)(p) - offsetof(type, member)))

/* Nobody guesses here. */
#define array_index_nospec(index, size) ((index) < (size) ? (index) : 0)

#define PAGE_SHIFT	12
#define PAGE_SIZE	(1UL << PAGE_SHIFT)
#define PAGE_MASK	(~(PAGE_SIZE - 1))
#define PAGE_ALIGNED(x)	(!((x) & (PAGE_SIZE - 1)))
#define PAGE_ALIGN(x)	(((x) + PAGE_SIZE - 1) & PAGE_MASK)
#define offset_in_page(p) ((unsigned long)(p) & ~PAGE_MASK)

/* ---- members of structures that no source under test looks at ---- */

struct dentry;
struct mm_struct;
struct mutex { int unused; };
struct preempt_notifier { const struct preempt_ops *ops; };
struct fpu_guest { int unused; };
struct rcu_head { int unused; };
struct mmu_notifier { const struct mmu_notifier_ops *ops; };
struct srcu_struct { unsigned int readers; };
struct xarray { int unused; };
typedef struct { bool held; } spinlock_t;
typedef struct { bool held; } raw_spinlock_t;
typedef struct { int unused; } refcount_t;

/* ---- linux/atomic.h: one thread ---- */

typedef struct { long counter; } atomic_long_t;
typedef struct { u64 counter; } atomic64_t;

#define atomic_long_read(a)	((a)->counter)
#define atomic_long_set(a, v)	((a)->counter = (v))
#define atomic_long_inc(a)	((void)(a)->counter++)
#define atomic_long_add(n, a)	((void)((a)->counter += (n)))
#define atomic_long_dec(a)	((void)(a)->counter--)
#define atomic64_andnot(bits, a) ((void)((a)->counter &= ~(bits)))
#define xchg(p, v)	({ __typeof__(*(p)) _old = *(p); *(p) = (v); _old; })

/* ---- linux/list.h ---- */

struct list_head { struct list_head *next, *prev; };

#define LIST_HEAD(name)	struct list_head name = { &(name), &(name) }

static inline void INIT_LIST_HEAD(struct list_head *head)
{
	head->next = head;
	head->prev = head;
}

#define list_entry(p, type, member) container_of(p, type, member)
#define list_for_each_entry(at, head, member)				\
	for (at = list_entry((head)->next, __typeof__(*at), member);	\
	     &at->member != (head);					\
	     at = list_entry(at->member.next, __typeof__(*at), member))
#define list_for_each_entry_safe(at, after, head, member)		\
	for (at = list_entry((head)->next, __typeof__(*at), member),	\
	     after = list_entry(at->member.next, __typeof__(*at), member); \
	     &at->member != (head);					\
	     at = after,						\
	     after = list_entry(at->member.next, __typeof__(*at), member))

/* ---- asm/msr-index.h, asm/traps.h ---- */

#define EFER_LME	BIT(8)
#define EFER_LMA	BIT(10)
#define EFER_NX		BIT(11)

enum { X86_TRAP_UD = 6 };

/* ---- linux/err.h ---- */

#define IS_ERR(p)	((unsigned long)(p) >= -4095UL)
#define ERR_PTR(err)	((void *)(long)(err))
#define PTR_ERR(p)	((long)(p))

/* ---- linux/slab.h: the target may have allocations fail ---- */

#define GFP_KERNEL_ACCOUNT 0
/* Allocations until the one that fails; 0: none does. */
extern unsigned int fuzz_fail_alloc;

static inline void *kcalloc(size_t n, size_t size, int gfp)
{
	(void)gfp;
	if (fuzz_fail_alloc && !--fuzz_fail_alloc)
		return NULL;
	return calloc(n, size);
}

static inline void *kmemdup(const void *from, size_t size, int gfp)
{
	void *to = kcalloc(1, size, gfp);

	return to ? memcpy(to, from, size) : NULL;
}

#define kvcalloc(n, size, gfp)	kcalloc(n, size, gfp)
#define kzalloc(size, gfp)	kcalloc(1, size, gfp)
#define kvzalloc(size, gfp)	kcalloc(1, size, gfp)
#define kfree(p)		free((void *)(p))
#define kvfree(p)		free((void *)(p))
#define struct_size(p, member, n) (sizeof(*(p)) + (n) * sizeof((p)->member[0]))

/* ---- one thread: nobody waits, and a grace period is over at once ---- */

#define mutex_lock(m)		((void)(m))
#define mutex_unlock(m)		((void)(m))
#define lockdep_is_held(m)	((void)(m), 1)
#define irqs_disabled()		0
#define rcu_dereference_protected(p, c) ((void)(c), (p))
#define srcu_dereference(p, srcu) (p)
#define srcu_dereference_check(p, srcu, c) (p)
#define rcu_assign_pointer(p, v) ((p) = (v))
#define RCU_INIT_POINTER(p, v)	((p) = (v))
#define srcu_read_lock(srcu)	((srcu)->readers++, 0)
#define srcu_read_unlock(srcu, index) ((void)(index), (void)(srcu)->readers--)
#define synchronize_srcu_expedited(srcu) ((void)(srcu))
#define kvfree_rcu(p, member)	free(p)

/* ---- linux/mmu_notifier.h: the program is the host ---- */

struct mmu_notifier_range { unsigned long start, end; bool blockable; };

struct mmu_notifier_ops {
	void (*release)(struct mmu_notifier *n, struct mm_struct *mm);
	int (*invalidate_range_start)(struct mmu_notifier *n,
				      const struct mmu_notifier_range *range);
	void (*invalidate_range_end)(struct mmu_notifier *n,
				     const struct mmu_notifier_range *range);
	int (*clear_flush_young)(struct mmu_notifier *n, struct mm_struct *mm,
				 unsigned long start, unsigned long end);
	int (*clear_young)(struct mmu_notifier *n, struct mm_struct *mm,
			   unsigned long start, unsigned long end);
	int (*test_young)(struct mmu_notifier *n, struct mm_struct *mm,
			  unsigned long address);
};

#define mmu_notifier_range_blockable(range) ((range)->blockable)
#define mmu_notifier_register(n, mm) ((void)(n), (void)(mm), 0)
#define mmu_notifier_unregister(n, mm) ((void)(n), (void)(mm))

/* ---- linux/bitmap.h, linux/uaccess.h, asm/processor.h ---- */

#define BITS_TO_LONGS(n)	DIV_ROUND_UP(n, BITS_PER_LONG)

static inline void set_bit(unsigned long n, unsigned long *map)
{
	map[n / BITS_PER_LONG] |= BIT(n % BITS_PER_LONG);
}

static inline bool test_bit(unsigned long n, const unsigned long *map)
{
	return map[n / BITS_PER_LONG] & BIT(n % BITS_PER_LONG);
}

static inline void clear_bit(unsigned long n, unsigned long *map)
{
	map[n / BITS_PER_LONG] &= ~BIT(n % BITS_PER_LONG);
}

static inline bool test_and_clear_bit(unsigned long n, unsigned long *map)
{
	bool set = test_bit(n, map);

	clear_bit(n, map);
	return set;
}

#define for_each_set_bit(bit, map, bits)				\
	for ((bit) = 0; (bit) < (bits); (bit)++)			\
		if (test_bit(bit, map))

static inline void bitmap_set(unsigned long *map, unsigned long first,
			      unsigned long n)
{
	while (n--)
		set_bit(first++, map);
}

static inline bool access_ok(const void *p, unsigned long size)
{
	unsigned long end = (unsigned long)p + size;

	return end >= size && end < BIT(47);
}

static const struct { u8 x86_phys_bits; } boot_cpu_data = { 40 };

/* ---- the fuzzer ---- */

/* One input; aborts where something is wrong. */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* Inputs that replay tries beside the seeds, if the target has it. */
void fuzz_sweep(void) __attribute__((__weak__));

/* What is wrong, in words; libFuzzer and replay say of which input. */
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
