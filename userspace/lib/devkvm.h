/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Programs open /dev/kvm and nothing else: here they find another device there.
 * The mounts are in a namespace of the process and its children and go with
 * them; the machine's /dev stays as it is.
 */
#ifndef KVMLITE_DEVKVM_H
#define KVMLITE_DEVKVM_H

/*
 * From now on this process has @device as /dev/kvm.  Who is not root gets a
 * user namespace for it, as himself.  An exit status, after a word.
 */
int devkvm_replace(const char *device);

#endif /* KVMLITE_DEVKVM_H */
