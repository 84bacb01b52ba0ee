# shellcheck shell=bash
# One boot of an emulated host: prepare, start the emulator, watch it, judge. The table
# of hosts is tests/lab/hosts, and the parts of their emulators are host-*.sh.
#
# What to boot stands in the B_* variables, set by boot_defaults and then by
# the caller:
#   B_NAME B_HOST B_KERNEL   names; the kernel is a series, e.g. 6.12
#   B_CPUS B_MEM             number, MiB
#   B_MODULES                to load first, with commas
#   B_APPEND                 more of the kernel's command line
#   B_MITIGATIONS            off or auto: of what CPUs leak by speculation; if it is
#                            empty, off where costs are counted, and auto elsewhere
#   B_ICOUNT B_NUMA          1: costs are measured; two NUMA nodes
#   B_MIPS                   a second has so many million instructions, if set
#   B_ONE_THREAD             1: all CPUs are emulated by one thread, in turns
#   B_FILES                  array: to be in /root
#   B_QEMU                   QEMU of this Debian release and a guest for it are in the image
#   B_TIMEOUT                seconds of wall time
#   B_QUIET                  1: the command's output goes to the log only
#   B_STATUS                 progress line of a quiet boot
# boot_run and boot_shell add B_DIR, its log folder: cmd console.log output.log verdict
# (and bochs.log under Bochs).

host_names() {
	awk '!/^#/ && NF { print $1 }' "$LAB/hosts"
}

host_row() {
	awk -v name="$1" '$1 == name' "$LAB/hosts"
}

# Nothing for "local".
host_emulator() {
	host_row "$1" | awk '{ print $3 }'
}

# host_read HOST sets the H_* of its line of the table.
host_read() {
	read -r H_NAME H_VENDOR H_EMULATOR _ _ H_MODEL H_APPEND H_SECONDS H_LACKS < <(host_row "$1")
	[[ $H_APPEND != - ]] || H_APPEND=
	[[ $H_LACKS != - ]] || H_LACKS=
}

# The first one of an emulator.
host_of_emulator() {
	awk -v emulator="$1" '!/^#/ && $3 == emulator { print $1; exit }' "$LAB/hosts"
}

# The Debian release of the first one's, whose QEMU the guest image has if not told otherwise.
host_qemu_release() {
	awk '!/^#/ && $3 == "qemu" { print $4; exit }' "$LAB/hosts"
}

mapfile -t HOSTS < <(host_names)

# Ours, for a boot that names none.
modules_all() {
	modules_present | paste -sd ,
}

# kernel_of_host HOST KERNEL: the kernel that HOST boots for it.
kernel_of_host() {
	if [[ $2 == debug && $(host_emulator "$1") == bochs ]]; then
		echo debug-vtx
	else
		echo "$2"
	fi
}

boot_defaults() {
	B_NAME=run B_HOST=$1 B_KERNEL=$(kernel_of_host "$1" "$2") B_CPUS=1 B_MEM=1024 B_MIPS='' B_APPEND=''
	B_ICOUNT='' B_NUMA='' B_ONE_THREAD='' B_QEMU='' B_TIMEOUT=600 B_QUIET='' B_STATUS=''
	B_INTERACTIVE='' B_TTY=ttyS1 B_DIR='' B_LOST='' B_MITIGATIONS='' B_FILES=()
	B_MODULES=$(modules_all)
	[[ " ${HOSTS[*]} " == *" $B_HOST "* ]] ||
		die "no such host: $B_HOST (there are: ${HOSTS[*]})"
	host_read "$B_HOST"
	kernel_exists "$B_KERNEL"
	boot_stretch
}

# boot_set_mitigations VALUE: the kernel would ignore a mistyped one.
boot_set_mitigations() {
	[[ $1 == off || $1 == auto ]] || die "mitigations are off or auto, not '$1'"
	B_MITIGATIONS=$1
}

boot_mitigations() {
	if [[ $B_MITIGATIONS ]]; then
		echo "$B_MITIGATIONS"
	elif [[ $B_ICOUNT ]]; then
		echo off
	else
		echo auto
	fi
}

# The time that a table or a default gives is for stock kernels. And under Bochs a tick
# comes every so many instructions: it must leave some for the rest.
boot_stretch() {
	[[ $B_KERNEL == debug* ]] || return 0
	((B_TIMEOUT *= DEBUG_SLOWER))
	[[ $H_EMULATOR != bochs ]] || B_MIPS=${B_MIPS:-200}
}

# boot_time SECONDS: what to tell the user, given that of a stock kernel.
boot_time() {
	if [[ $B_KERNEL == debug* ]]; then
		echo "$(($1 * DEBUG_SLOWER)) s"
	else
		echo "$1 s"
	fi
}

# The first warning of a stock kernel is the end. A debug kernel goes on, as what
# comes next may tell more, and its init asks the detectors at the end. KASAN takes
# any address for a wild one if an interrupt comes while the kernel rewrites the
# CPU's features, unless there are only four levels of page tables.
boot_reports() {
	if [[ $B_KERNEL == debug* ]]; then
		echo kasan_multi_shot no5lvl
	else
		echo panic_on_warn=1
	fi
}

# The kernel's command line that all hosts share. Watchdogs are patient: an
# emulator on a busy machine is slow, and only a real hang is a failure.
boot_append() {
	echo "console=ttyS0 panic=-1 oops=panic $(boot_reports) mitigations=$(boot_mitigations)" \
		"cryptomgr.notests no_timer_check printk.devkmsg=on watchdog_thresh=60" \
		"rcupdate.rcu_cpu_stall_timeout=300 workqueue.watchdog_thresh=300" \
		"tsc=reliable ${H_APPEND//,/ } $*"
}

# A log folder of this boot's own: a second boot of the same name that runs at
# the same time gets a number.
boot_folder() {
	local base=$OUT/log/$B_NAME-$B_HOST-$B_KERNEL n
	B_DIR=$base
	for ((n = 2; ; n++)); do
		mkdir -p "$B_DIR"
		exec {B_LOCK}>"$B_DIR/.lock"
		flock -n "$B_LOCK" && break
		exec {B_LOCK}>&-
		B_DIR=$base.$n
	done
	rm -rf "${B_DIR:?}"/*
	: >"$B_DIR/console.log"
	: >"$B_DIR/output.log"
}

# boot_run COMMAND...: returns the command's exit status, or 124 for a timeout
# and 125 for a host that failed; the verdict file says it in words.
boot_run() {
	local rc
	kernel_use "$B_KERNEL"
	[[ -n $B_DIR ]] || boot_folder
	printf '%s\n' "$(shell_quote "$@")" >"$B_DIR/cmd"
	boot_prepare "$@"
	B_LOST=
	[[ -z ${LAB_BOOTS:-} ]] || echo "$B_NAME $B_HOST $B_KERNEL" >>"$LAB_BOOTS"
	boot_watch
	! boot_is_stillborn || boot_again
	rm -f "$B_DIR/initrd" "$B_DIR/boot.iso"
	boot_files
	boot_journal
	boot_judge
	rc=$?
	exec {B_LOCK}>&-
	return "$rc"
}

# The kernel has died before our init started. With several CPUs QEMU may run, now and then,
# an instruction that another CPU is just patching.
boot_is_stillborn() {
	! grep -qa 'lab: start' "$B_DIR/console.log" && grep -qa 'Kernel panic' "$B_DIR/console.log"
}

# Once. It is always said: a mistake of ours that kills a kernel now and then looks the same.
boot_again() {
	local log
	for log in console emulator bochs; do
		[[ ! -e $B_DIR/$log.log ]] || mv "$B_DIR/$log.log" "$B_DIR/$log-first.log"
	done
	: >"$B_DIR/console.log"
	[[ -z ${LAB_BOOTS:-} ]] || echo "$B_NAME $B_HOST $B_KERNEL" >>"$LAB_BOOTS"
	status_clear
	say "lab: warning: the kernel of $B_NAME $B_HOST $B_KERNEL died before the lab's init started: booting again"
	boot_watch
}

# boot_prepare COMMAND...: the emulator has all it needs, and B_COMMAND starts it.
boot_prepare() {
	emulator_use "$B_HOST"
	"host_${H_EMULATOR}_prepare" "$@" || die "could not prepare the $B_HOST host"
}

# What was handed over with export_files.sh, in one archive or several: files/ of the
# log folder.
boot_files() {
	[[ -s $B_DIR/export.b64 ]] || return 0
	mkdir -p "$B_DIR/files" && base64 -di "$B_DIR/export.b64" | gzip -dc |
		tar -C "$B_DIR/files" --no-same-owner -xi 2>>"$B_DIR/emulator.log" ||
		B_LOST="the files that the host handed over are not complete"
	rm -f "$B_DIR/export.b64"
}

# The journal of tests/fuzz/ioctl (journal.h), if there is one on the scratch disk:
# the last programs, as files that ioctl_fuzz can replay, in programs/ of the log
# folder.
boot_journal() {
	local journal=1048576 disk=$B_DIR/disk.img
	head -c "$journal" "$disk" 2>/dev/null | grep -qa '^ioctl_fuzz ' || return 0
	mkdir -p "$B_DIR/programs"
	head -c "$journal" "$disk" | tr '\0' '\n' | gawk -v folder="$B_DIR/programs" '
		/^ioctl_fuzz [0-9]+ [0-9]+$/ {
			file = sprintf("%s/%07d", folder, $2)
			left = $3
			next
		}
		left > 0 {
			print >file
			left -= length($0) + 1
			if (left <= 0)
				close(file)
		}'
}

# The same with a shell on the user's terminal; nothing is judged.
boot_shell() {
	kernel_use "$B_KERNEL"
	boot_folder
	B_INTERACTIVE=1
	boot_prepare
	"host_${H_EMULATOR}_shell"
	rm -f "$B_DIR/initrd" "$B_DIR/boot.iso"
	say
	say "The kernel's console is in $B_DIR/console.log"
}

# Runs B_COMMAND until it ends, the time is over or the kernel panics. Standard
# output gets the guest's output as it comes.
boot_watch() {
	local start=$SECONDS panic_seen='' tail_pid=''
	B_TIMED_OUT='' B_BOOTED=''
	"${B_COMMAND[@]}" </dev/null >"$B_DIR/emulator.log" 2>&1 &
	B_PID=$!
	CHILDREN+=("$B_PID")
	if [[ -z $B_QUIET ]]; then
		tail -q -f -s 0.1 -c +1 --pid="$B_PID" "$B_DIR/output.log" 2>/dev/null &
		tail_pid=$!
		CHILDREN+=("$tail_pid")
	fi
	while kill -0 "$B_PID" 2>/dev/null; do
		sleep 0.2
		boot_progress "$start"
		# A host that panics may start again from its disc.
		[[ -z $panic_seen ]] || { sleep 2 && break; }
		! console_bad "$B_DIR/console.log" | grep -qa 'Kernel panic' || panic_seen=1
		if ((SECONDS - start > B_TIMEOUT)); then
			B_TIMED_OUT=1
			break
		fi
	done
	boot_stop "$B_PID"
	[[ -z $tail_pid ]] || wait "$tail_pid" 2>/dev/null
	CHILDREN=()
}

boot_stop() {
	local n
	kill "$1" 2>/dev/null
	for ((n = 0; n < 20; n++)); do
		kill -0 "$1" 2>/dev/null || break
		sleep 0.1
	done
	kill -9 "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

# Until the command says something, the user sees that the host is booting; a
# quiet one may show a status of its own, B_STATUS.
boot_progress() {
	local elapsed=$((SECONDS - $1))
	if [[ $B_QUIET ]]; then
		[[ -z $B_STATUS ]] || status_slow "$B_STATUS ... $elapsed s"
	elif [[ -z $B_BOOTED ]]; then
		if [[ -s $B_DIR/output.log ]]; then
			B_BOOTED=1
			status_clear
		else
			status_slow "booting $B_HOST $B_KERNEL ... $elapsed s"
		fi
	fi
}

# What on the console means that the boot failed, whatever the command says.
CONSOLE_BAD='WARNING:|BUG:|Oops|Kernel panic|UBSAN:|general protection fault'
CONSOLE_BAD+='|INFO: task .* blocked|rcu: INFO|detected stall|kernel BUG at'
# What the kernel debug says first; a WARNING or a BUG may follow.
CONSOLE_BAD+='|lockdep is turned off|refcount_t:|list_(add|del) (corruption|double)|ODEBUG:'
CONSOLE_BAD+='|BUG [^ ]+ [(](Not t|T)ainted'
# What init and its detectors say.
CONSOLE_BAD+='|lab: (cannot load|cannot unload|kmemleak|[0-9]+ CPUs instead)'

# The first bad line. What the stock kernel thinks of the emulated hardware
# before our init starts is not our business, unless it dies of it. Neither is a crash
# that the command asks for, until its crash kernel comes.
console_bad() {
	awk -v bad="$CONSOLE_BAD" '
		/lab: start/ { started = 1 }
		/lab: a crash is due/ { crash = 1 }
		/lab: the crash kernel/ { crash = 0 }
		!crash && (/Kernel panic/ || (started && $0 ~ bad)) { print; exit }' "$1"
}

boot_judge() {
	local bad exit_line console=$B_DIR/console.log
	status_clear
	bad=$(console_bad "$console" | tr -d '\r')
	exit_line=$(grep -aoE 'lab: exit [0-9]+' "$console" | tail -n 1)
	if [[ -n $bad ]]; then
		boot_failed 125 "the kernel says: $bad"
	elif [[ -n $B_TIMED_OUT ]]; then
		boot_failed 124 "no end within $B_TIMEOUT s"
	elif [[ -z $exit_line ]]; then
		boot_failed 125 "the host ended before the command did"
	else
		echo "${exit_line#lab: }" >"$B_DIR/verdict"
		boot_count_output
		return "${exit_line#lab: exit }"
	fi
}

# What the host's kernel sent must have come: B_LOST says if it has not. Kernels from 7.3
# on do not tell.
boot_count_output() {
	local sent came
	sent=$(grep -aoE 'lab: exit [0-9]+, sent [0-9]+' "$B_DIR/console.log" | tail -n 1)
	[[ $sent ]] || return 0
	sent=${sent##* }
	came=$(stat -c %s "$B_DIR/output.log")
	((sent == came)) || B_LOST="of $sent characters of output $came came"
}

boot_failed() {
	echo "$2" >"$B_DIR/verdict"
	[[ $B_QUIET ]] || boot_explain
	return "$1"
}

boot_explain() {
	say "lab: $B_HOST $B_KERNEL failed: $(<"$B_DIR/verdict")"
	boot_last_lines >&2
}

# The console from the first bad line on, in full if it is short: the cause is
# at its start, how it ended is at its end.
boot_last_lines() {
	local bad from=1 lines=$B_DIR/console.log
	[[ -s $lines ]] || lines=$B_DIR/emulator.log
	[[ ! -d $B_DIR/programs ]] || echo "the programs that ran last: $B_DIR/programs"
	echo "the last console lines (all of them: $lines):"
	bad=$(console_bad "$lines")
	[[ -z $bad ]] || from=$(grep -anFm 1 -e "$bad" "$lines" | cut -d : -f 1)
	tr -d '\r' <"$lines" | awk -v from="$from" -v bad="$bad" '
		{ line[NR] = $0 }
		END {
			first = bad == "" || from > NR - 30 ? NR - 30 : from - 2
			for (n = first < 1 ? 1 : first; n <= NR; n++) {
				if (n == first + 40 && n < NR - 10) {
					print "  | ..."
					n = NR - 10
				}
				print "  | " line[n]
			}
		}'
}
