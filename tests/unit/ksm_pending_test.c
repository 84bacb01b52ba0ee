// SPDX-License-Identifier: GPL-2.0
/*
 * Who waits for a page that KSM_REGISTER has pinned: while its step is under way, while
 * others use the page, and for how long; and what a fault does then.
 */
#include <kunit/test.h>
#include <linux/delay.h>

#include "area.h"

static unsigned long now;
static unsigned int sleeps, waits;

#undef jiffies
#define jiffies	now

/* Each sleep is the test's: what others do meanwhile. */
static void (*meanwhile)(void);

#define usleep_range(from, to)						\
	do {								\
		sleeps++;						\
		if (meanwhile)						\
			meanwhile();					\
	} while (0)

#include "pending.c"

static int wait_result;

/* That fault.c waits is written down. */
static int note_wait(struct ksm_chunk *of, unsigned int i, bool user)
{
	waits++;
	return wait_result;
}

#define ksm_pending_wait	note_wait
#define ksm_pending_wait_locked	note_wait
#include "fault.c"
#undef ksm_pending_wait
#undef ksm_pending_wait_locked

#define SLOT	70

static struct ksm_area *area;
static struct ksm_chunk *chunk;
static struct page *page;

int ksm_slot_lock(struct ksm_chunk *of, unsigned int i, enum ksm_use use, bool user)
{
	return -EAGAIN;
}

bool ksm_slot_lock_own(struct ksm_chunk *of, unsigned int i, struct page *frame)
{
	return false;
}

struct page *ksm_slot_map(struct ksm_chunk *of, unsigned int i)
{
	return NULL;
}

void ksm_slot_unclean(struct ksm_chunk *of, unsigned int i)
{
}

struct ksm_chunk *ksm_chunk_get(struct ksm_area *of, unsigned long pgoff)
{
	return chunk;
}

/* The page as pinned by us, and mapped by nobody. */
static int ksm_pending_test_init(struct kunit *test)
{
	now = 1000000;
	sleeps = 0;
	waits = 0;
	wait_result = 0;
	meanwhile = NULL;
	area = kunit_kzalloc(test, sizeof(*area), GFP_KERNEL);
	chunk = kunit_kzalloc(test, sizeof(*chunk), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, area);
	KUNIT_ASSERT_NOT_NULL(test, chunk);
	chunk->slots = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, chunk->slots);
	page = alloc_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, page);
	page_ref_add(page, GUP_PIN_COUNTING_BIAS);
	mutex_init(&chunk->lock);
	chunk->area = area;
	area->end = KSM_CHUNK_PAGES;
	chunk->opened = now;
	return 0;
}

static void ksm_pending_test_exit(struct kunit *test)
{
	if (!page)
		return;
	page_ref_sub(page, GUP_PIN_COUNTING_BIAS);
	put_page(page);
	page = NULL;
}

static void expect_lock(struct kunit *test, int want, bool user, const char *text)
{
	int err = ksm_pending_lock(chunk, SLOT, user);

	KUNIT_EXPECT_EQ_MSG(test, err, want, "%s", text);
	KUNIT_EXPECT_EQ_MSG(test, mutex_is_locked(&chunk->lock), !err, "%s", text);
	if (!err)
		mutex_unlock(&chunk->lock);
}

/* ---- a step that is under way ---- */

/* Its slots are its own, with a page and without: it may have to take them back. */
static void ksm_pending_step_test(struct kunit *test)
{
	static const u64 states[] = { 0, SLOT_PENDING };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		chunk->slots[SLOT] = slot_make(0, states[i] ? page : NULL, states[i]);
		now = 1000000 + 100 * PATIENCE;
		chunk->reg_first = SLOT;
		chunk->reg_end = SLOT + 1;
		expect_lock(test, -EAGAIN, false, states[i] ? "pending" : "empty");
		expect_lock(test, -EAGAIN, true, states[i] ? "pending" : "empty");
		chunk->reg_first = SLOT - 9;
		expect_lock(test, -EAGAIN, true, "the last one of a step");
		chunk->reg_end = SLOT;
		expect_lock(test, 0, true, "the step ends before it");
		chunk->reg_first = SLOT + 1;
		chunk->reg_end = SLOT + 9;
		expect_lock(test, 0, true, "the step begins behind it");
	}
}

static void step_ends(void)
{
	if (sleeps < 4)
		return;
	chunk->reg_first = 0;
	chunk->reg_end = 0;
}

static void ksm_pending_range_test(struct kunit *test)
{
	chunk->reg_first = 20;
	chunk->reg_end = 30;
	ksm_pending_lock_range(chunk, 10, 10);
	mutex_unlock(&chunk->lock);
	ksm_pending_lock_range(chunk, 30, 5);
	mutex_unlock(&chunk->lock);
	KUNIT_EXPECT_EQ(test, sleeps, 0);
	meanwhile = step_ends;
	ksm_pending_lock_range(chunk, 29, 5);
	mutex_unlock(&chunk->lock);
	KUNIT_EXPECT_EQ(test, sleeps, 4);
	chunk->reg_first = 20;
	chunk->reg_end = 30;
	sleeps = 0;
	KUNIT_EXPECT_EQ(test, ksm_pending_wait(chunk, 25, true), 0);
	KUNIT_EXPECT_EQ(test, sleeps, 4);
	KUNIT_EXPECT_FALSE(test, mutex_is_locked(&chunk->lock));
}

static void step_maps(void)
{
	chunk->reg_maps = sleeps >= 3;
	step_ends();
}

/* Who keeps mmap_lock does not wait for a step that wants it, or will want it. */
static void ksm_pending_locked_test(struct kunit *test)
{
	chunk->reg_first = 20;
	chunk->reg_end = 30;
	chunk->reg_maps = true;
	KUNIT_EXPECT_EQ(test, ksm_pending_wait_locked(chunk, 25, true), -EBUSY);
	KUNIT_EXPECT_EQ(test, sleeps, 0);
	KUNIT_EXPECT_EQ(test, ksm_pending_wait_locked(chunk, 30, true), 0);
	/* The step takes itself back, and begins anew: it has not mapped yet. */
	chunk->reg_maps = false;
	meanwhile = step_maps;
	KUNIT_EXPECT_EQ(test, ksm_pending_wait_locked(chunk, 25, true), -EBUSY);
	KUNIT_EXPECT_EQ(test, sleeps, 3);
	/* It has mapped. */
	chunk->reg_maps = false;
	meanwhile = step_ends;
	KUNIT_EXPECT_EQ(test, ksm_pending_wait_locked(chunk, 25, true), 0);
	KUNIT_EXPECT_EQ(test, sleeps, 4);
	KUNIT_EXPECT_FALSE(test, mutex_is_locked(&chunk->lock));
}

/* ---- others that use the page ---- */

static void ksm_pending_quiet_test(struct kunit *test)
{
	chunk->slots[SLOT] = slot_make(0, page, SLOT_PENDING);
	/* It is not on the LRU: one reference may be that of a batch on the way there. */
	KUNIT_EXPECT_TRUE(test, ksm_pending_quiet(chunk, SLOT));
	get_page(page);
	KUNIT_EXPECT_FALSE(test, ksm_pending_quiet(chunk, SLOT));
	/* No new ones can come, and there were none when the mapping was replaced. */
	KUNIT_EXPECT_TRUE(test, ksm_pending_ready(chunk, SLOT));
	expect_lock(test, 0, false, "not contended");
	chunk->contended = true;
	KUNIT_EXPECT_FALSE(test, ksm_pending_ready(chunk, SLOT));
	expect_lock(test, -EAGAIN, false, "contended");
	put_page(page);
	KUNIT_EXPECT_TRUE(test, ksm_pending_ready(chunk, SLOT));
	expect_lock(test, 0, false, "contended, and quiet by now");
	chunk->reg_first = SLOT;
	chunk->reg_end = SLOT + 1;
	KUNIT_EXPECT_FALSE(test, ksm_pending_ready(chunk, SLOT));
}

/* A fault does not wait for ever: the task may have the reference itself. */
static void ksm_pending_patience_test(struct kunit *test)
{
	chunk->slots[SLOT] = slot_make(0, page, SLOT_PENDING);
	chunk->contended = true;
	get_page(page);
	now = chunk->opened + PATIENCE;
	expect_lock(test, -EAGAIN, false, "at the end of its patience");
	now++;
	expect_lock(test, 0, false, "after it");
	expect_lock(test, 0, true, "after it");
	chunk->slots[SLOT] = 0;
	now = chunk->opened;
	expect_lock(test, 0, true, "empty");
	put_page(page);
}

/* ---- a fault that meets it ---- */

static void ksm_pending_fault_test(struct kunit *test)
{
	struct inode *inode = kunit_kzalloc(test, sizeof(*inode), GFP_KERNEL);
	struct vm_area_struct *vma = kunit_kzalloc(test, sizeof(*vma), GFP_KERNEL);
	struct file *file = kunit_kzalloc(test, sizeof(*file), GFP_KERNEL);
	struct vm_fault vmf = { .vma = vma, .pgoff = SLOT };

	KUNIT_ASSERT_NOT_NULL(test, inode);
	KUNIT_ASSERT_NOT_NULL(test, vma);
	KUNIT_ASSERT_NOT_NULL(test, file);
	vma->vm_file = file;
	vma->vm_mm = current->mm;
	file->f_inode = inode;
	inode->i_private = area;
	KUNIT_EXPECT_EQ(test, ksm_fault(&vmf), VM_FAULT_NOPAGE);
	KUNIT_EXPECT_EQ(test, waits, 1);
	wait_result = -EINTR;
	KUNIT_EXPECT_EQ(test, ksm_fault(&vmf), VM_FAULT_SIGBUS);
	KUNIT_EXPECT_EQ(test, waits, 2);
	/* A step wants the lock that this one keeps. */
	wait_result = -EBUSY;
	KUNIT_EXPECT_EQ(test, ksm_fault(&vmf), VM_FAULT_SIGBUS);
	KUNIT_EXPECT_EQ(test, waits, 3);
	wait_result = 0;
	/* Who must not wait does not. */
	vmf.flags = FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_RETRY_NOWAIT;
	KUNIT_EXPECT_EQ(test, ksm_fault(&vmf), VM_FAULT_RETRY);
	KUNIT_EXPECT_EQ(test, waits, 3);
	/* Nor who would wait for himself. */
	vmf.flags = 0;
	area->registrar = current;
	KUNIT_EXPECT_EQ(test, ksm_fault(&vmf), VM_FAULT_SIGBUS);
	KUNIT_EXPECT_EQ(test, waits, 3);
	/* Behind the end nobody looks for a chunk. */
	area->registrar = NULL;
	area->end = SLOT;
	KUNIT_EXPECT_EQ(test, ksm_fault(&vmf), VM_FAULT_SIGBUS);
	KUNIT_EXPECT_EQ(test, waits, 3);
}

static struct kunit_case ksm_pending_cases[] = {
	KUNIT_CASE(ksm_pending_step_test),
	KUNIT_CASE(ksm_pending_range_test),
	KUNIT_CASE(ksm_pending_locked_test),
	KUNIT_CASE(ksm_pending_quiet_test),
	KUNIT_CASE(ksm_pending_patience_test),
	KUNIT_CASE(ksm_pending_fault_test),
	{ }
};

static struct kunit_suite ksm_pending_suite = {
	.name = "ksmdev_pending",
	.init = ksm_pending_test_init,
	.exit = ksm_pending_test_exit,
	.test_cases = ksm_pending_cases,
};

kunit_test_suite(ksm_pending_suite);

MODULE_DESCRIPTION("Tests of who waits for pages that KSM_REGISTER takes over");
MODULE_LICENSE("GPL");
