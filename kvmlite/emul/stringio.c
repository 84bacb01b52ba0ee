// SPDX-License-Identifier: GPL-2.0
/*
 * IN and OUT; INS and OUTS: elements between memory and a port, as many in one
 * exit to userspace as lie in one page of memory.
 */
#include "emul/emul.h"
#include "io/io.h"
#include "vm/vm.h"

static u16 port(struct kvml_vcpu *vcpu)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;

	return insn->flags & KVML_INSN_IMM8 ? (u8)insn->imm :
					      vcpu->reg[KVML_RDX];
}

/* Elements for one exit, if all is well with the first. */
static unsigned int batch(struct kvml_vcpu *vcpu, enum kvml_seg seg,
			  unsigned long offset, const struct kvml_operand *o)
{
	unsigned int size = vcpu->emul->insn.size;
	unsigned int n;

	if (o->pieces > 1 || kvml_reg(vcpu, KVML_RFLAGS) & X86_EFLAGS_DF)
		return 1;
	n = kvml_operand_room(vcpu, seg, offset, o) / size;
	/* The segment may end within the first element: it has been looked at. */
	return clamp_t(u64, kvml_string_count(vcpu), 1, max(n, 1u));
}

static int complete_string_io(struct kvml_vcpu *vcpu)
{
	vcpu->emul->pio_done = vcpu->emul->pio_count;
	return kvml_emul_resume(vcpu, 0);
}

static int to_userspace(struct kvml_vcpu *vcpu, u8 direction, unsigned int n)
{
	kvml_io_exit(vcpu, direction, port(vcpu), vcpu->emul->insn.size, n);
	vcpu->emul->pio_count = n;
	vcpu->complete = complete_string_io;
	return KVML_EMUL_USER;
}

static int done(struct kvml_vcpu *vcpu, unsigned int reg, unsigned int n)
{
	vcpu->emul->pio_done = 0;
	kvml_string_advance(vcpu, reg, n);
	kvml_string_done(vcpu, n);
	return 0;
}

static int store(struct kvml_vcpu *vcpu, const struct kvml_operand *o, unsigned int n)
{
	unsigned int size = vcpu->emul->insn.size;
	u64 value = 0;

	if (n > 1)
		return kvml_guest_write(vcpu, o->piece[0].gpa, vcpu->pio_data, n * size);
	memcpy(&value, vcpu->pio_data, size);
	return kvml_operand_write(vcpu, o, value);
}

int kvml_exec_ins(struct kvml_vcpu *vcpu)
{
	unsigned long offset = kvml_gpr_addr(vcpu, KVML_RDI);
	unsigned int size = vcpu->emul->insn.size, n = 1;
	struct kvml_operand o;
	int r;

	r = kvml_operand_find(vcpu, KVML_ES, offset, size, KVML_WALK_WRITE, &o);
	if (r)
		return r;
	if (kvml_operand_writable(vcpu, &o))
		n = batch(vcpu, KVML_ES, offset, &o);
	if (!vcpu->emul->pio_done) {
		memset(vcpu->pio_data, 0, n * size);
		return to_userspace(vcpu, KVM_EXIT_IO_IN, n);
	}
	/* Less fits now only if the VMM changed registers meanwhile. */
	n = min_t(unsigned int, n, vcpu->emul->pio_done);
	return store(vcpu, &o, n) ?: done(vcpu, KVML_RDI, n);
}

/* Elements copied to vcpu->pio_data; 0: none, so the first by itself. */
static unsigned int load_batch(struct kvml_vcpu *vcpu, unsigned long offset,
			       const struct kvml_operand *o)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	unsigned int n;

	/* An ioeventfd may want some of the values. */
	if (rcu_access_pointer(vcpu->vm->bus[KVML_BUS_PIO]))
		return 0;
	n = batch(vcpu, insn->seg, offset, o);
	if (n == 1 || kvml_guest_read(vcpu, o->piece[0].gpa, vcpu->pio_data, n * insn->size))
		return 0;
	return n;
}

int kvml_exec_outs(struct kvml_vcpu *vcpu)
{
	const struct kvml_insn *insn = &vcpu->emul->insn;
	unsigned long offset = kvml_gpr_addr(vcpu, KVML_RSI);
	struct kvml_operand o;
	unsigned int n;
	u64 value;
	int r;

	n = min_t(u64, vcpu->emul->pio_done, kvml_string_count(vcpu));
	if (n)
		return done(vcpu, KVML_RSI, n);
	r = kvml_operand_find(vcpu, insn->seg, offset, insn->size, 0, &o);
	if (r)
		return r;
	n = load_batch(vcpu, offset, &o);
	if (n)
		return to_userspace(vcpu, KVM_EXIT_IO_OUT, n);
	r = kvml_operand_read(vcpu, &o, &value);
	if (r)
		return r;
	if (!kvml_bus_write(vcpu->vm, KVML_BUS_PIO, port(vcpu), insn->size, &value))
		return done(vcpu, KVML_RSI, 1);
	memcpy(vcpu->pio_data, &value, insn->size);
	return to_userspace(vcpu, KVM_EXIT_IO_OUT, 1);
}

/* IN and OUT, where the CPU has not come to them. */
int kvml_exec_io(struct kvml_vcpu *vcpu, struct kvml_emul *e)
{
	bool in = e->insn.op == KVML_OP_IN;

	e->value = in ? 0 : vcpu->reg[KVML_RAX];
	if (!kvml_io_allowed(vcpu))
		return kvml_queue_gp(vcpu);
	if (!in && !kvml_bus_write(vcpu->vm, KVML_BUS_PIO, port(vcpu), e->insn.size, &e->value))
		return 0;
	if (!e->pio_done) {
		memcpy(vcpu->pio_data, &e->value, sizeof(e->value));
		return to_userspace(vcpu, in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT, 1);
	}
	e->pio_done = 0;
	if (in) {
		memcpy(&e->value, vcpu->pio_data, e->insn.size);
		kvml_gpr_write(vcpu, KVML_RAX, e->insn.size, true, e->value);
	}
	return 0;
}

/* Two bytes of the TSS, which the CPU reads as supervisor. */
static bool read_tss(struct kvml_vcpu *vcpu, const struct kvm_segment *tr,
		     unsigned int offset, u16 *value)
{
	u8 bytes[2];
	u32 error;
	u64 gpa;
	int i;

	if (offset + 1 > tr->limit)
		return false;
	for (i = 0; i < 2; i++)
		if (kvml_walk(vcpu, tr->base + offset + i, KVML_WALK_IMPLICIT, &gpa, &error) ||
		    kvml_guest_read(vcpu, gpa, &bytes[i], 1))
			return false;
	*value = bytes[0] | bytes[1] << 8;
	return true;
}

/*
 * The CPU has checked before it exited, but another vCPU may have changed the
 * instruction since.  SDM volume 1, 19.5.2.
 */
bool kvml_io_allowed(struct kvml_vcpu *vcpu)
{
	unsigned long flags = kvml_reg(vcpu, KVML_RFLAGS);
	unsigned int iopl = (flags & X86_EFLAGS_IOPL) >> X86_EFLAGS_IOPL_BIT;
	unsigned int mask = BIT(vcpu->emul->insn.size) - 1;
	struct kvm_segment tr;
	u16 map, bits;

	if (!kvml_protected_mode(vcpu) ||
	    (!(flags & X86_EFLAGS_VM) && kvml_ops->cpl(vcpu) <= iopl))
		return true;
	kvml_ops->get_segment(vcpu, KVML_TR, &tr);
	return read_tss(vcpu, &tr, 102, &map) &&
	       read_tss(vcpu, &tr, map + port(vcpu) / 8, &bits) &&
	       !(bits >> (port(vcpu) % 8) & mask);
}
