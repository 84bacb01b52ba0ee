# shellcheck shell=bash
# The guest's initramfs: a base for each kernel (busybox, modules, tests,
# tools), QEMU for those who ask for it, and a small overlay for each run (the
# command). The kernel unpacks archives that follow one another in one file.

# Stock modules worth having there; what they depend on comes along.
GUEST_MODULES=(kvm kvm-amd kvm-intel virtio_pci virtio_blk msr cpuid brd loop)
# The kernel debug has one that the others have not, for the unit tests, and lacks one.
GUEST_MODULES_DEBUG=(kunit)
GUEST_MODULES_DEBIAN=(null_blk)

pack() {
	(cd "$1" && find . -mindepth 1 | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0)
}

image_busybox() {
	local root=$1 applet
	mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,etc,proc,sys,dev,root,lab,tests}
	install -m 755 "$(command -v busybox)" "$root/bin/busybox"
	busybox --list-full | while read -r applet; do
		[[ $applet == bin/busybox ]] || ln -sf /bin/busybox "$root/$applet"
	done
	echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
	echo 'root:x:0:' >"$root/etc/group"
	printf '%s\n' "export PATH=$GUEST_PATH PS1='$K_SERIES # '" >"$root/etc/profile"
	install -m 755 "$LAB/init" "$root/init"
	install -m 644 "$LAB/detectors" "$root/lab/detectors"
}

# modules_with_others NAME...: the files of stock modules of the kernel of kernel_use, each
# after those that it depends on.
modules_with_others() {
	modprobe -d "$CACHE/depmod/$K_RELEASE" -S "$K_RELEASE" -a --show-depends "$@" |
		awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# module_unpack FILE TO: busybox and Bochs are both glad of uncompressed modules.
module_unpack() {
	case $1 in
	*.xz) xz -dc "$1" >"$2" ;;
	*) cp "$1" "$2" ;;
	esac
}

image_modules() {
	local root=$1 to=$1/lib/modules/$K_RELEASE file stock=("${GUEST_MODULES[@]}")
	if [[ $K_KIND == debug ]]; then
		stock+=("${GUEST_MODULES_DEBUG[@]}")
	else
		stock+=("${GUEST_MODULES_DEBIAN[@]}")
	fi
	mkdir -p "$to/extra"
	cp "$K_ROOT/lib/modules/$K_RELEASE"/modules.{order,builtin,builtin.modinfo} "$to"
	modules_with_others "${stock[@]}" | while read -r file; do
		module_unpack "$file" "$to/$(basename "${file%.xz}")"
	done
	find "$OUT/build/$K_BUILD" "$OUT/build/unit-$K_BUILD" -name '*.ko' \
		-exec cp -t "$to/extra" {} + 2>/dev/null
	[[ $K_SERIES != debug ]] || cp -t "$to/extra" "$OUT"/build/defects/*.ko 2>/dev/null
	depmod -b "$root" "$K_RELEASE"
}

# The stock modules' dependencies, asked once for each kernel.
image_depmod() {
	local base=$CACHE/depmod/$K_RELEASE
	[[ ! -e $base/lib/modules/$K_RELEASE/modules.dep.bin ]] || return 0
	mkdir -p "$base/lib/modules"
	cp -rsT "$K_ROOT/lib/modules/$K_RELEASE" "$base/lib/modules/$K_RELEASE"
	depmod -b "$base" "$K_RELEASE"
}

# The libraries that the dynamic programs under FOLDER... need, into ROOT.
image_libraries() {
	local root=$1 library
	shift
	find "$@" -type f -size +1k -print0 |
		xargs -0 -r ldd 2>/dev/null | grep -oE '/[^ ]+\.so[^ ]*' | sort -u |
		while read -r library; do
			[[ -e $library && ! -e $root$library ]] || continue
			mkdir -p "$root$(dirname "$library")"
			cp -L "$library" "$root$library"
		done
}

# The tools and test programs.
image_programs() {
	local root=$1 file
	[[ ! -d $OUT/build/root ]] || cp -a "$OUT/build/root/." "$root"
	find "$OUT/build/tests" -maxdepth 1 -type f -perm -100 ! -name '*.part' \
		-exec cp -t "$root/tests" {} +
	cp -r "$OUT/build/tests/corpus" "$root/tests"
	image_libraries "$root" "$root/usr" "$root/tests"
	for file in "$root"/tests/*; do
		[[ $file == *.sh ]] || strip "$file" 2>/dev/null
	done
	return 0
}

image_make() {
	local folder=$1 root=$1/root
	rm -rf "$root"
	image_busybox "$root" && image_depmod && image_modules "$root" &&
		image_programs "$root" && pack "$root" >"$folder/base.cpio.part" &&
		mv "$folder/base.cpio.part" "$folder/base.cpio"
}

# What a QEMU without default devices needs, of the packages of E_ROOT.
QEMU_PROGRAM=/usr/bin/qemu-system-x86_64
QEMU_FIRMWARE=(/usr/share/seabios/bios-{256k,microvm}.bin /usr/share/qemu/qboot.rom
	/usr/share/qemu/{kvmvapic,linuxboot,linuxboot_dma,multiboot,multiboot_dma,pvh}.bin)

# image_qemu_libraries ROOT OWN: those of its packages. But for a QEMU of another release
# (OWN), the C library is this machine's, as for all programs there: a newer one runs what
# was built with an older one, and a library that is preloaded finds what it was built with.
image_qemu_libraries() {
	local root=$1 own=$2 library name libc
	libc=$(dpkg-query -L libc6:amd64 | sed 's|.*/||')
	"${E_RUN[@]}" --list "$E_ROOT$QEMU_PROGRAM" | grep -oE "$E_ROOT/[^ ]+" | sort -u |
		while read -r library; do
			name=${library##*/}
			case $own$name in
			ld-linux*) cp -L "/lib64/$name" "$root/lib64" || return ;;
			*)
				if [[ ! $own ]] && grep -qxF -e "$name" <<<"$libc"; then
					cp -L "/lib/x86_64-linux-gnu/$name" "$root/lib/x86_64-linux-gnu"
				else
					cp -L "$library" "$root/opt/qemu/lib"
				fi || return
				;;
			esac
		done
}

image_qemu_make() {
	local folder=$1 own=$2 root=$1/qemu
	rm -rf "$root"
	mkdir -p "$root"/{guest,usr/bin,lib/x86_64-linux-gnu,lib64,opt/qemu/{bin,lib,share}}
	cp "$E_ROOT$QEMU_PROGRAM" "$root/opt/qemu/bin" &&
		cp "${QEMU_FIRMWARE[@]/#/$E_ROOT}" "$root/opt/qemu/share" &&
		install -m 755 "$LAB/guest/qemu-system-x86_64" "$root/usr/bin" &&
		image_qemu_libraries "$root" "$own" &&
		cp "$OUT"/build/guest/{initrd,sums} "$root/guest" || return
	pack "$root" >"$folder/qemu.cpio.part" && mv "$folder/qemu.cpio.part" "$folder/qemu.cpio"
}

# image_qemu_build RELEASE: the QEMU of that Debian release and its guest, for any host and
# kernel: $OUT/image/qemu-RELEASE/qemu.cpio. Leaves E_ROOT alone.
image_qemu_build() (
	folder=$OUT/image/qemu-$1
	own=own
	[[ $1 != "$(host_qemu_release)" ]] || own=''
	emulator_set "$1" qemu-system-x86
	mkdir -p "$folder"
	want=$(fingerprint "$LAB/image.sh" "$LAB/guest/qemu-system-x86_64" "$E_ROOT$QEMU_PROGRAM" \
		"${QEMU_FIRMWARE[@]/#/$E_ROOT}" /lib/x86_64-linux-gnu/libc.so.6 "$OUT"/build/guest/{initrd,sums})
	[[ $(cat "$folder/.qemu" 2>/dev/null) != "$want" ]] || return 0
	step "packing QEMU for the guest image" image_qemu_make "$folder" "$own" ||
		die "could not pack QEMU for the guest image"
	echo "$want" >"$folder/.qemu"
)

# What a guest in the guest may want that is not in its kernel.
GUEST_DRIVERS=(virtio_mmio virtio_balloon)

# image_qemu_drivers ROOT: in the order in which they are to be loaded.
image_qemu_drivers() {
	local file number=10
	mkdir "$1/drivers" && image_depmod || return
	modules_with_others "${GUEST_DRIVERS[@]}" | while read -r file; do
		module_unpack "$file" "$1/drivers/$((number++))-$(basename "${file%.xz}")" || return
	done
}

# image_qemu_guest FOLDER: the guest in the guest runs the host's kernel; under Bochs and the
# kernel debug, which are slow, always the one that takes the least time to unpack itself
# (LZ4). Its drivers are an archive that can follow its initramfs.
image_qemu_guest() (
	[[ $H_EMULATOR != bochs && $B_KERNEL != debug* ]] || kernel_use 6.1
	root=$(mktemp -d)
	mkdir "$1" && cp "$K_IMAGE" "$1/vmlinuz" && image_qemu_drivers "$root" &&
		pack "$root" >"$1/drivers"
	rc=$?
	rm -rf "$root"
	exit "$rc"
)

# The base image of the kernel of kernel_use, in $OUT/image/K_BUILD.
image_build() {
	local folder=$OUT/image/$K_BUILD want
	mkdir -p "$folder"
	want="$K_RELEASE $(fingerprint "$LAB/init" "$LAB/detectors" "$LAB/image.sh" "$OUT/build/root" \
		"$OUT/build/$K_BUILD/.built") $(fingerprint "$OUT/build/tests")"
	[[ $K_KIND != debug ]] || want+=" $(fingerprint "$OUT"/build/{defects,"unit-$K_BUILD"}/.built)"
	[[ $(cat "$folder/.made" 2>/dev/null) != "$want" ]] || return 0
	step "packing the guest image for $K_RELEASE" image_make "$folder" ||
		die "could not pack the guest image"
	echo "$want" >"$folder/.made"
}

# image_run FILE COMMAND...: base and overlay of one run. Reads the B_*
# variables of host.sh.
image_run() {
	local file=$1 overlay
	shift
	overlay=$(mktemp -d)
	mkdir "$overlay/lab"
	printf 'exec %s\n' "$(shell_quote "$@")" >"$overlay/lab/cmd"
	cat >"$overlay/lab/env" <<-END
		LAB_MODULES='${B_MODULES//,/ }' LAB_TTY=$B_TTY LAB_LINGER=$B_LINGER
		LAB_INTERACTIVE=$B_INTERACTIVE
		export HOME=/root PATH=$GUEST_PATH LAB_KERNEL=$K_SERIES LAB_CPUS=$B_CPUS
		export LAB_HOST=$H_VENDOR LAB_HOST_NAME=$H_NAME LAB_EMULATOR=$H_EMULATOR LAB_LACKS='$H_LACKS'
		export TERM='${TERM:-dumb}' COLUMNS=${COLUMNS:-80} LINES=${LINES:-24}
	END
	[[ -z $B_INTERACTIVE ]] || cp "$LAB/hints/$H_EMULATOR" "$overlay/lab/hint"
	if ((${#B_FILES[@]} > 0)); then
		mkdir "$overlay/root"
		cp -rL -- "${B_FILES[@]}" "$overlay/root" || return
	fi
	if [[ $B_QEMU ]]; then
		# Another than build_all() has made: it is made once, by who comes first.
		emulator_get "$B_QEMU" qemu-system-x86
		lock_take "$OUT/.lock"
		image_qemu_build "$B_QEMU"
		image_qemu_guest "$overlay/guest" || return
		lock_drop
	fi
	cat "$OUT/image/$K_BUILD/base.cpio" ${B_QEMU:+"$OUT/image/qemu-$B_QEMU/qemu.cpio"} >"$file" &&
		pack "$overlay" >>"$file"
	local rc=$?
	rm -rf "$overlay"
	return "$rc"
}
