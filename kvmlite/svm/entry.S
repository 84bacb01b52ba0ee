/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Into the guest and back: see entry.h.
 *
 * VMRUN saves and loads CS, SS, DS, ES, GDTR, IDTR, control registers, RIP, RSP,
 * RFLAGS and RAX; VMLOAD and VMSAVE the other segments and the MSRs that go
 * with them; the rest is ours.  #VMEXIT goes on after VMRUN.
 *
 * From VMLOAD of the guest's state to VMLOAD of the host's the GS base is not
 * the kernel's: no interrupt, NMI or fault may come there.  CLGI sees to it.
 * The host's RFLAGS.IF says whether its interrupts make the guest exit: it is
 * set where the global interrupt flag holds them off.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/percpu.h>

#include "../base/entry.h"
#include "../base/speculation.h"

/* Nothing is switched if there is no such MSR, or if VMRUN does it. */
.macro UNLESS_SPEC_CTRL_IS_OURS label:req
	ALTERNATIVE_2 "jmp \label", "", X86_FEATURE_MSR_SPEC_CTRL, \
		      "jmp \label", X86_FEATURE_V_SPEC_CTRL
.endm

/* ECX: see entry.h.  EAX, ECX and EDX are lost. */
.macro GUEST_SPEC_CTRL
	UNLESS_SPEC_CTRL_IS_OURS .Lguest_\@
	test %ecx, %ecx
	jz .Lguest_\@
	mov %ecx, %eax
	mov $MSR_IA32_SPEC_CTRL, %ecx
	xor %edx, %edx
	wrmsr
.Lguest_\@:
.endm

.macro HOST_SPEC_CTRL
	UNLESS_SPEC_CTRL_IS_OURS .Lhost_\@
	test %ecx, %ecx
	jz .Lhost_\@
	mov PER_CPU_VAR(x86_spec_ctrl_current), %rax
	mov %rax, %rdx
	shr $32, %rdx
	mov $MSR_IA32_SPEC_CTRL, %ecx
	wrmsr
.Lhost_\@:
.endm

.section .noinstr.text, "ax"

SYM_FUNC_START(kvml_svm_enter)
	push %rbp
	mov %rsp, %rbp
	push %r15
	push %r14
	push %r13
	push %r12
	push %rbx
	push %rcx
	push %rdx
	push %rdi

	GUEST_SPEC_CTRL
	mov %rsi, %rax
.Lclgi:
	clgi
	sti
	vmload %rax
	FOR_REGS LOAD_REG, rdi
	mov AT_RDI(%rdi), %rdi

	KVML_CLEAR_CPU_BUFFERS
	vmrun %rax
	/* RAX and RSP are the host's again. */
	vmsave %rax

	pop %rax
	FOR_REGS SAVE_REG, rax
	mov %rdi, AT_RDI(%rax)

	pop %rax
	vmload %rax
	cli

	/* Before the first unbalanced RET. */
	FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT
	pop %rcx
	HOST_SPEC_CTRL
	KVML_UNTRAIN_RET

	/* Nothing of the guest's is left for speculation to work on. */
	xor %eax, %eax
	xor %ebx, %ebx
	xor %ecx, %ecx
	xor %edx, %edx
	xor %esi, %esi
	xor %edi, %edi
	xor %ebp, %ebp
	FOR_R8_TO_R15 ZERO_REG, none
	stgi
.Ldone:
	pop %rbx
	pop %r12
	pop %r13
	pop %r14
	pop %r15
	pop %rbp
	RET

	/* #UD: the host goes down, see hardware.h. */
	_ASM_EXTABLE(.Lclgi, .Lfail)
.Lfail:
	pop %rdi
	pop %rdx
	pop %rcx
	HOST_SPEC_CTRL
	mov $1, %eax
	jmp .Ldone
SYM_FUNC_END(kvml_svm_enter)
