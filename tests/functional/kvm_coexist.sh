#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# kvmlite beside the stock KVM: who has VT-x or AMD-V, what the other one is
# told, and that it can have it afterwards. Without either: what loading says.
# Runs as root and leaves kvmlite loaded, the stock module not; TAP on stdout.

HERE=$(dirname "$0")
TMP=$(mktemp -d /tmp/kvm_coexist.XXXXXX) || exit 1
CPU1=/sys/devices/system/cpu/cpu1/online
OURS=/dev/kvmlite
STOCK=/dev/kvm
number=0
failures=0

# What the CPU has, and whose stock module it is.
case $(grep -owE 'vmx|svm' /proc/cpuinfo | head -n 1) in
vmx) VIRT=VT-x VENDOR=kvm-intel ;;
svm) VIRT=AMD-V VENDOR=kvm-amd ;;
*) VIRT='' VENDOR='' ;;
esac

# Since 6.12, kvm holds the CPU from load to unload, unless told otherwise, and
# has another errno for a CPU that is taken.
case $(uname -r) in
6.1.*) AT_LOAD='' TAKEN=EBUSY ;;
*) AT_LOAD=1 TAKEN=EIO ;;
esac

ok() {
	number=$((number + 1))
	echo "ok $number - $1"
}

not_ok() {
	number=$((number + 1))
	failures=$((failures + 1))
	echo "not ok $number - $1"
	shift
	for line in "$@"; do
		echo "# $line"
	done
}

# same NAME EXPECTED GOT
same() {
	if [ "$3" = "$2" ]; then
		ok "$1"
	else
		not_ok "$1" "expected $2, got $3"
	fi
}

# ---- VMs ----

# try DEVICE: make a VM and run it; "ok", or the errno of KVM_CREATE_VM.
try() {
	KVM_DEVICE=$1 "$HERE/kvm_life" --hold </dev/null 2>&1 | tr '\n' ' ' | sed 's/ $//'
}

# try_both: what the two devices say, ours first.
try_both() {
	echo "$(try $OURS) $(try $STOCK)"
}

# hold DEVICE: a guest that runs until release.
hold() {
	mkfifo "$TMP/hold"
	KVM_DEVICE=$1 "$HERE/kvm_life" --hold <"$TMP/hold" >"$TMP/out" 2>&1 &
	holder=$!
	exec 3>"$TMP/hold"
	tries=600
	until [ -s "$TMP/out" ] || [ $((tries -= 1)) = 0 ]; do
		sleep 0.1
	done
	cat "$TMP/out" >"$TMP/held"
}

# The holder's guest still runs: it would have ended otherwise.
held() {
	kill -0 $holder 2>/dev/null && cat "$TMP/held"
}

release() {
	exec 3>&-
	wait $holder
	released=$?
	rm -f "$TMP/hold" "$TMP/out"
}

# ---- what the log says ----

mark() {
	dmesg | wc -l >"$TMP/mark"
}

# Lines of ours since the mark; those of the loader are not.
said() {
	dmesg | tail -n +"$(($(cat "$TMP/mark") + 1))" |
		grep 'kvmlite: ' | grep -v taint
}

# told NAME PATTERN: one line, and that is it.
told() {
	said >"$TMP/said"
	if [ "$(wc -l <"$TMP/said")" = 1 ] && grep -qE "$2" "$TMP/said"; then
		ok "$1"
	else
		not_ok "$1" "expected one line in the log like: $2" \
			"got: $(tr '\n' '|' <"$TMP/said")"
	fi
}

IN_USE="$VIRT is in use by another hypervisor.*(end its VMs|unload it|rmmod kvm_intel)"

# refused NAME: creating a VM of ours gives EBUSY and says why.
refused() {
	mark
	same "$1: EBUSY" EBUSY "$(try $OURS)"
	told "$1: one line says why" "$IN_USE"
}

# Off and on again, under whoever runs.
replug() {
	[ -e $CPU1 ] || return 0
	echo 0 >$CPU1 && echo 1 >$CPU1
}

# ---- modules ----

load() {
	modprobe "$@" 2>"$TMP/error"
}

stock_load() {
	load kvm "$@" && load $VENDOR
}

stock_unload() {
	rmmod $VENDOR 2>/dev/null
	rmmod kvm
}

# status COMMAND...
status() {
	"$@" >/dev/null 2>&1
	echo $?
}

# ---- the cases ----

stock_holds() {
	hold $STOCK
	same "$1: a stock VM runs" ok "$(held)"
	refused "$1: ours"
	replug
	same "$1: the stock VM runs on after a CPU was away" ok "$(held)"
	refused "$1: ours, after a CPU was away"
	same "$1: kvmlite can be unloaded and loaded" "0 0" \
		"$(status rmmod kvmlite) $(status modprobe kvmlite)"
	refused "$1: ours, loaded again"
	release
	same "$1: the stock VM ends well" 0 $released
}

ours_holds() {
	hold $OURS
	same "$1: a VM of ours runs" ok "$(held)"
	same "$1: stock gets its own error" $TAKEN "$(try $STOCK)"
	same "$1: we can have another one" ok "$(try $OURS)"
	replug
	same "$1: ours runs on after a CPU was away" ok "$(held)"
	same "$1: stock is still refused" $TAKEN "$(try $STOCK)"
	release
	same "$1: ours ends well" 0 $released
	same "$1: now stock works" ok "$(try $STOCK)"
}

# Whoever comes first has it, and nobody has it when both are gone.
alternate() {
	answers=$(for _ in 1 2 3; do try_both; done | sort -u)
	same "$1: one after the other" "ok ok" "$answers"
}

# At the same time: each works or gets its error, and both work afterwards.
race() {
	for _ in 1 2 3 4 5; do
		try $OURS >"$TMP/ours" &
		try $STOCK >"$TMP/stock"
		wait $!
		echo "$(cat "$TMP/ours") $(cat "$TMP/stock")"
	done | sort -u >"$TMP/race"
	odd=$(grep -vE "^(ok|EBUSY) (ok|$TAKEN)$" "$TMP/race" | tr '\n' '|')
	same "$1: at the same time" "" "$odd"
	same "$1: and afterwards" "ok ok" "$(try_both)"
}

both_free() {
	alternate "$1"
	stock_holds "$1"
	same "$1: the holder is gone: ours works" ok "$(try $OURS)"
	ours_holds "$1"
	race "$1"
}

# Before 6.12, or with enable_virt_at_load=0: only VMs hold the CPU.
test_free() {
	stock_load "$@"
	same "$VENDOR loads beside kvmlite" ok "$(held_modules)"
	both_free "kvmlite first"
	rmmod kvmlite
	same "kvmlite loads beside $VENDOR" 0 "$(status modprobe kvmlite)"
	alternate "$VENDOR first"
	stock_unload
	hold $OURS
	same "$VENDOR loads under a VM of ours" 0 "$(stock_load "$@"; echo $?)"
	same "but makes no VM" $TAKEN "$(try $STOCK)"
	same "and ours runs on" ok "$(held)"
	stock_unload
	release
}

held_modules() {
	[ -e $OURS ] && [ -e $STOCK ] && echo ok
}

# 6.12 as it comes: the module holds the CPU.
test_at_load() {
	stock_load
	same "$VENDOR loads beside kvmlite" ok "$(held_modules)"
	refused "$VENDOR is loaded"
	same "stock works" ok "$(try $STOCK)"
	stock_holds "at load"
	refused "no VM any more"
	stock_unload
	same "$VENDOR is gone: ours works" ok "$(try $OURS)"
	hold $OURS
	stock_load
	same "$VENDOR does not load under a VM of ours" 1 "$(grep -c 'Input/output error' "$TMP/error")"
	replug
	same "ours runs on" ok "$(held)"
	release
	stock_unload
	stock_load
	same "ours is gone: $VENDOR loads and works" ok "$(try $STOCK)"
	rmmod kvmlite
	same "kvmlite loads beside $VENDOR" 0 "$(status modprobe kvmlite)"
	refused "$VENDOR first"
	stock_unload
	same "$VENDOR is gone again: ours works" ok "$(try $OURS)"
}

# Nothing at all.
test_without() {
	mark
	load kvmlite
	same "without either, kvmlite does not load: ENODEV" 1 "$(grep -c 'No such device' "$TMP/error")"
	# busybox tries twice, by finit_module and by init_module.
	same "each attempt gives one line" 2 "$(said | wc -l)"
	same "which says why" 2 "$(said | grep -c 'this CPU has neither VT-x nor AMD-V')"
	same "there is no device" 1 "$(status test -e $OURS)"
	same "nor anything in debugfs" 1 "$(status test -e /sys/kernel/debug/kvmlite)"
}

if [ ! "$VIRT" ]; then
	test_without
else
	modprobe kvmlite
	if [ "$AT_LOAD" ]; then
		test_at_load
		test_free enable_virt_at_load=0
	else
		test_free
	fi
	same "at last, a VM of ours" ok "$(try $OURS)"
fi
rm -rf "$TMP"
echo "1..$number"
exit $((failures > 0))
