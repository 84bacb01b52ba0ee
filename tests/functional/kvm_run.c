// SPDX-License-Identifier: GPL-2.0
/*
 * KVM_RUN and who may call it: leaving at once, signals and their masks,
 * several threads, other processes, guests that do not want to leave.
 */
#define _GNU_SOURCE
#include <sched.h>

#include "kvm_guest.h"

#define SIGNALS		200

/* rdi: a word that counts; (rsi): not 0 ends it; rax and xmm0 count too. */
GUEST_FUNCTION
static void guest_tally(void)
{
	__asm__ volatile("xor %eax, %eax\n\t"
			 "mov $1, %ecx\n\t"
			 "pxor %xmm0, %xmm0\n\t"
			 "movq %rcx, %xmm1\n\t"
			 "1: inc %rax\n\t"
			 "incq (%rdi)\n\t"
			 "paddq %xmm1, %xmm0\n\t"
			 "cmpb $0, (%rsi)\n\t"
			 "je 1b\n\t"
			 "movq %xmm0, %rcx\n\t"
			 GUEST_OUT);
}

/* rdi: a word that counts; (rsi): not 0 ends it; CPUID exits in each round. */
GUEST_FUNCTION
static void guest_tally_exits(void)
{
	__asm__ volatile("xor %r8d, %r8d\n\t"
			 "1: inc %r8\n\t"
			 "incq (%rdi)\n\t"
			 "xor %eax, %eax\n\t"
			 "cpuid\n\t"
			 "cmpb $0, (%rsi)\n\t"
			 "je 1b\n\t"
			 "mov %r8, %rax\n\t"
			 "mov %r8, %rcx\n\t"
			 GUEST_OUT);
}

/* rdi: a word that counts the pages filled at rdx; (rsi): not 0 ends it. */
GUEST_FUNCTION
static void guest_fill(void)
{
	__asm__ volatile("xor %r8d, %r8d\n\t"
			 "mov %rdi, %r9\n\t"
			 "1: inc %r8\n\t"
			 "mov %rdx, %rdi\n\t"
			 "mov $4096, %ecx\n\t"
			 "mov %r8d, %eax\n\t"
			 "rep stosb\n\t"
			 "sub %rdx, %rdi\n\t"
			 "cmp $4096, %rdi\n\t"
			 "jne 2f\n\t"
			 "incq (%r9)\n\t"
			 "cmpb $0, (%rsi)\n\t"
			 "je 1b\n\t"
			 "2: mov %r8, %rax\n\t"
			 "mov %r8, %rcx\n\t"
			 GUEST_OUT);
}

/* A byte from the port into each of rsi bytes at rdi, and count them in rax. */
GUEST_FUNCTION
static void guest_in(void)
{
	__asm__ volatile("xor %ecx, %ecx\n\t"
			 "1: in $0x11, %al\n\t"
			 "mov %al, (%rdi, %rcx)\n\t"
			 "inc %rcx\n\t"
			 "cmp %rsi, %rcx\n\t"
			 "jne 1b\n\t"
			 "2: hlt\n\t"
			 "jmp 2b");
}

/* Count at rdi, and tell the VMM each time. */
GUEST_FUNCTION
static void guest_count_out(void)
{
	__asm__ volatile("1: incq (%rdi)\n\t"
			 "paddq %xmm1, %xmm0\n\t"
			 "out %al, $0x10\n\t"
			 "jmp 1b");
}

/* Forever, and no interrupt gets in. */
GUEST_FUNCTION
static void guest_spin_off(void)
{
	__asm__ volatile("cli\n\t"
			 "1: incq (%rdi)\n\t"
			 "jmp 1b");
}

/* Count at rdi how often it went on after HLT. */
GUEST_FUNCTION
static void guest_halt(void)
{
	__asm__ volatile("1: hlt\n\t"
			 "incq (%rdi)\n\t"
			 "jmp 1b");
}

static volatile u64 *counter_of(const struct machine *m)
{
	return (u64 *)(m->tool + TOOL_DATA);
}

static char *stop_of(const struct machine *m)
{
	return m->tool + TOOL_DATA + 0x100;
}

#define COUNTER		TOOL_DATA
#define STOP		(TOOL_DATA + 0x100)
#define BUFFER		(TOOL_DATA + 0x1000)

static unsigned int handled;

static void count_signal(int sig)
{
	(void)sig;
	__atomic_fetch_add(&handled, 1, __ATOMIC_SEQ_CST);
}

static void catch_signal(void (*handler)(int sig))
{
	struct sigaction action = { .sa_handler = handler };

	MUST(sigaction(SIGUSR1, &action, NULL));
}

static sigset_t set_of(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	if (sig)
		sigaddset(&set, sig);
	return set;
}

/* ---- leaving at once ---- */

static void test_immediate_exit(void)
{
	struct machine m = machine_make();
	unsigned int n;

	guest_start(&m, guest_count_out, COUNTER, 0, 0);
	m.run->immediate_exit = 1;
	for (n = 0; n < 10; n++)
		CHECK_ERRNO(vcpu_run(&m), EINTR);
	CHECK_EQ(m.run->immediate_exit, 1);
	CHECK_EQ(*counter_of(&m), 0);
	CHECK_EQ(vcpu_regs(&m).rip, guest_address(guest_count_out));
	m.run->immediate_exit = 0;
	vcpu_run_until(&m, KVM_EXIT_IO);
	CHECK_EQ(*counter_of(&m), 1);
}

/* What the last exit asked for is done all the same, once. */
/* A VMM with an APIC of its own goes by it, from the first call on. */
static void test_immediate_exit_tells(void)
{
	struct machine m = machine_make();
	struct kvm_interrupt irq = { .irq = 0x30 };
	struct kvm_regs regs;

	guest_start(&m, guest_count_out, COUNTER, 0, 0);
	regs = vcpu_regs(&m);
	regs.rflags |= 0x200;
	MUST(ioctl(m.vcpu, KVM_SET_REGS, &regs));
	m.run->immediate_exit = 1;
	CHECK_ERRNO(vcpu_run(&m), EINTR);
	CHECK_EQ(m.run->apic_base, 0xfee00900);
	CHECK_EQ(m.run->if_flag, 1);
	CHECK_EQ(m.run->ready_for_interrupt_injection, 1);
	MUST(ioctl(m.vcpu, KVM_INTERRUPT, &irq));
	CHECK_ERRNO(vcpu_run(&m), EINTR);
	CHECK_EQ(m.run->ready_for_interrupt_injection, 0);
	CHECK_EQ(m.run->if_flag, 1);
}

static void test_immediate_exit_completes(void)
{
	struct machine m = machine_make();
	unsigned int n;

	guest_start(&m, guest_in, TOOL_DATA, 5, 0);
	for (n = 0; n < 5; n++) {
		vcpu_run_until(&m, KVM_EXIT_IO);
		CHECK_EQ(m.run->io.direction, KVM_EXIT_IO_IN);
		*((u8 *)m.run + m.run->io.data_offset) = 0x40 + n;
		vcpu_complete(&m);
		CHECK_EQ(vcpu_regs(&m).rax & 0xff, 0x40 + n);
		CHECK_EQ(vcpu_regs(&m).rcx, n);
		vcpu_complete(&m);
	}
	vcpu_run_until(&m, KVM_EXIT_HLT);
	CHECK(!memcmp(m.tool + TOOL_DATA, "@ABCD\0", 6));
}

/* ---- signals ---- */

struct signal_mask {
	struct kvm_signal_mask head;
	u8 set[16];
};

/* Only @sig is blocked in the guest; 0: none is. */
static void set_mask(const struct machine *m, int sig)
{
	sigset_t set = set_of(sig);
	struct signal_mask mask = { .head.len = 8 };

	memcpy(mask.set, &set, 8);
	MUST(ioctl(m->vcpu, KVM_SET_SIGNAL_MASK, &mask));
}

/* A signal that waits already: the guest does not get a single instruction. */
static void test_pending_signal(void)
{
	struct machine m = machine_make();
	sigset_t set = set_of(SIGUSR1);

	catch_signal(count_signal);
	guest_start(&m, guest_count_out, COUNTER, 0, 0);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
	set_mask(&m, 0);
	raise(SIGUSR1);
	CHECK_ERRNO(vcpu_run(&m), EINTR);
	CHECK_EQ(m.run->exit_reason, KVM_EXIT_INTR);
	CHECK_EQ(handled, 0);
	CHECK_EQ(*counter_of(&m), 0);
	/* It still waits, and this takes it. */
	CHECK_EQ(sigtimedwait(&set, NULL, &(struct timespec){ 0 }), SIGUSR1);
	vcpu_run_until(&m, KVM_EXIT_IO);
	CHECK_EQ(*counter_of(&m), 1);
}

/* Runs the guest to its end. */
struct masked {
	struct machine m;
	int error;
};

static void *run_masked(void *arg)
{
	struct masked *t = arg;
	sigset_t before, after;

	CHECK_EQ(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
	if (vcpu_run(&t->m))
		WRITE_ONCE(t->error, errno);
	CHECK_EQ(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
	CHECK(!memcmp(&before, &after, 8));
	return NULL;
}

/* A mask that blocks: the signal is handled when KVM_RUN is over. */
static void test_mask_blocks(void)
{
	struct masked t = { .m = machine_make() };
	volatile u64 *counter = counter_of(&t.m);
	pthread_t thread;
	u64 before;

	catch_signal(count_signal);
	set_mask(&t.m, SIGUSR1);
	guest_start(&t.m, guest_tally, COUNTER, STOP, 0);
	CHECK_EQ(pthread_create(&thread, NULL, run_masked, &t), 0);
	CHECK_SOON(*counter > 100);
	CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
	before = *counter;
	CHECK_SOON(READ_ONCE(t.error) || *counter > before + 10000);
	CHECK_EQ(t.error, 0);
	CHECK_EQ(READ_ONCE(handled), 0);
	*stop_of(&t.m) = 1;
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(t.error, 0);
	CHECK_EQ(t.m.run->exit_reason, KVM_EXIT_IO);
	CHECK_EQ(handled, 1);
}

static void test_mask_errors(void)
{
	struct machine m = machine_make();
	struct signal_mask mask = { 0 };
	static const u32 bad[] = { 0, 4, 7, 9, 16, ~0U };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		mask.head.len = bad[i];
		CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_SIGNAL_MASK, &mask), EINVAL);
	}
	CHECK_ERRNO(ioctl(m.vcpu, KVM_SET_SIGNAL_MASK, 8), EFAULT);
	/* SIGKILL cannot be blocked, nor can the attempt fail. */
	mask.head.len = 8;
	memset(mask.set, 0xff, 8);
	MUST(ioctl(m.vcpu, KVM_SET_SIGNAL_MASK, &mask));
	MUST(ioctl(m.vcpu, KVM_SET_SIGNAL_MASK, NULL));
	guest_call(&m, guest_count_out, COUNTER, 0, 0);
}

/* ---- a storm ---- */

/* A thread that runs a guest to its end, signal for signal. */
struct storm {
	struct machine m;
	unsigned int interrupted;
	bool done;
};

static void *storm_main(void *arg)
{
	struct storm *s = arg;

	while (vcpu_run(&s->m)) {
		CHECK_EQ(errno, EINTR);
		CHECK_EQ(s->m.run->exit_reason, KVM_EXIT_INTR);
		WRITE_ONCE(s->interrupted, s->interrupted + 1);
	}
	WRITE_ONCE(s->done, true);
	return NULL;
}

/*
 * Each signal is sent when the guest has gone on after the last one, so all of
 * them meet a running guest.
 */
static void storm(void (*program)(void))
{
	struct storm s = { .m = machine_make() };
	volatile u64 *counter = counter_of(&s.m);
	struct kvm_regs regs;
	pthread_t thread;
	unsigned int n;
	u64 before;

	catch_signal(count_signal);
	handled = 0;
	guest_start(&s.m, program, COUNTER, STOP, BUFFER);
	CHECK_EQ(pthread_create(&thread, NULL, storm_main, &s), 0);
	for (n = 0; n < SIGNALS; n++) {
		before = *counter;
		while (*counter == before) {
			CHECK(!READ_ONCE(s.done));
			sched_yield();
		}
		CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
		CHECK_SOON(READ_ONCE(handled) == n + 1);
	}
	*stop_of(&s.m) = 1;
	CHECK_SOON(READ_ONCE(s.done));
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(s.m.run->exit_reason, KVM_EXIT_IO);
	/* A signal in the VMM, between two KVM_RUN, is no exit. */
	CHECK(s.interrupted <= SIGNALS);
	CHECK(s.interrupted > SIGNALS / 4);
	regs = vcpu_regs(&s.m);
	CHECK_EQ(regs.rax, *counter);
	CHECK_EQ(regs.rcx, *counter);
}

static void test_storm_counting(void)
{
	storm(guest_tally);
}

static void test_storm_exits(void)
{
	storm(guest_tally_exits);
}

static void test_storm_strings(void)
{
	storm(guest_fill);
}

/* Every kick gets the vCPU out, whenever it comes. */
struct kicked {
	struct machine m;
	unsigned int left;
	bool stop;
};

static struct kvm_run *kicked_run;

static void kick_handler(int sig)
{
	(void)sig;
	kicked_run->immediate_exit = 1;
}

static void *kicked_main(void *arg)
{
	struct kicked *k = arg;

	while (!READ_ONCE(k->stop)) {
		CHECK_ERRNO(vcpu_run(&k->m), EINTR);
		/* Only after that may the next kick come. */
		kicked_run->immediate_exit = 0;
		WRITE_ONCE(k->left, k->left + 1);
	}
	return NULL;
}

static void test_kick(void)
{
	struct kicked k = { .m = machine_make() };
	pthread_t thread;
	unsigned int n;

	kicked_run = k.m.run;
	guest_start(&k.m, guest_tally, COUNTER, STOP, 0);
	catch_signal(kick_handler);
	CHECK_EQ(pthread_create(&thread, NULL, kicked_main, &k), 0);
	for (n = 0; n < SIGNALS; n++) {
		if (n == SIGNALS - 1)
			WRITE_ONCE(k.stop, true);
		CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
		while (READ_ONCE(k.left) == n)
			sched_yield();
		CHECK_EQ(READ_ONCE(k.left), n + 1);
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* A stopped process does not run its guest; when it goes on, so does this. */
static void test_stop_continue(void)
{
	struct machine m = machine_make();
	volatile u64 *counter;
	u64 before;
	pid_t child;
	unsigned int n;
	int status;

	counter = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(counter != MAP_FAILED);
	machine_close(&m);
	child = tap_fork();
	if (!child) {
		m = machine_make();
		set_slot(&m, 1, 0, 0x4000000, (void *)counter, PAGE);
		guest_start(&m, guest_tally, 0x4000000, STOP, 0);
		while (vcpu_run(&m))
			CHECK_EQ(errno, EINTR);
		_exit(1);
	}
	for (n = 0; n < 5; n++) {
		before = *counter;
		CHECK_SOON(*counter > before + 1000);
		MUST(kill(child, SIGSTOP));
		CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
		CHECK(WIFSTOPPED(status));
		before = *counter;
		sleep_ms(5);
		CHECK_EQ(*counter, before);
		MUST(kill(child, SIGCONT));
	}
	before = *counter;
	CHECK_SOON(*counter > before);
	MUST(kill(child, SIGKILL));
	tap_wait(child);
}

/* ---- HLT ---- */

static void test_halt(void)
{
	struct machine m = machine_make();
	unsigned int n;

	guest_start(&m, guest_halt, COUNTER, 0, 0);
	for (n = 0; n < 3; n++) {
		vcpu_run_until(&m, KVM_EXIT_HLT);
		CHECK_EQ(*counter_of(&m), n);
		CHECK_EQ(vcpu_regs(&m).rip, guest_address(guest_halt) + 1);
		vcpu_complete(&m);
		CHECK_EQ(vcpu_regs(&m).rip, guest_address(guest_halt) + 1);
	}
}

/* The signal comes first; then the HLT, which is not lost. */
static void test_halt_signal(void)
{
	struct machine m = machine_make();
	sigset_t set = set_of(SIGUSR1);

	catch_signal(count_signal);
	guest_start(&m, guest_halt, COUNTER, 0, 0);
	MUST(sigprocmask(SIG_BLOCK, &set, NULL));
	set_mask(&m, 0);
	raise(SIGUSR1);
	CHECK_ERRNO(vcpu_run(&m), EINTR);
	CHECK_EQ(vcpu_regs(&m).rip, guest_address(guest_halt));
	CHECK_ERRNO(vcpu_run(&m), EINTR);
	CHECK_EQ(sigtimedwait(&set, NULL, &(struct timespec){ 0 }), SIGUSR1);
	vcpu_run_until(&m, KVM_EXIT_HLT);
	CHECK_EQ(vcpu_regs(&m).rip, guest_address(guest_halt) + 1);
	CHECK_EQ(*counter_of(&m), 0);
}

/* ---- threads ---- */

#define THREADS		4
#define RUNS		100

struct crowd {
	struct machine m;
	unsigned int ran;
};

static void *crowd_main(void *arg)
{
	struct crowd *c = arg;
	unsigned int n;

	for (n = 0; n < RUNS; n++) {
		MUST(vcpu_run(&c->m));
		__atomic_fetch_add(&c->ran, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/* One after the other: each KVM_RUN is one round of the guest. */
static void test_threads(void)
{
	struct crowd c = { .m = machine_make() };
	struct kvm_fpu fpu;
	pthread_t thread[THREADS];
	u64 one = 1, sum;
	unsigned int i;

	guest_start(&c.m, guest_count_out, COUNTER, 0, 0);
	MUST(ioctl(c.m.vcpu, KVM_GET_FPU, &fpu));
	memset(fpu.xmm, 0, sizeof(fpu.xmm));
	memcpy(fpu.xmm[1], &one, 8);
	MUST(ioctl(c.m.vcpu, KVM_SET_FPU, &fpu));
	for (i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, crowd_main, &c), 0);
	for (i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	CHECK_EQ(c.ran, THREADS * RUNS);
	CHECK_EQ(*counter_of(&c.m), THREADS * RUNS);
	MUST(ioctl(c.m.vcpu, KVM_GET_FPU, &fpu));
	memcpy(&sum, fpu.xmm[0], 8);
	CHECK_EQ(sum, THREADS * RUNS);
}

static void *die_in_run(void *arg)
{
	vcpu_run(arg);
	return NULL;
}

/* Threads that wait for a vCPU that somebody else runs can be killed. */
static void test_waiting_killable(void)
{
	pid_t child = tap_fork();
	int status;

	if (!child) {
		struct machine m = machine_make();
		pthread_t thread[THREADS];
		unsigned int i;

		guest_start(&m, guest_tally, COUNTER, STOP, 0);
		for (i = 0; i < THREADS; i++)
			CHECK_EQ(pthread_create(&thread[i], NULL, die_in_run,
						&m), 0);
		CHECK_SOON(*counter_of(&m) > 1000);
		sleep_ms(20);
		kill(getpid(), SIGKILL);
		sleep_ms(30000);
		_exit(0);
	}
	status = tap_wait(child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* ---- processes ---- */

static int run_in_same_memory(void *arg)
{
	struct machine *m = arg;

	return ioctl(m->vcpu, KVM_RUN, 0) || m->run->exit_reason != KVM_EXIT_IO;
}

/* Whose memory it is decides, not which process. */
static void test_process_same_mm(void)
{
	struct machine m = machine_make();
	char *stack = map_memory(16 * PAGE);
	int pid, status;

	guest_start(&m, guest_count_out, COUNTER, 0, 0);
	pid = MUST(clone(run_in_same_memory, stack + 16 * PAGE,
			 CLONE_VM | SIGCHLD, &m));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	vcpu_run_until(&m, KVM_EXIT_IO);
	CHECK_EQ(*counter_of(&m), 2);
}

static void test_fork(void)
{
	struct machine m = machine_make();
	pid_t child;

	guest_call(&m, guest_count_out, COUNTER, 0, 0);
	child = tap_fork();
	if (!child) {
		struct kvm_regs regs;

		CHECK_ERRNO(vcpu_run(&m), EIO);
		CHECK_ERRNO(ioctl(m.vcpu, KVM_GET_REGS, &regs), EIO);
		CHECK_ERRNO(ioctl(m.vm, KVM_CREATE_VCPU, 1), EIO);
		/* The device is everybody's. */
		MUST(ioctl(m.kvm, KVM_CREATE_VM, 0));
		_exit(0);
	}
	tap_join(child);
	vcpu_run_until(&m, KVM_EXIT_IO);
	CHECK_EQ(*counter_of(&m), 2);
}

/* What a program finds that was started with a VM's descriptors. */
static int after_exec(char **fds)
{
	int vm = atoi(fds[0]), vcpu = atoi(fds[1]);
	struct kvm_regs regs;

	if (ioctl(vcpu, KVM_RUN, 0) != -1 || errno != EIO)
		return 2;
	if (ioctl(vcpu, KVM_GET_REGS, &regs) != -1 || errno != EIO)
		return 3;
	if (ioctl(vm, KVM_CREATE_VCPU, 5) != -1 || errno != EIO)
		return 4;
	if (close(vm) || close(vcpu))
		return 5;
	return 0;
}

static void exec_myself(const struct machine *m)
{
	char vm[16], vcpu[16];

	MUST(fcntl(m->vm, F_SETFD, 0));
	MUST(fcntl(m->vcpu, F_SETFD, 0));
	snprintf(vm, sizeof(vm), "%d", m->vm);
	snprintf(vcpu, sizeof(vcpu), "%d", m->vcpu);
	MUST(execl("/proc/self/exe", "kvm_run", "--after-exec", vm, vcpu, NULL));
}

/* The VM's memory is gone with the old program. */
static void test_exec(void)
{
	pid_t child = tap_fork();

	if (!child) {
		struct machine m = machine_make();

		guest_call(&m, guest_count_out, COUNTER, 0, 0);
		exec_myself(&m);
	}
	CHECK_EQ(tap_wait(child), 0);
}

/* exec under a thread that runs the guest. */
static void test_exec_running(void)
{
	pid_t child = tap_fork();

	if (!child) {
		struct machine m = machine_make();
		struct runner r;

		guest_start(&m, guest_tally, COUNTER, STOP, 0);
		runner_start(&r, &m);
		CHECK_RUNNER_SOON(&r, *counter_of(&m) > 1000);
		exec_myself(&m);
	}
	CHECK_EQ(tap_wait(child), 0);
}

/* ---- guests that do not let go ---- */

/*
 * Bochs does not leave such a guest for an interrupt of the host; only the VMX
 * preemption timer ends its turn, which stock kvm-intel does not use for that.
 */
static void need_preemption(void)
{
	if (!is_amd() && !strcmp(kvm_device(), "/dev/kvm"))
		tap_skip("Bochs does not preempt a guest with interrupts off");
}

static pid_t start_spinner(volatile u64 *counter)
{
	pid_t child = tap_fork();
	struct machine m;

	if (child)
		return child;
	m = machine_make();
	set_slot(&m, 1, 0, 0x4000000, (void *)counter, PAGE);
	guest_start(&m, guest_spin_off, 0x4000000, 0, 0);
	while (vcpu_run(&m))
		CHECK_EQ(errno, EINTR);
	_exit(1);
}

static u64 *shared_words(void)
{
	return (u64 *)MUST(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

static void pin_to_first_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	MUST(sched_setaffinity(0, sizeof(set), &set));
}

/* Two of them and we, all on one CPU: each gets its share; each can be killed. */
static void test_spin_shares(void)
{
	volatile u64 *words = shared_words();
	volatile u64 *second = words + PAGE / 8;
	pid_t child[2];
	unsigned int n;
	int status;

	need_preemption();
	pin_to_first_cpu();
	child[0] = start_spinner(words);
	child[1] = start_spinner(second);
	for (n = 0; n < 5; n++) {
		u64 a = *words, b = *second;

		CHECK_SOON(*words > a + 100 && *second > b + 100);
	}
	for (n = 0; n < 2; n++) {
		MUST(kill(child[n], SIGKILL));
		status = tap_wait(child[n]);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
}

/* A signal gets in as well, and the guest goes on after it. */
static void test_spin_signal(void)
{
	struct machine m = machine_make();
	struct runner r;
	unsigned int n;
	u64 before;

	need_preemption();
	guest_start(&m, guest_spin_off, COUNTER, 0, 0);
	for (n = 0; n < 5; n++) {
		runner_start(&r, &m);
		before = *counter_of(&m);
		CHECK_RUNNER_SOON(&r, *counter_of(&m) > before + 100);
		runner_stop(&r);
		runner_check(&r);
		CHECK_EQ(vcpu_regs(&m).rflags & 0x200, 0);
	}
}

/* guest_time of proc(5), in ticks. */
static unsigned long guest_time(void)
{
	FILE *f = fopen("/proc/self/stat", "r");
	unsigned long value = 0;
	unsigned int n;

	CHECK(f);
	for (n = 1; n < 43; n++)
		CHECK(fscanf(f, "%*s") == 0);
	CHECK_EQ(fscanf(f, "%lu", &value), 1);
	fclose(f);
	return value;
}

/* The guest's time is on the account of who runs it. */
static void test_guest_time(void)
{
	struct machine m = machine_make();
	struct runner r;

	guest_start(&m, guest_tally, COUNTER, STOP, 0);
	CHECK_EQ(guest_time(), 0);
	runner_start(&r, &m);
	CHECK_RUNNER_SOON(&r, guest_time() > 0);
	runner_stop(&r);
	runner_check(&r);
}

static const struct tap_test tests[] = {
	{ "immediate_exit: not an instruction", test_immediate_exit },
	{ "immediate_exit: kvm_run tells what is so", test_immediate_exit_tells },
	{ "immediate_exit: I/O is completed once", test_immediate_exit_completes },
	{ "a signal that is pending", test_pending_signal },
	{ "a signal that the mask blocks", test_mask_blocks },
	{ "masks that cannot be", test_mask_errors },
	{ "a storm of signals: counting", test_storm_counting },
	{ "a storm of signals: exits", test_storm_exits },
	{ "a storm of signals: string instructions", test_storm_strings },
	{ "every kick arrives", test_kick },
	{ "SIGSTOP and SIGCONT", test_stop_continue },
	{ "HLT", test_halt },
	{ "HLT and a signal", test_halt_signal },
	{ "several threads run a vCPU in turn", test_threads },
	{ "threads that wait for a vCPU can be killed", test_waiting_killable },
	{ "another process with the same memory", test_process_same_mm },
	{ "another process after fork", test_fork },
	{ "another program after exec", test_exec },
	{ "exec under a running guest", test_exec_running },
	{ "guests with interrupts off share a CPU", test_spin_shares },
	{ "a signal for a guest with interrupts off", test_spin_signal },
	{ "the guest's time is counted", test_guest_time },
};

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "--after-exec"))
		return after_exec(argv + 2);
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
