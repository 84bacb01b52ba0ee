#!/bin/bash
# Models of the modules' protocols between threads, searched by spin (tests/models/README).
#
#   run.sh [MODEL...]            the suite models: TAP
#   run.sh --deep [MODEL...]     with larger bounds, some minutes
#   run.sh --renew [MODEL...]    the functions were looked at: their hashes as of now
#   run.sh --trail MODEL [OPTION...]   the steps of the error that spin finds

set -u -o pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
root=$here/../..
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tests=0
failed=0

die() {
	printf '%s\n' "$*" >&2
	exit 1
}

# result STATUS TEXT [DIAGNOSTICS]
result() {
	local not=
	((++tests))
	(($1 == 0)) || {
		not="not "
		((++failed))
	}
	echo "${not}ok - $2"
	(($1 == 0)) || printf '%s\n' "${3:-}" | sed 's/^/# /'
}

# ---- the functions that a model stands for ----

# functions_read MODULE: each function of it is a line: its name and parameters, a tab, its
# whole text. White space and comments are left out.
functions_read() {
	find "$root/$1" -name '*.[ch]' -exec cat {} + | gcc -fpreprocessed -dD -E -P -w - | awk '
		{
			text = $0
			gsub(/[ \t]/, "", text)
		}
		body {
			all = all text
			if (/^}/) {
				print name "\t" all
				body = 0
			}
			next
		}
		# A declaration begins, goes on, or has ended without a body.
		/^[A-Za-z_].*\(/ {
			all = text
			match($0, /[A-Za-z0-9_]+\(/)
			name = substr($0, RSTART)
			gsub(/[ \t]/, "", name)
			next
		}
		/^{/ && all != "" {
			all = all text
			body = 1
			next
		}
		/^[ \t]/ && all != "" {
			all = all text
			name = name text
			next
		}
		{ all = "" }' >"$work/functions.$1"
}

# function_hash MODULE FUNCTION: its name, with its first parameters where others have that
# name, too. Fails with a word about it unless there is one such function.
function_hash() {
	local wanted=${2//[[:space:]]/} found
	[[ $wanted == *\(* ]] || wanted+="("
	found=$(awk -F '\t' -v wanted="$wanted" 'index($1, wanted) == 1 { print $2 }' \
		"$work/functions.$1")
	case $(grep -c . <<<"$found") in
	0) echo "is not there" && return 1 ;;
	1) sha256sum <<<"$found" | cut -c 1-12 ;;
	*) echo "is there more than once" && return 1 ;;
	esac
}

# function_check MODEL HASH FUNCTION
function_check() {
	local hash name="${3%%(*}()"
	if ! hash=$(function_hash "$(module "$1")" "$3"); then
		result 1 "$1: $name is as modelled" "look at $1.pml again: $name $hash"
	else
		[[ $hash == "$2" ]]
		result $? "$1: $name is as modelled" "look at $1.pml again: $name changed
(what to do then: tests/models/README)"
	fi
}

# ---- the searches ----

# search_by COMPILER SECONDS MODEL [OPTION...]
search_by() {
	local compiler=$1 seconds=$2 model=$3 option body
	shift 3
	body=$(sed '1,/\*\//d' "$here/$model.pml")
	for option in "$@"; do
		grep -qw "${option%%=*}" <<<"$body" || {
			echo "the model has no option $option"
			return
		}
	done
	(
		cd "$work" || exit
		rm -f pan ./*.trail
		spin "${@/#/-D}" -a "$here/$model.pml" &&
			$compiler -w -DSAFETY -DMEMLIM="$MEMORY" $DEEP -o pan pan.c &&
			timeout "$seconds" ./pan -b -m"$DEPTH" -w18
	) 2>&1
}

# search MODEL [OPTION...]: what spin says of all orders, or up to the first error. An
# order that is longer than it can follow is an error, too. What takes a second only is
# not worth the time of a compiler that optimizes.
search() {
	search_by tcc 2 "$@"
	(($? != 124)) || search_by "gcc -O1" 0 "$@"
}

# holds TEXT MODEL [OPTION...]: the search was complete and found no error.
holds() {
	local text=$1 said states
	shift
	said=$(search "$@")
	states=$(awk '/ states, stored/ { print $1 }' <<<"$said")
	[[ $said == *"errors: 0"* && $said != *"not completed"* ]]
	result $? "$text holds, ${states:-no} states" "$(head -n 8 <<<"$said")"
}

# caught TEXT WORD MODEL [OPTION...]: an assertion with this word is violated.
caught() {
	local text=$1 word=$2 said violated
	shift 2
	said=$(search "$@")
	violated=$(grep 'assertion violated' <<<"$said")
	[[ $violated == *"$word"* ]]
	result $? "$text is caught" "expected: violated is an assertion with $word
$(head -n 8 <<<"$said")"
}

# ---- the rows in a model's head ----

# The module that a model is of: kvmlite, unless it has a row for that.
module() {
	local name
	name=$(sed -nE '1,/\*\//s/^ \*\tmodule\t//p' "$here/$1.pml")
	echo "${name:-kvmlite}"
}

rows() {
	sed -nE '1,/\*\//s/^ \*\t(function|holds|caught|deep)\t/\1 /p' "$here/$1.pml"
}

model_run() {
	local kind rest text
	while read -r kind rest; do
		text=${rest#*: }
		rest=${rest%%: *}
		[[ $text != "$rest" ]] || text=
		# shellcheck disable=SC2086 # options are words
		case $kind in
		function) function_check "$1" "${rest%%[[:space:]]*}" "${rest#*[[:space:]]}" ;;
		caught) caught "$1: ${rest#*[[:space:]]}${text:+ ($text)}" \
			"${rest%%[[:space:]]*}" "$1" ${rest#*[[:space:]]} ;;
		holds | deep)
			[[ $kind == deep && -z $DEEP ]] ||
				holds "$1: $rest${text:+ ($text)}" "$1" $rest
			;;
		esac
	done < <(rows "$1")
}

model_renew() {
	local kind old name hash
	while read -r kind old name; do
		[[ $kind == function ]] || continue
		hash=$(function_hash "$(module "$1")" "$name") || die "$1.pml: ${name%%(*}() $hash"
		[[ $hash != "$old" ]] || continue
		sed -i "s/^ \*\tfunction\t$old\t${name//\*/\\*}$/ *\tfunction\t$hash\t$name/" "$here/$1.pml"
		echo "$1.pml: ${name%%(*}()"
	done < <(rows "$1")
}

model_trail() {
	local model=$1
	search "$@"
	shift
	cd "$work" && spin "${@/#/-D}" -t -k "$model.pml.trail" -p -g "$here/$model.pml"
}

DEEP=
# MiB of states, and steps of an order; a search that wants more has failed.
MEMORY=2000
DEPTH=50000
action=run
case ${1:-} in
--deep) DEEP=-DCOLLAPSE MEMORY=8000 DEPTH=1000000 ;; # slower, smaller states
--renew | --trail) action=${1#--} ;;
-*) die "usage: run.sh [--deep | --renew] [MODEL...] | --trail MODEL [OPTION...]" ;;
*) set -- "" "$@" ;;
esac
shift
for tool in spin tcc; do
	[[ $action == renew ]] || command -v $tool >/dev/null || die "$tool is not there: a Debian package"
done
if [[ $action == trail ]]; then
	model_trail "$@"
	exit
fi
models=("$@")
(($# > 0)) || mapfile -t models < <(cd "$here" && basename -s .pml -- *.pml)
functions_read kvmlite
functions_read ksmdev
for model in "${models[@]}"; do
	[[ -e $here/$model.pml ]] || die "there is no model $model"
	"model_$action" "$model"
done
[[ $action == renew ]] || echo "1..$tests"
((failed == 0))
