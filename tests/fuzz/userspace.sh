# shellcheck shell=bash
# How the modules' sources are compiled for userspace: for tests/fuzz and tests/orders.
# Sourced with $root, the source folder; sets $fuzz, $out, FLAGS, and with module_set, of
# which module the sources are.

fuzz=$root/tests/fuzz
out=${LAB_OUT:-$root/out}

# shellcheck disable=SC2054 # the comma is the compiler's
FLAGS=(-g -O1 -mno-red-zone -fsanitize=address,undefined -fno-sanitize-recover=all
	-Wall -Wextra -Werror -Wno-sign-compare -Wno-unused-parameter -Wno-unused-function
	-include "$fuzz/kernel.h" -I "$root/tests/unit")

# module_set MODULE: its sources and headers are found by name, in whatever folder of it.
module_set() {
	local folder
	module=$root/$1
	MODULE_FLAGS=()
	while read -r folder; do
		MODULE_FLAGS+=(-I "$folder")
	done < <(find "$module" -type d | sort)
}
module_set kvmlite

# out_folder NAME: $out becomes the folder of that name in it, with an empty file for each
# of the kernel's headers that the sources name: kernel.h stands for those that the system
# does not have. An output folder that is made here is the lab's (folders.sh there).
out_folder() {
	local header
	[[ -e $out ]] || {
		mkdir -p "$out" && echo "Made by tests/$1/run.sh." >"$out/.kvmlite-lab"
	}
	out+=/$1
	while read -r header; do
		mkdir -p "$out/include/${header%/*}"
		[[ -e $out/include/$header ]] || : >"$out/include/$header"
	done < <(find "$root"/{kvmlite,ksmdev} -name '*.[ch]' -exec \
		sed -nE 's|^#include <((linux\|asm\|trace)/.*)>|\1|p' {} + | sort -u)
	FLAGS+=(-idirafter "$out/include")
}
