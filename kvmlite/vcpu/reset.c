// SPDX-License-Identifier: GPL-2.0
/* See reset.h. */
#include <linux/kvm.h>
#include <asm/processor-flags.h>

#include "base/ops.h"
#include "vcpu/debug.h"
#include "vcpu/reset.h"
#include "vcpu/vcpu.h"

/* IP of the first instruction: F000:FFF0, with the base of CS at the top. */
#define RESET_CS_SELECTOR	0xf000
#define RESET_CS_BASE		0xffff0000
#define RESET_RIP		0xfff0

static void reset_segments(struct kvml_vcpu *vcpu)
{
	struct kvm_segment seg = { .limit = 0xffff, .type = 3, .s = 1,
				   .present = 1 };
	struct kvm_dtable table = { .limit = 0xffff };
	enum kvml_seg i;

	for (i = KVML_ES; i <= KVML_GS; i++)
		kvml_ops->set_segment(vcpu, i, &seg);
	seg.selector = RESET_CS_SELECTOR;
	seg.base = RESET_CS_BASE;
	seg.type = 0xb;
	kvml_ops->set_segment(vcpu, KVML_CS, &seg);
	seg = (struct kvm_segment){ .limit = 0xffff, .type = 0xb,
				    .present = 1 };
	kvml_ops->set_segment(vcpu, KVML_TR, &seg);
	seg.type = 2;
	kvml_ops->set_segment(vcpu, KVML_LDTR, &seg);
	kvml_ops->set_gdt(vcpu, &table);
	kvml_ops->set_idt(vcpu, &table);
}

void kvml_vcpu_reset(struct kvml_vcpu *vcpu)
{
	reset_segments(vcpu);
	kvml_ops->set_efer(vcpu, 0);
	kvml_ops->set_cr4(vcpu, 0);
	kvml_ops->set_cr0(vcpu, X86_CR0_NW | X86_CR0_CD | X86_CR0_ET);
	kvml_reg_set(vcpu, KVML_CR3, 0);
	kvml_reg_set(vcpu, KVML_RFLAGS, X86_EFLAGS_FIXED);
	kvml_reg_set(vcpu, KVML_RIP, RESET_RIP);
	kvml_reg_set(vcpu, KVML_RSP, 0);
	kvml_debug_update(vcpu);
}
