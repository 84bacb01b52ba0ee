// SPDX-License-Identifier: GPL-2.0
/* See tsc.h. */

#include "base/tsc.h"

u64 kvml_tsc_lost;
static u64 before_sleep;

/* What is to be added so that a TSC that was @before does not go back. */
static u64 gone_back(u64 before, u64 now)
{
	return before > now ? before - now : 0;
}

void kvml_tsc_suspend(void)
{
	before_sleep = rdtsc();
}

void kvml_tsc_resume(void)
{
	kvml_tsc_lost += gone_back(before_sleep, rdtsc());
}
