/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program: a sequence of calls with typed arguments, and its text.
 *
 * In the text a call is a line: its name, then arguments that are not the
 * default as name=number, then bytes=HEX for the calls that have some.  "&"
 * before the name runs the call in a thread of its own; "#" begins a comment.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define PROGRAM_CALLS	24
#define PROGRAM_TEXT	16384	/* bytes; the longest program has fewer */
#define CALL_ARGS	8
#define CALL_BYTES	64

/* What an argument means: how it is made and changed. */
enum arg_kind {
	ARG_NONE,
	ARG_FD,		/* number of a descriptor; usually one of min to max */
	ARG_ENUM,	/* min to max */
	ARG_FLAGS,	/* bits of max */
	ARG_VALUE,	/* any */
	ARG_ADDR,	/* in the arena */
	ARG_LEN,	/* bytes, of whole pages mostly */
	ARG_OFFSET,	/* in a file */
	ARG_PLACE,	/* where the structure lies; 0: where it should */
	ARG_GPA,	/* guest physical */
	ARG_MSR,
};

/**
 * struct arg_type - an argument
 * @min:	also the value of an argument that the text leaves out
 */
struct arg_type {
	const char *name;
	enum arg_kind kind;
	u64 min;
	u64 max;
};

struct call;

/**
 * struct call_type - a call that programs may have
 * @devices:	DEVICE_*: whose programs
 * @weight:	how often it is inserted, compared with others
 * @bytes:	has bytes
 * @run:	in the child: -1 and errno, or what the system call returned
 */
struct call_type {
	const char *name;
	unsigned int devices;
	unsigned int weight;
	bool bytes;
	long (*run)(const struct call *call);
	struct arg_type arg[CALL_ARGS];
};

#define DEVICE_KSM	1
#define DEVICE_KVM	2
#define DEVICE_BOTH	3

struct call {
	const struct call_type *type;
	u64 arg[CALL_ARGS];
	u8 bytes[CALL_BYTES];
	unsigned int nbytes;
	bool aside;		/* in a thread */
};

struct program {
	unsigned int count;
	struct call call[PROGRAM_CALLS];
};

/* A call with the defaults of its arguments. */
struct call call_default(const struct call_type *type);

/* Returns the length; @text has PROGRAM_TEXT bytes. */
size_t program_print(const struct program *program, char *text);

/* Returns NULL, or what is wrong; changes @text. */
const char *program_parse(struct program *program, char *text);

/* The same from a file. */
const char *program_read(struct program *program, const char *path);

/* 0 or -1 with errno. */
int program_write(const struct program *program, const char *path);

bool program_has(const struct program *program, const char *call);

#endif /* PROGRAM_H */
