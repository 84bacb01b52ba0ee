# shellcheck shell=bash
# The table of suites.

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
