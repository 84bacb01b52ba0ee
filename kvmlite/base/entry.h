/* SPDX-License-Identifier: GPL-2.0 */
/* For entry.S of both vendors: the guest's registers in and out of vcpu->reg[]. */
#ifndef _KVMLITE_BASE_ENTRY_H
#define _KVMLITE_BASE_ENTRY_H

/* Offsets, by the numbers of registers in instructions. */
#define AT_RAX	0x00
#define AT_RDI	0x38

.macro FOR_R8_TO_R15 op:req, base:req
	\op r8, 0x40, \base
	\op r9, 0x48, \base
	\op r10, 0x50, \base
	\op r11, 0x58, \base
	\op r12, 0x60, \base
	\op r13, 0x68, \base
	\op r14, 0x70, \base
	\op r15, 0x78, \base
.endm

/* All but RAX, RSP and RDI, one of which is the base. */
.macro FOR_REGS op:req, base:req
	\op rcx, 0x08, \base
	\op rdx, 0x10, \base
	\op rbx, 0x18, \base
	\op rbp, 0x28, \base
	\op rsi, 0x30, \base
	FOR_R8_TO_R15 \op, \base
.endm

.macro LOAD_REG reg:req, offset:req, base:req
	mov \offset(%\base), %\reg
.endm

.macro SAVE_REG reg:req, offset:req, base:req
	mov %\reg, \offset(%\base)
.endm

.macro ZERO_REG reg:req, offset:req, base:req
	xor %\reg\()d, %\reg\()d
.endm

#endif /* _KVMLITE_BASE_ENTRY_H */
