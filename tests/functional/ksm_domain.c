// SPDX-License-Identifier: GPL-2.0
/*
 * Domains: pages of different domains never share a frame, not even one of
 * zeroes.  Judged by the frame numbers that root sees in /proc/PID/pagemap.
 */
#define _GNU_SOURCE
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "ksm_test.h"

#define PAGES	32
#define KINDS	3	/* content, written zeroes, never written */

/* A process with an area: contents, written zeroes, untouched pages. */
struct peer {
	pid_t pid;
	char *mem;
	u64 domain;
	struct turn done, go;
};

/* Gives the descriptor of a peer another domain, whose number it returns. */
typedef u64 (*prepare_fn)(int fd);

static void peer_run(struct peer *peer, unsigned int uid, prepare_fn prepare)
{
	int fd;

	become(uid);
	fd = ksm_open();
	peer->domain = prepare ? prepare(fd) : ksm_stats(fd).domain;
	peer->mem = map_area(fd, KINDS * PAGES);
	pages_fill(peer->mem, PAGES, 5, 1);
	pages_fill(page_at(peer->mem, PAGES), PAGES, 0, 0);
	turn_send(&peer->done, &peer->mem, sizeof(peer->mem));
	turn_send(&peer->done, &peer->domain, sizeof(peer->domain));
	/* Once everybody has filled: merge, then map what came of it. */
	turn_wait(&peer->go);
	ksm_scan(fd);
	turn_pass(&peer->done);
	turn_wait(&peer->go);
	pages_check(peer->mem, PAGES, 5, 1);
	pages_check(page_at(peer->mem, PAGES), 2 * PAGES, 0, 0);
	turn_pass(&peer->done);
	turn_wait(&peer->go);
	_exit(0);
}

static struct peer peer_start(unsigned int uid, prepare_fn prepare)
{
	struct peer peer = { .done = turn_make(), .go = turn_make() };

	peer.pid = tap_fork();
	if (!peer.pid)
		peer_run(&peer, uid, prepare);
	turn_receive(&peer.done, &peer.mem, sizeof(peer.mem));
	turn_receive(&peer.done, &peer.domain, sizeof(peer.domain));
	return peer;
}

/* Let both scan, then let both map. */
static void peers_merge(struct peer *a, struct peer *b)
{
	unsigned int step;

	for (step = 0; step < 2; step++) {
		turn_pass(&a->go);
		turn_wait(&a->done);
		turn_pass(&b->go);
		turn_wait(&b->done);
	}
}

static u64 peer_frame(struct peer *peer, unsigned int page)
{
	u64 frame = pfn_of_pid(peer->pid, page_at(peer->mem, page));

	CHECK(frame != 0);
	return frame;
}

/* How many pages of @a have a frame that some page of @b has. */
static unsigned int frames_in_common(struct peer *a, struct peer *b)
{
	unsigned int i, j, common = 0;

	for (i = 0; i < KINDS * PAGES; i++) {
		u64 frame = peer_frame(a, i);

		for (j = 0; j < KINDS * PAGES; j++)
			if (peer_frame(b, j) == frame)
				break;
		common += j < KINDS * PAGES;
	}
	return common;
}

static void peers_end(struct peer *a, struct peer *b)
{
	turn_pass(&a->go);
	turn_pass(&b->go);
	tap_join(a->pid);
	tap_join(b->pid);
}

static void check_apart(struct peer a, struct peer b)
{
	CHECK(a.domain != b.domain);
	peers_merge(&a, &b);
	CHECK_EQ(frames_in_common(&a, &b), 0);
	peers_end(&a, &b);
}

static void check_together(struct peer a, struct peer b)
{
	unsigned int i;

	CHECK_EQ(a.domain, b.domain);
	peers_merge(&a, &b);
	for (i = 0; i < PAGES; i++)
		CHECK_EQ(peer_frame(&a, i), peer_frame(&b, i));
	peers_end(&a, &b);
}

/* ---- users ---- */

static void two_users(void)
{
	check_apart(peer_start(1001, NULL), peer_start(1002, NULL));
}

static void user_and_root(void)
{
	check_apart(peer_start(1001, NULL), peer_start(0, NULL));
}

static void one_user(void)
{
	check_together(peer_start(1001, NULL), peer_start(1001, NULL));
}

static u64 make_private(int fd)
{
	u64 id = ksm_make_private(fd);

	CHECK_EQ(id, ksm_stats(fd).domain);
	return id;
}

static void private_and_default(void)
{
	check_apart(peer_start(1001, make_private), peer_start(1001, NULL));
}

static void two_private(void)
{
	check_apart(peer_start(1001, make_private),
		    peer_start(1001, make_private));
}

static void test_two_users(void)
{
	tap_as_user(two_users);
}

static void test_user_and_root(void)
{
	tap_as_user(user_and_root);
}

static void test_one_user(void)
{
	tap_as_user(one_user);
}

static void test_private_and_default(void)
{
	tap_as_user(private_and_default);
}

static void test_two_private(void)
{
	tap_as_user(two_private);
}

/* With the scan threads at work instead of KSM_SCAN. */
static void users_and_threads(void)
{
	struct peer a = peer_start(1001, NULL), b = peer_start(1002, NULL);

	ksm_set("advisor_max_cpu", "6400");
	ksm_set("run", "1");
	CHECK_SOON(ksm_get("ksm_zero_pages") == 2 * PAGES &&
		   ksm_get("pages_unshared") == 2 * PAGES);
	CHECK_EQ(ksm_get("pages_shared"), 0);
	peers_merge(&a, &b);
	CHECK_EQ(frames_in_common(&a, &b), 0);
	ksm_set("run", "0");
	peers_end(&a, &b);
}

static void test_users_and_threads(void)
{
	tap_as_user(users_and_threads);
}

/* ---- who may know ---- */

static void check_stranger(int fd)
{
	struct ksm_stats stats = { .flags = 0 };
	struct ksm_scan scan = { .flags = KSM_SCAN_FORCE }, none = { .flags = 0 };

	CHECK_ERRNO(ioctl(fd, KSM_GET_STATS, &stats), EPERM);
	stats.flags = KSM_STATS_DOMAIN;
	CHECK_ERRNO(ioctl(fd, KSM_GET_STATS, &stats), EPERM);
	CHECK_ERRNO(ioctl(fd, KSM_SCAN, &scan), EPERM);
	scan.flags = 0;
	MUST(ioctl(fd, KSM_SCAN, &scan));
	CHECK(!memcmp(&scan, &none, sizeof(scan)));
}

/* What another user does with the descriptor is in the domain of who opened it. */
static void use_as_stranger(int fd)
{
	char *mem;

	become(1001);
	mem = map_area(fd, PAGES);
	pages_fill(mem, PAGES, 5, 0);
	check_stranger(fd);
	check_stranger(ksm_get_file(fd));
	CHECK_EQ(count_vmas(mem, PAGES), 1);
	pages_check(mem, PAGES, 5, 0);
	CHECK_EQ(ksm_stats(ksm_open()).areas, 0);
	_exit(0);
}

static void opener_counts(void)
{
	int fd = ksm_open();
	u64 root = ksm_stats(fd).domain;
	pid_t pid = tap_fork();

	if (!pid)
		use_as_stranger(fd);
	tap_join(pid);
	CHECK_EQ(ksm_stats(fd).domain, root);
	CHECK_EQ(ksm_stats(fd).areas, 1);
	/* The stranger's pass did merge. */
	CHECK_EQ(ksm_stats(fd).pages_merged, PAGES);
}

static void test_opener_counts(void)
{
	tap_as_user(opener_counts);
}

/* Who made a domain private owns it; who has CAP_SYS_ADMIN may know all. */
static void private_of_a_user(void)
{
	int fd = ksm_open();
	pid_t pid = tap_fork();

	if (!pid) {
		become(1001);
		ksm_make_private(fd);
		map_area(fd, PAGES);
		ksm_scan_force(fd);
		CHECK_EQ(ksm_domain_stats(fd).areas, 1);
		_exit(0);
	}
	tap_join(pid);
	CHECK_EQ(ksm_domain_stats(fd).areas, 1);
	ksm_scan_force(fd);
	become(1002);
	check_stranger(fd);
}

static void test_private_of_a_user(void)
{
	tap_as_user(private_of_a_user);
}

/* ---- joining ---- */

static int join_socket[2];

static void send_descriptor(int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = "", byte = 0;
	struct iovec vec = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &vec, .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	CHECK_EQ(sendmsg(join_socket[0], &msg, 0), 1);
}

static int receive_descriptor(void)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec vec = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &vec, .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int fd;

	CHECK_EQ(recvmsg(join_socket[1], &msg, 0), 1);
	CHECK(CMSG_FIRSTHDR(&msg));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

static mode_t offer_mode;

/* A directory carries the domain over, and nothing else. */
static u64 offer_domain(int fd)
{
	int dir = MUST(ioctl(fd, KSM_CREATE_DOMAIN, 0));
	u64 id = ksm_join(fd, dir);

	MUST(fchmod(dir, offer_mode));
	send_descriptor(dir);
	close(dir);
	CHECK_EQ(ksm_stats(fd).domain, id);
	return id;
}

static u64 join_offered(int fd)
{
	int dir = receive_descriptor();
	u64 id = ksm_join(fd, dir);

	close(dir);
	check_stranger(fd);
	return id;
}

/* The answer of a call that fails, and that nothing changed. */
static void check_no_join(int fd, int dir, int error)
{
	struct ksm_set_domain set = { .flags = KSM_DOMAIN_JOIN, .fd = dir };
	u64 domain = ksm_stats(fd).domain;

	CHECK_ERRNO(ioctl(fd, KSM_SET_DOMAIN, &set), error);
	CHECK_EQ(ksm_stats(fd).domain, domain);
}

static u64 join_refused(int fd)
{
	int dir = receive_descriptor();

	check_no_join(fd, dir, EACCES);
	close(dir);
	return ksm_stats(fd).domain;
}

static void check_offer(mode_t mode, bool works)
{
	struct peer a, b;

	offer_mode = mode;
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, join_socket));
	a = peer_start(1001, offer_domain);
	b = peer_start(1002, works ? join_offered : join_refused);
	if (works)
		check_together(a, b);
	else
		check_apart(a, b);
	close(join_socket[0]);
	close(join_socket[1]);
}

static void join_other_user(void)
{
	check_offer(0777, true);
	check_offer(0703, true);
}

static void join_without_permission(void)
{
	check_offer(0700, false);
	check_offer(0705, false);
	check_offer(0706, false);
	check_offer(0770, false);
}

static void test_join_other_user(void)
{
	tap_as_user(join_other_user);
}

static void test_join_without_permission(void)
{
	tap_as_user(join_without_permission);
}

/* Only a directory of ksmfs is a domain. */
static void test_join_something_else(void)
{
	int fd = ksm_open(), other = ksm_open_private();

	map_area(other, 1);
	check_no_join(fd, other, EINVAL);
	check_no_join(fd, fd, EINVAL);
	check_no_join(fd, ksm_get_file(other), EINVAL);
	check_no_join(fd, MUST(open("/tmp", O_RDONLY | O_DIRECTORY)), EINVAL);
	check_no_join(fd, MUST(open("/tmp", O_PATH | O_DIRECTORY)), EBADF);
}

/* The domain goes with the last of the directory and the files. */
static void test_directory_keeps(void)
{
	int dir = ksm_create_domain(), fd = ksm_open();
	u64 id = ksm_join(fd, dir);
	char *mem;

	close(fd);
	fd = ksm_open();
	CHECK_EQ(ksm_join(fd, dir), id);
	close(dir);
	mem = map_area(fd, PAGES);
	pages_fill(mem, PAGES, 5, 0);
	CHECK_EQ(ksm_scan(fd).pages_merged, PAGES - 1);
	CHECK_EQ(ksm_stats(fd).domain, id);
}

/* Who owns the directory now may know. */
static void owner_changes(void)
{
	int dir = ksm_create_domain(), fd = ksm_open_joined(dir);

	map_area(fd, 1);
	MUST(fchown(dir, 1001, -1));
	become(1001);
	CHECK_EQ(ksm_domain_stats(fd).areas, 1);
	ksm_scan_force(fd);
}

static void owner_changed(void)
{
	int dir = ksm_create_domain(), fd = ksm_open_joined(dir);

	map_area(fd, 1);
	MUST(fchown(dir, 1001, -1));
	become(1002);
	check_stranger(fd);
}

static void test_owner_changes(void)
{
	tap_as_user(owner_changes);
	tap_as_user(owner_changed);
}

/* ---- directories of a mount ---- */

#define FOLDER "/tmp/ksm_domain"

static void mount_folder(void)
{
	MUST(unshare(CLONE_NEWNS));
	MUST(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	if (mkdir(FOLDER, 0755))
		CHECK_EQ(errno, EEXIST);
	MUST(mount("none", FOLDER, "ksmfs", 0, "mode=0755"));
}

static int open_folder(const char *name)
{
	return MUST(open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static u64 domain_of_file(int dir)
{
	int file = MUST(openat(dir, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	u64 id = ksm_stats(file).domain;

	close(file);
	return id;
}

/* Memory of the device merges with the files of a directory: in all depths one domain. */
static void test_join_a_folder(void)
{
	int fd = ksm_open(), dir;
	u64 id;

	mount_folder();
	MUST(mkdir(FOLDER "/vms", 0700));
	MUST(mkdir(FOLDER "/vms/below", 0700));
	MUST(mkdir(FOLDER "/others", 0700));
	dir = open_folder(FOLDER "/vms/below");
	id = ksm_join(fd, dir);
	CHECK_EQ(id, domain_of_file(dir));
	CHECK_EQ(id, domain_of_file(open_folder(FOLDER "/vms")));
	CHECK_EQ(id, ksm_join(fd, open_folder(FOLDER "/vms")));
	CHECK(id != domain_of_file(open_folder(FOLDER "/others")));
	CHECK(id != ksm_stats(ksm_open()).domain);
}

/* The root of a mount is everybody's: each has the domain of his user there. */
static void join_the_root(void)
{
	int fd, dir;

	mount_folder();
	MUST(chmod(FOLDER, 0777));
	dir = open_folder(FOLDER);
	become(1001);
	fd = ksm_open();
	ksm_make_private(fd);
	CHECK_EQ(ksm_join(fd, dir), ksm_stats(ksm_open()).domain);
	CHECK_EQ(domain_of_file(dir), ksm_stats(ksm_open()).domain);
}

static void test_join_the_root(void)
{
	tap_as_user(join_the_root);
}

/* ---- too late ---- */

static void check_busy(int fd)
{
	struct ksm_set_domain private = { .flags = KSM_DOMAIN_PRIVATE, .fd = -1 };
	int dir = ksm_create_domain();

	CHECK_ERRNO(ioctl(fd, KSM_SET_DOMAIN, &private), EBUSY);
	check_no_join(fd, dir, EBUSY);
	close(dir);
}

static void test_busy_after_mmap(void)
{
	int fd = ksm_open();
	char *mem = map_area(fd, 1);

	check_busy(fd);
	page_fill(mem, 5);
	check_busy(fd);
	MUST(munmap(mem, PAGE));
	check_busy(fd);
}

static void test_busy_after_get_file(void)
{
	int fd = ksm_open();

	close(ksm_get_file(fd));
	check_busy(fd);
}

static void test_busy_after_register(void)
{
	int fd = ksm_open();
	char *mem = map_anon(2);

	page_fill(mem, 5);
	ksm_range_do(fd, KSM_REGISTER, mem, 2);
	check_busy(fd);
	pages_check(mem, 1, 5, 0);
	MUST(munmap(mem, 2 * PAGE));
	check_busy(fd);
}

/* A call that failed is no memory. */
static void test_not_busy_after_failure(void)
{
	int fd = ksm_open();

	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, KSM_AREA_SIZE), EINVAL);
	CHECK_ERRNO(ksm_range_call(fd, KSM_REGISTER, NULL, PAGE, 0), ENOMEM);
	make_private(fd);
	make_private(fd);
}

static void test_ids_are_unique(void)
{
	u64 last = 0;
	unsigned int i;

	for (i = 0; i < 50; i++) {
		int fd = ksm_open_private();
		u64 domain = ksm_stats(fd).domain;

		CHECK(domain > last);
		last = domain;
		close(fd);
	}
}

static const struct tap_test tests[] = {
	{ "two users share no frame", test_two_users },
	{ "a user and root share no frame", test_user_and_root },
	{ "two processes of a user share frames", test_one_user },
	{ "a private and a default domain share no frame",
	  test_private_and_default },
	{ "two private domains of a user share no frame", test_two_private },
	{ "two users and the scan threads", test_users_and_threads },
	{ "the domain is that of the opener", test_opener_counts },
	{ "a private domain belongs to who made it", test_private_of_a_user },
	{ "a directory over a socket lets another user join",
	  test_join_other_user },
	{ "a directory without permission to write and to search does not",
	  test_join_without_permission },
	{ "what is no directory of ksmfs is no domain", test_join_something_else },
	{ "a directory keeps its domain", test_directory_keeps },
	{ "the owner of the directory may know", test_owner_changes },
	{ "a folder of a mount is a domain", test_join_a_folder },
	{ "the root of a mount is the domain of each user", test_join_the_root },
	{ "EBUSY after mmap", test_busy_after_mmap },
	{ "EBUSY after KSM_GET_FILE", test_busy_after_get_file },
	{ "EBUSY after KSM_REGISTER", test_busy_after_register },
	{ "a call that failed leaves the choice", test_not_busy_after_failure },
	{ "domain numbers are not used again", test_ids_are_unique },
};

int main(int argc, char **argv)
{
	int ret = tap_main(argc, argv, tests, ARRAY_SIZE(tests), ksm_quiet);

	ksm_quiet();
	ksm_try_set("run", "1");
	return ret;
}
