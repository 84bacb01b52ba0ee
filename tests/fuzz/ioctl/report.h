/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel and its detectors say in the log. */
#ifndef REPORT_H
#define REPORT_H

/* From here on; 0 or -1 with errno. */
int report_open(void);

/* The first line since the last call that says that something is wrong, or NULL. */
const char *report_find(void);

#endif /* REPORT_H */
