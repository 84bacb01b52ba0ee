/* SPDX-License-Identifier: GPL-2.0 */
/* kvmlitectl: watch and control /dev/kvmlite and the modules. */
#ifndef KVMLITECTL_H
#define KVMLITECTL_H

#include <stddef.h>

#include "array.h"
#include "command.h"
#include "report.h"

#define KVMLITE_DEVICE	"/dev/kvmlite"
#define KSM_DEVICE	"/dev/ksm"
#define KVM_DEVICE	"/dev/kvm"

int cmd_check(int argc, char **argv);
int cmd_load(int argc, char **argv);
int cmd_unload(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_vms(int argc, char **argv);
int cmd_stats(int argc, char **argv);
int cmd_exec(int argc, char **argv);
int cmd_metrics(int argc, char **argv);

#endif /* KVMLITECTL_H */
