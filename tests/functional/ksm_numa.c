// SPDX-License-Identifier: GPL-2.0
/*
 * merge_across_nodes on a machine with two NUMA nodes.  Pages are placed by
 * the memory policy of the task that touches them first.
 */
#define _GNU_SOURCE
#include <linux/mempolicy.h>

#include "ksm_test.h"

#define NODES	2
#define PAGES	200

static void set_policy(int mode, unsigned long nodes)
{
	MUST(syscall(SYS_set_mempolicy, mode, mode == MPOL_DEFAULT ? NULL : &nodes,
		     8 * sizeof(nodes)));
}

/* The node of a page of ours; it must be mapped. */
static int node_of(void *addr)
{
	int node = -1;

	(void)*(volatile char *)addr;
	MUST(syscall(SYS_move_pages, 0, 1UL, &addr, NULL, &node, 0));
	return node;
}

static void need_two_nodes(void)
{
	if (access("/sys/devices/system/node/node1/meminfo", R_OK))
		tap_skip("the machine has one NUMA node");
}

/* Fill pages on one node. */
static void fill_on(int node, void *base, unsigned long pages, u64 seed,
		    unsigned int step)
{
	set_policy(MPOL_BIND, 1UL << node);
	pages_fill(base, pages, seed, step);
	set_policy(MPOL_DEFAULT, 0);
}

static void check_node(int node, char *base, unsigned long pages)
{
	unsigned long i;

	for (i = 0; i < pages; i++)
		CHECK_EQ(node_of(page_at(base, i)), node);
}

static void test_placement(void)
{
	char *mem;

	need_two_nodes();
	mem = map_area(ksm_open_private(), NODES * PAGES);
	fill_on(0, mem, PAGES, 100, 1);
	fill_on(1, page_at(mem, PAGES), PAGES, 100, 1);
	check_node(0, mem, PAGES);
	check_node(1, page_at(mem, PAGES), PAGES);
}

static void test_apart(void)
{
	char *mem;
	int fd;

	need_two_nodes();
	ksm_set("merge_across_nodes", "0");
	fd = ksm_open_private();
	mem = map_area(fd, NODES * PAGES);
	fill_on(0, mem, PAGES, 5, 0);
	fill_on(1, page_at(mem, PAGES), PAGES, 5, 0);
	CHECK_EQ(ksm_scan(fd).pages_merged, NODES * (PAGES - 1));
	CHECK_EQ(ksm_domain_stats(fd).pages_shared, NODES);
	CHECK_EQ(count_frames(mem, PAGES), 1);
	CHECK_EQ(count_frames(page_at(mem, PAGES), PAGES), 1);
	CHECK_EQ(count_frames(mem, NODES * PAGES), NODES);
	check_node(0, mem, PAGES);
	check_node(1, page_at(mem, PAGES), PAGES);
	pages_check(mem, NODES * PAGES, 5, 0);
}

/* Unique contents on each node, the same ones on both. */
static void test_pairs_apart(void)
{
	char *mem;
	int fd;

	need_two_nodes();
	ksm_set("merge_across_nodes", "0");
	fd = ksm_open_private();
	mem = map_area(fd, NODES * PAGES);
	fill_on(0, mem, PAGES, 100, 1);
	fill_on(1, page_at(mem, PAGES), PAGES, 100, 1);
	CHECK_EQ(ksm_scan(fd).pages_merged, 0);
	CHECK_EQ(count_frames(mem, NODES * PAGES), NODES * PAGES);
	check_node(0, mem, PAGES);
	check_node(1, page_at(mem, PAGES), PAGES);
}

static void test_zero_apart(void)
{
	char *mem;
	int fd;

	need_two_nodes();
	ksm_set("merge_across_nodes", "0");
	fd = ksm_open_private();
	mem = map_area(fd, NODES * PAGES);
	fill_on(0, mem, NODES * PAGES, 5, 0);
	pages_fill(mem, NODES * PAGES, 0, 0);
	CHECK_EQ(ksm_scan(fd).pages_zero, NODES * PAGES);
	pages_check(mem, NODES * PAGES, 0, 0);
	pages_fill(mem, NODES * PAGES, 6, 1);
	pages_check(mem, NODES * PAGES, 6, 1);
}

static void test_across(void)
{
	char *mem;
	int fd;

	need_two_nodes();
	fd = ksm_open_private();
	mem = map_area(fd, NODES * PAGES);
	fill_on(0, mem, PAGES, 100, 1);
	fill_on(1, page_at(mem, PAGES), PAGES, 100, 1);
	CHECK_EQ(ksm_scan(fd).pages_merged, PAGES);
	CHECK_EQ(ksm_domain_stats(fd).pages_shared, PAGES);
	CHECK_EQ(count_frames(mem, NODES * PAGES), PAGES);
	pages_check(mem, PAGES, 100, 1);
	pages_check(page_at(mem, PAGES), PAGES, 100, 1);
}

static void test_switch(void)
{
	char *mem;
	int fd;

	need_two_nodes();
	fd = ksm_open_private();
	mem = map_area(fd, NODES * PAGES);
	fill_on(0, mem, PAGES, 5, 0);
	fill_on(1, page_at(mem, PAGES), PAGES, 5, 0);
	ksm_scan(fd);
	CHECK_EQ(ksm_try_set("merge_across_nodes", "0"), -EBUSY);
	CHECK_EQ(ksm_get("merge_across_nodes"), 1);
	ksm_set("run", "2");
	ksm_set("merge_across_nodes", "0");
	ksm_set("run", "0");
	pages_check(mem, NODES * PAGES, 5, 0);
	ksm_range_do(fd, KSM_DISCARD, mem, NODES * PAGES);
	fill_on(0, mem, PAGES, 6, 0);
	fill_on(1, page_at(mem, PAGES), PAGES, 6, 0);
	ksm_scan_force(fd);
	CHECK_EQ(count_frames(mem, NODES * PAGES), NODES);
	CHECK_EQ(ksm_try_set("merge_across_nodes", "1"), -EBUSY);
	pages_check(mem, NODES * PAGES, 6, 0);
}

/* A copy is made where its writer runs. */
static void test_copy(void)
{
	char *mem;
	int fd;

	need_two_nodes();
	fd = ksm_open_private();
	mem = map_area(fd, PAGES);
	fill_on(0, mem, PAGES, 5, 0);
	ksm_scan(fd);
	fill_on(1, mem, PAGES, 6, 1);
	check_node(1, mem, PAGES);
	pages_check(mem, PAGES, 6, 1);
}

static const struct tap_test tests[] = {
	{ "frames come from the node of the policy", test_placement },
	{ "0: equal pages of two nodes have two frames", test_apart },
	{ "0: pairs across nodes stay apart", test_pairs_apart },
	{ "0: pages of zeroes", test_zero_apart },
	{ "1: equal pages of two nodes share frames", test_across },
	{ "the switch is busy while pages are merged", test_switch },
	{ "a copy is made on the node of its writer", test_copy },
};

int main(int argc, char **argv)
{
	int ret = tap_main(argc, argv, tests, ARRAY_SIZE(tests), ksm_quiet);

	ksm_quiet();
	ksm_try_set("run", "1");
	return ret;
}
