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

# The label of the boot that the suite that was read last shares with others, or its own
# name. Who shares a boot has the same one, but for the command.
suite_boot() {
	local boot=,$S_OPTIONS,
	[[ $boot == *,boot=* ]] || {
		echo "$S_NAME"
		return
	}
	boot=${boot#*,boot=}
	echo "${boot%%,*}"
}

# Lines of the table that share a boot and want another one each.
suites_unlike() {
	awk '!/^#/ && match($9, /(^|,)boot=[^,]*/) {
		boot = substr($9, RSTART, RLENGTH)
		sub(/^,/, "", boot)
		like = $3 " " $5 " " $6 " " $8 " " $9
		if (boot in seen && seen[boot] != like)
			print $1
		seen[boot] = like
	}' "$SUITES"
}

# Names that more than one line has.
suites_twice() {
	suite_names | sort | uniq -d
}

# With "all" before what runs only with --all, or by its name.
suite_list() {
	local name when
	for name in $(suite_names); do
		suite_read "$name"
		when=$S_KIND
		[[ ,$S_KERNELS != *,[!\(]* ]] && when=all
		printf '%-18s %-5s %-10s %-14s %s\n' "$name" "$when" "$S_HOSTS" "$S_KERNELS" "$S_COMMAND"
	done
}
