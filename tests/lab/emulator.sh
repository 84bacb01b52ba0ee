# shellcheck shell=bash
# Emulators: the packages that a host's line names, with all that they depend on, from
# that Debian release, unpacked into the cache. They run from there with their own
# libraries, so they are the same on every machine, and none is installed.

# For people only.
EMULATOR_NOT_NEEDED=(usr/share/doc usr/share/icons usr/share/locale usr/share/man)

# emulator_use HOST: that of the host's line.
emulator_use() {
	local release packages
	read -r _ _ _ release packages _ < <(host_row "$1")
	emulator_set "$release" "${packages//,/ }"
}

# emulator_set RELEASE PACKAGES sets:
#   E_ROOT  where its packages are unpacked
#   E_RUN   the words in front of a program of theirs, which must be a path
emulator_set() {
	E_ROOT=$(emulator_root "$1" "$2")
	emulator_get "$1" "$2"
	# Nothing of this machine's C library: neither its locales nor its character sets.
	E_RUN=(env LC_ALL=C GCONV_PATH="$E_ROOT/usr/lib/x86_64-linux-gnu/gconv"
		"$(emulator_loader)" --library-path "$(emulator_libraries)")
}

# emulators_get JOB...: those of "SUITE HOST KERNEL" strings, before jobs run side by side.
emulators_get() {
	local host
	while read -r host; do
		[[ $host == local ]] || emulator_use "$host"
	done < <(printf '%s\n' "$@" | cut -d ' ' -f 2 | sort -u)
}

emulator_root() {
	echo "$CACHE/emulators/$1-${2// /-}"
}

# emulator_get RELEASE PACKAGES: emulator_root is there then.
emulator_get() {
	local E_ROOT
	E_ROOT=$(emulator_root "$1" "$2")
	[[ ! -d $E_ROOT ]] || return 0
	lock_take "$CACHE/.lock"
	# Another lab may have fetched it meanwhile. Lists of this morning may name a
	# package that the archive has replaced since.
	[[ -d $E_ROOT ]] || { release_lists "$1" && emulator_fetch "$@"; } ||
		{ release_lists "$1" now && emulator_fetch "$@"; } ||
		die "could not fetch $2 of Debian's $1: is its archive reachable?"
	lock_drop
}

emulator_fetch() {
	step "fetching the emulator $(basename "$E_ROOT")" emulator_unpack "$@"
}

emulator_unpack() {
	local release=$1 packages
	read -ra packages <<<"$2"
	rm -rf "$E_ROOT.part"*
	release_closure "$release" "$E_ROOT.part" "${packages[@]}" || return
	(cd "$E_ROOT.part" && rm -rf "${EMULATOR_NOT_NEEDED[@]}")
	mv "$E_ROOT.part" "$E_ROOT"
}

# Releases before trixie have libraries in /lib, too.
emulator_loader() {
	find "$E_ROOT"/{,usr/}lib/x86_64-linux-gnu/ -name ld-linux-x86-64.so.2 -print -quit 2>/dev/null
}

# Some packages have folders of their own, which the programs know by installed paths.
emulator_libraries() {
	find "$E_ROOT"/{,usr/}lib/x86_64-linux-gnu/ -maxdepth 1 -type d 2>/dev/null | paste -sd :
}
