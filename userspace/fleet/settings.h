/* SPDX-License-Identifier: GPL-2.0 */
/* Values in /sys that an experiment changes and puts back. */
#ifndef FLEET_SETTINGS_H
#define FLEET_SETTINGS_H

/* Changes one, remembering what it was; an exit status, after a word. */
int settings_set(const char *folder, const char *name, const char *value);
int settings_set_number(const char *folder, const char *name, long long value);

/* All as they were, the last first. */
void settings_restore(void);

#endif /* FLEET_SETTINGS_H */
