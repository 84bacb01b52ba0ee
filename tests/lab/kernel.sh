# shellcheck shell=bash
# Stock Debian kernels: found through apt, unpacked into the cache, never
# installed.
#
# kernel_use SERIES sets, for 6.1 or 6.12:
#   K_SERIES   the series
#   K_RELEASE  what uname -r says there
#   K_ROOT     the unpacked packages
#   K_IMAGE    the bzImage
#   K_HEADERS  the folder for make -C

KERNELS=(6.1 6.12)

declare -A KERNEL_METAPACKAGE=(
	[6.1]=linux-image-cloud-amd64
	[6.12]=linux-image-6.12-cloud-amd64
)

# The newest release of a series according to apt; nothing when it knows none.
kernel_newest() {
	apt-cache depends "${KERNEL_METAPACKAGE[$1]}" 2>/dev/null |
		sed -n "s/^ *Depends: linux-image-\\(${1//./\\.}\\.[0-9].*-cloud-amd64\\)\$/\\1/p" |
		head -n 1
}

kernel_packages() {
	local release=$1
	printf '%s\n' "linux-image-$release" "linux-headers-$release"
	# The rest of the headers: ...-common and linux-kbuild-...
	apt-cache depends "linux-headers-$release" |
		sed -nE 's/^ *Depends: (linux-(headers|kbuild)-.*)$/\1/p'
}

kernel_unpack() {
	local release=$1 root=$2 deb packages
	rm -rf "$root.part"
	mkdir -p "$root.part"
	mapfile -t packages < <(kernel_packages "$release")
	apt_fetch "$root.part" "${packages[@]}" || return
	for deb in "$root.part"/*.deb; do
		dpkg-deb -x "$deb" "$root.part" || return
		rm "$deb"
	done
	# Headers name their common part by its installed place.
	sed -i "s|/usr/src|$root/usr/src|" "$root.part/usr/src/linux-headers-$release/Makefile" &&
		[[ -e $root.part/boot/vmlinuz-$release ]] &&
		rm -rf "$root" && mv "$root.part" "$root"
}

# Lists of yesterday may name a package that the archive has replaced since.
kernel_fetch() {
	step "fetching kernel $1" kernel_unpack "$1" "$2" && return
	apt_refresh now
	step "fetching kernel $1 again" kernel_unpack "$1" "$2"
}

# Fetch what apt says is newest, at most twice a day, and remember it in
# $CACHE/kernels/SERIES.
kernel_update() {
	local series=$1 release root known=$CACHE/kernels/$1
	mkdir -p "$CACHE/kernels"
	apt_refresh
	release=$(kernel_newest "$series")
	if [[ -z $release ]]; then
		apt_refresh now
		release=$(kernel_newest "$series")
	fi
	if [[ -z $release ]]; then
		[[ -e $known ]] || die "apt knows no ${KERNEL_METAPACKAGE[$series]} of series $series: add Debian 12's security archive to its sources"
		touch "$known"
		return
	fi
	root=$CACHE/kernels/$release
	if [[ ! -d $root ]] &&
		! kernel_fetch "$release" "$root"; then
		[[ -e $known ]] || die "could not fetch kernel $release: is the Debian archive reachable? (try apt-get update)"
		say "lab: going on with the cached kernel $(<"$known")"
		touch "$known"
		return
	fi
	echo "$release" >"$known.part"
	mv "$known.part" "$known"
}

kernel_exists() {
	[[ -n ${KERNEL_METAPACKAGE[$1]:-} ]] ||
		die "no such kernel: $1 (there are: ${KERNELS[*]})"
}

# Uses the variables of kernel_use.
kernel_look_for_newer() {
	[[ -z $(find "$known" -mmin -720 2>/dev/null) ]] || return 0
	lock_take "$CACHE/.lock"
	[[ -n $(find "$known" -mmin -720 2>/dev/null) ]] || kernel_update "$series"
	lock_drop
}

# One run of the lab, with those that it starts, stays with one kernel.
kernel_use() {
	local series=$1 known=$CACHE/kernels/$1
	kernel_exists "$series"
	if [[ " ${LAB_KERNELS_KNOWN:-} " != *" $known "* || ! -e $known ]]; then
		kernel_look_for_newer
		export LAB_KERNELS_KNOWN+=" $known"
	fi
	K_SERIES=$series
	K_RELEASE=$(<"$known")
	K_ROOT=$CACHE/kernels/$K_RELEASE
	K_IMAGE=$K_ROOT/boot/vmlinuz-$K_RELEASE
	K_HEADERS=$K_ROOT/usr/src/linux-headers-$K_RELEASE
	[[ -e $K_IMAGE ]] ||
		die "the cache in $CACHE is damaged: ./lab clean --cache, then run this again"
}

# The kernel's own checkpatch.pl, from its source package; prints its path.
checkpatch_get() {
	local folder=$CACHE/checkpatch
	if [[ ! -x $folder/checkpatch.pl ]]; then
		step "fetching checkpatch.pl out of linux-source-6.12" checkpatch_unpack "$folder" ||
			die "could not fetch linux-source-6.12: is the Debian archive reachable?"
	fi
	echo "$folder/checkpatch.pl"
}

checkpatch_unpack() {
	local folder=$1 names
	rm -rf "$folder.part"
	mkdir -p "$folder.part"
	apt_fetch "$folder.part" linux-source-6.12 || return
	names=(checkpatch.pl spelling.txt const_structs.checkpatch)
	dpkg-deb --fsys-tarfile "$folder.part"/linux-source-*.deb |
		tar -xO ./usr/src/linux-source-6.12.tar.xz | xz -dc -T0 |
		tar -x -C "$folder.part" --strip-components=2 --wildcards \
			"${names[@]/#/linux-source-6.12/scripts/}" || return
	rm "$folder.part"/*.deb
	mv "$folder.part" "$folder"
}
