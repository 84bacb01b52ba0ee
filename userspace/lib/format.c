// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>

#include "format.h"

struct format_text format_bytes(long long bytes)
{
	static const char * const units[] = {
		"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"
	};
	double size = bytes < 0 ? -(double)bytes : bytes;
	const char *sign = bytes < 0 ? "-" : "";
	struct format_text out;
	size_t unit = 0;

	while (size >= 1024 && unit < sizeof(units) / sizeof(*units) - 1) {
		size /= 1024;
		unit++;
	}
	snprintf(out.text, sizeof(out.text), unit ? "%s%.1f %s" : "%s%.0f %s",
		 sign, size, units[unit]);
	return out;
}

struct format_text format_seconds(double seconds)
{
	struct format_text out;

	if (seconds < 1)
		snprintf(out.text, sizeof(out.text), "%.0f ms", seconds * 1000);
	else if (seconds < 120)
		snprintf(out.text, sizeof(out.text), "%.1f s", seconds);
	else
		snprintf(out.text, sizeof(out.text), "%lld min %lld s",
			 (long long)seconds / 60, (long long)seconds % 60);
	return out;
}
