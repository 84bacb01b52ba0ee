# shellcheck shell=bash
# ./lab check: the table of suites, their boots, the counts.
#
# A job is one suite on one host with one kernel. Jobs run side by side as far
# as the CPUs reach; each leaves its counts and problems in a file.

SUITES=${LAB_SUITES:-$LAB/suites}

# suite_read NAME sets the S_* of one line of the table.
suite_read() {
	local line
	line=$(awk -v name="$1" '$1 == name' "$SUITES")
	[[ -n $line ]] || die "no such suite: $1 (./lab check --list names them)"
	read -r S_NAME S_KIND S_HOSTS S_KERNELS S_CPUS S_MEM S_TIMEOUT S_MODULES \
		S_OPTIONS S_COMMAND <<<"$line"
	[[ $S_MODULES != - ]] || S_MODULES=
}

suite_names() {
	awk '!/^#/ && NF { print $1 }' "$SUITES"
}

suite_names_usual() {
	awk '!/^#/ && NF && $2 != "named" { print $1 }' "$SUITES"
}

suite_list() {
	local name
	for name in $(suite_names); do
		suite_read "$name"
		printf '%-16s %-5s %-6s %-11s %s\n' "$name" "$S_KIND" "$S_HOSTS" "$S_KERNELS" "$S_COMMAND"
	done
}

lab_check() {
	local fast='' all='' host='' kernel='' jobs names=()
	jobs=$(nproc)
	while (($# > 0)); do
		case $1 in
		--list)
			suite_list
			return
			;;
		--fast) fast=1 ;;
		--all) all=1 ;;
		--coverage) COVERAGE=1 kernel=debug ;;
		--host | --kernel | --jobs)
			(($# > 1)) || die "$1 needs a value"
			local "${1#--}=$2"
			shift
			;;
		-*) die "unknown option: $1 (./lab help lists them)" ;;
		*) names+=("$1") ;;
		esac
		shift
	done
	[[ -z $kernel ]] || kernel_exists "$kernel"
	JOBS_DEBUG=$all$COVERAGE JOBS_ALL=$all$COVERAGE
	if ((${#names[@]} == 0)) && [[ $COVERAGE ]]; then
		mapfile -t names < <(suite_names)
	elif ((${#names[@]} == 0)); then
		mapfile -t names < <(suite_names_usual)
	else
		JOBS_ALL=1
		[[ $kernel != debug ]] || JOBS_DEBUG=named
	fi
	jobs_plan "$fast" "$host" "$kernel" "${names[@]}"
	[[ $jobs =~ ^[1-9][0-9]*$ ]] || die "--jobs needs a positive number, not '$jobs'"
	((${#JOBS[@]} > 0)) || die "no suite matches (./lab check --list names them)"
	packages_need
	jobs_build
	jobs_run "$jobs"
	[[ -z $COVERAGE ]] || coverage_report
	check_summary
}

# JOBS gets "SUITE HOST KERNEL" strings (KERNEL is - for local suites), and
# JOBS_MODULES all that they load.
jobs_plan() {
	local fast=$1 only_host=$2 only_kernel=$3 name host kernel
	shift 3
	JOBS=() JOBS_MODULES=
	for name in "$@"; do
		suite_read "$name"
		[[ -z $fast || $S_KIND == fast ]] || continue
		for host in ${S_HOSTS//,/ }; do
			[[ -z $only_host || $host == "$only_host" ]] || continue
			for kernel in $(job_kernels "$host"); do
				[[ -z $only_kernel || $kernel == "$only_kernel" ]] || continue
				JOBS+=("$name $host $(kernel_of_host "$host" "$kernel")")
				JOBS_MODULES+=",$S_MODULES"
			done
		done
	done
}

# The kernels that the suite that was read last runs on there. Those in parentheses
# are for who asks for all, or for the suite; the kernel debug, which is slow, is not
# meant by a suite's name alone. Where both are named, any suite that boots a host runs
# on it.
job_kernels() {
	local kernel
	if [[ $JOBS_DEBUG == named && $1 != local ]]; then
		echo debug
		return
	fi
	for kernel in ${S_KERNELS//,/ }; do
		case $kernel in
		"(debug)") [[ $JOBS_DEBUG ]] || continue ;;
		\(*\)) [[ $JOBS_ALL ]] || continue ;;
		esac
		echo "${kernel//[()]/}"
	done
}

# Build first, once, so that jobs only boot.
jobs_build() {
	local kernel
	for kernel in "${KERNELS_ALL[@]}"; do
		[[ "${JOBS[*]} " != *" $kernel "* ]] || build_all "$kernel" "$JOBS_MODULES"
	done
}

# How many CPUs of this machine the suite that was read last keeps busy on a host:
# Bochs, and QEMU with "one-thread", run those of the emulated machine in turns.
job_cpus() {
	if [[ $1 == vtx || ,$S_OPTIONS, == *,one-thread,* ]]; then
		echo 1
	else
		echo "$S_CPUS"
	fi
}

jobs_run() {
	local cpus=$1 free=$1 need name host pids=() i next=0 running=()
	RESULTS=()
	rm -rf "$OUT/check.$$"
	mkdir -p "$OUT/check.$$"
	while ((next < ${#JOBS[@]} || ${#running[@]} > 0)); do
		while ((next < ${#JOBS[@]})); do
			read -r name host _ <<<"${JOBS[next]}"
			suite_read "$name"
			need=$(job_cpus "$host")
			((need <= cpus)) || need=$cpus
			((need <= free)) || break
			job_start "$next" &
			pids[next]=$!
			CHILDREN+=("$!")
			running+=("$next:$need:$SECONDS")
			((free -= need, next++))
		done
		sleep 0.3
		jobs_reap
		jobs_progress
	done
	status_clear
	CHILDREN=()
}

# Uses the variables of jobs_run.
jobs_reap() {
	local entry still=()
	for entry in "${running[@]}"; do
		IFS=: read -r i need _ <<<"$entry"
		if kill -0 "${pids[i]}" 2>/dev/null; then
			still+=("$entry")
			continue
		fi
		wait "${pids[i]}"
		((free += need))
		job_report "$i"
	done
	running=("${still[@]}")
	# The number of one that ended may be another process's by now.
	CHILDREN=()
	for entry in "${running[@]}"; do
		CHILDREN+=("${pids[${entry%%:*}]}")
	done
}

jobs_progress() {
	local entry text='' start i
	for entry in "${running[@]}"; do
		IFS=: read -r i _ start <<<"$entry"
		text+="${text:+, }${JOBS[i]% -} $((SECONDS - start)) s$(job_tests_done "$i")"
	done
	[[ -n $text ]] || return 0
	status_slow "[$((next - ${#running[@]}))/${#JOBS[@]}] $text"
}

# ", 12 ok" while a suite runs.
job_tests_done() {
	local log=$OUT/check.$$/$1.output n
	n=$(grep -cas '^ok ' "$log" "$(cat "$OUT/check.$$/$1.dir" 2>/dev/null)/output.log" |
		awk -F : '{ n += $NF } END { print n + 0 }')
	((n == 0)) || echo ", $n ok"
}

# One job, in a subshell: leaves N.result (problems, then the COUNTS line).
job_start() {
	local base=$OUT/check.$$/$1 host kernel start=$SECONDS
	read -r _ host kernel <<<"${JOBS[$1]}"
	CHILDREN=()
	trap end_children EXIT
	trap 'exit 143' TERM
	if [[ $host == local ]]; then
		job_local >"$base.output" 2>&1
		job_judge "$?" '' '' "$base.output" >"$base.part"
	else
		job_guest "$base" "$host" "$kernel" >"$base.part"
	fi
	echo "$((SECONDS - start))" >"$base.seconds"
	mv "$base.part" "$base.result"
}

job_local() {
	cd "$ROOT" || return
	# In the background, so that this job can be ended.
	timeout "$S_TIMEOUT" bash -c "$S_COMMAND" &
	CHILDREN+=("$!")
	wait "$!"
}

job_guest() {
	local base=$1 rc problem=''
	boot_defaults "$2" "$3"
	B_NAME=$S_NAME B_CPUS=$S_CPUS B_MEM=$S_MEM B_TIMEOUT=$S_TIMEOUT
	B_MODULES=$S_MODULES B_QUIET=1
	boot_stretch
	boot_options "$S_OPTIONS"
	boot_folder
	echo "$B_DIR" >"$base.dir"
	boot_run sh -c "$S_COMMAND" 2>"$base.error"
	rc=$?
	[[ $(cat "$B_DIR/verdict" 2>/dev/null) == exit\ * ]] ||
		problem=$(cat "$B_DIR/verdict" 2>/dev/null || cat "$base.error")
	job_judge "$rc" "${problem:+host failed: $problem}" "$B_LOST" "$B_DIR/output.log"
	[[ -z $problem ]] || boot_last_lines | sed 's/^/    /' >"$base.explain"
}

# The options column of suites and benches.
boot_options() {
	local option
	for option in ${1//,/ }; do
		case $option in
		icount) B_ICOUNT=1 B_MIPS=1000 ;;
		numa) B_NUMA=1 ;;
		one-thread) B_ONE_THREAD=1 ;;
		qemu) B_QEMU=1 ;;
		mips=*) B_MIPS=${option#mips=} ;;
		mitigations=*) boot_set_mitigations "${option#mitigations=}" ;;
		append=*) B_APPEND+=" ${option#append=}" ;;
		- | exit) ;;
		*) die "tests/lab: unknown option: $option" ;;
		esac
	done
}

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

check_summary() {
	local result passed=0 failed=0 skipped=0 p f s
	for result in "${RESULTS[@]}"; do
		read -r p f s <<<"$result"
		((passed += p, failed += f, skipped += s))
	done
	rm -rf "$OUT/check.$$"
	echo
	counts_text "$passed" "$failed" "$skipped"
	((failed == 0 && passed > 0))
}
