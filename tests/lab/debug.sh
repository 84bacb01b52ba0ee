# shellcheck shell=bash
# The kernel "debug": Debian's linux-source-6.12 with what finds mistakes built
# in (debug.config). Built here, once for each version of the source and of the
# configuration, and kept in the cache in the layout of Debian's packages, so
# that the rest of the lab sees a kernel like the others.
#
# "debug-vtx" is what hosts of Bochs boot for "debug": the same without the detectors
# that make a boot under Bochs last half an hour.

DEBUG_CONFIG=$LAB/debug.config
DEBUG_NOT_ON_VTX='KASAN|DEBUG_KMEMLEAK|DEBUG_OBJECTS|PAGE_OWNER'
# About how many lines make prints: for the progress line only.
DEBUG_MAKE_LINES=2400
# Emulated hosts are slow with it.
DEBUG_SLOWER=6

# debug_options SERIES. Comments may change without another build.
debug_options() {
	local without='nothing'
	[[ $1 != debug-vtx ]] || without=$DEBUG_NOT_ON_VTX
	grep -E '^(# )?CONFIG_' "$DEBUG_CONFIG" | grep -vE "^(# )?CONFIG_($without)(_|=| )"
}

# debug_known SERIES: where kernel_use finds the release of this configuration.
debug_known() {
	echo "$CACHE/kernels/debug-$(debug_options "$1" | sha1sum | cut -c 1-8)"
}

# debug_newest SERIES: what uname -r will say, e.g. 6.12.117-debug-0123abcd; nothing
# when apt knows no source. It stands for the source's version and the configuration.
debug_newest() {
	local version
	version=$(release_version "$K_FROM" "$K_PACKAGE")
	[[ $version == [0-9]* ]] || return
	echo "${version%%-*}-debug-$( (echo "$version" && debug_options "$1") | sha1sum | cut -c 1-8)"
}

# debug_build SERIES RELEASE. A build that was interrupted goes on where it was.
debug_build() {
	local series=$1 release=$2 work=$CACHE/debug/$2
	mkdir -p "$work/build"
	# What another configuration left halfway.
	find "$CACHE/debug" -mindepth 1 -maxdepth 1 ! -name "$release" -exec rm -rf {} +
	[[ -d $work/source ]] || debug_fetch "$work" || return
	step "configuring the kernel $series" debug_configure "$series" "$work" || return
	debug_make "$series" "$work" || return
	step "packing the kernel $series" debug_install "$work" "$release" || return
	rm -rf "$work"
}

debug_fetch() {
	local free
	free=$(df --output=avail -m "$CACHE" | tail -n 1)
	if ((free < 4000)); then
		say "lab: building a kernel takes 4 GB in $CACHE, which has $free MiB free"
		return 1
	fi
	step "fetching $K_PACKAGE" debug_unpack "$1"
}

debug_unpack() {
	local work=$1
	rm -rf "$work/source.part" "$work/package"
	mkdir -p "$work/source.part"
	kernel_source_fetch "$work/package" &&
		xz -dc -T0 "$work/package/usr/src/$K_PACKAGE.tar.xz" |
		tar -x -C "$work/source.part" --strip-components=1 || return
	rm -rf "$work/package"
	mv "$work/source.part" "$work/source"
}

# debug_kbuild WORK MAKE-ARGUMENT...: WORK is named after the release, and nothing
# of this machine is in the result. Boots beside it are to be no slower than beside one
# another.
debug_kbuild() {
	local work=$1
	shift
	nice -n 10 make -C "$work/source" O="$work/build" ARCH=x86_64 LOCALVERSION="-debug-${work##*-}" \
		KBUILD_BUILD_USER=lab KBUILD_BUILD_HOST=lab KBUILD_BUILD_TIMESTAMP=1970-01-01 "$@"
}

debug_configure() {
	local series=$1 work=$2
	debug_options "$series" >"$work/wanted"
	debug_kbuild "$work" -s allnoconfig KCONFIG_ALLCONFIG="$work/wanted" &&
		debug_options_lost "$work/wanted" "$work/build/.config"
}

# debug_options_lost WANTED CONFIG: Kconfig drops without a word what misses something
# else.
debug_options_lost() {
	local option lost=0
	while read -r option; do
		case $option in
		CONFIG_*) grep -qxF -e "$option" "$2" && continue ;;
		*) grep -q "^$(cut -d ' ' -f 2 <<<"$option")=" "$2" || continue ;;
		esac
		echo "debug.config: Kconfig does not take: $option"
		lost=1
	done <"$1"
	return "$lost"
}

# Too long for step, which shows seconds only.
debug_make() {
	local series=$1 work=$2 log=$2/make.log make_pid rc
	: >"$log"
	debug_kbuild "$work" -j"$(nproc)" bzImage modules >"$log" 2>&1 </dev/null &
	make_pid=$!
	CHILDREN+=("$make_pid")
	say "building the kernel $series, once: some 15 minutes on two CPUs"
	while kill -0 "$make_pid" 2>/dev/null; do
		status_slow "building the kernel $series ... $(wc -l <"$log") of some $DEBUG_MAKE_LINES steps"
		sleep 1
	done
	wait "$make_pid"
	rc=$?
	unset 'CHILDREN[-1]'
	status_clear
	((rc == 0)) || {
		tail -n 40 "$log" >&2
		say "lab: failed: building the kernel $series"
	}
	return "$rc"
}

# The layout of kernel_unpack; headers as the kernel's own packages have them.
debug_install() {
	local work=$1 release=$2 root=$CACHE/kernels/$2.part headers
	headers=$root/usr/src/linux-headers-$release
	rm -rf "$root"
	mkdir -p "$root/boot" "$headers"
	cp "$work/build/arch/x86/boot/bzImage" "$root/boot/vmlinuz-$release" &&
		cp "$work/build/System.map" "$root/boot/System.map-$release" &&
		cp "$work/build/.config" "$root/boot/config-$release" &&
		cp "$work/build/.config" "$headers" &&
		debug_kbuild "$work" -s INSTALL_MOD_PATH="$root" DEPMOD=true modules_install &&
		debug_kbuild "$work" -s run-command \
			KBUILD_RUN_COMMAND="$work/source/scripts/package/install-extmod-build $headers" ||
		return
	rm -f "$root/lib/modules/$release/build"
	mv "$root" "$CACHE/kernels/$release"
}
