#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# fleet_bench.sh [WORKLOAD-SCAN...]: fleets of guests, whose memory ksmdev
# merges (ours) or the kernel's KSM (peer). WORKLOAD is idle, common or writer,
# SCAN is flat-out or default; all six by default. Root, both mergers, --qemu.
# Documentation/bench-fleet.rst explains the figures.

CASES="idle-flat-out common-flat-out writer-flat-out idle-default common-default writer-default"

KERNEL=${KERNEL:-/guest/vmlinuz}
# Under Bochs the guests' kernel is 6.1, which needs less memory than 6.12.
if [ "$LAB_EMULATOR" = bochs ]; then
	DEVICE=${DEVICE:-kvmlite} MEM=${MEM:-80}
	# There the ticks of three guests that boot may take all of the one CPU, and
	# none gets on: each has the time to boot alone.
	STAGGER=${STAGGER:-12}
else
	DEVICE=${DEVICE:-kvm} MEM=${MEM:-96}
fi
WORKLOAD_MIB=${WORKLOAD_MIB:-12}
# The sides to measure, in this order.
BACKENDS=${BACKENDS:-ksmdev,ksm}
# Seconds that guests write.
WRITING=${WRITING:-30}

RESULTS=$(mktemp -d /tmp/fleet-bench.XXXXXX) || exit 1
status=0

# fleets FOLDER BACKENDS ARGUMENT...: the fleet on each back end, and its table.
fleets() {
	folder=$RESULTS/$1 backends=$2
	shift 2
	fleet compare --no-plots --mem "$MEM" --device "$DEVICE" --kernel "$KERNEL" \
		--set workload_mib="$WORKLOAD_MIB" --set merge=when-ready --set pss=end --set interval=0.5 \
		--set patience=300 --stagger "${STAGGER:-0}" --backends "$backends" --output "$folder" "$@" \
		>"$folder.log" </dev/null || return
	sed 's/^/# /' "$folder/summary.txt"
}

# number FOLDER METRIC BACKEND
number() {
	awk -F , -v metric="$2" -v backend="$3" '
		NR == 1 { for (i = 1; i <= NF; i++) if ($i == metric) column = i }
		$1 == backend && column { print $column }' "$RESULTS/$1/summary.csv"
}

# figure CASE METRIC UNIT SCALE NAME: a line of the table, from fleet's summary.
figure() {
	awk -v name="$1,$2,$3" -v scale="$4" -v ours="$(number "$1" "$5" ksmdev)" \
		-v peer="$(number "$1" "$5" ksm)" 'BEGIN {
		printf "BENCH,%s,%s,%s\n", name, ours == "" ? "" : sprintf("%.6g", ours / scale),
			peer == "" ? "" : sprintf("%.6g", peer / scale)
	}'
}

# Seconds that guests are merged: until it has settled, and a minute more.
duration() {
	case $1 in
	flat-out) echo "${DURATION:-80}" ;;
	*) echo "${DURATION:-120}" ;;
	esac
}

# saving CASE WORKLOAD SCAN: how soon, how much, and what it costs.
saving() {
	fleets "$1" "$BACKENDS" --vms 3 --workload "$2" --set scan="$3" \
		--duration "$(duration "$3")" || return
	figure "$1" time_to_90 s 1 seconds_to_90_percent
	figure "$1" saved MiB 1048576 saved_bytes
	figure "$1" used_before MiB 1048576 used_bytes_when_ready
	figure "$1" used_after MiB 1048576 counted_used_bytes
	figure "$1" cpu_to_90 s 1 scanner_cpu_seconds_to_90_percent
	figure "$1" cpu_per_minute_after s 1 scanner_cpu_seconds_per_minute_after
	figure "$1" time_to_same s 1 seconds_to_same_saving
	figure "$1" cpu_to_same s 1 scanner_cpu_seconds_to_same_saving
	figure "$1" saved_in_last_minute MiB 1048576 saved_bytes_in_last_minute
}

# slow_down CASE BACKEND: time for the same writes, in that without merging.
slow_down() {
	awk -v rate="$(number "$1" writes_per_second "$2")" \
		-v alone="$(number alone writes_per_second none)" \
		'BEGIN { if (rate > 0 && alone > 0) printf "%.4f", alone / rate }'
}

# writing CASE SCAN: guests that write as fast as they can.
writing() {
	name=$1 scan=$2
	set -- --vms 2 --workload writer --set write_rate=0 --duration "$WRITING"
	# One that failed leaves a table, too, and its logs tell why.
	grep -qs '^none,complete' "$RESULTS/alone/summary.csv" || {
		[ ! -e "$RESULTS/alone" ] || mv "$RESULTS/alone" "$RESULTS/alone-before-$name"
		fleets alone none "$@" || return
	}
	fleets "$name" "$BACKENDS" --set scan="$scan" "$@" || return
	figure "$name" writes 1/s 1 writes_per_second
	echo "BENCH,$name,slow_down,times,$(slow_down "$name" ksmdev),$(slow_down "$name" ksm)"
	figure "$name" saved MiB 1048576 saved_bytes
	figure "$name" scanner_cpu s 1 scanner_cpu_seconds
}

# shellcheck disable=SC2086 # a list
[ $# -gt 0 ] || set -- $CASES
for case in "$@"; do
	scan=${case#*-} workload=${case%%-*}
	case $workload in
	idle | common) saving "$case" "$workload" "$scan" || status=1 ;;
	writer) writing "$case" "$scan" || status=1 ;;
	*)
		echo "no such case: $case; there are: $CASES" >&2
		status=2
		;;
	esac
done
[ ! "$LAB_HOST" ] || export_files.sh "$RESULTS"
rm -rf "$RESULTS"
exit $status
