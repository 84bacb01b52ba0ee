#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make install puts all into DESTDIR that tests/packaging/files names, and it is
# of use there; make uninstall takes all of it away. TAP.

# shellcheck source=tests/packaging/tap.sh
. "$(dirname "$(readlink -f "$0")")/tap.sh"

PREFIX=/usr
DEST=$WORK/root

installed() {
	(cd "$DEST" 2>/dev/null && find . ! -type d -printf '%P\n' | sed 's/\.ko\.xz$/.ko/' | LC_ALL=C sort)
}

expected_modules() {
	printf "lib/modules/$RELEASE/updates/%s.ko\n" ksmdev/ksmdev kvmlite/kvmlite
}

expected() {
	{
		expected_modules
		sed "s|^|${PREFIX#/}/|" "$ROOT/tests/packaging/files"
	} | LC_ALL=C sort
}

# shellcheck disable=SC2317 # "works" calls it
install_all() {
	make -s KERNELDIR="$KERNELDIR" DESTDIR="$DEST" PREFIX="$PREFIX" "$@"
}

check_modules() {
	local module
	for module in ksmdev kvmlite; do
		module_check "$1: $module" "$(find "$DEST/lib/modules/$RELEASE" -name "$module.ko*")"
		cp "$KERNELDIR"/../../../lib/modules/"$RELEASE"/modules.{order,builtin,builtin.modinfo} \
			"$DEST/lib/modules/$RELEASE"
		works "$1: modprobe finds $module" sh -c "depmod -b '$DEST' '$RELEASE' &&
			modprobe -d '$DEST' -S '$RELEASE' --show-depends $module"
		rm "$DEST/lib/modules/$RELEASE"/modules.*
	done
}

# Headers stand by themselves: nothing is included before them.
check_headers() {
	local header name include=$DEST$PREFIX/include
	for header in "$include"/linux/*.h; do
		name=${header#"$include"/}
		echo "#include <$name>" >"$WORK/header.c"
		quiet "$name compiles in C" gcc -std=c99 -Wall -Wextra -pedantic -Werror \
			-fsyntax-only -I "$include" "$WORK/header.c"
		quiet "$name compiles in C++" g++ -std=c++11 -Wall -Wextra -pedantic -Werror \
			-fsyntax-only -I "$include" -x c++ "$WORK/header.c"
	done
}

# shellcheck disable=SC2317 # "quiet" calls it
man_warnings() {
	LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l "$1" >/dev/null
}

check_man_pages() {
	local page
	for page in "$DEST$PREFIX"/share/man/man*/*; do
		quiet "$(basename "$page") has no mistakes" mandoc -T lint "$page"
		quiet "nor does man see any" man_warnings "$page"
	done
}

# Option names of a --help: "  -j, --json   Print JSON".
options_of() {
	"$@" --help | grep -oE '^ +(-[^ -],? )? *--[a-z-]+|^ +-[A-Za-z]\b' | grep -oE -- '--?[A-Za-z-]+' | sort -u
}

# Sub-commands of a tool, which its --help lists below "Commands:".
commands_of() {
	"$1" --help | sed -n '/Commands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p' | sort -u
}

# The page and the completion name whatever the tool's --help names.
check_tool() {
	local tool=$1 name page completion command word missing=''
	name=$(basename "$tool")
	page=$(mandoc -T utf8 "$DEST$PREFIX/share/man/man1/$name.1" | sed 's/.\x08//g; s/‐/-/g')
	completion=$(cat "$DEST$PREFIX/share/bash-completion/completions/$name")
	same "$name says its version" "$name $VERSION" "$("$tool" --version)"
	for command in '' $(commands_of "$tool"); do
		# shellcheck disable=SC2086 # none or one
		for word in $command $(options_of "$tool" $command); do
			[[ $word != --usage ]] || continue
			grep -qwF -e "$word" <<<"$page" || missing+=" man:$command:$word"
			# One spelling is enough to complete.
			[[ $word != -? ]] || continue
			grep -qwF -e "$word" <<<"$completion" || missing+=" completion:$command:$word"
		done
	done
	same "the man page and completion of $name have all of its --help" "" "$missing"
}

# What Tab offers behind the words.
offered() {
	local line="$*"
	# shellcheck disable=SC2016 # the other bash's
	bash -c '. /usr/share/bash-completion/bash_completion && . "$1" && shift
		# Only a shell that somebody types into has it.
		compopt() { :; }
		COMP_LINE=$1 COMP_POINT=${#1} && shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		"_$1" "$1" "${!#}" && echo "${COMPREPLY[@]}"' bash \
		"$DEST$PREFIX/share/bash-completion/completions/$1" "$line" "$@"
}

# completes "WORDS" "EXPECTED": the last word is the one that is typed.
completes() {
	local words
	IFS=' ' read -ra words <<<"$1"
	[[ $1 != *" " ]] || words+=('')
	same "completed: $1" "$2" "$(offered "${words[@]}" 2>&1)"
}

check_completions() {
	completes "fleet ru" "run"
	completes "fleet run --workload w" "writer"
	completes "fleet run --no" "--no-plots"
	completes "fleet run --backend k" "ksmdev ksm"
	completes "fleet compare --back" "--backends"
	completes "fleet compare --backends none,ksmd" "none,ksmdev"
	completes "fleet run --set work" "workload= workload_mib="
	completes "fleet run -s scan=f" "scan=flat-out"
	completes "ksmctl st" "status"
	completes "ksmctl set run=" "run=0 run=1 run=2"
	completes "ksmctl set use" "use_zero_pages="
	completes "kvmlitectl ex" "exec"
	completes "kvmlitectl load ks" "ksmdev"
	completes "kvmlitectl stats --o" "--once"
	completes "kvmlitectl exec --u" "--user"
}

copy_sources "$WORK/src"
cd "$WORK/src" || exit
kernel 6.12
works "make" install_all
works "make install" install_all install
same "the files" "$(expected)" "$(installed)"
check_modules 6.12
check_headers
check_man_pages
for tool in "$DEST$PREFIX"/bin/*; do
	check_tool "$tool"
done
check_completions
works "make uninstall" install_all uninstall
same "no file is left" "" "$(installed)"
same "nor a folder of ours" "" "$(find "$DEST" -name 'kvmlite*' -o -name 'ksm*')"

machine "make install, without DESTDIR" make -s install
for module in ksmdev kvmlite; do
	machine "modprobe finds $module" modprobe -S "$RELEASE" --show-depends "$module"
done
while read -r tool; do
	machine "$tool is on the PATH" "$tool" --version
done < <(sed -n 's|^bin/||p' tests/packaging/files)
machine "make uninstall, without DESTDIR" make -s uninstall
machine_clean "no file is left on the machine"

kernel 6.1
works "6.1: make modules_install" install_all modules_install
same "6.1: the modules, and nothing else" "$(expected_modules)" "$(installed)"
check_modules 6.1
finish
