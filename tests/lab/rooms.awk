# Who calls whom among the files of a module, against the order of its folders:
# awk -v module=NAME -f rooms.awk TABLE SOURCE... (the module's *.c and *.h, from its
# folder). A line for each call that goes up and each circle; then the status is 1.
#
# A name counts as a call wherever it stands in the code of another file. A header belongs
# to the source beside it. Definitions begin in the first column.

function strip(line,    i) {
	gsub(/"([^"\\]|\\.)*"/, "", line)
	while (in_comment || (i = index(line, "/*"))) {
		if (!in_comment) {
			rest = substr(line, i + 2)
			line = substr(line, 1, i - 1)
			in_comment = 1
		} else {
			rest = line
			line = ""
		}
		if (!(i = index(rest, "*/")))
			return line
		in_comment = 0
		line = line " " substr(rest, i + 2)
	}
	return line
}

function folder(file) {
	return file ~ /\// ? substr(file, 1, index(file, "/") - 1) : file
}

function circle_of(file) {
	return file in member ? member[file] : file
}

function fail(text) {
	print text
	status = 1
}

# ---- the table ----

FILENAME == ARGV[1] {
	if ($1 != module)
		next
	if ($2 == "order") {
		for (i = 3; i <= NF; i++) {
			n = split($i, names, "|")
			for (k = 1; k <= n; k++)
				rank[names[k]] = i
		}
	} else {
		for (i = 3; i <= NF; i++)
			member[$i] = $3
	}
	next
}

# ---- sources ----

FNR == 1 {
	file = FILENAME
	sub(/\.[ch]$/, "", file)
	is_header = FILENAME ~ /\.h$/
	files[file]
	in_comment = 0
	if (!(folder(file) in rank))
		fail(file ": its folder has no place in tests/lab/rooms")
}

/^#include/ { next }

{
	line = strip($0)
	# static const struct x name = and name( of a definition; not of a declaration.
	if (!is_header && line ~ /^[a-zA-Z_]/ && line !~ /^(static|extern|typedef)/ && line !~ /;$/ ) {
		text = line
		sub(/[(=[;].*/, "", text)
		n = split(text, words, /[^a-zA-Z0-9_]+/)
		name = words[n] != "" ? words[n] : words[n - 1]
		if (name ~ /^kvml_|^ksm_/)
			defined[name] = file
	}
	n = split(line, words, /[^a-zA-Z0-9_]+/)
	for (i = 1; i <= n; i++)
		if (words[i] ~ /^(kvml_|ksm_)/ && !is_header)
			used[file, words[i]] = FNR
}

# ---- the answer ----

# Takes away who calls nobody that is left (1), or is called by nobody (2): in no circle.
function peel(side,    gone, busy, pair, p, file) {
	do {
		gone = 0
		split("", busy)
		for (pair in calls) {
			split(pair, p, SUBSEP)
			if (p[1] in left && p[2] in left)
				busy[p[side]]
		}
		for (file in left)
			if (!(file in busy)) {
				delete left[file]
				gone = 1
			}
	} while (gone)
}

END {
	for (pair in used) {
		split(pair, p, SUBSEP)
		if (!(p[2] in defined) || defined[p[2]] == p[1])
			continue
		to = defined[p[2]]
		a = folder(p[1])
		b = folder(to)
		if (rank[a] > rank[b])
			fail(p[1] ".c:" used[pair] ": calls up: " p[2] "() of " to ".c")
		else if (a != b && rank[a] == rank[b])
			fail(p[1] ".c:" used[pair] ": calls its neighbour: " p[2] "() of " to ".c")
		if (circle_of(p[1]) != circle_of(to))
			calls[circle_of(p[1]), circle_of(to)]
	}
	for (file in files)
		left[circle_of(file)]
	for (file in member)
		if (!(file in files))
			fail(file ": in tests/lab/rooms, but not there")
	peel(1)
	peel(2)
	for (file in left)
		fail(file ".c: in a circle of calls")
	exit status
}
