// SPDX-License-Identifier: GPL-2.0
/* See vcpu.h. */
#include <linux/file.h>
#include <asm/debugreg.h>

#include "emul/emulate.h"
#include "vcpu/fpu.h"
#include "vcpu/load.h"
#include "vcpu/msr.h"
#include "vcpu/regs.h"
#include "vm/vcpu.h"
#include "vm/vcpu_ioctl.h"
#include "vm/vm.h"

#define MMAP_SIZE	(KVML_VCPU_MMAP_PAGES * PAGE_SIZE)

void kvml_vcpu_free(struct kvml_vcpu *vcpu)
{
	kvml_mmu_vcpu_free(vcpu);
	kvml_fpu_free(vcpu);
	kfree(vcpu->emul);
	kvfree(vcpu->msrs);
	kvfree(vcpu->cpuid);
	if (vcpu->run)
		free_pages_exact(vcpu->run, MMAP_SIZE);
	kvml_ops->vcpu_free(vcpu);
}

static int vcpu_alloc_pages(struct kvml_vcpu *vcpu)
{
	vcpu->run = alloc_pages_exact(MMAP_SIZE, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	vcpu->pio_data = (void *)vcpu->run + PAGE_SIZE;
	return vcpu->run ? 0 : -ENOMEM;
}

static int vcpu_setup(struct kvml_vcpu *vcpu)
{
	int err = vcpu_alloc_pages(vcpu) ?: kvml_emulate_alloc(vcpu) ?:
		  kvml_fpu_alloc(vcpu) ?: kvml_msrs_alloc(vcpu);

	if (err)
		return err;
	kvml_vcpu_load(vcpu);
	kvml_ops->vcpu_init(vcpu);
	kvml_vcpu_reset(vcpu);
	kvml_vcpu_put(vcpu);
	return 0;
}

/*
 * The vCPU becomes one of its VM's, and gets a descriptor, which is returned.
 * Whoever walks the VM's vCPUs may use it at once, with no lock: all that can
 * fail comes before.
 */
static int vcpu_publish(struct kvml_vcpu *vcpu)
{
	struct kvml_vm *vm = vcpu->vm;
	struct file *file;
	int err, fd;

	err = xa_reserve(&vm->vcpus, vcpu->id, GFP_KERNEL_ACCOUNT);
	if (err)
		return err;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		err = fd;
		goto err_release;
	}
	file = kvml_vcpu_file(vcpu);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		goto err_put_fd;
	}
	xa_store(&vm->vcpus, vcpu->id, vcpu, GFP_KERNEL_ACCOUNT);
	vm->nr_vcpus++;
	kvml_stats_vcpu_add(vcpu);
	fd_install(fd, file);
	return fd;

err_put_fd:
	put_unused_fd(fd);
err_release:
	xa_release(&vm->vcpus, vcpu->id);
	return err;
}

/*
 * KVM_CREATE_VCPU; must hold vm->lock.  -EINVAL: @id is too large, -EEXIST: it
 * is there, -EMFILE and -ENOMEM.
 */
int kvml_vcpu_create(struct kvml_vm *vm, u32 id)
{
	struct kvml_vcpu *vcpu;
	int ret;

	if (id >= KVML_MAX_VCPUS)
		return -EINVAL;
	if (xa_load(&vm->vcpus, id))
		return -EEXIST;
	vcpu = kvml_ops->vcpu_alloc();
	if (!vcpu)
		return -ENOMEM;
	mutex_init(&vcpu->mutex);
	kvml_vcpu_load_init(vcpu);
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->cpu = -1;
	/* GPRs are never anywhere else. */
	vcpu->reg_avail = GENMASK(KVML_R15, KVML_RAX) & ~BIT(KVML_RSP);
	vcpu->apic_base = APIC_DEFAULT_PHYS_BASE | MSR_IA32_APICBASE_ENABLE |
			  (id ? 0 : MSR_IA32_APICBASE_BSP);
	vcpu->dr6 = DR6_RESERVED;
	vcpu->dr7 = 0x400;
	vcpu->mmio_gfn = ~0ull;
	ret = vcpu_setup(vcpu) ?: vcpu_publish(vcpu);
	if (ret < 0)
		kvml_vcpu_free(vcpu);
	return ret;
}
