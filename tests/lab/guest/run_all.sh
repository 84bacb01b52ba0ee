#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# run_all.sh PROGRAM...: several test programs in one boot; their plans add up.
# Fails if any of them does. What the host lacks (tests/lab/hosts) is not run.

status=0
for program in "$@"; do
	echo "# $program"
	case ,$LAB_LACKS, in
	*,"$program",*)
		echo "1..0 # SKIP the host $LAB_HOST_NAME cannot run $program"
		continue
		;;
	esac
	"$program"
	rc=$?
	[ $rc = 0 ] || {
		echo "# $program: exit status $rc"
		status=1
	}
done
exit $status
