#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# ioctl_fuzz.sh SECONDS [DEVICE...]: fuzz each device (ksm, kvm) that long, or run
# the corpus only if it is 0. The journal is on the scratch disk, where there is
# one; new programs are handed over to the lab.

seconds=$1
shift
[ $# -gt 0 ] || set -- ksm kvm
journal=
[ ! -b /dev/vda ] || journal="--journal /dev/vda"
mkdir -p /tmp/new
status=0
for device in "$@"; do
	if [ "$seconds" = 0 ]; then
		mode=--replay
	else
		mode="--seconds $seconds --new /tmp/new/$device"
	fi
	# shellcheck disable=SC2086 # several words, or none
	/tests/ioctl_fuzz --device "$device" --corpus "/tests/corpus/$device" $mode $journal \
		${FUZZ_SEED:+--seed "$FUZZ_SEED"} || status=1
done
[ "$seconds" = 0 ] || /tests/export_files.sh /tmp/new
exit $status
