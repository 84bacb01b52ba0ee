/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tools say when something goes wrong: one line on stderr, with the
 * name of the tool in front, that tells what to do.
 */
#ifndef KVMLITE_REPORT_H
#define KVMLITE_REPORT_H

/* Exit statuses of all tools. */
#define STATUS_FAILURE	1
#define STATUS_USAGE	2

/* Prints the line; returns STATUS_FAILURE, so that callers can return it. */
int report_failure(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* The same for a command line that makes no sense; returns STATUS_USAGE. */
int report_usage(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

/* That there is no memory for more; returns STATUS_FAILURE. */
int report_no_memory(void);

/* Prints the line and nothing else happens. */
void report_warning(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

#endif /* KVMLITE_REPORT_H */
