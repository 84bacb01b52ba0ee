// SPDX-License-Identifier: GPL-2.0
/* Runs: see run.h. */
#define _GNU_SOURCE
#include <dirent.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "ksm_test.h"
#include "call.h"
#include "check.h"
#include "child.h"
#include "cover.h"
#include "journal.h"
#include "report.h"
#include "run.h"

#define LATE_MS		10000
#define KILL_MS		60000

static unsigned int run_on;
static bool is_verbose;

const char *run_device(unsigned int device)
{
	if (device == DEVICE_KSM)
		return "/dev/ksm";
	return getenv("KVM_DEVICE") ?: "/dev/kvmlite";
}

void run_init(unsigned int device, bool verbose)
{
	run_on = device;
	is_verbose = verbose;
	/* What a program leaves behind is ours to end. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* Programs may become somebody else first. */
	chmod(run_device(device), 0666);
	if (device != DEVICE_KSM)
		return;
	mkdir(CALL_MOUNT, 0777);
	/* Ours alone: it goes with us. */
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", CALL_MOUNT, "ksmfs", 0, "size=64m"))
		fprintf(stderr, "ioctl_fuzz: cannot mount ksmfs: %s\n", strerror(errno));
}

/* False if it still runs then. */
static bool wait_until_exit(pid_t pid, int ms)
{
	struct pollfd pollfd = {
		.fd = syscall(SYS_pidfd_open, pid, 0), .events = POLLIN,
	};
	int ret = poll(&pollfd, 1, ms);

	close(pollfd.fd);
	return ret == 1;
}

/* The whole group; false if somebody does not die of SIGKILL. */
static bool reap(pid_t group)
{
	unsigned int tries;
	pid_t pid = 0;

	kill(-group, SIGKILL);
	kill(group, SIGKILL);
	for (tries = 0; tries < KILL_MS && pid >= 0; tries++) {
		do {
			pid = waitpid(-1, NULL, WNOHANG);
		} while (pid > 0);
		if (!pid)
			sleep_ms(1);
	}
	return pid < 0;
}

/* Names of files outlive the program. */
static void names_remove(void)
{
	static const char *const names[] = { CALL_NAMES };
	unsigned int i;

	/* What is in a directory comes after it: from the end. */
	for (i = ARRAY_SIZE(names) - 1; i--; )
		if (unlink(names[i]) && errno == EISDIR)
			rmdir(names[i]);
	chmod(CALL_MOUNT, 01777);
	chown(CALL_MOUNT, 0, -1);
}

/* Changes of the sysfs files do, too. */
static void restore(const struct program *program)
{
	if (program_has(program, "ksm_sysfs"))
		ksm_quiet();
	if (program_has(program, "name") || program_has(program, "name_open"))
		names_remove();
}

struct outcome run_program(const struct program *program)
{
	struct outcome outcome = { NULL, false };
	pid_t pid;

	journal_write(program);
	cover_clear();
	check_clear();
	fflush(stdout);
	pid = fork();
	if (!pid)
		child_main(program, is_verbose);
	if (pid < 0) {
		outcome.problem = "fork: no process to be had";
		return outcome;
	}
	outcome.late = !wait_until_exit(pid, LATE_MS);
	if (!reap(pid)) {
		file_write("/proc/sysrq-trigger", "w");
		outcome.problem = "a process does not die of SIGKILL";
		return outcome;
	}
	restore(program);
	outcome.problem = report_find() ?: check_found();
	return outcome;
}

/* ---- what is left ---- */

static bool ksm_left(char *text, size_t size)
{
	static const char *const names[] = {
		"areas", "domains", "pages_shared", "pages_sharing",
		"pages_unshared", "pages_volatile", "ksm_zero_pages",
		"pages_spare",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (!ksm_get(names[i]))
			continue;
		snprintf(text, size, "%s is %lld, and should be 0", names[i],
			 (long long)ksm_get(names[i]));
		return true;
	}
	return false;
}

/* VMs have folders there. */
static bool kvm_left(char *text, size_t size)
{
	DIR *dir = opendir("/sys/kernel/debug/kvmlite");
	struct dirent *entry;
	bool left = false;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		snprintf(text, size, "the VM %.32s is still there", entry->d_name);
		left = true;
	}
	if (dir)
		closedir(dir);
	return left;
}

const char *run_leftovers(void)
{
	static char text[128];
	unsigned int tries;

	for (tries = 0; tries < 600; tries++) {
		if (run_on == DEVICE_KSM ? !ksm_left(text, sizeof(text)) :
				  !kvm_left(text, sizeof(text)))
			return NULL;
		sleep_ms(50);
	}
	return text;
}
