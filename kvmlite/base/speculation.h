/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For entry.S of both vendors: what is done around a guest against speculation.  The
 * kernel's macros for it call code and read memory that since 6.19 is for its own KVM
 * alone, so here are ours, under the same features.
 */
#ifndef _KVMLITE_BASE_SPECULATION_H
#define _KVMLITE_BASE_SPECULATION_H

#include <asm/alternative.h>
#include <asm/cpufeatures.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/segment.h>

#include "../../include/compat/entry.h"

/*
 * Before an entry: VERW with a selector in memory clears the CPU's buffers (MDS, TSA, MMIO
 * stale data).  ZF is lost.
 */
.macro KVML_CLEAR_CPU_BUFFERS
	ALTERNATIVE_2 "jmp .Lno_verw_\@", "", X86_FEATURE_CLEAR_CPU_BUF, \
		      "", X86_FEATURE_CLEAR_CPU_BUF_VM
	verw .Lverw_sel_\@(%rip)
.Lno_verw_\@:
	.pushsection .rodata, "a"
	.balign 2
.Lverw_sel_\@:
	.word __KERNEL_DS
	.popsection
.endm

/* After an exit, before the first indirect branch (BHI): see kvml_clear_bhb. */
.macro KVML_CLEAR_BRANCH_HISTORY
	ALTERNATIVE "", "call kvml_clear_bhb", X86_FEATURE_CLEAR_BHB_VMEXIT
.endm

/*
 * After an exit, before the first RET (Retbleed, SRSO).  An IBPB that leaves return
 * predictions alone is followed by what overwrites them.  RAX, RCX and RDX are lost.
 */
.macro KVML_UNTRAIN_RET
	CALL_UNTRAIN_RET
	ALTERNATIVE_2 "jmp .Lno_ibpb_\@", "", X86_FEATURE_ENTRY_IBPB, \
		      "", X86_FEATURE_IBPB_ON_VMEXIT
	mov $MSR_IA32_PRED_CMD, %ecx
	mov $PRED_CMD_IBPB, %eax
	xor %edx, %edx
	wrmsr
	FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_BUG_IBPB_NO_RET
.Lno_ibpb_\@:
#ifdef RESET_CALL_DEPTH
	ALTERNATIVE "", __stringify(RESET_CALL_DEPTH), X86_FEATURE_CALL_DEPTH
#endif
.endm

#endif /* _KVMLITE_BASE_SPECULATION_H */
