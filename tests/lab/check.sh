# shellcheck shell=bash
# ./lab check: which suites, with which kernels; the counts of all.

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
	[[ -z $(suites_twice) ]] || die "$SUITES: more than once: $(suites_twice | paste -sd ' ')"
	[[ -z $(suites_unlike) ]] || die "$SUITES: who shares a boot differs: $(suites_unlike | paste -sd ' ')"
	packages_need run check ${COVERAGE:+coverage}
	JOBS_BEGAN=$SECONDS
	jobs_run "$jobs"
	[[ -z $COVERAGE ]] || coverage_report
	check_summary
}

check_summary() {
	local result passed=0 failed=0 skipped=0 p f s
	for result in "${RESULTS[@]}"; do
		read -r p f s <<<"$result"
		((passed += p, failed += f, skipped += s))
	done
	budget_table | tee "$OUT/jobs"
	[[ $COVERAGE ]] || budget_warn
	jobs_warn_again
	rm -rf "$JOBS_DIR"
	echo
	counts_text "$passed" "$failed" "$skipped"
	((failed == 0 && passed > 0))
}
