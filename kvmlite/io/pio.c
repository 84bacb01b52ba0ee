// SPDX-License-Identifier: GPL-2.0
/*
 * IN and OUT of one value.  As in KVM, the instruction is done when userspace
 * has called KVM_RUN again: until then RIP is at it, but for one port.  A VMM
 * that sets another RIP meanwhile (a reset by a port) means that one.
 */
#include "base/quirk.h"
#include "base/trace.h"
#include "io/io.h"
#include "vcpu/debug.h"

void kvml_io_exit(struct kvml_vcpu *vcpu, u8 direction, u16 port,
		  unsigned int size, unsigned int count)
{
	struct kvm_run *run = vcpu->run;

	trace_kvm_pio(direction == KVM_EXIT_IO_OUT ? KVML_TRACE_WRITE :
		      KVML_TRACE_READ, port, size, count);
	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = direction;
	run->io.size = size;
	run->io.port = port;
	run->io.count = count;
	run->io.data_offset = PAGE_SIZE;
}

static int skip(struct kvml_vcpu *vcpu)
{
	kvml_ops->skip_insn(vcpu);
	return kvml_insn_done(vcpu);
}

static int complete_out(struct kvml_vcpu *vcpu)
{
	if (kvml_rip(vcpu) != vcpu->io.rip)
		return 1;
	return skip(vcpu);
}

/* The port of QEMU's kvmvapic, which patches the OUT at RIP - 2. */
#define VAPIC_PORT	0x7e

int kvml_io_out(struct kvml_vcpu *vcpu, u16 port, unsigned int size)
{
	u32 data = vcpu->reg[KVML_RAX];

	if (!kvml_bus_write(vcpu->vm, KVML_BUS_PIO, port, size, &data))
		return skip(vcpu);
	kvml_io_exit(vcpu, KVM_EXIT_IO_OUT, port, size, 1);
	*(u32 *)vcpu->pio_data = data;
	if (unlikely(port == VAPIC_PORT) &&
	    kvml_has_quirk(vcpu, KVM_X86_QUIRK_OUT_7E_INC_RIP)) {
		kvml_ops->skip_insn(vcpu);
		vcpu->complete = kvml_insn_done;
		return 0;
	}
	vcpu->io.rip = kvml_rip(vcpu);
	vcpu->complete = complete_out;
	return 0;
}

/* 32 bits clear the upper half of RAX, less leave the rest alone. */
static int complete_in(struct kvml_vcpu *vcpu)
{
	u32 data = READ_ONCE(*(u32 *)vcpu->pio_data);

	if (kvml_rip(vcpu) != vcpu->io.rip)
		return 1;
	if (vcpu->io.size < 4)
		memcpy(&vcpu->reg[KVML_RAX], &data, vcpu->io.size);
	else
		vcpu->reg[KVML_RAX] = data;
	return skip(vcpu);
}

int kvml_io_in(struct kvml_vcpu *vcpu, u16 port, unsigned int size)
{
	kvml_io_exit(vcpu, KVM_EXIT_IO_IN, port, size, 1);
	*(u32 *)vcpu->pio_data = 0;
	vcpu->io.rip = kvml_rip(vcpu);
	vcpu->io.size = size;
	vcpu->complete = complete_in;
	return 0;
}
