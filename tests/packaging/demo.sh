#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# ./lab demo, as README.md has it: the fleet on kvmlite, merged by ksmdev, then by
# the kernel's KSM; what it leaves. TAP.

# shellcheck source=tests/packaging/tap.sh
. "$(dirname "$(readlink -f "$0")")/tap.sh"

RESULTS=${LAB_OUT:-$ROOT/out}/demo

# number BACKEND MEMBER: of its summary, the first of that name.
number() {
	sed -n "s/^ *\"$2\": *\([-0-9]*\).*/\1/p" "$RESULTS/$1/summary.json" | head -n 1
}

works "./lab demo" "$ROOT/lab" demo || {
	finish
}
for backend in ksmdev ksm; do
	saved=$(number "$backend" saved_bytes) counted=$(number "$backend" counted_saved_bytes)
	# A saving of next to nothing, as KSM's may be, has no hundredth.
	off=$((saved > counted ? saved - counted : counted - saved))
	((off <= saved / 100 + 65536))
	result $? "$backend: the frames show what is saved" \
		"$saved bytes by the statistics, $counted by the frames"
	same "$backend: all guests found their memory right" 3 \
		"$(grep -c '"state": "ended"' "$RESULTS/$backend/summary.json")"
done
(($(number ksmdev saved_bytes) > $(number ksmdev touched_bytes) / 4))
result $? "ksmdev saves a quarter at least" "$(cat "$RESULTS/summary.txt")"
for file in summary.txt summary.csv summary.json ksmdev/samples.csv ksm/samples.csv \
	{saved,scanner,guests}.{svg,png}; do
	[[ -s $RESULTS/$file ]]
	result $? "$file is there"
done
finish
