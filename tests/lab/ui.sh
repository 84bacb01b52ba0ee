# shellcheck shell=bash
# Messages and progress. Everything here goes to standard error, so that
# "lab run ... >file" holds the command's output and nothing else.

say() {
	printf '%s\n' "$*" >&2
}

die() {
	status_clear
	printf 'lab: %s\n' "$*" >&2
	exit 1
}

# LINES and COLUMNS of the user's terminal, for progress lines and for the guest. A
# serial line, or that of a container, may say 0 0.
terminal_size() {
	read -r LINES COLUMNS < <(stty size 2>/dev/null </dev/tty)
	((${LINES:-0} > 0 && ${COLUMNS:-0} > 0)) || LINES=24 COLUMNS=80
}

# A line on the terminal that the next one replaces; nothing elsewhere.
status() {
	[[ -t 2 ]] || return 0
	printf '\r%.*s\033[K' "${COLUMNS:-80}" "$*" >&2
}

status_clear() {
	[[ -t 2 ]] || return 0
	printf '\r\033[K' >&2
}

# The same, and a line a minute where there is no terminal.
status_slow() {
	status "$*"
	if [[ ! -t 2 ]] && ((SECONDS - ${STATUS_AT:=$SECONDS} >= 60)); then
		STATUS_AT=$SECONDS
		say "$*"
	fi
}

ticker() {
	local start=$SECONDS
	# A lock must not live on in the "sleep" of a ticker that was killed.
	[[ -z ${LOCK_FD:-} ]] || exec {LOCK_FD}>&-
	while sleep 1; do
		if [[ -t 2 ]]; then
			status "$1 ... $((SECONDS - start)) s"
		elif ((SECONDS - start == 2)); then
			say "$1 ..."
		elif (((SECONDS - start) % 30 == 0)); then
			say "$1 ... $((SECONDS - start)) s"
		fi
	done
}

# step TEXT COMMAND...: run something that may take long, its output hidden
# unless it fails. COMMAND stays in the foreground, so that Ctrl-C reaches it.
step() {
	local text=$1 log ticker_pid rc
	shift
	log=$(mktemp)
	ticker "$text" &
	ticker_pid=$!
	CHILDREN+=("$ticker_pid")
	"$@" >"$log" 2>&1 </dev/null
	rc=$?
	# A shell that has just been forked may lose any other signal.
	kill -9 "$ticker_pid"
	wait "$ticker_pid" 2>/dev/null
	unset 'CHILDREN[-1]'
	status_clear
	if ((rc != 0)); then
		tail -n 60 "$log" >&2
		say "lab: failed: $text"
		folders_full
	fi
	rm -f "$log"
	return "$rc"
}

# shell_quote ARG...: words that a POSIX shell reads back as the same words.
shell_quote() {
	local arg
	for arg in "$@"; do
		printf "'%s' " "${arg//\'/\'\\\'\'}"
	done
}

# lock_take FILE: one lab at a time downloads or builds; the others wait.
lock_take() {
	mkdir -p "$(dirname "$1")"
	exec {LOCK_FD}>"$1"
	flock -n "$LOCK_FD" && return
	say "waiting for another lab that is at it ..."
	flock "$LOCK_FD"
}

lock_drop() {
	exec {LOCK_FD}>&-
}
