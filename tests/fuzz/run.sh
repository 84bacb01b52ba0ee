#!/bin/bash
# Fuzz targets: pure parts of the modules, compiled for userspace from their own
# sources (tests/fuzz/README).
#
#   run.sh replay                    the seeds and sweeps, without libFuzzer; TAP
#   run.sh TARGET [SECONDS] [OPTION...]
#                                    fuzz it with clang's libFuzzer, a minute
#
# What fuzzing found is kept in out/fuzz/TARGET, and tried again by replay.

set -u -o pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
root=$(cd "$here/../.." && pwd)
out=${LAB_OUT:-$root/out}/fuzz
TARGETS=(decode alu svm_insn memslot)

# Those of the kernel's headers that the sources name and the system does not
# have: kernel.h stands for them.
HEADERS=(linux/{bitmap,bitops,bits,compiler,mm,mm_types,mmu_notifier,mutex,nospec}.h
	linux/{preempt,rcupdate,refcount,slab,spinlock,spinlock_types,srcu,timer,uaccess,xarray}.h
	asm/{processor,traps}.h asm/fpu/{api,types}.h)

# shellcheck disable=SC2054 # the comma is the compiler's
FLAGS=(-g -O1 -mno-red-zone -fsanitize=address,undefined -fno-sanitize-recover=all
	-Wall -Wextra -Werror -Wno-sign-compare -Wno-unused-parameter -Wno-unused-function
	-include "$here/kernel.h" -I "$root/kvmlite" -I "$root/tests/unit" -idirafter "$out/include")

die() {
	printf '%s\n' "$*" >&2
	exit 1
}

headers() {
	local header
	for header in "${HEADERS[@]}"; do
		mkdir -p "$out/include/$(dirname "$header")"
		[[ -e $out/include/$header ]] || : >"$out/include/$header"
	done
}

libraries() {
	! grep -q '<Zydis/' "$here/$1_fuzz.c" || echo -lZydis
}

build() {
	local target=$1 program=$2
	shift 2
	# shellcheck disable=SC2046 # no word at all if there is none
	"$@" "${FLAGS[@]}" -o "$program" "$here/${target}_fuzz.c" $(libraries "$target")
}

# The plans of several targets add up.
replay() {
	local target status=0 found
	for target in "${TARGETS[@]}"; do
		shopt -s nullglob
		found=("$out/$target"/{crash,leak,timeout}-*)
		shopt -u nullglob
		if ! build "$target" "$out/$target-replay" gcc "$here/replay.c" 2>&1 | sed 's/^/# /'; then
			echo "1..1"
			echo "not ok - $target does not compile"
			status=1
			continue
		fi
		"$out/$target-replay" "$target" "$here/seeds/$target" --binary "${found[@]}" \
			2>"$out/$target.log" || {
			status=1
			tail -n 30 "$out/$target.log" | sed 's/^/# /'
			echo "not ok - $target: the input above"
		}
	done
	return "$status"
}

# libFuzzer wants a file each.
seeds_unpack() {
	local line n=0
	mkdir -p "$2"
	sed 's/#.*//' "$1" | while read -r line; do
		((++n))
		[[ -z $line ]] ||
			printf '%b' "$(sed -E 's/([0-9a-f]{2}) ?/\\x\1/g' <<<"$line")" >"$2/$n"
	done
}

fuzz() {
	local target=$1 seconds=${2:-60}
	[[ " ${TARGETS[*]} " == *" $target "* ]] || die "no such target: $target (there are: ${TARGETS[*]})"
	shift $(($# > 1 ? 2 : 1))
	build "$target" "$out/$target-fuzz" clang -fsanitize=fuzzer ||
		die "$target does not compile; fuzzing needs these packages:" \
			"$(awk '"," $2 "," ~ /,fuzz,/ { print $1 }' "$root/tests/lab/packages" | paste -sd ' ')"
	mkdir -p "$out/$target/corpus"
	seeds_unpack "$here/seeds/$target" "$out/$target/seeds"
	exec "$out/$target-fuzz" -max_total_time="$seconds" -timeout=10 \
		-artifact_prefix="$out/$target/" "$@" "$out/$target/corpus" "$out/$target/seeds"
}

# A folder that is made here is the lab's (folders.sh there).
[[ -e ${out%/fuzz} ]] || {
	mkdir -p "$out" && echo "Made by tests/fuzz/run.sh." >"${out%/fuzz}/.kvmlite-lab"
}
mkdir -p "$out"
headers
case ${1:-} in
replay) replay ;;
"" | -*) die "usage: run.sh replay | TARGET [SECONDS] [LIBFUZZER-OPTION...]; targets: ${TARGETS[*]}" ;;
*) fuzz "$@" ;;
esac
