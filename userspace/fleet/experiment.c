// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "console.h"
#include "csv.h"
#include "experiment.h"
#include "fleet.h"
#include "guest/workload.h"
#include "settings.h"
#include "table.h"
#include "versions.h"
#include "vmm.h"

/* A guest is asked so often in the time after which it is given up. */
#define PINGS		4
#define LONGEST_WAIT	0.2
/* Of the time between two looks at the guests no more counts as their silence. */
#define LONGEST_GAP	5.0

static volatile sig_atomic_t signals;

static void count_signal(int signal)
{
	(void)signal;
	signals++;
}

void experiment_catch_signals(void)
{
	const struct sigaction end = { .sa_handler = count_signal };
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction old;

	sigaction(SIGINT, &end, NULL);
	sigaction(SIGTERM, &end, NULL);
	/* nohup(1) wants it to go on. */
	if (!sigaction(SIGHUP, &end, &old) && old.sa_handler == SIG_IGN)
		sigaction(SIGHUP, &old, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

double experiment_time(const struct experiment *e)
{
	return now() - e->start;
}

int experiment_check(const struct description *d)
{
	int status = description_check(d);

	if (!status)
		status = vmm_check(d);
	if (!status)
		status = backend_of(d)->check();
	if (!status && d->frames != FRAMES_NEVER && geteuid())
		status = report_failure("only root may count frames: --set frames=never leaves it out");
	return status;
}

static bool all_are(const struct experiment *e, enum vm_state state)
{
	int i;

	for (i = 0; i < e->d->vms; i++)
		if (e->vms[i].state != state)
			return false;
	return true;
}

static int start_due(struct experiment *e, double time)
{
	int i;

	for (i = 0; i < e->d->vms; i++)
		if (e->vms[i].state == VM_WAITING && time >= i * e->d->stagger &&
		    vmm_start(&e->vms[i], e->d, time))
			return STATUS_FAILURE;
	return 0;
}

/* Waits for the guests' consoles, at most @seconds, and reads them. */
static int wait_and_read(struct experiment *e, double seconds)
{
	int count = e->d->vms, status = 0, i;
	struct pollfd *fds = calloc(count, sizeof(*fds));

	if (!fds)
		return report_no_memory();
	for (i = 0; i < count; i++) {
		fds[i].fd = vm_runs(&e->vms[i]) ? e->vms[i].output : -1;
		fds[i].events = POLLIN;
	}
	if (seconds > LONGEST_WAIT)
		seconds = LONGEST_WAIT;
	if (poll(fds, count, seconds > 0 ? seconds * 1000 + 1 : 0) > 0)
		for (i = 0; i < count && !status; i++)
			if (fds[i].revents)
				status = console_read(&e->vms[i], e->d, experiment_time(e));
	free(fds);
	return status;
}

/* Idle guests are left alone; of others, samples tell what they wrote. */
static double ping_after(const struct description *d)
{
	double longest = d->patience / PINGS;

	return description_writes(d) && d->interval < longest ? d->interval : longest;
}

/* Of those that are ready it counts from when they were asked. */
static void check_silence(struct experiment *e, struct vm *vm, double time)
{
	double silent = time - vm->heard;

	if (vm->state == VM_READY && !vm->pinged) {
		if (silent <= ping_after(e->d))
			return;
		console_say(vm, "ping");
		vm->pinged = true;
		vm->asked = time;
		return;
	}
	if (vm->state == VM_READY)
		silent = time - vm->asked;
	if (silent > e->d->patience)
		vm_break(vm, "it has said nothing for %.0f s while %s", silent,
			 vm_state_name(vm));
}

static double earlier_of(double a, double b)
{
	return a < b ? a : b;
}

/*
 * Where we stood still ourselves, stopped or with long work, guests could not be
 * heard, and may have been held: that is no silence of theirs.
 */
static void forgive_gap(struct experiment *e, double time)
{
	double gap = time - e->tended;
	double excess = gap - earlier_of(LONGEST_GAP, e->d->patience / PINGS);
	struct vm *vm;

	e->tended = time;
	if (excess <= 0)
		return;
	for (vm = e->vms; vm < e->vms + e->d->vms; vm++) {
		vm->heard = earlier_of(vm->heard + excess, time);
		vm->asked = earlier_of(vm->asked + excess, time);
	}
}

/* Looks after one; an exit status. */
static int tend_vm(struct experiment *e, struct vm *vm, double time)
{
	/* Others may hold its end of the pipe, so that no end of file comes. */
	if (vmm_has_ended(vm)) {
		if (console_drain(vm, e->d, time))
			return STATUS_FAILURE;
		vmm_reap(vm);
	}
	if (vm_runs(vm))
		check_silence(e, vm, time);
	if (vm->state != VM_BROKEN)
		return 0;
	e->broken = vm;
	return report_failure("guest %d failed: %s (its console: %s)", vm->number,
			      vm->problem, vm->log_path);
}

/* Looks after the guests; an exit status. */
static int tend(struct experiment *e, double until)
{
	int status = wait_and_read(e, until - experiment_time(e)), i;
	double time = experiment_time(e);

	if (status)
		return status;
	forgive_gap(e, time);
	for (i = 0; !status && i < e->d->vms; i++)
		status = tend_vm(e, &e->vms[i], time);
	return status;
}

static int take_sample(struct experiment *e, enum sample_depth depth)
{
	int status = sampler_take(&e->sampler, e->vms, e->d->vms, experiment_time(e), depth);

	if (status)
		return status;
	csv_write(e->csv.file, sampler_last(&e->sampler), e->d->vms);
	table_show(e);
	return result_flush(&e->csv);
}

/* Of all samples but the last one. */
static enum sample_depth usual_depth(const struct description *d)
{
	if (d->frames == FRAMES_EACH)
		return SAMPLE_COUNTED;
	return d->pss == PSS_EACH ? SAMPLE_MAPPED : SAMPLE_STATISTICS;
}

static double next_event(const struct experiment *e, double time)
{
	double next = e->next_sample;
	int i;

	for (i = 0; i < e->d->vms; i++)
		if (e->vms[i].state == VM_WAITING && i * e->d->stagger < next)
			return i * e->d->stagger > time ? i * e->d->stagger : time;
	return next;
}

/* All are ready for the first time; an exit status. */
static int become_ready(struct experiment *e, double time)
{
	int i;

	e->ready = time;
	e->begun = time;
	for (i = 0; i < e->d->vms; i++)
		e->vms[i].alive.first_time = -1;
	if (take_sample(e, SAMPLE_MAPPED))
		return STATUS_FAILURE;
	e->ready_used = sample_used(sampler_last(&e->sampler));
	/* The sample takes time, on each back end another. */
	e->begun = experiment_time(e);
	if (e->d->merge != MERGE_WHEN_READY)
		return 0;
	e->merging = e->begun;
	return sampler_go(&e->sampler);
}

/* Until the time is over, or a signal or a failure ends it. */
static int run_guests(struct experiment *e)
{
	int status = 0;
	double time;

	while (!status && !signals) {
		time = experiment_time(e);
		if (e->ready < 0 && all_are(e, VM_READY))
			status = become_ready(e, time);
		if (e->ready >= 0 && time >= e->begun + e->d->duration)
			break;
		if (!status)
			status = start_due(e, time);
		if (!status)
			status = tend(e, next_event(e, time));
		time = experiment_time(e);
		if (!status && time >= e->next_sample) {
			status = take_sample(e, usual_depth(e->d));
			/* What took too long is left out. */
			while (e->next_sample <= time)
				e->next_sample += e->d->interval;
		}
	}
	e->interrupted = signals;
	return status;
}

/* Each that got so far verifies its memory and ends; another signal ends that. */
static int stop_guests(struct experiment *e)
{
	int before = signals, status = 0, i;
	bool wait = true;

	for (i = 0; i < e->d->vms; i++)
		if (e->vms[i].state == VM_READY) {
			console_say(&e->vms[i], "stop");
			e->vms[i].state = VM_STOPPING;
			e->vms[i].heard = experiment_time(e);
		}
	while (!status && wait && signals == before) {
		status = tend(e, experiment_time(e) + LONGEST_WAIT);
		if (!status)
			table_show(e);
		for (wait = false, i = 0; i < e->d->vms; i++)
			if (e->vms[i].state == VM_STOPPING || e->vms[i].state == VM_SUMMED)
				wait = true;
	}
	if (signals != before)
		e->interrupted = true;
	return status;
}

static void kill_guests(struct experiment *e)
{
	struct vm *vm;

	for (vm = e->vms; vm && vm < e->vms + e->d->vms; vm++) {
		vmm_kill(vm);
		if (vm->input >= 0)
			close(vm->input);
		if (vm->output >= 0)
			close(vm->output);
		if (vm->log >= 0)
			close(vm->log);
	}
}

static int write_description(const struct experiment *e)
{
	struct result_file f;

	if (result_open(&f, e->folder, "description"))
		return STATUS_FAILURE;
	fprintf(f.file, "# fleet run with this file repeats the experiment.\n");
	description_write(e->d, f.file);
	return result_close(&f);
}

static int prepare(struct experiment *e)
{
	char name[32];
	int i;

	e->vms = calloc(e->d->vms, sizeof(*e->vms));
	if (!e->vms)
		return report_no_memory();
	for (i = 0; i < e->d->vms; i++) {
		e->vms[i].number = i + 1;
		e->vms[i].input = -1;
		e->vms[i].output = -1;
		e->vms[i].log = -1;
		snprintf(name, sizeof(name), "vm%d.log", i + 1);
		result_path(e->vms[i].log_path, e->folder, name);
	}
	e->ready = -1;
	e->versions = versions_get(e->d);
	if (write_description(e) || versions_write(e->versions, e->folder) ||
	    result_open(&e->csv, e->folder, CSV_NAME))
		return STATUS_FAILURE;
	csv_header(e->csv.file);
	/* Nothing that waits to be written may fail once more in the end. */
	return result_flush(&e->csv);
}

/* From the first guest's start to the last one's end, with the table. */
static int run_to_end(struct experiment *e)
{
	int status;

	e->start = now();
	table_enter(e);
	status = run_guests(e);
	if (!status)
		status = take_sample(e, e->d->frames == FRAMES_NEVER ? SAMPLE_MAPPED :
					SAMPLE_COUNTED);
	if (!status)
		status = stop_guests(e);
	/* Drawn again it would hide what went wrong. */
	if (!status)
		table_show(e);
	table_leave();
	return status;
}

int experiment_run(struct experiment *e, const struct description *d, const char *folder)
{
	const struct backend *backend = backend_of(d);
	int status;

	memset(e, 0, sizeof(*e));
	e->d = d;
	snprintf(e->folder, sizeof(e->folder), "%s", folder);
	status = prepare(e);
	if (!status)
		status = backend->start(d);
	if (!status)
		status = sampler_start(&e->sampler, backend);
	if (!status && d->merge == MERGE_WHEN_READY)
		status = sampler_hold(&e->sampler);
	if (!status)
		status = run_to_end(e);
	kill_guests(e);
	settings_restore();
	if (e->csv.file && result_close(&e->csv) && !status)
		status = STATUS_FAILURE;
	return status;
}

void experiment_free(struct experiment *e)
{
	sampler_free(&e->sampler);
	json_object_put(e->versions);
	free(e->vms);
	memset(e, 0, sizeof(*e));
}
