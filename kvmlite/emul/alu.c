// SPDX-License-Identifier: GPL-2.0
/*
 * Arithmetic: the CPU does it, on copies of the operands and with the status
 * flags of the guest (SDM volume 1, 3.4.3.1).
 */
#include "emul/emul.h"

#define STATUS_FLAGS	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | \
			 X86_EFLAGS_ZF | X86_EFLAGS_SF | X86_EFLAGS_OF)

/* The flags go in and out over the stack: no other flag is the guest's. */
#define RUN(text)							\
({									\
	asm volatile("pushf\n\t"					\
		     "andq %[others], (%%rsp)\n\t"			\
		     "orq %[status], (%%rsp)\n\t"			\
		     "popf\n\t"						\
		     text "\n\t"					\
		     "pushf\n\t"					\
		     "pop %[status]"					\
		     : "+a" (a), "+d" (*d), [status] "+r" (status)	\
		     : "c" (c), [others] "i" (~(long)STATUS_FLAGS)	\
		     : "cc", "memory");					\
})

#define RUN_SIZED(byte, word, dword, qword)				\
	do {								\
		if (size == 1)						\
			RUN(byte);					\
		else if (size == 2)					\
			RUN(word);					\
		else if (size == 4)					\
			RUN(dword);					\
		else							\
			RUN(qword);					\
	} while (0)

/* The operands: rAX, rDX, CL; for C(), rAX and rDX are implied. */
#define A(name)								\
	RUN_SIZED(#name " %%al", #name " %%ax", #name " %%eax", #name " %%rax")
#define A_D(name)							\
	RUN_SIZED(#name " %%dl, %%al", #name " %%dx, %%ax",		\
		  #name " %%edx, %%eax", #name " %%rdx, %%rax")
#define A_CL(name)							\
	RUN_SIZED(#name " %%cl, %%al", #name " %%cl, %%ax",		\
		  #name " %%cl, %%eax", #name " %%cl, %%rax")
#define C(name)								\
	RUN_SIZED(#name " %%cl", #name " %%cx", #name " %%ecx", #name " %%rcx")
/* These have no form of one byte. */
#define WIDE_A_D(name)							\
	RUN_SIZED("nop", #name " %%dx, %%ax", #name " %%edx, %%eax",	\
		  #name " %%rdx, %%rax")
#define WIDE_A_D_CL(name)						\
	RUN_SIZED("nop", #name " %%cl, %%dx, %%ax",			\
		  #name " %%cl, %%edx, %%eax", #name " %%cl, %%rdx, %%rax")

#define CASE(op, operands, name) case KVML_OP_##op: operands(name); break

u64 kvml_alu(enum kvml_op op, unsigned int size, u64 a, u64 *d, u64 c, unsigned long *flags)
{
	unsigned long status = *flags & STATUS_FLAGS;

	switch (op) {
	CASE(ADD, A_D, add);
	CASE(XADD, A_D, add);
	CASE(OR, A_D, or);
	CASE(ADC, A_D, adc);
	CASE(SBB, A_D, sbb);
	CASE(AND, A_D, and);
	CASE(SUB, A_D, sub);
	CASE(XOR, A_D, xor);
	CASE(CMP, A_D, cmp);
	CASE(TEST, A_D, test);
	CASE(NOT, A, not);
	CASE(NEG, A, neg);
	CASE(INC, A, inc);
	CASE(DEC, A, dec);
	CASE(BT, WIDE_A_D, bt);
	CASE(BTS, WIDE_A_D, bts);
	CASE(BTR, WIDE_A_D, btr);
	CASE(BTC, WIDE_A_D, btc);
	CASE(ROL, A_CL, rol);
	CASE(ROR, A_CL, ror);
	CASE(RCL, A_CL, rcl);
	CASE(RCR, A_CL, rcr);
	CASE(SHL, A_CL, shl);
	CASE(SHR, A_CL, shr);
	CASE(SAR, A_CL, sar);
	CASE(SHLD, WIDE_A_D_CL, shld);
	CASE(SHRD, WIDE_A_D_CL, shrd);
	CASE(BSF, WIDE_A_D, bsf);
	CASE(BSR, WIDE_A_D, bsr);
	/* Older CPUs do BSF and BSR, as they do in the guest. */
	CASE(TZCNT, WIDE_A_D, rep; bsf);
	CASE(LZCNT, WIDE_A_D, rep; bsr);
	CASE(IMUL, WIDE_A_D, imul);
	CASE(MUL, C, mul);
	CASE(IMUL1, C, imul);
	default:
		break;
	}
	*flags = (*flags & ~STATUS_FLAGS) | (status & STATUS_FLAGS);
	return a;
}

/*
 * Of signed numbers the magnitudes are divided, with 128 bits by 64 for every
 * size.  What does not fit is found before the CPU would find it.
 */
bool kvml_alu_divide(bool is_signed, unsigned int size, u64 *a, u64 *d, u64 c)
{
	unsigned int bits = 8 * size;
	u64 mask = U64_MAX >> (64 - bits), limit = mask, low = *a, high = *d;
	bool negative = false, negative_c = false;

	c &= mask;
	if (size < 8) {
		if (size > 1)
			low = (low & mask) | high << bits;
		low &= U64_MAX >> (64 - 2 * bits);
		high = 0;
	}
	if (is_signed) {
		if (size < 8) {
			low = sign_extend64(low, 2 * bits - 1);
			high = (s64)low >> 63;
		}
		negative = (s64)high < 0;
		negative_c = c >> (bits - 1);
		if (negative) {
			low = -low;
			high = ~high + !low;
		}
		if (negative_c)
			c = -c & mask;
		limit = (mask >> 1) + (negative != negative_c);
	}
	if (high >= c)
		return false;
	asm("divq %[c]" : "+a" (low), "+d" (high) : [c] "r" (c) : "cc");
	if (low > limit)
		return false;
	if (negative != negative_c)
		low = -low;
	if (negative)
		high = -high;
	*a = size == 1 ? (u8)low | (high & 0xff) << 8 : low;
	*d = high;
	return true;
}
