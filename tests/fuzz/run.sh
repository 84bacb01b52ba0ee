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
# shellcheck source=tests/fuzz/userspace.sh
source "$here/userspace.sh"
TARGETS=(decode alu svm_insn memslot)

die() {
	printf '%s\n' "$*" >&2
	exit 1
}

libraries() {
	! grep -q '<Zydis/' "$here/$1_fuzz.c" || echo -lZydis
}

build() {
	local target=$1 program=$2
	shift 2
	# shellcheck disable=SC2046 # no word at all if there is none
	"$@" "${FLAGS[@]}" "${MODULE_FLAGS[@]}" -o "$program" "$here/${target}_fuzz.c" $(libraries "$target")
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

out_folder fuzz
case ${1:-} in
replay) replay ;;
"" | -*) die "usage: run.sh replay | TARGET [SECONDS] [LIBFUZZER-OPTION...]; targets: ${TARGETS[*]}" ;;
*) fuzz "$@" ;;
esac
