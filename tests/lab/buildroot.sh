# shellcheck shell=bash
# Build roots: a minimal Debian of another release in the cache, with the compiler that
# a kernel's headers name, for kernels whose build programs need that release's
# libraries. Commands run in it by chroot, which takes root, and see the sources, $OUT
# and $CACHE under the same names as outside.

BUILDROOT_PACKAGES=(make libelf-dev libc6-dev)

# buildroot_get RELEASE COMPILER
buildroot_get() {
	local release=$1 compiler=$2 root=$CACHE/roots/$1
	[[ ! -e $root/usr/bin/$compiler ]] || return 0
	packages_need root
	lock_take "$CACHE/.lock-roots"
	if [[ ! -d $root ]]; then
		buildroot_make "$release" "$root" || die "could not make a build root of $release"
	fi
	[[ -e $root/usr/bin/$compiler ]] || buildroot_install "$root" "$compiler" ||
		die "could not install $compiler into $root"
	lock_drop
}

buildroot_make() {
	local release=$1 root=$2 mirror packages
	mirror=$(release_mirror)
	packages=$(IFS=, && echo "${BUILDROOT_PACKAGES[*]}")
	as_root rm -rf "$root.part"
	mkdir -p "${root%/*}"
	step_root "making a build root of $release" debootstrap --variant=minbase \
		--include="$packages" --keyring="$RELEASE_KEYS" "$release" "$root.part" "$mirror" &&
		as_root mv "$root.part" "$root"
}

# With the name server and the proxies of this machine.
buildroot_install() {
	local root=$1 file
	shift
	for file in /etc/resolv.conf /etc/apt/apt.conf.d/*proxy*; do
		[[ ! -e $file ]] || as_root cp "$file" "$root$file"
	done
	step_root "updating the build root" chroot "$root" apt-get update -q &&
		step_root "installing $* into the build root" chroot "$root" \
			env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
}

# buildroot_run RELEASE COMMAND...: the mounts end with the command, and what it made in
# $OUT belongs to whom that folder belongs.
buildroot_run() {
	local root=$CACHE/roots/$1 rc
	shift
	# shellcheck disable=SC2016 # the other bash's
	as_root unshare -m bash -c '
		root=$1 dirs=$2
		shift 2
		for dir in $dirs; do
			mkdir -p "$root$dir" && mount --bind "$dir" "$root$dir" || exit
		done
		mount -t proc proc "$root/proc" && exec chroot "$root" "$@"
	' buildroot "$root" "$ROOT $CACHE $OUT" "$@"
	rc=$?
	am_root || as_root chown -R --reference="$OUT" "$OUT/build"
	return "$rc"
}
