/* SPDX-License-Identifier: GPL-2.0 */
/* Quantities as people read them. */
#ifndef KVMLITE_FORMAT_H
#define KVMLITE_FORMAT_H

/* Long enough for any of the texts below. */
struct format_text {
	char text[32];
};

/* "512 B", "96.0 MiB", "-4.0 KiB" */
struct format_text format_bytes(long long bytes);

/* "850 ms", "12.3 s", "2 min 5 s" */
struct format_text format_seconds(double seconds);

#endif /* KVMLITE_FORMAT_H */
