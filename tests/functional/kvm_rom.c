// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables and descriptors of the guest in memory that it cannot write, as those
 * of firmware in flash memory are.  Where second-stage tables have accessed and dirty
 * bits, each walk of the guest's tables counts as a write, though there may be
 * nothing to write.
 */
#define _GNU_SOURCE
#include "kvm_exec.h"

#define ROM		0x8000000UL
#define ROM_GDT		(ROM + 3 * PAGE)
#define ROM_PAGES	4
#define HOLE		0x20000000UL	/* no slot is there */

/*
 * In a page: all entries of the tables that are walked for the first 2 MiB are at 0,
 * and most tests have their data elsewhere.  See test_same_offset().
 */
#define OFFSET		0x128UL

#define TABLE		0x27UL	/* accessed; user, writable, present */
#define LEAF		0xe7UL	/* and dirty, large */
#define ACCESSED	0x20UL
#define DIRTY		0x40UL

/* The first GiB one to one, as the tables in RAM have it. */
static void fill_tables(u64 *tables, u64 address)
{
	u64 i;

	tables[0] = (address + PAGE) | TABLE;
	tables[512] = (address + 2 * PAGE) | TABLE;
	for (i = 0; i < 512; i++)
		tables[1024 + i] = i << 21 | LEAF;
}

static void use_tables(const struct machine *m, u64 address)
{
	struct kvm_sregs sregs = vcpu_sregs(m);

	sregs.cr3 = address;
	vcpu_set_sregs(m, &sregs);
}

static u64 *make_rom(const struct machine *m)
{
	u64 *rom = map_memory(ROM_PAGES * PAGE);

	fill_tables(rom, ROM);
	memcpy(rom + 1536, m->tool + VM_GDT, 0x80);
	set_slot(m, 1, KVM_MEM_READONLY, ROM, rom, ROM_PAGES * PAGE);
	return rom;
}

/* With tables in the ROM. */
static struct machine rom_make(void)
{
	struct machine m = vm_make();

	make_rom(&m);
	use_tables(&m, ROM);
	return m;
}

/* ---- instructions ---- */

GUEST(load_store, "mov (%rdi), %rax\n\tmov %rax, 8(%rdi)\n\tadd 8(%rdi), %rax\n\t"
		  GUEST_OUT)
GUEST(compute, "mov $3, %ebx\n\timul $7, %ebx, %ebx\n\tshl $4, %ebx\n\t"
	       "test %ebx, %ebx\n\tjz 1f\n\tinc %ebx\n\t"
	       "1: lea 2(%rbx,%rbx), %rax\n\txor %ecx, %ecx\n\t"
	       "2: inc %ecx\n\tcmp $5, %ecx\n\tjne 2b\n\tadd %rcx, %rax\n\t" GUEST_OUT)
GUEST(stack, "mov $7, %ebx\n\tpush %rbx\n\tcall 1f\n\tpop %rcx\n\t"
	     "lea (%rbx,%rcx), %rax\n\tjmp 9f\n\t1: inc %rbx\n\tret\n\t" GUEST_OUT)
GUEST(copy, "cld\n\tmov %rdi, %rax\n\tmov $4, %ecx\n\trep movsq\n\tsub %rdi, %rax\n\t"
	    GUEST_OUT)
GUEST(sse, "movups (%rdi), %xmm0\n\tmovups %xmm0, 16(%rdi)\n\tmov 16(%rdi), %rax\n\t"
	   GUEST_OUT)

static u64 rom_call(const struct machine *m, program_t program, u64 rdi, u64 rsi)
{
	return exec_call(m, program, (struct kvm_regs){ .rdi = rdi, .rsi = rsi }).rax;
}

static void check_load_store(const struct machine *m, u64 offset)
{
	u64 *data = (u64 *)(m->tool + TOOL_DATA + offset);

	data[0] = 100;
	CHECK_EQ(rom_call(m, guest_load_store, TOOL_DATA + offset, 0), 200);
	CHECK_EQ(data[1], 100);
}

static void test_load_store(void)
{
	struct machine m = rom_make();

	check_load_store(&m, OFFSET);
}

static void test_compute(void)
{
	struct machine m = rom_make();

	CHECK_EQ(rom_call(&m, guest_compute, 0, 0), 2 * 337 + 2 + 5);
}

static void test_stack(void)
{
	struct machine m = rom_make();

	CHECK_EQ(rom_call(&m, guest_stack, 0, 0), 8 + 7);
}

static void test_string(void)
{
	struct machine m = rom_make();
	u64 *data = (u64 *)(m.tool + TOOL_DATA);

	memcpy(data + 512, "tables in memory that is read-only", 32);
	CHECK_EQ(rom_call(&m, guest_copy, TOOL_DATA, TOOL_DATA + PAGE), -32);
	CHECK(!memcmp(data, data + 512, 32));
}

static void test_sse(void)
{
	struct machine m = rom_make();
	u64 *data = (u64 *)(m.tool + TOOL_DATA + OFFSET);

	data[0] = 0x1234;
	data[1] = 0x5678;
	CHECK_EQ(rom_call(&m, guest_sse, TOOL_DATA + OFFSET, 0), 0x1234);
	CHECK_EQ(data[3], 0x5678);
}

/* ---- devices ---- */

GUEST(mmio_load, "mov (%rdi), %eax\n\t" GUEST_OUT)
GUEST(mmio_store, "mov %esi, (%rdi)\n\t" GUEST_OUT)

static void check_mmio(const struct machine *m, u64 address)
{
	guest_start(m, guest_mmio_load, address, 0, 0);
	vm_run_until(m, KVM_EXIT_MMIO);
	CHECK_EQ(m->run->mmio.phys_addr, address);
	CHECK_EQ(m->run->mmio.is_write, 0);
	CHECK_EQ(m->run->mmio.len, 4);
	memcpy(m->run->mmio.data, "\x78\x56\x34\x12", 4);
	vm_run_to_out(m);
	CHECK_EQ(vcpu_regs(m).rax, 0x12345678);
	guest_start(m, guest_mmio_store, address, 0x4321, 0);
	vm_run_until(m, KVM_EXIT_MMIO);
	CHECK_EQ(m->run->mmio.phys_addr, address);
	CHECK_EQ(m->run->mmio.is_write, 1);
	CHECK_EQ(*(u32 *)m->run->mmio.data, 0x4321);
	vm_run_to_out(m);
}

static void test_mmio(void)
{
	struct machine m = rom_make();

	check_mmio(&m, MMIO_BASE + OFFSET);
}

/* A write to the ROM itself is the VMM's, tables or not. */
static void test_write_rom(void)
{
	struct machine m = vm_make();
	u64 *rom = make_rom(&m), was = rom[1024 + 9];

	use_tables(&m, ROM);
	guest_start(&m, guest_mmio_store, ROM + 2 * PAGE + 72, 0x4321, 0);
	vm_run_until(&m, KVM_EXIT_MMIO);
	CHECK_EQ(m.run->mmio.phys_addr, ROM + 2 * PAGE + 72);
	CHECK_EQ(m.run->mmio.is_write, 1);
	vm_run_to_out(&m);
	CHECK_EQ(rom[1024 + 9], was);
}

/* ---- what is written in the tables ---- */

/* Accessed and dirty bits that are clear stay so: it is read-only. */
static void test_clear_bits(void)
{
	struct machine m = vm_make();
	u64 *rom = make_rom(&m), i, set = 0;

	rom[0] &= ~ACCESSED;
	rom[512] &= ~ACCESSED;
	for (i = 1024; i < 1536; i++)
		rom[i] &= ~(ACCESSED | DIRTY);
	use_tables(&m, ROM);
	check_load_store(&m, OFFSET);
	for (i = 0; i < 1536; i++)
		set |= rom[i];
	CHECK_EQ(set & ACCESSED, 0);
}

/* Only the last tables, or all but the last. */
static void test_some_tables(void)
{
	struct machine m = vm_make();
	u64 *rom = make_rom(&m);

	*(u64 *)(m.tool + TOOL_PDPT) = (ROM + 2 * PAGE) | TABLE;
	check_load_store(&m, OFFSET);
	rom[512] = TOOL_PD | TABLE;
	use_tables(&m, ROM);
	check_load_store(&m, OFFSET);
}

/* ---- tables that are no memory ---- */

GUEST(load, "mov (%rdi), %rax\n\t" GUEST_OUT)

/* They map nothing. */
static void check_hole(u64 address)
{
	struct machine m = vm_make();
	struct vm_event e;

	*(u64 *)(m.tool + TOOL_PDPT + 8) = HOLE | TABLE;
	guest_start(&m, guest_load, address, 0, 0);
	e = vm_run_to_trap(&m, PF_VECTOR);
	CHECK_EQ(e.cr2, address);
	CHECK_EQ(e.error, 0);
	CHECK_EQ(e.rip, guest_address(guest_load));
}

static void test_hole(void)
{
	check_hole((1UL << 30) + OFFSET);
}

/* Memory that the VMM itself cannot write, in a slot that says nothing of it. */
static void test_host_read_only(void)
{
	struct machine m = vm_make();
	u64 *tables = map_memory(3 * PAGE);

	fill_tables(tables, ROM);
	MUST(mprotect(tables, 3 * PAGE, PROT_READ));
	set_slot(&m, 1, 0, ROM, tables, 3 * PAGE);
	use_tables(&m, ROM);
	guest_start(&m, guest_load, TOOL_DATA + OFFSET, 0, 0);
	CHECK_ERRNO(vcpu_run(&m), EFAULT);
	/* The same with the flag. */
	set_slot(&m, 1, 0, ROM, tables, 0);
	set_slot(&m, 1, KVM_MEM_READONLY, ROM, tables, 3 * PAGE);
	*(u64 *)(m.tool + TOOL_DATA + OFFSET) = 100;
	CHECK_EQ(rom_call(&m, guest_load, TOOL_DATA + OFFSET, 0), 100);
}

/* ---- descriptors ---- */

GUEST(load_ds, "mov %edi, %ds\n\tmov %ds, %eax\n\t" GUEST_OUT)

static void use_gdt(const struct machine *m)
{
	struct kvm_sregs sregs = vcpu_sregs(m);

	sregs.gdt.base = ROM_GDT;
	vcpu_set_sregs(m, &sregs);
}

/* With its accessed bit set there is nothing to write in a descriptor. */
static void test_gdt(void)
{
	struct machine m = vm_make();

	make_rom(&m);
	use_gdt(&m);
	CHECK_EQ(rom_call(&m, guest_load_ds, SEL_DATA16, 0), SEL_DATA16);
	use_tables(&m, ROM);
	CHECK_EQ(rom_call(&m, guest_load_ds, SEL_DATA, 0), SEL_DATA);
}

/* ---- an operand at the offset in its page that the entry has in its own ---- */

/*
 * Where what faulted was the walk, its address says nothing of the operand.  Stock
 * KVM takes it for the operand's if the offsets agree, reads an entry of the tables
 * as data, and tells of MMIO that there is not.
 */
static void test_same_offset(void)
{
	struct machine m = rom_make();

	check_load_store(&m, 0);
	check_mmio(&m, MMIO_BASE);
}

static void test_hole_same_offset(void)
{
	check_hole(1UL << 30);
}

#define NOT_OF_STOCK	2	/* the last ones */

static const struct tap_test tests[] = {
	{ "loads and stores", test_load_store },
	{ "arithmetic and branches", test_compute },
	{ "the stack", test_stack },
	{ "strings", test_string },
	{ "SSE moves", test_sse },
	{ "MMIO", test_mmio },
	{ "a write to the tables", test_write_rom },
	{ "accessed and dirty bits that are clear", test_clear_bits },
	{ "some tables in ROM, some in RAM", test_some_tables },
	{ "tables that are no memory", test_hole },
	{ "tables that the VMM cannot write", test_host_read_only },
	{ "the GDT", test_gdt },
	{ "the same offset as that of an entry", test_same_offset },
	{ "the same offset, and tables that are no memory", test_hole_same_offset },
};

int main(int argc, char **argv)
{
	bool stock = !strcmp(kvm_device(), "/dev/kvm");

	return kvm_main(argc, argv, tests,
			ARRAY_SIZE(tests) - (stock ? NOT_OF_STOCK : 0));
}
