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
#define __percpu
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
struct mmu_notifier {
	const struct mmu_notifier_ops *ops;
	struct mm_struct *mm;
};

struct srcu_struct { unsigned int readers; };
typedef struct { bool held; } spinlock_t;
typedef struct { bool held; } raw_spinlock_t;
typedef struct { unsigned int count; } refcount_t;
typedef struct { int unused; } wait_queue_head_t;

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

static inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}

static inline void list_add_tail(struct list_head *new, struct list_head *head)
{
	*new = (struct list_head){ .next = head, .prev = head->prev };
	head->prev->next = new;
	head->prev = new;
}

static inline void list_del_init(struct list_head *entry)
{
	entry->prev->next = entry->next;
	entry->next->prev = entry->prev;
	INIT_LIST_HEAD(entry);
}

/* ---- linux/rbtree.h: in order, and not balanced ---- */

struct rb_node { struct rb_node *rb_left, *rb_right, *parent; };
struct rb_root { struct rb_node *rb_node; };
struct rb_root_cached { struct rb_root rb_root; };

#define RB_ROOT			((struct rb_root){ NULL })
#define RB_ROOT_CACHED		((struct rb_root_cached){ { NULL } })
#define RB_EMPTY_ROOT(root)	(!(root)->rb_node)
#define RB_EMPTY_NODE(node)	((node)->parent == (node))
#define RB_CLEAR_NODE(node)	((node)->parent = (node))
#define rb_entry(p, type, member) container_of(p, type, member)
#define rb_insert_color(node, root) ((void)(node), (void)(root))

static inline void rb_link_node(struct rb_node *node, struct rb_node *parent,
				struct rb_node **link)
{
	*node = (struct rb_node){ .parent = parent };
	*link = node;
}

/* @new, or NULL, comes where @old was below its parent. */
static inline void rb_set_child(const struct rb_node *old, struct rb_node *new,
				struct rb_root *root)
{
	struct rb_node *parent = old->parent;

	if (!parent)
		root->rb_node = new;
	else if (parent->rb_left == old)
		parent->rb_left = new;
	else
		parent->rb_right = new;
	if (new)
		new->parent = parent;
}

static inline void rb_replace_node(struct rb_node *old, struct rb_node *new,
				   struct rb_root *root)
{
	rb_set_child(old, new, root);
	*new = *old;
	if (new->rb_left)
		new->rb_left->parent = new;
	if (new->rb_right)
		new->rb_right->parent = new;
}

static inline void rb_erase(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *next = node->rb_right;

	if (!node->rb_left || !next) {
		rb_set_child(node, node->rb_left ?: next, root);
		return;
	}
	while (next->rb_left)
		next = next->rb_left;
	rb_set_child(next, next->rb_right, root);
	rb_replace_node(node, next, root);
}

static inline struct rb_node *rb_next(const struct rb_node *node)
{
	struct rb_node *next = node->rb_right;

	if (!next) {
		while (node->parent && node->parent->rb_right == node)
			node = node->parent;
		return node->parent;
	}
	while (next->rb_left)
		next = next->rb_left;
	return next;
}

/* ---- linux/interval_tree.h: all are looked at ---- */

struct interval_tree_node {
	struct rb_node rb;
	unsigned long start, last;
};

static inline void interval_tree_insert(struct interval_tree_node *node,
					struct rb_root_cached *root)
{
	struct rb_node **link = &root->rb_root.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = node->start < rb_entry(parent, struct interval_tree_node, rb)->start ?
		       &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&node->rb, parent, link);
}

static inline void interval_tree_remove(struct interval_tree_node *node,
					struct rb_root_cached *root)
{
	rb_erase(&node->rb, &root->rb_root);
}

/* From @rb on. */
static inline struct interval_tree_node *
interval_tree_from(struct rb_node *rb, unsigned long start, unsigned long last)
{
	for (; rb; rb = rb_next(rb)) {
		struct interval_tree_node *node =
			rb_entry(rb, struct interval_tree_node, rb);

		if (node->start <= last && start <= node->last)
			return node;
	}
	return NULL;
}

static inline struct interval_tree_node *
interval_tree_iter_first(struct rb_root_cached *root, unsigned long start,
			 unsigned long last)
{
	struct rb_node *rb = root->rb_root.rb_node;

	while (rb && rb->rb_left)
		rb = rb->rb_left;
	return interval_tree_from(rb, start, last);
}

static inline struct interval_tree_node *
interval_tree_iter_next(struct interval_tree_node *node, unsigned long start,
			unsigned long last)
{
	return interval_tree_from(rb_next(&node->rb), start, last);
}

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

/* ---- linux/xarray.h: a list ---- */

struct xa_entry {
	struct xa_entry *next;
	unsigned long index;
	void *value;
};

struct xarray { struct xa_entry *first; };

static inline void xa_init(struct xarray *xa)
{
	xa->first = NULL;
}

#define XA_FLAGS_ACCOUNT	0
#define xa_init_flags(xa, flags) ((void)(flags), xa_init(xa))

/* The link to the entry of @index, or to the end. */
static inline struct xa_entry **xa_find_link(struct xarray *xa, unsigned long index)
{
	struct xa_entry **link = &xa->first;

	while (*link && (*link)->index != index)
		link = &(*link)->next;
	return link;
}

static inline void *xa_load(struct xarray *xa, unsigned long index)
{
	struct xa_entry *entry = *xa_find_link(xa, index);

	return entry ? entry->value : NULL;
}

static inline int xa_insert(struct xarray *xa, unsigned long index, void *value, int gfp)
{
	struct xa_entry **link = xa_find_link(xa, index);

	if (*link)
		return -EBUSY;
	*link = kcalloc(1, sizeof(**link), gfp);
	if (!*link)
		return -ENOMEM;
	(*link)->index = index;
	(*link)->value = value;
	return 0;
}

/* In place of what is there. */
static inline void xa_store(struct xarray *xa, unsigned long index, void *value, int gfp)
{
	struct xa_entry **link = xa_find_link(xa, index), *entry = *link;

	(void)gfp;
	if (!entry)
		abort();
	entry->value = value;
	if (value)
		return;
	*link = entry->next;
	free(entry);
}

static inline void xa_destroy(struct xarray *xa)
{
	while (xa->first) {
		struct xa_entry *next = xa->first->next;

		free(xa->first);
		xa->first = next;
	}
}

#define xa_for_each(xa, i, v)						\
	for (struct xa_entry *_e = (xa)->first;				\
	     _e && ((i) = _e->index, (void)(i), (v) = _e->value, true);	\
	     _e = _e->next)

/* ---- one thread: nobody waits, and a grace period is over at once ---- */

#define mutex_init(m)		((void)(m))
#define mutex_lock(m)		((void)(m))
#define mutex_unlock(m)		((void)(m))
#define smp_load_acquire(p)	(*(p))	/* one thread */
#define smp_store_release(p, v)	((void)(*(p) = (v)))	/* one thread */
#define this_cpu_add(var, n)	((void)((var) += (n)))
#define RCU_LOCKDEP_WARN(condition, text) ((void)(condition))
#define srcu_read_lock_held(srcu) ((void)(srcu), 1)
#define init_srcu_struct(srcu)	((srcu)->readers = 0)
#define cleanup_srcu_struct(srcu) ((void)(srcu))
#define srcu_read_lock(srcu)	((srcu)->readers++, 0)
#define srcu_read_unlock(srcu, index) ((void)(index), (void)(srcu)->readers--)
#define synchronize_srcu_expedited(srcu) ((void)(srcu))
#define init_waitqueue_head(q)	((void)(q))
#define wake_up(q)		((void)(q))

/* ---- linux/mmu_notifier.h: the program is the host ---- */

struct mmu_notifier_range { unsigned long start, end; bool blockable; };

#define compat_young_t	int

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

/* ---- linux/sched.h, linux/hashtable.h, linux/refcount.h: one process ---- */

static __attribute__((__unused__)) struct { struct mm_struct *mm; } fuzz_task;

#define current			(&fuzz_task)

struct hlist_node { int unused; };

#define DEFINE_HASHTABLE(name, bits) struct hlist_node *name
#define hash_for_each_possible(table, at, member, key)			\
	for (at = NULL, (void)(key); at && table; )
#define hash_add(table, node, key) (table = (node))
#define hash_del(node)		((void)(node))
#define DEFINE_MUTEX(name)	struct mutex name
#define refcount_set(r, n)	((r)->count = (n))
#define refcount_inc(r)		((void)(r)->count++)
#define refcount_dec_and_mutex_lock(r, lock) ((void)(lock), !--(r)->count)
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

static inline unsigned long find_next_bit(const unsigned long *map, unsigned long n,
					  unsigned long from)
{
	while (from < n && !test_bit(from, map))
		from++;
	return min(from, n);
}

#define find_first_bit(map, n)	find_next_bit(map, n, 0)
#define for_each_set_bit_from(bit, map, n)				\
	for ((bit) = find_next_bit(map, n, bit); (bit) < (n);		\
	     (bit) = find_next_bit(map, n, (bit) + 1))

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
