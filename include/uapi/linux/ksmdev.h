/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/ksm: memory whose identical pages share one frame.
 *
 * AREAS.  Each open() of /dev/ksm makes an area: sparse memory, addressed by
 * file offset, that lives until the last descriptor and the last mapping of it
 * are gone.  Memory gets into an area in one of two ways:
 *
 *   - mmap(fd, MAP_SHARED) anywhere below KSM_AREA_SIZE: the range reads as
 *     zeroes and takes a frame with the first write.  The right way for the
 *     RAM of a guest.  MAP_PRIVATE is refused (EINVAL), and so is what lies
 *     above KSM_AREA_SIZE (EINVAL).
 *   - KSM_REGISTER takes private anonymous memory over that a process already
 *     has, in place: same addresses, same contents, no concurrent write lost.
 *
 * An area behaves as a memfd does, with these differences: a mapping is not
 * inherited over fork() (madvise(MADV_DOFORK) changes that: parent and child
 * then share writes); MADV_DONTNEED only drops the mapping, KSM_DISCARD drops
 * the contents (MADV_REMOVE gives ENODEV); the memory is not swapped and not
 * migrated; pages are 4 KiB; long-term pins for writing (VFIO, io_uring fixed
 * buffers) fail with EFAULT, because a pinned page could not be kept from
 * changing while it is shared.
 *
 * MERGING.  A scanner write-protects pages that have changed, hashes them and
 * maps identical ones to one frame.  The next write to a shared page gets a
 * copy of its own.  Contents never change by merging; the time that a write
 * takes does (see Documentation/security.rst).
 *
 * DOMAINS.  Pages merge within a domain only.  An area starts in the domain of
 * the effective user id that opened it; KSM_SET_DOMAIN puts an area that has no
 * memory yet into a private domain or into the one of another descriptor.
 * To let others share with you, give them a descriptor of an area in your
 * domain over a unix socket: one without memory gives the domain and nothing
 * else.
 *
 * LIMITS.  The size of an area, from offset 0 to the highest page ever mapped
 * and all that is registered, counts against the opener's RLIMIT_MEMLOCK,
 * summed over all areas of the user, unless the opener has CAP_IPC_LOCK; going
 * over gives EAGAIN, and SIGBUS where a mapping grew by mremap().  What one
 * KSM_REGISTER took over counts up to its last page that is still mapped.  Frames
 * are charged to the memory cgroup of the opener; the one that brought a
 * content first pays for the shared frame.
 *
 * COMMON ERRORS of all calls:
 *   ENOTTY  unknown request, or a request with another structure size
 *   EFAULT  the argument structure cannot be read or written
 *   EINVAL  an unknown flag bit is set, or a reserved field is not zero
 *   EINTR   a signal came; fields named "done" tell how far the call got
 */
#ifndef _UAPI_LINUX_KSMDEV_H
#define _UAPI_LINUX_KSMDEV_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define KSM_API_VERSION		1

/* Bytes of an area that mmap() can reach (64 TiB); above it live the ranges
 * that KSM_REGISTER took over.
 */
#define KSM_AREA_SIZE		(1ULL << 46)

#define KSMIO			0xBD

/**
 * struct ksm_range - a range of an area, for the calls below
 * @addr:	start: an address in the calling process, or an offset in the
 *		area with %KSM_RANGE_OFFSET; a multiple of the page size
 * @len:	bytes, a multiple of the page size, not 0
 * @flags:	0 or %KSM_RANGE_OFFSET (not for KSM_REGISTER)
 * @done:	out: bytes from @addr on for which the call took effect; equal
 *		to @len on success, and on failure what stays done
 */
struct ksm_range {
	__u64 addr;
	__u64 len;
	__u64 flags;
	__u64 done;
};

/* @addr is an offset in the area, not an address. */
#define KSM_RANGE_OFFSET	(1ULL << 0)

/**
 * struct ksm_scan - what one full pass did
 * @flags:		in: 0 or %KSM_SCAN_FORCE
 * @pages_scanned:	out: pages looked at, by this caller or by scan threads
 *			that shared the pass
 * @pages_hashed:	out: of those, pages hashed
 * @pages_merged:	out: pages that now share an existing frame
 * @pages_zero:		out: pages of zeroes, whose frame was given back
 * @pages_skipped:	out: pages left alone as they were pinned or in use
 * @pages_volatile:	out: pages left for a later pass as they were written
 *			more than once shortly before
 * @passes:		out: passes of the domain since it was made; one with
 *			nothing to visit does not count
 * @reserved:		0
 */
struct ksm_scan {
	__u64 flags;
	__u64 pages_scanned;
	__u64 pages_hashed;
	__u64 pages_merged;
	__u64 pages_zero;
	__u64 pages_skipped;
	__u64 pages_volatile;
	__u64 passes;
	__u64 reserved[4];
};

/* Also visit pages that were to be left for being volatile. */
#define KSM_SCAN_FORCE		(1ULL << 0)

/**
 * struct ksm_set_domain - the domain of an area
 * @flags:	exactly one of %KSM_DOMAIN_PRIVATE and %KSM_DOMAIN_JOIN
 * @fd:		with %KSM_DOMAIN_JOIN a descriptor of /dev/ksm, else -1
 * @id:		out: number of the domain, unique while the module is loaded
 */
struct ksm_set_domain {
	__u32 flags;
	__s32 fd;
	__u64 id;
};

/* A new domain, that nobody else is in. */
#define KSM_DOMAIN_PRIVATE	(1U << 0)
/* The domain of the area behind @fd. */
#define KSM_DOMAIN_JOIN		(1U << 1)

/**
 * struct ksm_stats - the state of an area or of its domain
 * @flags:		in: 0 for the area, %KSM_STATS_DOMAIN for its domain
 * @domain:		out: number of the domain
 * @size:		out: pages that count against the limit (see LIMITS)
 * @pages_private:	out: pages with a frame of their own
 * @pages_merged:	out: pages whose frame is shared or could be: those that
 *			the scanner mapped to a frame of merged content
 * @ksm_zero_pages:	out: pages that were merged as zeroes and take no frame
 * @pages_pending:	out: registered pages not yet moved into the area
 * @pages_shared:	out: frames of merged content (domain only, else 0)
 * @pages_unshared:	out: unchanged pages with no equal so far (domain only)
 * @cow_breaks:		out: copies made because a shared page was written
 * @metadata_bytes:	out: kernel memory beside the frames
 * @areas:		out: areas in the domain (1 for an area)
 * @reserved:		0
 */
struct ksm_stats {
	__u64 flags;
	__u64 domain;
	__u64 size;
	__u64 pages_private;
	__u64 pages_merged;
	__u64 ksm_zero_pages;
	__u64 pages_pending;
	__u64 pages_shared;
	__u64 pages_unshared;
	__u64 cow_breaks;
	__u64 metadata_bytes;
	__u64 areas;
	__u64 reserved[4];
};

/* Statistics of the whole domain instead of one area. */
#define KSM_STATS_DOMAIN	(1ULL << 0)

/*
 * KSM_GET_API_VERSION - returns KSM_API_VERSION.
 *   EINVAL  the argument is not 0
 */
#define KSM_GET_API_VERSION	_IO(KSMIO, 0x00)

/*
 * KSM_REGISTER - take private anonymous memory of the caller over, in place.
 *
 * The memory becomes a shared mapping of the area at the same addresses with
 * the same protection; transparent huge pages are split into 4 KiB pages.
 * Other threads may go on reading and writing the range during the call;
 * unmapping or replacing it meanwhile is the caller's error.  When the memory
 * is unmapped later, its frames go back at the next pass of the scanner.
 *
 * Each call makes mappings of its own: mremap() does not move in one go what
 * two calls took over, and a call that ended with EBUSY half-way (@done) and
 * one that goes on from there are two.
 *
 *   EINVAL      unaligned, zero length, wraps around; more than 1 TiB - 2 MiB;
 *               shared, file or device memory; memory that is already in an
 *               area; a stack that grows; flags not 0
 *   EOPNOTSUPP  memory of hugetlbfs
 *   EACCES      the mapping is not both readable and writable, or the
 *               descriptor is not open for both
 *   ENOMEM      nothing is mapped in a part of the range; or out of memory
 *   EPERM       memory locked by mlock()
 *   EBUSY       pages are pinned: a device may be writing to them, or a
 *               userfaultfd watches them, or another thread discards them all
 *               the time; try again when that is over
 *   EAGAIN      RLIMIT_MEMLOCK would be exceeded
 *   EINTR       a fatal signal
 */
#define KSM_REGISTER		_IOWR(KSMIO, 0x01, struct ksm_range)

/*
 * KSM_UNMERGE - give each shared page in the range a frame of its own and
 * leave the range out of merging until KSM_MERGE.
 *
 *   EINVAL  unaligned, zero length, wraps around, outside the area
 *   ENOMEM  a part of the range is not a mapping of this area; or out of memory
 */
#define KSM_UNMERGE		_IOWR(KSMIO, 0x02, struct ksm_range)

/*
 * KSM_MERGE - let the range take part in merging again.  Errors as KSM_UNMERGE.
 */
#define KSM_MERGE		_IOWR(KSMIO, 0x03, struct ksm_range)

/*
 * KSM_DISCARD - forget the contents: the range reads as zeroes for everybody,
 * and its frames are free.  What a balloon or an allocator calls.
 *
 *   EINVAL  unaligned, zero length, wraps around, outside the area
 *   EACCES  the descriptor is not open for writing
 *   ENOMEM  a part of the range is not a mapping of this area
 */
#define KSM_DISCARD		_IOWR(KSMIO, 0x04, struct ksm_range)

/*
 * KSM_SCAN - run one full pass over the domain of this area, in the calling
 * thread and at its priority, and say what it did.  Pages that nobody wrote
 * since the last pass are not visited.  When the call returns, each page of
 * the domain that was written before the call and is neither pinned nor
 * volatile has been merged with its equals.  Works with "run" at 0.
 *
 *   EINTR   a signal; what was merged stays merged
 *   ENOMEM  out of memory
 */
#define KSM_SCAN		_IOWR(KSMIO, 0x05, struct ksm_scan)

/*
 * KSM_SET_DOMAIN - choose with whom this area merges.
 *
 *   EINVAL  not exactly one flag; @fd not -1 with KSM_DOMAIN_PRIVATE; @fd is
 *           no descriptor of /dev/ksm
 *   EBADF   @fd is not open
 *   EBUSY   the area has memory already (was mapped or registered)
 *   ENOMEM  out of memory
 */
#define KSM_SET_DOMAIN		_IOWR(KSMIO, 0x06, struct ksm_set_domain)

/*
 * KSM_GET_STATS - statistics of the area or its domain.
 */
#define KSM_GET_STATS		_IOWR(KSMIO, 0x07, struct ksm_stats)

#endif /* _UAPI_LINUX_KSMDEV_H */
