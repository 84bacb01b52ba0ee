# shellcheck shell=bash
# ./lab bench: measurements against the kernel's own, one boot for each kernel;
# a table for people and out/bench/SUITE.csv for programs.

BENCHES=${LAB_BENCHES:-$LAB/benches}
BENCH_HEADER=case,host,kernel,metric,unit,ours,peer,ratio,mitigations

bench_names() {
	awk '!/^#/ && NF && !seen[$1]++ { print $1 }' "$BENCHES"
}

lab_bench() {
	local names=() name rc=0 kernel='' mitigations=''
	while (($# > 0)); do
		case $1 in
		--list)
			bench_names
			return
			;;
		--kernel | --mitigations)
			(($# > 1)) || die "$1 needs a value"
			local "${1#--}=$2"
			shift
			;;
		-*) die "unknown option: $1 (./lab help lists them)" ;;
		*) names+=("$1") ;;
		esac
		shift
	done
	((${#names[@]} > 0)) || mapfile -t names < <(bench_names)
	[[ -z $kernel ]] || kernel_exists "$kernel"
	[[ -z $mitigations ]] || boot_set_mitigations "$mitigations"
	for name in "${names[@]}"; do
		bench_lines "$name" >/dev/null
	done
	packages_need run bench
	for name in "${names[@]}"; do
		bench_suite "$name" "$kernel" "$mitigations" || rc=1
	done
	return "$rc"
}

# A measurement has a line for each way to boot.
bench_lines() {
	awk -v name="$1" '$1 == name { print; found = 1 } END { exit !found }' "$BENCHES" ||
		die "no such measurement: $1 (./lab bench --list names them)"
}

# bench_boots NAME ONLY-KERNEL ONLY-MITIGATIONS: "HOST KERNEL LINE" for each boot.
bench_boots() {
	local line name hosts kernels options host kernel
	bench_lines "$1" | while read -r line; do
		read -r name hosts kernels _ _ _ _ options _ <<<"$line"
		[[ -z $3 || $3 == "$(bench_mitigations "$options")" ]] || continue
		for host in ${hosts//,/ }; do
			for kernel in ${kernels//,/ }; do
				[[ -z $2 || $kernel == "$2" ]] || continue
				echo "$host $kernel $line"
			done
		done
	done
}

# Off, unless the options say otherwise: costs are those of the code alone then.
bench_mitigations() {
	if [[ ,$1, == *,mitigations=auto,* ]]; then
		echo auto
	else
		echo off
	fi
}

# bench_suite NAME ONLY-KERNEL ONLY-MITIGATIONS
bench_suite() {
	local boots boot csv=$OUT/bench/$1.csv rc=0
	mapfile -t boots < <(bench_boots "$@")
	if ((${#boots[@]} == 0)); then
		say "lab: $1 is not measured that way"
		return 0
	fi
	mkdir -p "$OUT/bench"
	echo $BENCH_HEADER >"$csv"
	for boot in "${boots[@]}"; do
		bench_boot "$boot" "$csv" || rc=1
	done
	say
	bench_table "$csv"
	bench_plot "$1" "$csv"
	return "$rc"
}

# bench_boot BOOT CSV: a boot of bench_boots.
bench_boot() {
	local host kernel name cpus mem timeout modules options command
	read -r host kernel name _ _ cpus mem timeout modules options command <<<"$1"
	boot_defaults "$host" "$kernel"
	B_MITIGATIONS=$(bench_mitigations "$options")
	B_NAME=bench-$name B_CPUS=$cpus B_MEM=$mem B_TIMEOUT=$timeout
	[[ $B_MITIGATIONS == off ]] || B_NAME+=-$B_MITIGATIONS
	B_MODULES=${modules#-} B_QUIET=1
	B_STATUS="measuring $name on $host $kernel, mitigations=$B_MITIGATIONS"
	boot_options "$options"
	build_all "$B_KERNEL" "$B_MODULES"
	boot_run sh -c "$command"
	bench_judge "$?" "$2"
}

# bench_judge STATUS CSV: the figures of the boot that has ended.
bench_judge() {
	local rc=$1 what="$B_NAME on $B_HOST $B_KERNEL"
	if [[ $(<"$B_DIR/verdict") != exit\ * ]]; then
		boot_explain
		return 1
	fi
	bench_rows "$B_DIR/output.log" >>"$2"
	if ((rc != 0)); then
		say "lab: $what ended with status $rc (all of it: $B_DIR/output.log):"
		tail -n 20 "$B_DIR/output.log" | sed 's/^/  | /' >&2
		return 1
	fi
	if ! grep -qa '^BENCH,' "$B_DIR/output.log"; then
		say "lab: $what printed no figures"
		return 1
	fi
}

bench_rows() {
	awk -F , -v OFS=, -v host="$B_HOST" -v kernel="$B_KERNEL" -v mitigations="$B_MITIGATIONS" '
		{ sub(/\r$/, "") }
		$1 == "BENCH" {
			ratio = $6 + 0 != 0 && $5 != "" ? sprintf("%.4g", $5 / $6) : ""
			print $2, host, kernel, $3, $4, $5, $6, ratio, mitigations
		}' "$1"
}

# Names to the left, figures (ours, peer, ratio) to the right.
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
				for (i = 1; i < 9; i++)
					printf "%" (i < 6 ? "-" : "") width[i] "s  ", cell[n, i]
				print cell[n, 9]
			}
		}' "$1"
	say "(as CSV: $1)"
}

bench_plot() {
	local script=$ROOT/tests/bench/$1.gp
	[[ ! -e $script ]] || (($(wc -l <"$2") < 2)) ||
		gnuplot -c "$script" "$2" >&2 || say "lab: could not plot $2"
}
