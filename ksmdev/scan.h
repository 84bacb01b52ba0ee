/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Scanning a chunk: everything between "this page was written" and "it shares
 * a frame".
 *
 *  1. Collect the slots that are private, not CLEAN and have rested (slot.h);
 *     pending ones that KSM_REGISTER left become private when nobody else uses
 *     their page any more.  Those that were written after they had been
 *     hashed must have the same contents at two looks.
 *  2. Protect them: long runs are unmapped in one go, with one TLB flush;
 *     single pages are write-protected (folio_mkclean), which keeps readers'
 *     mappings.
 *  3. A page with more references than mappings is pinned or about to be
 *     mapped: somebody may write to it unseen.  It is left for another pass.
 *     All others cannot change as long as the chunk is locked, or until
 *     ->page_mkwrite is called for them.
 *  4. Zeroes give their frame back.  Otherwise: compare with the frame that
 *     the last page merged into, then hash and look the hash up in the table.
 *     Whatever is found is compared in full before a merge.
 *  5. What has no equal stands in the table as a candidate and is CLEAN; the
 *     next page with the same contents merges with it, in the same pass.
 */
#ifndef _KSMDEV_SCAN_H
#define _KSMDEV_SCAN_H

#include "area.h"
#include "domain.h"

/* What a thread keeps while it scans: several KiB, so not on the stack. */
struct ksm_scanner {
	struct ksm_domain *domain;
	struct ksm_scan_counts counts;	/* of the chunk */
	struct ksm_frame_batch freed;
	unsigned long now;		/* tick at which the visit began */
	unsigned int due;		/* ticks until the next; UINT_MAX: none */
	bool contended;			/* it needs another one in this pass */
	struct page *last;		/* stable frame merged into last */
	unsigned int nr;
	u16 index[KSM_CHUNK_PAGES];	/* the slots to look at */
};

struct ksm_scanner *ksm_scanner_new(void);
void ksm_scanner_free(struct ksm_scanner *s);
void ksm_scan_chunk(struct ksm_scanner *s, struct ksm_chunk *chunk);
bool ksm_scan_step(struct ksm_scanner *s, struct ksm_domain *d);
void ksm_scanner_rest(struct ksm_scanner *s);

#endif /* _KSMDEV_SCAN_H */
