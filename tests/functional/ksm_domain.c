// SPDX-License-Identifier: GPL-2.0
/*
 * Domains: pages of different domains never share a frame, not even one of
 * zeroes.  Judged by the frame numbers that root sees in /proc/PID/pagemap.
 */
#define _GNU_SOURCE
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

/* What the area of a peer becomes after it was opened. */
typedef void (*prepare_fn)(int fd);

static void peer_run(struct peer *peer, unsigned int uid, prepare_fn prepare)
{
	int fd;

	become(uid);
	fd = ksm_open();
	if (prepare)
		prepare(fd);
	peer->mem = map_area(fd, KINDS * PAGES);
	peer->domain = ksm_stats(fd).domain;
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

static void make_private(int fd)
{
	struct ksm_set_domain set = { .flags = KSM_DOMAIN_PRIVATE, .fd = -1 };

	MUST(ioctl(fd, KSM_SET_DOMAIN, &set));
	CHECK_EQ(set.id, ksm_stats(fd).domain);
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

/* An area belongs to who opened it, whoever uses the descriptor. */
static void opener_counts(void)
{
	int fd = ksm_open();
	u64 root = ksm_stats(fd).domain;

	become(1001);
	CHECK_EQ(ksm_stats(fd).domain, root);
	CHECK(ksm_stats(ksm_open()).domain != root);
}

static void test_opener_counts(void)
{
	tap_as_user(opener_counts);
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

/* An area without memory carries the domain over, and nothing else. */
static void offer_domain(int fd)
{
	int empty = ksm_open_joined(fd);

	send_descriptor(empty);
	close(empty);
}

static void offer_private_domain(int fd)
{
	make_private(fd);
	offer_domain(fd);
}

static void join_offered(int fd)
{
	int with = receive_descriptor();
	struct ksm_set_domain set = { .flags = KSM_DOMAIN_JOIN, .fd = with };

	MUST(ioctl(fd, KSM_SET_DOMAIN, &set));
	CHECK_EQ(set.id, ksm_stats(with).domain);
	CHECK_EQ(set.id, ksm_stats(fd).domain);
	close(with);
}

static void check_join(prepare_fn offer)
{
	struct peer a, b;

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, join_socket));
	a = peer_start(1001, offer);
	b = peer_start(1002, join_offered);
	check_together(a, b);
}

static void join_other_user(void)
{
	check_join(offer_domain);
}

static void join_private(void)
{
	check_join(offer_private_domain);
}

static void test_join_other_user(void)
{
	tap_as_user(join_other_user);
}

static void test_join_private(void)
{
	tap_as_user(join_private);
}

/* ---- too late ---- */

static void check_busy(int fd)
{
	int other = ksm_open_private();
	struct ksm_set_domain private = { .flags = KSM_DOMAIN_PRIVATE, .fd = -1 };
	struct ksm_set_domain join = { .flags = KSM_DOMAIN_JOIN, .fd = other };
	u64 domain = ksm_stats(fd).domain;

	CHECK_ERRNO(ioctl(fd, KSM_SET_DOMAIN, &private), EBUSY);
	CHECK_ERRNO(ioctl(fd, KSM_SET_DOMAIN, &join), EBUSY);
	CHECK_EQ(ksm_stats(fd).domain, domain);
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

static void test_busy_after_register(void)
{
	int fd = ksm_open();
	char *mem = map_anon(2);

	page_fill(mem, 5);
	ksm_range_do(fd, KSM_REGISTER, mem, 2);
	check_busy(fd);
	pages_check(mem, 1, 5, 0);
}

/* A call that failed is no memory. */
static void test_not_busy_after_failure(void)
{
	int fd = ksm_open();

	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), EINVAL);
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
	{ "a descriptor over a socket lets another user join",
	  test_join_other_user },
	{ "a descriptor over a socket lets join a private domain",
	  test_join_private },
	{ "EBUSY after mmap", test_busy_after_mmap },
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
