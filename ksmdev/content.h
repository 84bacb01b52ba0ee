/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is done with the contents of a page: hash, compare, copy.
 *
 * The hash is NH (Black, Halevi, Krawczyk, Krovetz, Rogaway: UMAC, CRYPTO '99)
 * with 64-bit words: the sum of (m[i] + k[i]) * (m[i+1] + k[i+1]) modulo
 * 2^128 over the page, under a key as long as the page.  For any two different
 * pages, whoever chose them, the chance over the keys of an equal sum is at
 * most 2^-64.  Each domain has a key of its own that never leaves the kernel,
 * so nobody can prepare pages that collide and make look-ups slow.  A hash
 * never decides alone: pages are compared before they are merged.
 */
#ifndef _KSMDEV_CONTENT_H
#define _KSMDEV_CONTENT_H

#include <linux/mm.h>

struct ksm_key {
	u64 *page;			/* as long as a page */
	u64 fold[2];			/* odd */
};

int ksm_key_init(struct ksm_key *key);
void ksm_key_destroy(struct ksm_key *key);
u64 ksm_content_hash(const void *page, const struct ksm_key *key);
bool ksm_content_equal(const void *a, const void *b);
bool ksm_content_zero(const void *page);
bool ksm_content_copy(void *to, const void *from);

#endif /* _KSMDEV_CONTENT_H */
