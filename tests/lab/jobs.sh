# shellcheck shell=bash
# The jobs of ./lab check. A job is a build for one kernel, a suite on this machine, or
# a boot of one host with one kernel, which runs the suites that share it. Jobs run
# side by side as far as the CPUs reach, those that take long first; a boot waits for
# the build of its kernel.
#
# JOBS has their names, "LABEL HOST KERNEL": "build - KERNEL", "SUITE local -", or the
# boot's label. Beside it, by the same index:
#   JOB_SUITES    the suites, with blanks
#   JOB_CPUS      how many CPUs of this machine it keeps busy
#   JOB_STATE     waiting, running, ended, failed
#   JOB_PID JOB_START JOB_AFTER    set when it starts; the job whose end it waited for
# Each job writes files N.* into $JOBS_DIR.

# jobs_plan FAST ONLY-HOST ONLY-KERNEL SUITE...
jobs_plan() {
	local fast=$1 only_host=$2 only_kernel=$3 name host kernel
	shift 3
	JOBS=() JOB_SUITES=() JOBS_MODULES=
	for name in "$@"; do
		suite_read "$name"
		[[ -z $fast || $S_KIND == fast ]] || continue
		for host in ${S_HOSTS//,/ }; do
			[[ -z $only_host || $host == "$only_host" ]] || continue
			[[ -z $COVERAGE || $host != local ]] || continue
			for kernel in $(job_kernels "$host"); do
				[[ -z $only_kernel || $kernel == "$only_kernel" ]] || continue
				jobs_add "$host" "$(kernel_of_host "$host" "$kernel")"
			done
		done
	done
}

# jobs_add HOST KERNEL: the suite that was read last, in the boot that it shares if
# another suite has that.
jobs_add() {
	local job i
	job="$(suite_boot) $1 $2"
	JOBS_MODULES+=,$S_MODULES
	for i in "${!JOBS[@]}"; do
		if [[ ${JOBS[i]} == "$job" ]]; then
			JOB_SUITES[i]+=" $S_NAME"
			return
		fi
	done
	JOBS+=("$job")
	JOB_SUITES+=("$S_NAME")
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

# How many CPUs of this machine the suite that was read last keeps busy on a host:
# Bochs, and QEMU with "one-thread", run those of the emulated machine in turns; those of a
# suite with "sleepy" sleep half of the time.
job_cpus() {
	if [[ $(host_emulator "$1") == bochs || ,$S_OPTIONS, == *,one-thread,* ||
		,$S_OPTIONS, == *,sleepy,* ]]; then
		echo 1
	else
		echo "$S_CPUS"
	fi
}

# jobs_prepare CPUS: the builds that the jobs want, the newest kernel's first, then the
# jobs, those with the largest budget first. All CPUs build for a stock kernel, for
# which nearly all wait; the kernel debug, which may take long, is built beside others.
jobs_prepare() {
	local cpus=$1 i host kernel need builds=() build_cpus=() sorted=() suites=() needs=()
	for kernel in "${KERNELS_ALL[@]}"; do
		[[ "${JOBS[*]} " == *" $kernel "* ]] || continue
		if [[ $kernel == debug* ]]; then
			builds+=("build - $kernel") build_cpus+=(1)
		else
			builds=("build - $kernel" "${builds[@]}") build_cpus=("$cpus" "${build_cpus[@]}")
		fi
	done
	while read -r _ i; do
		read -r _ host _ <<<"${JOBS[i]}"
		suite_read "${JOB_SUITES[i]%% *}"
		need=$(job_cpus "$host")
		sorted+=("$(job_named "$i")") suites+=("${JOB_SUITES[i]}")
		needs+=("$((need < cpus ? need : cpus))")
	done < <(for i in "${!JOBS[@]}"; do
		echo "$(budget_of "$(job_named "$i")") $i"
	done | sort -s -k 1,1nr)
	JOBS=("${builds[@]}" "${sorted[@]}")
	JOB_SUITES=("${builds[@]/*/}" "${suites[@]}")
	JOB_CPUS=("${build_cpus[@]}" "${needs[@]}")
	JOB_STATE=("${JOBS[@]/*/waiting}")
}

# A boot that but one suite has is named after the suite.
job_named() {
	if [[ ${JOB_SUITES[$1]} == *" "* ]]; then
		echo "${JOBS[$1]}"
	else
		echo "${JOB_SUITES[$1]} ${JOBS[$1]#* }"
	fi
}

# jobs_run CPUS
jobs_run() {
	JOBS_FREE=$1 JOBS_LAST=- JOBS_DIR=$OUT/check.$$
	JOB_PID=() JOB_START=() JOB_AFTER=()
	RESULTS=()
	rm -rf "$JOBS_DIR"
	mkdir -p "$JOBS_DIR"
	trap 'rm -rf "$JOBS_DIR"; end_children' EXIT
	emulators_get "${JOBS[@]}"
	jobs_prepare "$1"
	while [[ " ${JOB_STATE[*]} " == *\ @(waiting|running)\ * ]]; do
		jobs_start
		sleep 0.3
		jobs_reap
		jobs_progress
	done
	status_clear
	CHILDREN=()
}

# Whatever may run now and fits in. A build goes before all others. Who wants all CPUs
# waits until nobody else does: at the end.
jobs_start() {
	local i
	for i in "${!JOBS[@]}"; do
		[[ ${JOB_STATE[i]} == waiting ]] || continue
		job_ready "$i" || continue
		if ((JOB_CPUS[i] <= JOBS_FREE)); then
			job_run "$i" &
			JOB_PID[i]=$! JOB_START[i]=$SECONDS JOB_AFTER[i]=$JOBS_LAST JOB_STATE[i]=running
			CHILDREN+=("$!")
			((JOBS_FREE -= JOB_CPUS[i]))
		fi
		[[ ${JOBS[i]} != build\ * || ${JOB_STATE[i]} == running ]] || return 0
	done
}

# job_ready N: the build that it needs, or those of all stock kernels for a suite on this
# machine, have ended; one that failed fails it.
job_ready() {
	local i kernel=${JOBS[$1]##* } state=ended
	[[ ${JOBS[$1]} != build\ * ]] || return 0
	for i in "${!JOBS[@]}"; do
		[[ ${JOBS[i]} == build\ * ]] || break
		if [[ ${JOBS[i]} == "build - $kernel" ]]; then
			state=${JOB_STATE[i]}
		elif [[ $kernel == - && ${JOBS[i]} != *debug* && ${JOB_STATE[i]} != @(ended|failed) ]]; then
			state=waiting
		fi
	done
	if [[ $state == failed ]]; then
		JOB_STATE[$1]=failed JOB_START[$1]=$SECONDS JOB_AFTER[$1]="build $kernel"
		echo "nothing was built for $kernel" >"$JOBS_DIR/$1.error"
		job_report "$1"
	fi
	[[ $state == ended ]]
}

jobs_reap() {
	local i
	# The number of one that ended may be another process's soon.
	CHILDREN=()
	for i in "${!JOBS[@]}"; do
		[[ ${JOB_STATE[i]} == running ]] || continue
		if kill -0 "${JOB_PID[i]}" 2>/dev/null; then
			CHILDREN+=("${JOB_PID[i]}")
			continue
		fi
		wait "${JOB_PID[i]}" && JOB_STATE[i]=ended || JOB_STATE[i]=failed
		[[ ${JOBS[i]} != build\ * ]] || kernel_keep "${JOBS[i]##* }"
		((JOBS_FREE += JOB_CPUS[i]))
		JOBS_LAST=$(job_text "$i")
		job_report "$i"
	done
}

# "build 6.12", "style", "kvm-api-svm svm 6.12".
job_text() {
	local text=${JOBS[$1]/ - / }
	text=${text% -}
	echo "${text% local}"
}

jobs_progress() {
	local i text='' done=0
	for i in "${!JOBS[@]}"; do
		case ${JOB_STATE[i]} in
		running) text+="${text:+, }$(job_text "$i") $((SECONDS - JOB_START[i])) s$(job_tells "$i")" ;;
		ended | failed) ((++done)) ;;
		esac
	done
	[[ -z $text ]] || status_slow "[$done/${#JOBS[@]}] $text"
}

# ", 12 ok" while suites run; what a build does.
job_tells() {
	local log=$JOBS_DIR/$1.output n
	if [[ ${JOBS[$1]} == build\ * ]]; then
		log=$(tail -n 1 "$JOBS_DIR/$1.error" 2>/dev/null)
		echo "${log:+ ($log)}"
		return
	fi
	n=$(grep -cas '^ok ' "$log" "$(cat "$JOBS_DIR/$1.dir" 2>/dev/null)/output.log" |
		awk -F : '{ n += $NF } END { print n + 0 }')
	((n == 0)) || echo ", $n ok"
}

# One job, in a subshell. Leaves N.SUITE.result for each suite (problems, then the COUNTS
# line), N.seconds and N.cpu, and a line for each boot in N.boots.
job_run() {
	local base=$JOBS_DIR/$1 label host kernel start=$SECONDS rc outer=${LAB_BOOTS:-}
	read -r label host kernel <<<"${JOBS[$1]}"
	CHILDREN=()
	trap end_children EXIT
	trap 'exit 143' TERM
	export LAB_BOOTS=$base.boots
	: >"$LAB_BOOTS"
	budget_timeout "${JOBS[$1]}"
	case $host in
	-) build_all "$kernel" "$JOBS_MODULES" 2>"$base.error" ;;
	local) job_local "$base" "${JOB_SUITES[$1]}" ;;
	*)
		# shellcheck disable=SC2086 # a word for each suite
		job_guest "$base" "$label" "$host" "$kernel" ${JOB_SUITES[$1]}
		;;
	esac
	rc=$?
	echo "$((SECONDS - start))" >"$base.seconds"
	job_cpu_seconds "$base"
	# This check may be a job of another one.
	[[ -z $outer ]] || cat "$base.boots" >>"$outer"
	return "$rc"
}

# Of boots that took a second try.
jobs_warn_again() {
	local i dir
	for i in "${!JOBS[@]}"; do
		dir=$(cat "$JOBS_DIR/$i.dir" 2>/dev/null)
		[[ ! -s $dir/console-first.log ]] ||
			say "lab: warning: $(job_text "$i") booted twice, as its kernel died before the lab's init started: ${dir#"$ROOT/"}/console-first.log"
	done
}

# job_cpu_seconds BASE: BASE.cpu, of all processes of this job that have been waited for.
job_cpu_seconds() {
	# In a pipe it would be another shell's.
	times >"$1.times"
	awk '{
		for (i = 1; i <= NF; i++) {
			split($i, t, "[ms]")
			seconds += t[1] * 60 + t[2]
		}
	} END { printf "%.0f\n", seconds }' "$1.times" >"$1.cpu"
}

job_local() {
	local base=$1 name=$2
	suite_read "$name"
	cd "$ROOT" || return
	# In the background, so that this job can be ended.
	timeout "$((S_TIMEOUT > JOB_TIMEOUT ? S_TIMEOUT : JOB_TIMEOUT))" \
		bash -c "$S_COMMAND" >"$base.output" 2>&1 &
	CHILDREN+=("$!")
	wait "$!"
	job_judge "$?" '' '' "$base.output" >"$base.$name.part"
	mv "$base.$name.part" "$base.$name.result"
}

# job_guest BASE LABEL HOST KERNEL SUITE...: one boot. It may last as long as its suites
# may, and at least ten times as long as it usually takes.
job_guest() {
	local base=$1 label=$2 rc problem='' name timeout=0
	boot_defaults "$3" "$4"
	shift 4
	for name in "$@"; do
		suite_read "$name"
		((timeout += S_TIMEOUT))
	done
	B_NAME=$label B_CPUS=$S_CPUS B_MEM=$S_MEM B_TIMEOUT=$timeout B_MODULES=$S_MODULES B_QUIET=1
	boot_stretch
	((B_TIMEOUT >= JOB_TIMEOUT)) || B_TIMEOUT=$JOB_TIMEOUT
	boot_options "$S_OPTIONS"
	boot_folder
	echo "$B_DIR" >"$base.dir"
	boot_run sh -c "$(job_script "$@")" 2>"$base.error"
	rc=$?
	[[ $(cat "$B_DIR/verdict" 2>/dev/null) == exit\ * ]] ||
		problem=$(cat "$B_DIR/verdict" 2>/dev/null || cat "$base.error")
	job_judge_boot "$base" "$rc" "${problem:+host failed: $problem}" "$@"
	[[ -z $problem ]] || boot_last_lines | sed 's/^/    /' >"$base.explain"
}

# The suites of one boot, one after another, with lines between them that job_judge_boot
# looks for.
job_script() {
	local name
	for name in "$@"; do
		suite_read "$name"
		# shellcheck disable=SC2016 # the guest's
		printf 'echo "@suite %s"; sh -c %s; status=$?; printf "\\n@exit %%d\\n" $status\n' \
			"$name" "$(shell_quote "$S_COMMAND")"
	done
	# shellcheck disable=SC2016 # the guest's
	echo 'exit $status'
}

# The options column of suites and benches.
boot_options() {
	local option
	for option in ${1//,/ }; do
		case $option in
		icount) B_ICOUNT=1 B_MIPS=1000 ;;
		numa) B_NUMA=1 ;;
		one-thread) B_ONE_THREAD=1 ;;
		qemu) B_QEMU=$(host_qemu_release) ;;
		qemu=*) B_QEMU=${option#qemu=} ;;
		mips=*) B_MIPS=${option#mips=} ;;
		mitigations=*) boot_set_mitigations "${option#mitigations=}" ;;
		append=*) B_APPEND+=" ${option#append=}" ;;
		- | exit | sleepy | boot=*) ;;
		*) die "tests/lab: unknown option: $option" ;;
		esac
	done
}
