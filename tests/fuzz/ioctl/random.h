/* SPDX-License-Identifier: GPL-2.0 */
/* Random numbers that a seed repeats. */
#ifndef RANDOM_H
#define RANDOM_H

#include "program.h"

extern u64 random_state;

static inline void random_seed(u64 seed)
{
	random_state = seed * 0x9e3779b97f4a7c15ULL | 1;
}

static inline u64 random_u64(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dULL;
}

/* 0 if @limit is 0. */
static inline u64 random_below(u64 limit)
{
	return limit ? (random_u64() >> 1) % limit : 0;
}

static inline bool one_in(unsigned int n)
{
	return !random_below(n);
}

#endif /* RANDOM_H */
