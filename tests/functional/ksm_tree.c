// SPDX-License-Identifier: GPL-2.0
/*
 * ksmfs as a tree: names, directories, links, who may do what, and how it is
 * mounted.  KSM_FS=tmpfs runs the same on tmpfs.
 *
 * Names stay below one directory of the root where they are moved: that is a
 * domain, which they cannot leave.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "ksm_fs.h"

/* A file that holds one page of @seed. */
static void put_file(const char *name, u64 seed)
{
	MUST(close(file_of(name, 1, seed, 0)));
}

static void check_file(const char *name, u64 seed)
{
	int fd = MUST(open(name, O_RDONLY | O_CLOEXEC));

	file_check(fd, 0, 1, seed, 0);
	MUST(close(fd));
}

static long rename_flags(const char *from, const char *to, unsigned int flags)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
}

#define CHECK_NLINK(name, want)	CHECK_EQ(stat_of(name).st_nlink, want)

/* The test's names are relative to a domain. */
static void enter_domain(void)
{
	MUST(mkdir("domain", 0755));
	MUST(chdir("domain"));
}

/* ---- names ---- */

static void test_names(void)
{
	char name[NAME_MAX + 2];

	enter_domain();
	CHECK_ERRNO(open("f", O_RDWR), ENOENT);
	put_file("f", 1);
	CHECK_ERRNO(open("f", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
	MUST(close(MUST(open("f", O_RDWR | O_CREAT, 0644))));
	check_file("f", 1);
	CHECK_ERRNO(open("f/g", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERRNO(mkdir("f", 0755), EEXIST);
	CHECK_ERRNO(mkdir("d/e", 0755), ENOENT);
	MUST(mkdir("d", 0755));
	CHECK_ERRNO(mkdir("d", 0755), EEXIST);
	CHECK_ERRNO(open("d", O_RDWR), EISDIR);
	CHECK_ERRNO(open("d", O_RDONLY | O_CREAT, 0644), EISDIR);
	memset(name, 'x', sizeof(name));
	name[NAME_MAX + 1] = '\0';
	CHECK_ERRNO(open(name, O_RDWR | O_CREAT, 0644), ENAMETOOLONG);
	CHECK_ERRNO(mkdir(name, 0755), ENAMETOOLONG);
	name[NAME_MAX] = '\0';
	put_file(name, 2);
	check_file(name, 2);
	MUST(unlink(name));
	put_file("\xff\x01 name\n", 3);
	check_file("\xff\x01 name\n", 3);
	CHECK_EQ(statfs_of(".").f_namelen, NAME_MAX);
}

static void test_directories(void)
{
	int dir;

	enter_domain();
	CHECK_NLINK(".", 2);
	MUST(mkdir("d", 0755));
	MUST(mkdir("d/e", 0755));
	CHECK_NLINK(".", 3);
	CHECK_NLINK("d", 3);
	CHECK_NLINK("d/e", 2);
	put_file("d/f", 1);
	CHECK_NLINK("d", 3);
	CHECK_ERRNO(rmdir("d"), ENOTEMPTY);
	CHECK_ERRNO(rmdir("d/f"), ENOTDIR);
	CHECK_ERRNO(unlink("d"), EISDIR);
	CHECK_ERRNO(rmdir("d/."), EINVAL);
	CHECK_ERRNO(rmdir("d/e/.."), ENOTEMPTY);
	CHECK_ERRNO(rmdir("nothing"), ENOENT);
	dir = MUST(open("d/e", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	MUST(rmdir("d/e"));
	CHECK_NLINK("d", 2);
	CHECK_EQ(stat_fd(dir).st_nlink, 0);
	CHECK_ERRNO(openat(dir, "x", O_RDWR | O_CREAT, 0644), ENOENT);
	CHECK_ERRNO(mkdirat(dir, "x", 0755), ENOENT);
	CHECK_ERRNO(rmdir("d"), ENOTEMPTY);
	MUST(unlink("d/f"));
	MUST(rmdir("d"));
	CHECK_NLINK(".", 2);
	MUST(chdir(".."));
	CHECK_ERRNO(rmdir(fs_folder), EBUSY);
	MUST(rmdir("domain"));
	CHECK_NLINK(".", 2);
}

/* Each name once, and none that was removed before. */
static unsigned int count_names(const char *name, unsigned int files)
{
	bool *seen = calloc(files, sizeof(*seen));
	unsigned int count = 0, dots = 0, i;
	struct dirent *entry;
	DIR *dir = opendir(name);

	CHECK(seen && dir);
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.') {
			CHECK_EQ(entry->d_type, DT_DIR);
			dots++;
			continue;
		}
		CHECK_EQ(sscanf(entry->d_name, "f%u", &i), 1);
		CHECK(i < files && !seen[i]);
		CHECK_EQ(entry->d_type, i % 2 ? DT_REG : DT_DIR);
		seen[i] = true;
		count++;
	}
	CHECK_EQ(dots, 2);
	closedir(dir);
	free(seen);
	return count;
}

/* A position that was told is found again. */
static void check_telldir(DIR *dir)
{
	struct dirent *entry;
	unsigned int i;
	char *name;
	long at;

	for (i = 0; i < 100; i++)
		CHECK(readdir(dir));
	at = telldir(dir);
	entry = readdir(dir);
	CHECK(entry);
	name = strdup(entry->d_name);
	CHECK(name);
	while (readdir(dir))
		;
	seekdir(dir, at);
	entry = readdir(dir);
	CHECK(entry && !strcmp(entry->d_name, name));
	rewinddir(dir);
}

#define MANY	600

static void test_readdir(void)
{
	struct dirent *entry;
	unsigned int i;
	char name[16];
	DIR *dir;

	enter_domain();
	for (i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		if (i % 2)
			MUST(close(file_new(name)));
		else
			MUST(mkdir(name, 0755));
	}
	CHECK_EQ(count_names(".", MANY), MANY);
	for (i = 0; i < MANY; i += 3) {
		snprintf(name, sizeof(name), "f%u", i);
		MUST(i % 2 ? unlink(name) : rmdir(name));
	}
	CHECK_EQ(count_names(".", MANY), MANY * 2 / 3);
	dir = opendir(".");
	CHECK(dir);
	check_telldir(dir);
	/* As rm -r does: removed while it is read. */
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			MUST(unlinkat(AT_FDCWD, entry->d_name,
				      entry->d_type == DT_DIR ? AT_REMOVEDIR : 0));
	rewinddir(dir);
	put_file("f1", 1);
	for (i = 0; readdir(dir); i++)
		;
	CHECK_EQ(i, 3);
	closedir(dir);
	CHECK_EQ(count_names(".", MANY), 1);
	CHECK_NLINK(".", 2);
}

static void change_names(unsigned int seed)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	unsigned int i;

	for (i = 0; i < 4000; i++) {
		const char *name = names[rand_r(&seed) % 4];
		const char *other = names[rand_r(&seed) % 4];

		switch (rand_r(&seed) % 7) {
		case 0:
			close(open(name, O_RDWR | O_CREAT, 0644));
			break;
		case 1:
			mkdir(name, 0755);
			break;
		case 2:
			unlink(name);
			break;
		case 3:
			rmdir(name);
			break;
		case 4:
			link(name, other);
			break;
		case 5:
			rename(name, other);
			break;
		default:
			rename_flags(name, other, RENAME_EXCHANGE);
		}
	}
}

/* Several processes make, move and remove the same names. */
static void test_names_together(void)
{
	unsigned int i, links = 2;
	pid_t pid[3];
	char name[2] = "a";

	enter_domain();
	for (i = 0; i < 3; i++) {
		pid[i] = tap_fork();
		if (!pid[i]) {
			change_names(i + 1);
			_exit(0);
		}
	}
	for (i = 0; i < 3; i++)
		tap_join(pid[i]);
	for (name[0] = 'a'; name[0] <= 'd'; name[0]++)
		links += exists(name) && S_ISDIR(stat_of(name).st_mode);
	CHECK_NLINK(".", links);
	for (name[0] = 'a'; name[0] <= 'd'; name[0]++)
		if (unlink(name))
			CHECK(errno == ENOENT || !rmdir(name));
	CHECK_NLINK(".", 2);
	CHECK_EQ(count_names(".", 0), 0);
	MUST(chdir(".."));
	MUST(rmdir("domain"));
}

/* ---- links and renames ---- */

static void test_link(void)
{
	int fd;

	enter_domain();
	fd = file_of("f", 1, 1, 0);
	MUST(link("f", "g"));
	CHECK_EQ(stat_of("g").st_ino, stat_fd(fd).st_ino);
	CHECK_NLINK("f", 2);
	CHECK_EQ(used_pages(fd), 1);
	CHECK_ERRNO(link("f", "g"), EEXIST);
	CHECK_ERRNO(link("nothing", "h"), ENOENT);
	MUST(mkdir("d", 0755));
	CHECK_ERRNO(link("d", "h"), EPERM);
	MUST(link("g", "d/h"));
	file_put(fd, 0, 1, 2, 0);
	check_file("d/h", 2);
	MUST(unlink("f"));
	MUST(unlink("g"));
	CHECK_EQ(stat_fd(fd).st_nlink, 1);
	check_file("d/h", 2);
	MUST(unlink("d/h"));
	CHECK_EQ(stat_fd(fd).st_nlink, 0);
	CHECK_ERRNO(linkat(fd, "", AT_FDCWD, "again", AT_EMPTY_PATH), ENOENT);
	file_check(fd, 0, 1, 2, 0);
}

static void test_rename(void)
{
	int fd;

	enter_domain();
	put_file("f", 1);
	put_file("g", 2);
	fd = MUST(open("g", O_RDWR | O_CLOEXEC));
	MUST(rename("f", "g"));
	CHECK(!exists("f"));
	check_file("g", 1);
	file_check(fd, 0, 1, 2, 0);
	CHECK_EQ(stat_fd(fd).st_nlink, 0);
	/* Two names of one file: nothing happens. */
	MUST(link("g", "h"));
	MUST(rename("g", "h"));
	CHECK(exists("g") && exists("h"));
	MUST(rename("g", "g"));
	MUST(mkdir("d", 0755));
	MUST(mkdir("e", 0755));
	CHECK_ERRNO(rename("g", "d"), EISDIR);
	CHECK_ERRNO(rename("d", "g"), ENOTDIR);
	CHECK_ERRNO(rename("nothing", "x"), ENOENT);
	CHECK_ERRNO(rename("d", "d/x"), EINVAL);
	CHECK_NLINK(".", 4);
	MUST(rename("d", "e/d"));
	CHECK_NLINK(".", 3);
	CHECK_NLINK("e", 3);
	CHECK_EQ(stat_of("e/d/..").st_ino, stat_of("e").st_ino);
	MUST(mkdir("full", 0755));
	put_file("full/f", 3);
	CHECK_ERRNO(rename("e/d", "full"), ENOTEMPTY);
	CHECK_ERRNO(rename("full", "e"), ENOTEMPTY);
	fd = MUST(open("e/d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	MUST(rename("full", "e/d"));
	CHECK_EQ(stat_fd(fd).st_nlink, 0);
	CHECK_ERRNO(openat(fd, "x", O_RDWR | O_CREAT, 0600), ENOENT);
	CHECK_NLINK(".", 3);
	CHECK_NLINK("e", 3);
	check_file("e/d/f", 3);
	MUST(rename("e/d/f", "f"));
	check_file("f", 3);
}

static void test_rename_flags(void)
{
	enter_domain();
	put_file("f", 1);
	put_file("g", 2);
	CHECK_ERRNO(rename_flags("f", "g", RENAME_NOREPLACE), EEXIST);
	MUST(rename_flags("f", "h", RENAME_NOREPLACE));
	check_file("h", 1);
	MUST(rename_flags("h", "g", RENAME_EXCHANGE));
	check_file("h", 2);
	check_file("g", 1);
	CHECK_ERRNO(rename_flags("g", "nothing", RENAME_EXCHANGE), ENOENT);
	MUST(mkdir("d", 0755));
	MUST(mkdir("d/e", 0755));
	put_file("d/e/x", 3);
	MUST(rename_flags("g", "d/e", RENAME_EXCHANGE));
	check_file("d/e", 1);
	check_file("g/x", 3);
	CHECK_NLINK("d", 2);
	CHECK_NLINK(".", 4);
	CHECK_ERRNO(rename_flags("d", "d/e", RENAME_EXCHANGE), EINVAL);
	CHECK_ERRNO(rename_flags("h", "g", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
	if (fs_is_ksm)
		CHECK_ERRNO(rename_flags("h", "i", RENAME_WHITEOUT), EINVAL);
	else
		MUST(rename_flags("h", "i", RENAME_WHITEOUT));
}

static void test_tmpfile(void)
{
	char path[64];
	s64 room = free_pages();
	int fd, dir;

	enter_domain();
	fd = MUST(open(".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0640));
	CHECK_EQ(stat_fd(fd).st_nlink, 0);
	CHECK_EQ(stat_fd(fd).st_mode, S_IFREG | 0640);
	file_put(fd, 0, 3, 5, 1);
	CHECK_EQ(count_names(".", 0), 0);
	CHECK_EQ(free_pages(), room - 3 - slot_pages(1));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	MUST(mkdir("d", 0755));
	MUST(linkat(AT_FDCWD, path, AT_FDCWD, "d/f", AT_SYMLINK_FOLLOW));
	CHECK_NLINK("d/f", 1);
	check_file("d/f", 5);
	MUST(linkat(fd, "", AT_FDCWD, "g", AT_EMPTY_PATH));
	CHECK_NLINK("d/f", 2);
	MUST(close(fd));
	MUST(unlink("g"));
	MUST(unlink("d/f"));
	CHECK_SOON(free_pages() == room);
	fd = MUST(open("d", O_RDWR | O_TMPFILE | O_EXCL | O_CLOEXEC, 0600));
	CHECK_ERRNO(linkat(fd, "", AT_FDCWD, "h", AT_EMPTY_PATH), ENOENT);
	file_put(fd, 0, 3, 5, 1);
	MUST(close(fd));
	CHECK_SOON(free_pages() == room);
	CHECK_ERRNO(open(".", O_RDONLY | O_TMPFILE, 0600), EINVAL);
	dir = MUST(open("d", O_RDONLY | O_CLOEXEC));
	MUST(rmdir("d"));
	CHECK_ERRNO(openat(dir, "x", O_RDWR | O_CREAT, 0600), ENOENT);
}

/* What only ksmfs refuses, and it alone. */
static void test_special(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "s" };
	int sock = MUST(socket(AF_UNIX, SOCK_STREAM, 0));

	enter_domain();
	MUST(mknod("f", S_IFREG | 0640, 0));
	CHECK_EQ(stat_of("f").st_mode, S_IFREG | 0640);
	if (!fs_is_ksm) {
		MUST(symlink("f", "l"));
		MUST(mkfifo("p", 0644));
		MUST(bind(sock, (struct sockaddr *)&name, sizeof(name)));
		return;
	}
	CHECK_ERRNO(symlink("f", "l"), EPERM);
	CHECK_ERRNO(mkfifo("p", 0644), EPERM);
	CHECK_ERRNO(mknod("n", S_IFCHR | 0644, 0x103), EPERM);
	CHECK_ERRNO(mknod("n", S_IFBLK | 0644, 0x103), EPERM);
	CHECK_ERRNO(bind(sock, (struct sockaddr *)&name, sizeof(name)), EPERM);
	CHECK_ERRNO(setxattr("f", "user.a", "1", 1, 0), EOPNOTSUPP);
	CHECK_ERRNO(setxattr("f", "trusted.a", "1", 1, 0), EOPNOTSUPP);
	CHECK_ERRNO(getxattr("f", "user.a", NULL, 0), EOPNOTSUPP);
	CHECK_ERRNO(removexattr("f", "user.a"), EOPNOTSUPP);
	CHECK_ERRNO(setxattr("f", "system.posix_acl_access", "\2\0\0", 4, 0), EOPNOTSUPP);
	CHECK_ERRNO(getxattr("f", "system.posix_acl_access", NULL, 0), EOPNOTSUPP);
	MUST(unlink("f"));
	CHECK_EQ(count_names(".", 0), 0);
}

/* ---- times of directories ---- */

static bool later(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

/* 2: mtime, 1: ctime changed. */
static unsigned int changed(const struct stat *old, const char *name)
{
	struct stat new = stat_of(name);

	return (later(new.st_mtim, old->st_mtim) ? 2 : 0) +
		(later(new.st_ctim, old->st_ctim) ? 1 : 0);
}

/* What a call changes of the directories "." and "d", e.g. 0x30. */
#define TIMES(call) ({							\
	struct stat __here = stat_of("."), __d = stat_of("d");		\
									\
	sleep_ms(20);							\
	MUST(call);							\
	changed(&__here, ".") << 4 | changed(&__d, "d");		\
})

static void test_times(void)
{
	enter_domain();
	MUST(mkdir("d", 0755));
	CHECK_EQ(TIMES(file_new("f")), 0x30);
	CHECK_EQ(TIMES(mkdir("d/e", 0755)), 0x03);
	CHECK_EQ(TIMES(link("f", "d/g")), 0x03);
	CHECK_EQ(TIMES(rename("d/g", "d/h")), 0x03);
	CHECK_EQ(TIMES(rename("d/h", "i")), 0x33);
	CHECK_EQ(TIMES(rmdir("d/e")), 0x03);
	CHECK_EQ(TIMES(unlink("i")), 0x30);
	CHECK_EQ(TIMES(chmod("d", 0700)), 0x01);
	CHECK_EQ(TIMES(chmod("f", 0600)), 0);
	CHECK_EQ(TIMES(truncate("f", 10)), 0);
	CHECK_EQ(TIMES(open("d", O_RDWR | O_TMPFILE, 0600)), 0);
	put_file("d/f", 1);
	CHECK_EQ(TIMES(rename_flags("f", "d/f", RENAME_EXCHANGE)), 0x33);
	CHECK_EQ(TIMES(rename("d/f", "f")), 0x33);
	CHECK_EQ(TIMES(chown("d", 7, 7)), 0x01);
}

/* ---- permissions ---- */

static void stranger(void)
{
	char c;
	int fd;

	CHECK_ERRNO(open("domain/f", O_RDWR), EACCES);
	fd = MUST(open("domain/f", O_RDONLY));
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_ERRNO(fchmod(fd, 0666), EPERM);
	CHECK_ERRNO(fchown(fd, 1000, 1000), EPERM);
	CHECK_ERRNO(futimens(fd, NULL), EACCES);
	CHECK_ERRNO(truncate("domain/f", 0), EACCES);
	CHECK_ERRNO(open("domain/secret", O_RDONLY), EACCES);
	CHECK_ERRNO(open("domain/new", O_RDWR | O_CREAT, 0644), EACCES);
	CHECK_ERRNO(open("domain", O_RDWR | O_TMPFILE, 0644), EACCES);
	CHECK_ERRNO(mkdir("domain/d", 0755), EACCES);
	CHECK_ERRNO(unlink("domain/f"), EACCES);
	CHECK_ERRNO(rename("domain/f", "domain/g"), EACCES);
	/* Not of what it can only read: that may be forbidden everywhere. */
	CHECK_ERRNO(link("domain/shared", "domain/g"), EACCES);
	CHECK_ERRNO(chmod("domain", 0777), EPERM);
	CHECK_ERRNO(open("closed/f", O_RDONLY), EACCES);
	CHECK_ERRNO(access("closed/f", F_OK), EACCES);
	CHECK_EQ(umask(0), 022);
	fd = MUST(open("domain/shared", O_RDWR));
	CHECK_EQ(write(fd, "x", 1), 1);
	MUST(futimens(fd, NULL));
	CHECK_ERRNO(fchmod(fd, 0600), EPERM);
	CHECK_ERRNO(futimens(fd, (struct timespec[]){ { 1, 1 }, { 1, 1 } }), EPERM);
}

static void test_stranger(void)
{
	MUST(mkdir("domain", 0755));
	MUST(mkdir("closed", 0700));
	put_file("domain/f", 1);
	put_file("closed/f", 1);
	put_file("domain/secret", 1);
	put_file("domain/shared", 1);
	MUST(chmod("domain/secret", 0600));
	MUST(chmod("domain/shared", 0666));
	as_uid(1000, stranger);
	check_file("domain/f", 1);
}

static void remove_as_user(void)
{
	int fd = file_new("sticky/mine");

	MUST(close(fd));
	CHECK_EQ(stat_of("sticky/mine").st_uid, 1000);
	CHECK_EQ(stat_of("sticky/mine").st_gid, 1000);
	CHECK_ERRNO(unlink("sticky/f"), EPERM);
	CHECK_ERRNO(rename("sticky/f", "sticky/g"), EPERM);
	CHECK_ERRNO(rename("sticky/mine", "sticky/f"), EPERM);
	CHECK_ERRNO(rmdir("sticky/d"), EPERM);
	MUST(rename("sticky/mine", "sticky/own"));
	MUST(unlink("sticky/own"));
	/* As in /tmp: the root of a mount is sticky. */
	MUST(close(file_new("mine")));
	CHECK_ERRNO(unlink("f"), EPERM);
	MUST(unlink("mine"));
}

static void test_sticky(void)
{
	CHECK_EQ(stat_of(".").st_mode, S_IFDIR | 01777);
	MUST(mkdir("sticky", 0755));
	MUST(chmod("sticky", 01777));
	MUST(mkdir("sticky/d", 0777));
	put_file("sticky/f", 1);
	put_file("f", 1);
	as_uid(1000, remove_as_user);
	check_file("sticky/f", 1);
}

static void not_in_group(void)
{
	MUST(close(file_new("group/f")));
	CHECK_EQ(stat_of("group/f").st_gid, 77);
	CHECK_EQ(stat_of("group/f").st_uid, 1000);
	MUST(mkdir("group/d", 0755));
	CHECK_EQ(stat_of("group/d").st_gid, 77);
	CHECK_EQ(stat_of("group/d").st_mode, S_IFDIR | 02755);
	/* Who is not in the group cannot give its rights away. */
	MUST(chmod("group/f", 02755));
	CHECK_EQ(stat_of("group/f").st_mode & 07777, 0755);
	CHECK_ERRNO(chown("group/f", -1, 78), EPERM);
	MUST(chown("group/f", -1, 1000));
}

static void test_setgid_directory(void)
{
	MUST(mkdir("group", 0755));
	MUST(chown("group", 0, 77));
	MUST(chmod("group", 02777));
	put_file("group/root", 1);
	CHECK_EQ(stat_of("group/root").st_gid, 77);
	as_uid(1000, not_in_group);
	CHECK_EQ(stat_of("group/f").st_gid, 1000);
}

static void write_setuid(void)
{
	int fd = MUST(open("written", O_RDWR));

	CHECK_EQ(write(fd, "x", 1), 1);
	MUST(truncate("cut", 0));
	fd = MUST(open("punched", O_RDWR));
	MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
}

/* Who changes a program does not make its owner run it. */
static void test_setuid(void)
{
	put_file("written", 1);
	put_file("cut", 1);
	put_file("given", 1);
	put_file("punched", 1);
	MUST(chmod("punched", 06777));
	MUST(chmod("written", 06777));
	MUST(chmod("cut", 06777));
	MUST(chmod("given", 06755));
	CHECK_EQ(stat_of("written").st_mode & 07777, 06777);
	as_uid(1000, write_setuid);
	CHECK_EQ(stat_of("written").st_mode & 07777, 0777);
	CHECK_EQ(stat_of("cut").st_mode & 07777, 0777);
	/* tmpfs of some kernels forgets it. */
	if (fs_is_ksm)
		CHECK_EQ(stat_of("punched").st_mode & 07777, 0777);
	MUST(chown("given", 5, 6));
	CHECK_EQ(stat_of("given").st_mode & 07777, 0755);
	CHECK_EQ(stat_of("given").st_uid, 5);
	CHECK_EQ(stat_of("given").st_gid, 6);
}

static void test_umask(void)
{
	enter_domain();
	umask(027);
	MUST(close(MUST(open("f", O_RDWR | O_CREAT, 0666))));
	CHECK_EQ(stat_of("f").st_mode, S_IFREG | 0640);
	MUST(mkdir("d", 0777));
	CHECK_EQ(stat_of("d").st_mode, S_IFDIR | 0750);
	MUST(close(MUST(open("d", O_RDWR | O_TMPFILE, 0666))));
}

/* ---- mounting ---- */

static void test_statfs(void)
{
	static const struct {
		const char *options;
		u64 pages;
	} cases[] = {
		{ "size=1m", 256 }, { "size=8192k", 2048 }, { "size=1g", 262144 },
		{ "size=1048576", 256 }, { "size=4097", 2 }, { "size=1", 1 },
	};
	s64 total = file_value("/proc/meminfo", "MemTotal") / 4;
	struct statfs st = statfs_of(".");
	unsigned int i;
	s64 left;

	CHECK_EQ(st.f_type, BY_FS(KSMFS_MAGIC, 0x01021994));
	CHECK_EQ(st.f_bsize, PAGE);
	CHECK(llabs((s64)st.f_blocks - total / 2) <= 1);
	CHECK_EQ(st.f_bfree, st.f_blocks);
	CHECK_EQ(st.f_bavail, st.f_blocks);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		fs_mount_again(cases[i].options);
		CHECK_EQ(statfs_of(".").f_blocks, cases[i].pages);
		CHECK_EQ(statfs_of(".").f_bfree, cases[i].pages);
		left = cases[i].pages - 1 - slot_pages(1);
		if (left < 0)
			continue;
		MUST(close(file_of("f", 1, 1, 0)));
		CHECK_EQ(statfs_of(".").f_bfree, left);
		CHECK_EQ(statfs_of(".").f_bavail, left);
	}
	fs_mount_again("size=10%");
	CHECK(llabs((s64)statfs_of(".").f_blocks - total / 10) <= 1);
	fs_mount_again("size=0");
	MUST(close(file_of("f", 300, 1, 1)));
	check_file("f", 1);
}

static void test_mount_options(void)
{
	static const char *const wrong[] = {
		"size=x", "size=1z", "mode=9", "uid=x", "uid=-1", "nonsense",
		"nonsense=1", "mode",
	};
	/* tmpfs takes these for no limit, or for less. */
	static const char *const wrong_size[] = {
		"size=16e", "size=17e", "size=18446744073709551616", "size=36893488147419103233",
		"size=99999999999999999999999999999", "size=18014398509481984k", "size=0%",
		"size=1001%", "size=18446744073709551615%", "size=k", "size=-1", "size=1kk",
	};
	struct stat st;
	unsigned int i;
	char buf[4096];

	fs_mount_again("size=64m,mode=0750,uid=1000,gid=77");
	st = stat_of(".");
	CHECK_EQ(st.st_mode, S_IFDIR | 0750);
	CHECK_EQ(st.st_uid, 1000);
	CHECK_EQ(st.st_gid, 77);
	CHECK(file_read("/proc/self/mounts", buf, sizeof(buf)) > 0);
	CHECK(strstr(buf, fs_folder));
	CHECK(strstr(strstr(buf, fs_folder), "size=65536k"));
	CHECK(strstr(strstr(buf, fs_folder), "mode=750"));
	CHECK(strstr(strstr(buf, fs_folder), "uid=1000"));
	CHECK(strstr(strstr(buf, fs_folder), "gid=77"));
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		CHECK_ERRNO(fs_try_mount("/tmp", 0, wrong[i]), EINVAL);
		CHECK_ERRNO(fs_remount(wrong[i]), EINVAL);
	}
	for (i = 0; fs_is_ksm && i < ARRAY_SIZE(wrong_size); i++)
		CHECK_ERRNO(fs_try_mount("/tmp", 0, wrong_size[i]), EINVAL);
	fs_mount_again(BY_FS("size=18446744073709551615", "size=16383p"));
	CHECK_EQ(statfs_of(".").f_blocks, BY_FS(1LL << 52, 16383LL << 38));
	fs_mount_again("size=8e");
	CHECK_EQ(statfs_of(".").f_blocks, 1LL << 51);
}

static void test_remount(void)
{
	unsigned int used = 100 - slot_pages(1);
	int fd;

	fs_mount_again("size=1m");
	fd = file_of("f", used, 1, 1);
	CHECK_ERRNO(fs_remount("size=99k"), EINVAL);
	CHECK_ERRNO(fs_remount("size=396k"), EINVAL);
	CHECK_EQ(statfs_of(".").f_blocks, 256);
	MUST(fs_remount("size=400k"));
	CHECK_EQ(statfs_of(".").f_blocks, 100);
	CHECK_EQ(free_pages(), 0);
	CHECK_ERRNO(pwrite(fd, "x", 1, used * PAGE), ENOSPC);
	file_check(fd, 0, used, 1, 1);
	MUST(fs_remount("size=404k"));
	CHECK_EQ(pwrite(fd, "x", 1, used * PAGE), 1);
	MUST(fs_remount("size=2m"));
	CHECK_EQ(free_pages(), 512 - 101);
	/* What is not named stays. */
	MUST(fs_remount(""));
	CHECK_EQ(statfs_of(".").f_blocks, 512);
	file_check(fd, 0, used, 1, 1);
}

static void test_read_only(void)
{
	int fd = file_of("f", 1, 1, 1), ro;

	CHECK_ERRNO(fs_try_mount(fs_folder, MS_REMOUNT | MS_RDONLY, ""), EBUSY);
	MUST(close(fd));
	MUST(fs_try_mount(fs_folder, MS_REMOUNT | MS_RDONLY, ""));
	CHECK_ERRNO(open("f", O_RDWR), EROFS);
	CHECK_ERRNO(open("g", O_RDWR | O_CREAT, 0644), EROFS);
	CHECK_ERRNO(mkdir("d", 0755), EROFS);
	CHECK_ERRNO(unlink("f"), EROFS);
	CHECK_ERRNO(truncate("f", 0), EROFS);
	CHECK_ERRNO(chmod("f", 0600), EROFS);
	ro = MUST(open("f", O_RDONLY));
	pages_check(map_with(ro, 0, 1, PROT_READ, MAP_SHARED), 1, 1, 1);
	MUST(fs_try_mount(fs_folder, MS_REMOUNT, ""));
	MUST(unlink("f"));
}

static void test_two_mounts(void)
{
	enter_domain();
	put_file("f", 1);
	MUST(mkdir("other", 0755));
	MUST(fs_try_mount("other", 0, "size=1m"));
	CHECK(!exists("other/f"));
	put_file("other/f", 2);
	check_file("f", 1);
	CHECK(stat_of("f").st_dev != stat_of("other/f").st_dev);
	CHECK_ERRNO(rename("f", "other/g"), EXDEV);
	CHECK_ERRNO(link("f", "other/g"), EXDEV);
	CHECK_ERRNO(rmdir("other"), EBUSY);
	CHECK_EQ(statfs_of("other").f_bfree, 255 - slot_pages(1));
	MUST(fs_umount("other", 0));
	CHECK(!exists("other/f"));
	MUST(rmdir("other"));
	check_file("f", 1);
}

/* The creator of a user namespace is root there, but of no memory of the host's. */
static void mount_as_user(void)
{
	MUST(unshare(CLONE_NEWUSER | CLONE_NEWNS));
	if (fs_is_ksm)
		CHECK_ERRNO(fs_try_mount("/tmp", 0, ""), EPERM);
	else
		MUST(fs_try_mount("/tmp", 0, ""));
}

static void mount_as_stranger(void)
{
	CHECK_ERRNO(fs_try_mount("/tmp", 0, ""), EPERM);
	CHECK_ERRNO(fs_remount("size=2m"), EPERM);
	CHECK_ERRNO(fs_umount(fs_folder, 0), EPERM);
}

static void test_mount_permission(void)
{
	as_uid(1000, mount_as_stranger);
	as_uid(1000, mount_as_user);
}

static void test_inode_numbers(void)
{
	u64 seen[64];
	unsigned int i, j;
	char name[16];

	enter_domain();
	for (i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		MUST(close(file_new(name)));
		seen[i] = stat_of(name).st_ino;
		CHECK(seen[i] != 0);
		CHECK_EQ(stat_of(name).st_dev, stat_of(".").st_dev);
		for (j = 0; j < i; j++)
			CHECK(seen[i] != seen[j]);
	}
}

/* ---- domains ---- */

static void check_cross(long ret, const char *what, int line)
{
	if (fs_is_ksm)
		tap_check_errno(ret, errno, EXDEV, what, __FILE_NAME__, line);
	else
		tap_check_call(ret, what, __FILE_NAME__, line);
}

/* EXDEV on ksmfs, success on tmpfs. */
#define CHECK_CROSS(call)	check_cross((long)(call), #call, __LINE__)

static void test_cross_domains(void)
{
	int fd;

	MUST(mkdir("a", 0755));
	MUST(mkdir("b", 0755));
	MUST(mkdir("a/d", 0755));
	put_file("a/f", 1);
	put_file("a/d/g", 2);
	put_file("b/h", 3);
	put_file("top", 4);
	CHECK_CROSS(link("a/f", "b/f1"));
	CHECK_CROSS(link("a/f", "f2"));
	CHECK_CROSS(link("top", "a/top1"));
	CHECK_CROSS(rename_flags("a/f", "b/h", RENAME_EXCHANGE));
	CHECK_CROSS(rename_flags("a/d", "b", RENAME_EXCHANGE));
	CHECK_CROSS(rename_flags("top", "a/f", RENAME_EXCHANGE));
	fd = MUST(open(".", O_RDWR | O_TMPFILE, 0600));
	CHECK_CROSS(linkat(fd, "", AT_FDCWD, "a/t", AT_EMPTY_PATH));
	MUST(close(fd));
	fd = MUST(open("a", O_RDWR | O_TMPFILE, 0600));
	CHECK_CROSS(linkat(fd, "", AT_FDCWD, "t", AT_EMPTY_PATH));
	CHECK_CROSS(linkat(fd, "", AT_FDCWD, "b/t", AT_EMPTY_PATH));
	MUST(linkat(fd, "", AT_FDCWD, "a/own", AT_EMPTY_PATH));
	file_put(fd, 0, 1, 5, 0);
	check_file("a/own", 5);
	if (!fs_is_ksm)
		return;
	CHECK_ERRNO(rename("a/f", "b/f"), EXDEV);
	CHECK_ERRNO(rename("a/f", "b/h"), EXDEV);
	CHECK_ERRNO(rename("a/f", "f"), EXDEV);
	CHECK_ERRNO(rename("a/d/g", "g"), EXDEV);
	CHECK_ERRNO(rename("a/d", "b/d"), EXDEV);
	CHECK_ERRNO(rename("a/d", "d"), EXDEV);
	CHECK_ERRNO(rename("a", "b/a"), EXDEV);
	CHECK_ERRNO(rename("top", "a/top"), EXDEV);
	check_file("a/f", 1);
	check_file("a/d/g", 2);
	check_file("b/h", 3);
	check_file("top", 4);
	CHECK_EQ(stat_of("a/f").st_nlink, 1);
	CHECK_NLINK(".", 4);
}

/* A domain can have another name; a file in the root, too. */
static void test_within_domain(void)
{
	MUST(mkdir("a", 0755));
	MUST(mkdir("b", 0755));
	MUST(mkdir("a/d", 0755));
	put_file("a/f", 1);
	put_file("top", 2);
	MUST(rename("a", "c"));
	MUST(rename("c/f", "c/d/f"));
	MUST(link("c/d/f", "c/f"));
	MUST(rename("top", "top2"));
	MUST(link("top2", "top3"));
	MUST(rename_flags("b", "c", RENAME_EXCHANGE));
	check_file("b/d/f", 1);
	MUST(rename_flags("b", "top2", RENAME_EXCHANGE));
	check_file("top2/d/f", 1);
	check_file("b", 2);
	MUST(rename("top2", "c"));
	check_file("c/d/f", 1);
	CHECK_NLINK(".", 3);
}

static const struct tap_test tests[] = {
	{ "names", test_names },
	{ "directories and their links", test_directories },
	{ "readdir", test_readdir },
	{ "names that several processes change", test_names_together },
	{ "link", test_link },
	{ "rename", test_rename },
	{ "RENAME_NOREPLACE and RENAME_EXCHANGE", test_rename_flags },
	{ "O_TMPFILE and linkat", test_tmpfile },
	{ "symbolic links, devices, sockets, attributes", test_special },
	{ "what changes the times of directories", test_times },
	{ "permissions of a stranger", test_stranger },
	{ "sticky directories", test_sticky },
	{ "setgid directories", test_setgid_directory },
	{ "setuid and setgid go with a write", test_setuid },
	{ "umask", test_umask },
	{ "statfs and size=", test_statfs },
	{ "mount options", test_mount_options },
	{ "remount with another size", test_remount },
	{ "a read-only mount", test_read_only },
	{ "two mounts", test_two_mounts },
	{ "who may mount", test_mount_permission },
	{ "inode numbers", test_inode_numbers },
	{ "EXDEV from domain to domain", test_cross_domains },
	{ "links and renames within a domain", test_within_domain },
};

int main(int argc, char **argv)
{
	return fs_main(argc, argv, tests, ARRAY_SIZE(tests));
}
