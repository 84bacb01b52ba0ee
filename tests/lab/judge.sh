# shellcheck shell=bash
# What became of a job: its counts, and what went wrong there.

# job_judge STATUS PROBLEM LOST OUTPUT, of the suite that was read last.
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

# job_judge_boot BASE STATUS PROBLEM SUITE...: the problem is of the suite in which the
# host failed, or of the last one if it did so after all of them. Those that come after
# such a suite did not run, which is a failure of each.
job_judge_boot() {
	local base=$1 status=$2 problem=$3 name rc output
	shift 3
	job_split "$base" "$B_DIR/output.log"
	for name in "$@"; do
		suite_read "$name"
		output=$base.$name.output
		rc=$(cat "$base.$name.exit" 2>/dev/null)
		[[ $rc || $problem ]] || problem="the end of its output is missing"
		if [[ $rc && $name != "${!#}" ]]; then
			job_judge "$rc" '' "$B_LOST" "$output"
		elif [[ -e $output || $name == "$1" ]]; then
			touch "$output"
			job_judge "${rc:-$status}" "$problem" "$B_LOST" "$output"
			[[ $rc ]] || problem=
		else
			echo "    did not run: the host failed in a suite before it"
			echo "COUNTS 0 1 0"
		fi >"$base.$name.part"
		mv "$base.$name.part" "$base.$name.result"
	done
}

# job_split BASE LOG: BASE.SUITE.output and BASE.SUITE.exit of each suite that began, and
# that ended.
job_split() {
	awk -v base="$1" '
		{ sub(/\r$/, "") }
		$1 == "@suite" && NF == 2 {
			output = base "." $2 ".output"
			printf "" >output
			held = ""
			next
		}
		$1 == "@exit" && NF == 2 && output != "" {
			# A line that was broken off for it, or an empty one.
			if (held != "\n")
				printf "%s", held >output
			close(output)
			sub(/output$/, "exit", output)
			print $2 >output
			output = ""
			next
		}
		output != "" {
			if (held != "")
				printf "%s", held >output
			held = $0 "\n"
		}
		END {
			if (output != "" && held != "")
				printf "%s", held >output
		}' "$2"
}

# The lines of one job that ended, and what went wrong there.
job_report() {
	local base=$JOBS_DIR/$1 name
	status_clear
	if [[ ${JOBS[$1]} == build\ * ]]; then
		job_report_build "$1"
		return
	fi
	for name in ${JOB_SUITES[$1]}; do
		job_report_suite "$1" "$name"
	done
	[[ ! -e $base.explain ]] || cat "$base.explain"
}

# A build that failed is a failure beside those of the suites that wanted it.
job_report_build() {
	local base=$JOBS_DIR/$1 kernel=${JOBS[$1]##* }
	if [[ ${JOB_STATE[$1]} == ended ]]; then
		printf '%-4s  %-18s %-10s %-9s %4s s\n' ok build - "$kernel" "$(<"$base.seconds")"
		! grep -qE '^lab: ' "$base.error" || sed 's/^/    /' "$base.error"
		return
	fi
	printf '%-4s  %-18s %-10s %-9s\n' FAIL build - "$kernel"
	tail -n 60 "$base.error" | sed 's/^/    /'
	RESULTS+=("0 1 0")
}

# job_report_suite N SUITE
job_report_suite() {
	local base=$JOBS_DIR/$1 name=$2 passed failed skipped host kernel seconds verdict=ok
	read -r _ host kernel <<<"${JOBS[$1]}"
	# Without its last line it was cut short, by a full disk for one.
	if ! tail -n 1 "$base.$name.result" 2>/dev/null | grep -q '^COUNTS '; then
		{
			echo "    $(cat "$base.error" 2>/dev/null || echo "the suite did not run")"
			echo "COUNTS 0 1 0"
		} >"$base.$name.result"
	fi
	read -r _ passed failed skipped < <(tail -n 1 "$base.$name.result" | grep '^COUNTS ' || echo COUNTS 0 1 0)
	seconds="$(cat "$base.seconds" 2>/dev/null || echo 0) s"
	# Its time is that of the boot.
	[[ $name == "${JOB_SUITES[$1]%% *}" ]] || seconds="same"
	((failed == 0)) || verdict=FAIL
	((failed > 0 || passed > 0)) || verdict=skip
	printf '%-4s  %-18s %-10s %-9s %6s  %s\n' "$verdict" "$name" "$host" "$kernel" \
		"$seconds" "$(counts_text "$passed" "$failed" "$skipped")"
	sed '$d' "$base.$name.result"
	RESULTS+=("$passed $failed $skipped")
}

counts_text() {
	printf '%d passed, %d failed' "$1" "$2"
	(($3 == 0)) || printf ', %d skipped' "$3"
	echo
}
