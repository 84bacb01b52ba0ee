#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Is the vtx host what it says, and do the modules load there? TAP.

n=0
status=0
result() {
	rc=$?
	n=$((n + 1))
	if [ $rc = 0 ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		status=1
	fi
}

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
