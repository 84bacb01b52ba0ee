/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Arithmetic by the CPU itself, to compare kvml_alu() with: each operation is
 * executed on registers of its size.  For tests in the kernel and in userspace
 * (compiled with -mno-red-zone: the flags go over the stack).
 */
#ifndef _UNIT_CPU_ALU_H
#define _UNIT_CPU_ALU_H

#define CPU_ALU_FLAGS	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | \
			 X86_EFLAGS_ZF | X86_EFLAGS_SF | X86_EFLAGS_OF)

/* The carry goes in by BT, the flags come out by PUSHF. */
#define CPU_ALU_RUN(text, type)						\
	do {								\
		type _a = a, _b = b;					\
									\
		asm volatile("bt $0, %[in]\n\t" text "\n\t"		\
			     "pushf\n\tpop %[out]"			\
			     : [a] "+q" (_a), [out] "=r" (out)		\
			     : [b] "q" (_b), [in] "r" (*flags)		\
			     : "cc", "memory");				\
		result = _a;						\
	} while (0)

#define CPU_ALU_SIZES(op2)						\
	do {								\
		switch (size) {						\
		case 1:							\
			CPU_ALU_RUN(op2("b"), u8);			\
			break;						\
		case 2:							\
			CPU_ALU_RUN(op2("w"), u16);			\
			break;						\
		case 4:							\
			CPU_ALU_RUN(op2("l"), u32);			\
			break;						\
		default:						\
			CPU_ALU_RUN(op2("q"), u64);			\
		}							\
	} while (0)

#define CPU_ADD(s)	"add" s " %[b], %[a]"
#define CPU_OR(s)	"or" s " %[b], %[a]"
#define CPU_ADC(s)	"adc" s " %[b], %[a]"
#define CPU_SBB(s)	"sbb" s " %[b], %[a]"
#define CPU_AND(s)	"and" s " %[b], %[a]"
#define CPU_SUB(s)	"sub" s " %[b], %[a]"
#define CPU_XOR(s)	"xor" s " %[b], %[a]"
#define CPU_NOT(s)	"not" s " %[a]"
#define CPU_NEG(s)	"neg" s " %[a]"
#define CPU_INC(s)	"inc" s " %[a]"
#define CPU_DEC(s)	"dec" s " %[a]"

/* As kvml_alu(), without the bit operations; AF of logic is undefined. */
static inline u64 cpu_alu(enum kvml_op op, unsigned int size, u64 a, u64 b,
			  unsigned long *flags)
{
	unsigned long out;
	u64 result;

	switch (op) {
	case KVML_OP_ADD:
		CPU_ALU_SIZES(CPU_ADD);
		break;
	case KVML_OP_OR:
		CPU_ALU_SIZES(CPU_OR);
		break;
	case KVML_OP_ADC:
		CPU_ALU_SIZES(CPU_ADC);
		break;
	case KVML_OP_SBB:
		CPU_ALU_SIZES(CPU_SBB);
		break;
	case KVML_OP_AND:
	case KVML_OP_TEST:
		CPU_ALU_SIZES(CPU_AND);
		break;
	case KVML_OP_XOR:
		CPU_ALU_SIZES(CPU_XOR);
		break;
	case KVML_OP_NOT:
		CPU_ALU_SIZES(CPU_NOT);
		return result;
	case KVML_OP_NEG:
		CPU_ALU_SIZES(CPU_NEG);
		break;
	case KVML_OP_INC:
		CPU_ALU_SIZES(CPU_INC);
		break;
	case KVML_OP_DEC:
		CPU_ALU_SIZES(CPU_DEC);
		break;
	default:	/* SUB, CMP */
		CPU_ALU_SIZES(CPU_SUB);
	}
	*flags = (*flags & ~CPU_ALU_FLAGS) | (out & CPU_ALU_FLAGS);
	return result;
}

#endif /* _UNIT_CPU_ALU_H */
