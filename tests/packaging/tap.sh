# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What the suites here have in common: TAP, a folder of their own, a copy of the
# sources in it, the lab's kernels.

set -u -o pipefail
umask 022
ROOT=$(cd "$(dirname "$(readlink -f "$0")")/../.." && pwd)
# shellcheck disable=SC2034 # for those who include this
KERNELS=(6.1 6.12)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
trap 'exit 143' INT TERM HUP
PATH=$PATH:/usr/sbin:/sbin
VERSION=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$ROOT/dkms.conf")
# make here is no part of a make that called the lab.
unset MAKEFLAGS MAKELEVEL MAKEOVERRIDES

tests=0
failures=0
no_machine=

# result STATUS NAME [TEXT]: one test; the text explains a failure.
result() {
	((++tests))
	if (($1 == 0)); then
		echo "ok $tests - $2"
		return
	fi
	((++failures))
	echo "not ok $tests - $2"
	# shellcheck disable=SC2001 # of each line
	[[ -z ${3:-} ]] || sed 's/^/#   /' <<<"$3"
}

# same NAME EXPECTED GOT
same() {
	[[ $2 == "$3" ]]
	result $? "$1" "$(diff -u --label expected --label got <(echo "$2") <(echo "$3") |
		sed '/^@@/d')"
}

# works NAME COMMAND...: it ends with status 0; else the end of what it said.
works() {
	local name=$1 said rc
	shift
	said=$("$@" 2>&1 </dev/null)
	rc=$?
	result "$rc" "$name" "$* ended with status $rc and said:
$(tail -n 30 <<<"$said")"
	return "$rc"
}

# machine NAME COMMAND...: it works on the machine of machine.sh.
machine() {
	local name=$1 said rc
	shift
	said=$("$ROOT/tests/packaging/machine.sh" "$WORK/machine" "$RELEASE" "$KERNELDIR" "$@" \
		2>&1 </dev/null)
	rc=$?
	if ((rc == 77)); then
		machine_skip "$name"
		return
	fi
	result "$rc" "$name" "$* ended with status $rc and said:
$(tail -n 30 <<<"$said")"
}

machine_skip() {
	no_machine=1
	echo "ok $((++tests)) - $1 # SKIP no mount namespace here"
}

# machine_clean NAME: nothing of ours is left on it.
machine_clean() {
	if [[ $no_machine ]]; then
		machine_skip "$1"
	else
		same "$1" "" "$(machine_files)"
	fi
}

# What there is on it that is not of the machine itself, and not what depmod and
# signing leave.
machine_files() {
	find "$WORK"/machine/*/ "$WORK"/machine/var/lib/dkms/changes -path '*/work' -prune -o \
		! -type d ! -path '*/bin/uname' ! -path '*/bin/sudo' ! -path '*/modules/*/modules.*' ! -name build \
		! -name 'mok.*' -print 2>/dev/null | sort -u
}

# quiet NAME COMMAND...: the same, and it says nothing.
quiet() {
	local name=$1 said
	shift
	said=$("$@" 2>&1 </dev/null)
	result "$(($? != 0 || ${#said} > 0))" "$name" "expected success without a word, got:
$said"
}

finish() {
	echo "1..$tests"
	exit $((failures > 0))
}

# What somebody gets who fetches the sources now: nothing that was built.
copy_sources() {
	mkdir -p "$1"
	sed -e '/^#/d; s|/$||; s|^/|./|' "$ROOT/.gitignore" |
		tar -C "$ROOT" --exclude=./.git --exclude-from=/dev/stdin -c . | tar -C "$1" -x
}

# kernel SERIES sets RELEASE and KERNELDIR.
kernel() {
	KERNELDIR=$("$ROOT/lab" headers "$1") || exit
	RELEASE=$(sed -n 's/^#define UTS_RELEASE "\(.*\)"/\1/p' \
		"$KERNELDIR/include/generated/utsrelease.h")
}

# module_check NAME FILE: built for RELEASE, with our version; its name is there
# once. modinfo wants them uncompressed.
module_check() {
	local file=$2
	[[ $file != *.xz ]] || { file=${file%.xz} && xz -dk "$2"; }
	same "$1: name, vermagic and version" "$(basename "$file" .ko) $RELEASE $VERSION" \
		"$(modinfo -F name "$file" 2>&1) $(modinfo -F vermagic "$file" 2>&1 | cut -d ' ' -f 1) $(modinfo -F version "$file" 2>&1)"
	[[ $file == "$2" ]] || rm -f "$file"
}
