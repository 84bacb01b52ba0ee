/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Into the guest and back: see entry.h.
 *
 * VM entry loads RIP, RSP, RFLAGS, segments and control registers from the
 * VMCS; the other registers are ours to load and save.  A VM exit comes to
 * HOST_RIP with HOST_RSP, so the frame made before entry is there again.
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/asm.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/percpu.h>
#include <asm/unwind_hints.h>

#include "../base/entry.h"
#include "../base/speculation.h"

#define HOST_RSP	0x6c14		/* field, SDM volume 3, appendix B */

.section .noinstr.text, "ax"

/*
 * Fills the branch history with branches of ours: the sequence that Intel's text on
 * branch history injection gives for CPUs without BHI_DIS_S.  RAX and RCX are lost.
 */
SYM_FUNC_START(kvml_clear_bhb)
	ANNOTATE_NOENDBR
	push %rbp
	mov %rsp, %rbp
	mov $5, %ecx
	ANNOTATE_INTRA_FUNCTION_CALL
	call .Louter
	jmp .Lcleared
	.align 64, 0xcc
	ANNOTATE_INTRA_FUNCTION_CALL
.Louter:
	call .Linner
	RET
	.align 64, 0xcc
.Linner:
	mov $5, %eax
.Lagain:
	jmp .Lcount
	nop
.Lcount:
	sub $1, %eax
	jnz .Lagain
	sub $1, %ecx
	jnz .Louter
	RET
.Lcleared:
	lfence
	pop %rbp
	RET
SYM_FUNC_END(kvml_clear_bhb)
STACK_FRAME_NON_STANDARD(kvml_clear_bhb)

SYM_FUNC_START(kvml_vmx_enter)
	push %rbp
	mov %rsp, %rbp
	push %r15
	push %r14
	push %r13
	push %r12
	push %rbx
	push %rcx
	push %rdi

	/* From here to the entry: no RET and no indirect branch. */
	test %rcx, %rcx
	jz .Lguest_spec_ctrl
	mov %rdx, %r8
	mov (%rcx), %eax
	cmp PER_CPU_VAR(x86_spec_ctrl_current), %eax
	je 2f
	mov $MSR_IA32_SPEC_CTRL, %ecx
	xor %edx, %edx
	wrmsr
2:
	mov %r8, %rdx
.Lguest_spec_ctrl:
	cmp %rsp, (%rdx)
	je 1f
	mov %rsp, (%rdx)
	mov $HOST_RSP, %eax
.Lhost_rsp:
	vmwrite %rsp, %rax
1:
	/* Moves leave the carry flag alone, VERW too: it says VMRESUME. */
	bt $0, %esi
	mov %rdi, %rax
	FOR_REGS LOAD_REG, rax
	mov AT_RDI(%rax), %rdi
	mov AT_RAX(%rax), %rax

	KVML_CLEAR_CPU_BUFFERS
	jnc .Lvmlaunch

	UNWIND_HINT_SAVE
.Lvmresume:
	vmresume
	jmp .Lvmfail
.Lvmlaunch:
	vmlaunch
	jmp .Lvmfail

	/* #UD: the host goes down, see vmcs.h. */
	_ASM_EXTABLE(.Lhost_rsp, .Lvmfail)
	_ASM_EXTABLE(.Lvmresume, .Lvmfail)
	_ASM_EXTABLE(.Lvmlaunch, .Lvmfail)

SYM_INNER_LABEL_ALIGN(kvml_vmx_exit_point, SYM_L_GLOBAL)
	UNWIND_HINT_RESTORE
	ENDBR

	push %rax
	mov 8(%rsp), %rax
	pop AT_RAX(%rax)
	FOR_REGS SAVE_REG, rax
	mov %rdi, AT_RDI(%rax)
	xor %ebx, %ebx

.Ldone:
	/* regs */
	pop %rax

	/* Nothing of the guest's is left for speculation to work on. */
	xor %eax, %eax
	xor %ecx, %ecx
	xor %edx, %edx
	xor %esi, %esi
	xor %edi, %edi
	xor %ebp, %ebp
	FOR_R8_TO_R15 ZERO_REG, none

	/* Before the first unbalanced RET. */
	FILL_RETURN_BUFFER %rcx, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT,\
			   X86_FEATURE_RSB_VMEXIT_LITE

	pop %rdi
	test %rdi, %rdi
	jz .Lspec_ctrl_done
	mov $MSR_IA32_SPEC_CTRL, %ecx
	rdmsr
	mov %eax, (%rdi)
	mov PER_CPU_VAR(x86_spec_ctrl_current), %rax
	/* With legacy IBRS it is the write that protects, of whatever value. */
	ALTERNATIVE "cmp %eax, (%rdi); je .Lsame_spec_ctrl", "", \
		    X86_FEATURE_KERNEL_IBRS
	mov %rax, %rdx
	shr $32, %rdx
	wrmsr
.Lsame_spec_ctrl:
	lfence
.Lspec_ctrl_done:
	KVML_CLEAR_BRANCH_HISTORY

	mov %ebx, %eax
	pop %rbx
	pop %r12
	pop %r13
	pop %r14
	pop %r15
	pop %rbp
	RET

.Lvmfail:
	mov $1, %ebx
	jmp .Ldone
SYM_FUNC_END(kvml_vmx_enter)
