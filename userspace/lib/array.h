/* SPDX-License-Identifier: GPL-2.0 */
#ifndef KVMLITE_ARRAY_H
#define KVMLITE_ARRAY_H

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#endif /* KVMLITE_ARRAY_H */
