#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run_all.sh PROGRAM...: several test programs in one boot; their plans add up.
# Fails if any of them does.

status=0
for program in "$@"; do
	echo "# $program"
	"$program"
	rc=$?
	[ $rc = 0 ] || {
		echo "# $program: exit status $rc"
		status=1
	}
done
exit $status
