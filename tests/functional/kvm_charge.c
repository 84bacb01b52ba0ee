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

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (long)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

static long value_of(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	char key[64], line[128];
	long value, found = -1;

	CHECK(file);
	while (found < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %ld", key, &value) == 2 && !strcmp(key, name))
			found = value;
	fclose(file);
	CHECK(found >= 0);
	return found;
}

/* Bytes of the kernel's that the group has to pay for. */
static long charged(void)
{
	return value_of(GROUP "/memory.stat", "kernel");
}

static void enter_group(void)
{
	if (!write_file(ROOT "/cgroup.subtree_control", "+memory"))
		tap_skip("no memory controller in " ROOT);
	if (mkdir(GROUP, 0755) && errno != EEXIST)
		tap_skip("no cgroup: %s", strerrorname_np(errno));
	CHECK(write_file(GROUP "/cgroup.procs", "0"));
}

/* Bytes of all small objects of the kernel, whoever pays for them. */
static long slab(void)
{
	return value_of("/proc/meminfo", "Slab:") * 1024;
}

/* Slots with numbers @step apart; most of what they take is charged. */
static void check_slots(unsigned int step)
{
	long paid, taken;
	struct machine m[VMS];
	char *mem = map_memory(PAGE);
	unsigned int i, n;

	for (i = 0; i < VMS; i++)
		m[i] = machine_make();
	paid = charged();
	taken = slab();
	for (i = 0; i < VMS; i++)
		for (n = 1; n <= SLOTS; n++)
			set_slot(&m[i], n * step, 0, BASE + n * PAGE, mem, PAGE);
	paid = charged() - paid;
	taken = slab() - taken;
	tap_note("numbers %u apart: %ld bytes of slab a slot, %ld charged", step,
		 taken / (VMS * SLOTS), paid / (VMS * SLOTS));
	CHECK(paid > 0);
	CHECK(paid * 4 > taken * 3);
	for (i = 0; i < VMS; i++)
		machine_close(&m[i]);
}

static void test_numbers(void)
{
	enter_group();
	check_slots(1);
	check_slots(NODE_SLOTS);
}

static const struct tap_test tests[] = {
	{ "slots are charged whatever their numbers are", test_numbers },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
