# shellcheck shell=bash
# Debian packages: those the lab itself needs (installed), and those it only
# unpacks (kernels and headers, see kernel.sh).

# What apt-get needs to reach the archive, and sudo takes away.
PROXIES=(http_proxy https_proxy ftp_proxy all_proxy no_proxy)

am_root() {
	((EUID == 0))
}

# Nobody is asked for a password.
root_silent() {
	am_root || sudo -n true 2>/dev/null
}

as_root() {
	if am_root; then
		"$@"
	else
		sudo "$@"
	fi
}

# step_root TEXT COMMAND...: a step of root. Where sudo wants a password it asks before
# the progress line begins, which would wipe the question. A sudo that asks each time
# anew has no such line.
step_root() {
	local text=$1
	shift
	am_root || command -v sudo >/dev/null || {
		say "lab: this needs root: $*"
		return 1
	}
	if ! root_silent; then
		say "sudo needs your password, for $text."
		sudo -v || return
	fi
	if root_silent; then
		step "$text" as_root "$@"
	else
		say "$text ..."
		as_root "$@" >&2
	fi
}

# apt_root TEXT ARGUMENT...: a step of apt-get.
apt_root() {
	local text=$1 name proxies=()
	shift
	for name in "${PROXIES[@]}"; do
		[[ -z ${!name:-} ]] || proxies+=("$name=${!name}")
	done
	step_root "$text" env DEBIAN_FRONTEND=noninteractive "${proxies[@]}" apt-get "$@"
}

# packages_lines PURPOSE...: what the list has for any of them, and the compilers of the
# kernels (tests/lab/kernels).
packages_lines() {
	local compiler
	if [[ " $* " == *" run "* ]]; then
		for compiler in $(kernel_compilers); do
			echo "$compiler run compiles the modules: their kernel's compiler"
		done
	fi
	awk -v wanted="$*" '
		BEGIN { n = split(wanted, purpose, " ") }
		/^#/ || !NF { next }
		{
			for (i = 1; i <= n; i++) {
				if (index("," $2 ",", "," purpose[i] ",")) {
					print
					next
				}
			}
		}' "$LAB/packages"
}

# packages_missing PURPOSE...: their lines of the list.
packages_missing() {
	local installed name text
	installed=" $(dpkg-query -W -f '${Package} ${db:Status-Status}\n' 2>/dev/null |
		awk '$2 == "installed" { printf "%s ", $1 }')"
	while read -r name _ text; do
		[[ $installed == *" $name "* ]] || printf '%-16s %s\n' "$name" "$text"
	done < <(packages_lines "$@")
}

packages_install() {
	apt_root "installing $# packages" install -y -q --no-install-recommends "$@"
}

# packages_need PURPOSE...: where the work begins: the command line is understood.
packages_need() {
	local missing
	[[ -z $DRY_RUN ]] || exit 0
	machine_need
	folders_need
	mapfile -t missing < <(packages_missing "$@")
	((${#missing[@]} > 0)) || return 0
	say "Installing Debian packages that the lab needs:"
	printf '  %s\n' "${missing[@]}" >&2
	missing=("${missing[@]%% *}")
	apt_refresh
	packages_install "${missing[@]}" ||
		{ apt_refresh now && packages_install "${missing[@]}"; } ||
		die "could not install: ${missing[*]}; install them with apt-get as root, then run this again"
}

# apt_refresh [now]: fresh package lists; once a day, when there are none, or
# at once. Failing to get them is not fatal: what is in the cache may do.
apt_refresh() {
	local lists=/var/lib/apt/lists
	if [[ ${1:-} != now && -n $(find $lists -maxdepth 1 -name '*Packages*' -print -quit) &&
		-n $(find $lists -maxdepth 0 -mmin -1440) ]]; then
		return 0
	fi
	apt_root "updating the package lists" update -q ||
		say "lab: apt-get update failed; going on with the lists that are there"
}
