/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside the emulator: emulate.c (fetch, run, finish), exec.c (what
 * instructions do), stringio.c (INS, OUTS), operand.c (memory operands, MMIO),
 * alu.c (arithmetic and flags).
 *
 * An instruction that needs userspace is left, and started again with the
 * answer: vcpu->emul keeps the decoded instruction and, in the order of the
 * accesses, what was read from and written to MMIO.  Nothing else was changed
 * by then: MMIO comes before memory and registers.  With one operand in one
 * piece of MMIO it goes on from the access instead (kvml_emul.stage).
 */
#ifndef _KVMLITE_EMUL_H
#define _KVMLITE_EMUL_H

#include <linux/types.h>

#include "emul/decode.h"
#include "emul/walk.h"
#include "vcpu/vcpu.h"

/* Beside the results of a handler (1, 0, -errno): go on in the instruction. */
#define KVML_EMUL_GO	2
/* And of kvml_fetch(): the guest's tables point to what is no memory. */
#define KVML_FETCH_NO_MEMORY 3

/* CMPS reads two operands, each in two pages. */
#define KVML_EMUL_MMIO	4

/* An access to MMIO that was answered, or is in userspace (the last). */
struct kvml_emul_mmio {
	u64 gpa;
	u64 data;
	u8 len;
	bool write;
};

/* A memory operand, found: one piece, or two where it crosses a page. */
struct kvml_operand {
	u8 pieces;
	bool mmio;		/* the exit said so */
	struct {
		u64 gpa;
		u8 len;
	} piece[2];
};

/* What is left to do once the access in userspace is answered. */
enum kvml_emul_stage {
	KVML_EMUL_AGAIN,	/* start again */
	KVML_EMUL_LOADED,	/* compute with what was read */
	KVML_EMUL_STORED,	/* write registers back */
};

/* (v) all of it */
struct kvml_emul {
	struct kvml_insn insn;
	unsigned long rip;	/* of the instruction */
	bool user;		/* CPL 3 */
	u8 bits;		/* of the code */
	bool more;		/* REP: elements are left */

	/* What the exit knows of the address; of the first element only. */
	bool gpa_known;
	bool gva_known;
	u64 gpa;
	unsigned long gva;

	u8 mmio_done;		/* accesses answered */
	u8 mmio_pos;		/* accesses of this attempt */
	u8 mmio_started;	/* the one in userspace */
	struct kvml_emul_mmio mmio[KVML_EMUL_MMIO];

	/* The common case, one operand in one piece, need not start again. */
	u8 stage;		/* enum kvml_emul_stage */
	struct kvml_operand operand;
	u64 mem;		/* what was read */
	u64 result;
	unsigned long flags;	/* RFLAGS with the result */

	u16 pio_count;		/* elements in userspace */
	u16 pio_done;		/* elements that userspace answered */

	u8 nbytes;
	u8 decoded_bits;	/* insn is of decoded_bytes; 0: it is not */
	union {
		u8 bytes[KVML_INSN_MAX + 1];	/* one more: words */
		u64 words[2];
	};
	union {
		u8 decoded_bytes[KVML_INSN_MAX + 1];
		u64 decoded_words[2];
	};
	struct kvml_path path;	/* of the last instruction fetched */
};

/*
 * ---- fetch.c: bytes from the page of @linear + emul->nbytes, behind those
 * that are there ----
 */
int kvml_fetch(struct kvml_vcpu *vcpu, unsigned long linear);
/*
 * All bytes, if the page is where the last instruction was and no fault comes:
 * does not sleep, as interrupts may be off.
 */
bool kvml_fetch_known(struct kvml_vcpu *vcpu, unsigned long linear);
/* emulate.c: of the instruction at RIP, behind @n bytes that are there. */
int kvml_emulate_fetch(struct kvml_vcpu *vcpu, unsigned int n);
bool kvml_emulate_fetch_known(struct kvml_vcpu *vcpu);

/* ---- operand.c; KVML_EMUL_GO or what a handler returns ---- */
/* @flags: KVML_WALK_WRITE if it is written (as well). */
int kvml_operand_find(struct kvml_vcpu *vcpu, enum kvml_seg seg,
		      unsigned long offset, unsigned int len, u32 flags,
		      struct kvml_operand *o);
int kvml_operand_read(struct kvml_vcpu *vcpu, const struct kvml_operand *o,
		      u64 *value);
int kvml_operand_write(struct kvml_vcpu *vcpu, const struct kvml_operand *o,
		       u64 value);
/* Would a write go to memory, all of it and in one page? */
bool kvml_operand_writable(struct kvml_vcpu *vcpu,
			   const struct kvml_operand *o);
/* Bytes from @offset on that are in the page, segment and address size of @o. */
unsigned int kvml_operand_room(struct kvml_vcpu *vcpu, enum kvml_seg seg,
			       unsigned long offset,
			       const struct kvml_operand *o);
/* Userspace has answered, to an access to MMIO with @data. */
int kvml_emul_resume(struct kvml_vcpu *vcpu, u64 data);

/* ---- exec.c: one instruction, or one element ---- */
int kvml_exec(struct kvml_vcpu *vcpu);
/* The same from emul->stage on; @data is what was read. */
int kvml_exec_rest(struct kvml_vcpu *vcpu, u64 data);
/* ---- stringio.c: some elements; may the guest use the port? ---- */
int kvml_exec_string_io(struct kvml_vcpu *vcpu);
bool kvml_string_io_allowed(struct kvml_vcpu *vcpu);

/* GPRs as operands: byte registers, partial writes. */
static inline u64 kvml_gpr_read(struct kvml_vcpu *vcpu, unsigned int reg,
				unsigned int size, bool rex)
{
	u64 value;

	if (size == 1 && !rex && reg >= 4 && reg <= 7)
		return (u8)(vcpu->reg[reg - 4] >> 8);
	value = reg == KVML_RSP ? kvml_reg(vcpu, reg) : vcpu->reg[reg];
	return value & (U64_MAX >> (64 - 8 * size));
}

void kvml_gpr_write(struct kvml_vcpu *vcpu, unsigned int reg,
		    unsigned int size, bool rex, u64 value);
/* As part of an address. */
static inline u64 kvml_gpr_addr(struct kvml_vcpu *vcpu, unsigned int reg)
{
	return kvml_gpr_read(vcpu, reg, vcpu->emul->insn.addr_size, true);
}

/* Elements left to do: rCX with REP, else 1. */
u64 kvml_string_count(struct kvml_vcpu *vcpu);
/* rSI or rDI by @n elements, in the direction of DF. */
void kvml_string_advance(struct kvml_vcpu *vcpu, unsigned int reg,
			 unsigned int n);
/* @n elements are done: rCX, emul->more. */
void kvml_string_done(struct kvml_vcpu *vcpu, unsigned int n);

/*
 * ---- alu.c ----
 * @op on the low @size bytes; *@flags is RFLAGS in and out.  Unary operations
 * take @a.  Bit operations take the number of the bit, within @size, in @b.
 */
u64 kvml_alu(enum kvml_op op, unsigned int size, u64 a, u64 b,
	     unsigned long *flags);

#endif /* _KVMLITE_EMUL_H */
