# shellcheck shell=bash
# Packages of any Debian release, for what the lab runs and builds with but never
# installs: kernels, emulators, build roots. apt works with a state of the lab's own in
# $CACHE/apt/RELEASE, where nothing is installed; the mirrors, proxies and keys are
# those of this machine.
#
# RELEASE is a release's code name, with its updates and security fixes (bookworm),
# or its backports (trixie-backports).

RELEASE_KEYS=/usr/share/keyrings/debian-archive-keyring.gpg

# Where this machine gets its Debian from; release_mirror security: its security fixes.
# A mirror without lists of them has them beside it. Without any list apt does not tell.
release_mirror() {
	local kind=${1:-} site
	site=$(release_site "$kind")
	if [[ -z $site && -z $kind ]]; then
		apt_refresh now
		site=$(release_site)
	fi
	if [[ -z $site && $kind ]]; then
		site=$(release_mirror)
		site=${site:+${site%/}-$kind}
	fi
	echo "$site"
}

# release_site [KIND]: of this machine's release, by apt's lists. Vendors have lists for
# it as well.
release_site() {
	local codename kind=${1:-}
	# shellcheck source=/dev/null
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	# shellcheck disable=SC2016 # apt's variables
	apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(SITE)' 'Created-By: Packages' 2>/dev/null |
		awk -v codename="$codename${kind:+-$kind}" '$1 == "Debian" && $2 == codename { print $3; exit }'
}

# The lines of sources.list for one release.
release_sources() {
	local release=$1 base=${1%-backports} mirror security from
	mirror=$(release_mirror) security=$(release_mirror security)
	[[ $mirror ]] || {
		say "lab: apt's sources on this machine name no Debian mirror"
		return 1
	}
	from="deb [signed-by=$RELEASE_KEYS] $mirror"
	echo "$from $base main"
	[[ $base != sid ]] || return 0
	[[ $release == "$base" ]] || echo "$from $release main"
	echo "deb [signed-by=$RELEASE_KEYS] $security $base-security main"
}

# release_apt RELEASE PROGRAM ARGUMENT...: apt-get or apt-cache with that state. It
# belongs to who runs the lab.
release_apt() {
	local release=$1 program=$2 state=$CACHE/apt/$1
	shift 2
	"$program" -q -o APT::Sandbox::User="$(id -un)" -o Dir::Etc::SourceList="$state/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null -o Dir::State="$state" \
		-o Dir::State::Lists="$state/lists" -o Dir::State::Status="$state/status" \
		-o Dir::Cache="$state/cache" -o Dir::Cache::Archives="$state/archives" \
		-o Debug::NoLocking=1 -o Acquire::Languages=none "$@"
}

# release_lists RELEASE [now]: its package lists are there, and at most half a day old.
release_lists() {
	local release=$1 state=$CACHE/apt/$1 rc=0 lock
	mkdir -p "$state"/{lists/partial,archives/partial,cache}
	exec {lock}>"$state/.lock"
	flock "$lock"
	[[ ${2:-} != now && $(find "$state/updated" -mmin -720 2>/dev/null) ]] ||
		release_update "$release" "$state" || rc=1
	exec {lock}>&-
	return "$rc"
}

release_update() {
	local release=$1 state=$2
	: >"$state/status"
	release_sources "$release" >"$state/sources.list.part" &&
		mv "$state/sources.list.part" "$state/sources.list" &&
		step "updating the package lists of $release" release_apt "$release" apt-get \
			-o APT::Update::Error-Mode=any update && touch "$state/updated"
}

# release_version RELEASE PACKAGE: its newest version there; nothing when there is none.
# What a release's backports have comes from them.
release_version() {
	release_apt "$1" apt-cache show "$2" 2>/dev/null | awk '
		$1 == "Version:" { print $2 }' | sort -V | tail -n 1
}

# release_depends RELEASE PACKAGE: the names that it depends on, in its newest version.
release_depends() {
	release_apt "$1" apt-cache show "$2=$(release_version "$1" "$2")" 2>/dev/null |
		sed -n 's/^\(Pre-\)\?Depends: //p' | sed 's/([^)]*)//g; s/ *[,|] */\n/g; s/:any//g' |
		sed 's/ *$//' | sort -u
}

# release_fetch RELEASE FOLDER PACKAGE...: these packages alone, unpacked into FOLDER.
release_fetch() {
	local release=$1 folder=$2 work rc=0 package versions=()
	shift 2
	for package in "$@"; do
		versions+=("$package=$(release_version "$release" "$package")")
	done
	mkdir -p "$folder"
	work=$(mktemp -d "$folder.XXXX") || return
	(cd "$work" && release_apt "$release" apt-get download "${versions[@]}") &&
		release_unpack "$folder" "$work"/*.deb || rc=1
	rm -rf "$work"
	return "$rc"
}

# release_closure RELEASE FOLDER PACKAGE...: these packages and all that they depend on.
release_closure() {
	local release=$1 folder=$2 work rc=0
	shift 2
	mkdir -p "$folder"
	work=$(mktemp -d "$folder.XXXX") || return
	mkdir "$work/partial"
	release_apt "$release" apt-get -y --no-install-recommends --download-only \
		-o Dir::Cache::Archives="$work" install "$@" &&
		release_unpack "$folder" "$work"/*.deb || rc=1
	rm -rf "$work"
	return "$rc"
}

release_unpack() {
	local folder=$1 deb
	shift
	for deb in "$@"; do
		dpkg-deb -x "$deb" "$folder" || return
	done
}
