/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Accesses that are not memory: ports and MMIO.  Who answers: an ioeventfd, or
 * userspace (KVM_EXIT_IO, KVM_EXIT_MMIO) with the answer in kvm_run when
 * KVM_RUN is called again (vcpu->complete).
 */
#ifndef _KVMLITE_IO_H
#define _KVMLITE_IO_H

struct kvml_vcpu;
struct kvml_vm;
struct kvm_ioeventfd;

enum { KVML_BUS_PIO, KVML_BUS_MMIO };

/*
 * IN or OUT of one value between RAX and @port; @size 1, 2 or 4.  RIP is past
 * the instruction (ops->skip_insn) when it is done: with 1 now, with 0 (to
 * userspace) in the next KVM_RUN.
 */
int kvml_io_out(struct kvml_vcpu *vcpu, u16 port, unsigned int size);
int kvml_io_in(struct kvml_vcpu *vcpu, u16 port, unsigned int size);

/* Fills kvm_run for KVM_EXIT_IO; the data is in vcpu->pio_data. */
void kvml_io_exit(struct kvml_vcpu *vcpu, u8 direction, u16 port,
		  unsigned int size, unsigned int count);

/*
 * ioeventfd.c.  0: somebody took the write, -EOPNOTSUPP: nobody.  Must hold
 * vm->srcu.
 */
int kvml_bus_write(struct kvml_vm *vm, int bus, u64 addr, unsigned int len, const void *data);
int kvml_ioeventfd(struct kvml_vm *vm, const struct kvm_ioeventfd *args);
void kvml_bus_free(struct kvml_vm *vm);

#endif /* _KVMLITE_IO_H */
