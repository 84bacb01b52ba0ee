// SPDX-License-Identifier: GPL-2.0
/* Counting VMREADs and VMWRITEs: see vmcs.h. */
#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include <linux/tracepoint-defs.h>

#include "vm/stats.h"
#include "vmx/vmcs.h"

static const struct trace_print_flags reasons[] = { VMX_EXIT_REASONS };

#define REASONS	80	/* all of these are below */

struct accesses {
	u64 exits, vmreads, vmwrites;
};

/* Interrupts off, on this CPU. */
struct counts {
	struct accesses reason[REASONS];
	unsigned int last;
	u64 vmreads, vmwrites;		/* when the last exit came */
};

static DEFINE_PER_CPU(struct counts, counts);

void kvml_vmx_count(unsigned int reason)
{
	struct counts *c = this_cpu_ptr(&counts);
	u64 vmreads = this_cpu_read(kvml_vmreads);
	u64 vmwrites = this_cpu_read(kvml_vmwrites);
	struct accesses *a = &c->reason[c->last];

	a->exits++;
	a->vmreads += vmreads - c->vmreads;
	a->vmwrites += vmwrites - c->vmwrites;
	c->vmreads = vmreads;
	c->vmwrites = vmwrites;
	c->last = min_t(unsigned int, reason & 0xffff, REASONS - 1);
}

static int counts_show(struct seq_file *m, void *unused)
{
	unsigned int i;
	int cpu;

	seq_puts(m, "reason exits vmreads vmwrites\n");
	for (i = 0; i < ARRAY_SIZE(reasons); i++) {
		struct accesses sum = {};

		for_each_possible_cpu(cpu) {
			struct accesses *a = &per_cpu(counts, cpu).reason[reasons[i].mask];

			sum.exits += a->exits;
			sum.vmreads += a->vmreads;
			sum.vmwrites += a->vmwrites;
		}
		if (sum.exits)
			seq_printf(m, "%s %llu %llu %llu\n", reasons[i].name, sum.exits,
				   sum.vmreads, sum.vmwrites);
	}
	return 0;
}

static int counts_open(struct inode *inode, struct file *file)
{
	return single_open(file, counts_show, NULL);
}

/* "1" begins, "0" ends. */
static ssize_t counts_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	bool on;
	int err = kstrtobool_from_user(buf, len, &on);

	if (err)
		return err;
	if (on)
		static_branch_enable(&kvml_vmcs_counting);
	else
		static_branch_disable(&kvml_vmcs_counting);
	return len;
}

static const struct file_operations counts_fops = {
	.owner = THIS_MODULE,
	.open = counts_open,
	.read = seq_read,
	.write = counts_write,
	.llseek = seq_lseek,
	.release = single_release,
};

void kvml_vmx_count_init(void)
{
	debugfs_create_file("vmcs_accesses", 0644, kvml_debugfs, NULL,
			    &counts_fops);
}
