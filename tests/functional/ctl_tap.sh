# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
#
# What tests of the tools have in common: TAP on stdout, a folder TMP for what
# they write, programs of theirs in TESTS, and NOBODY, who is not root.

TESTS=${TESTS:-$(dirname "$(command -v ksmctl)")/../lib/kvmlite/tests}
# shellcheck disable=SC2034 # for the tests
NOBODY=65534
TMP=$(mktemp -d "/tmp/$(basename "$0" .sh).XXXXXX") || exit 1

number=0
failures=0

ok() {
	number=$((number + 1))
	echo "ok $number - $1"
}

not_ok() {
	number=$((number + 1))
	failures=$((failures + 1))
	echo "not ok $number - $1"
	shift
	for line in "$@"; do
		echo "# $line"
	done
}

# same NAME EXPECTED GOT
same() {
	if [ "$3" = "$2" ]; then
		ok "$1"
	else
		not_ok "$1" "expected $2, got $3"
	fi
}

# expect NAME STATUS PATTERN COMMAND...: the command ends with the status, and
# what it prints on both outputs together matches the extended expression, if
# there is one.
expect() {
	name=$1 status=$2 pattern=$3
	shift 3
	"$@" >"$TMP/out" 2>&1 </dev/null
	got=$?
	if [ "$got" != "$status" ]; then
		not_ok "$name" "expected status $status, got $got" "$(head -c 300 "$TMP/out" | tr '\n' '|')"
	elif [ "$pattern" ] && ! grep -qE -e "$pattern" "$TMP/out"; then
		not_ok "$name" "expected output like: $pattern" "got: $(head -c 300 "$TMP/out" | tr '\n' '|')"
	else
		ok "$name"
	fi
}

# expect_json NAME COUNT KEYS COMMAND...: the command prints COUNT JSON values
# with these members (KEY or KEY=VALUE, see json_check).
expect_json() {
	name=$1 count=$2 keys=$3
	shift 3
	"$@" >"$TMP/out" 2>"$TMP/err" </dev/null
	got=$?
	# shellcheck disable=SC2086 # several words
	values=$("$TESTS/json_check" $keys <"$TMP/out" 2>>"$TMP/err") && [ "$got" = 0 ] && [ "$values" = "$count" ] && {
		ok "$name"
		return
	}
	not_ok "$name" "expected $count JSON values with $keys, got ${values:-none} and status $got" "$(head -c 300 "$TMP/err" | tr '\n' '|')"
}

# expect_one_line NAME COMMAND...: errors take one line, and go to stderr.
expect_one_line() {
	name=$1
	shift
	"$@" >"$TMP/out" 2>"$TMP/err" </dev/null
	if [ "$(wc -l <"$TMP/err")" = 1 ] && [ ! -s "$TMP/out" ]; then
		ok "$name"
	else
		not_ok "$name" "expected one line on stderr only, got $(wc -l <"$TMP/err") and on stdout $(wc -l <"$TMP/out")"
	fi
}

# expect_full_disk COMMAND...: what cannot be written is an error: the standard
# output, and the file of COMMAND... metrics, which stays as it was.
expect_full_disk() {
	"$@" status >/dev/full 2>"$TMP/err" </dev/null
	same "status that nobody can read: status and lines" "1 1" "$? $(grep -c 'cannot write the output' "$TMP/err")"
	mkdir "$TMP/full"
	mount -t tmpfs -o size=8k small "$TMP/full"
	echo old >"$TMP/full/x.prom"
	dd if=/dev/zero of="$TMP/full/fill" bs=4k 2>/dev/null
	expect "a full disk" 1 'No space left' "$@" metrics -o "$TMP/full/x.prom"
	expect_one_line "a full disk: in one line" "$@" metrics -o "$TMP/full/x.prom"
	same "a full disk leaves the old file" old "$(cat "$TMP/full/x.prom")"
	same "and nothing beside it" "fill x.prom" "$(find "$TMP/full" -type f -exec basename {} \; | sort | xargs)"
	umount "$TMP/full"
	rmdir "$TMP/full"
}

# expect_metrics NAME PATTERN COMMAND...: the command prints metrics in the format
# of Prometheus, one of which matches the extended expression.
expect_metrics() {
	name=$1 pattern=$2
	shift 2
	"$@" >"$TMP/out" 2>"$TMP/err" </dev/null
	got=$?
	problem=$(metrics_problem <"$TMP/out")
	if [ "$got" != 0 ]; then
		not_ok "$name" "expected status 0, got $got" "$(head -c 300 "$TMP/err" | tr '\n' '|')"
	elif [ "$problem" ]; then
		not_ok "$name" "not in the format: $problem"
	elif ! grep -qE -e "$pattern" "$TMP/out"; then
		not_ok "$name" "expected a metric like: $pattern" "got: $(grep -v '^#' "$TMP/out" | head -c 300 | tr '\n' '|')"
	else
		ok "$name"
	fi
}

# The first line that breaks a rule: HELP, TYPE, then samples of that family,
# which comes once; counters end in _total and nothing else does.
metrics_problem() {
	awk '
	function bad(why) { print why ": " $0; wrong = 1; exit }
	/^# HELP / {
		if (seen[$3]++) bad("family again")
		if ($3 !~ /^[a-z][a-z0-9_]*$/ || NF < 4) bad("bad HELP")
		family = $3; type = ""; next
	}
	/^# TYPE / {
		if ($3 != family || type != "") bad("TYPE without HELP")
		if ($4 != (family ~ /_total$/ ? "counter" : "gauge")) bad("wrong type")
		type = $4; next
	}
	{
		rest = $0
		if (type == "" || index(rest, family) != 1) bad("sample without TYPE")
		rest = substr(rest, length(family) + 1)
		if (rest ~ /^[{]/ && !sub(/^[{][a-z]+="[^"]*"(,[a-z]+="[^"]*")*[}]/, "", rest)) bad("bad labels")
		if (rest !~ /^ -?[0-9.]+(e[-+][0-9]+)?$/) bad("bad value")
		samples++
	}
	END { if (!wrong && !samples) print "no sample" }'
}

as_user() {
	"$TESTS/ksmrun_test" as-user "$@"
}

# Programs that the tests of the tools need, or the end.
tests_need() {
	for program in "$@"; do
		[ ! -x "$TESTS/$program" ] || continue
		echo "Bail out! no $program in $TESTS: make -C userspace/ksmctl install-tests"
		exit 1
	done
}

# The end of a test.
tests_end() {
	rm -rf "$TMP"
	echo "1..$number"
	[ $failures = 0 ]
}
