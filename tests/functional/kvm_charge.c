// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel keeps for slots is charged to the memory cgroup of the VMM, by
 * whatever numbers it calls them.
 */
#define _GNU_SOURCE
#include <sys/stat.h>

#include "kvm_guest.h"

#define ROOT	"/sys/fs/cgroup"
#define GROUP	ROOT "/kvm-charge"
#define BASE	(64 * MIB)

GUEST(nothing, GUEST_OUT);
#define VMS	8
#define SLOTS	500
/* As many slot numbers share a node of the kernel's XArray. */
#define NODE_SLOTS	64
/* Bytes of a node, at least. */
#define NODE_SIZE	512

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (long)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

/* Bytes of the kernel's that the group has to pay for. */
static long charged(void)
{
	FILE *file = fopen(GROUP "/memory.stat", "re");
	char key[64];
	long value, found = -1;

	CHECK(file);
	while (found < 0 && fscanf(file, "%63s %ld", key, &value) == 2)
		if (!strcmp(key, "kernel"))
			found = value;
	fclose(file);
	CHECK(found >= 0);
	return found;
}

static void enter_group(void)
{
	if (!write_file(ROOT "/cgroup.subtree_control", "+memory"))
		tap_skip("no memory controller in " ROOT);
	if (mkdir(GROUP, 0755) && errno != EEXIST)
		tap_skip("no cgroup: %s", strerrorname_np(errno));
	CHECK(write_file(GROUP "/cgroup.procs", "0"));
}

/* What VMS VMs cost, each with SLOTS slots, whose numbers are @step apart. */
static long slots_cost(unsigned int step)
{
	struct machine m[VMS];
	char *mem = map_memory(PAGE);
	long before, after;
	unsigned int i, n;

	for (i = 0; i < VMS; i++)
		m[i] = machine_make();
	before = charged();
	for (i = 0; i < VMS; i++)
		for (n = 1; n <= SLOTS; n++)
			set_slot(&m[i], n * step, 0, BASE + n * PAGE, mem, PAGE);
	after = charged();
	for (i = 0; i < VMS; i++)
		machine_close(&m[i]);
	return after - before;
}

static void test_numbers(void)
{
	long close_by, apart;

	enter_group();
	close_by = slots_cost(1);
	apart = slots_cost(NODE_SLOTS);
	tap_note("%u slots: %ld bytes each, %ld with numbers far apart", VMS * SLOTS,
		 close_by / (VMS * SLOTS), apart / (VMS * SLOTS));
	CHECK(close_by > 0);
	/* A node each; the other ones had one for NODE_SLOTS of them. */
	CHECK(apart - close_by > VMS * SLOTS * NODE_SIZE * 9L / 10);
}

static const struct tap_test tests[] = {
	{ "slots are charged whatever their numbers are", test_numbers },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
