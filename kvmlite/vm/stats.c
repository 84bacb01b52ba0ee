// SPDX-License-Identifier: GPL-2.0
/* Counters for userspace. See stats.h. */
#include <linux/anon_inodes.h>
#include <linux/debugfs.h>
#include <linux/file.h>
#include <linux/module.h>

#include "vcpu/vcpu.h"
#include "vm/vm.h"

#define NAME_SIZE	48

/* As struct kvm_stats_desc with its name. */
struct kvml_stat_desc {
	u32 flags;
	s16 exponent;
	u16 size;
	u32 offset;
	u32 bucket_size;
	char name[NAME_SIZE];
};

static_assert(sizeof(struct kvml_stat_desc) == 16 + NAME_SIZE);

#define DESC(kind, counter, kvm_type) {					\
	.flags = (kvm_type) | KVM_STATS_UNIT_NONE | KVM_STATS_BASE_POW10, \
	.size = 1,							\
	.offset = offsetof(struct kind, counter),			\
	.name = __stringify(counter),					\
}

#define VCPU(counter)	DESC(kvml_vcpu_stat, counter, KVM_STATS_TYPE_CUMULATIVE)
#define VM(counter)	DESC(kvml_vm_stat, counter, KVM_STATS_TYPE_CUMULATIVE)
#define VM_NOW(counter)	DESC(kvml_vm_stat, counter, KVM_STATS_TYPE_INSTANT)

static const struct kvml_stat_desc vcpu_descs[] = {
	VCPU(exits), VCPU(io_exits), VCPU(mmio_exits), VCPU(signal_exits),
	VCPU(irq_exits), VCPU(irq_window_exits), VCPU(nmi_window_exits),
	VCPU(halt_exits), VCPU(request_irq_exits), VCPU(cpuid_exits),
	VCPU(msr_exits), VCPU(cr_exits), VCPU(hypercalls), VCPU(exceptions),
	VCPU(pf_taken), VCPU(pf_fixed), VCPU(pf_retried), VCPU(insn_emulation),
	VCPU(insn_emulation_fail), VCPU(irq_injections), VCPU(nmi_injections),
	VCPU(tlb_flush), VCPU(fpu_reload), VCPU(userspace_exits),
};

static const struct kvml_stat_desc vm_descs[] = {
	VM(remote_tlb_flush), VM(mmu_unmapped),
	VM_NOW(pages_4k), VM_NOW(pages_2m), VM_NOW(tables),
};

static_assert(ARRAY_SIZE(vcpu_descs) * sizeof(u64) == sizeof(struct kvml_vcpu_stat));
static_assert(ARRAY_SIZE(vm_descs) * sizeof(u64) == sizeof(struct kvml_vm_stat));

/* ---- KVM_GET_STATS_FD: header, id, descriptors, data ---- */

static ssize_t stats_read(struct file *file, char __user *user, size_t count, loff_t *pos)
{
	const struct kvml_stats *s = file->private_data;
	size_t descs = s->nr * sizeof(*s->descs), data = s->nr * sizeof(u64);
	struct kvm_stats_header head = {
		.name_size = NAME_SIZE,
		.num_desc = s->nr,
		.id_offset = sizeof(head),
		.desc_offset = sizeof(head) + NAME_SIZE,
		.data_offset = sizeof(head) + NAME_SIZE + descs,
	};
	void *image __free(kfree) = kzalloc(head.data_offset + data, GFP_KERNEL_ACCOUNT);

	if (!image)
		return -ENOMEM;
	memcpy(image, &head, sizeof(head));
	strscpy(image + head.id_offset, s->id, NAME_SIZE);
	memcpy(image + head.desc_offset, s->descs, descs);
	memcpy(image + head.data_offset, s->counters, data);
	return simple_read_from_buffer(user, count, pos, image, head.data_offset + data);
}

static int stats_release(struct inode *inode, struct file *file)
{
	struct kvml_stats *s = file->private_data;

	kvml_vm_put(s->vm);
	return 0;
}

static const struct file_operations stats_fops = {
	.owner = THIS_MODULE,
	.read = stats_read,
	.release = stats_release,
	.llseek = noop_llseek,
};

/* Holds the VM. */
int kvml_stats_fd(struct kvml_stats *s, const char *name)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);
	struct file *file;

	if (fd < 0)
		return fd;
	file = anon_inode_getfile(name, &stats_fops, s, O_RDONLY);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	refcount_inc(&s->vm->users);
	file->f_mode |= FMODE_PREAD;
	fd_install(fd, file);
	return fd;
}

/* ---- debugfs: a file a counter ---- */

struct dentry *kvml_debugfs;

/* All VMs, and what the vCPUs of those that are gone had counted. */
static DEFINE_MUTEX(vms_lock);
static LIST_HEAD(vms);
static struct kvml_vcpu_stat gone;

static u64 counter(const void *stat, size_t offset)
{
	return READ_ONCE(*(const u64 *)(stat + offset));
}

static u64 vm_sum(struct kvml_vm *vm, size_t offset)
{
	struct kvml_vcpu *vcpu;
	unsigned long id;
	u64 sum = 0;

	xa_for_each(&vm->vcpus, id, vcpu)
		sum += counter(&vcpu->stat, offset);
	return sum;
}

/* @data: the counter's offset. */
static int total_get(void *data, u64 *value)
{
	size_t offset = (unsigned long)data;
	struct kvml_vm *vm;
	u64 sum;

	guard(mutex)(&vms_lock);
	sum = counter(&gone, offset);
	list_for_each_entry(vm, &vms, stats_link)
		sum += vm_sum(vm, offset);
	*value = sum;
	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(total_fops, total_get, NULL, "%llu\n");

/* @name: of the directory in @parent.  s->id is there already. */
static void add(struct kvml_stats *s, struct kvml_vm *vm, const struct kvml_stat_desc *descs,
		unsigned int nr, void *counters, const char *name, struct dentry *parent)
{
	unsigned int i;

	s->vm = vm;
	s->descs = descs;
	s->nr = nr;
	s->counters = counters;
	s->debugfs = debugfs_create_dir(name, parent);
	for (i = 0; i < nr; i++)
		debugfs_create_u64(descs[i].name, 0444, s->debugfs, counters + descs[i].offset);
}

void kvml_stats_vm_add(struct kvml_vm *vm)
{
	static atomic_t count;
	char name[32];

	snprintf(vm->stats.id, sizeof(vm->stats.id), "kvm-%d", task_pid_nr(current));
	snprintf(name, sizeof(name), "%d-%d", task_pid_nr(current), atomic_inc_return(&count));
	add(&vm->stats, vm, vm_descs, ARRAY_SIZE(vm_descs), &vm->mmu.stat, name, kvml_debugfs);
	guard(mutex)(&vms_lock);
	list_add_tail(&vm->stats_link, &vms);
}

/* No file is being read any more when it returns. */
void kvml_stats_vm_remove(struct kvml_vm *vm)
{
	unsigned int i;

	/* It never got so far. */
	if (!vm->stats_link.next)
		return;
	mutex_lock(&vms_lock);
	for (i = 0; i < ARRAY_SIZE(vcpu_descs); i++)
		*(u64 *)((void *)&gone + vcpu_descs[i].offset) +=
			vm_sum(vm, vcpu_descs[i].offset);
	list_del(&vm->stats_link);
	mutex_unlock(&vms_lock);
	debugfs_remove_recursive(vm->stats.debugfs);
}

void kvml_stats_vcpu_add(struct kvml_vcpu *vcpu)
{
	struct kvml_stats *s = &vcpu->stats;
	struct kvml_vm *vm = vcpu->vm;
	char name[16];

	snprintf(s->id, sizeof(s->id), "%s/vcpu-%u", vm->stats.id, vcpu->id);
	snprintf(name, sizeof(name), "vcpu%u", vcpu->id);
	add(s, vm, vcpu_descs, ARRAY_SIZE(vcpu_descs), &vcpu->stat, name, vm->stats.debugfs);
}

void kvml_stats_init(void)
{
	unsigned int i;

	kvml_debugfs = debugfs_create_dir("kvmlite", NULL);
	for (i = 0; i < ARRAY_SIZE(vcpu_descs); i++)
		debugfs_create_file(vcpu_descs[i].name, 0444, kvml_debugfs,
				    (void *)(unsigned long)vcpu_descs[i].offset,
				    &total_fops);
}
