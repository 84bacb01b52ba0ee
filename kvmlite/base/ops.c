// SPDX-License-Identifier: GPL-2.0
/* See ops.h. */

#include "base/ops.h"

const struct kvml_ops *kvml_ops __ro_after_init;
