// SPDX-License-Identifier: GPL-2.0
/* Guest memory through the VMM's mapping. */
#include "vcpu/vcpu.h"

static void mark_range_dirty(struct kvml_slot *slot, kvml_gpa gpa, size_t len)
{
	kvml_gfn gfn;

	if (!slot->dirty)
		return;
	for (gfn = gpa >> PAGE_SHIFT; gfn <= (gpa + len - 1) >> PAGE_SHIFT; gfn++)
		kvml_slot_mark_dirty(slot, gfn);
}

/* Address of @gpa; *@len is cut at the end of the slot. */
static void __user *slot_address(const struct kvml_slot *slot, kvml_gpa gpa, size_t *len)
{
	u64 left = ((slot->base + slot->npages) << PAGE_SHIFT) - gpa;

	*len = min_t(u64, *len, left);
	return (void __user *)(kvml_slot_hva(slot, gpa >> PAGE_SHIFT) + offset_in_page(gpa));
}

struct kvml_slot *kvml_slot_writable(struct kvml_vcpu *vcpu, kvml_gpa gpa)
{
	struct kvml_slot *slot = kvml_slot_find(vcpu, gpa >> PAGE_SHIFT);

	return slot && !(slot->flags & KVM_MEM_READONLY) ? slot : NULL;
}

static __always_inline int guest_access(struct kvml_vcpu *vcpu, kvml_gpa gpa, void *data,
					size_t len, bool write)
{
	while (len) {
		struct kvml_slot *slot = write ? kvml_slot_writable(vcpu, gpa) :
						 kvml_slot_find(vcpu, gpa >> PAGE_SHIFT);
		void __user *address;
		size_t n = len;
		bool failed;

		if (!slot)
			return -EFAULT;
		address = slot_address(slot, gpa, &n);
		/* An entry of a page table */
		if (!write && n == sizeof(u64) && n == len)
			return get_user(*(u64 *)data, (u64 __user *)address);
		failed = write ? copy_to_user(address, data, n) : copy_from_user(data, address, n);
		if (write)
			mark_range_dirty(slot, gpa, n);
		if (failed)
			return -EFAULT;
		gpa += n;
		data += n;
		len -= n;
	}
	return 0;
}

int kvml_guest_read(struct kvml_vcpu *vcpu, kvml_gpa gpa, void *data, size_t len)
{
	return guest_access(vcpu, gpa, data, len, false);
}

int kvml_guest_write(struct kvml_vcpu *vcpu, kvml_gpa gpa, const void *data, size_t len)
{
	return guest_access(vcpu, gpa, (void *)data, len, true);
}

/* One size of compare and exchange: 0, 1 (*@old is what there was), -EFAULT */
#define CMPXCHG_USER(type)						\
	case sizeof(type): {						\
		type found = *old;					\
									\
		r = __try_cmpxchg_user((type __user *)address, &found,	\
				       (type)new, fault_##type);	\
		*old = found;						\
		break;							\
	}

int kvml_guest_cmpxchg(struct kvml_vcpu *vcpu, kvml_gpa gpa, u64 *old, u64 new,
		       unsigned int size)
{
	struct kvml_slot *slot = kvml_slot_writable(vcpu, gpa);
	size_t len = size;
	void __user *address;
	int r = -EFAULT;

	if (!slot)
		return -EFAULT;
	address = slot_address(slot, gpa, &len);
	switch (size) {
	CMPXCHG_USER(u8)
	CMPXCHG_USER(u16)
	CMPXCHG_USER(u32)
	CMPXCHG_USER(u64)
	}
	if (!r)
		kvml_slot_mark_dirty(slot, gpa >> PAGE_SHIFT);
	return r;
}
