#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# kvmlitectl: each command, its JSON, its errors and exit statuses. Runs as root
# with none of our modules loaded, and leaves it so, but without VT-x and AMD-V in
# lockdown; TAP on stdout. What needs one of them runs where it is; stock KVM
# stands in for kvmlite in tests of exec.

# shellcheck disable=SC2016 # what other shells expand
# shellcheck source=tests/functional/ctl_tap.sh
. "$(dirname "$0")/ctl_tap.sh"

HERE=$(dirname "$0")
OURS=/dev/kvmlite
STOCK=/dev/kvm
DEBUGFS=/sys/kernel/debug
MODULES=/lib/modules/$(uname -r)/extra
# As a regular expression.
RELEASE=$(uname -r | sed 's/[.+]/\\&/g')
COMMANDS="check load unload status vms stats exec metrics"

# What the CPU has, and whose stock module it is.
case $(grep -owE 'vmx|svm' /proc/cpuinfo | head -n 1) in
vmx) VIRT=VT-x VENDOR=kvm_intel ;;
svm) VIRT=AMD-V VENDOR=kvm_amd ;;
*) VIRT='' VENDOR='' ;;
esac

# Since 6.12, kvm holds the CPU from load to unload.
case $(uname -r) in
6.1.*) AT_LOAD='' ;;
*) AT_LOAD=1 ;;
esac

# ---- somebody who holds something ----

# hold DEVICE: a VM with a guest on two vCPUs that runs until release, and an
# empty one before it.
hold() {
	rm -f "$TMP/hold"
	mkfifo "$TMP/hold"
	: >"$TMP/held"
	KVM_DEVICE=$1 "$HERE/kvm_life" --hold <"$TMP/hold" >"$TMP/held" 2>&1 &
	holder=$!
	exec 3>"$TMP/hold"
	tries=600
	until [ -s "$TMP/held" ] || [ $((tries -= 1)) = 0 ]; do
		sleep 0.1
	done
	same "a VM of $1 runs" ok "$(cat "$TMP/held")"
}

release() {
	exec 3>&-
	wait $holder
}

# ---- everywhere ----

test_usage() {
	expect "no command is a usage error" 2 'Usage:' kvmlitectl
	expect "--help lists the commands" 0 'exec -- CMD' kvmlitectl --help
	expect "--version" 0 '^kvmlitectl [0-9]' kvmlitectl --version
	expect "an unknown command is named" 2 'no such command: nonsense' kvmlitectl nonsense
	for command in $COMMANDS; do
		expect "$command --help" 0 "Usage: kvmlitectl $command" kvmlitectl "$command" --help
		expect "$command refuses an unknown option" 2 'nonsense' kvmlitectl "$command" --nonsense
	done
	for command in check status vms stats metrics; do
		expect "$command takes no argument" 2 'Usage|Too many' kvmlitectl $command nonsense
	done
	expect "stats refuses a bad interval" 2 'not a number of seconds' kvmlitectl stats -s x
	expect "stats refuses a bad process" 2 'not a process' kvmlitectl stats --vm -1
	expect "load refuses other modules" 2 'no such module of ours: ext4' kvmlitectl load ext4
	expect "unload does, too" 2 'no such module of ours: kvm' kvmlitectl unload kvm
	expect "unload takes no parameters" 2 'not the name of a module' kvmlitectl unload ksmdev.x=1
	expect "load wants a value" 2 'not NAME.PARAMETER=VALUE' kvmlitectl load kvmlite.lazy_fpu
	expect "load wants a parameter" 2 'not NAME.PARAMETER=VALUE' kvmlitectl load kvmlite.=1
	expect "parameters are for what is to be loaded" 2 'parameters for kvmlite' kvmlitectl load ksmdev kvmlite.lazy_fpu=1
	expect "exec wants a program" 2 'Usage' kvmlitectl exec
}

test_not_loaded() {
	expect "status says what is not loaded" 0 '^kvmlite +not loaded: kvmlitectl load' kvmlitectl status
	expect_json "and so does its JSON" 1 "kvmlite.loaded=false ksmdev.loaded=false virtualization.holder=null" kvmlitectl status --json
	for command in vms "stats -1" "exec true"; do
		# shellcheck disable=SC2086 # several words
		expect "$command without the module says what to do" 1 'kvmlitectl load kvmlite' kvmlitectl $command
		# shellcheck disable=SC2086
		expect_one_line "$command: in one line" kvmlitectl $command
	done
	expect_metrics "metrics say that it is not there" '^kvmlite_up 0$' kvmlitectl metrics
	expect "unloading what is not loaded is no failure" 0 'ksmdev: not loaded' kvmlitectl unload
}

test_load_ksmdev() {
	expect "who is not root may not load" 1 'ksmdev: only root' as_user $NOBODY kvmlitectl load ksmdev
	expect "load takes no unknown parameter" 1 "ksmdev has no parameter 'nonsense'" kvmlitectl load ksmdev ksmdev.nonsense=1
	expect "load one" 0 '^ksmdev: loaded$' kvmlitectl load ksmdev
	expect "again" 0 '^ksmdev: already loaded$' kvmlitectl load ksmdev
	expect_json "load --json" 1 "ksmdev=already.loaded" sh -c 'kvmlitectl load ksmdev --json | sed "s/already loaded/already.loaded/"'
	expect "parameters of what is loaded cannot change" 1 'kvmlitectl unload ksmdev first' kvmlitectl load ksmdev ksmdev.x=1
	expect "status shows device and saving" 0 '^ksmdev +loaded, saves' kvmlitectl status
	expect_json "status --json" 1 "ksmdev.loaded=true ksmdev.saved_bytes ksmdev.device.mode=0660 ksmdev.device.usable=true" kvmlitectl status --json
	expect "status is for everybody" 0 'not for you' as_user $NOBODY kvmlitectl status
}

test_unload_ksmdev() {
	expect "who is not root may not unload" 1 'ksmdev: only root' as_user $NOBODY kvmlitectl unload ksmdev
	sleep 1000 <>/dev/ksm &
	user=$!
	tries=100
	until [ "$(readlink /proc/$user/fd/0)" = /dev/ksm ] || [ $((tries -= 1)) = 0 ]; do
		sleep 0.1
	done
	expect "one in use is not unloaded: by whom" 1 "ksmdev is in use by [a-z]+ \($user\)" kvmlitectl unload ksmdev
	expect_one_line "in one line" kvmlitectl unload ksmdev
	# One is the descriptor's, one that of the mount for unnamed files.
	expect_json "status knows, too" 1 "ksmdev.references=2" kvmlitectl status --json
	expect "so does its text" 0 "used by [a-z]+ \($user\)" kvmlitectl status
	kill $user
	wait $user 2>/dev/null
	expect "unload" 0 '^ksmdev: unloaded$' kvmlitectl unload ksmdev
	same "it is gone" 1 "$(test -e /dev/ksm; echo $?)"
}

# hide NAME, unhide NAME: its file, from modprobe.
hide() {
	mv "$MODULES/$1.ko" "$TMP/$1.ko"
	depmod
}

unhide() {
	mv "$TMP/$1.ko" "$MODULES/$1.ko"
	depmod
}

test_no_file() {
	hide ksmdev
	expect "load of what is not built says so" 1 "ksmdev is not built for this kernel, $RELEASE" kvmlitectl load ksmdev
	expect_one_line "in one line" kvmlitectl load ksmdev
	expect "check notes it" 0 '^note +ksmdev +not built' sh -c 'kvmlitectl check || true'
	# Versions of symbols are compared, versions of kernels not: but this is.
	sed 's/ mod_unload modv/ mod_under modv/' "$TMP/ksmdev.ko" >"$MODULES/ksmdev.ko"
	depmod
	expect "load of another kernel's says so" 1 'ksmdev was built for another kernel' kvmlitectl load ksmdev
	unhide ksmdev
}

test_metrics_file() {
	prom=$TMP/folder/kvmlite.prom
	mkdir "$TMP/folder"
	expect "metrics --output" 0 '' kvmlitectl metrics --output "$prom"
	same "prints nothing" "" "$(cat "$TMP/out")"
	expect_metrics "the file is in the format" '^kvmlite_up [01]$' cat "$prom"
	same "others may read it" 644 "$(stat -c %a "$prom")"
	same "nothing is left beside it" "kvmlite.prom" "$(ls -A "$TMP/folder")"
	expect "a device is not replaced" 1 'not an ordinary file' kvmlitectl metrics -o /dev/null
	expect "a folder that is not there" 1 'No such file' kvmlitectl metrics -o "$TMP/nonsense/x.prom"
	expect_one_line "takes one line" kvmlitectl metrics -o "$TMP/nonsense/x.prom"
	expect_full_disk kvmlitectl
}

# ---- exec: whatever the device is ----

# What /dev/kvm is for a program.
WHAT='stat -c %i:%t:%T /dev/kvm'

# in_exec NAME COMMAND-PREFIX...: a program finds the device, and nobody else.
in_exec() {
	name=$1
	shift
	ours=$(stat -c %i:%t:%T $OURS)
	before=$(cat /proc/mounts; find /dev -maxdepth 1 | sort)
	same "$name: /dev/kvm is the device" "$ours" "$("$@" kvmlitectl exec -- sh -c "$WHAT" 2>&1)"
	same "$name: it makes a VM" ok "$("$@" kvmlitectl exec env KVM_DEVICE=/dev/kvm "$HERE/kvm_life" --hold </dev/null 2>&1)"
	expect "$name: the rest of /dev is there" 0 '' "$@" kvmlitectl exec -- sh -c 'test -c /dev/null && test -c /dev/pts/ptmx && test -d /dev/shm && test -L /dev/fd && echo >/dev/null && echo >/dev/shm/exec && rm /dev/shm/exec'
	expect "$name: the status is the program's" 42 '' "$@" kvmlitectl exec -- sh -c 'exit 42'
	expect "$name: a signal, too" 143 '' "$@" kvmlitectl exec -- sh -c 'kill $$'
	same "$name: it is the same user" "$("$@" id -u):$("$@" id -g)" "$("$@" kvmlitectl exec -- sh -c 'echo $(id -u):$(id -g)')"
	same "$name: /dev and mounts are as before" "$before" "$(cat /proc/mounts; find /dev -maxdepth 1 | sort)"
}

test_exec() {
	chmod 666 $OURS
	in_exec "$1, root" env
	in_exec "$1, user" as_user $NOBODY
	chmod 660 $OURS
	expect "$1: who may not open it is told" 1 'no permission to open /dev/kvmlite: it is root:root.s with mode 0660' as_user $NOBODY kvmlitectl exec true
	expect_one_line "$1: in one line" as_user $NOBODY kvmlitectl exec true
}

test_exec_program() {
	expect "no such program: 127" 127 'cannot run /nonsense: No such file' kvmlitectl exec -- /nonsense
	expect "a program that cannot run: 126" 126 'cannot run /proc/version: Permission denied' kvmlitectl exec -- /proc/version
	expect "options of the program are its own" 0 '^--user --json$' kvmlitectl exec echo --user --json
	expect "--user without sudo" 1 'is for a run by sudo' kvmlitectl exec --user true
	for uid in x 12x '' ' 0' -1 4294967296; do
		expect "--user by a sudo that says '$uid'" 1 'is for a run by sudo' env SUDO_UID="$uid" kvmlitectl exec --user true
	done
	echo "tester:x:1234:1234::/tmp:/bin/sh" >>/etc/passwd
	expect "--user needs a user who may open the device" 1 'tester may not open /dev/kvmlite' env SUDO_UID=1234 kvmlitectl exec --user true
	chmod 666 $OURS
	expect "--user: as who called sudo" 0 '^1234:1234 /tmp tester$' env SUDO_UID=1234 kvmlitectl exec -u -- sh -c 'echo $(id -u):$(id -g) $HOME $LOGNAME'
	expect "sudo alone: as root" 0 '^0$' env SUDO_UID=1234 kvmlitectl exec -- id -u
	chmod 660 $OURS
	sed -i '/^tester:/d' /etc/passwd
	echo 0 >/proc/sys/user/max_user_namespaces
	chmod 666 $OURS
	expect "where users may not make namespaces" 1 'run it by sudo' as_user $NOBODY kvmlitectl exec true
	chmod 660 $OURS
	echo 1000 >/proc/sys/user/max_user_namespaces
	expect "--json is not for exec" 2 'exec has no --json' kvmlitectl --json exec echo hello
}

# ---- without virtualization ----

test_check_without() {
	expect "check says that there is none" 1 '^problem .*switched off by the firmware' kvmlitectl check
	expect "and how it ends" 1 'kvmlitectl: kvmlite cannot run here: [0-9]+ problem' kvmlitectl check
	expect "for everybody" 1 '^problem .*switched off' as_user $NOBODY kvmlitectl check
	expect "check knows the kernel" 1 "^ok +Kernel +$RELEASE" kvmlitectl check
	kvmlitectl check --json >"$TMP/json"
	same "check --json has the status" 1 "$?"
	expect_json "check --json says no" 1 "can_run=false problems checks" cat "$TMP/json"
}

test_load_without() {
	expect "kvmlite does not load" 1 'kvmlite: .*switched off' kvmlitectl load kvmlite
	expect_one_line "in one line" kvmlitectl load kvmlite
	expect "load loads what it can" 1 '^ksmdev: loaded$' kvmlitectl load
	expect "unload unloads what is there" 0 '^ksmdev: unloaded$' kvmlitectl unload
}

# The last of all: there is no way back before the next boot.
test_lockdown() {
	lockdown=/sys/kernel/security/lockdown
	[ -e $lockdown ] || mount -t securityfs security /sys/kernel/security
	expect "check knows that there is no lockdown" 1 '^ok +Module signing .*\(lockdown none\)' kvmlitectl check
	echo integrity >$lockdown
	expect "lockdown is a problem" 1 '^problem +Module signing +signed modules only \(lockdown integrity\): sign' kvmlitectl check
	expect "load says so" 1 'ksmdev: the kernel takes signed modules only: sign' kvmlitectl load ksmdev
	expect_one_line "in one line" kvmlitectl load ksmdev
}

# The node is of stock KVM.
test_exec_stand_in() {
	modprobe $VENDOR
	mknod -m 660 $OURS c 10 232
	test_exec "with a /dev/kvm"
	test_exec_program
	mv $STOCK "$TMP/kvm"
	test_exec "without a /dev/kvm"
	mv "$TMP/kvm" $STOCK
	rm $OURS
	expect_json "status knows stock KVM" 1 "virtualization.holder=$VENDOR" kvmlitectl status --json
	rmmod $VENDOR kvm
}

# ---- with it ----

test_check_with() {
	expect "check before loading" 0 'kvmlite can run here' kvmlitectl check
	expect "load with a parameter" 0 '^kvmlite: loaded$' kvmlitectl load kvmlite kvmlite.lazy_fpu=1
	expect_json "which it has" 1 "kvmlite.parameters.lazy_fpu=1 kvmlite.vms=0" kvmlitectl status --json
	expect "check asks the kernel" 0 'ok +Guest modes +(unrestricted guest.* \(by /proc/cpuinfo\)|always)' kvmlitectl check
	expect "check makes a VM" 0 '^ok +VM +made one' kvmlitectl check
	expect_json "check --json" 1 "can_run=true problems=0" kvmlitectl check --json
	expect "who may not open the device cannot run it" 1 '^problem +Device' as_user $NOBODY kvmlitectl check
	expect "unload" 0 '^kvmlite: unloaded$' kvmlitectl unload
	expect "a bad value of a parameter" 1 "kvmlite refuses 'lazy_fpu=x'" kvmlitectl load kvmlite kvmlite.lazy_fpu=x
	expect "load both" 0 '^kvmlite: loaded$' kvmlitectl load
	modprobe msr
	expect "check asks the CPU itself" 0 'ok +Guest modes +(unrestricted guest.* \(by its MSRs\)|always)' kvmlitectl check
	rmmod msr
}

test_vms() {
	expect "no VM: a line of names" 0 'PID +VM' kvmlitectl vms
	expect_json "an empty list" 1 "" kvmlitectl vms --json
	hold $OURS
	expect "vms has a line for it" 0 "^ +$holder +[0-9]+ +2 .* [1-9][0-9]* +kvm_life\$" kvmlitectl vms
	expect_json "vms --json" 1 "pid=$holder vm vcpus=0 command=kvm_life mapped_bytes=0 table_bytes counters.tables" kvmlitectl vms --json
	expect_json "status counts it" 1 "kvmlite.vms=2 kvmlite.vcpus=2 virtualization.holder=kvmlite" kvmlitectl status --json
	expect "only root sees VMs" 1 'only root' as_user $NOBODY kvmlitectl vms
	expect "stats --once" 0 '^exits +[0-9]+ +100.0%' kvmlitectl stats --once
	expect "stats of a process" 0 "^VMs of process $holder: 2, vCPUs: 2" kvmlitectl stats -1 --vm $holder
	expect "it has exits" 0 '^exits +[1-9][0-9]* +100.0%' kvmlitectl stats -1 --vm $holder
	timeout 20 kvmlitectl stats --interval 0.1 >/dev/full 2>"$TMP/err" </dev/null
	same "stats that nobody can read end: status and lines" "1 1" "$? $(grep -c 'cannot write the output' "$TMP/err")"
	expect "stats of a process without a VM" 1 'process 1 has no VM' kvmlitectl stats --vm 1
	expect_json "stats --once --json" 1 "vms vcpus counters.exits counters.cpuid_exits" kvmlitectl stats -1 --json
	expect "only root sees stats" 1 'only root' as_user $NOBODY kvmlitectl stats -1
	# Without the end that the holder waits to be closed.
	: >"$TMP/live.json"
	kvmlitectl stats -s 0.1 >"$TMP/live" 3>&- &
	live=$!
	kvmlitectl stats -s 0.1 --json --vm $holder >"$TMP/live.json" 3>&- &
	ends=$!
	tries=100
	until [ "$(wc -l <"$TMP/live.json")" -ge 3 ] && [ "$(grep -c '^counter' "$TMP/live")" -ge 3 ] || [ $((tries -= 1)) = 0 ]; do
		sleep 0.1
	done
	expect "stats prints one table below the other" 0 '^counter +total +of exits +per second' cat "$TMP/live"
	expect_metrics "metrics have the VM" "^kvmlite_vm_exits_total{pid=\"$holder\",vm=\"[0-9]+\",command=\"kvm_life\"} [0-9]+" kvmlitectl metrics
	expect_metrics "and sums" '^kvmlite_exits_total [0-9]+$' kvmlitectl metrics
	expect "metrics are root's" 1 'only root' as_user $NOBODY kvmlitectl metrics
	same "and print nothing to others" "" "$(as_user $NOBODY kvmlitectl metrics 2>/dev/null)"
	expect "kvmlite in use is not unloaded: by whom" 1 "kvmlite is in use by kvm_life \($holder\)" kvmlitectl unload kvmlite
	release
	wait $ends
	same "stats --vm ends with the VM" 0 $?
	# The VM may have gone in the middle of the last one.
	expect_json "each table was an object" 3 "vms=2 per_second.exits" head -n 3 "$TMP/live.json"
	kill $live
	wait $live
	same "stats ends well by a signal" 0 $?
	if umount $DEBUGFS 2>/dev/null; then
		expect "vms tells how to mount debugfs" 1 'mount -t debugfs' kvmlitectl vms
		mount -t debugfs debug $DEBUGFS
	fi
}

# Who has the CPU while stock KVM is loaded, and what we say of it.
test_stock() {
	modprobe $VENDOR
	hold $STOCK
	busy="held by VMs of stock KVM: end them \(kvm_life \($holder\)\), then modprobe -r $VENDOR"
	expect "check knows the stock VM" 1 "^problem +Availability +$busy" kvmlitectl check
	expect "status, too" 0 "$busy" kvmlitectl status
	expect "exec says who has $VIRT" 1 "virtualization is $busy" kvmlitectl exec true
	expect_one_line "in one line" kvmlitectl exec true
	kvmlitectl unload kvmlite >/dev/null
	expect "load warns" 0 "kvmlite is loaded, but cannot make a VM yet: virtualization is $busy" kvmlitectl load kvmlite
	release
	if [ "$AT_LOAD" ]; then
		expect "$VENDOR holds $VIRT without a VM" 1 "held by $VENDOR as long as it is loaded" kvmlitectl check
		expect "exec says how to change that" 1 "modprobe -r $VENDOR, or load kvm with enable_virt_at_load=0" kvmlitectl exec true
	else
		expect "$VENDOR without a VM is a note" 0 "^note +Availability +free; $VENDOR is loaded" kvmlitectl check
		test_exec "with a /dev/kvm"
	fi
	rmmod $VENDOR kvm
}

test_exec_ours() {
	test_exec "without a /dev/kvm"
	test_exec_program
	mknod $STOCK c 10 232
	test_exec "with a dead /dev/kvm"
	rm $STOCK
	ln -s kvmlite $STOCK
	expect "with a link" 0 '' kvmlitectl exec test -c /dev/kvm
	rm $STOCK
}

tests_need ksmrun_test json_check
test_not_loaded
test_load_ksmdev
test_unload_ksmdev
if [ "$VIRT" ]; then
	test_check_with
	test_vms
	test_stock
	test_exec_ours
	expect "at last, unload both" 0 '^kvmlite: unloaded$' kvmlitectl unload
	# The other emulator takes minutes for what is the same there.
	[ "$VIRT" = VT-x ] || test_exec_stand_in
else
	test_usage
	test_metrics_file
	test_no_file
	test_check_without
	test_load_without
	test_lockdown
fi
tests_end
