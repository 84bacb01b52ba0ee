/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who runs the scanner: the scan threads, paced by the advisor, and KSM_SCAN.
 */
#ifndef _KSMDEV_SCAND_H
#define _KSMDEV_SCAND_H

#include <linux/types.h>

#define KSM_MAX_THREADS 64

struct ksm_domain;
struct ksm_scan;

int ksm_scand_set_threads(unsigned int nr);
void ksm_scand_pause(void);
void ksm_scand_resume(void);
void ksm_scand_wake(void);
u64 ksm_scand_cpu_ns(void);
int ksm_scan_now(struct ksm_domain *d, struct ksm_scan *arg);

#endif /* _KSMDEV_SCAND_H */
