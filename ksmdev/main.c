// SPDX-License-Identifier: GPL-2.0
/*
 * ksmdev: memory merging as files and as a device.
 *
 * Where to read on: area.h (what holds what, the locks), slot.h (states of a
 * page), fault.h, scan.h, domain.h, stable.h, register.h, fs.h; the ABI is in
 * include/uapi/linux/ksmdev.h.
 */
#include <linux/module.h>

#include "area.h"
#include "device.h"
#include "domain.h"
#include "fs.h"
#include "knobs.h"
#include "scand.h"
#include "sweep.h"
#include "sysfs.h"

static int __init ksm_init(void)
{
	int err = ksm_area_init();

	if (err)
		return err;
	err = ksm_domain_init();
	if (err)
		goto err_area;
	err = ksm_fs_init();
	if (err)
		goto err_domain;
	err = ksm_scand_set_threads(ksm_knobs.scan_threads);
	if (err)
		goto err_fs;
	err = ksm_device_init();
	if (err)
		goto err_scand;
	/*
	 * Last, and nothing that is in use is taken back: this fails only if another file
	 * system has the name.
	 */
	err = ksm_fs_register();
	if (err)
		goto err_device;
	ksm_debugfs_init();
	return 0;

err_device:
	ksm_device_exit();
	ksm_sweep_stop();
err_scand:
	ksm_scand_set_threads(0);
err_fs:
	ksm_fs_exit();
err_domain:
	ksm_domain_exit();
err_area:
	ksm_area_exit();
	return err;
}

static void __exit ksm_exit(void)
{
	ksm_debugfs_exit();
	ksm_fs_unregister();
	ksm_device_exit();
	ksm_sweep_stop();
	ksm_scand_set_threads(0);
	ksm_fs_exit();
	ksm_domain_exit();
	ksm_area_exit();
}

module_init(ksm_init);
module_exit(ksm_exit);

MODULE_DESCRIPTION("Merging of identical pages across processes and virtual machines, in files and by a device");
MODULE_VERSION(KVMLITE_VERSION);
MODULE_LICENSE("GPL");
