# Reads the TAP (Test Anything Protocol) of one suite. Prints the problems for
# people, then one line for the lab: "COUNTS passed failed skipped".
#
# Set with -v: exit_status, the command's; host_problem, in words when the host
# failed; lost, in words when output was. Each of the first two is a failure of
# its own, as are a missing plan and tests that the plan promised and that did
# not come. A skipped test is never a passed one. Several programs may follow
# one another: their plans add up. Only lines at the left margin count: subtests
# are indented.

function problem(text)
{
	print "    " text
	failed++
}

{
	sub(/\r$/, "")
	last = $0
}

# How it ended, when that is not as it should be.
function end_text()
{
	return "exit status " exit_status (lost ? "; " lost : "") "; last line: " last
}

/^1\.\.[0-9]+/ {
	promised = substr($1, 4) + 0
	plan += promised
	planned = 1
	if (promised == 0 && toupper($0) ~ /# *SKIP/)
		skipped++
	next
}

/^Bail out!/ {
	problem($0)
	next
}

/^(not )?ok([ \t]|$)/ {
	seen++
	failing = 0
	if (toupper($0) ~ /# *SKIP/) {
		skipped++
	} else if ($1 == "ok") {
		passed++
	} else {
		problem($0)
		for (i = 0; i < before; i++)
			print "      " diagnostics[i]
		failing = 1
	}
	before = 0
	next
}

# Diagnostics stand before or after the result they explain.
/^#/ {
	if (failing)
		print "      " $0
	else if (before < 20)
		diagnostics[before++] = $0
	next
}

END {
	if (host_problem != "")
		problem(host_problem)
	else if (!planned)
		problem("no TAP plan (1..N) in the output; " end_text())
	else if (seen != plan)
		problem("planned " plan " tests, ran " seen + 0 "; " end_text())
	if (host_problem == "" && exit_status != 0 && failed == 0)
		problem("exit status " exit_status " though no test failed")
	print "COUNTS", passed + 0, failed + 0, skipped + 0
}
