// SPDX-License-Identifier: GPL-2.0
/* The bytes of an instruction, from the guest's memory. */
#include "emul/emul.h"

static bool path_valid(struct kvml_vcpu *vcpu, const struct kvml_path *path,
		       unsigned long linear, u32 flags)
{
	return path->memory && path->page == (linear & PAGE_MASK) &&
	       path->flags == flags && path->mode == vcpu->mode_changes &&
	       path->generation == kvml_slots_generation(vcpu->vm) &&
	       path->cr3 == kvml_reg(vcpu, KVML_CR3);
}

/*
 * All of emul->bytes by the way that the last instruction's came.  Slots have
 * addresses of userspace only, so one check admits all that is read here.
 */
static bool fetch_again(struct kvml_vcpu *vcpu, unsigned long linear, u32 flags)
{
	struct kvml_emul *e = vcpu->emul;
	const struct kvml_path *path = &e->path;
	u64 __user *code = path->memory + offset_in_page(linear);
	/*
	 * Nothing may be called while user memory is accessible, so UBSAN must not
	 * check an index there: pointers instead of the arrays.
	 */
	u64 __user * const *entry = path->entry;
	const u64 *pte = path->pte;
	unsigned int i;
	u64 value, bytes[2];

	BUILD_BUG_ON(sizeof(bytes) != sizeof(e->bytes));
	if (e->nbytes || offset_in_page(linear) > PAGE_SIZE - sizeof(bytes) ||
	    !path_valid(vcpu, path, linear, flags))
		return false;
	if (!user_read_access_begin(code, sizeof(bytes)))
		return false;
	for (i = 0; i < path->n; i++) {
		unsafe_get_user(value, entry[i], fail);
		if (value != pte[i])
			goto fail;
	}
	unsafe_get_user(bytes[0], code, fail);
	unsafe_get_user(bytes[1], code + 1, fail);
	user_read_access_end();
	e->words[0] = bytes[0];
	e->words[1] = bytes[1];
	e->nbytes = sizeof(e->bytes);
	return true;
fail:
	user_read_access_end();
	return false;
}

static u32 walk_flags(const struct kvml_emul *e)
{
	return KVML_WALK_FETCH | (e->user ? KVML_WALK_USER : 0);
}

bool kvml_fetch_known(struct kvml_vcpu *vcpu, unsigned long linear)
{
	struct kvml_emul *e = vcpu->emul;
	bool known;

	if (e->bits != 64)
		linear = (u32)linear;
	pagefault_disable();
	known = fetch_again(vcpu, linear, walk_flags(e));
	pagefault_enable();
	return known;
}

int kvml_fetch(struct kvml_vcpu *vcpu, unsigned long linear)
{
	struct kvml_emul *e = vcpu->emul;
	u32 flags = walk_flags(e), error;
	unsigned int n;
	u64 gpa;

	linear += e->nbytes;
	if (e->bits != 64)
		linear = (u32)linear;
	if (fetch_again(vcpu, linear, flags))
		return 0;
	n = min_t(unsigned int, sizeof(e->bytes) - e->nbytes,
		  PAGE_SIZE - offset_in_page(linear));
	if (kvml_walk_path(vcpu, linear, flags, &gpa, &error, &e->path))
		return kvml_queue_pf(vcpu, linear, error);
	/* Memory that userspace has taken away may come back: KVM_RUN fails. */
	if (kvml_guest_read(vcpu, gpa, e->bytes + e->nbytes, n))
		return kvml_slot_find(vcpu, gpa >> PAGE_SHIFT) ? -EFAULT : KVML_FETCH_NO_MEMORY;
	e->nbytes += n;
	return 0;
}
