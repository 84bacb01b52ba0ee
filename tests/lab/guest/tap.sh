# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
# TAP for scripts in the guest: a command, then "result NAME"; "exit $status" at the end.

n=0
status=0
result() {
	rc=$?
	n=$((n + 1))
	if [ $rc = 0 ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		# shellcheck disable=SC2034 # who includes this exits with it
		status=1
	fi
}
