#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# fleet_demo.sh VMS MIB: a fleet of Debian guests under QEMU on kvmlite, with
# memory that ksmdev merges; then the same fleet with the kernel's KSM. The
# results go to the lab.

RESULTS=/tmp/demo
STAGGER=0

say() {
	printf '\n=== %s\n\n' "$*"
}

say "kvmlitectl load"
kvmlitectl load || exit
kvmlitectl status
# The ticks of guests that boot at once would take most of Bochs' one CPU.
[ "$LAB_EMULATOR" != bochs ] || STAGGER=40

say "$1 guests of $2 MiB on /dev/kvmlite: first merged by ksmdev, then by the kernel's KSM"
# To sample PSS walks all page tables: seconds of this CPU, which the scanners lack.
# And a guest that boots there may say nothing for minutes.
fleet compare --vms "$1" --mem "$2" --device kvmlite --kernel /guest/vmlinuz \
	--workload common --set name=demo --set merge=when-ready --set pss=end --set patience=300 \
	--stagger "$STAGGER" --duration 60 --backends ksmdev,ksm --no-plots --output "$RESULTS"
status=$?
[ ! -d "$RESULTS" ] || export_files.sh "$RESULTS"
exit "$status"
