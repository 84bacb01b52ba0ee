# shellcheck shell=bash
# Debian packages: those the lab itself needs (installed), and those it only
# unpacks (kernels and headers, see kernel.sh).

as_root() {
	if ((EUID == 0)); then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		say "lab: this needs root: $*"
		return 1
	fi
}

packages_missing() {
	local installed name
	installed=" $(dpkg-query -W -f '${Package} ${db:Status-Status}\n' 2>/dev/null |
		awk '$2 == "installed" { printf "%s ", $1 }')"
	while read -r name _; do
		[[ -z $name || $name == \#* || $installed == *" $name "* ]] || echo "$name"
	done <"$LAB/packages"
}

packages_install() {
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -q --no-install-recommends "$@"
}

# Where the work begins: the command line is understood.
packages_need() {
	local missing name
	[[ -z $DRY_RUN ]] || exit 0
	command -v apt-get >/dev/null ||
		die "the lab needs a Debian system: apt-get not found"
	mapfile -t missing < <(packages_missing)
	((${#missing[@]} > 0)) || return 0
	say "Installing Debian packages that the lab needs:"
	for name in "${missing[@]}"; do
		grep -E "^$name +" "$LAB/packages" | sed 's/^/  /' >&2
	done
	# A sudo password prompt must not hide behind a progress line.
	((EUID == 0)) || as_root true || die "install them as root, then run this again"
	apt_refresh
	step "installing ${#missing[@]} packages" packages_install "${missing[@]}" ||
		{ apt_refresh now && packages_install "${missing[@]}"; } ||
		die "could not install: ${missing[*]}; install them with apt-get, then run this again"
}

# apt_refresh [now]: fresh package lists; once a day, when there are none, or
# at once. Failing to get them is not fatal: what is in the cache may do.
apt_refresh() {
	local lists=/var/lib/apt/lists
	if [[ ${1:-} != now && -n $(find $lists -maxdepth 1 -name '*Packages*' -print -quit) &&
		-n $(find $lists -maxdepth 0 -mmin -1440) ]]; then
		return 0
	fi
	step "updating the package lists" as_root apt-get update -q ||
		say "lab: apt-get update failed; going on with the lists that are there"
}
