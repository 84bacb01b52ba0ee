/* SPDX-License-Identifier: GPL-2.0 */
/* EFER.SVME (APM volume 2, 15.4). */
#ifndef _KVMLITE_SVM_HW_H
#define _KVMLITE_SVM_HW_H

/* Pages of a CPU. */
struct kvml_svm_pages {
	struct page *hsave;	/* the CPU's own, for VMRUN (15.30.4) */
	struct page *host;	/* a VMCB, for what VMSAVE saves of the host */
};

DECLARE_PER_CPU(struct kvml_svm_pages, kvml_svm_pages);

/* When the module loads (-ENOMEM), and when it goes. */
int kvml_svm_hw_init(void);
void kvml_svm_hw_exit(void);

#endif /* _KVMLITE_SVM_HW_H */
