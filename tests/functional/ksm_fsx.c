// SPDX-License-Identifier: GPL-2.0
/*
 * Random calls on files of ksmfs, each compared with a model of the file in private
 * memory.  What is written has few kinds of pages, so that passes in between merge
 * much.  KSM_FS=tmpfs runs the same on tmpfs, without passes.
 *
 * The first failure tells the seed, the step and the last calls; FSX_SEED=N in the
 * environment begins with that seed.
 */
#define _GNU_SOURCE
#include "ksm_fs.h"

#define PAGES	24
#define BYTES	(PAGES * PAGE)
#define KINDS	4
#define STEPS	5000
#define HISTORY	6

/**
 * struct subject - a file and what it must be
 * @fd:		the file
 * @peer:	another one of the domain, to copy from and to; never checked
 * @mem:	its shared mapping, of BYTES
 * @model:	what it must hold; zeroes from @size on
 * @size:	its length
 * @taken:	pages that st_blocks must count
 * @seed:	of the random numbers
 * @step:	calls so far
 * @history:	the last of them
 */
struct subject {
	int fd, peer;
	char *mem;
	unsigned char *model;
	u64 size;
	bool taken[PAGES];
	unsigned int seed, step, first_seed;
	struct {
		const char *name;
		u64 at, len;
	} history[HISTORY];
};

static u64 below(struct subject *s, u64 limit)
{
	return limit ? (u64)rand_r(&s->seed) % limit : 0;
}

__attribute__((noreturn))
static void fail(struct subject *s, const char *what, u64 at)
{
	char text[400];
	unsigned int i, n = 0;

	for (i = 0; i < HISTORY; i++) {
		unsigned int j = (s->step + i + 1) % HISTORY;

		if (s->history[j].name)
			n += snprintf(text + n, sizeof(text) - n, " %s(%llu,%llu)",
				      s->history[j].name,
				      (unsigned long long)s->history[j].at,
				      (unsigned long long)s->history[j].len);
	}
	tap_fail("seed %u, step %u, size %llu: %s at %llu; the last calls:%s",
		 s->first_seed, s->step, (unsigned long long)s->size, what,
		 (unsigned long long)at, text);
}

/* ---- the model ---- */

static unsigned char byte_of(unsigned int kind, u64 at)
{
	return kind ? (at % PAGE * 7 + (at % PAGE >> 8) + kind * 31) | 1 : 0;
}

static void model_write(struct subject *s, const void *data, u64 at, u64 len)
{
	u64 page;

	if (!len)
		return;
	memcpy(s->model + at, data, len);
	if (at + len > s->size)
		s->size = at + len;
	for (page = at / PAGE; page <= (at + len - 1) / PAGE; page++)
		s->taken[page] = true;
}

static void model_take(struct subject *s, u64 at, u64 len, bool taken)
{
	u64 page;

	for (page = (at + (taken ? 0 : PAGE - 1)) / PAGE;
	     taken ? page * PAGE < at + len : (page + 1) * PAGE <= at + len; page++)
		s->taken[page] = taken;
}

static void check_range(struct subject *s, const void *got, u64 at, u64 len,
			const char *what)
{
	const unsigned char *byte = got;
	u64 i;

	if (!memcmp(got, s->model + at, len))
		return;
	for (i = 0; byte[i] == s->model[at + i]; i++)
		;
	fail(s, what, at + i);
}

static void check_all(struct subject *s)
{
	static unsigned char buf[BYTES + 1];
	struct stat st = stat_fd(s->fd);
	unsigned int i, taken = 0;

	if ((u64)st.st_size != s->size)
		fail(s, "another st_size", st.st_size);
	if (pread(s->fd, buf, sizeof(buf), 0) != (ssize_t)s->size)
		fail(s, "a short read", 0);
	check_range(s, buf, 0, s->size, "another byte read");
	for (i = 0; i < PAGES; i++)
		taken += s->taken[i];
	/* tmpfs also counts holes that were read through the mapping. */
	if (fs_is_ksm && st.st_blocks != taken * 8)
		fail(s, "other st_blocks", st.st_blocks);
}

/* ---- the calls ---- */

/* A range within @limit; sometimes of whole pages. */
static void pick(struct subject *s, u64 limit, u64 *at, u64 *len)
{
	*at = below(s, limit);
	*len = 1 + below(s, limit - *at);
	if (below(s, 2)) {
		*at -= *at % PAGE;
		*len = (*len + PAGE - 1) / PAGE * PAGE;
		if (*at + *len > limit)
			*len = limit - *at;
	}
}

static void fill(struct subject *s, unsigned char *buf, u64 at, u64 len)
{
	unsigned int kind = below(s, KINDS);
	u64 i;

	for (i = 0; i < len; i++)
		buf[i] = byte_of(kind, at + i);
}

static void do_write(struct subject *s, u64 at, u64 len)
{
	static unsigned char buf[BYTES];

	fill(s, buf, at, len);
	if (pwrite(s->fd, buf, len, at) != (ssize_t)len)
		fail(s, "a short write", at);
	model_write(s, buf, at, len);
}

static void do_store(struct subject *s, u64 at, u64 len)
{
	static unsigned char buf[BYTES];

	fill(s, buf, at, len);
	memcpy(s->mem + at, buf, len);
	model_write(s, buf, at, len);
}

static void do_vm_write(struct subject *s, u64 at, u64 len)
{
	static unsigned char buf[BYTES];
	struct iovec local = { buf, len }, remote = { s->mem + at, len };

	fill(s, buf, at, len);
	if (process_vm_writev(getpid(), &local, 1, &remote, 1, 0) != (ssize_t)len)
		fail(s, "a short process_vm_writev", at);
	model_write(s, buf, at, len);
}

static void do_read(struct subject *s, u64 at, u64 len)
{
	static unsigned char buf[BYTES];

	if (pread(s->fd, buf, len, at) != (ssize_t)len)
		fail(s, "a short read", at);
	check_range(s, buf, at, len, "another byte read");
}

static void do_load(struct subject *s, u64 at, u64 len)
{
	check_range(s, s->mem + at, at, len, "another byte mapped");
}

static void do_truncate(struct subject *s, u64 at, u64 len)
{
	(void)len;
	if (ftruncate(s->fd, at))
		fail(s, "ftruncate failed", at);
	if (at < s->size) {
		memset(s->model + at, 0, s->size - at);
		model_take(s, at, BYTES - at, false);
	}
	s->size = at;
}

static void do_punch(struct subject *s, u64 at, u64 len)
{
	if (fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, len))
		fail(s, "no hole was punched", at);
	memset(s->model + at, 0, len);
	model_take(s, at, len, false);
}

static void do_remove(struct subject *s, u64 at, u64 len)
{
	at -= at % PAGE;
	len = (len + PAGE - 1) / PAGE * PAGE;
	if (madvise(s->mem + at, len, MADV_REMOVE))
		fail(s, "MADV_REMOVE failed", at);
	memset(s->model + at, 0, len);
	model_take(s, at, len, false);
}

static void do_allocate(struct subject *s, u64 at, u64 len)
{
	if (fallocate(s->fd, 0, at, len))
		fail(s, "fallocate failed", at);
	if (at + len > s->size)
		s->size = at + len;
	model_take(s, at, len, true);
}

/* Zeroes as if written. */
static void do_zero(struct subject *s, u64 at, u64 len)
{
	static const unsigned char zeroes[BYTES];

	if (!fs_is_ksm) {
		if (pwrite(s->fd, zeroes, len, at) != (ssize_t)len)
			fail(s, "a short write", at);
	} else if (fallocate(s->fd, FALLOC_FL_ZERO_RANGE, at, len)) {
		fail(s, "FALLOC_FL_ZERO_RANGE failed", at);
	}
	model_write(s, zeroes, at, len);
}

static void do_forget(struct subject *s, u64 at, u64 len)
{
	at -= at % PAGE;
	if (madvise(s->mem + at, len, MADV_DONTNEED))
		fail(s, "MADV_DONTNEED failed", at);
}

static void do_remap(struct subject *s, u64 at, u64 len)
{
	(void)at;
	(void)len;
	MUST(munmap(s->mem, BYTES));
	s->mem = map_shared(s->fd, PAGES);
}

static void do_protect(struct subject *s, u64 at, u64 len)
{
	at -= at % PAGE;
	MUST(mprotect(s->mem + at, len, PROT_READ));
	MUST(mprotect(s->mem + at, len, PROT_READ | PROT_WRITE));
}

/* From one page of the file to another, through the mapping. */
static void do_self_write(struct subject *s, u64 at, u64 len)
{
	u64 half = len / 2;

	if (pwrite(s->fd, s->mem + at, half, at + len - half) != (ssize_t)half)
		fail(s, "a short write from the mapping", at);
	model_write(s, s->model + at, at + len - half, half);
}

static void do_self_read(struct subject *s, u64 at, u64 len)
{
	u64 half = len / 2;

	if (pread(s->fd, s->mem + at + len - half, half, at) != (ssize_t)half)
		fail(s, "a short read into the mapping", at);
	model_write(s, s->model + at, at + len - half, half);
}

static void do_copy(struct subject *s, u64 at, u64 len)
{
	static unsigned char buf[BYTES];
	loff_t from = at, to = at;

	/* By splice; what the peer has is written at once, for that. */
	fill(s, buf, at, len);
	if (pwrite(s->peer, buf, len, at) != (ssize_t)len)
		fail(s, "a short write to the other file", at);
	while (to < (loff_t)(at + len))
		if (copy_file_range(s->peer, &from, s->fd, &to, at + len - to, 0) <= 0)
			fail(s, "a short copy_file_range", to);
	model_write(s, buf, at, len);
}

static void do_scan(struct subject *s, u64 at, u64 len)
{
	(void)at;
	(void)len;
	if (fs_is_ksm)
		ksm_scan_force(s->fd);
}

static void do_unmerge(struct subject *s, u64 at, u64 len)
{
	u64 end = s->size / PAGE * PAGE;

	at -= at % PAGE;
	len = (len + PAGE - 1) / PAGE * PAGE;
	if (!fs_is_ksm || at + len > end)
		return;
	MUST(ksm_range_call(s->fd, KSM_UNMERGE, (void *)at, len, KSM_RANGE_OFFSET));
	check_all(s);
	MUST(ksm_range_call(s->fd, KSM_MERGE, (void *)at, len, KSM_RANGE_OFFSET));
}

/**
 * struct call - one kind
 * @inside:	its range lies within the file
 * @weight:	how often it comes
 */
static const struct call {
	const char *name;
	void (*run)(struct subject *s, u64 at, u64 len);
	bool inside;
	unsigned int weight;
} calls[] = {
	{ "write", do_write, false, 8 },
	{ "store", do_store, true, 8 },
	{ "process_vm_writev", do_vm_write, true, 2 },
	{ "read", do_read, true, 6 },
	{ "load", do_load, true, 6 },
	{ "truncate", do_truncate, false, 4 },
	{ "punch", do_punch, false, 3 },
	{ "MADV_REMOVE", do_remove, true, 2 },
	{ "allocate", do_allocate, false, 1 },
	{ "zero", do_zero, false, 3 },
	{ "MADV_DONTNEED", do_forget, true, 2 },
	{ "remap", do_remap, false, 1 },
	{ "mprotect", do_protect, true, 1 },
	{ "write-self", do_self_write, true, 2 },
	{ "read-self", do_self_read, true, 2 },
	{ "copy", do_copy, false, 2 },
	{ "scan", do_scan, false, 6 },
	{ "unmerge", do_unmerge, true, 2 },
};

static const struct call *pick_call(struct subject *s)
{
	unsigned int i, sum = 0, at;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		sum += calls[i].weight;
	at = below(s, sum);
	for (i = 0; at >= calls[i].weight; i++)
		at -= calls[i].weight;
	return &calls[i];
}

static void step(struct subject *s)
{
	const struct call *call = pick_call(s);
	u64 at, len;

	if (call->inside && !s->size)
		return;
	pick(s, call->inside ? s->size : BYTES, &at, &len);
	s->history[s->step % HISTORY].name = call->name;
	s->history[s->step % HISTORY].at = at;
	s->history[s->step % HISTORY].len = len;
	call->run(s, at, len);
}

static void run(const char *name, unsigned int seed)
{
	struct subject s = { .first_seed = seed, .seed = seed };
	char peer[32];

	snprintf(peer, sizeof(peer), "%s.peer", name);
	s.fd = file_new(name);
	s.peer = file_new(peer);
	s.mem = map_shared(s.fd, PAGES);
	s.model = map_anon(PAGES);
	for (s.step = 0; s.step < STEPS; s.step++) {
		step(&s);
		if (s.step % 8 == 0)
			check_all(&s);
	}
	check_all(&s);
}

static unsigned int first_seed(void)
{
	const char *seed = getenv("FSX_SEED");

	return seed ? strtoul(seed, NULL, 10) : 1;
}

static void test_one(void)
{
	MUST(mkdir("d", 0755));
	MUST(chdir("d"));
	run("a", first_seed());
	run("b", first_seed() + 1);
}

/* Each has a file of its own; what one merges, the others write. */
static void test_several(void)
{
	pid_t pid[3];
	char name[] = "a";
	unsigned int i;

	MUST(mkdir("d", 0755));
	MUST(chdir("d"));
	for (i = 0; i < 3; i++, name[0]++) {
		pid[i] = tap_fork();
		if (!pid[i]) {
			run(name, first_seed() + 10 + i);
			_exit(0);
		}
	}
	for (i = 0; i < 3; i++)
		tap_join(pid[i]);
}

static const struct tap_test tests[] = {
	{ "random calls on one file at a time", test_one },
	{ "random calls on files of several processes", test_several },
};

int main(int argc, char **argv)
{
	return fs_main(argc, argv, tests, ARRAY_SIZE(tests));
}
