# shellcheck shell=bash
# The folders of the lab: OUT, what is built and logged, and CACHE, what is downloaded. A
# mark in them says that the lab made them, and that clean may remove all there is.

FOLDER_MARK=.kvmlite-lab

# MiB that must be free there: for the first builds, then for those that come; a debug
# kernel asks for more by itself (debug.sh). And what the parts of an image that are
# made for one boot take in the folder of temporary files.
OUT_ROOM=2000 OUT_ROOM_LATER=300
CACHE_ROOM=1000 CACHE_ROOM_LATER=100
TEMPORARY_ROOM=300

# folders_set: OUT and CACHE, as full paths, since parts of the lab run elsewhere.
folders_set() {
	OUT_USUAL=$ROOT/out
	CACHE_USUAL=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/kvmlite-lab
	OUT=$(realpath -ms -- "${LAB_OUT:-$OUT_USUAL}") &&
		CACHE=$(realpath -ms -- "${LAB_CACHE:-$CACHE_USUAL}") || exit
	# Suites call the lab again.
	[[ -z ${LAB_OUT:-} ]] || export LAB_OUT=$OUT
	[[ -z ${LAB_CACHE:-} ]] || export LAB_CACHE=$CACHE
}

# Before anything is fetched: both folders can be worked in.
folders_need() {
	local out=$OUT_ROOM cache=$CACHE_ROOM
	[[ ! -d $OUT/image ]] || out=$OUT_ROOM_LATER
	[[ ! -d $CACHE/kernels ]] || cache=$CACHE_ROOM_LATER
	path_need "$ROOT" "move the clone"
	folder_need "$OUT" LAB_OUT "$out"
	folder_need "$CACHE" LAB_CACHE "$cache"
	folder_room "${TMPDIR:-/tmp}" TMPDIR "$TEMPORARY_ROOM"
}

# path_need PATH WHAT-TO-DO: kbuild builds no modules in a path with blanks or colons,
# emulators take commas for the end of a path, and the shells between have a use for
# the others.
path_need() {
	[[ $1 != *[[:space:]:,\;\'\"\`\\\|\&\$\*\?\(\)\<\>\[\]\#%]* ]] ||
		die "kernel modules cannot be built in $1, for a blank, colon or the like in its name: $2"
}

# folder_need FOLDER VARIABLE MIB: it is the lab's from now on.
folder_need() {
	local folder=$1 another="name another folder by $2" said
	path_need "$folder" "$another"
	said=$(mkdir -p "$folder" 2>&1) || die "${said#mkdir: }: $another"
	folder_is_ours "$folder" ||
		die "$folder is not empty and not made by the lab: $another"
	said=$(find "$folder/" -maxdepth 1 ! -type l ! -writable -print -quit 2>&1)
	[[ -z $said ]] || die "cannot write to $said: $another"
	folder_room "$folder" "$2" "$3"
	folder_mark "$folder" || die "cannot write to $folder: $another"
}

# folder_room FOLDER VARIABLE MIB
folder_room() {
	local free another="name another folder by $2"
	free=$(folder_free "$1")
	[[ $free ]] || die "there is no folder $1: $another"
	((free >= $3)) ||
		die "$1 has $free MiB free, and $3 are needed: make room there, or $another"
}

folder_free() {
	df --output=avail -m "$1" 2>/dev/null | awk 'NR == 2 { print $1 }'
}

# After a failure: what may be the cause of it.
folders_full() {
	local folder free
	for folder in "$OUT" "$CACHE" "${TMPDIR:-/tmp}"; do
		[[ -d $folder ]] || continue
		free=$(folder_free "$folder")
		((free >= 10)) || say "lab: the disk of $folder is full: $free MiB free"
	done
}

# Marked, or with nothing to lose; and neither the clone nor the user's home is in it.
folder_is_ours() {
	local real precious
	real=$(readlink -f "$1")
	for precious in "$ROOT" "$(readlink -f "${HOME:-/root}")"; do
		[[ ${precious%/}/ != "${real%/}"/* ]] || return
	done
	[[ -e $1/$FOLDER_MARK || -z $(find "$1/" -mindepth 1 -print -quit 2>/dev/null) ]] ||
		folder_is_older "$1"
}

# The usual folders of a lab that made no marks.
folder_is_older() {
	case $1 in
	"$OUT_USUAL") [[ -d $1/build || -d $1/log || -d $1/fuzz ]] ;;
	"$CACHE_USUAL") [[ -d $1/kernels || -d $1/scripts ]] ;;
	*) false ;;
	esac
}

# The mark is the first that is written there: others that begin meanwhile see it.
folder_mark() {
	[[ -e $1/$FOLDER_MARK ]] ||
		echo "Made by ./lab of kvmlite: ./lab clean removes all that is here." >"$1/$FOLDER_MARK"
}

# folder_remove FOLDER: the mark goes last, so that clean can go on where it was
# interrupted. A symlink is the user's, and stays with an empty folder behind it.
folder_remove() {
	local folder=$1
	[[ -d $folder ]] || return 0
	folder_mark "$folder" &&
		find "$folder/" -mindepth 1 -maxdepth 1 ! -name "$FOLDER_MARK" \
			-exec rm -rf --one-file-system {} + &&
		rm -f "$folder/$FOLDER_MARK" || return
	[[ -L $folder ]] || mountpoint -q "$folder" || rmdir "$folder"
}
