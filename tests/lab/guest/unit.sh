#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# unit.sh [NAME...]: the KUnit suites of the modules NAME_test (all there are), as
# TAP. A module loads although its tests fail: what they say is in debugfs.

extra=/lib/modules/$(uname -r)/extra
results=/sys/kernel/debug/kunit
count=/tmp/unit.count
echo 0 >$count

# The tests of one suite: its parameters, or its cases that have none.
report() {
	awk -v suite="$1" -v n="$(cat $count)" -v count=$count '
		function result(ok, name) {
			n++
			print (ok ? "ok " : "not ok ") n " - " suite ": " name
			if (!ok) {
				failed++
				printf "%s", said
			}
			said = ""
		}
		/^ *KTAP version/ || /^ *# module:/ || /^ *# .*: pass:[0-9]/ || /^ *# Totals:/ { next }
		/^ *# Subtest:/ { name[index($0, "#")] = $3; next }
		/^    1\.\.[0-9]/ { planned = substr($1, 4) + 0; next }
		/^ *1\.\.[0-9]/ { next }
		/^        (not )?ok / {
			parameters++
			skip = $0 ~ /# SKIP/
			ok = $1 == "ok"
			text = $0
			sub(/^ *(not )?ok [0-9]+ (- )?/, "", text)
			bad += !ok
			result(ok, name[9] ": " text)
			next
		}
		/^    (not )?ok / {
			cases++
			ok = $1 == "ok"
			text = $0
			sub(/^ *(not )?ok [0-9]+ (- )?/, "", text)
			if (!parameters || (!ok && !bad))
				result(ok, text)
			parameters = bad = 0
			next
		}
		/^(not )?ok / { ended = $1; next }
		{ sub(/^ */, ""); said = said "# " $0 "\n" }
		END {
			if (ended == "")
				result(0, "has no result")
			else if (ended != "ok" && !failed)
				result(0, "failed")
			if (cases != planned)
				result(0, "planned " planned " cases, ran " cases + 0)
			print n >count
		}' "$2"
}

modprobe kunit
if [ $# = 0 ]; then
	for module in "$extra"/*_test.ko; do
		module=${module##*/}
		set -- "$@" "${module%_test.ko}"
	done
fi

status=0
for name in "$@"; do
	module=${name}_test
	if ! modprobe "$module"; then
		n=$(($(cat $count) + 1))
		echo $n >$count
		echo "not ok $n - $module does not load"
		status=1
		continue
	fi
	for suite in "$results"/*; do
		report "${suite##*/}" "$suite/results"
	done >/tmp/unit.report
	# One module is one suite at least.
	if ! grep -q ok /tmp/unit.report; then
		n=$(($(cat $count) + 1))
		echo $n >$count
		echo "not ok $n - $module has no suite"
		status=1
	fi
	cat /tmp/unit.report
	! grep -q '^not ok' /tmp/unit.report || status=1
	rmmod "$module" || status=1
done
echo "1..$(cat $count)"
exit $status
