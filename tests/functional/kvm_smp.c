// SPDX-License-Identifier: GPL-2.0
/*
 * Two vCPUs at once: memory they share and that changes under them, vCPUs that
 * move from CPU to CPU, and state that is one vCPU's, or the VMM's, alone.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stddef.h>

#include "kvm_guest.h"

#define VCPUS		2
#define AREA_BASE	0x4000000UL
#define AREA_PAGES	64UL
#define AREA_SIZE	(AREA_PAGES * PAGE)

/* rsi rounds of what SMP kernels do with the words at rdi. */
GUEST_FUNCTION
static void guest_lock(void)
{
	__asm__ volatile("1: lock incq (%rdi)\n\t"
			 "2: mov 8(%rdi), %rax\n\t"
			 "lea 1(%rax), %rcx\n\t"
			 "lock cmpxchg %rcx, 8(%rdi)\n\t"
			 "jne 2b\n\t"
			 "mov $1, %eax\n\t"
			 "lock xadd %rax, 16(%rdi)\n\t"
			 /* A spinlock, and what it guards. */
			 "3: mov $1, %eax\n\t"
			 "xchg %eax, 24(%rdi)\n\t"
			 "test %eax, %eax\n\t"
			 "jz 4f\n\t"
			 "pause\n\t"
			 "jmp 3b\n\t"
			 "4: mov 32(%rdi), %rax\n\t"
			 "inc %rax\n\t"
			 "mov %rax, 32(%rdi)\n\t"
			 "movl $0, 24(%rdi)\n\t"
			 "dec %rsi\n\t"
			 "jnz 1b\n\t"
			 GUEST_OUT);
}

/* rdx times: wait until the word at rdi is rsi, and make it the other one. */
GUEST_FUNCTION
static void guest_ping(void)
{
	__asm__ volatile("mov %rsi, %rax\n\t"
			 "xor $1, %rax\n\t"
			 "1: cmp %rsi, (%rdi)\n\t"
			 "je 2f\n\t"
			 "pause\n\t"
			 "jmp 1b\n\t"
			 "2: mov %rax, (%rdi)\n\t"
			 "dec %rdx\n\t"
			 "jnz 1b\n\t"
			 GUEST_OUT);
}

/* rsi pages at rdi: the first word of each goes to 8(rdx) on; rounds in (rdx). */
GUEST_FUNCTION
static void guest_mirror(void)
{
	__asm__ volatile("1: xor %ecx, %ecx\n\t"
			 "mov %rdi, %rax\n\t"
			 "2: mov (%rax), %r8\n\t"
			 "mov %r8, 8(%rdx, %rcx, 8)\n\t"
			 "add $4096, %rax\n\t"
			 "inc %rcx\n\t"
			 "cmp %rsi, %rcx\n\t"
			 "jne 2b\n\t"
			 "incq (%rdx)\n\t"
			 "jmp 1b");
}

/* rsi pages at rdi: count in a word of each; rounds in (rdx). */
GUEST_FUNCTION
static void guest_sweep(void)
{
	__asm__ volatile("1: mov %rdi, %rax\n\t"
			 "mov %rsi, %rcx\n\t"
			 "2: incq (%rax)\n\t"
			 "add $4096, %rax\n\t"
			 "dec %rcx\n\t"
			 "jnz 2b\n\t"
			 "incq (%rdx)\n\t"
			 "jmp 1b");
}

/* ---- the vCPUs ---- */

struct smp {
	struct machine m[VCPUS];
	struct runner r[VCPUS];
};

static void smp_make(struct smp *s)
{
	s->m[0] = machine_make();
	s->m[1] = machine_sibling(&s->m[0], 1);
}

static unsigned int cpus(void)
{
	return MUST(sysconf(_SC_NPROCESSORS_ONLN));
}

static void pin_thread(pthread_t thread, unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu % cpus(), &set);
	CHECK_EQ(pthread_setaffinity_np(thread, sizeof(set), &set), 0);
}

/* Each on a CPU of its own, if there are two. */
static void smp_start(struct smp *s)
{
	unsigned int i;

	for (i = 0; i < VCPUS; i++) {
		runner_start(&s->r[i], &s->m[i]);
		pin_thread(s->r[i].thread, i);
	}
}

static void smp_stop(struct smp *s)
{
	unsigned int i;

	for (i = 0; i < VCPUS; i++)
		runner_stop(&s->r[i]);
	for (i = 0; i < VCPUS; i++)
		runner_check(&s->r[i]);
}

static u64 *words_at(const struct smp *s, unsigned long address)
{
	return (u64 *)(s->m[0].tool + address);
}

/* ---- sharing memory ---- */

#define LOCK_ROUNDS	20000UL

static void test_lock(void)
{
	volatile u64 *words;
	struct smp s;
	unsigned int i;

	smp_make(&s);
	words = words_at(&s, TOOL_DATA);
	for (i = 0; i < VCPUS; i++)
		guest_start(&s.m[i], guest_lock, TOOL_DATA, LOCK_ROUNDS, 0);
	smp_start(&s);
	for (i = 0; i < VCPUS; i++)
		CHECK_RUNNER_SOON(&s.r[i], READ_ONCE(s.r[i].io));
	smp_stop(&s);
	CHECK_EQ(words[0], VCPUS * LOCK_ROUNDS);
	CHECK_EQ(words[1], VCPUS * LOCK_ROUNDS);
	CHECK_EQ(words[2], VCPUS * LOCK_ROUNDS);
	CHECK_EQ(words[4], VCPUS * LOCK_ROUNDS);
}

static void test_ping(void)
{
	unsigned long rounds = cpus() > 1 ? 1000 : 50;
	volatile u64 *word;
	struct smp s;
	unsigned int i;

	smp_make(&s);
	word = words_at(&s, TOOL_DATA);
	for (i = 0; i < VCPUS; i++)
		guest_start(&s.m[i], guest_ping, TOOL_DATA, i, rounds);
	smp_start(&s);
	for (i = 0; i < VCPUS; i++)
		CHECK_RUNNER_SOON(&s.r[i], READ_ONCE(s.r[i].io));
	smp_stop(&s);
	CHECK_EQ(*word, 0);
}

/* ---- memory that changes under both ---- */

/* Give the guest other memory in place of @mem, and return it. */
static char *change_madvise(struct smp *s, char *mem)
{
	(void)s;
	MUST(madvise(mem, AREA_SIZE, MADV_DONTNEED));
	return mem;
}

static char *change_mmap(struct smp *s, char *mem)
{
	(void)s;
	MUST(mmap(mem, AREA_SIZE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	return mem;
}

static char *change_mremap(struct smp *s, char *mem)
{
	char *fresh = map_memory(AREA_SIZE);

	(void)s;
	*fresh = 1;
	MUST(mremap(fresh, AREA_SIZE, AREA_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
		    mem));
	return mem;
}

static char *change_slot(struct smp *s, char *mem)
{
	char *fresh = map_memory(AREA_SIZE);

	set_slot(&s->m[0], 1, 0, AREA_BASE, mem, 0);
	memset(mem, 0xee, AREA_SIZE);
	set_slot(&s->m[0], 1, 0, AREA_BASE, fresh, AREA_SIZE);
	MUST(munmap(mem, AREA_SIZE));
	return fresh;
}

static void wait_for_rounds(struct smp *s, volatile u64 **rounds, u64 more)
{
	u64 before[VCPUS];
	unsigned int i;

	for (i = 0; i < VCPUS; i++)
		before[i] = *rounds[i];
	for (i = 0; i < VCPUS; i++)
		CHECK_RUNNER_SOON(&s->r[i], *rounds[i] >= before[i] + more);
}

/*
 * After a change both vCPUs see the new memory: one that still had the old
 * translation of any page would go on reading what is not there any more.
 */
static void check_change(char *(*change)(struct smp *s, char *mem))
{
	volatile u64 *mirror[VCPUS];
	char *mem = map_memory(AREA_SIZE);
	struct smp s;
	unsigned int i, page;
	u64 n;

	smp_make(&s);
	set_slot(&s.m[0], 1, 0, AREA_BASE, mem, AREA_SIZE);
	for (i = 0; i < VCPUS; i++) {
		mirror[i] = words_at(&s, TOOL_DATA + i * PAGE);
		guest_start(&s.m[i], guest_mirror, AREA_BASE, AREA_PAGES,
			    TOOL_DATA + i * PAGE);
	}
	smp_start(&s);
	for (n = 1; n <= 20; n++) {
		mem = change(&s, mem);
		for (page = 0; page < AREA_PAGES; page++)
			*(u64 *)(mem + page * PAGE) = n << 32 | page;
		wait_for_rounds(&s, mirror, 2);
		for (i = 0; i < VCPUS; i++)
			for (page = 0; page < AREA_PAGES; page++)
				CHECK_EQ(mirror[i][1 + page], n << 32 | page);
	}
	smp_stop(&s);
}

static void test_madvise(void)
{
	check_change(change_madvise);
}

static void test_mmap(void)
{
	check_change(change_mmap);
}

static void test_mremap(void)
{
	check_change(change_mremap);
}

static void test_slot(void)
{
	check_change(change_slot);
}

/* Copies the pages that the log names, as a migration does. */
static void copy_dirty(struct smp *s, const char *mem, char *copy)
{
	u64 bitmap[AREA_PAGES / 64] = { 0 };
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bitmap };
	unsigned int page;

	MUST(ioctl(s->m[0].vm, KVM_GET_DIRTY_LOG, &log));
	for (page = 0; page < AREA_PAGES; page++)
		if (bitmap[page / 64] >> page % 64 & 1)
			memcpy(copy + page * PAGE, mem + page * PAGE, PAGE);
}

static void test_dirty(void)
{
	char *mem = map_memory(AREA_SIZE), *copy = map_memory(AREA_SIZE);
	volatile u64 *rounds[VCPUS];
	struct smp s;
	unsigned int i, n;

	smp_make(&s);
	set_slot(&s.m[0], 1, KVM_MEM_LOG_DIRTY_PAGES, AREA_BASE, mem, AREA_SIZE);
	for (i = 0; i < VCPUS; i++) {
		rounds[i] = words_at(&s, TOOL_DATA + i * PAGE);
		guest_start(&s.m[i], guest_sweep, AREA_BASE + i * 8, AREA_PAGES,
			    TOOL_DATA + i * PAGE);
	}
	smp_start(&s);
	for (n = 0; n < 20; n++) {
		wait_for_rounds(&s, rounds, 2);
		copy_dirty(&s, mem, copy);
	}
	smp_stop(&s);
	copy_dirty(&s, mem, copy);
	CHECK(!memcmp(mem, copy, AREA_SIZE));
}

/* ---- state that is one vCPU's ---- */

#define YMMS		15	/* one is needed to compare */
#define MSRS		7

/**
 * struct state - of a vCPU; offsets are in guest_state()
 * @ymm:	registers 0 to 14
 * @pad:	which way SYSCALL goes
 * @ac:		RFLAGS.AC after SYSCALL (of DF, QEMU's forgets the mask)
 * @aux:	of RDTSCP
 * @msr:	index and value, up to an index of 0
 * @rounds:	how often all was there
 */
struct state {
	u8 ymm[YMMS][32];
	u32 mxcsr;
	u32 fcw;
	u64 dr[4];
	u64 cr2;
	u64 fs, gs, kernel_gs;
	u64 pad;
	u64 ac;
	u64 aux;
	struct {
		u64 index, value;
	} msr[MSRS + 1];
	u64 rounds;
	u64 stop;
};

_Static_assert(offsetof(struct state, mxcsr) == 480, "");
_Static_assert(offsetof(struct state, dr) == 488, "");
_Static_assert(offsetof(struct state, cr2) == 520, "");
_Static_assert(offsetof(struct state, pad) == 552, "");
_Static_assert(offsetof(struct state, msr) == 576, "");
_Static_assert(offsetof(struct state, rounds) == 704, "");

#define CHECK_REG(code, how, offset)					\
	"mov $" #code ", %ebx\n\t" how "\n\t"				\
	"cmp %rax, " #offset "(%rdi)\n\t"				\
	"jne 8f\n\t"

/* rdi: struct state; HLT with a number in rbx tells what is not as it was. */
GUEST_FUNCTION
static void guest_state(void)
{
	__asm__ volatile("lea 4088(%rdi), %rsp\n\t"
			 ".irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14\n\t"
			 "vmovups \\i*32(%rdi), %ymm\\i\n\t"
			 ".endr\n\t"
			 "ldmxcsr 480(%rdi)\n\t"
			 "fninit\n\t"
			 "fldcw 484(%rdi)\n\t"
			 ".irp i, 0,1,2,3\n\t"
			 "mov 488+8*\\i(%rdi), %rax\n\t"
			 "mov %rax, %dr\\i\n\t"
			 ".endr\n\t"
			 "mov 520(%rdi), %rax\n\t"
			 "mov %rax, %cr2\n\t"
			 "lea 576(%rdi), %r8\n\t"
			 "1: mov (%r8), %rcx\n\t"
			 "test %rcx, %rcx\n\t"
			 "jz 2f\n\t"
			 "mov 8(%r8), %eax\n\t"
			 "mov 12(%r8), %edx\n\t"
			 "wrmsr\n\t"
			 "add $16, %r8\n\t"
			 "jmp 1b\n\t"
			 /* Again and again: all of it is there. */
			 "2: mov $1, %ebx\n\t"
			 ".irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14\n\t"
			 "vxorps \\i*32(%rdi), %ymm\\i, %ymm15\n\t"
			 "vptest %ymm15, %ymm15\n\t"
			 "jnz 8f\n\t"
			 ".endr\n\t"
			 "mov $2, %ebx\n\t"
			 "stmxcsr -8(%rsp)\n\t"
			 "mov -8(%rsp), %eax\n\t"
			 "cmp %eax, 480(%rdi)\n\t"
			 "jne 8f\n\t"
			 "mov $3, %ebx\n\t"
			 "fnstcw -8(%rsp)\n\t"
			 "mov -8(%rsp), %ax\n\t"
			 "cmp %ax, 484(%rdi)\n\t"
			 "jne 8f\n\t"
			 CHECK_REG(4, "mov %dr0, %rax", 488)
			 CHECK_REG(5, "mov %dr1, %rax", 496)
			 CHECK_REG(6, "mov %dr2, %rax", 504)
			 CHECK_REG(7, "mov %dr3, %rax", 512)
			 CHECK_REG(8, "mov %cr2, %rax", 520)
			 CHECK_REG(9, "rdfsbase %rax", 528)
			 CHECK_REG(10, "rdgsbase %rax", 536)
			 CHECK_REG(11, "swapgs; rdgsbase %rax; swapgs", 544)
			 CHECK_REG(12, "pushfq; orl $0x40000, (%rsp); popfq; syscall",
				   552)
			 CHECK_REG(13, "pushfq; pop %rax; and $0x40000, %eax", 560)
			 CHECK_REG(14, "rdtscp; mov %rcx, %rax", 568)
			 "mov $15, %ebx\n\t"
			 "lea 576(%rdi), %r8\n\t"
			 "3: mov (%r8), %rcx\n\t"
			 "test %rcx, %rcx\n\t"
			 "jz 4f\n\t"
			 "rdmsr\n\t"
			 "shl $32, %rdx\n\t"
			 "or %rdx, %rax\n\t"
			 "cmp %rax, 8(%r8)\n\t"
			 "jne 8f\n\t"
			 "add $16, %r8\n\t"
			 "jmp 3b\n\t"
			 "4: incq 704(%rdi)\n\t"
			 "cmpb $0, 712(%rdi)\n\t"
			 "je 2b\n\t"
			 GUEST_OUT "\n\t"
			 "8: hlt\n\t"
			 /* Where SYSCALL leads to. */
			 ".globl state_pad0, state_pad1\n\t"
			 "state_pad0: xor %eax, %eax\n\t"
			 "jmp *%rcx\n\t"
			 "state_pad1: mov $1, %eax\n\t"
			 "jmp *%rcx");
}

extern const char state_pad0[], state_pad1[];

#define CR4_FSGSBASE	0x10000
#define CR4_OSXSAVE	0x40000

static bool cpu_has(struct cpuid_list *list, u32 leaf, u32 ecx, u32 ebx, u32 edx)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(list, leaf, 0);

	return e && (e->ecx & ecx) == ecx && (e->ebx & ebx) == ebx &&
	       (e->edx & edx) == edx;
}

/* XSAVE and AVX, FSGSBASE, RDTSCP. */
static void need_features(int kvm)
{
	struct cpuid_list list;

	cpuid_get_supported(kvm, &list);
	if (!cpu_has(&list, 1, 1 << 26 | 1 << 28, 0, 0) ||
	    !cpu_has(&list, 7, 0, 1, 0) ||
	    !cpu_has(&list, 0x80000001, 0, 0, 1 << 27))
		tap_skip("no AVX, FSGSBASE or RDTSCP for guests");
}

static void state_prepare_vcpu(const struct machine *m)
{
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs[0].value = 7 };
	struct kvm_sregs sregs;

	MUST(ioctl(m->vcpu, KVM_GET_SREGS, &sregs));
	sregs.cr4 |= CR4_FSGSBASE | CR4_OSXSAVE;
	sregs.efer |= 1;	/* SCE */
	MUST(ioctl(m->vcpu, KVM_SET_SREGS, &sregs));
	MUST(ioctl(m->vcpu, KVM_SET_XCRS, &xcrs));
}

/* Values of vCPU @id: nothing is the same as in another one. */
static void state_fill(struct state *s, unsigned int id)
{
	u64 pad = TOOL_CODE + ((id ? state_pad1 : state_pad0) -
			       __start_guest_code);
	unsigned int i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < sizeof(s->ymm); i++)
		s->ymm[i / 32][i % 32] = i * 7 + id + 1;
	s->mxcsr = id ? 0x5f80 : 0x3f80;	/* rounding up, down */
	s->fcw = id ? 0xb7f : 0x77f;
	for (i = 0; i < 4; i++)
		s->dr[i] = 0x1000 * i + 0x10 * id + 8;
	s->cr2 = 0xc000 + id;
	s->fs = 0x100000 + id;
	s->gs = 0x200000 + id;
	s->kernel_gs = 0x300000 + id;
	s->pad = id;
	s->ac = id ? 0x40000 : 0;
	s->aux = 0x55 + id;
	s->msr[0].index = 0xc0000081;		/* STAR */
	s->msr[0].value = (8ULL + id * 16) << 32;
	s->msr[1].index = 0xc0000082;		/* LSTAR */
	s->msr[1].value = pad;
	s->msr[2].index = 0xc0000084;		/* FMASK */
	s->msr[2].value = id ? 0x100 : 0x40100;
	s->msr[3].index = 0xc0000103;		/* TSC_AUX */
	s->msr[3].value = s->aux;
	for (i = 0; i < 3; i++) {
		s->msr[4 + i].index = 0xc0000100 + i;
		s->msr[4 + i].value = (&s->fs)[i];
	}
}

static void state_check(const struct runner *r)
{
	if (READ_ONCE(r->reason) == KVM_EXIT_HLT)
		tap_fail("expected the vCPU's state to stay, got a change of item %llu",
			 (unsigned long long)vcpu_regs(&r->m).rbx);
	runner_check(r);
}

static void state_wait(struct smp *s, volatile struct state **state)
{
	u64 before[VCPUS];
	unsigned int i;

	for (i = 0; i < VCPUS; i++)
		before[i] = state[i]->rounds;
	for (i = 0; i < VCPUS; i++)
		CHECK_SOON((state_check(&s->r[i]),
			    state[i]->rounds > before[i] + 1));
}

static void state_check_from_outside(const struct machine *m,
				     volatile struct state *s)
{
	struct kvm_debugregs debug;
	struct kvm_sregs sregs;
	struct kvm_fpu fpu;
	unsigned int i;

	MUST(ioctl(m->vcpu, KVM_GET_DEBUGREGS, &debug));
	MUST(ioctl(m->vcpu, KVM_GET_SREGS, &sregs));
	MUST(ioctl(m->vcpu, KVM_GET_FPU, &fpu));
	for (i = 0; i < 4; i++)
		CHECK_EQ(debug.db[i], s->dr[i]);
	CHECK_EQ(sregs.cr2, s->cr2);
	CHECK_EQ(sregs.fs.base, s->fs);
	CHECK_EQ(sregs.gs.base, s->gs);
	CHECK_EQ(fpu.fcw, s->fcw);
	for (i = 0; i < YMMS; i++)
		CHECK(!memcmp(fpu.xmm[i], (void *)s->ymm[i], 16));
}

/* Where the vCPUs run in step @n. */
typedef unsigned int (*placement)(unsigned int n, unsigned int vcpu);

static void check_state(placement place)
{
	volatile struct state *state[VCPUS];
	struct smp s;
	unsigned int i, n;

	smp_make(&s);
	need_features(s.m[0].kvm);
	for (i = 0; i < VCPUS; i++) {
		state[i] = (void *)words_at(&s, TOOL_DATA + i * PAGE);
		state_fill((struct state *)state[i], i);
		state_prepare_vcpu(&s.m[i]);
		guest_start(&s.m[i], guest_state, TOOL_DATA + i * PAGE, 0, 0);
	}
	smp_start(&s);
	for (n = 0; n < 20; n++) {
		for (i = 0; i < VCPUS; i++)
			pin_thread(s.r[i].thread, place(n, i));
		state_wait(&s, state);
	}
	for (i = 0; i < VCPUS; i++) {
		state[i]->stop = 1;
		CHECK_SOON((state_check(&s.r[i]), READ_ONCE(s.r[i].io)));
	}
	smp_stop(&s);
	for (i = 0; i < VCPUS; i++)
		state_check_from_outside(&s.m[i], state[i]);
}

static unsigned int place_together(unsigned int n, unsigned int vcpu)
{
	(void)vcpu;
	return n / 10;
}

static unsigned int place_apart(unsigned int n, unsigned int vcpu)
{
	return n / 10 + vcpu;
}

/* All four ways to be on two CPUs, one after the other. */
static unsigned int place_moving(unsigned int n, unsigned int vcpu)
{
	return vcpu ? n / 2 : n;
}

static void test_state_together(void)
{
	check_state(place_together);
}

static void test_state_apart(void)
{
	if (cpus() < 2)
		tap_skip("one CPU");
	check_state(place_apart);
}

static void test_state_moving(void)
{
	if (cpus() < 2)
		tap_skip("one CPU");
	check_state(place_moving);
}

static const struct tap_test tests[] = {
	{ "locked instructions and a spinlock", test_lock },
	{ "vCPUs answer each other", test_ping },
	{ "other memory: madvise", test_madvise },
	{ "other memory: mmap", test_mmap },
	{ "other memory: mremap", test_mremap },
	{ "other memory: another slot", test_slot },
	{ "dirty log of two writers", test_dirty },
	{ "registers and MSRs: both on one CPU", test_state_together },
	{ "registers and MSRs: each on its CPU", test_state_apart },
	{ "registers and MSRs: moving about", test_state_moving },
};

int main(int argc, char **argv)
{
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
