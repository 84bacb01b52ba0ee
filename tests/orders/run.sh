#!/bin/bash
# Orders: structures of the modules, compiled for userspace from their own sources,
# through all short sequences of their calls (README).
#
#   run.sh [--deep] [--seed N] [PROGRAM...]
#
# TAP on standard output: the universes of each program, or of those that are named, then
# its mutants. --deep: longer sequences, and more random ones; no mutants.

set -u -o pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=tests/fuzz/userspace.sh
source "$here/../fuzz/userspace.sh"
PROGRAMS=(slots tables ranges backings vmcs asid queue)
# Those of ksmdev's sources.
KSMDEV=(queue)

die() {
	printf '%s\n' "$*" >&2
	exit 1
}

# compile PROGRAM FOLDER [OPTION...]: what is there comes before the sources of that name.
compile() {
	local source=$2/$1_orders.c
	[[ -e $source ]] || source=$here/$1_orders.c
	gcc -I "$2" "${FLAGS[@]}" "${MODULE_FLAGS[@]}" "${@:3}" -I "$fuzz" -I "$here" -o "$2/$1" "$source" >"$2/log" 2>&1
}

# result OK NAME [LOG]
result() {
	if [[ $1 == ok ]]; then
		echo "ok - $2"
		return
	fi
	echo "not ok - $2"
	[[ -z ${3:-} ]] || sed 's/^/# /' "$3" | head -n 30
	status=1
}

program() {
	local folder=$out/$1
	rm -rf "$folder"
	mkdir -p "$folder"
	if ! compile "$1" "$folder" -O2; then
		echo 1..1
		result bad "$1 compiles" "$folder/log"
		return
	fi
	"$folder/$1" "${options[@]}" || status=1
}

# headers_place FOLDER: headers in it are found there as sources name them, by their path.
headers_place() {
	local header path
	for header in "$1"/*.h; do
		[[ -e $header ]] || continue
		path=$(find "$module" -name "${header##*/}" -printf %P)
		[[ -z $path ]] || install -D "$header" "$1/$path" || return
	done
}

# mutant PROGRAM PATCH: a program whose sources have a mistake fails, and says so.
mutant() {
	local program=$1 patch=$2 name folder caught file only
	name=$(basename "$patch" .patch)
	folder=$out/$name
	caught=$(sed -n 's/^Caught: //p' "$patch")
	mapfile -t only < <(sed -n 's/^In: //p' "$patch")
	rm -rf "$folder"
	mkdir -p "$folder"
	for file in $(sed -n 's|^+++ b/||p' "$patch"); do
		find "$module" "$here" -name "$file" -exec cp {} "$folder" \;
	done
	echo 1..1
	if ! patch -s -p1 -d "$folder" --no-backup-if-mismatch <"$patch" >"$folder/log" 2>&1; then
		result bad "mutant $name: the patch applies" "$folder/log"
	elif ! headers_place "$folder" || ! compile "$program" "$folder" -O0; then
		result bad "mutant $name: it compiles" "$folder/log"
	elif "$folder/$program" "${only[@]}" >"$folder/log" 2>&1 || ! grep -q '^not ok' "$folder/log"; then
		result bad "mutant $name: it is caught" "$folder/log"
	elif [[ -z $caught ]] || ! grep -qF -- "$caught" "$folder/log"; then
		result bad "mutant $name: it is caught because: $caught" "$folder/log"
	else
		result ok "mutant $name: $caught"
	fi
}

options=() mutants=1 status=0
while [[ ${1:-} == -* ]]; do
	case $1 in
	--deep) options+=(--deep) mutants= ;;
	--seed) options+=(--seed "${2:?--seed N}") && shift ;;
	*) die "usage: run.sh [--deep] [--seed N] [PROGRAM...]; programs: ${PROGRAMS[*]}" ;;
	esac
	shift
done
(($# == 0)) || PROGRAMS=("$@")
out_folder orders
for name in "${PROGRAMS[@]}"; do
	[[ -e $here/${name}_orders.c ]] || die "no such program: $name"
	module_set kvmlite
	[[ " ${KSMDEV[*]} " != *" $name "* ]] || module_set ksmdev
	program "$name"
	for patch in "$here/mutants/${name}"_*.patch; do
		[[ -z $mutants || ! -e $patch ]] || mutant "$name" "$patch"
	done
done
exit "$status"
