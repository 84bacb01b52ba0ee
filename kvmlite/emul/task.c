// SPDX-License-Identifier: GPL-2.0
/*
 * See task.h.  As in stock KVM the debug trap of a TSS is not there; but what the new
 * task faults for is delivered.
 */
#include <asm/trapnr.h>

#include "base/kick.h"
#include "emul/emul.h"
#include "emul/task.h"
#include "vcpu/debug.h"
#include "vcpu/regs.h"

#define TYPE_BUSY	BIT(1)
#define TYPE_32		BIT(3)

/* Bits of RFLAGS that there are. */
#define FLAGS_VALID	0x3f7fd5ul

/*
 * A TSS of 16 or of 32 bits (SDM volume 3, 8.2.1 and 8.6): words, and from @ip on the
 * same ones in the same order, but for FS and GS.
 */
static const struct layout {
	u8 word;	/* bytes */
	u8 ip;		/* number of that word */
	u8 segs;	/* ES to DS or GS */
	u8 limit;	/* at least */
} layouts[] = { { 2, 7, 4, 0x2b }, { 4, 8, 6, 0x67 } };

/* Words from @ip on. */
enum { IP, FLAGS, GPRS, SEGS = GPRS + 8 };

#define TSS32_CR3	7
#define TSS32_SIZE	0x68

struct tss {
	const struct layout *layout;
	struct kvm_segment seg;
	unsigned long address;	/* of its descriptor */
	u8 data[TSS32_SIZE];
};

static u32 get_word(const struct tss *t, unsigned int n)
{
	u32 value = 0;

	memcpy(&value, t->data + n * t->layout->word, t->layout->word);
	return value;
}

static void put_word(struct tss *t, unsigned int n, u32 value)
{
	memcpy(t->data + n * t->layout->word, &value, t->layout->word);
}

static int find_tss(struct kvml_vcpu *vcpu, u16 selector, struct tss *t)
{
	int r = kvml_segment_find_tss(vcpu, selector, &t->seg, &t->address);

	t->layout = &layouts[!!(t->seg.type & TYPE_32)];
	return r;
}

static int access_tss(struct kvml_vcpu *vcpu, struct tss *t, unsigned int first,
		      unsigned int words, u32 flags)
{
	unsigned int offset = first * t->layout->word;

	return kvml_system_access(vcpu, t->seg.base + offset, t->data + offset,
				  words * t->layout->word, flags);
}

/* INT has the rights that the gate asks for; other events need none. */
static int check_gate(struct kvml_vcpu *vcpu, u8 vector)
{
	struct kvm_dtable idt;
	u64 gate;
	int r;

	kvml_ops->get_table(vcpu, KVML_IDT, &idt);
	if (vector * 8 + 7 <= idt.limit) {
		r = kvml_system_access(vcpu, idt.base + vector * 8, &gate, sizeof(gate), 0);
		if (r || kvml_ops->cpl(vcpu) <= (gate >> 45 & 3))
			return r;
	}
	return kvml_queue_exception_e(vcpu, X86_TRAP_GP, vector << 3 | 2);
}

/* What the CPU has not checked before the exit. */
static int check(struct kvml_vcpu *vcpu, const struct kvml_task *task, struct tss *to)
{
	int r = (task->soft >= 0 ? check_gate(vcpu, task->soft) : 0) ?:
		find_tss(vcpu, task->selector, to);

	if (r)
		return r;
	if (to->seg.present && to->seg.limit >= to->layout->limit)
		return access_tss(vcpu, to, 0, (to->layout->limit + 1) / to->layout->word, 0);
	return kvml_queue_exception_e(vcpu, X86_TRAP_TS, task->selector & ~3);
}

/* To the old TSS, by its own width: stock KVM takes that of the new one. */
static int save(struct kvml_vcpu *vcpu, const struct kvml_task *task, struct tss *from)
{
	unsigned long flags = kvml_reg(vcpu, KVML_RFLAGS);
	unsigned int i, ip = from->layout->ip;

	if (task->why == KVML_TASK_IRET)
		flags &= ~X86_EFLAGS_NT;
	put_word(from, ip + IP, kvml_rip(vcpu));
	put_word(from, ip + FLAGS, flags);
	for (i = 0; i < 8; i++)
		put_word(from, ip + GPRS + i, kvml_gpr_read(vcpu, i, 4, true));
	for (i = 0; i < from->layout->segs; i++)
		put_word(from, ip + SEGS + i, kvml_segment_selector(vcpu, KVML_ES + i));
	return access_tss(vcpu, from, ip, SEGS + from->layout->segs, KVML_WALK_WRITE);
}

static bool is_nested(const struct kvml_task *task)
{
	return task->why == KVML_TASK_CALL || task->why == KVML_TASK_GATE;
}

/* Which of the two is busy, and the way back. */
static int link_tasks(struct kvml_vcpu *vcpu, const struct kvml_task *task,
		      struct tss *from, struct tss *to)
{
	int r;

	if (is_nested(task)) {
		put_word(to, 0, from->seg.selector);
		r = access_tss(vcpu, to, 0, 1, KVML_WALK_WRITE);
	} else {
		r = kvml_segment_set_type(vcpu, from->address, &from->seg,
					  from->seg.type & ~TYPE_BUSY);
	}
	return r ?: kvml_segment_set_type(vcpu, to->address, &to->seg,
					  to->seg.type | TYPE_BUSY);
}

static int leave(struct kvml_vcpu *vcpu, const struct kvml_task *task, struct tss *to)
{
	struct tss from = { };
	struct kvm_segment tr;
	int r;

	kvml_ops->get_segment(vcpu, KVML_TR, &tr);
	r = find_tss(vcpu, tr.selector, &from);
	if (r)
		return r;
	/* The CPU has it as it was when it was loaded. */
	from.seg.base = tr.base;
	return save(vcpu, task, &from) ?: link_tasks(vcpu, task, &from, to);
}

static void load_registers(struct kvml_vcpu *vcpu, const struct kvml_task *task,
			   const struct tss *to)
{
	unsigned int i, ip = to->layout->ip;
	unsigned long flags = get_word(to, ip + FLAGS) & FLAGS_VALID;

	if (is_nested(task))
		flags |= X86_EFLAGS_NT;
	kvml_reg_set(vcpu, KVML_RIP, get_word(to, ip + IP));
	kvml_reg_set(vcpu, KVML_RFLAGS, flags | X86_EFLAGS_FIXED);
	for (i = 0; i < 8; i++)
		kvml_reg_set(vcpu, i, get_word(to, ip + GPRS + i));
	kvml_ops->set_segment(vcpu, KVML_TR, &to->seg);
	kvml_ops->set_cr0(vcpu, kvml_reg(vcpu, KVML_CR0) | X86_CR0_TS);
	vcpu->dr7 &= ~(unsigned long)(DR_LOCAL_ENABLE_MASK | DR_LOCAL_SLOWDOWN);
	kvml_debug_update(vcpu);
}

/* All selectors first: they are the new task's if a segment is none. */
static int load_segments(struct kvml_vcpu *vcpu, const struct tss *to)
{
	static const enum kvml_seg order[] = {
		KVML_LDTR, KVML_ES, KVML_CS, KVML_SS, KVML_DS, KVML_FS, KVML_GS,
	};
	unsigned int n = to->layout->segs + 1, first = to->layout->ip + SEGS, i;
	u16 selector[ARRAY_SIZE(order)];
	struct kvm_segment s;
	int r = 0;

	for (i = 0; i < n; i++) {
		selector[i] = get_word(to, first + (i ? i - 1 : n - 1));
		kvml_ops->get_segment(vcpu, order[i], &s);
		s.selector = selector[i];
		kvml_ops->set_segment(vcpu, order[i], &s);
	}
	for (i = 0; i < n && !r; i++)
		r = kvml_segment_load(vcpu, order[i], selector[i], KVML_TASK);
	return r;
}

static int push_error(struct kvml_vcpu *vcpu, const struct kvml_task *task,
		      const struct tss *to)
{
	int r, bits, cpl;

	kvml_ops->code_mode(vcpu, &bits, &cpl);
	vcpu->emul->bits = bits;
	vcpu->emul->user = cpl == 3;
	kvml_stack_begin(vcpu);
	r = kvml_stack_push(vcpu, task->error, to->layout->word);
	if (!r)
		kvml_stack_end(vcpu);
	return r;
}

static int enter(struct kvml_vcpu *vcpu, const struct kvml_task *task, const struct tss *to)
{
	int r;

	load_registers(vcpu, task, to);
	if (to->layout->word == 4 && kvml_cr3_write(vcpu, get_word(to, TSS32_CR3)))
		return kvml_queue_gp(vcpu);
	r = load_segments(vcpu, to);
	if (!r && task->has_error)
		r = push_error(vcpu, task, to);
	return kvml_emul_result(r ?: 1);
}

/* No instruction is in progress: nothing comes back to it. */
static void reset_emulation(struct kvml_emul *e)
{
	e->rip = ~0ul;
	e->bits = 32;
	e->nbytes = 0;
	e->gpa_known = 0;
	e->mmio_pos = 0;
	e->mmio_done = 0;
}

int kvml_task_switch(struct kvml_vcpu *vcpu, const struct kvml_task *task)
{
	unsigned long rip = kvml_rip(vcpu);
	struct kvml_events *event = &vcpu->event;
	struct tss to = { };
	int r;

	if (task->insn)
		kvml_ops->skip_insn(vcpu);
	if (event->exception.pending)
		return 1;
	if (event->nmi.injected)
		kvml_ops->set_nmi_masked(vcpu, true);
	event->nmi.injected = false;
	event->intr.injected = false;
	reset_emulation(vcpu->emul);
	r = check(vcpu, task, &to) ?: leave(vcpu, task, &to);
	if (r) {
		kvml_reg_set(vcpu, KVML_RIP, rip);
		return kvml_emul_result(r);
	}
	event->exception.injected = false;
	return enter(vcpu, task, &to);
}
