#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# ksmctl: each command, its JSON, its errors and exit statuses, and ordinary
# programs under "ksmctl run". Runs as root with ksmdev loaded; TAP on stdout.

# shellcheck source=tests/functional/ctl_tap.sh
. "$(dirname "$0")/ctl_tap.sh"

SYSFS=/sys/class/misc/ksm

value() {
	cat "$SYSFS/$1"
}

# Settings as they were.
reset() {
	ksmctl set run=1 use_zero_pages=1 merge_across_nodes=1 advisor_mode=cpu-budget advisor_max_cpu=20 scan_threads=1 >/dev/null
}

# hold NAME PREFIX...: starts a program that holds merged memory until we close
# the other end of its input, and waits until it has it. NAME is a or b.
hold() {
	holder=$1
	shift
	rm -f "$TMP/$holder.in"
	mkfifo "$TMP/$holder.in"
	: >"$TMP/$holder.out"
	# Without the ends of other holders, which would never see them close.
	"$@" "$TESTS/ksmrun_test" hold 8 <"$TMP/$holder.in" \
		>"$TMP/$holder.out" 2>&1 5>&- 6>&- &
	eval "pid_$holder=$!"
	case $holder in
	a) exec 5>"$TMP/a.in" ;;
	b) exec 6>"$TMP/b.in" ;;
	esac
	tries=0
	while ! grep -q ready "$TMP/$holder.out" && [ $tries -lt 300 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	if grep -q ready "$TMP/$holder.out"; then
		ok "program $holder has its memory"
	else
		not_ok "program $holder has its memory" "$(cat "$TMP/$holder.out")"
	fi
}

# release NAME: the holder ends; it found its memory right.
release() {
	case $1 in
	a) exec 5>&- ;;
	b) exec 6>&- ;;
	esac
	if wait "$(eval echo "\$pid_$1")"; then
		ok "program $1 found its memory right"
	else
		not_ok "program $1 found its memory right" "$(cat "$TMP/$1.out")"
	fi
}

test_usage() {
	expect "no command is a usage error" 2 'Usage:' ksmctl
	expect "--help lists the commands" 0 'areas' ksmctl --help
	expect "--version" 0 '^ksmctl [0-9]' ksmctl --version
	expect "an unknown command is named" 2 'no such command: nonsense' ksmctl nonsense
	expect "an unknown option is a usage error" 2 'nonsense' ksmctl status --nonsense
	expect "an argument too many is a usage error" 2 'Usage|Too many' ksmctl status nonsense
	for command in status top areas set scan run metrics; do
		expect "$command --help" 0 "Usage: ksmctl $command" ksmctl $command --help
	done
}

test_status() {
	expect "status tells state and saving" 0 '^Saved .*pages' ksmctl status
	expect_json "status --json has the files of sysfs" 1 "run pages_shared pages_sharing ksm_zero_pages saved_bytes page_size=4096 general_profit scan_cpu_ns kernel_ksm" ksmctl status --json
	expect_json "--json may stand in front" 1 "run" ksmctl --json status
	expect_json "status --json agrees with sysfs" 1 "run=$(value run) advisor_max_cpu=$(value advisor_max_cpu) scan_threads=$(value scan_threads) advisor_mode=cpu-budget" ksmctl status --json
	expect "status works for everybody" 0 '^Saved' as_user $NOBODY ksmctl status
	if [ -e /sys/kernel/mm/ksm/run ]; then
		echo 1 >/sys/kernel/mm/ksm/run
		expect "status shows the kernel's own KSM if it runs" 0 "Kernel's own KSM" ksmctl status
		expect_json "and so does its JSON" 1 "kernel_ksm.run=1 kernel_ksm.saved_bytes" ksmctl status --json
		echo 0 >/sys/kernel/mm/ksm/run
	fi
}

test_top() {
	expect "top prints one table below the other" 0 '^per second: ' ksmctl top -d 0.1 -n 2 --batch
	expect "top is a batch when output is no terminal" 0 '^saved ' ksmctl top -d 0.1 -n 1
	expect_json "top --json prints an object for each table" 3 "saved_bytes scanner_cpu_percent" ksmctl top --json -d 0.1 -n 3
	same "each on a line" 3 "$(wc -l <"$TMP/out")"
	expect "top refuses a bad delay" 2 'not a number of seconds' ksmctl top -d x
	expect "top refuses a bad count" 2 'not a count' ksmctl top -n 0
	expect "top shows areas to root" 0 'cow_breaks' ksmctl top -n 1 -b
	ksmctl top -d 0.1 -b >"$TMP/live" &
	live=$!
	tries=100
	until [ "$(grep -c '^saved ' "$TMP/live")" -ge 2 ] || [ $((tries -= 1)) = 0 ]; do
		sleep 0.1
	done
	kill $live
	wait $live
	same "top ends well by a signal" 0 $?
	expect "top works for everybody" 0 '^saved ' as_user $NOBODY ksmctl top -n 1 -b
}

test_areas() {
	expect "areas prints column names" 0 'id +pid +uid +domain +size' ksmctl areas
	hold a ksmctl run --
	expect "areas lists the area of a program" 0 ' ksmrun_test$' ksmctl areas
	expect_json "areas --json is a list of objects" 1 "id pid uid=0 domain size private merged zero pending cow_breaks comm" ksmctl areas --json
	release a
	expect "areas tells who is not root" 1 'root' as_user $NOBODY ksmctl areas
	expect_one_line "in one line" as_user $NOBODY ksmctl areas
	if umount /sys/kernel/debug 2>/dev/null; then
		expect "areas tells how to mount debugfs" 1 'mount -t debugfs' ksmctl areas
		mount -t debugfs debug /sys/kernel/debug
	fi
}

test_set() {
	expect "set writes" 0 '^advisor_max_cpu = 37$' ksmctl set advisor_max_cpu=37
	same "and sysfs has it" 37 "$(value advisor_max_cpu)"
	expect_json "set --json tells what was set" 1 "run=0 scan_threads=2" ksmctl set --json run=0 scan_threads=2
	same "several at once" "0 2" "$(value run) $(value scan_threads)"
	expect "set advisor_mode=none" 0 'advisor_mode = none' ksmctl set advisor_mode=none
	expect_json "status knows the active mode" 1 "advisor_mode=none" ksmctl status --json
	reset
	expect "an unknown key lists those that can be set" 2 "no such key 'nonsense'; .*merge_across_nodes" ksmctl set nonsense=1
	expect "a read-only key is refused" 2 "read-only key 'pages_shared'" ksmctl set pages_shared=1
	expect "what is no KEY=VALUE is refused" 2 'not KEY=VALUE: run' ksmctl set run
	expect "an empty value is refused" 2 'not KEY=VALUE: run=' ksmctl set run=
	expect "no setting at all is a usage error" 2 'Usage' ksmctl set
	expect "nothing is set if one key is wrong" 2 'no such key' ksmctl set run=0 nonsense=1
	same "not even those before it" 1 "$(value run)"
	expect "a bad value says what is taken" 1 "run: '7' is refused; it takes 0" ksmctl set run=7
	expect "a word for a number, too" 1 "refused; it takes 1 to 64" ksmctl set scan_threads=many
	expect "who is not root is told so" 1 'only root' as_user $NOBODY ksmctl set run=1
	expect_one_line "in one line" ksmctl set run=7
}

# The domain of the latest scan --json.
domain() {
	sed -n 's/.*"domain": *\([0-9]*\).*/\1/p' "$TMP/out"
}

# Each file has 96 equal pages. A directory is a domain of its own, and the root of the
# mount is in that of the user.
test_scan_path() {
	chmod 711 "$TMP"
	mkdir "$TMP/fs"
	mount -t ksmfs none "$TMP/fs"
	mkdir "$TMP/fs/d"
	yes x | head -c 393216 >"$TMP/pages"
	# A domain lasts as long as something is in it.
	: >"$TMP/fs/r"
	expect_json "scan without PATH" 1 "domain" ksmctl scan --json
	mine=$(domain)
	cp "$TMP/pages" "$TMP/fs/r"
	cp "$TMP/pages" "$TMP/fs/d/f"
	expect_json "scan of a directory" 1 "pages_scanned=96 pages_merged=95" ksmctl scan --json "$TMP/fs/d"
	dir=$(domain)
	cp "$TMP/pages" "$TMP/fs/d/g"
	expect_json "scan of a file" 1 "domain=$dir pages_scanned=96 pages_merged=96" ksmctl scan --json "$TMP/fs/d/f"
	expect_json "scan of the root of a mount" 1 "domain=$mine pages_scanned=96 pages_merged=95" ksmctl scan --json "$TMP/fs"
	same "scan took the domain of the directory" yes "$([ "$dir" != "$mine" ] && echo yes)"
	expect "scan of what is elsewhere" 1 'is not a file or directory of ksmfs' ksmctl scan "$TMP/pages"
	mknod "$TMP/device" c 1 77
	expect "scan does not open a device" 1 'is not a file or directory of ksmfs' ksmctl scan "$TMP/device"
	expect_one_line "in one line" ksmctl scan "$TMP/device"
	expect "scan of what is not there" 1 'cannot open .*No such file' ksmctl scan "$TMP/fs/none"
	expect "scan of a directory without permission" 1 'cannot open .*Permission denied' as_user $NOBODY ksmctl scan "$TMP/fs/d"
	chmod 777 "$TMP/fs/d"
	expect "scan of somebody else's directory" 0 '^Pass done, .*for the owner of the domain$' as_user $NOBODY ksmctl scan "$TMP/fs/d"
	expect_json "its JSON" 1 "seconds" as_user $NOBODY ksmctl scan --json "$TMP/fs/d"
	same "has no numbers" 0 "$(grep -c 'domain\|passes\|pages' "$TMP/out")"
	expect "--force is for the owner" 1 'is for the owner' as_user $NOBODY ksmctl scan --force "$TMP/fs/d"
	umount "$TMP/fs"
	chmod 700 "$TMP"
}

test_scan() {
	ksmctl set run=0 >/dev/null
	expect "scan tells what a pass did" 0 '^visited [0-9]+ pages' ksmctl scan
	expect_json "scan --json" 1 "domain passes pages_scanned pages_hashed pages_merged pages_zero pages_skipped pages_volatile seconds" ksmctl scan --json
	expect "scan --force" 0 '^Pass ' ksmctl scan --force
	expect "scan takes at most one argument" 2 'Usage|Too many' ksmctl scan one two
	test_scan_path
	mode=$(stat -c %a /dev/ksm)
	chmod 600 /dev/ksm
	expect "scan without permission says what to look at" 1 'no permission to open /dev/ksm' as_user $NOBODY ksmctl scan
	expect "run without permission, too" 1 'no permission' as_user $NOBODY ksmctl run -- true
	chmod "$mode" /dev/ksm
	reset
}

test_metrics() {
	expect_metrics "metrics are in the format" '^ksmdev_up 1$' ksmctl metrics
	expect_metrics "in bytes" "^ksmdev_shared_bytes $(($(value pages_shared) * 4096))\$" ksmctl metrics
	expect_metrics "and seconds" '^ksmdev_scan_cpu_seconds_total [0-9.e-]+$' ksmctl metrics
	expect_metrics "metrics are for everybody" '^ksmdev_areas ' as_user $NOBODY ksmctl metrics
	expect "metrics --output writes a file" 0 '' ksmctl metrics --output "$TMP/ksmdev.prom"
	same "and prints nothing" "" "$(cat "$TMP/out")"
	expect_metrics "the file is in the format" '^ksmdev_running [01]$' cat "$TMP/ksmdev.prom"
	expect "a folder that is not there" 1 'No such file' ksmctl metrics -o "$TMP/nonsense/x.prom"
	expect_full_disk ksmctl
	timeout 20 ksmctl top --delay 0.1 >/dev/full 2>"$TMP/err" </dev/null
	same "top that nobody can read ends: status and lines" "1 1" "$? $(grep -c 'cannot write the output' "$TMP/err")"
	expect "metrics take no argument" 2 'Usage|Too many' ksmctl metrics nonsense
}

test_run() {
	expect "run gives the status of the program" 42 '' ksmctl run -- sh -c 'exit 42'
	expect "run needs no --" 0 'hello' ksmctl run echo hello
	expect "options of the program are its own" 0 'JSON|json|--json' ksmctl run echo --json
	expect "run without a program is a usage error" 2 'Usage' ksmctl run
	expect "no such program: 127" 127 'cannot run /nonsense: No such file' ksmctl run -- /nonsense
	expect "a program that cannot run: 126" 126 'cannot run /proc/version: Permission denied' ksmctl run -- /proc/version
	expect "a static program gets a warning" 0 'linked statically' ksmctl run -- /bin/busybox true
	expect "--debug tells what is merged" 0 'handed over' ksmctl run --debug -- "$TESTS/ksmrun_test" merge
	expect "and what is not, and why" 0 'not merging .*stack' ksmctl run -D -- "$TESTS/ksmrun_test" refused
}

# Signals stay blocked in a program that waits for the library's lock.
run_case() {
	timeout -s KILL 100 ksmctl run "$@"
}

test_cases() {
	ksmctl set run=0 >/dev/null
	for case in $("$TESTS/ksmrun_test" list); do
		expect "program: $case" 0 '' run_case -- "$TESTS/ksmrun_test" "$case"
	done
	ksmctl set run=1 advisor_max_cpu=200 sleep_millisecs=1 >/dev/null
	for case in fork fork_prot dontneed split mremap munmap map_fixed stale reuse close_all threads fork_threads signal cancel fork_free; do
		expect "program while scan threads run: $case" 0 '' run_case -- "$TESTS/ksmrun_test" "$case"
	done
	for seed in 1 2 3; do
		expect "random calls while scan threads run, seed $seed" 0 '' env SEED=$seed ksmctl run -- "$TESTS/ksmrun_test" random
	done
	ksmctl set sleep_millisecs=20 >/dev/null
	reset
	mode=$(stat -c %a /dev/ksm)
	chmod 666 /dev/ksm
	expect "a program over RLIMIT_MEMLOCK is told so" 0 'RLIMIT_MEMLOCK' ksmctl run -D -- "$TESTS/ksmrun_test" limit
	expect "everybody may run programs" 0 '' as_user $NOBODY ksmctl run -- "$TESTS/ksmrun_test" limit
	expect "in a private domain, too" 0 '' as_user $NOBODY ksmctl run -p -- "$TESTS/ksmrun_test" errors
	expect "another user does not join a private domain" 0 'gets one of its own' ksmctl run -pD -- "$TESTS/ksmrun_test" as-user $NOBODY "$TESTS/ksmrun_test" wiped
	chmod "$mode" /dev/ksm
	for case in merge fork_merge close_all; do
		expect "program in a private domain: $case" 0 '' ksmctl run --private-domain -- "$TESTS/ksmrun_test" "$case"
	done
}

# Pages of two processes, each 8 MiB of the same content: 2048 saved.
check_sharing() {
	wanted=$1 name=$2
	sharing=$(value pages_sharing)
	if [ $((sharing - before)) -ge "$wanted" ] && [ $((sharing - before)) -lt $((wanted + 1000)) ]; then
		ok "$name"
	else
		not_ok "$name" "expected pages_sharing to grow by $wanted, got $((sharing - before))"
	fi
}

test_two_processes() {
	ksmctl set run=0 >/dev/null
	before=$(value pages_sharing)
	hold a ksmctl run --
	hold b ksmctl run --
	ksmctl scan >/dev/null
	check_sharing 2000 "two programs share their pages"
	expect "merge_across_nodes is refused while pages are merged" 1 'first ksmctl set run=2' ksmctl set merge_across_nodes=0
	expect "set run=2 unmerges" 0 'run = 2' ksmctl set run=2
	same "nothing is shared then" 0 "$(value pages_sharing)"
	expect "merge_across_nodes can change now" 0 'merge_across_nodes = 0' ksmctl set merge_across_nodes=0
	ksmctl set merge_across_nodes=1 run=0 >/dev/null
	before=$(value pages_sharing)
	ksmctl scan --force >/dev/null
	check_sharing 2000 "they share again"
	release a
	release b
}

test_private_domains() {
	ksmctl set run=0 >/dev/null
	before=$(value pages_sharing)
	unshared=$(value pages_unshared)
	hold a ksmctl run --private-domain --
	hold b ksmctl run -p --
	# Whoever runs as root scans the domain of root only.
	ksmctl scan --force >/dev/null
	ksmctl set run=1 advisor_max_cpu=100 >/dev/null
	tries=0
	while [ "$(value pages_unshared)" -lt $((unshared + 4000)) ] && [ $tries -lt 300 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	if [ $tries -lt 300 ]; then
		ok "private domains are scanned"
	else
		not_ok "private domains are scanned" "pages_unshared: $unshared before, $(value pages_unshared) after 30 s"
	fi
	same "private domains share nothing with each other" "$before" "$(value pages_sharing)"
	release a
	release b
	reset
}

test_no_module() {
	if ! rmmod ksmdev 2>"$TMP/err"; then
		not_ok "the module can be removed: nothing is left open" "$(cat "$TMP/err")" "areas: $(value areas)"
		return
	fi
	ok "the module can be removed: nothing is left open"
	for command in status top areas scan "set run=1" "run true"; do
		# shellcheck disable=SC2086 # several words
		expect "$command without the module says what to do" 1 'modprobe ksmdev' ksmctl $command
	done
	expect_metrics "metrics say that it is not there" '^ksmdev_up 0$' ksmctl metrics
	modprobe ksmdev
	expect "and works when it is back" 0 '^Saved' ksmctl status
}

tests_need ksmrun_test json_check

test_usage
test_status
test_top
test_areas
test_set
test_scan
test_metrics
test_run
test_cases
test_two_processes
test_private_domains
test_no_module
tests_end
