#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# fleet as built from the sources, with what emulated hosts lack: gnuplot and a
# terminal. TAP.

# shellcheck source=tests/packaging/tap.sh
. "$(dirname "$(readlink -f "$0")")/tap.sh"

copy_sources "$WORK/src"
make -s -C "$WORK/src/userspace/fleet" || {
	echo "Bail out! fleet does not build"
	exit 1
}
FLEET=$WORK/src/userspace/fleet/fleet "$WORK/src/tests/functional/fleet.sh" plots terminal
