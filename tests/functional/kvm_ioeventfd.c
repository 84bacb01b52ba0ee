// SPDX-License-Identifier: GPL-2.0
/*
 * ioeventfd in execution: which writes of the guest count in the eventfd and do
 * not exit, and that all others do exit and do not count.
 */
#define _GNU_SOURCE
#include <sys/eventfd.h>

#include "kvm_vm.h"

#define ADDRESS		(MMIO_BASE + 0x10)
#define IO_PORT		0x540
#define VALUE		0x1122334455667788ULL

/* rsi to (rdi), by size; the same to a port */
GUEST(mmio1, "mov %sil, (%rdi)\n\t" GUEST_OUT)
GUEST(mmio2, "mov %si, (%rdi)\n\t" GUEST_OUT)
GUEST(mmio4, "mov %esi, (%rdi)\n\t" GUEST_OUT)
GUEST(mmio8, "mov %rsi, (%rdi)\n\t" GUEST_OUT)
GUEST(pio1, "mov %edi, %edx\n\t"
	    "mov %esi, %eax\n\t"
	    "out %al, (%dx)\n\t"
	    GUEST_OUT)
GUEST(pio2, "mov %edi, %edx\n\t"
	    "mov %esi, %eax\n\t"
	    "out %ax, (%dx)\n\t"
	    GUEST_OUT)
GUEST(pio4, "mov %edi, %edx\n\t"
	    "mov %esi, %eax\n\t"
	    "out %eax, (%dx)\n\t"
	    GUEST_OUT)

/* rsi times */
GUEST(mmio_loop, "1: movl $1, (%rdi)\n\t"
		 "dec %rsi\n\t"
		 "jnz 1b\n\t"
		 GUEST_OUT)
GUEST(pio_loop, "mov %edi, %edx\n\t"
		"1: out %ax, (%dx)\n\t"
		"dec %rsi\n\t"
		"jnz 1b\n\t"
		GUEST_OUT)
/* rdx bytes at rsi */
GUEST(outs, "mov %rdx, %rcx\n\t"
	    "mov %edi, %edx\n\t"
	    "rep outsb\n\t"
	    GUEST_OUT)
/* rdx bytes from rsi */
GUEST(movs, "mov %rdx, %rcx\n\t"
	    "1: movsb\n\t"
	    "dec %rdi\n\t"
	    "dec %rcx\n\t"
	    "jnz 1b\n\t"
	    GUEST_OUT)

struct store {
	unsigned int size;
	bool pio;
	void (*program)(void);
};

static const struct store stores[] = {
	{ 1, false, guest_mmio1 }, { 2, false, guest_mmio2 },
	{ 4, false, guest_mmio4 }, { 8, false, guest_mmio8 },
	{ 1, true, guest_pio1 }, { 2, true, guest_pio2 },
	{ 4, true, guest_pio4 },
};

static void set_ioeventfd(const struct machine *m, bool pio, u32 len,
			  bool match, u64 data, u32 flags, int fd)
{
	struct kvm_ioeventfd args = {
		.addr = pio ? IO_PORT : ADDRESS, .len = len, .fd = fd,
		.datamatch = data,
		.flags = flags | (pio ? KVM_IOEVENTFD_FLAG_PIO : 0) |
			 (match ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0),
	};

	MUST(ioctl(m->vm, KVM_IOEVENTFD, &args));
}

static u64 take_count(int fd)
{
	u64 count;

	if (read(fd, &count, sizeof(count)) == sizeof(count))
		return count;
	CHECK_EQ(errno, EAGAIN);
	return 0;
}

static u64 low_bytes(u64 value, unsigned int size)
{
	return size == 8 ? value : value & ((1ULL << 8 * size) - 1);
}

/* One store: it counts, or it exits. */
static void check_store(const struct machine *m, const struct store *s, int fd,
			u64 address, u64 value, bool counts)
{
	guest_start(m, s->program, address, value, 0);
	if (!counts) {
		vm_run_until(m, s->pio ? KVM_EXIT_IO : KVM_EXIT_MMIO);
		if (s->pio)
			CHECK_EQ(m->run->io.port, address);
		else
			CHECK_EQ(m->run->mmio.phys_addr, address);
	}
	vm_run_to_out(m);
	if (take_count(fd) != counts)
		tap_fail("%s of %u bytes, value %llx: expected the eventfd to count %d",
			 s->pio ? "OUT" : "MOV", s->size,
			 (unsigned long long)value, counts);
}

static void check_length(const struct machine *m, const struct store *s,
			 unsigned int len, bool match, int fd)
{
	u64 base = s->pio ? IO_PORT : ADDRESS;
	u64 data = low_bytes(VALUE, len);
	bool size_fits = !len || len == s->size;

	set_ioeventfd(m, s->pio, len, match, data, 0, fd);
	check_store(m, s, fd, base, VALUE, size_fits);
	check_store(m, s, fd, base, VALUE ^ 1, size_fits && !match);
	check_store(m, s, fd, base + 1, VALUE, false);
	check_store(m, s, fd, base - 1, VALUE, false);
	set_ioeventfd(m, s->pio, len, match, data,
		      KVM_IOEVENTFD_FLAG_DEASSIGN, fd);
	check_store(m, s, fd, base, VALUE, false);
}

static void test_lengths(void)
{
	int fd = MUST(eventfd(0, EFD_NONBLOCK));
	struct machine m = vm_make();
	unsigned int i, len;

	for (i = 0; i < ARRAY_SIZE(stores); i++)
		for (len = 1; len <= (stores[i].pio ? 4 : 8); len *= 2) {
			check_length(&m, &stores[i], len, false, fd);
			check_length(&m, &stores[i], len, true, fd);
		}
}

static void test_any_length(void)
{
	int fd = MUST(eventfd(0, EFD_NONBLOCK));
	struct machine m = vm_make();
	unsigned int i;

	if (!MUST(ioctl(m.kvm, KVM_CHECK_EXTENSION, KVM_CAP_IOEVENTFD_ANY_LENGTH)))
		tap_skip("no IOEVENTFD_ANY_LENGTH");
	for (i = 0; i < ARRAY_SIZE(stores); i++)
		check_length(&m, &stores[i], 0, false, fd);
}

/* Of several at one address, the one whose value is written. */
static void test_values(void)
{
	struct machine m = vm_make();
	int fd[4];
	u64 i, n;

	for (i = 0; i < ARRAY_SIZE(fd); i++) {
		fd[i] = MUST(eventfd(0, EFD_NONBLOCK));
		set_ioeventfd(&m, false, 4, true, i, 0, fd[i]);
	}
	for (i = 0; i < ARRAY_SIZE(fd); i++) {
		vm_call(&m, guest_mmio4, ADDRESS, i, 0);
		for (n = 0; n < ARRAY_SIZE(fd); n++)
			CHECK_EQ(take_count(fd[n]), n == i);
	}
	guest_start(&m, guest_mmio4, ADDRESS, ARRAY_SIZE(fd), 0);
	vm_run_until(&m, KVM_EXIT_MMIO);
}

static void test_count(void)
{
	int fd = MUST(eventfd(0, EFD_NONBLOCK));
	struct machine m = vm_make();

	set_ioeventfd(&m, false, 4, false, 0, 0, fd);
	set_ioeventfd(&m, true, 2, false, 0, 0, fd);
	vm_call(&m, guest_mmio_loop, ADDRESS, 1000, 0);
	CHECK_EQ(take_count(fd), 1000);
	vm_call(&m, guest_pio_loop, IO_PORT, 1000, 0);
	CHECK_EQ(take_count(fd), 1000);
}

/* A read is no write. */
GUEST(read, "mov (%rdi), %eax\n\t"
	    "mov $0x540, %edx\n\t"
	    "in (%dx), %eax\n\t"
	    GUEST_OUT)

static void test_reads(void)
{
	int fd = MUST(eventfd(0, EFD_NONBLOCK));
	struct machine m = vm_make();

	set_ioeventfd(&m, false, 4, false, 0, 0, fd);
	set_ioeventfd(&m, true, 4, false, 0, 0, fd);
	guest_start(&m, guest_read, ADDRESS, 0, 0);
	vm_run_until(&m, KVM_EXIT_MMIO);
	CHECK_EQ(m.run->mmio.is_write, 0);
	vm_run_until(&m, KVM_EXIT_IO);
	CHECK_EQ(m.run->io.direction, KVM_EXIT_IO_IN);
	vm_run_to_out(&m);
	CHECK_EQ(take_count(fd), 0);
}

/* String instructions: element by element, every third is taken. */
static void test_strings(void)
{
	int fd = MUST(eventfd(0, EFD_NONBLOCK));
	struct machine m = vm_make();
	unsigned int i, next = 0;

	set_ioeventfd(&m, false, 1, true, 0, 0, fd);
	set_ioeventfd(&m, true, 1, true, 0, 0, fd);
	for (i = 0; i < 30; i++)
		m.tool[VM_BUF + i] = i % 3;
	guest_start(&m, guest_outs, IO_PORT, VM_BUF, 30);
	for (;;) {
		u8 *data;

		vm_run_until(&m, KVM_EXIT_IO);
		data = vcpu_io_data(&m);
		if (m.run->io.port == PORT)
			break;
		for (i = 0; i < m.run->io.count; i++, next++) {
			next += next % 3 == 0;
			CHECK_EQ(data[i], next % 3);
		}
	}
	CHECK_EQ(next, 30);
	CHECK_EQ(take_count(fd), 10);
	guest_start(&m, guest_movs, ADDRESS, VM_BUF, 30);
	for (i = 0; i < 20; i++) {
		vm_run_until(&m, KVM_EXIT_MMIO);
		CHECK_EQ(m.run->mmio.data[0], i % 2 + 1);
	}
	vm_run_to_out(&m);
	CHECK_EQ(take_count(fd), 10);
}

static const struct tap_test tests[] = {
	{ "lengths and values", test_lengths },
	{ "any length", test_any_length },
	{ "several values at an address", test_values },
	{ "every write counts", test_count },
	{ "reads do not", test_reads },
	{ "string instructions", test_strings },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
