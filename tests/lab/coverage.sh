# shellcheck shell=bash
# ./lab check --coverage: what of the modules the suites of the kernel debug run. Its
# modules count by gcov; init hands the counts over at the end of each boot.
#
# $OUT/coverage gets lcov's pages, modules.info, and uncovered.txt: each line and each
# error label that did not run, with the reason that $LAB/uncovered gives.

COVERAGE_WANTED=90

coverage_report() {
	local report=$OUT/coverage
	rm -rf "$report"
	mkdir -p "$report"
	if ! step "merging the coverage of all boots" coverage_collect "$report" ||
		! step "writing $report" coverage_pages "$report"; then
		RESULTS+=("0 1 0")
		return
	fi
	echo
	coverage_judge "$report"
	say "Coverage, line by line: $report/index.html"
}

# modules.info: all boots with all builds.
coverage_collect() {
	local report=$1 build rc='lcov_branch_coverage=1' parts=()
	for build in "$OUT"/build/*-coverage; do
		coverage_merge "$build" "$report/counts" || continue
		lcov -q --rc $rc --capture --directory "$build" --output-file "$report/all.info" &&
			lcov -q --rc $rc --extract "$report/all.info" "$build/ksmdev/*" "$build/kvmlite/*" \
				--output-file "$report/${build##*/}.info" || return
		sed -i "s|^SF:$build/|SF:$ROOT/|" "$report/${build##*/}.info"
		parts+=(-a "$report/${build##*/}.info")
		rm -rf "$report/all.info" "$report/counts"
	done
	lcov -q --rc $rc "${parts[@]}" --output-file "$report/modules.info"
}

# The counts of each boot have the layout of BUILD, under its full path. Fails if no
# boot had that build.
coverage_merge() {
	local build=$1 counts=$2 dir boot n=0
	find "$build" -name '*.gcda' -delete
	rm -rf "$counts"
	for dir in "$JOBS_DIR"/*.dir; do
		boot=$(<"$dir")/files/coverage$build
		[[ -d $boot ]] || continue
		((n++ == 0)) && cp -a "$boot" "$counts" && continue
		rm -rf "$counts.part"
		gcov-tool merge -o "$counts.part" "$counts" "$boot" || return
		rm -rf "$counts" && mv "$counts.part" "$counts" || return
	done
	((n > 0)) && cp -a "$counts/." "$build"
}

coverage_pages() {
	genhtml -q --branch-coverage --legend --title "kvmlite and ksmdev" --prefix "$ROOT" \
		--output-directory "$1" "$1/modules.info"
}

# Each module's lines and error labels count as a test.
coverage_judge() {
	local report=$1 ok line
	gawk -v root="$ROOT/" -v wanted="$COVERAGE_WANTED" -v reasons="$LAB/uncovered" \
		-v list="$report/uncovered.txt" -f "$LAB/coverage.awk" "$report/modules.info" \
		>"$report/summary.txt"
	cat "$report/summary.txt"
	while read -r ok line; do
		case $ok in
		ok) RESULTS+=("1 0 0") ;;
		FAIL) RESULTS+=("0 1 0") ;;
		esac
	done <"$report/summary.txt"
}
