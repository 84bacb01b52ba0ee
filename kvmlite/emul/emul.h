/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside the emulator: emulate.c (fetch, run, finish), exec.c (what
 * instructions do), string.c, stringio.c (IN, INS, OUT, OUTS), stack.c, branch.c,
 * segload.c (segment registers), system.c, sse.c, operand.c (memory operands,
 * MMIO), alu.c (arithmetic and flags).
 *
 * An instruction that needs userspace is left, and started again with the
 * answer: vcpu->emul keeps the decoded instruction and, in the order of the
 * accesses, what was read from and written to MMIO.  Nothing else was changed
 * by then: MMIO comes before memory and registers.  With one operand in one
 * piece of MMIO it goes on from the access instead (kvml_emul.stage).
 */
#ifndef _KVMLITE_EMUL_H
#define _KVMLITE_EMUL_H

#include "emul/decode.h"
#include "emul/walk.h"
#include "vcpu/vcpu.h"

/*
 * What the emulator's parts return: 0, go on in the instruction; or the result of a
 * handler, but for its 0, to userspace, which is this one.
 */
#define KVML_EMUL_USER	2
/* And of kvml_fetch(): the guest's tables point to what is no memory. */
#define KVML_FETCH_NO_MEMORY 3

/* Of one that is not 0, for the handler. */
static inline int kvml_emul_result(int r)
{
	return r == KVML_EMUL_USER ? 0 : r;
}

/* PUSHA writes eight operands, of which one may lie in two pages. */
#define KVML_EMUL_MMIO	9

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
	unsigned long next;	/* of the one after it */
	bool user;		/* CPL 3 */
	u8 bits;		/* of the code */
	bool more;		/* REP: elements are left */

	/*
	 * What the exit knows of the address, and of the first element only.  The
	 * CPU has checked the guest's page tables for 0: nothing, 1: reading it,
	 * 2: writing it.
	 */
	u8 gpa_known;
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
	u64 value;		/* kvml_executor */
	u64 result;
	unsigned long flags;	/* RFLAGS with the result */
	u64 sp;			/* stack.c: the stack pointer, and its bytes */
	u8 sp_size;

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

/* ---- emulate.c ---- */
/* Of the instruction at RIP, behind @n bytes that are there. */
int kvml_emulate_fetch(struct kvml_vcpu *vcpu, unsigned int n);
bool kvml_emulate_fetch_known(struct kvml_vcpu *vcpu);
/* The instruction cannot be done in software: 1, or KVML_EMUL_USER. */
int kvml_emul_failed(struct kvml_vcpu *vcpu);
/*
 * It is done, and @shadow (KVM_X86_SHADOW_INT_) blocks interrupts: what a handler
 * returns, 0 as well.
 */
int kvml_emul_finish(struct kvml_vcpu *vcpu, u32 shadow);

/* ---- operand.c ---- */
/* @flags: KVML_WALK_WRITE if it is written (as well). */
int kvml_operand_find(struct kvml_vcpu *vcpu, enum kvml_seg seg,
		      unsigned long offset, unsigned int len, u32 flags,
		      struct kvml_operand *o);
/* Up to 8 bytes, or any number. */
int kvml_operand_read(struct kvml_vcpu *vcpu, const struct kvml_operand *o, u64 *value);
int kvml_operand_write(struct kvml_vcpu *vcpu, const struct kvml_operand *o, u64 value);
int kvml_operand_read_bytes(struct kvml_vcpu *vcpu, const struct kvml_operand *o, void *data);
int kvml_operand_write_bytes(struct kvml_vcpu *vcpu,
			     const struct kvml_operand *o, const void *data);
/* Writes @new for @old, atomically where that is possible. */
int kvml_operand_exchange(struct kvml_vcpu *vcpu, const struct kvml_operand *o,
			  u64 old, u64 new);
/* Would a write go to memory, all of it and in one page? */
bool kvml_operand_writable(struct kvml_vcpu *vcpu, const struct kvml_operand *o);
/* Linear to guest-physical; or #PF. */
int kvml_operand_translate(struct kvml_vcpu *vcpu, unsigned long linear, u32 flags, u64 *gpa);
/* Bytes from @offset on that are in the page, segment and address size of @o. */
unsigned int kvml_operand_room(struct kvml_vcpu *vcpu, enum kvml_seg seg, unsigned long offset,
			       const struct kvml_operand *o);
/* Userspace has answered, to an access to MMIO with @data. */
int kvml_emul_resume(struct kvml_vcpu *vcpu, u64 data);

/* ---- exec.c: one instruction, or one element ---- */
int kvml_exec(struct kvml_vcpu *vcpu);
/* The same from emul->stage on; @data is what was read. */
int kvml_exec_rest(struct kvml_vcpu *vcpu, u64 data);
/* The offset in the segment of the memory operand, plus @more. */
unsigned long kvml_exec_address(struct kvml_vcpu *vcpu, unsigned long more);

/* The operand by ModRM, of @len bytes, to e->operand. */
static inline int kvml_exec_find(struct kvml_vcpu *vcpu, unsigned int len, u32 access)
{
	struct kvml_emul *e = vcpu->emul;

	return kvml_operand_find(vcpu, e->insn.seg, kvml_exec_address(vcpu, 0), len,
				 access, &e->operand);
}

/* Does the condition in the opcode's low bits hold? */
bool kvml_exec_condition(struct kvml_vcpu *vcpu);
int kvml_exec_string(struct kvml_vcpu *vcpu);
int kvml_exec_ins(struct kvml_vcpu *vcpu);	/* some elements */
int kvml_exec_outs(struct kvml_vcpu *vcpu);

/*
 * Executors by operation; @e is vcpu->emul.  e->value is the operand by ModRM if the
 * instruction reads it, or else the immediate; and then what is written, if it writes one.
 */
typedef int kvml_executor(struct kvml_vcpu *vcpu, struct kvml_emul *e);

/* ---- stringio.c, stack.c, branch.c, system.c, sse.c ---- */
kvml_executor kvml_exec_io;
kvml_executor kvml_exec_push, kvml_exec_pop, kvml_exec_pusha, kvml_exec_popa;
kvml_executor kvml_exec_pushf, kvml_exec_popf;
kvml_executor kvml_exec_push_sreg, kvml_exec_pop_sreg;
kvml_executor kvml_exec_enter, kvml_exec_leave;
kvml_executor kvml_exec_jmp, kvml_exec_jcc, kvml_exec_loop;
kvml_executor kvml_exec_call, kvml_exec_ret;
kvml_executor kvml_exec_jmp_far, kvml_exec_call_far, kvml_exec_ret_far;
kvml_executor kvml_exec_load_sreg, kvml_exec_store_sreg, kvml_exec_load_far;
kvml_executor kvml_exec_load_system, kvml_exec_store_system;
kvml_executor kvml_exec_load_table, kvml_exec_store_table;
kvml_executor kvml_exec_smsw, kvml_exec_lmsw, kvml_exec_invlpg;
kvml_executor kvml_exec_cli_sti, kvml_exec_hlt;
kvml_executor kvml_exec_mov_sse, kvml_exec_x87;

/* ---- system.c: offset and selector in memory ---- */
int kvml_exec_pointer(struct kvml_vcpu *vcpu, struct kvml_emul *e, u64 *offset, u16 *selector);

/* ---- stringio.c: may the guest use the port? ---- */
bool kvml_io_allowed(struct kvml_vcpu *vcpu);

/*
 * ---- stack.c ----
 * emul->sp is RSP, ESP or SP as the stack has it; kvml_stack_end() is when the
 * guest gets it.
 */
void kvml_stack_begin(struct kvml_vcpu *vcpu);
void kvml_stack_end(struct kvml_vcpu *vcpu);
void kvml_stack_add(struct kvml_vcpu *vcpu, long n);
int kvml_stack_push(struct kvml_vcpu *vcpu, u64 value, unsigned int size);
/* A value of operand size. */
int kvml_stack_pop(struct kvml_vcpu *vcpu, u64 *value);

/* ---- segload.c ---- */
/* Why a segment register is loaded. */
enum kvml_transfer { KVML_LOAD, KVML_JUMP, KVML_RETURN, KVML_TASK };
/*
 * The segment that @seg would have with @selector, all checks made; it is not
 * loaded.
 */
int kvml_segment_find(struct kvml_vcpu *vcpu, enum kvml_seg seg, u16 selector,
		      enum kvml_transfer why, struct kvm_segment *out);
int kvml_segment_load(struct kvml_vcpu *vcpu, enum kvml_seg seg, u16 selector,
		      enum kvml_transfer why);
/* What @selector is of in the GDT, and where its descriptor is; nothing is checked. */
int kvml_segment_find_tss(struct kvml_vcpu *vcpu, u16 selector,
			  struct kvm_segment *out, unsigned long *address);
/* Another type, there, too. */
int kvml_segment_set_type(struct kvml_vcpu *vcpu, unsigned long address,
			  struct kvm_segment *s, u8 type);
/* Of tables and TSSs, as the supervisor; @flags: 0 or KVML_WALK_WRITE. */
int kvml_system_access(struct kvml_vcpu *vcpu, unsigned long linear, void *data,
		       unsigned int len, u32 flags);

u16 kvml_segment_selector(struct kvml_vcpu *vcpu, enum kvml_seg seg);
/* Real mode, or virtual-8086 mode. */
bool kvml_segment_is_real(struct kvml_vcpu *vcpu);

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
void kvml_string_advance(struct kvml_vcpu *vcpu, unsigned int reg, unsigned int n);
/* @n elements are done: rCX, emul->more. */
void kvml_string_done(struct kvml_vcpu *vcpu, unsigned int n);

/*
 * ---- alu.c ----
 * @op on the low @size bytes; *@flags is RFLAGS in and out.  @a is the first
 * operand (rAX) and *@d the second one (rDX), @c what is in rCX: a count, or the
 * factor of MUL.  Returns rAX.
 */
u64 kvml_alu(enum kvml_op op, unsigned int size, u64 a, u64 *d, u64 c, unsigned long *flags);
/* DIV, IDIV of *@d:*@a (one byte: AX) by @c; false: #DE. */
bool kvml_alu_divide(bool is_signed, unsigned int size, u64 *a, u64 *d, u64 c);

#endif /* _KVMLITE_EMUL_H */
