#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Whatever README.md, Documentation/*.rst and the hints of ./lab shell tell
# people to type exists: commands of ./lab are parsed by it, sub-commands and
# options of the tools are in their --help, targets in the Makefile, programs in
# the tests. Those of README are run, too. Files and functions that the texts name
# are there. TAP.

# shellcheck source=tests/packaging/tap.sh
. "$(dirname "$(readlink -f "$0")")/tap.sh"

SRC=$WORK/src

# Where each command of README.md is run for real. What changes a machine is run
# where that is none of ours, what needs a module in a VT-x host, and what takes
# minutes by a suite of its own.
#   here          as it stands
#   machine       on the machine of machine.sh
#   fresh         the same, but nothing is installed there before
#   host          in a VT-x host, where all of them share a boot
#   simulated     apt-get only says what it would install
#   suite NAME    by that suite
#   never         for the reason that follows
WHERE='
./lab demo|suite demo
./lab check|never: it is what runs this
./lab run vtx 6.12 --qemu -- /tests/qemu.sh pc|suite qemu-vtx
sudo apt-get install build-essential cpio libjson-c-dev libkmod-dev linux-headers-amd64|simulated
make && sudo make install|machine
kvmlitectl check|host
sudo kvmlitectl load|host
sudo ksmctl status|host
sudo apt-get install qemu-system-x86 gnuplot-nox|simulated
sudo fleet compare --backends ksm,ksmdev --workload common|suite demo
sudo apt-get install dkms|simulated
make tools && sudo make tools_install dkms-install|fresh
sudo mokutil --import /var/lib/dkms/mok.pub|never: it asks for a password, and the firmware for it again
./lab shell vtx|suite lab-selftest
./lab run svm 6.1 --cpus 2 -- ksmctl status|here
./lab check --list|here
./lab check --fast|never: it is a part of what runs this
./lab check --all|never: it runs this, too
./lab bench ksm kvm|never: it measures for a many minutes
./lab bench ksm|never: it measures for minutes
./lab bench kvm|never: it measures for minutes
./lab bench fleet|never: it measures for half an hour
./lab help|here
ksmctl scan PATH|suite ksmctl
ksmctl run -- CMD|suite ksmctl
kvmlitectl exec -- CMD|suite kvmlitectl
kvmlitectl exec -- qemu-system-x86_64 -accel kvm,kernel-irqchip=off ...|suite qemu-vtx
ksmctl metrics|host
kvmlitectl metrics|host
make install|machine
make help|machine
make modules|machine
modprobe -r kvm_intel|host
sudo insmod ksmdev/ksmdev.ko|host
sudo mkdir -p /run/ksm|host
sudo mount -t ksmfs -o size=4g none /run/ksm|host
'
# Programs of others. A command that is neither here nor ours is an error: it
# may have been ours once.
OTHERS=" apt-get cat cd chgrp chmod dkms echo env getent groupadd insmod jq less ln ls
 mkdir mokutil mount qemu-system-x86_64 sh sleep uname usermod "
# And what is not ours among kernel modules.
STOCK_MODULES=" kvm kvm_amd kvm_intel kvm-amd kvm-intel "

tools() {
	local makefile
	for makefile in "$SRC"/userspace/*/Makefile; do
		basename "$(dirname "$makefile")"
	done
}

# Each check_* says on stdout what is wrong, if anything is.

# What stands for something is replaced by an example of it.
check_lab() {
	local args=() word said
	[[ ${1:-} != --dry-run ]] || shift
	for word in "$@"; do
		case $word in
		HOST) word=svm ;;
		KERNEL) word=6.12 ;;
		SUITE) word=style ;;
		COMMAND) word=help ;;
		esac
		args+=("$word")
	done
	said=$({ "$SRC/lab" --dry-run "${args[@]}" >/dev/null; } 2>&1)
	# The text may name a command without its arguments.
	[[ $KIND == text && $# == 1 && $said == *usage:* ]] || printf '%s' "$said"
	while (($# > 0)) && [[ $1 != -- ]]; do
		shift
	done
	(($# < 2)) || check_words "${@:2}"
}

check_make() {
	local word
	for word in "$@"; do
		case $word in
		[A-Z]*=*) grep -q "\b${word%%=*}\b" "$SRC/Makefile" || echo "make knows no ${word%%=*}" ;;
		-*) ;;
		*) sed -n 's/^\.PHONY://p' "$SRC/Makefile" | grep -qwF -e "$word" ||
			echo "make has no target $word" ;;
		esac
	done
}

check_module() {
	local word
	for word in "$@"; do
		word=$(basename -- "${word%.ko}")
		[[ $word == -* || $word == [a-z_]*=* || -e $SRC/$word/Kbuild ||
			$STOCK_MODULES == *" $word "* ]] || echo "no such module: $word"
	done
}

# check_tool NAME WORD...
check_tool() {
	local tool=$1 word option command='' help
	shift
	for word in "$@"; do
		[[ $word == -* ]] || { command=$word && break; }
	done
	# shellcheck disable=SC2086 # one word or none
	help=$("$SRC/userspace/$tool/$tool" $command --help 2>&1) || echo "$help"
	while (($# > 0)); do
		word=$1
		shift
		case $word in
		--) break ;;
		-*)
			option=${word%%=*}
			grep -qwF -e "$option" <<<"$help" || echo "$tool $command has no $option"
			;;
		*=*)
			[[ $help != *KEY=VALUE* ]] || grep -qwF -e "${word%%=*}" <<<"$help" ||
				echo "$tool $command knows no ${word%%=*}"
			;;
		esac
	done
	(($# == 0)) || check_words "$@"
}

# check_words WORD...: a simple command.
check_words() {
	local name
	while [[ ${1:-} == sudo || ${1:-} == env || ${1:-} == exec || ${1:-} == [A-Za-z_]*=* ]]; do
		shift
	done
	(($# > 0)) || return 0
	name=${1#/tests/}
	case $1 in
	./lab) check_lab "${@:2}" ;;
	make) check_make "${@:2}" ;;
	modprobe | insmod | rmmod) check_module "${@:2}" ;;
	CMD | CMD...) ;;
	*)
		if [[ -e $SRC/userspace/$name/$name.bash ]]; then
			check_tool "$name" "${@:2}"
		elif [[ " ${OTHERS//$'\n'/} " != *" $name "* ]] &&
			! compgen -G "$SRC/tests/*/$name.c" >/dev/null &&
			! compgen -G "$SRC/tests/*/$name" >/dev/null &&
			! compgen -G "$SRC/tests/fuzz/*/${name%.sh}.sh" >/dev/null; then
			echo "what is $name? (programs of others stand in OTHERS)"
		fi
		;;
	esac
}

# check_line LINE: commands with && ; | between them.
check_line() {
	local part words
	while read -r part; do
		mapfile -t words < <(xargs -n 1 <<<"$part")
		check_words "${words[@]}"
	done < <(sed -E 's/ (&&|\||\|\|) |; /\n/g' <<<"$1")
}

# Does the line begin with something of ours?
ours() {
	local word
	for word in ./lab make sudo modprobe insmod $(tools); do
		[[ "$1 " != "$word "* ]] || return 0
	done
	return 1
}

# run_for_real COMMAND: says so if nothing does.
HOST_COMMANDS=()
declare -A SEEN
run_for_real() {
	local where
	SEEN[$1]=1
	where=$(awk -F '|' -v command="$1" '$1 == command { print $2 }' <<<"$WHERE")
	case $where in
	# The lab's own folder has what was built already.
	here) works "README.md: $1, for real" bash -c "cd '$ROOT' && $1" ;;
	fresh) rm -rf "$WORK/machine" ;&
	machine) machine "README.md: $1, for real" bash -c "cd '$SRC' && $1" ;;
	simulated) works "README.md: $1, as far as apt can tell" bash -c "${1#sudo} -s" ;;
	host) HOST_COMMANDS+=("${1#sudo }") ;;
	never:*) ;;
	"suite "*)
		grep -q "^${where#suite } " "$ROOT/tests/lab/suites"
		result $? "README.md: $1: ${where}" "there is no such suite"
		;;
	*) result 1 "README.md: $1, for real" "nothing runs it: see WHERE in this test" ;;
	esac
}

# What has to be there before a command.
host_before() {
	case $1 in
	insmod*) echo "rmmod ksmdev; mkdir -p ksmdev; cp /lib/modules/*/extra/ksmdev.ko ksmdev" ;;
	"modprobe -r"*) echo "modprobe ${1##* }" ;;
	esac
}

# All commands that want a host, in their order, in one boot.
run_in_host() {
	local script='' command said
	for command in "${HOST_COMMANDS[@]}"; do
		script+="$(host_before "$command")"$'\n'
		script+="{ $command; } >/tmp/said 2>&1 && echo 'done: $command' || cat /tmp/said"$'\n'
	done
	said=$("$ROOT/lab" run vtx 6.12 --modules none --name readme -- sh -c "$script" 2>&1)
	for command in "${HOST_COMMANDS[@]}"; do
		grep -qxF "done: $command" <<<"$said"
		result $? "README.md: $command, in a host" "$said"
	done
}

# Prompts and comments are no part of a command.
plain() {
	sed -E 's/^[#$] //; s/(^|[[:space:]]+)# .*//' <<<"$1"
}

check_commands() {
	local name=$1 line problem
	while IFS=$'\t' read -r KIND line; do
		line=$(plain "$line")
		[[ -n $line ]] || continue
		# In a block of README.md all are commands.
		[[ $name == README.md && $KIND == block ]] || ours "$line" || continue
		problem=$(check_line "$line" 2>&1)
		result "$((${#problem} > 0))" "$name: $line" "$problem"
		# A word alone is the name of a command, not one to type.
		[[ $name != README.md || $line != *" "* ]] || run_for_real "$line"
	done < <(awk -f "$ROOT/tests/packaging/commands.awk" "$SRC/$name")
}

# Files that the text names by their folder or, if of C, by their name.
check_files() {
	local name=$1 file missing=''
	while read -r file; do
		(cd "$SRC" && bash -c "compgen -G '$file'" || { cd "$SRC" && bash -c "ls -d $file"; }) \
			>/dev/null 2>&1 || missing+="$file"$'\n'
	done < <(awk -f "$ROOT/tests/packaging/commands.awk" "$SRC/$name" | cut -f 2 |
		grep -xE '(Documentation|include|ksmdev|kvmlite|tests|userspace)/[A-Za-z0-9_.,{}*/-]*' |
		sed 's/NAME/*/g' | sort -u)
	while read -r file; do
		[[ -e $SRC/${file%%#*} ]] || missing+="$file"$'\n'
	done < <(grep -oE '(\]\(|src=")[^)"]+' "$SRC/$name" | sed -E 's/^(\]\(|src=")//; /^https?:/d')
	# Some are the kernel's.
	while read -r file; do
		[[ -n $(find "$SRC" -path "*/$file" -print -quit) ]] || missing+="$file"$'\n'
	done < <(grep -oE '[a-zA-Z0-9/_-]+\.(c|h|rst|sh)\b' "$SRC/$name" |
		grep -vE '^(linux|Documentation/virt)/|NAME' | sed 's|^/tests/||' | sort -u)
	same "$name: the files it names" "" "${missing%$'\n'}"
}

# Functions that the text names, ours and those that the kernel exports.
check_functions() {
	local name=$1 function missing=''
	while read -r function; do
		grep -rqw -e "$function" "$SRC"/{ksmdev,kvmlite,include,userspace} \
			"$KERNELDIR/Module.symvers" ||
			missing+="$function()"$'\n'
	done < <(grep -oE '[a-z_0-9]+\(\)' "$SRC/$name" | tr -d '()' | sort -u)
	same "$name: the functions it names" "" "${missing%$'\n'}"
}

# Would this suite notice?
check_mistake() {
	[[ -n $(check_line "$1" 2>&1) ]]
	result $? "noticed: $1"
}

# A command in WHERE that README.md has no more is a mistake as well.
check_where() {
	local command
	while IFS='|' read -r command _; do
		[[ -z $command || -n ${SEEN[$command]:-} ]] || echo "$command"
	done <<<"$WHERE"
}

copy_sources "$SRC"
kernel 6.12
works "make tools" make -s -C "$SRC" tools
works "make help" make -s -C "$SRC" help
cd "$SRC" || exit
for document in README.md Documentation/*.rst; do
	check_commands "$document"
	check_files "$document"
	check_functions "$document"
done
same "WHERE has nothing that README.md has not" "" "$(check_where)"
run_in_host
for hint in tests/lab/hints/*; do
	while read -r line; do
		problem=$(check_line "$line" 2>&1)
		result "$((${#problem} > 0))" "$hint: $line" "$problem"
	done < <(sed -E 's/([^ ])  +.*/\1/' "$hint")
done
KIND=block
while read -r line; do
	check_mistake "$line"
done <<'END'
./lab frobnicate
./lab run svm
./lab run svm 6.1 --cups 2 -- ksmctl status
./lab run svm 5.1 -- ksmctl status
./lab run svm 6.1 -- ksmctl stat
./lab check no-such-suite
make && sudo make instal
sudo modprobe ksmdve
ksmctl top --fast
ksmctl set rnu=1
env LAB=1 /tests/no_such_test
END
finish
