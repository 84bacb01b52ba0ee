# shellcheck shell=bash
# The machine that the lab runs on.

MACHINES=(12 13)

# Before anything is installed or fetched.
machine_need() {
	local id version name
	read -r id version name < <(
		# shellcheck source=/dev/null
		. "${LAB_OS_RELEASE:-/etc/os-release}" 2>/dev/null
		echo "${ID:-unknown}" "${VERSION_ID:--}" "${PRETTY_NAME:-a system without /etc/os-release}"
	)
	[[ $id == debian && " ${MACHINES[*]} " == *" $version "* ]] ||
		die "the lab runs on Debian 12 or 13, and this is $name: use one of them, a chroot is enough"
	[[ $(uname -m) == x86_64 ]] || die "the lab runs on x86-64, and this is $(uname -m)"
}
