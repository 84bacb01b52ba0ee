#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# DKMS builds, installs and removes both modules for each kernel, in trees of
# this test. TAP.

# shellcheck source=tests/packaging/tap.sh
. "$(dirname "$(readlink -f "$0")")/tap.sh"

# DKMS would make a key for signing under /var/lib/dkms; without the program
# that signs it does not.
export sign_file=/nonexistent

here=("--sourcetree=$WORK/root/usr/src" "--dkmstree=$WORK/tree" "--installtree=$WORK/modules")

# DKMS takes the folder of a kernel's modules for the kernel.
build() {
	kernel "$1"
	mkdir -p "$WORK/modules/$RELEASE"
	works "$1: dkms install" dkms install "kvmlite/$VERSION" "${here[@]}" -k "$RELEASE" \
		--kernelsourcedir "$KERNELDIR" --no-depmod || cat "$WORK"/tree/kvmlite/*/build/make.log
	same "$1: the modules" "$(printf 'updates/dkms/%s.ko\n' ksmdev kvmlite)" \
		"$(cd "$WORK/modules/$RELEASE" && find . -type f -printf '%P\n' | sed 's/\.xz$//' | sort)"
	for module in ksmdev kvmlite; do
		module_check "$1: $module" "$(find "$WORK/modules/$RELEASE" -name "$module.ko*")"
	done
}

copy_sources "$WORK/src"
cd "$WORK/src" || exit
# Products of a make beside the sources shall not get into DKMS's copy.
touch ksmdev/main.o ksmdev/ksmdev.mod.c ksmdev/.main.o.cmd kvmlite/kvmlite.ko
works "make dkms-install puts the sources where DKMS looks" \
	make dkms-install DESTDIR="$WORK/root"
same "sources and nothing else" "" \
	"$(find "$WORK/root" -type f ! -path "$WORK/root/usr/src/kvmlite-$VERSION/*" \
		-o -type f \( -name '*.o' -o -name '*.mod.c' -o -name '*.ko' -o -name '.*' \))"
for series in "${KERNELS[@]}"; do
	build "$series"
done
works "dkms remove" dkms remove "kvmlite/$VERSION" "${here[@]}" --all --no-depmod
same "nothing is left of the modules" "" "$(find "$WORK/modules" "$WORK/tree" -type f)"
works "make dkms-uninstall" make dkms-uninstall DESTDIR="$WORK/root"
same "nothing is left of the sources" "" "$(find "$WORK/root" -type f)"

unset sign_file
machine "make dkms-install, without DESTDIR" make dkms-install
for module in ksmdev kvmlite; do
	machine "modprobe finds $module" modprobe -S "$RELEASE" --show-depends "$module"
done
machine "make dkms-install again" make dkms-install
machine "make dkms-uninstall" make dkms-uninstall
machine_clean "nothing is left"
finish
