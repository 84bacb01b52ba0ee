// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "devkvm.h"
#include "fleet.h"
#include "program.h"
#include "vmm.h"
#include "words.h"

#define KVM		"/dev/kvm"
#define KVMLITE		"/dev/kvmlite"
#define INITRD		"fleet-initrd"

/* After these, what a VMM has said of its version is all. */
#define VERSION_SECONDS	10

/*
 * To save time, the guest does not calibrate, probe or talk.  Nor does it watch
 * itself: on an emulated host it is slow, and warnings come into its messages.
 */
#define APPEND \
	"console=ttyS0 quiet panic=-1 reboot=t nokaslr mitigations=off " \
	"cryptomgr.notests no_timer_check tsc=reliable 8250.nr_uarts=1 " \
	"nowatchdog rcupdate.rcu_cpu_stall_suppress=1"

/*
 * The interrupt controller is QEMU's, as kvmlite has none.  Stock KVM offers
 * asynchronous page faults and then refuses their MSR without one of its own,
 * of which QEMU dies.
 */
#define ACCEL_KVM "-accel kvm -machine kernel-irqchip=off -cpu host,kvm-asyncpf-int=off"
#define ACCEL_TCG "-accel tcg -cpu max"

#define RAM "-machine memory-backend=ram -object "

static const char * const ram_words[NR_BACKENDS] = {
	[BACKEND_KSMDEV] = RAM "memory-backend-file,mem-path=/dev/ksm,share=on,id=ram,size=%{mem}M",
	[BACKEND_KSM] = RAM "memory-backend-ram,merge=on,id=ram,size=%{mem}M",
	[BACKEND_NONE] = RAM "memory-backend-ram,merge=off,id=ram,size=%{mem}M",
};

/* As make install puts it, or in the build folder. */
static void find_initrd(char *path)
{
	char self[PATH_MAX], *folder;
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[length < 0 ? 0 : length] = '\0';
	folder = dirname(self);
	snprintf(path, PATH_MAX, "%.4000s/../lib/kvmlite/%s", folder, INITRD);
	if (access(path, R_OK))
		snprintf(path, PATH_MAX, "%.4000s/%s", folder, INITRD);
}

static void find_kernel(char *path)
{
	struct utsname name;

	uname(&name);
	snprintf(path, PATH_MAX, "/boot/vmlinuz-%s", name.release);
}

/* The whole path, if there is such a file. */
static int resolve(struct description *d, const char *key, const char *path)
{
	char whole[PATH_MAX];

	if (!realpath(path, whole))
		snprintf(whole, sizeof(whole), "%s", path);
	return description_set(d, "command line", key, whole);
}

int vmm_resolve(struct description *d)
{
	char kernel[PATH_MAX], initrd[PATH_MAX];

	find_kernel(kernel);
	find_initrd(initrd);
	return resolve(d, "kernel", *d->kernel ? d->kernel : kernel) ||
	       resolve(d, "initrd", *d->initrd ? d->initrd : initrd);
}

/**
 * struct command_line - the arguments of a VMM and what they are made of
 * @words:	the arguments
 * @mem:	MiB, as text
 * @name:	of the guest
 * @append:	kernel command line
 */
struct command_line {
	struct words words;
	char mem[24];
	char name[128];
	char append[2048];
};

static int command_line_make(struct command_line *c, const struct description *d,
			     int number)
{
	const struct field fields[] = {
		{ "name", c->name, false },
		{ "mem", c->mem, false },
		{ "kernel", d->kernel, false },
		{ "initrd", d->initrd, false },
		{ "append", c->append, false },
		{ "accel", d->device == DEVICE_TCG ? ACCEL_TCG : ACCEL_KVM, true },
		{ "ram", ram_words[d->backend], true },
		{ NULL, NULL, false }
	};

	snprintf(c->name, sizeof(c->name), "%.64s-%d", d->name, number);
	snprintf(c->mem, sizeof(c->mem), "%lld", d->mem);
	snprintf(c->append, sizeof(c->append),
		 APPEND " fleet_workload=%s fleet_pages=%lld fleet_seed=%lld fleet_vm=%d fleet_rate=%lld %s",
		 description_workload(d), description_pages(d), d->seed, number,
		 d->write_rate, d->append);
	return words_expand(d->vmm, fields, &c->words);
}

static int check_program(const char *program)
{
	if (program_exists(program))
		return 0;
	return report_failure("there is no program %s: install it (Debian: qemu-system-x86), or name another in the key vmm",
			      program);
}

static int check_readable(const char *path, const char *what, const char *key)
{
	if (!access(path, R_OK))
		return 0;
	return report_failure("cannot read the guests' %s %s: %s (--%s names another)",
			      what, path, strerror(errno), key);
}

static int check_device(const struct description *d)
{
	if (d->device == DEVICE_KVMLITE && access(KVMLITE, R_OK | W_OK))
		return report_failure("cannot use %s: %s (modprobe kvmlite, or --device kvm or tcg)",
				      KVMLITE, strerror(errno));
	if (d->device == DEVICE_KVM && access(KVM, R_OK | W_OK))
		return report_failure("cannot use %s: %s (modprobe kvm_intel or kvm_amd, or --device kvmlite or tcg)",
				      KVM, strerror(errno));
	if (d->device == DEVICE_KVMLITE && geteuid())
		return report_failure("only root can put %s in the place of %s for the guests",
				      KVMLITE, KVM);
	return 0;
}

int vmm_check(const struct description *d)
{
	struct command_line c;
	int status = command_line_make(&c, d, 1);

	if (status)
		return status;
	status = check_program(c.words.argv[0]);
	if (!status)
		status = check_device(d);
	if (!status)
		status = check_readable(d->kernel, "kernel", "kernel");
	if (!status)
		status = check_readable(d->initrd, "initrd", "initrd");
	words_free(&c.words);
	return status;
}

/* In the child; what it says goes to the log. */
static void become_vmm(const struct command_line *c, const struct description *d, pid_t parent,
		       int input, int output)
{
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(STATUS_FAILURE);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(input, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	if (d->device == DEVICE_KVMLITE && devkvm_replace(KVMLITE))
		_exit(STATUS_FAILURE);
	execvp(c->words.argv[0], c->words.argv);
	report_failure("cannot run %s: %s", c->words.argv[0], strerror(errno));
	_exit(STATUS_FAILURE);
}

static int fork_vmm(struct vm *vm, const struct description *d, const struct command_line *c)
{
	pid_t parent = getpid();
	int input[2], output[2];

	if (pipe2(input, O_CLOEXEC))
		return report_failure("no pipe for guest %d: %s", vm->number, strerror(errno));
	if (pipe2(output, O_CLOEXEC)) {
		close(input[0]);
		close(input[1]);
		return report_failure("no pipe for guest %d: %s", vm->number, strerror(errno));
	}
	vm->pid = fork();
	if (!vm->pid)
		become_vmm(c, d, parent, input[0], output[1]);
	close(input[0]);
	close(output[1]);
	vm->input = input[1];
	vm->output = output[0];
	fcntl(vm->input, F_SETFL, O_NONBLOCK);
	fcntl(vm->output, F_SETFL, O_NONBLOCK);
	if (vm->pid < 0) {
		vm->pid = 0;
		return report_failure("cannot start guest %d: %s", vm->number, strerror(errno));
	}
	/* Here as well: whoever of both comes first. */
	setpgid(vm->pid, vm->pid);
	return 0;
}

int vmm_start(struct vm *vm, const struct description *d, double now)
{
	struct command_line c;
	int status;

	vm->log = open(vm->log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (vm->log < 0)
		return report_failure("cannot write %s: %s", vm->log_path, strerror(errno));
	status = command_line_make(&c, d, vm->number);
	if (status)
		return status;
	status = fork_vmm(vm, d, &c);
	words_free(&c.words);
	vm->state = VM_BOOTING;
	vm->heard = now;
	return status;
}

static void note_end(struct vm *vm, int status)
{
	/* QEMU's own messages come just before it ends. */
	const char *colon = *vm->last_line ? ": " : "";

	vm->pid = 0;
	if (vm->state == VM_SUMMED && WIFEXITED(status) && !WEXITSTATUS(status))
		vm->state = VM_ENDED;
	else if (WIFSIGNALED(status))
		vm_break(vm, "its VMM was killed by signal %d (%s)%s%s", WTERMSIG(status),
			 strsignal(WTERMSIG(status)), colon, vm->last_line);
	else if (WEXITSTATUS(status))
		vm_break(vm, "its VMM ended with status %d%s%s", WEXITSTATUS(status),
			 colon, vm->last_line);
	else
		vm_break(vm, "it ended before it was told to%s%s", colon, vm->last_line);
}

/* Whom it started goes with it; until it is reaped nobody else has its number. */
static int reap(const struct vm *vm)
{
	int status = 0;

	kill(-vm->pid, SIGKILL);
	TEMP_FAILURE_RETRY(waitpid(vm->pid, &status, 0));
	return status;
}

bool vmm_has_ended(const struct vm *vm)
{
	siginfo_t info = { .si_pid = 0 };

	return vm_runs(vm) && !waitid(P_PID, vm->pid, &info, WEXITED | WNOHANG | WNOWAIT) &&
	       info.si_pid;
}

void vmm_reap(struct vm *vm)
{
	note_end(vm, reap(vm));
}

void vmm_hold(struct vm *vm)
{
	siginfo_t info;

	if (vm_runs(vm) && !kill(-vm->pid, SIGSTOP))
		TEMP_FAILURE_RETRY(waitid(P_PID, vm->pid, &info, WEXITED | WSTOPPED | WNOWAIT));
}

void vmm_continue(struct vm *vm)
{
	if (vm_runs(vm))
		kill(-vm->pid, SIGCONT);
}

void vmm_kill(struct vm *vm)
{
	if (vm_runs(vm)) {
		reap(vm);
		vm->pid = 0;
	}
}

/* In the child. */
static void become_version(const char *program, int output)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setpgid(0, 0);
	dup2(null, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execlp(program, program, "--version", NULL);
	_exit(STATUS_FAILURE);
}

/* One that does not know the question may wait for ever, or leave who does. */
static void read_version(int fd, char *text, size_t size)
{
	time_t end = time(NULL) + VERSION_SECONDS;
	struct pollfd output = { .fd = fd, .events = POLLIN };
	ssize_t length;

	while (size > 1 && time(NULL) < end && poll(&output, 1, 1000) >= 0) {
		if (!output.revents)
			continue;
		length = read(fd, text, size - 1);
		if (length <= 0)
			break;
		text[length] = '\0';
		if (strchr(text, '\n'))
			break;
		text += length;
		size -= length;
	}
}

static void ask_version(const char *program, char *text, size_t size)
{
	int output[2];
	pid_t pid;

	if (pipe2(output, O_CLOEXEC))
		return;
	pid = fork();
	if (!pid)
		become_version(program, output[1]);
	close(output[1]);
	if (pid > 0) {
		setpgid(pid, pid);
		read_version(output[0], text, size);
		text[strcspn(text, "\n")] = '\0';
		kill(-pid, SIGKILL);
		TEMP_FAILURE_RETRY(waitpid(pid, NULL, 0));
	}
	close(output[0]);
}

void vmm_version(const struct description *d, char *text, size_t size)
{
	struct command_line c;

	*text = '\0';
	if (command_line_make(&c, d, 1))
		return;
	ask_version(c.words.argv[0], text, size);
	words_free(&c.words);
}
