# shellcheck shell=bash
# Stock Debian kernels: found through apt, unpacked into the cache, never
# installed.
#
# kernel_use SERIES sets, for 6.1, 6.12, or debug and debug-vtx (which debug.sh builds):
#   K_SERIES   the series
#   K_BUILD    the name of what is built for it: the series; with coverage, e.g.
#              debug-coverage
#   K_RELEASE  what uname -r says there
#   K_ROOT     the unpacked packages
#   K_IMAGE    the bzImage
#   K_HEADERS  the folder for make -C

KERNELS=(6.1 6.12)
KERNELS_ALL=("${KERNELS[@]}" debug debug-vtx)

declare -A KERNEL_PACKAGE=(
	[6.1]=linux-image-cloud-amd64
	[6.12]=linux-image-6.12-cloud-amd64
	[debug]=linux-source-6.12
	[debug-vtx]=linux-source-6.12
)

# The newest release of a series according to apt; nothing when it knows none.
kernel_newest() {
	if [[ $1 == debug* ]]; then
		debug_newest "$1"
		return
	fi
	apt-cache depends "${KERNEL_PACKAGE[$1]}" 2>/dev/null |
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

# kernel_get SERIES: K_RELEASE, the newest one, is in the cache then.
kernel_get() {
	K_RELEASE=$(kernel_newest "$1")
	if [[ -z $K_RELEASE ]]; then
		say "lab: apt knows no ${KERNEL_PACKAGE[$1]} for the kernel $1"
		return 1
	fi
	[[ ! -d $CACHE/kernels/$K_RELEASE ]] || return 0
	if [[ $1 == debug* ]]; then
		debug_build "$1" "$K_RELEASE"
	else
		step "fetching kernel $K_RELEASE" kernel_unpack "$K_RELEASE" "$CACHE/kernels/$K_RELEASE"
	fi
}

# Where the release that is used is remembered.
kernel_known() {
	if [[ $1 == debug* ]]; then
		debug_known "$1"
	else
		echo "$CACHE/kernels/$1"
	fi
}

# kernel_update SERIES KNOWN: get what apt says is newest, at most twice a day.
kernel_update() {
	local series=$1 known=$2
	mkdir -p "$CACHE/kernels"
	apt_refresh
	# Lists of yesterday may name a package that the archive has replaced since.
	if ! kernel_get "$series" && ! { apt_refresh now && kernel_get "$series"; }; then
		[[ -e $known ]] || die "no kernel $series: is the Debian archive reachable, and Debian 12's security archive in apt's sources? (try apt-get update)"
		say "lab: going on with the cached kernel $(<"$known")"
		touch "$known"
		return
	fi
	echo "$K_RELEASE" >"$known.part"
	mv "$known.part" "$known"
}

kernel_exists() {
	[[ " ${KERNELS_ALL[*]} " == *" $1 "* ]] ||
		die "no such kernel: $1 (there are: ${KERNELS_ALL[*]})"
}

# kernel_look_for_newer SERIES KNOWN
kernel_look_for_newer() {
	local lock=$CACHE/.lock
	# A build does not keep other labs from downloads.
	[[ $1 != debug* ]] || lock+=-debug
	[[ -z $(find "$2" -mmin -720 2>/dev/null) ]] || return 0
	lock_take "$lock"
	[[ -n $(find "$2" -mmin -720 2>/dev/null) ]] || kernel_update "$1" "$2"
	lock_drop
}

# One run of the lab, with those that it starts, stays with one kernel.
kernel_use() {
	local series=$1 known
	kernel_exists "$series"
	known=$(kernel_known "$series")
	if [[ " ${LAB_KERNELS_KNOWN:-} " != *" $known "* || ! -e $known ]]; then
		kernel_look_for_newer "$series" "$known"
		export LAB_KERNELS_KNOWN+=" $known"
	fi
	K_SERIES=$series K_BUILD=$series
	[[ $series != debug* || ! $COVERAGE ]] || K_BUILD+=-coverage
	K_RELEASE=$(<"$known")
	K_ROOT=$CACHE/kernels/$K_RELEASE
	K_IMAGE=$K_ROOT/boot/vmlinuz-$K_RELEASE
	K_HEADERS=$K_ROOT/usr/src/linux-headers-$K_RELEASE
	[[ -e $K_IMAGE ]] ||
		die "the cache in $CACHE is damaged: ./lab clean --cache, then run this again"
}

# The kernel's own checks, checkpatch.pl and coccinelle/, from its source package;
# prints their folder.
kernel_scripts_get() {
	local folder=$CACHE/scripts
	lock_take "$CACHE/.lock-scripts"
	if [[ ! -d $folder ]]; then
		step "fetching checkpatch.pl and coccinelle/ out of linux-source-6.12" \
			kernel_scripts_unpack "$folder" ||
			die "could not fetch linux-source-6.12: is the Debian archive reachable?"
	fi
	lock_drop
	echo "$folder"
}

kernel_scripts_unpack() {
	local folder=$1 names
	rm -rf "$folder.part"
	mkdir -p "$folder.part"
	apt_fetch "$folder.part" linux-source-6.12 || return
	names=(checkpatch.pl spelling.txt const_structs.checkpatch coccinelle)
	dpkg-deb --fsys-tarfile "$folder.part"/linux-source-*.deb |
		tar -xO ./usr/src/linux-source-6.12.tar.xz | xz -dc -T0 |
		tar -x -C "$folder.part" --strip-components=2 --wildcards \
			"${names[@]/#/linux-source-6.12/scripts/}" || return
	rm "$folder.part"/*.deb
	mv "$folder.part" "$folder"
}
