/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an experiment is: "key = value" lines of a file, later ones and --set
 * replacing earlier ones.  Each key is a field here; description.c has the table.
 */
#ifndef FLEET_DESCRIPTION_H
#define FLEET_DESCRIPTION_H

#include <stdbool.h>
#include <stdio.h>

enum backend_id { BACKEND_KSMDEV, BACKEND_KSM, BACKEND_NONE, NR_BACKENDS };
enum device_id { DEVICE_KVMLITE, DEVICE_KVM, DEVICE_TCG };
enum scan_id { SCAN_DEFAULT, SCAN_FLAT_OUT };
enum merge_id { MERGE_AT_START, MERGE_WHEN_READY };
enum frames_id { FRAMES_END, FRAMES_EACH, FRAMES_NEVER };
enum pss_id { PSS_EACH, PSS_END };

/* A number that the description leaves to the system. */
#define UNSET		(-1)

/**
 * struct description - an experiment
 * @name:		of it; the result folder is called after it
 * @kernel:		of the guests; empty: the one that runs here
 * @initrd:		of the guests; empty: the one that comes with the tool
 * @append:		added to the kernel's command line
 * @vmm:		command that runs a guest, with %{...} fields
 * @vms:		how many guests
 * @mem:		MiB of each
 * @backend:		enum backend_id: who merges
 * @device:		enum device_id: who runs the guests
 * @workload:		enum workload_kind
 * @workload_mib:	memory that the workload of a guest fills
 * @write_rate:		pages a second that a writer writes; 0: all it can
 * @stagger:		seconds between two starts
 * @duration:		seconds from when all are ready
 * @interval:		seconds between two samples
 * @patience:		seconds after which a guest that says nothing is given up
 * @seed:		of the workloads' data
 * @scan:		enum scan_id
 * @merge:		enum merge_id: when the scanner begins
 * @pages_to_scan:	of the back end, or UNSET
 * @sleep_millisecs:	of the back end, or UNSET
 * @frames:		enum frames_id: when to count frames
 * @pss:		enum pss_id: when to read RSS and PSS
 */
struct description {
	char *name;
	char *kernel;
	char *initrd;
	char *append;
	char *vmm;
	long long vms;
	long long mem;
	int backend;
	int device;
	int workload;
	long long workload_mib;
	long long write_rate;
	double stagger;
	double duration;
	double interval;
	double patience;
	long long seed;
	int scan;
	int merge;
	long long pages_to_scan;
	long long sleep_millisecs;
	int frames;
	int pss;
};

/* The experiment that somebody gets who describes nothing. */
void description_init(struct description *d);

void description_free(struct description *d);

/* Fills a key in; an exit status, after saying that @where has a mistake. */
int description_set(struct description *d, const char *where, const char *key,
		    const char *value);

/* The same with "key=value". */
int description_assign(struct description *d, const char *where, const char *text);

/* Reads a file; an exit status, after saying which line is wrong. */
int description_read(struct description *d, const char *path);

/* Checks what one key alone cannot tell; an exit status. */
int description_check(const struct description *d);

/* All keys, as description_read() takes them. */
void description_write(const struct description *d, FILE *file);

const char *description_backend(const struct description *d);
const char *description_device(const struct description *d);
const char *description_workload(const struct description *d);

/* The back end of that name, or -1. */
int description_find_backend(const char *name);

/* Guests write all the time. */
bool description_writes(const struct description *d);

/* Pages that the workload of each guest fills. */
long long description_pages(const struct description *d);

#endif /* FLEET_DESCRIPTION_H */
