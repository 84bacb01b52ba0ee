# From lcov's .info: per module, how much of its lines, branches and error labels ran;
# and what did not, with the reason of the file "reasons" (path|function|why).
#
# An error label is one that a function goes to; it was reached if one of its gotos
# ran. A goto that has no code of its own (the compiler made it part of the branch)
# is taken to have run if the label's first line did.

BEGIN {
	while ((getline line < reasons) > 0) {
		if (line ~ /^#/ || line !~ /\|/)
			continue
		split(line, part, "|")
		why[part[1], part[2]] = part[3]
	}
	printf "" > list
}

/^SF:/ {
	path = substr($0, 4)
	file = substr(path, length(root) + 1)
	module = file
	sub(/\/.*/, "", module)
	modules[module]
	delete runs
}
/^DA:/ {
	split(substr($0, 4), part, ",")
	runs[part[1] + 0] = part[2] + 0
	lines[module]++
	lines_ran[module] += part[2] > 0
}
/^BRDA:/ {
	branches[module]++
	branches_ran[module] += $0 !~ /,(-|0)$/
}
/^end_of_record/ { source_read() }

function uncovered(number, what,    reason) {
	reason = ((file, at) in why) ? why[file, at] : ""
	missing[module]++
	unexplained[module] += reason == ""
	print file ":" number ": " at "(): " what "\t" (reason == "" ? "NO REASON GIVEN" : reason) > list
}

# at is the function: kernel style begins it, and its end, in the first column.
function source_read(    number, line, word, name) {
	number = 0
	at = ""
	delete label_line
	delete goto_known
	delete goto_ran
	while ((getline line < path) > 0) {
		number++
		if (line ~ /^[a-zA-Z].*\(/ && line !~ /;$/) {
			word = line
			sub(/\(.*/, "", word)
			sub(/.*[ *]/, "", word)
			at = word
		}
		if (line ~ /^[a-z_][a-z0-9_]*:$/)
			label_line[substr(line, 1, length(line) - 1)] = number
		if (match(line, /goto [a-z_][a-z0-9_]*;/)) {
			name = substr(line, RSTART + 5, RLENGTH - 6)
			if (number in runs) {
				goto_known[name] = 1
				goto_ran[name] += runs[number]
			}
		}
		if (number in runs && runs[number] == 0) {
			word = line
			sub(/^[ \t]+/, "", word)
			uncovered(number, word)
		}
		if (line == "}") {
			for (name in label_line)
				label_judge(name, label_line[name], number)
			delete label_line
			delete goto_known
			delete goto_ran
		}
	}
	close(path)
}

function label_judge(name, number, end,    n) {
	labels[module]++
	if (name in goto_known) {
		if (goto_ran[name] > 0) {
			labels_ran[module]++
			return
		}
	} else {
		for (n = number; n <= end; n++)
			if (n in runs)
				break
		if (n <= end && runs[n] > 0) {
			labels_ran[module]++
			return
		}
	}
	uncovered(number, "label " name)
}

function percent(some, all) {
	return all ? 100 * some / all : 100
}

function judge(what, some, all) {
	printf "%-4s  %-8s %-12s %5.1f %% (%d of %d; %d %% wanted)\n",
		percent(some, all) >= wanted ? "ok" : "FAIL", module, what,
		percent(some, all), some, all, wanted
}

END {
	n = asorti(modules, names)
	for (i = 1; i <= n; i++) {
		module = names[i]
		judge("lines", lines_ran[module], lines[module])
		judge("error labels", labels_ran[module], labels[module])
		printf "      %-8s %-12s %5.1f %% (%d of %d)\n", module, "branches",
			percent(branches_ran[module], branches[module]), branches_ran[module], branches[module]
		printf "      %-8s uncovered: %d lines and labels, %d of them without a reason\n",
			module, missing[module], unexplained[module]
	}
	print "      uncovered lines and their reasons: " list
}
