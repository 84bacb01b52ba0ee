#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# qemu.sh [CASE...]: unmodified QEMU boots stock Linux on the KVM device named
# by KVM_DEVICE; the guests' workloads give sums that were known before. Runs as
# root in an image with --qemu; TAP on stdout. QEMU has its APIC in userspace.
# With their memory in files of ksmfs, guests merge, give memory back by a balloon,
# and go on in another QEMU (files).

CASES="microvm pc microvm-pic pc-pic microvm-smp pc-smp ksm ksmctl files"
KVM_DEVICE=${KVM_DEVICE:-/dev/kvmlite}
SYSFS=/sys/class/misc/ksm
AREAS=/sys/kernel/debug/ksmdev/areas
TMP=/tmp/qemu
INITRD=/guest/initrd
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

# lines TEXT...: those that say anything.
lines() {
	for text in "$@"; do
		[ ! "$text" ] || echo "$text"
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
			-kernel /guest/vmlinuz -initrd "$INITRD" \
			-append "$APPEND kib=$KIB $append" \
			-chardev stdio,id=console,signal=off -serial chardev:console \
			"$@" <>"$TMP/$name.in"
		echo $? >"$TMP/$name.part"
		mv "$TMP/$name.part" "$TMP/$name.end"
	) >"$TMP/$name.log" 2>&1 &
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

# How many frames merging saves, once everything has been looked at.
sharing() {
	ksmctl scan --force >/dev/null
	value pages_sharing
}

# What ksmdev has, as diagnostics; the areas are those of guests.
counts_show() {
	echo "# both guests: pages_shared $(value pages_shared), pages_sharing $1, ksm_zero_pages $(value ksm_zero_pages)"
	awk '/comm$/ || /qemu/ { print "#   " $0 }' "$AREAS"
}

# What is wrong with the domains of the guests' areas, if anything is.
domains_check() {
	domains=$(awk '/qemu/ { print $4 }' "$AREAS" | sort -u | wc -l)
	[ "$domains" = 1 ] || echo "the guests are in $domains domains"
}

# Pages that two guests have in common at least: the better part of a kernel.
BETWEEN=4000

# between_check BOTH ALONE: what was shared by two guests, and by one of them.
between_check() {
	[ $(($1 - 2 * $2)) -ge $BETWEEN ] ||
		echo "only $(($1 - 2 * $2)) pages were shared between the guests, of $BETWEEN at least"
}

# Scanning takes a CPU, and what it merges the guests copy again: they have less to do.
scanning_begin() {
	kib=$KIB KIB=512
	ksmctl set run=1 advisor_mode=cpu-budget advisor_max_cpu=100 sleep_millisecs=1 >/dev/null
}

scanning_end() {
	ksmctl set sleep_millisecs=20 advisor_max_cpu=20 >/dev/null
	KIB=$kib
}

# pair NAME QEMU-ARGUMENT...: two guests at a time while all memory is scanned
# at full speed. Guest a inverts what both have, and ends; b still has it. Pages
# that are equal within one guest are shared after that, too: what is shared
# before, less twice of that, is shared between the two.
pair() {
	title=$1 problem='' begin=$(now)
	shift
	scanning_begin
	breaks=$(value cow_breaks)
	guest_start a "seed=1 hold=1" "$@"
	guest_start b "seed=2 hold=1" "$@"
	if guest_until a "GUEST READY" && guest_until b "GUEST READY"; then
		both=$(sharing)
		counts_show "$both"
		problem=$(domains_check)
	fi
	guest_say a flip
	problem=$(lines "$problem" "$(guest_end a "$(sums 'run 1' 'flip 0')")")
	if [ ! "$problem" ]; then
		alone=$(sharing)
		echo "# one guest: pages_sharing $alone; cow_breaks $(($(value cow_breaks) - breaks))"
		problem=$(between_check "$both" "$alone")
	fi
	guest_say b keep
	problem=$(lines "$problem" "$(guest_end b "$(sums 'run 2' 'fill 0')")")
	scanning_end
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

# qmp NAME COMMAND [ARGUMENTS]: QEMU's answer; fails if that is an error or none comes.
qmp() {
	answers=$TMP/qmp-$1.out
	until grep -q '"QMP":' "$answers" || [ -e "$TMP/$1.end" ]; do
		sleep 0.2
	done
	before=$(grep -c '"id": 0}' "$answers")
	printf '{"execute": "%s", "arguments": {%s}, "id": 0}\n' "$2" "$3" 1<>"$TMP/qmp-$1.in"
	until [ "$(grep -c '"id": 0}' "$answers")" -gt "$before" ]; do
		if [ -e "$TMP/$1.end" ]; then
			echo "QEMU has ended"
			return 1
		fi
		sleep 0.2
	done
	answer=$(grep '"id": 0}' "$answers" | tail -n 1)
	echo "$answer"
	case $answer in *'"error": '*) return 1 ;; esac
}

# qmp_do NAME COMMAND [ARGUMENTS]: says on stdout what is wrong, and fails, if anything is.
qmp_do() {
	said=$(qmp "$@") || {
		echo "guest $1: $2: $said"
		return 1
	}
}

# qmp_until NAME QUERY TEXT: asks until TEXT is in the answer, for LIMIT seconds; otherwise
# as qmp_do.
qmp_until() {
	deadline=$(($(now) + LIMIT))
	until said=$(qmp "$1" "$2") && echo "$said" | grep -qF "$3"; do
		if [ "$(now)" -ge $deadline ] || [ -e "$TMP/$1.end" ]; then
			echo "guest $1: $2 never said $3 but $said"
			return 1
		fi
		sleep 0.2
	done
}

FILES=$TMP/files
# All guests' memory is in this directory, which is one domain of ksmdev's.
DOMAIN=$FILES/guests
# MiB of a guest, and of one whose balloon is inflated.
FULL=96
SMALL=72

# file_guest NAME PATH APPEND QEMU-ARGUMENT...: its memory is the file PATH, or has no
# name if that is a directory.
# shellcheck disable=SC2086 # some words each
file_guest() {
	name=$1 path=$2 append=$3
	shift 3
	rm -f "$TMP/qmp-$name".*
	mkfifo "$TMP/qmp-$name.in"
	: >"$TMP/qmp-$name.out"
	MEM=$FULL guest_start "$name" "hold=1 drivers=1 $append" $ACCEL $MICROVM \
		-machine memory-backend=m -device virtio-balloon-device \
		-object "memory-backend-file,id=m,mem-path=$path,share=on,size=${FULL}M" \
		-chardev "pipe,id=qmp,path=$TMP/qmp-$name" -mon chardev=qmp,mode=control "$@"
	qmp_do "$name" qmp_capabilities
}

# guest_again NAME NUMBER SUMS: it does its work once more. The line counts when it is
# complete.
guest_again() {
	guest_say "$1" "again $2"
	guest_until "$1" "GUEST again $2 .*$(printf '\r')" || echo "guest $1: QEMU has ended"
	got=$(tr -d '\r' <"$TMP/$1.log" | sed -n "s/^GUEST again $2//p")
	[ "$got" = "$3" ] || echo "guest $1, again: expected sums$3, got${got:- none}"
}

# balloon NAME MIB: of its memory the guest has so much.
balloon() {
	bytes=$(($2 * 1024 * 1024))
	qmp_do "$1" balloon "\"value\": $bytes" &&
		qmp_until "$1" query-balloon "{\"actual\": $bytes}"
}

# KiB that a file holds.
held() {
	echo $(($(stat -c %b "$1") / 2))
}

# holds_check KIB WHEN: what is wrong, if anything is, with a file that holds so much while
# the balloon of its guest is inflated.
holds_check() {
	[ "$1" -le $((SMALL * 1024)) ] ||
		echo "expected the file to hold $SMALL MiB at most $2, got $1 KiB"
}

# What the balloon of guest a takes is a hole in the file, for as long as it takes it.
files_balloon() {
	begin=$(now)
	full=$(held "$DOMAIN/a")
	inflated=$(balloon a $SMALL)
	small=$(held "$DOMAIN/a")
	worked=$(guest_again a 1 "$(sums 'run 1')")
	work=$(held "$DOMAIN/a")
	deflated=$(balloon a $FULL && guest_again a 2 "$(sums 'run 1')")
	echo "# the file holds $full KiB, $small with the balloon, $work after work, $(held "$DOMAIN/a") without it"
	[ "$full" -gt $((SMALL * 1024)) ] ||
		inflated="expected the file to hold more than $SMALL MiB before, got $full KiB"
	result "a balloon gives memory back to the file ($(($(now) - begin)) s)" \
		"$(lines "$inflated" "$(holds_check "$small" "with the balloon")" "$worked" \
			"$(holds_check "$work" "after work with the balloon")" "$deflated")" \
		"$TMP/a.log"
}

# What the guest is beside its memory: bytes at most.
STATE=$TMP/state
STATE_MAX=262144
IGNORE_SHARED='"capabilities": [{"capability": "x-ignore-shared", "state": true}]'

# Guest a stops, and is nothing but its file and a state.
migrate_out() {
	qmp_do a stop && qmp_do a migrate-set-capabilities "$IGNORE_SHARED" &&
		qmp_do a migrate "\"uri\": \"exec:cat >$STATE\"" &&
		qmp_until a query-migrate '"status": "completed"' &&
		qmp_do a quit && guest_end a ''
}

# Another QEMU goes on with both, as guest c.
migrate_in() {
	file_guest c "$DOMAIN/a" "" -incoming defer &&
		qmp_do c migrate-set-capabilities "$IGNORE_SHARED" &&
		qmp_do c migrate-incoming "\"uri\": \"exec:cat $STATE\"" &&
		qmp_until c query-migrate '"status": "completed"' &&
		qmp_do c cont && guest_say c flip && guest_end c "$(sums 'run 1' 'flip 0')"
}

files_migrate() {
	begin=$(now)
	: >"$STATE"
	: >"$TMP/c.log"
	problem=$(migrate_out)
	size=$(stat -c %s "$STATE")
	echo "# the state has $size bytes"
	[ "$size" -le $STATE_MAX ] ||
		problem=$(lines "$problem" "expected $STATE_MAX bytes of state at most, got $size")
	[ "$problem" ] || problem=$(migrate_in)
	result "another QEMU goes on with the file and a small state ($(($(now) - begin)) s)" \
		"$problem" "$TMP/a.log" "$TMP/qmp-a.out" "$TMP/c.log"
}

# What is wrong with the mount, of which nobody uses anything any more.
files_end() {
	used=$(df -k "$FILES" | awk 'NR == 2 { print $3 }')
	[ "$used" = 0 ] || echo "$used KiB of the mount are in use, and no file is left"
	umount "$FILES" 2>&1
}

# Two guests side by side, one in a file with a name and one in a file without. Guest a
# has a balloon, moves to another QEMU, and ends; its file is removed. What is shared
# between the two is counted as in pair.
test_files() {
	mkdir -p "$FILES"
	mount -t ksmfs none "$FILES" && mkdir "$DOMAIN"
	INITRD=$TMP/initrd
	cat /guest/initrd /guest/drivers >"$INITRD"
	scanning_begin
	problem=$(file_guest a "$DOMAIN/a" seed=1; file_guest b "$DOMAIN" seed=2)
	guest_until a "GUEST READY" && guest_until b "GUEST READY"
	both=$(sharing)
	counts_show "$both"
	merged=$(lines "$problem" "$(domains_check)")
	files_balloon
	files_migrate
	rm "$DOMAIN/a"
	alone=$(sharing)
	echo "# one guest: pages_sharing $alone"
	guest_say b keep
	merged=$(lines "$merged" "$(between_check "$both" "$alone")" \
		"$(guest_end b "$(sums 'run 2' 'fill 0')")" "$(files_end)")
	scanning_end
	INITRD=/guest/initrd
	result "two guests in a file and in a directory of ksmfs merge" "$merged" "$TMP/b.log"
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
