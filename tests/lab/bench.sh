# shellcheck shell=bash
# ./lab bench: measurements against the kernel's own, one boot for each kernel;
# a table for people and out/bench/SUITE.csv for programs.

BENCHES=${LAB_BENCHES:-$LAB/benches}
BENCH_HEADER=case,host,kernel,metric,unit,ours,peer,ratio

bench_names() {
	awk '!/^#/ && NF && !seen[$1]++ { print $1 }' "$BENCHES"
}

lab_bench() {
	local names=() name rc=0 only_kernel=
	while (($# > 0)); do
		case $1 in
		--list)
			bench_names
			return
			;;
		--kernel)
			only_kernel=${2:?--kernel needs a value}
			shift
			;;
		-*) die "unknown option: $1 (./lab help lists them)" ;;
		*) names+=("$1") ;;
		esac
		shift
	done
	((${#names[@]} > 0)) || mapfile -t names < <(bench_names)
	[[ -z $only_kernel ]] || kernel_exists "$only_kernel"
	for name in "${names[@]}"; do
		bench_lines "$name" >/dev/null
	done
	packages_need run bench
	for name in "${names[@]}"; do
		bench_suite "$name" "$only_kernel" || rc=1
	done
	return "$rc"
}

# A measurement has a line for each way to boot.
bench_lines() {
	awk -v name="$1" '$1 == name { print; found = 1 } END { exit !found }' "$BENCHES" ||
		die "no such measurement: $1 (./lab bench --list names them)"
}

bench_suite() {
	local line lines csv=$OUT/bench/$1.csv rc=0
	mkdir -p "$OUT/bench"
	echo $BENCH_HEADER >"$csv"
	mapfile -t lines < <(bench_lines "$1")
	for line in "${lines[@]}"; do
		bench_hosts "$line" "$2" "$csv" || rc=1
	done
	say
	bench_table "$csv"
	bench_plot "$1" "$csv"
	return "$rc"
}

# bench_hosts LINE ONLY-KERNEL CSV
bench_hosts() {
	local only_kernel=$2 csv=$3 name hosts kernels cpus mem timeout modules options command
	local host kernel rc=0
	read -r name hosts kernels cpus mem timeout modules options command <<<"$1"
	for host in ${hosts//,/ }; do
		for kernel in ${kernels//,/ }; do
			[[ -z $only_kernel || $kernel == "$only_kernel" ]] || continue
			boot_defaults "$host" "$kernel"
			B_NAME=bench-$name B_CPUS=$cpus B_MEM=$mem B_TIMEOUT=$timeout
			B_MODULES=${modules#-} B_QUIET=1 B_STATUS="measuring $name on $host $kernel"
			boot_options "$options"
			bench_boot "$csv" "$command" || rc=1
		done
	done
	return "$rc"
}

bench_boot() {
	local csv=$1 rc
	build_all "$B_KERNEL" "$B_MODULES"
	boot_run sh -c "$2"
	rc=$?
	if [[ $(<"$B_DIR/verdict") != exit\ * ]]; then
		boot_explain
		return 1
	fi
	bench_rows "$B_DIR/output.log" >>"$csv"
	if ((rc != 0)); then
		say "lab: $B_NAME on $B_HOST $B_KERNEL ended with status $rc (all of it: $B_DIR/output.log):"
		tail -n 20 "$B_DIR/output.log" | sed 's/^/  | /' >&2
		return 1
	fi
	if ! grep -qa '^BENCH,' "$B_DIR/output.log"; then
		say "lab: $B_NAME on $B_HOST $B_KERNEL printed no figures"
		return 1
	fi
}

bench_rows() {
	awk -F , -v OFS=, -v host="$B_HOST" -v kernel="$B_KERNEL" '
		{ sub(/\r$/, "") }
		$1 == "BENCH" {
			ratio = $6 + 0 != 0 && $5 != "" ? sprintf("%.4g", $5 / $6) : ""
			print $2, host, kernel, $3, $4, $5, $6, ratio
		}' "$1"
}

# Names to the left, figures to the right.
bench_table() {
	awk -F , '
		{
			for (i = 1; i <= NF; i++) {
				cell[NR, i] = $i
				if (length($i) > width[i])
					width[i] = length($i)
			}
		}
		END {
			for (n = 1; n <= NR; n++) {
				for (i = 1; i <= 8; i++)
					printf "%" (i < 6 ? "-" : "") width[i] "s%s", cell[n, i], i < 8 ? "  " : "\n"
			}
		}' "$1"
	say "(as CSV: $1)"
}

bench_plot() {
	local script=$ROOT/tests/bench/$1.gp
	[[ ! -e $script ]] || (($(wc -l <"$2") < 2)) ||
		gnuplot -c "$script" "$2" >&2 || say "lab: could not plot $2"
}
