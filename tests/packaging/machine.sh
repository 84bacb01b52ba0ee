#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# machine.sh FOLDER RELEASE KERNELDIR COMMAND...: as if on a machine that runs this
# kernel and has nothing of ours: a mount namespace with changes of /usr/lib,
# /usr/local, /usr/src and /var/lib/dkms of its own, below FOLDER. What stays there
# from one command is there for the next; the machine itself is not touched.
# Status 77 if that cannot be done here: by who is not root, in some containers.

set -u
if [[ -z ${MACHINE:-} ]]; then
	unshare -m true 2>/dev/null || exit 77
	MACHINE=1 exec unshare -m "$0" "$@"
fi
folder=$1 release=$2 kerneldir=$3
shift 3

for part in usr/lib usr/local usr/src var/lib/dkms; do
	mkdir -p "$folder/$part/changes" "$folder/$part/work"
	mount -t overlay overlay -o "lowerdir=/$part,upperdir=$folder/$part/changes,workdir=$folder/$part/work" \
		"/$part" 2>/dev/null || exit 77
done
mkdir -p "/usr/lib/modules/$release" "$folder/bin"
ln -sfn "$kerneldir" "/usr/lib/modules/$release/build"
printf '#!/bin/sh\n[ "$*" != -r ] || exec echo "%s"\nexec /bin/uname "$@"\n' "$release" \
	>"$folder/bin/uname"
# Who gets here is root.
printf '#!/bin/sh\nexec "$@"\n' >"$folder/bin/sudo"
chmod +x "$folder/bin/uname" "$folder/bin/sudo"
PATH=$folder/bin:$PATH exec "$@"
