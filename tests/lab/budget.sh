# shellcheck shell=bash
# What jobs cost: the table of tests/lab/budgets, the table of a check's jobs, and which
# of them took more than they should.

BUDGETS=${LAB_BUDGETS:-$LAB/budgets}
# Other machines are slower: a job may take half as much again, and some seconds.
BUDGET_MARGIN=150
BUDGET_GRACE=15

# budget_of "LABEL HOST KERNEL": CPU seconds; many for a job without a line, so that it
# starts early.
budget_of() {
	awk -v job="$1" '$1 " " $2 " " $3 == job { print $4; found = 1 } END { if (!found) print 99999 }' \
		"$BUDGETS"
}

# budget_timeout JOB sets JOB_TIMEOUT, ten times its budget: a machine with much else to
# do is slow.
budget_timeout() {
	local budget
	budget=$(budget_of "$1")
	JOB_TIMEOUT=$((budget == 99999 ? 0 : budget * 10))
}

# The jobs in the order in which they started: what each cost, and whose end it had
# waited for. Also in $OUT/jobs, whose first lines fit into tests/lab/budgets.
budget_table() {
	local i budget wall cpu sum_wall=0 sum_cpu=0 boots sum_boots=0
	echo
	printf '%-18s %-10s %-9s %6s %6s %6s %6s %5s  %s\n' job host kernel start wall cpu budget boots "started after"
	while read -r _ i; do
		budget=$(budget_of "${JOBS[i]}") boots=$(grep -c . "$JOBS_DIR/$i.boots" 2>/dev/null)
		wall=$(cat "$JOBS_DIR/$i.seconds" 2>/dev/null || echo 0)
		cpu=$(cat "$JOBS_DIR/$i.cpu" 2>/dev/null || echo 0)
		((sum_wall += wall, sum_cpu += cpu, sum_boots += ${boots:-0}))
		# shellcheck disable=SC2086 # three words
		printf '%-18s %-10s %-9s %6d %6d %6d %6s %5d  %s\n' ${JOBS[i]} \
			$((JOB_START[i] - JOBS_BEGAN)) "$wall" "$cpu" "${budget/99999/-}" "${boots:-0}" "${JOB_AFTER[i]}"
	done < <(for i in "${!JOBS[@]}"; do
		echo "${JOB_START[i]:-0} $i"
	done | sort -s -k 1,1n)
	printf '%-18s %-10s %-9s %6d %6d %6d %6s %5d\n' all - - 0 $((SECONDS - JOBS_BEGAN)) "$sum_cpu" "" "$sum_boots"
}

# A line for each job that took more than its budget, with the margin.
budget_warn() {
	local i budget cpu
	for i in "${!JOBS[@]}"; do
		budget=$(budget_of "${JOBS[i]}") cpu=$(cat "$JOBS_DIR/$i.cpu" 2>/dev/null || echo 0)
		((cpu <= budget * BUDGET_MARGIN / 100 + BUDGET_GRACE)) ||
			say "lab: warning: $(job_text "$i") took $cpu CPU seconds, and its budget is $budget (tests/lab/budgets)"
	done
}
