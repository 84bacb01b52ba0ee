#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Is this the kernel that was asked for, and does a module load that was built for it
# (tests/probe)? TAP.

# shellcheck source=tests/lab/guest/tap.sh
. /tests/tap.sh

echo 1..2
case $(uname -r) in "$LAB_KERNEL".*) ;; *) false ;; esac
result "uname -r: $(uname -r), of the series $LAB_KERNEL"
grep -q '^probe ' /proc/modules
result "a module that was built for it is loaded"
exit $status
