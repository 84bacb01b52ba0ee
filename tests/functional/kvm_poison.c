// SPDX-License-Identifier: GPL-2.0
/*
 * Memory of the VMM that is broken: the guest's access ends as the VMM's own
 * would, by a SIGBUS that tells the address, and KVM_RUN with EINTR.  The page is
 * lost for the machine until it boots again.
 */
#define _GNU_SOURCE
#include "kvm_exec.h"

#define AREA	0x8000000UL
#define PAGES	4

GUEST(load, "mov (%rdi), %rax\n\t" GUEST_OUT)
GUEST(store, "mov %rsi, (%rdi)\n\t" GUEST_OUT)
/* To where the code is at the same offset. */
GUEST(jump, "jmp *%rdi\n\t")

static siginfo_t bus;
static int buses;

static void on_bus(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	bus = *info;
	buses++;
}

/* Page 1 of the area is broken, and the process knows it. */
static char *broken_area(const struct machine *m)
{
	struct sigaction action = {
		.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO,
	};
	char *area = map_memory(PAGES * PAGE);

	MUST(madvise(area, PAGES * PAGE, MADV_NOHUGEPAGE));
	memset(area, 0x90, PAGES * PAGE);	/* NOP */
	set_slot(m, 1, 0, AREA, area, PAGES * PAGE);
	/* The guest had it before. */
	vm_call(m, guest_load, AREA + PAGE, 0, 0);
	MUST(sigaction(SIGBUS, &action, NULL));
	MUST(madvise(area + PAGE, PAGE, MADV_HWPOISON));
	buses = 0;
	return area;
}

static void check_bus(const struct machine *m, const char *address)
{
	CHECK_ERRNO(vcpu_run(m), EINTR);
	CHECK_EQ(m->run->exit_reason, KVM_EXIT_INTR);
	CHECK_EQ(buses, 1);
	CHECK_EQ(bus.si_code, BUS_MCEERR_AR);
	CHECK_EQ((u64)bus.si_addr, (u64)address);
	CHECK_EQ(bus.si_addr_lsb, 12);
	buses = 0;
}

static void test_access(program_t program)
{
	struct machine m = vm_make();
	char *area = broken_area(&m);

	/* Somewhere in the page: what is told is its beginning. */
	guest_start(&m, program, AREA + PAGE + 0x128, 0x1234, 0);
	check_bus(&m, area + PAGE);
	/* And again, as long as nobody mends it. */
	check_bus(&m, area + PAGE);
	CHECK_EQ(vcpu_regs(&m).rip, guest_address(program));
}

static void test_load(void)
{
	test_access(guest_load);
}

static void test_store(void)
{
	test_access(guest_store);
}

static void test_fetch(void)
{
	struct machine m = vm_make();
	char *area = broken_area(&m);

	guest_start(&m, guest_jump, AREA + PAGE, 0, 0);
	check_bus(&m, area + PAGE);
	CHECK_EQ(vcpu_regs(&m).rip, AREA + PAGE);
}

/* The other pages are as they were, and the guest goes on with a new one. */
static void test_mended(void)
{
	struct machine m = vm_make();
	char *area = broken_area(&m);

	vm_call(&m, guest_load, AREA + 2 * PAGE, 0, 0);
	CHECK_EQ(vcpu_regs(&m).rax, 0x9090909090909090);
	guest_start(&m, guest_load, AREA + PAGE, 0, 0);
	check_bus(&m, area + PAGE);
	MUST(mmap(area + PAGE, PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	vm_run_to_out(&m);
	CHECK_EQ(vcpu_regs(&m).rax, 0);
	CHECK_EQ(buses, 0);
}

static const struct tap_test tests[] = {
	{ "a load", test_load },
	{ "a store", test_store },
	{ "an instruction", test_fetch },
	{ "other pages, and a new one", test_mended },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
