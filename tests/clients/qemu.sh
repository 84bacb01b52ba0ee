#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# qemu.sh [CASE...]: unmodified QEMU boots stock Linux on the KVM device named
# by KVM_DEVICE; the guests' workloads give sums that were known before. Runs as
# root in an image with --qemu; TAP on stdout. QEMU has its APIC in userspace.

CASES="microvm pc microvm-pic pc-pic microvm-smp pc-smp ksm ksmctl"
KVM_DEVICE=${KVM_DEVICE:-/dev/kvmlite}
SYSFS=/sys/class/misc/ksm
AREAS=/sys/kernel/debug/ksmdev/areas
TMP=/tmp/qemu
# The guest's size, and seconds until a guest must have ended.
MEM=${MEM:-128}
LIMIT=${LIMIT:-300}
KIB=4096
[ "$LAB_EMULATOR" != bochs ] || KIB=512

# Nothing here but saves time: the guest need not calibrate, probe or talk.
APPEND="console=ttyS0 quiet panic=-1 nokaslr mitigations=off cryptomgr.notests"
APPEND="$APPEND no_timer_check tsc=reliable 8250.nr_uarts=1 $GUEST_APPEND"

number=0
failures=0

# result NAME REASON [LOG...]: no reason is a success.
result() {
	number=$((number + 1))
	if [ ! "$2" ]; then
		echo "ok $number - $1"
		return
	fi
	failures=$((failures + 1))
	echo "not ok $number - $1"
	echo "$2" | sed 's/^/# /'
	shift 2
	for log in "$@"; do
		echo "# $log:"
		tr -d '\r' <"$log" | tail -n 40 | sed 's/^/#   /'
	done
}

now() {
	read -r up _ </proc/uptime
	echo "${up%.*}"
}

# sums LINE-START...: what the building machine got, as the guest prints it.
sums() {
	for key in "$@"; do
		sed -n "s/^$key $KIB \([0-9a-f]*\).*/ \1/p" /guest/sums
	done | tr -d '\n'
}

# guest_start NAME APPEND QEMU-ARGUMENT...: in the background; what it reads
# comes from NAME.in, the console goes to NAME.log, the exit status to NAME.end.
guest_start() {
	name=$1 append=$2
	shift 2
	rm -f "$TMP/$name".*
	mkfifo "$TMP/$name.in"
	(
		# shellcheck disable=SC2086 # EXEC and LAUNCH are some words or none
		timeout -k 5 "$LIMIT" $EXEC $LAUNCH qemu-system-x86_64 -nodefaults -no-user-config \
			-display none -no-reboot -m "$MEM" \
			-kernel /guest/vmlinuz -initrd /guest/initrd \
			-append "$APPEND kib=$KIB $append" \
			-chardev stdio,id=console,signal=off -serial chardev:console \
			"$@" <>"$TMP/$name.in" >"$TMP/$name.log" 2>&1
		echo $? >"$TMP/$name.part"
		mv "$TMP/$name.part" "$TMP/$name.end"
	) &
	echo $! >"$TMP/$name.pid"
}

# Opened for both, it does not wait for a guest that is gone.
guest_say() {
	echo "$2" 1<>"$TMP/$1.in"
}

# guest_until NAME TEXT: waits for a line that starts so; fails if there will be
# none.
guest_until() {
	while [ ! -e "$TMP/$1.end" ]; do
		! grep -q "^$2" "$TMP/$1.log" || return 0
		sleep 0.2
	done
	grep -q "^$2" "$TMP/$1.log"
}

# guest_end NAME SUMS: waits, and says on stdout what is wrong, if anything is.
guest_end() {
	while [ ! -e "$TMP/$1.end" ]; do
		sleep 0.2
	done
	end=$(cat "$TMP/$1.end")
	got=$(tr -d '\r' <"$TMP/$1.log" | sed -n 's/^GUEST OK//p')
	case $end in
	0) ;;
	143) echo "guest $1: no end within $LIMIT s" ;;
	*) echo "guest $1: QEMU ended with status $end" ;;
	esac
	[ "$got" = "$2" ] || echo "guest $1: expected sums$2, got${got:- none}"
}

# one NAME SUMS APPEND QEMU-ARGUMENT...: a guest by itself.
one() {
	title=$1 want=$2
	shift 2
	begin=$(now)
	guest_start one "$@"
	problem=$(guest_end one "$want")
	result "$title ($(($(now) - begin)) s)" "$problem" "$TMP/one.log"
}

ACCEL="-accel kvm"
# Stock KVM offers asynchronous page faults and then refuses their MSR without
# an irqchip of its own, of which QEMU dies.
MICROVM="-machine microvm,kernel-irqchip=off -cpu host,kvm-asyncpf-int=off"
PC="-machine pc,kernel-irqchip=off"
# Without ACPI there is no other way to end than a triple fault.
NO_ACPI="-machine acpi=off"

# Debian's QEMU 7.2 never takes back the start-up IPI that it has delivered to
# a CPU (SIPI stays in interrupt_request): from then on a HLT of that CPU is a
# busy loop with QEMU's lock held, for ever. So nobody but the kernel may start
# it, and SeaBIOS would; it must not halt when idle, nor at the end.
SMP="-smp 2 -bios qboot.rom"
SMP_APPEND="idle=poll reboot=force"

# shellcheck disable=SC2086 # some words each
test_microvm() {
	one "microvm, qboot, 1 CPU" "$(sums 'run 1')" "seed=1 off=reboot reboot=t" \
		$ACCEL $MICROVM $NO_ACPI
}

# shellcheck disable=SC2086
test_microvm_smp() {
	one "microvm, qboot, 2 CPUs" "$(sums 'run 1' 'run 2')" "seed=1 $SMP_APPEND" \
		$ACCEL $MICROVM $SMP
}

# shellcheck disable=SC2086
test_pc() {
	one "pc, SeaBIOS, 1 CPU" "$(sums 'run 1')" "seed=1" $ACCEL $PC
}

# QEMU from 8.1 on has no local APIC in userspace any more ("KVM does not support
# userspace APIC"): without one in the kernel, its guests have the PIC and the PIT.
# shellcheck disable=SC2086
test_pc_pic() {
	one "pc, SeaBIOS, 1 CPU without a local APIC" "$(sums 'run 1')" "seed=1" \
		$ACCEL $PC -cpu host,-apic,kvm-asyncpf-int=off
}

# shellcheck disable=SC2086
test_microvm_pic() {
	one "microvm, qboot, 1 CPU without a local APIC" "$(sums 'run 1')" \
		"seed=1 off=reboot reboot=t" $ACCEL $MICROVM,-apic $NO_ACPI
}

# shellcheck disable=SC2086
test_pc_smp() {
	one "pc, qboot, 2 CPUs" "$(sums 'run 1' 'run 2')" "seed=1 $SMP_APPEND" \
		$ACCEL $PC $SMP
}

value() {
	cat "$SYSFS/$1"
}

# What the areas of guests say, as diagnostics.
areas_show() {
	awk '/comm$/ || /qemu/ { print "#   " $0 }' "$AREAS"
}

# Pages that two guests have in common at least: the better part of a kernel.
BETWEEN=4000

# pair NAME QEMU-ARGUMENT...: two guests at a time while all memory is scanned
# at full speed. Guest a inverts what both have, and ends; b still has it. Pages
# that are equal within one guest are shared after that, too: what is shared
# before, less twice of that, is shared between the two.
pair() {
	title=$1 problem='' begin=$(now) kib=$KIB
	# Scanning takes a CPU, and what it merges the guests copy again.
	KIB=512
	shift
	ksmctl set run=1 advisor_mode=cpu-budget advisor_max_cpu=100 sleep_millisecs=1 >/dev/null
	breaks=$(value cow_breaks)
	guest_start a "seed=1 hold=1" "$@"
	guest_start b "seed=2 hold=1" "$@"
	if guest_until a "GUEST READY" && guest_until b "GUEST READY"; then
		ksmctl scan --force >/dev/null
		both=$(value pages_sharing)
		echo "# both guests: pages_shared $(value pages_shared), pages_sharing $both, ksm_zero_pages $(value ksm_zero_pages)"
		areas_show
		domains=$(awk '/qemu/ { print $4 }' "$AREAS" | sort -u | wc -l)
		[ "$domains" = 1 ] || problem="the guests are in $domains domains"
	fi
	guest_say a flip
	problem=$problem$(guest_end a "$(sums 'run 1' 'flip 0')")
	if [ ! "$problem" ]; then
		ksmctl scan --force >/dev/null
		alone=$(value pages_sharing)
		between=$((both - 2 * alone))
		echo "# one guest: pages_sharing $alone; between the guests $between; cow_breaks $(($(value cow_breaks) - breaks))"
		[ $between -ge $BETWEEN ] ||
			problem="only $between pages were shared between the guests, of $BETWEEN at least"
	fi
	guest_say b keep
	problem=$problem$(guest_end b "$(sums 'run 2' 'fill 0')")
	ksmctl set sleep_millisecs=20 advisor_max_cpu=20 >/dev/null
	KIB=$kib
	result "$title ($(($(now) - begin)) s)" "$problem" "$TMP/a.log" "$TMP/b.log"
}

# shellcheck disable=SC2086
test_ksm() {
	pair "two guests with their memory in /dev/ksm" $ACCEL $MICROVM \
		-machine memory-backend=m \
		-object "memory-backend-file,id=m,mem-path=/dev/ksm,share=on,size=${MEM}M"
}

# shellcheck disable=SC2086
test_ksmctl() {
	LAUNCH="ksmctl run --"
	pair "two guests under ksmctl run" $ACCEL $MICROVM -machine mem-merge=on
	LAUNCH=
}

# QEMU 7.2 opens /dev/kvm and nothing else.
EXEC=
[ "$KVM_DEVICE" != /dev/kvmlite ] || EXEC="kvmlitectl exec --"
if [ ! -c "$KVM_DEVICE" ]; then
	echo "Bail out! $KVM_DEVICE is not there"
	exit 1
fi

mkdir -p "$TMP"
# shellcheck disable=SC2086 # some words
[ $# -gt 0 ] || set -- $CASES
for case in "$@"; do
	"test_$(echo "$case" | tr - _)"
done
echo "1..$number"
[ $failures = 0 ]
