#!/bin/bash
# Does the ioctl fuzzer find mistakes in ksmdev? Those of defects/*.patch, each in a copy of
# the module for the kernel debug, within the time that the fuzzer has; and none in the
# module as it is. TAP on standard output; README.

set -u -o pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${LAB_OUT:-$root/out}/build/fuzz-defects
seconds=120
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# shellcheck disable=SC2034 # host.sh reads it
LAB=$root/tests/lab
# shellcheck source=tests/lab/host.sh
. "$LAB/host.sh"

# The mistakes, a boot a line. Who waits for a lock that is freed reports for good: KASAN's
# first report ends the boot.
BOOTS='none size domain copy discard
waiter'

# What is built, in one word.
fingerprint() {
	(cd "$root" && find Kbuild dkms.conf include ksmdev tests/fuzz/defects -type f -exec sha1sum {} + |
		sort && echo "$1") | sha1sum
}

# sources_copy FILE...: those of the tree.
sources_copy() {
	(cd "$root" && cp --parents -r "$@" "$build")
}

# With KCOV_INSTRUMENT, as the lab builds for this kernel.
module_make() {
	make -s -C "$1" M="$build" KCFLAGS=-Werror CONFIG_DEBUG_INFO_BTF_MODULES= KCOV_INSTRUMENT=y \
		-j"$(nproc)" modules
}

# module_build HEADERS PATCH: NAME.ko. Only what the patch changes is compiled anew.
module_build() {
	local headers=$1 patch=$2 files
	mapfile -t files < <(sed -n 's|^+++ b/||p' "$patch")
	patch -s -p1 -F0 --no-backup-if-mismatch -d "$build" <"$patch" && module_make "$headers" &&
		cp "$build/ksmdev/ksmdev.ko" "$build/$(basename "$patch" .patch).ko" &&
		sources_copy "${files[@]}"
}

modules_build() {
	local headers want patch
	headers=$("$root/lab" headers debug) || return
	want=$(fingerprint "$headers")
	[[ $(cat "$build/.built" 2>/dev/null) != "$want" ]] || return 0
	rm -rf "$build"
	mkdir -p "$build"
	sources_copy Kbuild dkms.conf include ksmdev || return
	for patch in "$here"/defects/*.patch; do
		if ! module_build "$headers" "$patch"; then
			echo "$(basename "$patch") does not apply, or does not build"
			return 1
		fi
	done
	echo "$want" >"$build/.built"
}

# Every patch is in a boot, and nothing else.
boots_complete() {
	diff <(printf '%s\n' none "$here"/defects/*.patch | sed 's|.*/||; s|\.patch$||' | sort) \
		<(tr ' ' '\n' <<<"$BOOTS" | sort)
}

# boot NAME...: what the fuzzer said of each of them is in $work/said, and the console's
# log in $work/console.
boot() {
	local name files=(--file "$here/defects/guest.sh") log
	for name in "$@"; do
		[[ $name == none ]] || files+=(--file "$build/$name.ko")
	done
	"$root/lab" run svm debug --name "fuzz-selftest-$1" --modules none --cpus 2 --one-thread \
		--append kasan.fault=panic --timeout $((600 + 200 * $#)) "${files[@]}" \
		-- sh /root/guest.sh "$seconds" "$@" >"$work/said" 2>"$work/lab"
	log=$(sed -n 's/.*(all of them: \(.*\)):$/\1/p' "$work/lab")
	tr -d '\r' <"${log:-/dev/null}" >"$work/console"
}

said() {
	sed -n "s/^$1: //p" "$work/said"
}

# reported NAME: "SECONDS s LINE", the first line of the kernel's log after it that is bad
# in the eyes of the lab, if the boot ended with that.
reported() {
	awk -v name="$1" '
		/\] defect / { inside = $NF == name }
		BEGIN { print "lab: start" }
		inside' "$work/console" >"$work/piece"
	awk -v bad="$(console_bad "$work/piece")" -F '[][ ]+' '
		/\] defect / { begin = $2 }
		bad != "" && $0 == bad { printf "%.0f s %s\n", $2 - begin, $0; exit }' "$work/piece"
}

# found NAME: "SECONDS s REASON", or nothing.
found() {
	local took reason
	took=$(said "$1" | sed -n 's/^exit [0-9]*, //p')
	reason=$(said "$1" | grep -B 1 '^# after this program' | grep -vE '^#( after|   )|^--' | tail -n 1)
	if [[ -z $took ]]; then
		reported "$1"
	elif [[ $reason ]]; then
		echo "$took $reason"
	fi
}

tests=0
failed=0
result() {
	local ok=$1
	((++tests))
	if [[ $ok == 0 ]]; then
		echo "ok $tests - $2"
	else
		echo "not ok $tests - $2"
		((++failed))
	fi
}

# judge NAME: the fuzzer gave the reason that the patch names, in time; none for "none".
judge() {
	local name=$1 line want rc
	line=$(found "$name")
	if [[ $name == none ]]; then
		said none | grep -q '^exit 0, '
		rc=$?
		result "$rc" "the module as it is: nothing found in $seconds s"
	else
		want=$(sed -n 's/^Found: //p' "$here/defects/$name.patch")
		[[ $want && $line ]] && ((${line%% *} <= seconds)) && grep -qE -e "$want" <<<"$line"
		rc=$?
		result "$rc" "$name: found in ${line:-no time}"
	fi
	((rc == 0)) || { said "$name" && cat "$work/lab"; } | sed 's/^/# /'
}

echo "1..$((1 + $(wc -w <<<"$BOOTS")))"
{ boots_complete && modules_build; } >"$work/built" 2>&1
result $? "each mistake has a boot, applies, and builds"
((failed == 0)) || { sed 's/^/# /' "$work/built" && exit 1; }
while read -ra names; do
	boot "${names[@]}" </dev/null
	for name in "${names[@]}"; do
		judge "$name"
	done
done <<<"$BOOTS"
exit $((failed > 0))
