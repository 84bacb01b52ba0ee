#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# fleet.sh [PART...]: fleet's results and its errors. TAP on stdout.
#   errors     what goes wrong, with programs that play a guest: no KVM needed
#   signals    what ends a fleet early, with the same
#   plots      what gnuplot draws of the same, or that there is none
#   terminal   what people see of the same on a terminal
#   ksmdev     each workload merged by it, on stock KVM (root, ksmdev, --qemu)
#   ksm        the same with the kernel's KSM
#   none       the same merged by nobody
#   compare    one fleet on ksmdev and KSM
#   kvmlite    small fleets on kvmlite

FLEET=${FLEET:-fleet}
KERNEL=${KERNEL:-/guest/vmlinuz}
JSON_CHECK=${JSON_CHECK:-$(dirname "$(command -v ksmctl)")/../lib/kvmlite/tests/json_check}
TMP=$(mktemp -d /tmp/fleet.XXXXXX) || exit 1

MERGED=
VMS=2
number=0
failures=0

# result NAME REASON: no reason is a success.
result() {
	number=$((number + 1))
	if [ ! "$2" ]; then
		echo "ok $number - $1"
		return
	fi
	failures=$((failures + 1))
	echo "not ok $number - $1"
	echo "$2" | sed 's/^/# /'
}

# fleet_run STATUS ARGUMENT...: output goes to $TMP/out and $TMP/err, results to
# $TMP/result; says what is wrong with the exit status, if anything is.
fleet_run() {
	want=$1
	shift
	rm -rf "$TMP/result"
	"$FLEET" run --output "$TMP/result" "$@" >"$TMP/out" 2>"$TMP/err" </dev/null
	got=$?
	[ $got = "$want" ] || echo "expected status $want, got $got: $(head -c 500 "$TMP/err")"
}

# one_line PATTERN: what is wrong with what was said on stderr.
one_line() {
	lines=$(wc -l <"$TMP/err")
	[ "$lines" = 1 ] || echo "expected one line on stderr, got $lines: $(head -c 500 "$TMP/err")"
	grep -qE -e "$1" "$TMP/err" || echo "expected a line like: $1, got: $(head -c 300 "$TMP/err")"
}

# fails NAME STATUS PATTERN ARGUMENT...: ends so, and nothing is left.
fails() {
	name=$1 status=$2 pattern=$3
	shift 3
	problem=$(fleet_run "$status" "$@")
	result "$name" "$problem$(one_line "$pattern")$(left_over)"
}

# All that our fleets have started: players by their path, VMMs by the name of
# the fleet. Zombies have no command line. (With -F, busybox stops at a NUL.)
ours() {
	echo "${TMP##*/}" | grep -lsa -f - /proc/[0-9]*/cmdline
}

# All that fleet may change for a while. On a real machine others do that, too.
settings() {
	[ "${LAB_HOST:-}" ] || return 0
	grep -s . /sys/kernel/mm/ksm/run /sys/kernel/mm/ksm/pages_to_scan \
		/sys/kernel/mm/ksm/sleep_millisecs /sys/kernel/mm/ksm/advisor_mode
	[ ! -d /sys/class/misc/ksm ] || (cd /sys/class/misc/ksm &&
		grep -s . run advisor_mode advisor_max_cpu pages_to_scan sleep_millisecs)
	cat /proc/mounts
	find /dev -maxdepth 1 | sort
	find /tmp -maxdepth 1 -name '*fleet*' | sort
}

# What the last fleet should not have left behind: those who run or play its
# guests, files that are not complete, settings.
left_over() {
	ours | sed 's/$/ still runs or plays a guest/'
	find "$TMP/result" -name '*.part' 2>/dev/null
	now=$(settings)
	[ "$now" = "$before" ] || {
		echo "$before" >"$TMP/before"
		echo "$now" | diff "$TMP/before" - | sed 's/^/changed: /'
	}
}

# number_of MEMBER: the first one in the summary.
number_of() {
	sed -n "s/^ *\"$1\": *\([-0-9]*\).*/\1/p" "$TMP/result/summary.json" | head -n 1
}

# player NAME TEXT...: a program that says TEXT, a line each, and obeys nothing
# but its last line.
player() {
	cat >"$TMP/fleet-player"
	chmod +x "$TMP/fleet-player"
}

ready='FLEET ready pages=0'
right='FLEET sum writes=0 bad=0 sum=0'

# Who plays the guests, and the options that all such fleets have in PLAY.
players_cast() {
	player <<-END
		#!/bin/sh
		told() {
			until [ "\$line" = stop ]; do
				read -r line || exit 0
				[ "\$line" != ping ] || echo "FLEET alive writes=0"
			done
		}
		case \$1 in
		--version) "\$0" child & echo player 1 ;;
		good) echo "$ready"; told; echo "$right"; echo FLEET done ;;
		noisy) echo "[ 1.0] watchdog: BUG: $ready"; told; echo "[ 9.0] $right"; echo FLEET done ;;
		wrong) echo "$ready"; read -r line; echo "FLEET sum writes=0 bad=0 sum=1"; read -r line ;;
		bad) echo "$ready"; read -r line; echo "FLEET sum writes=0 bad=3 sum=0"; read -r line ;;
		chatty) while :; do echo "It was a dark and stormy night."; done ;;
		early) echo "$ready"; sleep 1 ;;
		panic) echo "[ 1.0] Kernel panic - not syncing: no init"; echo "[ 1.1] Kernel Offset: disabled" ;;
		status) echo "no such CPU" >&2; exit 3 ;;
		parent) "\$0" child </dev/null >/dev/null 2>&1 & exit 3 ;;
		keeper) echo "$ready"; "\$0" child & echo "no such CPU" >&2; exit 3 ;;
		child) while :; do sleep 0.2; done ;;
		killed) echo "$ready"; kill -9 \$\$ ;;
		unwell) echo "FLEET error out of memory"; read -r line ;;
		silent) echo "$ready"; exec 1>/dev/null 2>&1; sleep 100 ;;
		mute) read -r line; read -r line ;;
		deaf) echo "$ready"; told; : >"$TMP/told"; sleep 100 ;;
		esac
	END
	: >"$TMP/kernel"
	echo kernel >"$TMP/some-kernel"
	PLAY="--device=tcg --kernel=$TMP/kernel --initrd=$TMP/kernel --vms=2 --duration=2
		--set=interval=0.5"
	# Settings that fleet has to put back; those of a real machine stay alone.
	[ ! "${LAB_HOST:-}" ] ||
		MERGED="--backend=ksm --set=pages_to_scan=777 --set=sleep_millisecs=33"
}

# play HOW: the command of a guest that is played so.
play() {
	echo "--set=vmm=$TMP/fleet-player $1"
}

test_errors() {
	players_cast
	# shellcheck disable=SC2086 # several words
	set -- $PLAY --no-plots ${MERGED:---backend=none}
	good=$(play good)

	problem=$(fleet_run 0 "$@" "$good")
	result "a good fleet" "$problem$(left_over)$(cat "$TMP/err")"
	for file in description versions.json samples.csv summary.json summary.txt vm1.log vm2.log; do
		[ -s "$TMP/result/$file" ] || echo "$file is missing or empty"
	done >"$TMP/missing"
	result "the result folder is complete" "$(cat "$TMP/missing")"
	cp "$TMP/result/description" "$TMP/again"
	problem=$(fleet_run 0 --no-plots "$TMP/again")
	cmp -s "$TMP/again" "$TMP/result/description" || problem="$problem it became another one"
	result "its description repeats it" "$problem"
	problem=$(cd "$TMP" && fleet_run 0 "$@" "$good" --kernel some-kernel)
	grep -qx "kernel = $TMP/some-kernel" "$TMP/result/description" ||
		problem="$problem its description has no path of the kernel that holds elsewhere"
	grep -q "$(sha256sum <"$TMP/some-kernel" | cut -d ' ' -f 1)" "$TMP/result/versions.json" ||
		problem="$problem its versions do not identify the kernel"
	result "what its guests are is recorded" "$problem"

	problem=$(fleet_run 0 "$@" "$(play noisy)")
	result "a guest whose kernel talks, too" "$problem$(left_over)"
	test_guests "$@"
	test_arguments "$@"
	problem=$(fleet_run 0 "$@" "$good" --json)
	cmp -s "$TMP/out" "$TMP/result/summary.json" ||
		problem="$problem expected summary.json alone, got: $(head -c 300 "$TMP/out")"
	result "--json" "$problem"
	# What is mapped is known when all are ready and in the end, not in between.
	problem=$(fleet_run 0 "$@" "$(play good)" --set pss=end)
	[ "$problem" ] || problem=$(awk -F , '$2 == "all" { rss = rss ($3 == "" ? "-" : "+") }
		END { if (rss !~ /^-*[+]-+[+]$/) print "expected RSS twice, got " rss }' \
		"$TMP/result/samples.csv")
	result "pss=end" "$problem"
	[ "$(id -u)" != 0 ] || test_full_disk "$@"
}

# Guests and VMMs that do not as they should.
test_guests() {
	fails "wrong checksum" 1 'guest [12] failed: its memory is wrong: checksum' "$@" "$(play wrong)"
	fails "bad pages" 1 '3 of 0 pages' "$@" "$(play bad)"
	fails "a VMM that ends too early" 1 'it ended before it was told to.*vm[12]\.log' "$@" "$(play early)"
	fails "a kernel that panics" 1 'it ended before .*: \[ 1\.0\] Kernel panic - not syncing: no init' \
		"$@" "$(play panic)"
	fails "a VMM that fails" 1 'status 3: no such CPU' "$@" "$(play status)"
	problem=$(fleet_run 1 "$@" "$(play parent)")
	await_end
	result "a VMM that fails and leaves a child" "$problem$(one_line 'status 3')$(left_over)"
	fails "a VMM that fails, its child keeps the output" 1 'status 3: no such CPU' "$@" "$(play keeper)"
	fails "a VMM that is killed" 1 'killed by signal 9' "$@" "$(play killed)"
	fails "a guest that gives up" 1 'it says: out of memory' "$@" "$(play unwell)"
	fails "a guest that never says a word" 1 'said nothing for [0-9]+ s while booting' "$@" \
		"$(play mute)" --set patience=1
	fails "a guest that falls silent" 1 'said nothing for [0-9]+ s while ready' "$@" "$(play silent)" --set patience=1
	problem=$(grep -o '"outcome": "failed"' "$TMP/result/summary.json" || echo "no summary says so")
	result "what a failed fleet gave is kept" "${problem#*failed\"}"
}

test_arguments() {
	good=$(play good)
	fails "no such VMM" 1 'no program /nowhere/vmm: install' "$@" --set "vmm=/nowhere/vmm"
	fails "no kernel" 1 'kernel /nowhere/kernel: No such file' "$@" "$good" --kernel /nowhere/kernel
	fails "no initrd" 1 'initrd /nowhere/initrd: No such file' "$@" "$good" --initrd /nowhere/initrd
	fails "unknown field of the command" 2 "has a field that does not exist" "$@" "$good %{what}"
	fails "open quote in the command" 2 "quote is not closed" "$@" "$good 'good"
	fails "too much workload" 2 "must be less than mem" "$@" "$good" --workload zero --mem 16
	fails "unknown workload" 2 "is no workload; there are: idle" "$@" --workload dance
	fails "a number that is none" 2 "vms must be a whole number" "$@" --vms many
	fails "unknown key" 2 "no such key: speed" "$@" --set speed=1
	fails "a value of two lines" 2 "append must be on one line" "$@" --set "append=a
		vms = 3"
	printf 'vms = 2\n\n# text\ncolour = red\n' >"$TMP/description"
	fails "unknown key in a file" 2 "description:4: no such key: colour" "$TMP/description"
	fails "no such file" 1 'cannot read the description /nowhere/file' /nowhere/file
	fails "no VT-x, no module" 1 'cannot use /dev/kvmlite: .*modprobe kvmlite' --backend none \
		--kernel "$TMP/kernel" --initrd "$TMP/kernel" --set vmm=/bin/true --no-plots
	mkdir -p "$TMP/full"
	: >"$TMP/full/file"
	refused "a folder with something in it" 1 'has something in it' run "$@" "$good" --output "$TMP/full"
	refused "a folder in no folder" 1 'cannot make the result folder' run "$@" "$good" --output "$TMP/no/folder"
	refused "a folder with a long name" 1 'too long' run "$@" "$good" --output "$TMP/$(printf '%04000d' 0)"
	refused "compare with itself" 2 'named twice' compare --backends none,none
	refused "compare a back end that does not exist" 2 "no such back end: 'kms'" compare --backends none,kms
	refused "compare one back end" 2 'named by --backends' compare --backend none
	refused "nothing to plot" 1 'no samples to draw' plot "$TMP"
	for command in run compare plot workloads; do
		refused "$command: unknown option" 2 'no-such-option' $command --no-such-option
	done
	refused "no such command" 2 'no such command: rnu' rnu
	"$FLEET" workloads >/dev/full 2>"$TMP/err"
	got=$?
	result "nowhere to print" "$([ $got = 1 ] || echo "expected status 1, got $got")$(one_line 'cannot write')"
}

# refused NAME STATUS PATTERN ARGUMENT...: no run; argp says in a second line
# where help is.
refused() {
	name=$1 status=$2 pattern=$3
	shift 3
	"$FLEET" "$@" >"$TMP/out" 2>"$TMP/err" </dev/null
	got=$?
	sed -i '/^Try /,$d' "$TMP/err"
	result "$name" "$([ $got = "$status" ] || echo "expected status $status, got $got")$(one_line "$pattern")$(left_over)"
}

# disk_full NAME KIB FILE COMMAND ARGUMENT...: writing FILE fails, on a disk of
# so many KiB, and this is said once.
disk_full() {
	name=$1 size=$2 file=$3 command=$4
	shift 4
	mount -t tmpfs -o "size=${size}k" small "$TMP/small" || {
		result "$name" "cannot mount a small file system"
		return
	}
	"$FLEET" "$command" "$@" --output "$TMP/small/result" --set interval=0.05 \
		>"$TMP/out" 2>"$TMP/err" </dev/null
	got=$?
	problem=$([ $got = 1 ] || echo "expected status 1, got $got")
	problem="$problem$(find "$TMP/small" -name '*.part')"
	umount "$TMP/small"
	result "$name" "$problem$(one_line "cannot write .*$file: No space left")$(left_over)"
}

# Each file takes 4 KiB at least: the description, versions, samples, two logs.
test_full_disk() {
	mkdir "$TMP/small"
	disk_full "a full disk: samples" 20 samples.csv run "$@" "$(play good)" --duration 100
	disk_full "a full disk: a log" 20 'vm[12].log' run "$@" "$(play chatty)"
	# shellcheck disable=SC2086 # several words
	disk_full "a full disk: compare" 20 samples.csv compare $PLAY --no-plots --backends none \
		"$(play good)" --duration 100
}

# background COMMAND ARGUMENT...: its process is $pid.
background() {
	rm -rf "$TMP/result"
	"$FLEET" "$@" --output "$TMP/result" >"$TMP/out" 2>"$TMP/err" </dev/null &
	pid=$!
}

# wait_for PATTERN FILE: until fleet has written it, or has ended.
wait_for() {
	until grep -qs "$1" "$TMP/result/$2"; do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.2
	done
}

all_ready() {
	wait_for '^FLEET ready' vm1.log
	wait_for '^FLEET ready' vm2.log
}

# Those who are killed are still there for a moment.
await_end() {
	tries=0
	while [ "$(ours)" ] && [ $tries -lt 50 ]; do
		tries=$((tries + 1))
		sleep 0.1
	done
}

# end SIGNAL: ends it so; $problem is what is wrong with how it does.
end() {
	kill -"$1" "$pid"
	wait "$pid"
	got=$?
	problem=$([ $got = 1 ] || echo "expected status 1, got $got")
	problem="$problem$(one_line "interrupted; what there is so far is in $TMP/result")$(left_over)"
}

test_signals() {
	players_cast
	# shellcheck disable=SC2086 # several words
	set -- $PLAY --no-plots
	samples='^[0-9.]*,all'
	for signal in INT TERM HUP; do
		# shellcheck disable=SC2086 # several words
		background run "$@" ${MERGED:---backend=none} "$(play good)" --duration 100
		wait_for "$samples" samples.csv.part
		end $signal
		grep -qs '"outcome": "interrupted"' "$TMP/result/summary.json" &&
			grep -qs "$samples" "$TMP/result/samples.csv" || problem="$problem no result of it"
		result "run: SIG$signal: results so far, nothing left" "$problem"
	done

	# shellcheck disable=SC2086 # several words
	background run "$@" ${MERGED:---backend=none} "$(play deaf)" --duration 100
	all_ready
	if [ "$MERGED" ]; then
		# shellcheck disable=SC2086 # several words
		"$FLEET" run "$@" $MERGED "$(play good)" --output "$TMP/second" >"$TMP/out2" 2>"$TMP/err2"
		got=$?
		result "a second fleet does not touch settings" "$(
			[ $got = 1 ] && grep -q 'another fleet has changed settings' "$TMP/err2" ||
				echo "expected to be refused, got: $(cat "$TMP/err2")")"
	fi
	kill -TERM "$pid"
	until [ -e "$TMP/told" ]; do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.2
	done
	end INT
	[ -e "$TMP/told" ] || problem="$problem no guest was told to stop"
	result "run: a second signal does not wait for guests" "$problem"

	backends=none wanted='none,interrupted '
	[ ! "$MERGED" ] || backends=none,ksm wanted='none,complete ksm,interrupted '
	for signal in INT TERM; do
		# It is the second one that is interrupted.
		background compare "$@" --set pages_to_scan=777 "$(play good)" --backends "$backends" \
			--duration 15
		wait_for "$samples" "${backends#*,}/samples.csv.part"
		end $signal
		[ "$(sed 1d "$TMP/result/summary.csv" | cut -d , -f 1-2 | tr '\n' ' ')" = "$wanted" ] ||
			problem="$problem expected $wanted, got $(cat "$TMP/result/summary.csv")"
		result "compare: SIG$signal: results so far, nothing left" "$problem"
	done

	# Longer than it has patience with guests.
	background run "$@" --backend none "$(play good)" --set patience=2
	all_ready
	kill -STOP "$pid"
	sleep 4
	kill -CONT "$pid"
	wait "$pid"
	got=$?
	result "run: stopped and continued" "$([ $got = 0 ] ||
		echo "expected status 0, got $got: $(cat "$TMP/err")")$(left_over)"

	background run "$@" --backend none "$(play good)" --duration 100
	all_ready
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	await_end
	rm -rf "$TMP/result"
	result "fleet killed: guests die with it" "$(left_over)"
}

# same_within PERCENT A B
same_within() {
	awk -v percent="$1" -v a="$2" -v b="$3" 'BEGIN {
		diff = a > b ? a - b : b - a
		exit !(a != "" && b != "" && diff * 100 <= percent * (a > b ? a : b))
	}'
}

# What is wrong with the last run's memory: each guest's checksum was right, or
# fleet would have failed; the saving is what the frames show.
check_saving() {
	saved=$(number_of saved_bytes) counted=$(number_of counted_saved_bytes)
	# The kernel may merge a little by itself: huge pages of zeroes, say.
	if [ "$saved" = 0 ]; then
		same_within 1 "$(number_of touched_bytes)" "$(number_of counted_used_bytes)"
	else
		same_within 1 "$saved" "$counted"
	fi ||
		echo "expected a saving that the frames show, got $saved by the statistics and $counted by the frames"
	[ "$(grep -c '"state": "ended"' "$TMP/result/summary.json")" = "$1" ] ||
		echo "expected $1 guests that ended well"
}

# What is wrong with what the samples say of each guest of a writing fleet whose
# frames were counted in the end: both break pages, and share frames.
check_guests() {
	awk -F , '
		NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
		$2 == "all" { all = $column["counted_bytes"]; sum = 0; next }
		{ sum += $column["counted_bytes"] }
		$column["counted_bytes"] > all { print "guest " $2 " has more frames than all" }
		$column["cow_breaks_per_second"] > 0 { breaks[$2] = 1 }
		END {
			if (!breaks[1] || !breaks[2]) print "expected a rate of copies of both guests"
			if (sum <= all) print "expected shared frames: " sum " of guests, " all " of all"
		}' "$TMP/result/samples.csv"
}

# Guests, small, which boot before anybody merges.
small_fleet() {
	echo "--set=name=${TMP##*/} --device=$DEVICE --kernel=$KERNEL --vms=$VMS --mem=${MEM:-80} --set=workload_mib=8
		--set=merge=when-ready --set=patience=300"
}

# workload NAME BACKEND LEAST ARGUMENT...: at least LEAST MiB are saved.
workload() {
	name=$1 backend=$2 least=$3
	shift 3
	# shellcheck disable=SC2046 # several words
	problem=$(fleet_run 0 $(small_fleet) --workload "$name" --backend "$backend" --no-plots "$@")
	[ "$problem" ] || problem=$(check_saving "$VMS")
	saved=$(number_of saved_bytes)
	[ "${saved:-0}" -ge $((least << 20)) ] ||
		problem="$problem expected $least MiB saved at least, got ${saved:-no} bytes"
	[ "$problem" ] || problem=$("$JSON_CHECK" backend="$backend" workload="$name" outcome=complete \
		<"$TMP/result/summary.json" 2>&1 | grep -v '^1$')
	echo "# $name on $backend: $(number_of touched_bytes) bytes, saved ${saved:-?}, by frames $(number_of counted_saved_bytes); ready after $(number_of ready_seconds) s"
	result "$name on $backend" "$problem$(left_over)"
}

test_ksmdev() {
	DEVICE=kvm
	# At its default pace, then flat out.
	workload idle ksmdev 20 --duration 10
	set -- --set scan=flat-out --duration 6
	workload unique ksmdev 20 "$@"
	workload common ksmdev 28 "$@"
	workload zero ksmdev 28 "$@"
	workload mix ksmdev 20 "$@"
	workload writer ksmdev 20 "$@" --set write_rate=50
	problem="expected writes and copies, got $(number_of writes), $(number_of writes_per_second) a second, and $(number_of cow_breaks)"
	[ "$(number_of writes)" -gt 0 ] && [ "$(number_of writes_per_second)" -gt 0 ] &&
		[ "$(number_of cow_breaks)" -gt 0 ] && problem=
	result "the writer wrote and broke pages" "$problem"
	result "figures of each guest" "$(check_guests)"
	fails "no kvmlite" 1 'cannot use /dev/kvmlite.*modprobe' --kernel "$KERNEL"
	rmmod ksmdev
	before=$(settings)
	fails "no ksmdev" 1 'cannot use /dev/ksm.*modprobe' --device kvm --kernel "$KERNEL"
	modprobe ksmdev
	before=$(settings)
}

test_ksm() {
	DEVICE=kvm
	# A busy machine may take long for the two passes that ksmd needs.
	set -- --set pages_to_scan=4000 --set sleep_millisecs=20 --duration 30
	workload idle ksm 20 "$@"
	workload unique ksm 20 "$@"
	workload common ksm 28 "$@"
	workload zero ksm 20 "$@"
	# Writes make the statistics of KSM lag; few of them keep within 1%.
	workload mix ksm 15 "$@" --set write_rate=5
	workload writer ksm 20 "$@" --set write_rate=5
	test_ksm_killed "$@"
}

# Pages of dead guests count as shared until ksmd comes by.
test_ksm_killed() {
	# shellcheck disable=SC2046 # several words
	background run $(small_fleet) --workload common --backend ksm --no-plots "$@" --duration 300
	wait_for '^[0-9.]*,all,[0-9]*,[0-9]*,[0-9]*,[0-9]*,[0-9]\{8\}' samples.csv.part
	echo 0 >/sys/kernel/mm/ksm/run
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	await_end
	left=$(cat /sys/kernel/mm/ksm/pages_sharing)
	before=$(settings)
	players_cast
	# shellcheck disable=SC2086 # several words
	problem=$(fleet_run 0 $PLAY "$(play good)" --backend ksm --no-plots)
	[ "$left" -gt 0 ] || problem="$problem expected the killed fleet to leave shared pages"
	result "ksm after a fleet that was killed" "$problem$(cat "$TMP/err")$(left_over)"
}

test_none() {
	DEVICE=kvm VMS=1
	for name in $("$FLEET" workloads | cut -d ' ' -f 1); do
		workload "$name" none 0 --duration 1
	done
	# Files of more than half of its RAM.
	workload common none 0 --duration 1 --mem 160 --set workload_mib=88
}

# A number of the line of a back end in the comparison: cell BACKEND COLUMN
cell() {
	awk -F , -v backend="$1" -v name="$2" '
		NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i }
		$1 == backend { print $column[name] }' "$TMP/result/summary.csv"
}

test_compare() {
	DEVICE=kvm VMS=2
	rm -rf "$TMP/result"
	# shellcheck disable=SC2046 # several words
	problem=$("$FLEET" compare --backends ksmdev,ksm $(small_fleet) --workload common \
		--set scan=flat-out --duration 30 --output "$TMP/result" 2>"$TMP/err" >"$TMP/out" </dev/null ||
		echo "expected status 0, got $?: $(cat "$TMP/err")")
	result "compare ksmdev and ksm" "$problem$(cat "$TMP/err")$(left_over)"
	sed 's/^/# /' "$TMP/result/summary.txt"
	result "one table, on the terminal and in a file" "$(head -n 2 "$TMP/result/summary.txt" |
		grep -qE '^ +ksmdev +ksm$' || echo "expected columns ksmdev and ksm")$(
		grep -vxFf "$TMP/out" "$TMP/result/summary.txt" | sed 's/^/not printed: /')"
	problem=$("$JSON_CHECK" backend outcome=complete saved_bytes guests versions \
		<"$TMP/result/summary.json" 2>&1 | grep -v '^1$')
	for backend in ksmdev ksm; do
		[ -s "$TMP/result/$backend/samples.csv" ] || echo "no samples of $backend"
		saved=$(cell $backend saved_bytes)
		[ "$(cell $backend outcome)" = complete ] && [ "${saved:-0}" -ge $((28 << 20)) ] ||
			echo "expected $backend to complete and save 28 MiB, got '$(cell $backend outcome)', '$saved'"
		grep -q "\"saved_bytes\": $saved," "$TMP/result/summary.json" ||
			echo "expected summary.json to say the same as summary.csv: $saved"
		same_within 1 "$(cell $backend used_bytes)" "$(cell $backend counted_used_bytes)" ||
			echo "expected what $backend uses to be what the frames show"
	done >"$TMP/missing"
	result "one JSON and one CSV for both" "$problem$(cat "$TMP/missing")"
	result "plots, or a word that there are none" "$(drawn "$TMP/result" "$TMP/out")"
}

test_kvmlite() {
	DEVICE=kvmlite MEM=96
	kvm=$(ls -l /dev/kvm 2>&1)
	# A quarter each of all others. Seconds of Bochs have few instructions, and the
	# ticks of guests that boot at once take them all.
	[ "$LAB_EMULATOR" != bochs ] || set -- --stagger 40
	workload mix ksmdev 20 --set scan=flat-out --duration 20 "$@"
	now=$(ls -l /dev/kvm 2>&1)
	result "/dev/kvm was left alone" "$([ "$now" = "$kvm" ] || echo "expected $kvm, got $now")"
}

# What is wrong with the plots in FOLDER, or with what OUTPUT says of gnuplot.
drawn() {
	if ! command -v gnuplot >/dev/null; then
		[ "$(grep -c "^No plots: gnuplot is not installed; 'fleet plot $1'" "$2")" = 1 ] ||
			echo "expected a line that there is no gnuplot"
		return
	fi
	for picture in saved scanner guests; do
		tail -n 3 "$1/$picture.svg" | grep -q '</svg>' || echo "$picture.svg is not complete"
		head -c 4 "$1/$picture.png" | grep -q PNG || echo "$picture.png is none"
	done 2>&1
}

test_plots() {
	players_cast
	# shellcheck disable=SC2086 # several words
	set -- $PLAY "$(play good)" --set frames=never
	problem=$(fleet_run 0 "$@" --backend none)
	result "plots of a fleet" "$problem$(drawn "$TMP/result" "$TMP/out")$(left_over)"
	problem=$(fleet_run 0 "$@" --backend none --no-plots)
	result "no plots" "$problem$(ls "$TMP/result"/*.svg 2>/dev/null)"
	if command -v gnuplot >/dev/null; then
		"$FLEET" plot "$TMP/result" >"$TMP/out" 2>"$TMP/err"
		result "plots of a folder" "$(cat "$TMP/err")$(drawn "$TMP/result" "$TMP/out")"
	else
		refused "no gnuplot" 1 'gnuplot is not installed \(Debian: gnuplot-nox\)' plot "$TMP/result"
	fi
	mkdir "$TMP/bin"
	printf '%s\n' '#!/bin/sh' ': >saved.svg.part' 'exit 1' >"$TMP/bin/gnuplot"
	chmod +x "$TMP/bin/gnuplot"
	PATH=$TMP/bin:$PATH refused "gnuplot fails" 1 'gnuplot could not draw' plot "$TMP/result"
	# As gnuplot does on a full disk.
	printf '%s\n' '#!/bin/sh' 'for name in saved scanner guests; do' \
		'echo "<svg>" >$name.svg.part; : >$name.png.part; done' 'cat >/dev/null' >"$TMP/bin/gnuplot"
	PATH=$TMP/bin:$PATH refused "a full disk: plots" 1 'cannot write .*saved.svg: is the disk full' \
		plot "$TMP/result"
	rm "$TMP/bin/gnuplot"
}

# on_terminal STATUS ARGUMENT...: as fleet_run; $TMP/out is what a terminal gets.
on_terminal() {
	want=$1
	shift
	rm -rf "$TMP/result"
	printf "'%s' " "$FLEET" run --output "$TMP/result" "$@" >"$TMP/command"
	script -qec "sh $TMP/command" /dev/null >"$TMP/out" </dev/null
	got=$?
	[ $got = "$want" ] || echo "expected status $want, got $got: $(tail -n 3 "$TMP/out")"
}

# What is still there when it has ended: behind the last table that was drawn
# over, which begins with the cursor going up.
seen_last() {
	awk '{ text = text $0 "\n" } END {
		while ((at = match(text, "\033\\[[0-9]+A")))
			text = substr(text, at + RLENGTH)
		print text
	}' "$TMP/out"
}

test_terminal() {
	if ! script -qec true /dev/null >/dev/null 2>&1; then
		result "a terminal # SKIP there is no script(1)"
		return
	fi
	players_cast
	# shellcheck disable=SC2086 # several words
	set -- $PLAY --set=frames=never --backend=none --no-plots
	problem=$(on_terminal 0 "$@" "$(play good)")
	for text in 'idle on none: saved 0 B of' 'vm state' '1 ended' '2 of 2 guests verified'; do
		seen_last | grep -qF "$text" || problem="$problem expected to see: $text"
	done
	result "a table is drawn" "$problem$(left_over)"
	problem=$(on_terminal 1 "$@" "$(play killed)" --set stagger=1)
	seen_last | grep -q 'guest 1 failed: its VMM was killed' ||
		problem="$problem expected to see why it failed, got: $(seen_last)"
	result "what went wrong stays on it" "$problem$(left_over)"
	result "the cursor is back" "$(grep -oE '[[][?]25[lh]' "$TMP/out" | tail -n 1 | grep -q h ||
		echo "it was hidden last")"
}

before=$(settings)
[ $# -gt 0 ] || set -- errors signals plots
for part in "$@"; do
	"test_$part"
done
rm -rf "$TMP"
echo "1..$number"
[ $failures = 0 ]
