# The command lines in a document, one a line: those of code blocks, where
# "block" precedes them, and those between quotes in the text, with "text".
# In Markdown a block of commands is one of "sh"; in reStructuredText it may
# be of anything.

function emit(kind, line)
{
	gsub(/^[ \t]+|[ \t]+$/, "", line)
	if (line != "")
		print kind "\t" line
}

# What stands between quotes; a span may go over the end of a line.
function spans(text, quote, part, i, count)
{
	count = split(text, part, quote)
	for (i = 2; i < count; i += 2)
		emit("text", part[i])
}

BEGIN { quote = FILENAME ~ /\.md$/ ? "`" : "``" }

FNR == 1 { markdown = FILENAME ~ /\.md$/; quote = markdown ? "`" : "``" }

# "\" at the end of a line: it goes on.
block_part != "" {
	gsub(/^[ \t]+/, "")
	$0 = block_part $0
	block_part = ""
}

markdown && /^```/ {
	fenced = !fenced
	commands = $0 == "```sh"
	next
}

!markdown && literal && /^[^ \t]/ { literal = 0 }

fenced && !commands { next }

fenced || literal && /^[ \t]/ {
	if (sub(/\\$/, "")) {
		block_part = $0
		next
	}
	emit("block", $0)
	next
}

{ prose = prose " " $0 }

!markdown && /::$/ && !/^\.\. / { literal = 1 }

END { spans(prose, quote) }
