// SPDX-License-Identifier: GPL-2.0
/*
 * The host crashes while a guest runs on each of its CPUs.  Its crash kernel must start,
 * and get all CPUs: VMX operation that is still on keeps CR4.VMXE set and INIT away
 * (SDM volume 3, 24.8).  What is found out there, in the crash kernel, is told as TAP
 * on the line of the lab's output, with the end that its init would tell.
 *
 *   kvm_crash KERNEL INITRD	with kvmlite.kdump=1 and crashkernel= on the command line
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/kexec.h>
#include <sched.h>
#include <string.h>
#include "kvm_guest.h"

#define ENOUGH	100	/* exits: it is running */

GUEST(out, GUEST_OUT)

/* The crash kernel: its first process is a shell, and ends the host. */
#define COMMAND_LINE							\
	"console=ttyS0 quiet loglevel=4 nr_cpus=2 reset_devices no_timer_check "	\
	"tsc=reliable clocksource=tsc lpj=1000000 rdinit=/bin/sh -- -c \""	\
	"mount -t devtmpfs dev /dev; mount -t proc none /proc; "		\
	"exec >/dev/console; echo lab: the crash kernel; stty -F /dev/ttyS1 raw; "	\
	"[ $(nproc) = %d ] || not='not '; "					\
	"echo ${not}ok 1 - %d CPUs expected in the crash kernel, it has $(nproc) >/dev/ttyS1; "	\
	"printf '1..1\n@exit 0\n' >/dev/ttyS1; stty -F /dev/ttyS1 raw; "	\
	"echo lab: exit 0; sleep 1; poweroff -f\""

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	MUST(sched_setaffinity(0, sizeof(set), &set));
}

__attribute__((noreturn))
static void run_for_ever(int cpu, u64 *exits)
{
	struct machine m;

	stay_on(cpu);
	m = machine_make();
	guest_start(&m, guest_out, 0, 0, 0);
	for (;;)
		if (!vcpu_run(&m))
			WRITE_ONCE(*exits, *exits + 1);
}

static void start_guests(int cpus)
{
	u64 *exits = (void *)MUST(mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	int cpu;

	for (cpu = 0; cpu < cpus; cpu++)
		if (!MUST(fork()))
			run_for_ever(cpu, &exits[cpu]);
	for (cpu = 0; cpu < cpus; cpu++)
		while (READ_ONCE(exits[cpu]) < ENOUGH)
			if (waitpid(-1, NULL, WNOHANG) > 0)
				tap_fail("a guest ended");
}

static void load_crash_kernel(const char *kernel, const char *initrd, int cpus)
{
	char line[sizeof(COMMAND_LINE) + 16];
	int length = snprintf(line, sizeof(line), COMMAND_LINE, cpus, cpus);

	MUST(syscall(SYS_kexec_file_load, MUST(open(kernel, O_RDONLY)),
		     MUST(open(initrd, O_RDONLY)), length + 1, line, KEXEC_FILE_ON_CRASH));
}

static void say(const char *file, const char *text)
{
	int fd = MUST(open(file, O_WRONLY));

	MUST(write(fd, text, strlen(text)));
	close(fd);
}

int main(int argc, char **argv)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (argc != 3)
		tap_fail("usage: kvm_crash KERNEL INITRD");
	load_crash_kernel(argv[1], argv[2], cpus);
	start_guests(cpus);
	/* The crash kernel starts on the CPU that crashes: INIT to the first resets all. */
	stay_on(0);
	say("/dev/kmsg", "<0>lab: a crash is due\n");
	say("/proc/sysrq-trigger", "c");
	tap_fail("no crash");
}
