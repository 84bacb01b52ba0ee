/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Instructions as data: assembled with the test, copied into the guest one at a
 * time, for tests that go over many of them.
 *
 * One asm statement at file level starts with INSN_MACROS and uses
 *
 *	insn BITS, UNDEFINED, TEXT
 *
 * BITS: of the code, 16, 32 or 64; UNDEFINED: the status flags that are
 * undefined after it.  An instruction with the displacement INSN_DISP reaches
 * its operand relative to RIP: insn_place() puts the real one in.
 */
#ifndef KVM_INSN_H
#define KVM_INSN_H

#include "kvm_vm.h"

#define INSN_CODE	TOOL_DATA	/* guest address of the instruction */
#define INSN_DISP	0x11223344

/**
 * struct insn - one of the table
 * @text:	as the assembler read it
 * @code:	as it wrote it
 * @len:	bytes of that
 * @bits:	of the code: 16, 32, 64
 * @undefined:	flags
 */
struct insn {
	const char *text;
	const u8 *code;
	u32 len;
	u16 bits;
	u16 undefined;
};

extern const struct insn __start_insns[], __stop_insns[];

#define INSN_MACROS							\
	".macro insn bits, undefined, text:vararg\n"			\
	".pushsection .rodata\n"					\
	"771: .asciz \"\\text\"\n"					\
	".code\\bits\n"							\
	"772: \\text\n"							\
	"773: .code64\n"						\
	".popsection\n"							\
	".pushsection insns, \"aw\"\n"					\
	".balign 8\n"							\
	".quad 771b, 772b\n"						\
	".long 773b - 772b\n"						\
	".short \\bits, \\undefined\n"					\
	".popsection\n"							\
	".endm\n"

static inline unsigned int mode_bits(enum vm_mode mode)
{
	return mode == MODE_LONG ? 64 : mode == MODE_PROTECTED ? 32 : 16;
}

/*
 * The instruction to @code of the guest, an OUT to PORT behind it; @target is
 * what INSN_DISP stands for.
 */
static inline void insn_place(const struct machine *m, const struct insn *insn,
			      u64 code, u64 target)
{
	static const u8 end[] = { 0xe6, PORT, 0xeb, 0xfc };
	u8 *to = (u8 *)m->tool + code;
	u32 i, disp = INSN_DISP;

	memcpy(to, insn->code, insn->len);
	memcpy(to + insn->len, end, sizeof(end));
	for (i = 0; i + 4 <= insn->len; i++)
		if (!memcmp(to + i, &disp, 4)) {
			disp = target - (code + insn->len);
			memcpy(to + i, &disp, 4);
			return;
		}
}

/* Forget an exception that the last exit left pending. */
static inline void vcpu_clear_events(const struct machine *m)
{
	struct kvm_vcpu_events events;

	MUST(ioctl(m->vcpu, KVM_GET_VCPU_EVENTS, &events));
	memset(&events.exception, 0, sizeof(events.exception));
	memset(&events.interrupt, 0, sizeof(events.interrupt));
	events.flags &= ~KVM_VCPUEVENT_VALID_PAYLOAD;
	MUST(ioctl(m->vcpu, KVM_SET_VCPU_EVENTS, &events));
}

/* How a run ended, for messages. */
static inline const char *vm_exit_text(const struct machine *m)
{
	static char text[128];
	struct vm_event e;

	if (vm_trapped(m)) {
		e = vm_event(m);
		snprintf(text, sizeof(text),
			 "vector %llu at %llx (error code %llx, CR2 %llx)",
			 (unsigned long long)e.vector,
			 (unsigned long long)e.rip,
			 (unsigned long long)e.error,
			 (unsigned long long)e.cr2);
	} else {
		snprintf(text, sizeof(text),
			 "exit reason %u (suberror %u) at %llx",
			 m->run->exit_reason, m->run->internal.suberror,
			 (unsigned long long)vcpu_regs(m).rip);
	}
	return text;
}

#endif /* KVM_INSN_H */
