/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Memory whose identical pages share one frame: files of ksmfs, and /dev/ksm.
 *
 * FILES.  ksmfs is a file system in memory, as tmpfs is one:
 *
 *	mount -t ksmfs -o size=8G,mode=0750,gid=kvm none /run/ksm
 *
 * Each regular file of it is memory whose pages may be merged.  The memory of one file is
 * called an area, in the names below and in those of sysfs.  Whatever takes
 * memory from a file can use it as it is: mmap() with MAP_SHARED or MAP_PRIVATE,
 * read() and write(), ftruncate(), fallocate(), descriptors over unix sockets.
 * A file behaves as a memfd does, with the differences that stand below.
 *
 * /dev/ksm is for who has no such mount.  A descriptor of it has one unnamed
 * file of ksmfs, which grows with the mappings that are made by mmap() of the
 * descriptor, and whose descriptor KSM_GET_FILE returns.  KSM_REGISTER takes
 * private memory over that a process already has, in place: same addresses,
 * same contents, no concurrent write lost.  Each call makes an unnamed file, which
 * ends where the memory ends.  The memory begins in it at the offset that its address
 * has from the last multiple of 2 MiB: at 0xd9000, if the address is 0x7f2bad4d9000.
 * Before that offset the file has nothing, and nothing can be put there: read()
 * returns 0, write() gives EPERM, fallocate() ENXIO, an access through a mapping SIGBUS.
 *
 * MERGING.  A scanner write-protects pages that have changed, hashes them and
 * maps identical ones to one frame.  The next write to a shared page gets a
 * copy of its own.  Contents never change by merging; the time that a write
 * takes does (see Documentation/security.rst).  A file or directory with the
 * attribute of `chattr +C` (FS_NOCOW_FL; on empty files only; inherited from
 * the directory) is never merged.
 *
 * DOMAINS.  Pages merge within a domain only.  A file is in one domain for all
 * its life.  Each directory directly under the root of a mount is a domain, with
 * all that is below it; link() and rename() from one to another give EXDEV.
 * Files in the root, and those of /dev/ksm, are in the domain of the effective
 * user id that made them or opened the device.  For a descriptor of /dev/ksm
 * that has no file yet, KSM_SET_DOMAIN chooses another domain: a new one, or
 * that of a directory which the caller may write to.
 *
 * DIFFERENCES from a memfd.  The memory is not swapped and not migrated.  Pages
 * are 4 KiB.  Long-term pins for writing of shared mappings (VFIO, fixed buffers of
 * io_uring) fail with EFAULT; in files with `chattr +C` they work.  On Linux 6.1 those of
 * VFIO always work, and keep the pages from merging; those of io_uring always fail with
 * EOPNOTSUPP.  A pin for reading keeps the frame that it found:
 * after a write to a page that was merged or never written, it is not the page's any more.
 * Files of a mount refuse PROT_EXEC: mmap() gives EPERM, mprotect() EACCES.  Unnamed files
 * allow it, as a memfd does.
 * userfaultfd() refuses the memory (EINVAL), but for UFFD_FEATURE_WP_ASYNC.  mincore() tells
 * what somebody has mapped; merging unmaps.  A futex that processes share gives EFAULT if its
 * memory is mapped for reading only, and is merged or was never written.  There are no seals
 * (EINVAL), no extended attributes and no ACLs (EOPNOTSUPP), and no
 * open() with O_DIRECT (EINVAL).  A frame that the hardware has found broken gives SIGBUS
 * (BUS_MCEERR_AR) once the scanner or a fault has seen it; fallocate() with
 * FALLOC_FL_PUNCH_HOLE mends the file.  Core dumps contain the memory of unnamed files.
 *
 * LIMITS.  What named files hold, and one page for each 2 MiB that was touched, counts
 * against the size of the mount (ENOSPC, SIGBUS in a fault).  The size of unnamed files
 * counts against the RLIMIT_MEMLOCK of who opened /dev/ksm, summed over all of the user, unless he
 * had CAP_IPC_LOCK: EAGAIN from mmap() and KSM_REGISTER, ENOSPC from
 * calls on the file.  The sum is one with what io_uring, perf and AF_XDP count for the user,
 * and leaves them as much less.  mmap() gives ENFILE if there are too many open files in the
 * system.  Frames are charged to the memory cgroup of who needs them first.
 *
 * SINCE VERSION 1.  Memory is files; before, it was a character device with an
 * address space of 64 EiB, in which mappings could reach what was not theirs.
 *   - A mapping that grows by mremap() beyond the end of its file gives SIGBUS
 *     there.  It took more of the limit before.
 *   - Mappings of /dev/ksm are inherited over fork(), as those of a memfd, and
 *     shared with the child.  Registered memory is still not inherited, unless
 *     madvise(MADV_DOFORK) says so.
 *   - MAP_PRIVATE is allowed.
 *   - KSM_DOMAIN_JOIN takes a directory.  It took a descriptor of /dev/ksm, which gave
 *     the memory and the limit of its opener with the domain.
 *   - Frames were charged to who opened the device.
 *   - KSM_REGISTER refuses memory with a protection key, and memory of MADV_WIPEONFORK,
 *     which it took and of which it lost that.
 *
 * COMMON ERRORS of all calls:
 *   ENOTTY  unknown request, or one that this kind of file does not know, or a request
 *           with another structure size; any request on a directory
 *   EFAULT  the argument structure cannot be read or written
 *   EINVAL  an unknown flag bit is set, or a reserved field is not zero
 *   EINTR   a signal came; fields named "done" tell how far the call got
 */
#ifndef _UAPI_LINUX_KSMDEV_H
#define _UAPI_LINUX_KSMDEV_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define KSM_API_VERSION		2

/* The longest file (64 TiB), and with it the end of what mmap() of /dev/ksm can reach. */
#define KSM_AREA_SIZE		(1ULL << 46)

/* f_type of statfs(). */
#define KSMFS_MAGIC		0x6b736d66

#define KSMIO			0xBD

/**
 * struct ksm_range - a range of memory, for the calls below
 * @addr:	start: an address in the calling process, or an offset in the
 *		file with %KSM_RANGE_OFFSET; a multiple of the page size
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

/* @addr is an offset in the file (that of KSM_GET_FILE, for /dev/ksm), not an address. */
#define KSM_RANGE_OFFSET	(1ULL << 0)

/**
 * struct ksm_scan - what one full pass did
 * @flags:		in: 0 or %KSM_SCAN_FORCE
 * @pages_scanned:	out: pages looked at, by this caller or by scan threads
 *			that shared the pass
 * @pages_hashed:	out: of those, pages hashed.  A page is first compared with the
 *			frame that the last merge was with, and is hashed only if it
 *			differs: of 62 equal pages 2 are hashed
 * @pages_merged:	out: merges of this pass: pages that gave up their frame for
 *			another one; of 62 equal pages 61, as one keeps its frame
 * @pages_zero:		out: pages of zeroes, whose frame was given back
 * @pages_skipped:	out: pages left alone as they were pinned or in use
 * @pages_volatile:	out: pages left for a later pass as they were written
 *			more than once shortly before
 * @passes:		out: passes of the domain since it was made; one with
 *			nothing to visit does not count
 * @reserved:		0
 *
 * The numbers tell of all memory in the domain.  They are 0 for a caller who is not the
 * owner of the domain (see KSM_GET_STATS).
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
 * struct ksm_set_domain - the domain of a descriptor of /dev/ksm
 * @flags:	exactly one of %KSM_DOMAIN_PRIVATE and %KSM_DOMAIN_JOIN
 * @fd:		with %KSM_DOMAIN_JOIN a descriptor of a directory of ksmfs, else -1
 * @id:		out: number of the domain, unique while the module is loaded
 */
struct ksm_set_domain {
	__u32 flags;
	__s32 fd;
	__u64 id;
};

/* A new domain, that nobody else is in. */
#define KSM_DOMAIN_PRIVATE	(1U << 0)
/* The domain of the directory @fd; of the root of a mount: that of the user. */
#define KSM_DOMAIN_JOIN		(1U << 1)

/**
 * struct ksm_stats - the state of memory, or of its domain
 * @flags:		in: 0 for the file, or for all files of a descriptor of
 *			/dev/ksm; %KSM_STATS_DOMAIN for the domain
 * @domain:		out: number of the domain
 * @size:		out: pages from the start to the end of the files; of a file of
 *			KSM_REGISTER, pages of the memory
 * @pages_private:	out: pages with a frame of their own
 * @pages_merged:	out: pages whose frame is shared or could be: those that
 *			the scanner mapped to a frame of merged content, and the one
 *			whose frame that was; 62 if 62 pages are equal
 * @ksm_zero_pages:	out: pages that were merged as zeroes and take no frame
 * @pages_pending:	out: registered pages whose contents have not been moved yet
 * @pages_shared:	out: frames of merged content (domain only, else 0)
 * @pages_unshared:	out: unchanged pages with no equal so far (domain only)
 * @cow_breaks:		out: copies made because a shared page was written
 * @metadata_bytes:	out: kernel memory beside the frames
 * @areas:		out: areas (files) in the domain, or of the descriptor
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

/* Statistics of the whole domain. */
#define KSM_STATS_DOMAIN	(1ULL << 0)

/**
 * struct ksm_info - what this module can do
 * @api_version:	out: %KSM_API_VERSION
 * @page_size:		out: bytes of a page, the unit of merging
 * @features:		out: %KSM_FEATURE_*
 * @range_flags:	out: flags that struct ksm_range may have
 * @scan_flags:		out: flags that struct ksm_scan may have
 * @stats_flags:	out: flags that struct ksm_stats may have
 * @domain_flags:	out: flags that struct ksm_set_domain may have
 * @reserved:		in: 0; out: 0
 */
struct ksm_info {
	__u32 api_version;
	__u32 page_size;
	__u64 features;
	__u64 range_flags;
	__u64 scan_flags;
	__u64 stats_flags;
	__u64 domain_flags;
	__u64 reserved[8];
};

/* ksmfs can be mounted, and KSM_GET_FILE and KSM_CREATE_DOMAIN are there. */
#define KSM_FEATURE_FILES	(1ULL << 0)

/*
 * KSM_GET_API_VERSION - returns KSM_API_VERSION.  On /dev/ksm and on files.
 *   EINVAL  the argument is not 0
 */
#define KSM_GET_API_VERSION	_IO(KSMIO, 0x00)

/*
 * KSM_REGISTER - take private anonymous memory of the caller over, in place.
 * On /dev/ksm.
 *
 * The memory becomes a shared mapping of a new unnamed file at the same
 * addresses with the same protection; transparent huge pages are split into
 * 4 KiB pages.  Other threads may go on reading and writing the range during
 * the call; unmapping or replacing it meanwhile is the caller's error.  Memory
 * that was never touched takes no frame.  When the memory is unmapped later, its
 * frames go back, at once or after some seconds.
 *
 * Each call makes mappings of its own: mremap() does not move in one go what
 * two calls took over, and a call that ended with EBUSY half-way (@done) and
 * one that goes on from there are two.  A mapping that grows gives SIGBUS beyond
 * what was registered: such a file keeps its length, and what would change that gives EPERM.
 * The new mappings do not have the policy that mbind() set, a name of
 * PR_SET_VMA_ANON_NAME, and what madvise() set with MADV_HUGEPAGE, MADV_NOHUGEPAGE or
 * MADV_MERGEABLE.  They keep MADV_DONTDUMP.
 * A thread that waits at a futex in the memory during the call is found by FUTEX_WAKE
 * afterwards if both said FUTEX_PRIVATE_FLAG, and not otherwise.  pthread_join() is one that
 * does not say so: no stack of a thread should be registered that another may wait for.
 *
 *   EINVAL      unaligned, zero length, wraps around; more than 1 TiB;
 *               shared, file or device memory; memory that was registered
 *               already; a stack that grows; memory of MADV_WIPEONFORK; flags not 0
 *   EOPNOTSUPP  memory of hugetlbfs, or with a protection key
 *   EACCES      the mapping is not both readable and writable, or the
 *               descriptor is not open for both
 *   ENOMEM      nothing is mapped in a part of the range; or out of memory
 *   EPERM       memory locked by mlock(), or sealed by mseal()
 *   EBUSY       pages are pinned: a device may be writing to them, or a
 *               userfaultfd watches them, or another thread discards them all
 *               the time; try again when that is over
 *   EAGAIN      RLIMIT_MEMLOCK would be exceeded
 *   EHWPOISON   the hardware has found a page of it broken
 *   EIO         a page cannot be read back from swap, or is a guard page (MADV_GUARD_INSTALL)
 *   EEXIST      the kernel had unmapped the old mapping when it ran out of memory, and another
 *               thread has mapped something else there: up to 2 MiB from @done on are lost
 *   ENFILE      too many open files in the system
 *   EINTR       a fatal signal
 */
#define KSM_REGISTER		_IOWR(KSMIO, 0x01, struct ksm_range)

/*
 * KSM_UNMERGE - give each shared page in the range a frame of its own and
 * leave the range out of merging until KSM_MERGE.  On /dev/ksm: memory of its files.  On a
 * file: memory of that.
 *
 * An address in a MAP_PRIVATE mapping means the page of the file, not the copy of it that the
 * process may have.
 *
 *   EINVAL  unaligned, zero length, wraps around, ends behind the end of the file, or
 *           begins before the memory in a file of KSM_REGISTER
 *   EACCES  the descriptor is not open for writing, or the one by which an address was
 *           mapped was not
 *   ENOMEM  a part of the range is not a mapping of such a file; or out of memory
 *   ENOSPC  the mount is full
 */
#define KSM_UNMERGE		_IOWR(KSMIO, 0x02, struct ksm_range)

/*
 * KSM_MERGE - let the range take part in merging again.  Errors as KSM_UNMERGE.
 */
#define KSM_MERGE		_IOWR(KSMIO, 0x03, struct ksm_range)

/*
 * KSM_DISCARD - forget the contents: the range reads as zeroes for everybody,
 * and its frames are free.  As fallocate() with FALLOC_FL_PUNCH_HOLE and madvise() with
 * MADV_REMOVE do, also to the times of the file and its set-user-id bits.
 *
 *   EINVAL  unaligned, zero length, wraps around, ends behind the end of the file, or
 *           begins before the memory in a file of KSM_REGISTER
 *   EACCES  the descriptor is not open for writing, or the one by which an address was
 *           mapped was not; an address is in a MAP_PRIVATE mapping, as for MADV_REMOVE
 *   ENOMEM  a part of the range is not a mapping of such a file
 */
#define KSM_DISCARD		_IOWR(KSMIO, 0x04, struct ksm_range)

/*
 * KSM_SCAN - run one full pass over the domain, in the calling thread and at its priority,
 * and say what it did.  On /dev/ksm and on files.  Pages that nobody wrote
 * since the last pass are not visited.  When the call returns, each page of
 * the domain that was written before the call and is neither pinned nor
 * volatile has been merged with its equals.  Works with "run" at 0.
 *
 *   EACCES  the descriptor is not open for writing
 *   EPERM   KSM_SCAN_FORCE, and the caller is not the owner of the domain
 *   EINTR   a signal; what was merged stays merged
 *   ENOMEM  out of memory
 */
#define KSM_SCAN		_IOWR(KSMIO, 0x05, struct ksm_scan)

/*
 * KSM_SET_DOMAIN - choose with whom the memory of this descriptor merges.  On /dev/ksm.
 *
 *   EINVAL  not exactly one flag; @fd not -1 with KSM_DOMAIN_PRIVATE; @fd is
 *           no directory of ksmfs
 *   EBADF   @fd is not open, or was opened with O_PATH
 *   EACCES  the caller may not write to the directory @fd, or not search it
 *   EROFS   @fd was opened through a mount that is read-only
 *   EBUSY   a file was made already, by mmap(), KSM_GET_FILE or KSM_REGISTER, also if such a
 *           call failed after that
 *   ENOMEM  out of memory
 */
#define KSM_SET_DOMAIN		_IOWR(KSMIO, 0x06, struct ksm_set_domain)

/*
 * KSM_GET_STATS - statistics of memory or of its domain.  On /dev/ksm and on files.
 *
 *   EPERM   the caller is not the owner of the domain: the user whose domain it is, the
 *           owner of the directory, who made it private; or who has CAP_SYS_ADMIN
 */
#define KSM_GET_STATS		_IOWR(KSMIO, 0x07, struct ksm_stats)

/*
 * KSM_GET_INFO - what this module can do.  On /dev/ksm and on files.
 */
#define KSM_GET_INFO		_IOWR(KSMIO, 0x08, struct ksm_info)

/*
 * KSM_GET_FILE - returns a new descriptor (close-on-exec, open for reading and writing) of the
 * unnamed file whose memory mmap() of /dev/ksm gives.  On /dev/ksm.  All descriptors that it
 * returns share one open file description, as those of dup() do: position, O_APPEND, locks.
 *
 *   EINVAL  the argument is not 0
 *   EACCES  the descriptor is not open for reading and writing
 *   EMFILE, ENFILE  too many descriptors
 *   ENOMEM  out of memory
 */
#define KSM_GET_FILE		_IO(KSMIO, 0x09)

/*
 * KSM_CREATE_DOMAIN - returns a new descriptor (close-on-exec) of an unnamed directory, which
 * is a domain, for KSM_DOMAIN_JOIN.  It belongs to the caller and has mode 0700: fchmod() and
 * fchown() let others in.  It cannot be used as a directory otherwise: openat() (also of "."),
 * mkdirat(), fchdir(), getdents() and O_TMPFILE in it give ENOTDIR.  On /dev/ksm.
 *
 *   EINVAL  the argument is not 0
 *   EMFILE, ENFILE  too many descriptors
 *   ENOMEM  out of memory
 */
#define KSM_CREATE_DOMAIN	_IO(KSMIO, 0x0a)

#endif /* _UAPI_LINUX_KSMDEV_H */
