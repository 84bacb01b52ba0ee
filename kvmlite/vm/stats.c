// SPDX-License-Identifier: GPL-2.0
/* Counters for userspace. See stats.h. */
#include <linux/anon_inodes.h>
#include <linux/debugfs.h>
#include <linux/file.h>
#include <linux/module.h>

#include "vcpu/vcpu.h"
#include "vm/stats.h"
#include "vm/vcpu_ioctl.h"
#include "vm/vm.h"

#define NAME_SIZE	48

/* As struct kvm_stats_desc with its name. */
struct desc {
	u32 flags;
	s16 exponent;
	u16 size;
	u32 offset;
	u32 bucket_size;
	char name[NAME_SIZE];
};

static_assert(sizeof(struct desc) == 16 + NAME_SIZE);

#define DESC(kind, counter, kvm_type) {					\
	.flags = (kvm_type) | KVM_STATS_UNIT_NONE | KVM_STATS_BASE_POW10, \
	.size = 1,							\
	.offset = offsetof(struct kind, counter),			\
	.name = __stringify(counter),					\
}

#define VCPU(counter)	DESC(kvml_vcpu_stat, counter, KVM_STATS_TYPE_CUMULATIVE)
#define VM(counter)	DESC(kvml_vm_stat, counter, KVM_STATS_TYPE_CUMULATIVE)
#define VM_NOW(counter)	DESC(kvml_vm_stat, counter, KVM_STATS_TYPE_INSTANT)

static const struct desc vcpu_descs[] = {
	VCPU(exits), VCPU(io_exits), VCPU(mmio_exits), VCPU(signal_exits),
	VCPU(irq_exits), VCPU(irq_window_exits), VCPU(nmi_window_exits),
	VCPU(halt_exits), VCPU(request_irq_exits), VCPU(cpuid_exits),
	VCPU(msr_exits), VCPU(cr_exits), VCPU(hypercalls), VCPU(exceptions),
	VCPU(pf_taken), VCPU(pf_fixed), VCPU(pf_retried), VCPU(insn_emulation),
	VCPU(insn_emulation_fail), VCPU(irq_injections), VCPU(nmi_injections),
	VCPU(tlb_flush), VCPU(fpu_reload), VCPU(userspace_exits),
};

static const struct desc vm_descs[] = {
	VM(remote_tlb_flush), VM(mmu_unmapped),
	VM_NOW(pages_4k), VM_NOW(pages_2m), VM_NOW(tables),
};

static_assert(ARRAY_SIZE(vcpu_descs) * sizeof(u64) == sizeof(struct kvml_vcpu_stat));
static_assert(ARRAY_SIZE(vm_descs) * sizeof(u64) == sizeof(struct kvml_vm_stat));

/* ---- KVM_GET_STATS_FD: header, id, descriptors, data ---- */

static ssize_t read_image(char __user *user, size_t count, loff_t *pos,
			  const char *id, const struct desc *descs,
			  unsigned int nr, const void *data)
{
	struct kvm_stats_header head = {
		.name_size = NAME_SIZE,
		.num_desc = nr,
		.id_offset = sizeof(head),
		.desc_offset = sizeof(head) + NAME_SIZE,
		.data_offset = sizeof(head) + NAME_SIZE + nr * sizeof(*descs),
	};
	size_t size = head.data_offset + nr * sizeof(u64);
	void *image = kzalloc(size, GFP_KERNEL_ACCOUNT);
	ssize_t ret;

	if (!image)
		return -ENOMEM;
	memcpy(image, &head, sizeof(head));
	strscpy(image + head.id_offset, id, NAME_SIZE);
	memcpy(image + head.desc_offset, descs, nr * sizeof(*descs));
	memcpy(image + head.data_offset, data, nr * sizeof(u64));
	ret = simple_read_from_buffer(user, count, pos, image, size);
	kfree(image);
	return ret;
}

static ssize_t vm_read(struct file *file, char __user *user, size_t count, loff_t *pos)
{
	struct kvml_vm *vm = file->private_data;

	return read_image(user, count, pos, vm->stats_id, vm_descs,
			  ARRAY_SIZE(vm_descs), &vm->mmu.stat);
}

static const struct file_operations vm_stats_fops = {
	.owner = THIS_MODULE,
	.read = vm_read,
	.release = kvml_vm_release,
	.llseek = noop_llseek,
};

static ssize_t vcpu_read(struct file *file, char __user *user, size_t count, loff_t *pos)
{
	struct kvml_vcpu *vcpu = file->private_data;

	return read_image(user, count, pos, vcpu->stats_id, vcpu_descs,
			  ARRAY_SIZE(vcpu_descs), &vcpu->stat);
}

static const struct file_operations vcpu_stats_fops = {
	.owner = THIS_MODULE,
	.read = vcpu_read,
	.release = kvml_vcpu_release,
	.llseek = noop_llseek,
};

/* Holds the VM. */
static int stats_fd(struct kvml_vm *vm, const char *name,
		    const struct file_operations *fops, void *private)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);
	struct file *file;

	if (fd < 0)
		return fd;
	file = anon_inode_getfile(name, fops, private, O_RDONLY);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	kvml_vm_get(vm);
	file->f_mode |= FMODE_PREAD;
	fd_install(fd, file);
	return fd;
}

int kvml_stats_vm_fd(struct kvml_vm *vm)
{
	return stats_fd(vm, "kvm-vm-stats", &vm_stats_fops, vm);
}

int kvml_stats_vcpu_fd(struct kvml_vcpu *vcpu)
{
	return stats_fd(vcpu->vm, "kvm-vcpu-stats", &vcpu_stats_fops, vcpu);
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

	mutex_lock(&vms_lock);
	sum = counter(&gone, offset);
	list_for_each_entry(vm, &vms, stats_link)
		sum += vm_sum(vm, offset);
	mutex_unlock(&vms_lock);
	*value = sum;
	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(total_fops, total_get, NULL, "%llu\n");

static void add_files(struct dentry *dir, const struct desc *descs, unsigned int nr, void *stat)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		debugfs_create_u64(descs[i].name, 0444, dir, stat + descs[i].offset);
}

void kvml_stats_vm_add(struct kvml_vm *vm)
{
	static atomic_t count;
	char name[32];

	snprintf(vm->stats_id, sizeof(vm->stats_id), "kvm-%d",
		 task_pid_nr(current));
	snprintf(name, sizeof(name), "%d-%d", task_pid_nr(current),
		 atomic_inc_return(&count));
	vm->debugfs = debugfs_create_dir(name, kvml_debugfs);
	add_files(vm->debugfs, vm_descs, ARRAY_SIZE(vm_descs), &vm->mmu.stat);
	mutex_lock(&vms_lock);
	list_add_tail(&vm->stats_link, &vms);
	mutex_unlock(&vms_lock);
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
	debugfs_remove_recursive(vm->debugfs);
}

void kvml_stats_vcpu_add(struct kvml_vcpu *vcpu)
{
	char name[16];

	snprintf(vcpu->stats_id, sizeof(vcpu->stats_id), "%s/vcpu-%u",
		 vcpu->vm->stats_id, vcpu->id);
	snprintf(name, sizeof(name), "vcpu%u", vcpu->id);
	vcpu->debugfs = debugfs_create_dir(name, vcpu->vm->debugfs);
	add_files(vcpu->debugfs, vcpu_descs, ARRAY_SIZE(vcpu_descs), &vcpu->stat);
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

void kvml_stats_exit(void)
{
	debugfs_remove_recursive(kvml_debugfs);
}
