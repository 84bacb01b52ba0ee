# shellcheck shell=bash
# Build roots: a minimal Debian of another release in the cache, with the compiler that
# a kernel's headers name, for kernels whose build programs need that release's
# libraries. Commands run in it by chroot, and see the sources, $OUT and $CACHE under
# the same names as outside.

# buildroot_get RELEASE COMPILER
buildroot_get() {
	local release=$1 compiler=$2 root=$CACHE/roots/$1
	((EUID == 0)) || die "the build root of $release takes root: run this with sudo, or another kernel"
	packages_need root
	lock_take "$CACHE/.lock-roots"
	[[ -d $root ]] || step "making a build root of $release" buildroot_make "$release" "$root" ||
		die "could not make a build root of $release"
	[[ -e $root/usr/bin/$compiler ]] ||
		step "installing $compiler into the build root of $release" \
			buildroot_install "$root" "$compiler" || die "could not install $compiler there"
	lock_drop
}

buildroot_make() {
	local release=$1 root=$2 mirror
	mirror=$(release_mirror)
	rm -rf "$root.part"
	mkdir -p "${root%/*}"
	debootstrap --variant=minbase --include=make,libelf1t64,libc6-dev,ca-certificates \
		--keyring="$RELEASE_KEYS" "$release" "$root.part" "$mirror" &&
		mv "$root.part" "$root"
}

buildroot_install() {
	local root=$1
	shift
	cp /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null
	# The proxies of this machine.
	cp -n /etc/apt/apt.conf.d/*proxy* "$root/etc/apt/apt.conf.d" 2>/dev/null
	chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
}

# buildroot_run RELEASE COMMAND...: the mounts end with the command.
buildroot_run() {
	local root=$CACHE/roots/$1
	shift
	# shellcheck disable=SC2016 # the other bash's
	unshare -m bash -c '
		root=$1 dirs=$2
		shift 2
		for dir in $dirs; do
			mkdir -p "$root$dir" && mount --bind "$dir" "$root$dir" || exit
		done
		mount -t proc proc "$root/proc" && exec chroot "$root" "$@"
	' buildroot "$root" "$ROOT $CACHE $OUT" "$@"
}
