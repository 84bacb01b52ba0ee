// SPDX-License-Identifier: GPL-2.0
/*
 * A regular file of ksmfs: reading, writing, its size, holes, mappings.
 *
 * Nothing is copied from or to userspace under a chunk's lock: the buffer may be a mapping of
 * the same file, or one whose faults somebody else answers.  The frame is referenced, which
 * keeps it from merging, as a page that get_user_pages() has got.
 */
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/splice.h>
#include <linux/uio.h>

#include "../include/compat/mmap.h"
#include "area.h"
#include "fault.h"
#include "file.h"
#include "ioctl.h"
#include "pending.h"
#include "range.h"
#include "register.h"
#include "slot.h"

/*
 * Page @pgoff of the area, with a reference in *@page, to read or to write to it (@use);
 * NULL if there is nothing to read.  -ENXIO behind the end, -EIO, -ENOSPC, -ENOMEM, -EINTR.
 */
static int page_get(struct ksm_area *area, unsigned long pgoff, enum ksm_use use,
		    struct page **page)
{
	unsigned int i = ksm_slot_index(pgoff);
	struct ksm_chunk *chunk;
	int err;

	*page = NULL;
	chunk = use == KSM_USE_LOOK ? ksm_chunk_find(area, pgoff) : ksm_chunk_get(area, pgoff);
	if (IS_ERR_OR_NULL(chunk))
		return PTR_ERR_OR_ZERO(chunk);
	do {
		err = ksm_slot_lock(chunk, i, use, true);
		if (err == -EAGAIN && ksm_pending_wait(chunk, i, true))
			err = -EINTR;
	} while (err == -EAGAIN);
	if (err)
		return err == -EHWPOISON ? -EIO : err;
	*page = slot_page(chunk->slots[i]);
	if (use != KSM_USE_LOOK)
		ksm_slot_unclean(chunk, i);
	if (*page)
		get_page(*page);
	mutex_unlock(&chunk->lock);
	return 0;
}

/* ---- read ---- */

/* Within one page; returns how much, 0 at the end of the file, or -errno. */
static ssize_t read_page(struct ksm_area *area, loff_t pos, struct iov_iter *to)
{
	loff_t size = i_size_read(area->mapping->host);
	struct page *page;
	size_t len, got;
	int err;

	if (pos >= size)
		return 0;
	err = page_get(area, pos >> PAGE_SHIFT, KSM_USE_LOOK, &page);
	if (err)
		return err == -ENXIO ? 0 : err;
	len = min_t(loff_t, PAGE_SIZE - offset_in_page(pos), size - pos);
	/* Not copy_page_to_iter(): a pipe would keep the frame. */
	if (page) {
		got = copy_to_iter(page_address(page) + offset_in_page(pos), len, to);
		put_page(page);
	} else {
		got = iov_iter_zero(len, to);
	}
	return got ?: -EFAULT;
}

static ssize_t ksm_file_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct ksm_area *area = ksm_area_of_file(iocb->ki_filp);
	ssize_t done = 0, got = 0;

	while (iov_iter_count(to)) {
		got = fatal_signal_pending(current) ? -EINTR :
		      read_page(area, iocb->ki_pos, to);
		if (got <= 0)
			break;
		iocb->ki_pos += got;
		done += got;
		cond_resched();
	}
	file_accessed(iocb->ki_filp);
	return done ?: got;
}

/* ---- size ---- */

/*
 * The page that @pos is in, if it is in the file and holds anything, to zero a part of it.
 * The reference keeps it from merging until then.
 */
static int held_get(struct ksm_area *area, loff_t pos, struct page **page)
{
	int err = page_get(area, pos >> PAGE_SHIFT, KSM_USE_LOOK, page);

	if (*page) {
		put_page(*page);
		err = page_get(area, pos >> PAGE_SHIFT, KSM_USE_WRITE, page);
	}
	return err == -ENXIO ? 0 : err;
}

/* Zero up to @end what held_get() found for @pos, if anything. */
static void held_zero(struct page *page, loff_t pos, loff_t end)
{
	if (!page)
		return;
	memset(page_address(page) + offset_in_page(pos), 0, end - pos);
	put_page(page);
}

/*
 * The last page of a file that ends at @pos within it: what is behind @pos there has to be
 * zeroed, unless it is broken.
 */
static int tail_get(struct ksm_area *area, loff_t pos, struct page **page)
{
	int err;

	*page = NULL;
	if (!offset_in_page(pos))
		return 0;
	err = held_get(area, pos, page);
	return err == -EIO ? 0 : err;
}

static void tail_zero(struct page *page, loff_t pos)
{
	held_zero(page, pos, round_up(pos, PAGE_SIZE));
}

/* Must hold the inode lock and area->size_lock. */
static int file_shrink(struct ksm_area *area, loff_t size)
{
	unsigned long old = area->end;
	struct page *tail;
	int err = tail_get(area, size, &tail);

	if (err)
		return err;
	ksm_area_set_end(area, size);	/* shorter: does not fail */
	tail_zero(tail, size);
	/* Copies of MAP_PRIVATE, too; again for those that faults made meanwhile. */
	unmap_mapping_range(area->mapping, round_up(size, PAGE_SIZE), 0, 1);
	ksm_range_drop(area, area->end, old);
	unmap_mapping_range(area->mapping, round_up(size, PAGE_SIZE), 0, 1);
	return 0;
}

/*
 * A mapping may have written to the last page behind the end of the file: zeroes.  Must hold
 * area->size_lock.
 */
static int file_clear_tail(struct ksm_area *area)
{
	loff_t size = i_size_read(area->mapping->host);
	struct page *tail;
	int err = tail_get(area, size, &tail);

	if (!err)
		tail_zero(tail, size);
	return err;
}

static int file_extend(struct ksm_area *area, loff_t size)
{
	return file_clear_tail(area) ?: ksm_area_set_end(area, size);
}

/*
 * ftruncate(): the file is @size bytes long.  Holds the inode lock.  -ENOSPC over the limit
 * of the user, -EPERM for registered memory, -ENOMEM, -EINTR.
 */
int ksm_file_resize(struct ksm_area *area, loff_t size)
{
	int err;

	if (area->kind == KSM_AREA_REGISTERED)
		return -EPERM;
	mutex_lock(&area->size_lock);
	if (size < i_size_read(area->mapping->host))
		err = file_shrink(area, size);
	else
		err = file_extend(area, size);
	mutex_unlock(&area->size_lock);
	return err == -EAGAIN ? -ENOSPC : err;
}

/*
 * The file of /dev/ksm is at least @size bytes long, for a mapping: without the inode lock, as
 * mmap_lock is held.  -EAGAIN over the limit, -EPERM for registered memory.
 */
int ksm_file_grow(struct ksm_area *area, loff_t size)
{
	int err = 0;

	if (area->kind == KSM_AREA_REGISTERED)
		return -EPERM;
	mutex_lock(&area->size_lock);
	if (size > i_size_read(area->mapping->host))
		err = file_extend(area, size);
	mutex_unlock(&area->size_lock);
	return err;
}

/* ---- write ---- */

/*
 * What was written reaches up to @pos; the file had @size bytes before.  -ESTALE if it reaches
 * behind that, and a mapping has made the file longer meanwhile: file_clear_tail() may have
 * zeroed what was written.  Must hold the inode lock.
 */
static int write_reached(struct ksm_area *area, loff_t size, loff_t pos)
{
	int err = 0;

	if (pos <= size || area->kind == KSM_AREA_REGISTERED)
		return 0;
	mutex_lock(&area->size_lock);
	if (i_size_read(area->mapping->host) != size)
		err = -ESTALE;
	else
		err = ksm_area_set_end(area, pos);
	mutex_unlock(&area->size_lock);
	return err == -EAGAIN ? -ENOSPC : err;
}

/* Within one page; returns how much, or -errno.  Must hold the inode lock. */
static ssize_t write_page(struct ksm_area *area, loff_t pos, struct iov_iter *from)
{
	size_t len = min(PAGE_SIZE - offset_in_page(pos), iov_iter_count(from)), got;
	/* The end of registered memory moves without the inode lock. */
	bool registered = area->kind == KSM_AREA_REGISTERED;
	loff_t size = i_size_read(area->mapping->host);
	struct page *page;
	int err;

	if (fault_in_iov_iter_readable(from, len) == len)
		return -EFAULT;
	err = page_get(area, pos >> PAGE_SHIFT, registered ? KSM_USE_WRITE : KSM_USE_EXTEND, &page);
	if (err)
		return err == -ENXIO ? -EPERM : err;
	got = copy_from_iter(page_address(page) + offset_in_page(pos), len, from);
	put_page(page);
	err = got ? write_reached(area, size, pos + got) : -EFAULT;
	if (!err)
		return got;
	if (err == -ESTALE) {
		iov_iter_revert(from, got);
		return err;
	}
	/* Nothing stays behind the end, which a mapping of /dev/ksm may have moved. */
	mutex_lock(&area->size_lock);
	ksm_range_drop(area, area->end, (pos >> PAGE_SHIFT) + 1);
	mutex_unlock(&area->size_lock);
	return err;
}

static ssize_t write_pages(struct kiocb *iocb, struct iov_iter *from)
{
	struct ksm_area *area = ksm_area_of_file(iocb->ki_filp);
	ssize_t done = 0, got = 0;

	while (iov_iter_count(from)) {
		got = fatal_signal_pending(current) ? -EINTR :
		      write_page(area, iocb->ki_pos, from);
		/* The page is within the file by now: once more. */
		if (got == -ESTALE)
			continue;
		if (got <= 0)
			break;
		iocb->ki_pos += got;
		done += got;
		cond_resched();
	}
	return done ?: got;
}

/*
 * A write at @pos leaves a hole of zeroes behind the end there is.  The file gets longer by
 * what is written, and not by a write that fails.
 */
static int write_hole(struct ksm_area *area, loff_t pos)
{
	int err = 0;

	mutex_lock(&area->size_lock);
	if (pos > i_size_read(area->mapping->host))
		err = file_clear_tail(area);
	mutex_unlock(&area->size_lock);
	return err;
}

/* Before a write at @pos of @len bytes. */
static int write_prepare(struct file *file, loff_t pos, size_t len)
{
	struct ksm_area *area = ksm_area_of_file(file);
	loff_t size = i_size_read(file_inode(file));
	int err = file_modified(file);

	if (err)
		return err;
	if (area->kind == KSM_AREA_REGISTERED && pos + len > size)
		return -EPERM;
	return pos > size ? write_hole(area, pos) : 0;
}

static ssize_t ksm_file_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;

	inode_lock(inode);
	ret = generic_write_checks(iocb, from);
	if (ret > 0) {
		int err = write_prepare(iocb->ki_filp, iocb->ki_pos, iov_iter_count(from));

		ret = err ?: write_pages(iocb, from);
	}
	inode_unlock(inode);
	return ret;
}

/* ---- holes ---- */

/* The first page from @pgoff to before @end that is held, or is not; @end if none is. */
static unsigned long next_page(struct ksm_area *area, unsigned long pgoff, unsigned long end,
			       bool held)
{
	while (pgoff < end) {
		unsigned long index = pgoff >> KSM_CHUNK_SHIFT;
		struct ksm_chunk *chunk = xa_find(&area->chunks, &index,
						  (end - 1) >> KSM_CHUNK_SHIFT, XA_PRESENT);

		if (!chunk)
			return held ? end : pgoff;
		if (chunk->first > pgoff) {
			if (!held)
				return pgoff;
			pgoff = chunk->first;
		}
		for (; pgoff < min(end, chunk->first + KSM_CHUNK_PAGES); pgoff++)
			if (slot_held(READ_ONCE(chunk->slots[ksm_slot_index(pgoff)])) == held)
				return pgoff;
		cond_resched();
	}
	return end;
}

static loff_t seek_page(struct file *file, loff_t offset, bool held)
{
	struct ksm_area *area = ksm_area_of_file(file);
	loff_t size = i_size_read(file_inode(file)), found;

	if (offset < 0 || offset >= size)
		return -ENXIO;
	found = (loff_t)next_page(area, offset >> PAGE_SHIFT, DIV_ROUND_UP_ULL(size, PAGE_SIZE),
				  held) << PAGE_SHIFT;
	if (held && found >= size)
		return -ENXIO;
	found = clamp(found, offset, size);
	return vfs_setpos(file, found, file_inode(file)->i_sb->s_maxbytes);
}

static loff_t ksm_file_llseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	loff_t ret;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return generic_file_llseek(file, offset, whence);
	inode_lock_shared(inode);
	ret = seek_page(file, offset, whence == SEEK_DATA);
	inode_unlock_shared(inode);
	return ret;
}

/* Zero the bytes from @pos to before @end, within one page of the file. */
static int zero_part(struct ksm_area *area, loff_t pos, loff_t end)
{
	struct page *page;
	int err;

	if (pos >= end)
		return 0;
	err = held_get(area, pos, &page);
	held_zero(page, pos, end);
	return err;
}

/* The range reads as zeroes; its whole pages are holes. */
static int file_punch(struct ksm_area *area, loff_t pos, loff_t end)
{
	loff_t first = round_up(pos, PAGE_SIZE), last = round_down(end, PAGE_SIZE);
	int err;

	if (first > last)
		return zero_part(area, pos, end);
	err = zero_part(area, pos, first) ?: zero_part(area, last, end);
	if (!err)
		ksm_range_drop(area, first >> PAGE_SHIFT, last >> PAGE_SHIFT);
	return err;
}

/* Each page of the range has a frame. */
static int file_fill(struct ksm_area *area, loff_t pos, loff_t end, enum ksm_use use)
{
	unsigned long pgoff = pos >> PAGE_SHIFT;
	struct page *page;
	int err = 0;

	for (; pgoff < DIV_ROUND_UP_ULL(end, PAGE_SIZE) && !err; pgoff++) {
		if (signal_pending(current))
			return -EINTR;
		if (next_page(area, pgoff, pgoff + 1, true) == pgoff)
			continue;
		err = page_get(area, pgoff, use, &page);
		if (page)
			put_page(page);
		cond_resched();
	}
	return err;
}

/*
 * The size of a named file comes after the frames: who has seen it may write there, and would
 * lose that if it were taken back after an error.  What is charged for a file of /dev/ksm is
 * its size, which comes first, and stays.  Holds the inode lock.
 */
static int file_allocate(struct file *file, int mode, loff_t pos, loff_t end)
{
	struct inode *inode = file_inode(file);
	struct ksm_area *area = ksm_area_of_file(file);
	bool named = area->kind == KSM_AREA_NAMED, longer = end > i_size_read(inode);
	unsigned long pages = DIV_ROUND_UP_ULL(end, PAGE_SIZE);
	int err = 0;

	if (longer && mode & FALLOC_FL_KEEP_SIZE)
		return -EOPNOTSUPP;
	if (longer)
		err = inode_newsize_ok(inode, end);
	if (!err && longer && !named)
		err = ksm_file_grow(area, end);
	if (err == -EAGAIN)
		err = -ENOSPC;
	if (!err && !ksm_area_may_hold(area, pages - (pos >> PAGE_SHIFT)))
		err = -ENOSPC;
	if (!err && mode & FALLOC_FL_ZERO_RANGE)
		err = file_punch(area, pos, end);
	if (!err)
		err = file_fill(area, pos, end, named ? KSM_USE_EXTEND : KSM_USE_WRITE);
	if (!err && longer && named)
		err = ksm_file_resize(area, end);
	if (err && longer && named)
		ksm_range_drop(area, area->end, pages);
	return err;
}

static long ksm_file_fallocate(struct file *file, int mode, loff_t pos, loff_t len)
{
	struct ksm_area *area = ksm_area_of_file(file);
	struct inode *inode = file_inode(file);
	int err;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	if (pos >> PAGE_SHIFT < area->first)
		return -ENXIO;
	inode_lock(inode);
	err = file_modified(file);
	if (!err && mode & FALLOC_FL_PUNCH_HOLE)
		err = file_punch(area, pos,
				 min(pos + len, round_up(i_size_read(inode), PAGE_SIZE)));
	else if (!err)
		err = file_allocate(file, mode, pos, pos + len);
	inode_unlock(inode);
	return err;
}

/* ---- mappings ---- */

static int ksm_file_map(struct vm_area_desc *desc)
{
	struct ksm_area *area = ksm_area_of_file(desc->file);
	vm_flags_t flags = compat_desc_flags(desc);

	/* For a path through overlayfs, which does not look at SB_I_NOEXEC. */
	if (area->kind == KSM_AREA_NAMED) {
		if (flags & VM_EXEC)
			return -EPERM;
		flags &= ~VM_MAYEXEC;
	}
	file_accessed(desc->file);
	desc->vm_ops = READ_ONCE(area->nomerge) ? &ksm_nomerge_vm_ops : &ksm_vm_ops;
	if (READ_ONCE(area->registrar) == current)
		flags |= ksm_register_vm_flags(area->step);
	compat_desc_set_flags(desc, flags);
	return 0;
}

COMPAT_MMAP(ksm_file_map);

/*
 * mmap() looks for an address, with mm->mmap_lock held for writing, before it unmaps
 * what is there: the last moment to see what KSM_REGISTER takes over.
 */
static unsigned long ksm_file_get_unmapped_area(struct file *file, unsigned long addr,
						unsigned long len, unsigned long pgoff,
						unsigned long flags)
{
	struct ksm_area *area = ksm_area_of_file(file);

	if (READ_ONCE(area->registrar) == current && !ksm_register_may_map(area->step))
		return -EAGAIN;
	return compat_get_unmapped_area(file, addr, len, pgoff, flags);
}

static long ksm_file_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct ksm_target target = { .file = file };

	return ksm_ioctl(file, ksm_area_of_file(file)->domain, &target, cmd, arg);
}

const struct file_operations ksm_file_fops = {
	.owner = THIS_MODULE,
	.open = generic_file_open,
	.llseek = ksm_file_llseek,
	.read_iter = ksm_file_read_iter,
	.write_iter = ksm_file_write_iter,
	.splice_read = copy_splice_read,
	.splice_write = iter_file_splice_write,
	.fallocate = ksm_file_fallocate,
	.fsync = noop_fsync,
	COMPAT_FOPS_MMAP(ksm_file_map),
	.get_unmapped_area = ksm_file_get_unmapped_area,
	.unlocked_ioctl = ksm_file_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};
