#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# guest.sh SECONDS NAME...: in the host, the fuzzer on ksmdev with one mistake after another,
# from NAME.ko beside this; "none" is the module as it is. A line of the kernel's log tells
# whose the reports after it are.

seconds=$1
here=${0%/*}
shift
for name in "$@"; do
	if [ "$name" = none ]; then
		modprobe ksmdev
	else
		insmod "$here/$name.ko"
	fi || exit
	echo "<0>defect $name" >/dev/kmsg
	begin=$(cut -d . -f 1 /proc/uptime)
	# A fixed seed: what differs from run to run is time alone.
	ioctl_fuzz --device ksm --corpus /tests/corpus/ksm --seconds "$seconds" --seed 1 >/tmp/said
	status=$?
	end=$(cut -d . -f 1 /proc/uptime)
	sed "s/^/$name: /" /tmp/said
	echo "$name: exit $status, $((end - begin)) s"
	rmmod ksmdev || exit
done
