// SPDX-License-Identifier: GPL-2.0
/*
 * A 32-bit VMM.  Its calls are made by int $0x80, as a program of 32 bits makes
 * them, with what the arguments point to below 4 GiB.  Where a structure has a
 * pointer, that is 32 bits in a field of 64, and the other half is whatever the
 * program left there.
 */
#define _GNU_SOURCE
#include "kvm_exec.h"

#define AREA		0x8000000UL
#define AREA_PAGES	64
#define JUNK		0xdeadbeef

GUEST(touch, "movb $1, (%rdi)\n\t" GUEST_OUT)

/* As a 32-bit VMM has struct kvm_dirty_log and struct kvm_clear_dirty_log. */
struct dirty_log32 {
	u32 slot, padding, bitmap, rest;
};

struct clear_dirty_log32 {
	u32 slot, pages;
	u64 first;
	u32 bitmap, rest;
};

struct signal_mask32 {
	u32 len;
	u32 set[2];
};

/* One page below 4 GiB: arguments in the lower half, a bitmap in the upper. */
static char *low;

static u64 *bitmap(void)
{
	return (u64 *)(low + PAGE / 2);
}

static u32 address32(const void *p)
{
	CHECK_EQ((u64)p >> 32, 0);
	return (u64)p;
}

static long syscall32(u32 number, u32 a, u32 b, u32 c)
{
	long ret;

	__asm__ volatile("int $0x80" : "=a"(ret)
			 : "a"((u64)number), "b"((u64)a), "c"((u64)b), "d"((u64)c)
			 : "memory", "r8", "r9", "r10", "r11");
	if ((int)ret >= 0)
		return ret;
	errno = -(int)ret;
	return -1;
}

static int ioctl32(int fd, unsigned long request, const void *argument)
{
	return syscall32(54, fd, request, address32(argument));
}

/* ---- structures without pointers ---- */

static void test_registers(void)
{
	struct machine m = vm_make();
	struct kvm_vcpu_events *events = (void *)low;
	struct kvm_sregs *sregs = (void *)low;
	struct kvm_regs *regs = (void *)low;
	struct kvm_sregs want = vcpu_sregs(&m);
	u64 rip = guest_address(guest_touch);

	CHECK_EQ(ioctl32(m.kvm, KVM_GET_API_VERSION, NULL), 12);
	guest_start(&m, guest_touch, TOOL_DATA, 0, 0);
	MUST(ioctl32(m.vcpu, KVM_GET_REGS, regs));
	CHECK_EQ(regs->rip, rip);
	MUST(ioctl32(m.vcpu, KVM_SET_REGS, regs));
	MUST(ioctl32(m.vcpu, KVM_GET_SREGS, sregs));
	CHECK(!memcmp(sregs, &want, sizeof(want)));
	MUST(ioctl32(m.vcpu, KVM_SET_SREGS, sregs));
	MUST(ioctl32(m.vcpu, KVM_GET_VCPU_EVENTS, events));
	MUST(ioctl32(m.vcpu, KVM_SET_VCPU_EVENTS, events));
	MUST(ioctl32(m.vcpu, KVM_RUN, NULL));
	vm_check_exit(&m, KVM_EXIT_IO, "an OUT", __FILE_NAME__, __LINE__);
	CHECK_EQ(m.tool[TOOL_DATA], 1);
}

/* ---- the dirty log ---- */

static void make_logged_area(const struct machine *m)
{
	set_slot(m, 1, KVM_MEM_LOG_DIRTY_PAGES, AREA, map_memory(AREA_PAGES * PAGE),
		 AREA_PAGES * PAGE);
}

static void touch_page(const struct machine *m, unsigned int n)
{
	vm_call(m, guest_touch, AREA + n * PAGE, 0, 0);
}

static int get_log(const struct machine *m, u32 rest)
{
	struct dirty_log32 *log = (void *)low;

	*log = (struct dirty_log32){
		.slot = 1, .bitmap = address32(bitmap()), .rest = rest,
	};
	*bitmap() = ~0ULL;
	return ioctl32(m->vm, KVM_GET_DIRTY_LOG, log);
}

static int clear_log(const struct machine *m, u32 rest)
{
	struct clear_dirty_log32 *log = (void *)low;

	*log = (struct clear_dirty_log32){
		.slot = 1, .pages = AREA_PAGES, .bitmap = address32(bitmap()),
		.rest = rest,
	};
	return ioctl32(m->vm, KVM_CLEAR_DIRTY_LOG, log);
}

static void test_dirty_log(void)
{
	struct machine m = vm_make();

	make_logged_area(&m);
	touch_page(&m, 3);
	MUST(get_log(&m, 0));
	CHECK_EQ(*bitmap(), 1 << 3);
	touch_page(&m, 5);
	MUST(get_log(&m, JUNK));
	CHECK_EQ(*bitmap(), 1 << 5);
	MUST(get_log(&m, JUNK));
	CHECK_EQ(*bitmap(), 0);
}

static void test_clear_dirty_log(void)
{
	struct machine m = vm_make();
	struct kvm_enable_cap *cap = (void *)low;

	*cap = (struct kvm_enable_cap){
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		.args[0] = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE,
	};
	MUST(ioctl32(m.vm, KVM_ENABLE_CAP, cap));
	make_logged_area(&m);
	touch_page(&m, 3);
	touch_page(&m, 5);
	*bitmap() = 1 << 3;
	MUST(clear_log(&m, JUNK));
	MUST(get_log(&m, JUNK));
	CHECK_EQ(*bitmap(), 1 << 5);
	MUST(clear_log(&m, 0));
	MUST(get_log(&m, 0));
	CHECK_EQ(*bitmap(), 0);
}

/* ---- the mask of signals ---- */

static void set_mask(const struct machine *m, u64 set)
{
	struct signal_mask32 *mask = (void *)low;

	*mask = (struct signal_mask32){ 8, { set, set >> 32 } };
	MUST(ioctl32(m->vcpu, KVM_SET_SIGNAL_MASK, mask));
}

static void test_signal_mask(void)
{
	struct sigaction action = { .sa_handler = runner_kick_handler };
	/* One in each half. */
	const int signals[] = { SIGUSR1, 60 };
	struct signal_mask32 *mask = (void *)low;
	struct machine m = vm_make();
	unsigned int i;
	sigset_t set;

	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		MUST(sigaction(signals[i], &action, NULL));
		sigemptyset(&set);
		sigaddset(&set, signals[i]);
		MUST(sigprocmask(SIG_BLOCK, &set, NULL));
		MUST(raise(signals[i]));
		guest_start(&m, guest_touch, TOOL_DATA, 0, 0);
		set_mask(&m, 1ULL << (signals[i] - 1));
		MUST(ioctl32(m.vcpu, KVM_RUN, NULL));
		CHECK_EQ(m.run->exit_reason, KVM_EXIT_IO);
		set_mask(&m, 0);
		CHECK_ERRNO(ioctl32(m.vcpu, KVM_RUN, NULL), EINTR);
		/* No mask: that of the thread. */
		MUST(ioctl32(m.vcpu, KVM_SET_SIGNAL_MASK, NULL));
		MUST(ioctl32(m.vcpu, KVM_RUN, NULL));
		MUST(sigprocmask(SIG_UNBLOCK, &set, NULL));
	}
	*mask = (struct signal_mask32){ .len = 4 };
	CHECK_ERRNO(ioctl32(m.vcpu, KVM_SET_SIGNAL_MASK, mask), EINVAL);
}

static const struct tap_test tests[] = {
	{ "registers and KVM_RUN", test_registers },
	{ "KVM_GET_DIRTY_LOG", test_dirty_log },
	{ "KVM_CLEAR_DIRTY_LOG", test_clear_dirty_log },
	{ "KVM_SET_SIGNAL_MASK", test_signal_mask },
};

int main(int argc, char **argv)
{
	low = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (low == MAP_FAILED)
		return 1;
	return kvm_main(argc, argv, tests, ARRAY_SIZE(tests));
}
