// SPDX-License-Identifier: GPL-2.0
/*
 * Nothing but a module: what is built for a kernel that the lab only boots, so that
 * its headers, its compiler and its build root are seen to work.
 */
#include <linux/module.h>

static int __init probe_init(void)
{
	pr_info("loaded\n");
	return 0;
}
module_init(probe_init);

static void __exit probe_exit(void)
{
}
module_exit(probe_exit);

MODULE_DESCRIPTION("Loads and unloads");
MODULE_LICENSE("GPL");
