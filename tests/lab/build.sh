# shellcheck shell=bash
# Builds: the modules once for each kernel, the test programs, the tools. The
# source tree stays clean; everything goes to $OUT/build.

MODULE_FOLDERS=(ksmdev kvmlite)

# The modules whose folders are there, e.g. "ksmdev".
modules_present() {
	local folder
	for folder in "${MODULE_FOLDERS[@]}"; do
		[[ ! -e $ROOT/$folder/Kbuild ]] || echo "$folder"
	done
}

# A tree of symlinks to the sources, so that each kernel has its own objects.
modules_link_sources() {
	local build=$1 folder
	mkdir -p "$build"
	for folder in include $(modules_present); do
		mkdir -p "$build/$folder"
		cp -rsfT "$ROOT/$folder" "$build/$folder" || return
	done
	ln -sf "$ROOT/Kbuild" "$ROOT/dkms.conf" "$build"
	find "$build" -xtype l -delete
	# A plain "make modules" leaves its products beside the sources.
	find "$build" -type l \( -name '*.mod.c' -o ! -name '*.[chS]' ! -name Kbuild ! -name dkms.conf \) -delete
}

# What a build depends on, in one word: names, sizes and times of the files.
fingerprint() {
	find "$@" -type f -printf '%p %s %T@\n' 2>/dev/null | sort | sha1sum | cut -d ' ' -f 1
}

# modules_make BUILD [MAKE-ARGUMENT...]: messages name the real sources. On the
# kernel debug they tell KCOV what they run, and nobody else does.
modules_make() {
	local build=$1 coverage=()
	shift
	[[ $K_KIND != debug ]] || coverage=(KCOV_INSTRUMENT=y)
	modules_link_sources "$build" || return
	kbuild "$build" "$ROOT" "${coverage[@]}" "$@"
}

# kbuild BUILD SOURCE [MAKE-ARGUMENT...]; counting by gcov, if asked for (coverage.sh).
kbuild() {
	local build=$1 source=$2
	shift 2
	[[ $K_BUILD != *-coverage ]] || set -- GCOV_PROFILE=y "$@"
	local run=()
	[[ $K_BUILD_ROOT == - ]] || run=(buildroot_run "$K_BUILD_ROOT")
	# BTF would need the packages' vmlinux, which 6.1 does not have.
	"${run[@]}" make -s --no-print-directory -C "$K_HEADERS" M="$build" KCFLAGS=-Werror \
		CONFIG_DEBUG_INFO_BTF_MODULES= -j"$(nproc)" "$@" modules 2>&1 |
		sed "s|$build/|$source/|g"
}

# strict COMMAND...: what objtool and modpost only warn of is an error here.
strict() {
	local log rc=0
	log=$(mktemp)
	"$@" | tee "$log" || rc=1
	! grep -vE '(compiler|pahole version) differs' "$log" | grep -qiE 'warning:' || rc=1
	rm -f "$log"
	return "$rc"
}

# Build for the kernel of kernel_use; the .ko are under $OUT/build/SERIES.
modules_build() {
	local build=$OUT/build/$K_BUILD want
	if [[ $K_KIND == boots ]]; then
		probe_build
		return
	fi
	[[ -n $(modules_present) ]] || return 0
	want="$K_RELEASE $(cd "$ROOT" && fingerprint Kbuild dkms.conf include ksmdev kvmlite)"
	[[ $(cat "$build/.built" 2>/dev/null) != "$want" ]] || return 0
	# Another release of the same series would leave stale objects.
	[[ $(cat "$build/.built" 2>/dev/null) == "$K_RELEASE "* ]] || rm -rf "$build"
	if ! step "building the modules for $K_RELEASE" strict modules_make "$build"; then
		# Nobody shall test yesterday's module.
		find "$build" -name '*.ko' -delete
		rm -f "$build/.built"
		return 1
	fi
	echo "$want" >"$build/.built"
}

# What a kernel that is only booted gets instead: tests/probe.
probe_build() {
	local build=$OUT/build/$K_BUILD want
	want="$K_RELEASE $(cd "$ROOT" && fingerprint tests/probe tests/lab/{build,buildroot}.sh)"
	[[ $(cat "$build/.built" 2>/dev/null) != "$want" ]] || return 0
	rm -rf "$build"
	mkdir -p "$build"
	cp "$ROOT"/tests/probe/{Kbuild,*.c} "$build" || return
	step "building a module for $K_RELEASE" strict kbuild "$build" "$ROOT/tests/probe" || return
	echo "$want" >"$build/.built"
}

# tests/defects, for the kernel debug only. It is no part of what is tested: who
# does not load it does not need it to build.
defects_build() {
	local build=$OUT/build/defects want
	[[ $K_SERIES == debug ]] || return 0
	want="$K_RELEASE $(cd "$ROOT" && fingerprint tests/defects tests/lab/build.sh)"
	[[ $(cat "$build/.built" 2>/dev/null) != "$want" ]] || return 0
	rm -rf "$build"
	mkdir -p "$build"
	cp "$ROOT"/tests/defects/{Kbuild,*.c} "$build" || return
	if ! step "building the defects for $K_RELEASE" strict kbuild "$build" "$ROOT/tests/defects"; then
		rm -rf "$build"
		return 1
	fi
	echo "$want" >"$build/.built"
}

# tests/unit, on both of its variants: each suite includes the sources that it tests.
unit_build() {
	local build=$OUT/build/unit-$K_BUILD want
	[[ $K_KIND == debug ]] || return 0
	want="$K_RELEASE $(cd "$ROOT" && fingerprint tests/unit/Kbuild tests/unit/*.[ch] \
		include ksmdev kvmlite tests/lab/build.sh)"
	[[ $(cat "$build/.built" 2>/dev/null) != "$want" ]] || return 0
	if ! step "building the unit tests for $K_RELEASE" strict unit_make "$build"; then
		rm -rf "$build"
		return 1
	fi
	echo "$want" >"$build/.built"
}

unit_make() {
	local build=$1
	modules_link_sources "$build" || return
	mkdir -p "$build/tests/unit"
	cp -rsfT "$ROOT/tests/unit" "$build/tests/unit" || return
	find "$build" -xtype l -delete
	kbuild "$build/tests/unit" "$ROOT/tests/unit"
}

# One program from one C file. Those of tests/clients are linked dynamically:
# they stand for ordinary programs, which a preload library can reach.
test_program_build() {
	local source=$1 program=$2 link=-static
	[[ $source != */clients/* ]] || link=
	if [[ -e $program && -z $(find "$source" "$ROOT/tests/include" \
		"$ROOT/include/uapi" -newer "$program" -print -quit 2>/dev/null) ]]; then
		return 0
	fi
	rm -f "$program"
	# shellcheck disable=SC2086 # no word at all when linked dynamically
	gcc -O2 -g -Wall -Wextra -Werror $link -pthread -I "$ROOT/include/uapi" \
		-I "$ROOT/tests/include" -o "$program.part" "$source" &&
		mv "$program.part" "$program"
}

# Programs whose source is gone: no suite shall find them.
tests_forget() {
	local program name
	for program in "$1"/*; do
		name=$(basename "$program")
		[[ ! -f $program || $name == ioctl_fuzz* ]] ||
			[[ -n $(find "$ROOT"/tests/{functional,stress,bench,demo,clients,lab/guest} \
				-maxdepth 1 \( -name "$name" -o -name "$name.c" \) -print -quit) ]] ||
			rm "$program"
	done
}

# The fuzzer is the one program of several files; its corpus goes with it.
fuzzer_build() {
	local source=$ROOT/tests/fuzz program=$1/ioctl_fuzz
	install -C -m 755 "$source/ioctl/ioctl_fuzz.sh" "$1" || return
	mkdir -p "$1/corpus" && cp -a --no-preserve=ownership -T "$source/corpus" "$1/corpus.new" &&
		rm -rf "$1/corpus" && mv "$1/corpus.new" "$1/corpus" || return
	if [[ -e $program && -z $(find "$source/ioctl" "$ROOT/tests/include" \
		"$ROOT/include/uapi" -newer "$program" -print -quit 2>/dev/null) ]]; then
		return 0
	fi
	rm -f "$program"
	gcc -O2 -g -Wall -Wextra -Werror -static -pthread -I "$ROOT/include/uapi" \
		-I "$ROOT/tests/include" -o "$program.part" "$source"/ioctl/*.c &&
		mv "$program.part" "$program"
}

# tests_compile SOURCE...: as many at a time as there are CPUs. A program that does not
# compile is left out: the suites that run it fail. In a subshell, whose children are
# these compilers only.
tests_compile() (
	pids=() rc=0 cpus=$(nproc)
	for source in "$@"; do
		while (($(jobs -rp | wc -l) >= cpus)); do
			wait -n
		done
		test_program_build "$source" "$OUT/build/tests/$(basename "$source" .c)" ||
			{ echo "lab: $(basename "$source") left out of the guest" && false; } &
		pids+=("$!")
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || rc=1
	done
	exit "$rc"
)

tests_build() {
	local build=$OUT/build/tests source programs=()
	mkdir -p "$build"
	tests_forget "$build"
	for source in "$ROOT"/tests/{functional,stress,bench,demo,clients,lab/guest}/*; do
		case $source in
		*.c) programs+=("$source") ;;
		# One that is the same keeps its time: the guest's image, too.
		*.sh) install -C -m 755 "$source" "$build/$(basename "$source")" ;;
		esac
	done
	step "building the test programs" tests_compile "${programs[@]}"
	step "building ioctl_fuzz" fuzzer_build "$build" ||
		say "lab: ioctl_fuzz left out of the guest"
}

# The guest of tests/clients/qemu.sh: an initramfs of busybox, its workload and
# init, and what the workload gives on this machine.
GUEST_SEEDS=(1 2 3 4)
GUEST_KIB=(512 4096)

guest_make() {
	local source=$ROOT/tests/clients/guest build=$1 root=$1/root applet
	rm -rf "$build"
	mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,proc,dev}
	gcc -O2 -Wall -Wextra -Werror -static -s -o "$root/bin/work" "$source/work.c" || return
	install -m 755 "$source/init" "$root/init" &&
		install -m 755 "$(command -v busybox)" "$root/bin/busybox" || return
	for applet in sh mount stty nproc sha256sum sleep insmod poweroff reboot; do
		ln -s busybox "$root/bin/$applet" || return
	done
	pack "$root" >"$build/initrd" && guest_sums "$build" "$root/bin/work" >"$build/sums"
}

# Those of a file that a full disk cut short would fail every guest.
guest_sums() {
	local fill=$1/fill work=$2 seed kib
	for kib in "${GUEST_KIB[@]}"; do
		for seed in "${GUEST_SEEDS[@]}"; do
			echo "run $seed $kib $("$work" run "$seed" "$kib" 0 | sha256sum)" || return
		done
		"$work" fill 0 "$kib" >"$fill" &&
			echo "fill 0 $kib $(sha256sum <"$fill")" &&
			"$work" flip "$fill" &&
			echo "flip 0 $kib $(sha256sum <"$fill")" || return
	done
}

guest_build() {
	local build=$OUT/build/guest want
	want=$(cd "$ROOT" && fingerprint tests/clients/guest tests/lab/build.sh)
	[[ $(cat "$build/.built" 2>/dev/null) != "$want" ]] || return 0
	step "building the guest of the guest" guest_make "$build" || return
	echo "$want" >"$build/.built"
}

# Each tool's own Makefile installs it into a small root for the guest, and the
# programs that its tests need, if it has any.
tools_make() {
	local makefile folder targets
	rm -rf "$OUT/build/root"
	for makefile in "$ROOT"/userspace/*/Makefile; do
		folder=$(dirname "$makefile")
		targets=(all install)
		! grep -q '^install-tests:' "$makefile" || targets+=(install-tests)
		make -s --no-print-directory -C "$folder" O="$OUT/build/userspace/$(basename "$folder")" \
			DESTDIR="$OUT/build/root" PREFIX=/usr "${targets[@]}" || return
	done
}

tools_build() {
	local stamp=$OUT/build/.tools want
	compgen -G "$ROOT/userspace/*/Makefile" >/dev/null || return 0
	want=$(cd "$ROOT" && fingerprint userspace include/uapi dkms.conf)
	[[ $(cat "$stamp" 2>/dev/null) != "$want" ]] || return 0
	if ! step "building the tools" tools_make; then
		rm -rf "$OUT/build/root" "$stamp"
		return 1
	fi
	echo "$want" >"$stamp"
}

# Everything the guest of one kernel needs, then its image. Who loads none of
# our modules does not need them to build.
build_all() {
	local modules=$2
	kernel_use "$1"
	# Before the lock: they take one of their own.
	[[ $K_BUILD_ROOT == - ]] || buildroot_get "$K_BUILD_ROOT" "$K_COMPILER"
	emulator_get "$(host_qemu_release)" qemu-system-x86
	lock_take "$OUT/.lock"
	if ! modules_build; then
		[[ $modules != *ksmdev* && $modules != *kvmlite* ]] ||
			die "the modules do not build for $K_RELEASE"
	fi
	defects_build || say "lab: the defects are left out of the guest"
	unit_build || say "lab: the unit tests are left out of the guest"
	tests_build
	tools_build || say "lab: the tools are left out of the guest"
	guest_build || die "the guest of the guest does not build"
	image_build
	image_qemu_build "$(host_qemu_release)"
	lock_drop
}
