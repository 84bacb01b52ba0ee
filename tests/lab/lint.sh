# shellcheck shell=bash
# Checks that need no host: style, texts, sparse, clang's analyzer, exported symbols. Each
# prints what is wrong and fails if anything is.

# Programs have no kernel types, attribute macros or READ_ONCE(); they use libc's
# names, and have messages that are better not broken.
STYLE_NOT_IN_PROGRAMS=PREFER_KERNEL_TYPES,PREFER_DEFINED_ATTRIBUTE_MACRO,VOLATILE
STYLE_NOT_IN_PROGRAMS+=,CAMELCASE,BIT_MACRO,LONG_LINE_STRING
# The kernel's own names, which checkpatch knows only in the kernel's tree.
STYLE_KERNEL_NAMES='CAMELCASE: Avoid CamelCase: <(MSR_)?(MTRR|XFEATURE_Hi16)'
# TRACE_EVENT() has an order of its own in the kernel, too.
STYLE_NOT_IN_TRACE=OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT
# Macros that make members and declarations of a list, as KVM's kvm-x86-ops.h has them;
# the assembler's are no C.
STYLE_NOT_IN_OPS=MULTISTATEMENT_MACRO_USE_DO_WHILE,TRAILING_SEMICOLON,SPACING,MACRO_ARG_PRECEDENCE

# Macros of unit tests, fuzz targets and orders are rows of tables, or stand for the
# kernel's.
STYLE_NOT_IN_UNIT=COMPLEX_MACRO,MACRO_ARG_REUSE,MACRO_ARG_UNUSED,INIT_ATTRIBUTE
STYLE_NOT_IN_FUZZ=MACRO_ARG_PRECEDENCE,MACRO_WITH_FLOW_CONTROL,NEW_TYPEDEFS,FUNCTION_ARGUMENTS

lab_style() {
	local bad=0
	(($# == 0)) || die "./lab style takes no arguments"
	packages_need style
	CHECKPATCH=$(kernel_scripts_get)/checkpatch.pl || return
	style_check NONE include ksmdev kvmlite tests/defects tests/probe \
		! -name trace.h ! -path kvmlite/base/ops.h ! -path kvmlite/base/entry.h \
		! -path kvmlite/base/speculation.h || bad=1
	style_check "$STYLE_NOT_IN_OPS" kvmlite/base/ops.h || bad=1
	style_check SPACING,CAMELCASE,LINE_CONTINUATIONS kvmlite/base/entry.h \
		kvmlite/base/speculation.h || bad=1
	style_check "$STYLE_NOT_IN_TRACE" ksmdev kvmlite -name trace.h || bad=1
	style_check "$STYLE_NOT_IN_PROGRAMS" userspace tests ! -path 'tests/unit/*' \
		! -regex 'tests/\(fuzz\|orders\)/[^/]*' || bad=1
	style_check "$STYLE_NOT_IN_UNIT" tests/unit || bad=1
	style_check "$STYLE_NOT_IN_PROGRAMS,$STYLE_NOT_IN_UNIT,$STYLE_NOT_IN_FUZZ" \
		tests/fuzz tests/orders -maxdepth 1 || bad=1
	texts_check "$ROOT" || bad=1
	rooms_check "$ROOT" kvmlite || bad=1
	rooms_check "$ROOT" ksmdev || bad=1
	slots_check "$ROOT" ksmdev || bad=1
	rm -f "$ROOT"/.checkpatch-camelcase.*
	return "$bad"
}

# style_check IGNORE FIND-ARGUMENT...: checkpatch has no kernel tree to look at here, and
# version checks are what include/compat is for.
style_check() {
	local ignore=$1 files found
	shift
	mapfile -t files < <(cd "$ROOT" && find "$@" -name '*.[chS]' 2>/dev/null | sort)
	((${#files[@]} > 0)) || return 0
	found=$(cd "$ROOT" && perl "$CHECKPATCH" --no-tree --strict --terse --show-types --no-summary \
		--ignore "LINUX_VERSION_CODE,FILE_PATH_CHANGES,$ignore" -f "${files[@]}" |
		grep -vE "$STYLE_KERNEL_NAMES")
	[[ -z $found ]] || {
		printf '%s\n' "$found"
		return 1
	}
}

# rooms_check FOLDER MODULE: calls go down, by the table FOLDER/tests/lab/rooms.
rooms_check() {
	local files
	mapfile -t files < <(cd "$1/$2" && find . -name '*.[ch]' ! -name '*.mod.c' -printf '%P\n' | sort)
	(cd "$1/$2" && awk -v module="$2" -f "$LAB/rooms.awk" "$1/tests/lab/rooms" "${files[@]}")
}

# slots_check FOLDER MODULE: a slot changes in slot.c only, by whatever operator or call, and
# nobody else has a pointer to one.
slots_check() {
	local slot='slots\[.*\]' found
	found=$(cd "$1/$2" && find . -name '*.[ch]' ! -name slot.c -printf '%P\0' | sort -z |
		xargs -0r grep -nHE -e "$slot *([-+*/%&|^]|<<|>>)?=([^=]|$)" -e "$slot *(\+\+|--)" \
			-e "(\+\+|--) *[][a-z_>.-]*$slot" -e "WRITE_ONCE\([^,]*$slot" \
			-e "(^|[^&])&[a-z_>.-]*$slot" -e "(mem(set|cpy|move)|swap)\([^,]*(->|\.)slots")
	[[ -z $found ]] || {
		sed 's/:[[:space:]]*\([^:]*\)$/: a slot changes outside of slot.c: \1/' <<<"$found"
		return 1
	}
}

# texts_check FOLDER: docutils doubts nothing in the texts there. A title that has lost
# its rules is an ordinary line to it, so each of them must have one.
texts_check() {
	local file said bad=0
	while read -r file; do
		said=$(cd "$1" && rst2pseudoxml --report=2 "$file" 2>&1 >/dev/null)
		[[ $said || $(cd "$1" && rst2pseudoxml --quiet "$file") == *'<document '*' title="'* ]] ||
			said="$file: the text has no title"
		[[ -z $said ]] || {
			printf '%s\n' "$said"
			bad=1
		}
	done < <(cd "$1" && find . \( -path ./out -o -path ./.git \) -prune -o \
		-name '*.rst' -printf '%P\n' | sort)
	return "$bad"
}

lab_sparse() {
	local series bad=0
	(($# == 0)) || die "./lab sparse takes no arguments"
	packages_need run sparse
	for series in "${KERNELS[@]}"; do
		kernel_use "$series"
		source_check sparse || bad=1
	done
	return "$bad"
}

# clang's static analyzer, with one kernel: it takes minutes, and most of what it
# follows is the same with any.
lab_analyze() {
	(($# == 0)) || die "./lab analyze takes no arguments"
	packages_need run analyze
	kernel_use 6.12
	source_check analyzer CHECK="$LAB/clang-check" CHECKFLAGS=
}

# source_check NAME [MAKE-ARGUMENT...]: kbuild has its CHECK look at each source. What
# it says of the kernel's headers is not ours.
source_check() {
	local name=$1 build=$OUT/build/$K_SERIES-$1 log rc=0
	shift
	log=$(mktemp)
	lock_take "$OUT/.lock-$name"
	rm -rf "$build" # only a compilation has it look at a file
	if ! step "$name for $K_RELEASE" source_check_make "$build" "$log" "$@"; then
		rc=1
	elif grep -E "^$ROOT/.*: (warning|error):" "$log" |
		sed "s|^$ROOT/|$K_SERIES: |" | sort -u | unknown "$LAB/$name-known"; then
		rc=1
	fi
	lock_drop
	rm -f "$log"
	return "$rc"
}

# unknown FILE: the lines that FILE does not explain, if there is one; fails without any.
unknown() {
	local file words line known found=1
	while read -r line; do
		known=
		while IFS='|' read -r file words _; do
			[[ $line != *" $file:"*"$words"* || -z $words ]] || known=1
		done < <(cat "$1" 2>/dev/null)
		[[ -n $known ]] || {
			echo "$line"
			found=0
		}
	done
	return "$found"
}

source_check_make() {
	local build=$1 log=$2
	shift 2
	modules_make "$build" C=2 "$@" | tee "$log"
}

# The kernel's semantic patches, one at a time, as each has options of its own. Those
# that want an OCaml compiler, two of 73, and those that report nothing are left out.
# Coccinelle's doubts about a script are not ours.
lab_cocci() {
	local scripts script options found bad=0
	(($# == 0)) || die "./lab cocci takes no arguments"
	packages_need cocci
	scripts=$(kernel_scripts_get)/coccinelle || return
	while read -r script; do
		options=$(sed -n 's|^// *Options: *||p' "$script")
		# shellcheck disable=SC2086 # several words, or none
		found=$(spatch -D report --very-quiet --no-show-diff --cocci-file "$script" $options \
			--dir "$ROOT/ksmdev" --dir "$ROOT/kvmlite" 2>&1 |
			grep -v '^warning: line .* should .* be a metavariable' | sed "s|$ROOT/||g")
		[[ -z $found ]] || {
			printf '%s\n' "${script#"$scripts/"}:" "$found"
			bad=1
		}
	done < <(grep -rl --include='*.cocci' '^virtual report' "$scripts" |
		xargs grep -L '^@.*script:ocaml' | sort)
	return "$bad"
}

# Exported symbols only: whatever a module of ours takes from the kernel is in
# the list of symbols that the stock kernel exports.
lab_symbols() {
	local series module symbol bad=0
	(($# == 0)) || die "./lab symbols takes no arguments"
	packages_need run
	for series in "${KERNELS[@]}"; do
		kernel_use "$series"
		lock_take "$OUT/.lock"
		modules_build || bad=1
		lock_drop
		while read -r module symbol; do
			echo "$series: $(basename "$module") uses $symbol, which the kernel does not export"
			bad=1
		done < <(symbols_unknown)
	done
	return "$bad"
}

symbols_unknown() {
	local module
	find "$OUT/build/$K_SERIES" -name '*.ko' | while read -r module; do
		nm -u "$module" | awk -v module="$module" '
			NR == FNR { exported[$2]; next }
			!($NF in exported) { print module, $NF }
		' "$K_HEADERS/Module.symvers" -
	done
}
