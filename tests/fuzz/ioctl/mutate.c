// SPDX-License-Identifier: GPL-2.0
/*
 * Mutations: calls are inserted, removed, swapped, repeated and taken from
 * another program, and arguments get values that mean something.
 */
#include <string.h>

#include "call.h"
#include "mutate.h"
#include "random.h"

u64 random_state = 1;

static const struct call_type *types[64];
static unsigned int type_count;
static u64 weight_sum;

void mutate_init(unsigned int device)
{
	unsigned int i;

	type_count = call_list(device, types, ARRAY_SIZE(types));
	for (weight_sum = 0, i = 0; i < type_count; i++)
		weight_sum += types[i]->weight;
}

static const struct call_type *type_pick(void)
{
	u64 n = random_below(weight_sum);
	unsigned int i = 0;

	while (n >= types[i]->weight)
		n -= types[i++]->weight;
	return types[i];
}

/* ---- values of arguments ---- */

/* A power of two or one beside it, a small number, or any. */
static u64 pick_value(u64 old)
{
	switch (random_below(8)) {
	case 0:
		return random_u64();
	case 1:
		return old ^ 1ULL << random_below(64);
	case 2:
		return old + random_below(9) - 4;
	case 3:
		return ~0ULL - random_below(2);
	case 4:
		return random_below(8);
	case 5:
		return random_below(256) * 0x0101010101010101ULL;
	default:
		return (1ULL << random_below(64)) + random_below(3) - 1;
	}
}

static u64 pick_pages(void)
{
	switch (random_below(8)) {
	case 0:
		return 512;
	case 1:
		return random_below(2048);
	case 2:
		return random_below(64);
	default:
		return random_below(8);
	}
}

static u64 pick_addr(u64 old)
{
	switch (random_below(16)) {
	case 0:
		return pick_value(old);
	case 1:
		return ARENA + random_below(64 * PAGE);
	case 2:
		return ARENA + ARENA_SIZE - pick_pages() * PAGE;
	case 3:
		return ARENA + random_below(16) * (2UL << 20);
	case 4:
		return RUN_BASE + 10 * RUN_SIZE + random_below(3 * PAGE);
	default:
		return ARENA + pick_pages() * PAGE;
	}
}

static u64 pick_len(u64 old)
{
	if (one_in(16))
		return pick_value(old);
	if (one_in(16))
		return random_below(16 * PAGE);
	return (pick_pages() + !one_in(8)) * PAGE;
}

/* Half in a page, in one that cannot be written, nowhere, in the arena. */
static u64 pick_place(void)
{
	static const u64 nowhere[] = { 8, ~0ULL - 7, 0xffff888000000000ULL,
				       1ULL << 47, 0x800000000000ULL - 8 };

	if (!one_in(12))
		return 0;
	switch (random_below(4)) {
	case 0:
		return EDGE_PAGE + PAGE - random_below(64) * 8;
	case 1:
		return FIXED_PAGE;
	case 2:
		return nowhere[random_below(ARRAY_SIZE(nowhere))];
	default:
		return ARENA + pick_pages() * PAGE - random_below(8) * 8;
	}
}

/* Code, data, tables, the end of the slot, where there is none. */
static u64 pick_gpa(u64 old)
{
	static const u64 places[] = { 0x4000, 0x8000, 0x8ffe, 0x14000, 0x1fff8,
				      0x20000, 0x100000, 0x30000000, 0x30000ffd,
				      0xfee00000, 0xfffffff0, 1ULL << 39 };

	switch (random_below(8)) {
	case 0:
		return pick_value(old);
	case 1:
		return random_below(0x20000);
	case 2:
		return pick_pages() * PAGE;
	default:
		return places[random_below(ARRAY_SIZE(places))];
	}
}

static u64 pick_msr(u64 old)
{
	static const struct {
		u32 first, count;
	} ranges[] = {
		{ 0x10, 3 }, { 0x17, 1 }, { 0x1b, 1 }, { 0x3a, 2 }, { 0x48, 2 },
		{ 0x79, 1 }, { 0x8b, 1 }, { 0xc1, 8 }, { 0xcd, 2 }, { 0xe7, 2 },
		{ 0xfe, 1 }, { 0x10a, 2 }, { 0x119, 1 }, { 0x140, 1 },
		{ 0x174, 3 }, { 0x179, 3 }, { 0x186, 4 }, { 0x198, 3 },
		{ 0x1a0, 2 }, { 0x1d9, 1 }, { 0x1db, 4 }, { 0x200, 16 },
		{ 0x250, 1 }, { 0x258, 2 }, { 0x268, 8 }, { 0x277, 1 },
		{ 0x2ff, 1 }, { 0x38d, 4 }, { 0x400, 12 }, { 0x480, 18 },
		{ 0x560, 2 }, { 0x600, 1 }, { 0x6e0, 1 }, { 0x800, 64 },
		{ 0xd90, 1 }, { 0xda0, 1 }, { 0xc0000080, 5 },
		{ 0xc0000100, 4 }, { 0xc0010000, 8 }, { 0xc0010010, 16 },
		{ 0xc0010055, 1 }, { 0xc0010111, 8 }, { 0xc0011020, 16 },
		{ 0x4b564d00, 9 }, { 0x40000000, 4 },
	};
	unsigned int i = random_below(ARRAY_SIZE(ranges));

	if (one_in(16))
		return (u32)pick_value(old);
	return ranges[i].first + random_below(ranges[i].count);
}

static u64 pick_flags(u64 old, u64 mask)
{
	u64 bit = 1ULL << random_below(64);

	switch (random_below(8)) {
	case 0:
		return old ^ bit;
	case 1:
		return mask;
	case 2:
		return random_u64() & mask;
	case 3:
		return 0;
	}
	/* A bit of the mask, found by looking on from a random one. */
	while (mask && !(mask & bit))
		bit = bit << 1 | bit >> 63;
	return old ^ (mask & bit);
}

static u64 pick_arg(const struct arg_type *type, u64 old)
{
	switch (type->kind) {
	case ARG_FD:
		if (one_in(24))
			return random_below(CHILD_FDS);
		return type->min + random_below(type->max - type->min + 1);
	case ARG_ENUM:
		if (one_in(24))
			return pick_value(old);
		return random_below(type->max + 1);
	case ARG_FLAGS:
		return pick_flags(old, type->max);
	case ARG_ADDR:
		return pick_addr(old);
	case ARG_LEN:
		return pick_len(old);
	case ARG_OFFSET:
		return one_in(4) ? pick_value(old) : pick_pages() * PAGE;
	case ARG_PLACE:
		return pick_place();
	case ARG_GPA:
		return pick_gpa(old);
	case ARG_MSR:
		return pick_msr(old);
	default:
		return pick_value(old);
	}
}

/* ---- bytes: instructions that leave a guest, or that are emulated ---- */

static const char *const snippets[] = {
	"\x0f\xa2", "\x0f\x32", "\x0f\x30", "\x0f\x31", "\x0f\x33", "\xf4",
	"\x0f\x01\xc1", "\x0f\x01\xd9", "\xe4\x10", "\xe6\x10", "\xec", "\xed",
	"\xee", "\xef", "\xf3\x6c", "\xf3\x6d", "\xf3\x6e", "\xf3\x6f",
	"\x8a\x06", "\x88\x06", "\x48\x8b\x06", "\x48\x89\x06", "\x66\x89\x06",
	"\xf3\xa4", "\xf3\x48\xa5", "\xaa", "\xf3\xab", "\xac", "\xf2\xae", "\xa6",
	"\x01\x06", "\x03\x06", "\x21\x06", "\x31\x06", "\x39\x06", "\x85\x06",
	"\xff\x06", "\xff\x0e", "\xf7\x16", "\xf7\x1e", "\x87\x06", "\x8f\x06",
	"\xff\x36", "\x0f\xb6\x06", "\x0f\xbe\x06", "\x0f\xc3\x06",
	"\x0f\xb1\x06", "\xf0\x0f\xc1\x06", "\x0f\xc7\x0e", "\x0f\xa3\x06",
	"\x0f\xab\x06", "\x0f\xb3\x06", "\x0f\xbb\x06", "\x0f\xba\x2e\x07",
	"\x0f\x20\xc0", "\x0f\x22\xc0", "\x0f\x22\xd8", "\x0f\x22\xe0",
	"\x44\x0f\x22\xc0", "\x44\x0f\x20\xc0", "\x0f\x20\xd8", "\x0f\x06",
	"\x0f\x01\xf0", "\x0f\x01\xe0", "\x0f\x01\x36", "\x0f\x01\x26",
	"\x0f\x01\x3e", "\x0f\x21\xf8", "\x0f\x23\xf8", "\x0f\x23\xc0",
	"\x0f\x01\xd1", "\x0f\x01\xd0", "\x0f\x01\x16", "\x0f\x01\x1e", "\xfb",
	"\xfa", "\x9c", "\x9d", "\xcf", "\x48\xcf", "\xcc", "\xcd\x20", "\xf1",
	"\x0f\x0b", "\x0f\x05", "\x0f\x07", "\x0f\x09", "\x0f\x08",
	"\x0f\x01\xc8", "\x0f\x01\xc9", "\xf3\x90", "\x0f\x01\xf9",
	"\x0f\x01\xf8", "\xf0\x01\x06", "\xd9\xc0", "\x0f\x57\xc0", "\x0f\xae\x06",
	"\x0f\xae\x26", "\xc5\xf8\x77", "\x8e\xd0", "\x8e\xd8", "\x8e\xe0", "\xcb",
	"\x0f\x00\xd8", "\x0f\x00\xd0", "\xeb\xfe", "\x0f\x01\xd8", "\x0f\x01\xda",
	"\x0f\x01\xdb", "\x0f\x01\xdc", "\x0f\x01\xdf", "\x0f\xc7\x36",
	"\x48\xff\xe6", "\xff\x2e", "\x0f\xc7\xf0", "\x0f\x38\x82\x06",
	"\x90", "\x48\xff\xc6", "\x48\xff\xce", "\x9b", "\xd8\x06",
};

static void append(struct call *call, const char *bytes)
{
	size_t len = strlen(bytes);

	if (call->nbytes + len > CALL_BYTES)
		return;
	memcpy(call->bytes + call->nbytes, bytes, len);
	call->nbytes += len;
}

static void insert_prefix(struct call *call)
{
	static const u8 prefixes[] = { 0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x48, 0x41,
				       0x44, 0x2e, 0x64, 0x65, 0x36 };
	unsigned int at = random_below(call->nbytes + 1);

	if (call->nbytes == CALL_BYTES)
		return;
	memmove(call->bytes + at + 1, call->bytes + at, call->nbytes - at);
	call->bytes[at] = prefixes[random_below(sizeof(prefixes))];
	call->nbytes++;
}

static void mutate_bytes(struct call *call)
{
	unsigned int i, n;

	switch (random_below(6)) {
	case 0:
		if (call->nbytes)
			call->bytes[random_below(call->nbytes)] = random_u64();
		return;
	case 1:
		insert_prefix(call);
		return;
	case 2:
		call->nbytes = random_below(call->nbytes + 1);
		return;
	case 3:
		call->nbytes = random_below(16);
		for (i = 0; i < call->nbytes; i++)
			call->bytes[i] = random_u64();
		return;
	}
	for (n = random_below(3) + 1; n; n--)
		append(call, snippets[random_below(ARRAY_SIZE(snippets))]);
}

/* ---- calls ---- */

static void mutate_call(struct call *call)
{
	unsigned int count = 0, i;

	while (count < CALL_ARGS && call->type->arg[count].name)
		count++;
	if (call->type->bytes && one_in(2)) {
		mutate_bytes(call);
		return;
	}
	i = random_below(count);
	call->arg[i] = pick_arg(&call->type->arg[i], call->arg[i]);
}

static void insert(struct program *program, const struct call *call)
{
	unsigned int at = random_below(program->count + 1);

	if (program->count == PROGRAM_CALLS)
		return;
	/* Mostly after what is there, as that makes what it needs. */
	if (one_in(2))
		at = program->count;
	memmove(&program->call[at + 1], &program->call[at],
		(program->count - at) * sizeof(*call));
	program->call[at] = *call;
	program->count++;
}

static void insert_new(struct program *program)
{
	struct call call = call_default(type_pick());
	unsigned int n;

	if (call.type->bytes)
		mutate_bytes(&call);
	for (n = random_below(4); n; n--)
		mutate_call(&call);
	call.aside = one_in(32);
	insert(program, &call);
}

void program_remove(struct program *program, unsigned int i)
{
	program->count--;
	memmove(&program->call[i], &program->call[i + 1],
		(program->count - i) * sizeof(program->call[0]));
}

static void swap(struct call *a, struct call *b)
{
	struct call c = *a;

	*a = *b;
	*b = c;
}

/* The other's end after this one's start. */
static void splice(struct program *program, const struct program *other)
{
	unsigned int from = random_below(other->count);

	program->count = random_below(program->count) + 1;
	while (from < other->count && program->count < PROGRAM_CALLS)
		program->call[program->count++] = other->call[from++];
}

static void mutate_once(struct program *program, const struct program *other)
{
	unsigned int i = random_below(program->count);
	unsigned int j = random_below(program->count);

	switch (random_below(20)) {
	case 0:
		swap(&program->call[i], &program->call[j]);
		return;
	case 1:
		insert(program, &program->call[i]);
		return;
	case 2:
		insert(program, &other->call[random_below(other->count)]);
		return;
	case 3:
		if (one_in(2))
			splice(program, other);
		return;
	case 4:
	case 5:
		if (program->count > 1)
			program_remove(program, i);
		return;
	case 6:
		if (one_in(4))
			program->call[i].aside ^= true;
		return;
	}
	if (one_in(2))
		insert_new(program);
	else
		mutate_call(&program->call[i]);
}

void mutate(struct program *program, const struct program *other)
{
	struct program copy = *other;
	unsigned int n;

	for (n = random_below(4) + 1; n; n--)
		mutate_once(program, &copy);
}
