# shellcheck shell=bash
# Debian's kernels: a table (tests/lab/kernels) says which there are and where they
# come from. They are found and fetched by release.sh, unpacked into the cache, never
# installed.
#
# kernel_use SERIES sets, for a row of the table (debug.sh builds those of the kind
# debug):
#   K_SERIES   the series
#   K_KIND K_FROM K_PACKAGE K_COMPILER K_BUILD_ROOT   the other columns
#   K_BUILD    the name of what is built for it: the series; with coverage, e.g.
#              debug-coverage
#   K_RELEASE  what uname -r says there
#   K_ROOT     the unpacked packages
#   K_IMAGE    the bzImage
#   K_HEADERS  the folder for make -C

KERNEL_TABLE=${LAB_KERNELS:-$LAB/kernels}

# kernels_of [KIND...]: the series of these kinds, of all if none is named.
kernels_of() {
	awk -v kinds=" $* " '!/^#/ && NF && (kinds == "  " || index(kinds, " " $2 " ")) { print $1 }' \
		"$KERNEL_TABLE"
}

mapfile -t KERNELS < <(kernels_of stock)
mapfile -t KERNELS_ALL < <(kernels_of)

# kernel_row SERIES
kernel_row() {
	read -r K_SERIES K_KIND K_FROM K_PACKAGE K_COMPILER K_BUILD_ROOT < <(
		awk -v series="$1" '$1 == series' "$KERNEL_TABLE")
}

# The compilers that the rows ask of this machine: packages.
kernel_compilers() {
	awk '!/^#/ && NF && $2 == "stock" && $6 == "-" { print $5 }' "$KERNEL_TABLE" | sort -u
}

# The newest release of the row that was read last; nothing when its Debian has none.
kernel_newest() {
	if [[ $K_KIND == debug ]]; then
		debug_newest "$K_SERIES"
		return
	fi
	release_depends "$K_FROM" "$K_PACKAGE" |
		grep -xE "linux-image-${K_SERIES//./\\.}\\.[0-9].*-cloud-amd64" |
		sed 's/^linux-image-//' | sort -V | tail -n 1
}

# kernel_packages RELEASE: image and headers, of newer ones in several parts.
kernel_packages() {
	local release=$1
	printf '%s\n' "linux-image-$release" "linux-headers-$release"
	release_depends "$K_FROM" "linux-image-$release" | grep -E '^linux-(binary|modules)-'
	release_depends "$K_FROM" "linux-headers-$release" | grep -E '^linux-(headers|kbuild)-'
}

kernel_unpack() {
	local release=$1 root=$2 packages headers=$2.part/usr/src/linux-headers-$1
	rm -rf "$root.part"
	mapfile -t packages < <(kernel_packages "$release")
	release_fetch "$K_FROM" "$root.part" "${packages[@]}" || return
	# Headers name their common part by its installed place.
	sed -i "s|/usr/src|$root/usr/src|" "$headers/Makefile" || return
	# What is in /usr/lib since Debian 13 has a link where it was.
	[[ -e $root.part/lib ]] || ln -s usr/lib "$root.part/lib"
	if [[ ! -e $root.part/boot/vmlinuz-$release ]]; then
		mkdir -p "$root.part/boot"
		ln -s "../lib/modules/$release/vmlinuz" "$root.part/boot/vmlinuz-$release"
	fi
	[[ -e $root.part/boot/vmlinuz-$release ]] && rm -rf "$root" && mv "$root.part" "$root"
}

# kernel_get: K_RELEASE, the newest one of the row that was read last, is in the cache
# then.
kernel_get() {
	release_lists "$K_FROM" "$@" || return
	K_RELEASE=$(kernel_newest)
	if [[ -z $K_RELEASE ]]; then
		say "lab: $K_FROM has no $K_PACKAGE for the kernel $K_SERIES"
		return 1
	fi
	[[ ! -d $CACHE/kernels/$K_RELEASE ]] || return 0
	if [[ $K_KIND == debug ]]; then
		debug_build "$K_SERIES" "$K_RELEASE"
	else
		step "fetching kernel $K_RELEASE" kernel_unpack "$K_RELEASE" "$CACHE/kernels/$K_RELEASE"
	fi
}

# Where the release that is used is remembered.
kernel_known() {
	if [[ $K_KIND == debug ]]; then
		debug_known "$K_SERIES"
	else
		echo "$CACHE/kernels/$K_SERIES"
	fi
}

# kernel_update KNOWN: get what apt says is newest, at most twice a day.
kernel_update() {
	local known=$1
	mkdir -p "$CACHE/kernels"
	# Lists of this morning may name a package that the archive has replaced since.
	if ! kernel_get && { [[ $K_KIND == debug ]] || ! kernel_get now; }; then
		[[ -e $known ]] || die "no kernel $K_SERIES: is the Debian archive reachable?$(
			[[ $K_KIND != debug ]] || echo " does it build?")"
		say "lab: going on with the cached kernel $(<"$known")"
		touch "$known"
		return
	fi
	echo "$K_RELEASE" >"$known.part" && mv "$known.part" "$known" ||
		die "cannot write $known: is the disk full?"
}

kernel_exists() {
	[[ " ${KERNELS_ALL[*]} " == *" $1 "* ]] ||
		die "no such kernel: $1 (there are: ${KERNELS_ALL[*]})"
}

# kernel_look_for_newer KNOWN
kernel_look_for_newer() {
	local lock=$CACHE/.lock
	# A build does not keep other labs from downloads.
	[[ $K_KIND != debug ]] || lock+=-debug
	[[ -z $(find "$1" -mmin -720 2>/dev/null) ]] || return 0
	lock_take "$lock"
	[[ -n $(find "$1" -mmin -720 2>/dev/null) ]] || kernel_update "$1"
	lock_drop
}

# kernel_keep SERIES: this run of the lab, with those that it starts, stays with the
# kernel that it has.
kernel_keep() {
	kernel_row "$1"
	export LAB_KERNELS_KNOWN+=" $(kernel_known)"
}

kernel_use() {
	local known
	kernel_exists "$1"
	kernel_row "$1"
	known=$(kernel_known)
	if [[ " ${LAB_KERNELS_KNOWN:-} " != *" $known "* || ! -e $known ]]; then
		kernel_look_for_newer "$known"
		kernel_keep "$1"
	fi
	K_BUILD=$K_SERIES
	[[ $K_KIND != debug || ! $COVERAGE ]] || K_BUILD+=-coverage
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
		step "fetching checkpatch.pl and coccinelle/ out of the kernel's sources" \
			kernel_scripts_unpack "$folder" ||
			die "could not fetch the kernel's sources: is the Debian archive reachable?"
	fi
	lock_drop
	echo "$folder"
}

# kernel_source_fetch FOLDER: the source package of the row that was read last.
kernel_source_fetch() {
	release_lists "$K_FROM" && release_fetch "$K_FROM" "$1" "$K_PACKAGE" ||
		{ release_lists "$K_FROM" now && release_fetch "$K_FROM" "$1" "$K_PACKAGE"; }
}

kernel_scripts_unpack() {
	local folder=$1 names
	rm -rf "$folder.part"
	mkdir -p "$folder.part"
	kernel_row debug
	names=(checkpatch.pl spelling.txt const_structs.checkpatch coccinelle)
	kernel_source_fetch "$folder.part/package" &&
		xz -dc -T0 "$folder.part/package/usr/src/$K_PACKAGE.tar.xz" |
		tar -x -C "$folder.part" --strip-components=2 --wildcards \
			"${names[@]/#/$K_PACKAGE/scripts/}" || return
	rm -rf "$folder.part/package"
	mv "$folder.part" "$folder"
}
