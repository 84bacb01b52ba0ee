#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Is the vtx host what it says, and do the modules load there? TAP.

# shellcheck source=tests/lab/guest/tap.sh
. /tests/tap.sh

echo 1..6
for flag in vmx ept vpid unrestricted_guest; do
	grep -qw $flag /proc/cpuinfo
	result "the CPU has $flag"
done
[ -c /dev/kvm ]
result "stock kvm-intel loads"
[ -c /dev/ksm ]
result "ksmdev loads"
exit $status
