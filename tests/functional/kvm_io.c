// SPDX-License-Identifier: GPL-2.0
/*
 * Ports: IN, OUT, INS and OUTS of every size in every mode; faults, counts and
 * rights; what userspace sees between.
 */
#define _GNU_SOURCE
#include "kvm_insn.h"

#define DATA_PORT	0x31	/* also an immediate */
#define BUF		(VM_BUF + 0x2000)	/* a page, and two more */
#define DS_BASE		0x10000UL	/* of segments outside 64-bit mode */
#define FS_BASE		0x11000UL
#define GS_BASE		0x12000UL
#define DEVICE		0x20000UL	/* behind memory */

#define SINGLE								\
	".macro single bits\n"						\
	"insn \\bits, 0, outb %al, $0x31\n"				\
	"insn \\bits, 0, outw %ax, $0x31\n"				\
	"insn \\bits, 0, outl %eax, $0x31\n"				\
	"insn \\bits, 0, outb %al, %dx\n"				\
	"insn \\bits, 0, outw %ax, %dx\n"				\
	"insn \\bits, 0, outl %eax, %dx\n"				\
	"insn \\bits, 0, inb $0x31, %al\n"				\
	"insn \\bits, 0, inw $0x31, %ax\n"				\
	"insn \\bits, 0, inl $0x31, %eax\n"				\
	"insn \\bits, 0, inb %dx, %al\n"				\
	"insn \\bits, 0, inw %dx, %ax\n"				\
	"insn \\bits, 0, inl %dx, %eax\n"				\
	".endm\n"

#define STRING								\
	".macro one bits, addr, op\n"					\
	"insn \\bits, 0, \\op\n"					\
	"insn \\bits, 0, rep \\op\n"					\
	"insn \\bits, 0, repne \\op\n"					\
	"insn \\bits, 0, \\addr rep \\op\n"				\
	".endm\n"							\
	".macro string bits, addr\n"					\
	".irp op, insb, insw, insl, outsb, outsw, outsl\n"		\
	"one \\bits, \\addr, \\op\n"					\
	".endr\n"							\
	"insn \\bits, 0, fs rep outsb\n"				\
	"insn \\bits, 0, gs rep outsl\n"				\
	"insn \\bits, 0, fs rep insb\n"					\
	".endm\n"

__asm__(INSN_MACROS SINGLE STRING
	"single 64\n"
	"single 32\n"
	"single 16\n"
	"string 64, addr32\n"
	"string 32, addr16\n"
	"string 16, addr32\n");

static const enum vm_mode modes[] = { MODE_LONG, MODE_PROTECTED, MODE_REAL };

static bool begins(const char *text, const char *word)
{
	return !strncmp(text, word, strlen(word));
}

static unsigned int size_of(const char *text, const char *op)
{
	switch (strstr(text, op)[strlen(op)]) {
	case 'b':
		return 1;
	case 'w':
		return 2;
	default:
		return 4;
	}
}

/* ---- IN and OUT ---- */

static void check_io(const struct machine *m, const struct insn *insn,
		     bool in, unsigned int size)
{
	const struct kvm_run *run = m->run;

	if (run->exit_reason == KVM_EXIT_IO && run->io.port == DATA_PORT &&
	    run->io.direction == (in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT) &&
	    run->io.size == size && run->io.count >= 1)
		return;
	tap_fail("%u-bit '%s': expected an exit of %u bytes at port %x, got %s (port %x, size %u, count %u)",
		 insn->bits, insn->text, size, DATA_PORT, vm_exit_text(m),
		 run->io.port, run->io.size, run->io.count);
}

static void check_value(const struct insn *insn, const char *what, u64 got,
			u64 want)
{
	if (got != want)
		tap_fail("%u-bit '%s': %s: expected %llx, got %llx", insn->bits,
			 insn->text, what, (unsigned long long)want,
			 (unsigned long long)got);
}

static u64 merge(u64 old, u64 value, unsigned int size)
{
	if (size == 4)
		return (u32)value;
	return (old & ~((1ULL << 8 * size) - 1)) |
	       (value & ((1ULL << 8 * size) - 1));
}

static void check_single(const struct machine *m, const struct insn *insn)
{
	bool in = begins(insn->text, "in");
	unsigned int size = size_of(insn->text, in ? "in" : "out");
	u64 rax = insn->bits == 64 ? 0xfedcba9876543210 : 0x76543210;
	struct kvm_regs regs = {
		.rip = INSN_CODE, .rsp = TOOL_STACK, .rflags = RFLAGS | 0x8d5,
		.rax = rax, .rdx = DATA_PORT, .rbx = 1, .rcx = 2, .rsi = 3,
		.rdi = 4,
	};
	u32 data = 0x89abcdef;

	insn_place(m, insn, INSN_CODE, 0);
	vcpu_set_regs(m, &regs);
	MUST(vcpu_run(m));
	check_io(m, insn, in, size);
	check_value(insn, "count", m->run->io.count, 1);
	if (in)
		memcpy(vcpu_io_data(m), &data, size);
	else
		check_value(insn, "data", merge(0, *(u32 *)vcpu_io_data(m), size),
			    merge(0, rax, size));
	vm_run_to_out(m);
	regs.rax = in ? merge(rax, data, size) : rax;
	check_value(insn, "rax", vcpu_regs(m).rax, regs.rax);
	check_value(insn, "rflags", vcpu_regs(m).rflags, regs.rflags);
	check_value(insn, "rdx", vcpu_regs(m).rdx, regs.rdx);
	check_value(insn, "rcx", vcpu_regs(m).rcx, regs.rcx);
	check_value(insn, "rsi", vcpu_regs(m).rsi, regs.rsi);
	check_value(insn, "rdi", vcpu_regs(m).rdi, regs.rdi);
}

static bool is_string(const struct insn *insn)
{
	return strstr(insn->text, "ins") || strstr(insn->text, "outs");
}

static void test_single(void)
{
	const struct insn *insn;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		struct machine m = vm_make();

		vm_mode(&m, modes[i]);
		for (insn = __start_insns; insn < __stop_insns; insn++)
			if (insn->bits == mode_bits(modes[i]) &&
			    !is_string(insn))
				check_single(&m, insn);
	}
}

/* Between the exit and the next KVM_RUN, IN is not done; then at once. */
static void test_immediate_exit(void)
{
	struct machine m = vm_make();
	const struct insn *insn;

	for (insn = __start_insns; insn < __stop_insns; insn++) {
		struct kvm_regs regs = {
			.rip = INSN_CODE, .rsp = TOOL_STACK, .rflags = RFLAGS,
			.rax = 0x1111111111111111, .rdx = DATA_PORT,
		};
		bool in = begins(insn->text, "in");

		if (insn->bits != 64 || is_string(insn))
			continue;
		insn_place(&m, insn, INSN_CODE, 0);
		vcpu_set_regs(&m, &regs);
		MUST(vcpu_run(&m));
		check_io(&m, insn, in, size_of(insn->text, in ? "in" : "out"));
		check_value(insn, "rax at the exit", vcpu_regs(&m).rax, regs.rax);
		memset(vcpu_io_data(&m), 0x22, 4);
		vcpu_complete(&m);
		check_value(insn, "rip", vcpu_regs(&m).rip,
			    INSN_CODE + insn->len);
		if (in)
			check_value(insn, "al", vcpu_regs(&m).rax & 0xff, 0x22);
		/* Once: a second time there is nothing to complete. */
		regs = vcpu_regs(&m);
		vcpu_complete(&m);
		check_value(insn, "rip", vcpu_regs(&m).rip, regs.rip);
		check_value(insn, "rax", vcpu_regs(&m).rax, regs.rax);
		vm_run_to_out(&m);
	}
}

/* Registers that the VMM sets meanwhile are the guest's, another RIP too. */
GUEST(in_out, "in $0x31, %eax\n\t"
	      "mov %eax, %ebx\n\t"
	      GUEST_OUT)

static void test_state_between(void)
{
	struct machine m = vm_make();
	struct kvm_regs regs;

	guest_start(&m, guest_in_out, 0, 0, 0);
	vm_run_until(&m, KVM_EXIT_IO);
	*(u32 *)vcpu_io_data(&m) = 0x1234;
	regs = vcpu_regs(&m);
	regs.rcx = 0x77;
	vcpu_set_regs(&m, &regs);
	vm_run_to_out(&m);
	CHECK_EQ(vcpu_regs(&m).rbx, 0x1234);
	CHECK_EQ(vcpu_regs(&m).rcx, 0x77);
	/* A reset by a port: the instruction never ends. */
	guest_start(&m, guest_in_out, 0, 0, 0);
	vm_run_until(&m, KVM_EXIT_IO);
	*(u32 *)vcpu_io_data(&m) = 0x5678;
	regs = vcpu_regs(&m);
	regs.rip = guest_address(guest_in_out);
	regs.rax = 0;
	regs.rip += 2;	/* IN $imm is 2 bytes */
	vcpu_set_regs(&m, &regs);
	vm_run_to_out(&m);
	CHECK_EQ(vcpu_regs(&m).rbx, 0);
}

/* ---- INS and OUTS ---- */

/**
 * struct transfer - a string instruction
 * @start:	guest physical, of the first element
 * @count:	rCX
 * @down:	DF
 */
struct transfer {
	u64 start;
	u64 count;
	bool down;
};

static const struct transfer transfers[] = {
	{ BUF + 0x100, 5, false },
	{ BUF + 0x100, 5, true },
	{ BUF + 0x100, 0, false },
	{ BUF + 0x100, 1, false },
	{ BUF + 0x1000 - 6, 4, false },		/* elements across the page */
	{ BUF + 0x1000 - 8, 4, false },		/* up to it and on */
	{ BUF + 0x1000 + 7, 5, true },
	{ BUF + 0x1000 + 8, 5, true },
	{ BUF + 3, 0x801, false },
};

static u8 pattern(unsigned int i)
{
	return i * 7 + (i >> 8);
}

static bool is_rep(const struct insn *insn)
{
	return strstr(insn->text, "rep");
}

static u64 segment_base(enum vm_mode mode, const struct insn *insn)
{
	if (strstr(insn->text, "fs ") && !strstr(insn->text, "ins"))
		return FS_BASE;
	if (strstr(insn->text, "gs "))
		return GS_BASE;
	return mode == MODE_LONG ? 0 : DS_BASE;
}

static void set_segments(const struct machine *m, enum vm_mode mode)
{
	struct kvm_sregs sregs;

	vm_mode(m, mode);
	sregs = vcpu_sregs(m);
	sregs.fs.base = FS_BASE;
	sregs.gs.base = GS_BASE;
	sregs.fs.selector = FS_BASE >> 4;
	sregs.gs.selector = GS_BASE >> 4;
	if (mode != MODE_LONG) {
		sregs.ds.base = DS_BASE;
		sregs.es.base = DS_BASE;
	}
	if (mode == MODE_REAL) {
		sregs.ds.selector = DS_BASE >> 4;
		sregs.es.selector = DS_BASE >> 4;
	}
	vcpu_set_sregs(m, &sregs);
}

/*
 * Elements, by any number of exits: to @data, or from it.  Returns how many
 * came before something else did.
 */
static u64 exchange(const struct machine *m, const struct insn *insn, bool in,
		    unsigned int size, u8 *data, u64 max)
{
	u64 done = 0;

	for (;;) {
		MUST(vcpu_run(m));
		if (m->run->exit_reason != KVM_EXIT_IO ||
		    m->run->io.port != DATA_PORT)
			return done;
		check_io(m, insn, in, size);
		if (done + m->run->io.count > max)
			tap_fail("%u-bit '%s': expected %llu elements, got more",
				 insn->bits, insn->text, (unsigned long long)max);
		if (in)
			memcpy(vcpu_io_data(m), data + done * size,
			       m->run->io.count * size);
		else
			memcpy(data + done * size, vcpu_io_data(m),
			       m->run->io.count * size);
		done += m->run->io.count;
	}
}

static u64 element(const struct transfer *t, unsigned int size, u64 i)
{
	return t->down ? t->start - i * size : t->start + i * size;
}

static void check_string_regs(const struct machine *m, const struct insn *insn,
			      bool in, s64 moved, u64 left, u64 offset)
{
	struct kvm_regs regs = vcpu_regs(m);

	check_value(insn, "rcx", regs.rcx, left);
	check_value(insn, "rdi", regs.rdi, offset + (in ? moved : 0));
	check_value(insn, "rsi", regs.rsi, offset + (in ? 0 : moved));
	check_value(insn, "rip", regs.rip, INSN_CODE + insn->len);
	check_value(insn, "rdx", regs.rdx, DATA_PORT);
}

static void check_string(const struct machine *m, enum vm_mode mode,
			 const struct insn *insn, const struct transfer *t)
{
	static u8 data[0x4000], before[0x3000];
	bool in = strstr(insn->text, "ins"), rep = is_rep(insn);
	unsigned int size = size_of(insn->text, in ? "ins" : "outs");
	u64 count = rep ? t->count : 1, i, n;
	u64 offset = t->start - segment_base(mode, insn);
	struct kvm_regs regs = {
		.rip = INSN_CODE, .rsp = TOOL_STACK,
		.rflags = RFLAGS | (t->down ? FLAG_DF : 0), .rcx = t->count,
		.rdx = DATA_PORT, .rsi = offset, .rdi = offset,
	};
	u8 *memory = (u8 *)m->tool;

	for (i = 0; i < sizeof(before); i++)
		before[i] = pattern(i);
	memcpy(memory + BUF, before, sizeof(before));
	for (i = 0; i < sizeof(data); i++)
		data[i] = in ? 0x55 ^ pattern(i) : 0;
	insn_place(m, insn, INSN_CODE, 0);
	vcpu_set_regs(m, &regs);
	n = exchange(m, insn, in, size, data, count);
	check_value(insn, "elements", n, count);
	vm_check_exit(m, KVM_EXIT_IO, "an OUT", __FILE_NAME__, __LINE__);
	for (i = 0; i < count; i++) {
		u64 at = element(t, size, i);

		if (memcmp(memory + at, data + i * size, size))
			tap_fail("%u-bit '%s': element %llu is not as expected",
				 insn->bits, insn->text, (unsigned long long)i);
		memcpy(before + at - BUF, memory + at, size);
	}
	if (memcmp(before, memory + BUF, sizeof(before)))
		tap_fail("%u-bit '%s': expected no other memory to change",
			 insn->bits, insn->text);
	check_string_regs(m, insn, in, (t->down ? -1 : 1) * (s64)(count * size),
			  rep ? 0 : t->count, offset);
}

static void test_string(void)
{
	const struct insn *insn;
	unsigned int i, t;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		struct machine m = vm_make();

		set_segments(&m, modes[i]);
		for (insn = __start_insns; insn < __stop_insns; insn++) {
			if (insn->bits != mode_bits(modes[i]) ||
			    !is_string(insn))
				continue;
			for (t = 0; t < ARRAY_SIZE(transfers); t++)
				check_string(&m, modes[i], insn, &transfers[t]);
		}
	}
}

/* ---- programs of 64-bit mode ---- */

GUEST(rep_insb, "mov %rdx, %rcx\n\t"
		"mov $0x31, %edx\n\t"
		"rep insb\n\t"
		GUEST_OUT)

GUEST(rep_outsb, "mov %rdx, %rcx\n\t"
		 "mov $0x31, %edx\n\t"
		 "rep outsb\n\t"
		 GUEST_OUT)

GUEST(rep_insl, "mov %rdx, %rcx\n\t"
		"mov $0x31, %edx\n\t"
		"rep insl\n\t"
		GUEST_OUT)

GUEST(rep_outsl, "mov %rdx, %rcx\n\t"
		 "mov $0x31, %edx\n\t"
		 "rep outsl\n\t"
		 GUEST_OUT)

/* Exits for data of any kind; false: something else. */
static bool serve(const struct machine *m, u8 *device, u8 *port, u64 *done)
{
	struct kvm_run *run = m->run;
	u64 n;

	MUST(vcpu_run(m));
	if (run->exit_reason == KVM_EXIT_MMIO) {
		u8 *at = device + run->mmio.phys_addr - DEVICE;

		CHECK(run->mmio.phys_addr >= DEVICE);
		CHECK(run->mmio.phys_addr < DEVICE + 0x100);
		if (run->mmio.is_write)
			memcpy(at, run->mmio.data, run->mmio.len);
		else
			memcpy(run->mmio.data, at, run->mmio.len);
		return true;
	}
	if (run->exit_reason != KVM_EXIT_IO || run->io.port != DATA_PORT)
		return false;
	n = run->io.size * run->io.count;
	if (run->io.direction == KVM_EXIT_IO_IN)
		memcpy(vcpu_io_data(m), port + *done, n);
	else
		memcpy(port + *done, vcpu_io_data(m), n);
	*done += n;
	return true;
}

static u8 *place(const struct machine *m, u8 *device, u64 address)
{
	return address < DEVICE ? (u8 *)m->tool + address :
				  device + address - DEVICE;
}

/* Elements in memory, across its end, and in a device. */
static void test_device(void)
{
	static void (*const programs[])(void) = {
		guest_rep_insl, guest_rep_outsl,
	};
	struct machine m = vm_make();
	u8 device[0x140], port[64];
	unsigned int i, p, start;

	for (p = 0; p < ARRAY_SIZE(programs); p++)
		for (start = 0; start < 12; start += 2) {
			u64 at = DEVICE - 8 + start, done = 0;

			for (i = 0; i < sizeof(port); i++)
				port[i] = p ? 0 : pattern(i);
			for (i = 0; i < 32; i++)
				*place(&m, device, at + i) = p ? pattern(i) : 0;
			guest_start(&m, programs[p], at, at, 8);
			while (serve(&m, device, port, &done))
				;
			vm_check_exit(&m, KVM_EXIT_IO, "an OUT", __FILE_NAME__,
				      __LINE__);
			CHECK_EQ(done, 32);
			for (i = 0; i < 32; i++) {
				CHECK_EQ(port[i], pattern(i));
				CHECK_EQ(*place(&m, device, at + i), pattern(i));
			}
			CHECK_EQ(p ? vcpu_regs(&m).rsi : vcpu_regs(&m).rdi,
				 at + 32);
		}
}

/* Pages of 4 KiB at 2 MiB; the table is in VM_BUF. */
#define PT		(VM_BUF + 0x8000)
#define PAGES_GVA	0x200000UL

static u64 *page_entry(const struct machine *m, unsigned int page)
{
	return (u64 *)(m->tool + PT) + page;
}

static void map_small_pages(const struct machine *m)
{
	((u64 *)(m->tool + TOOL_PD))[1] = PT | 7;
	*page_entry(m, 0) = BUF | 3;
	*page_entry(m, 1) = (BUF + PAGE) | 3;
	*page_entry(m, 2) = 0;
}

/*
 * Elements in the pages that are there.  Stock KVM counts the bytes of a page
 * as if they were elements, fetches too many of several bytes and starts again
 * with them all.
 */
static u64 elements_before(bool in, bool wide, unsigned int skew)
{
	if (in && wide && !strcmp(kvm_device(), "/dev/kvm"))
		return 0;
	return (16 + skew) / (wide ? 4 : 1);
}

/* A page is missing on the way: what was done is done, the rest comes after. */
static void check_fault(bool in, bool wide, unsigned int skew)
{
	static u8 data[0x2000], *memory;
	struct machine m = vm_make();
	u64 start = PAGES_GVA + 2 * PAGE - 16 - skew, done = 0, first, i;
	u64 count = wide ? 16 : 64;
	struct vm_event event;
	struct kvm_regs regs;

	map_small_pages(&m);
	memory = (u8 *)m.tool + BUF + 2 * PAGE - 16 - skew;
	for (i = 0; i < 64; i++) {
		memory[i] = in ? 0 : pattern(i);
		data[i] = in ? pattern(i) : 0;
	}
	guest_start(&m, in ? wide ? guest_rep_insl : guest_rep_insb :
		    wide ? guest_rep_outsl : guest_rep_outsb, start, start,
		    count);
	while (serve(&m, NULL, data, &done))
		CHECK(done <= PAGE);
	CHECK(vm_trapped(&m));
	event = vm_event(&m);
	CHECK_EQ(event.vector, PF_VECTOR);
	CHECK_EQ(event.cr2, PAGES_GVA + 2 * PAGE);
	CHECK_EQ(event.error, in ? 2 : 0);
	regs = vcpu_regs(&m);
	first = elements_before(in, wide, skew);
	CHECK_EQ(regs.rcx, count - first);
	CHECK_EQ(in ? regs.rdi : regs.rsi, start + first * (wide ? 4 : 1));
	/* An element that was read from the port for nothing is read again. */
	done = first * (wide ? 4 : 1);
	*page_entry(&m, 2) = (BUF + 2 * PAGE) | 3;
	while (serve(&m, NULL, data, &done))
		CHECK(done <= 64);
	vm_check_exit(&m, KVM_EXIT_IO, "an OUT", __FILE_NAME__, __LINE__);
	CHECK_EQ(done, 64);
	CHECK(!memcmp(memory, data, 64));
}

static void test_fault(void)
{
	unsigned int skew;

	for (skew = 0; skew < 4; skew++) {
		check_fault(true, false, skew);
		check_fault(false, false, skew);
		check_fault(true, true, skew);
		check_fault(false, true, skew);
	}
}

/* As many as there are pages; some more may be read from the port in vain. */
static void check_huge(void (*program)(void), u64 count)
{
	struct machine m = vm_make();
	static u8 data[0x4000];
	struct vm_event event;
	u64 done = 0;

	map_small_pages(&m);
	guest_start(&m, program, PAGES_GVA, PAGES_GVA, count);
	while (serve(&m, NULL, data, &done))
		CHECK(done <= 3 * PAGE);
	CHECK(vm_trapped(&m));
	event = vm_event(&m);
	CHECK_EQ(event.vector, PF_VECTOR);
	CHECK_EQ(event.cr2, PAGES_GVA + 2 * PAGE);
	CHECK_EQ(vcpu_regs(&m).rcx, count - 2 * PAGE);
}

static void test_huge_count(void)
{
	check_huge(guest_rep_outsb, 1ULL << 40);
	check_huge(guest_rep_insb, 1ULL << 40);
	check_huge(guest_rep_outsb, -1);
	check_huge(guest_rep_insb, -1);
	check_huge(guest_rep_insb, 1ULL << 32);
}

/* At any exit the VMM may leave: registers say how far it is. */
static void test_leave_string(void)
{
	static void (*const programs[])(void) = {
		guest_rep_insb, guest_rep_outsb,
	};
	unsigned int p, stop;

	for (p = 0; p < 2; p++)
		for (stop = 0; stop < 3; stop++) {
			struct machine m = vm_make();
			static u8 data[0x3000];
			u64 done = 0;
			unsigned int i;

			guest_start(&m, programs[p], BUF, BUF, 2 * PAGE + 5);
			for (i = 0; i <= stop; i++)
				CHECK(serve(&m, NULL, data, &done));
			vcpu_complete(&m);
			CHECK_EQ(vcpu_regs(&m).rcx, 2 * PAGE + 5 - done);
			CHECK_EQ(p ? vcpu_regs(&m).rsi : vcpu_regs(&m).rdi,
				 BUF + done);
			while (serve(&m, NULL, data, &done))
				;
			vm_check_exit(&m, KVM_EXIT_IO, "an OUT", __FILE_NAME__,
				      __LINE__);
			CHECK_EQ(done, 2 * PAGE + 5);
		}
}

/* ---- rights ---- */

#define USER_TSS	(VM_BUF + 0x5000)
#define USER_BITMAP	0x68

GUEST(in_31, "in $0x31, %al\n\t" GUEST_OUT)
GUEST(inl_30, "in $0x30, %eax\n\t" GUEST_OUT)
GUEST(outs_31, "mov $0x31, %edx\n\t"
	       "outsb\n\t"
	       GUEST_OUT)
GUEST(ins_31, "mov $0x31, %edx\n\t"
	      "insb\n\t"
	      GUEST_OUT)
GUEST(outsl_30, "mov $0x30, %edx\n\t"
		"outsl\n\t"
		GUEST_OUT)

/* CPL 3, a TSS with the ports of @deny forbidden below 64. */
static struct machine user_machine(u64 deny, u32 limit)
{
	struct machine m = vm_make();
	struct kvm_sregs sregs = vcpu_sregs(&m);
	u64 *pd = (u64 *)(m.tool + TOOL_PD);
	u8 *tss = (u8 *)m.tool + USER_TSS;

	*(u64 *)(m.tool + TOOL_PML4) |= 4;
	*(u64 *)(m.tool + TOOL_PDPT) |= 4;
	pd[0] |= 4;
	*(u64 *)(tss + 4) = VM_STACK0;
	*(u16 *)(tss + 102) = USER_BITMAP;
	memset(tss + USER_BITMAP, 0, 0x30);
	*(u64 *)(tss + USER_BITMAP) = deny;
	sregs.tr.base = USER_TSS;
	sregs.tr.limit = limit;
	sregs.cs.dpl = 3;
	sregs.cs.selector = SEL_USER_CODE;
	sregs.ss.dpl = 3;
	sregs.ss.selector = SEL_USER_DATA;
	sregs.ds = sregs.ss;
	sregs.es = sregs.ss;
	vcpu_set_sregs(&m, &sregs);
	return m;
}

static void check_right(void (*program)(void), u64 deny, unsigned int iopl,
			u32 limit, bool allowed)
{
	struct machine m = user_machine(deny, limit);
	struct kvm_regs regs;
	struct vm_event event;

	/* QEMU's own emulation uses the map of no TSS that is busy. */
	if (is_amd() && allowed && iopl < 3)
		return;
	guest_start(&m, program, BUF, BUF, 0);
	regs = vcpu_regs(&m);
	regs.rflags |= iopl << 12;
	vcpu_set_regs(&m, &regs);
	if (!allowed) {
		event = vm_run_to_trap(&m, GP_VECTOR);
		CHECK_EQ(event.error, 0);
		return;
	}
	vm_run_until(&m, KVM_EXIT_IO);
	CHECK_EQ(m.run->io.port & ~1, 0x30);
}

static void test_rights(void)
{
	static void (*const programs[])(void) = {
		guest_in_31, guest_inl_30, guest_outs_31, guest_ins_31,
		guest_outsl_30,
	};
	const u64 bit = 1ULL << 0x31, all = -1;
	const u32 limit = USER_BITMAP + 0x20;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(programs); i++) {
		check_right(programs[i], all, 3, limit, true);
		check_right(programs[i], all, 2, limit, false);
		check_right(programs[i], all, 0, limit, false);
		check_right(programs[i], 0, 0, limit, true);
		check_right(programs[i], bit, 0, limit, false);
		check_right(programs[i], ~(0xfULL << 0x30), 0, limit, true);
		check_right(programs[i], 1ULL << 0x34, 0, limit, true);
		/* The limit cuts the map off: before it, in it. */
		check_right(programs[i], 0, 0, 0x67, false);
		check_right(programs[i], 0, 0, USER_BITMAP + 6, false);
		check_right(programs[i], 0, 0, USER_BITMAP + 7, true);
	}
	/* Every port of a wide access. */
	check_right(guest_inl_30, 1ULL << 0x33, 0, limit, false);
	check_right(guest_outsl_30, 1ULL << 0x33, 0, limit, false);
}

static const struct tap_test tests[] = {
	{ "IN and OUT in all modes", test_single },
	{ "IN and OUT end with the next KVM_RUN", test_immediate_exit },
	{ "registers set between", test_state_between },
	{ "INS and OUTS in all modes", test_string },
	{ "INS and OUTS in a device's memory", test_device },
	{ "INS and OUTS with a page missing", test_fault },
	{ "INS and OUTS with huge counts", test_huge_count },
	{ "INS and OUTS left between", test_leave_string },
	{ "rights at CPL 3", test_rights },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
