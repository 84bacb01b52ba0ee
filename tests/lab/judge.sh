# shellcheck shell=bash
# What became of a job: its counts, and what went wrong there.

job_judge() {
	local rc=$1 problem=$2 lost=$3 output=$4
	if [[ ,$S_OPTIONS, == *,exit,* && -z $problem ]]; then
		if ((rc == 0)); then
			echo "COUNTS 1 0 0"
		else
			tail -n 40 "$output" | sed 's/^/    /'
			echo "COUNTS 0 1 0"
		fi
		return
	fi
	gawk -v exit_status="$rc" -v lost="$lost" -v host_problem="${problem//\\/\\\\}" \
		-f "$LAB/tap.awk" "$output"
}

# The line of one job that ended, and what went wrong there.
job_report() {
	local base=$OUT/check.$$/$1 passed failed skipped name host kernel seconds verdict=ok
	read -r name host kernel <<<"${JOBS[$1]}"
	if [[ ! -e $base.result ]]; then
		{
			echo "    $(cat "$base.error" 2>/dev/null || echo "the suite did not run")"
			echo "COUNTS 0 1 0"
		} >"$base.result"
	fi
	read -r _ passed failed skipped < <(tail -n 1 "$base.result")
	seconds=$(cat "$base.seconds" 2>/dev/null || echo 0)
	((failed == 0)) || verdict=FAIL
	((failed > 0 || passed > 0)) || verdict=skip
	status_clear
	printf '%-4s  %-16s %-5s %-5s %4s s  %s\n' "$verdict" "$name" "$host" "$kernel" \
		"$seconds" "$(counts_text "$passed" "$failed" "$skipped")"
	sed '$d' "$base.result"
	[[ ! -e $base.explain ]] || cat "$base.explain"
	RESULTS+=("$passed $failed $skipped")
}

counts_text() {
	printf '%d passed, %d failed' "$1" "$2"
	(($3 == 0)) || printf ', %d skipped' "$3"
	echo
}
