// SPDX-License-Identifier: GPL-2.0
/*
 * ioeventfd (api.rst 4.59): a write to an I/O address signals an eventfd, and
 * userspace is not left for.
 *
 * A bus is immutable: a change makes a new one and publishes it under
 * vm->srcu.  NULL is an empty bus.
 */
#include <linux/eventfd.h>

#include "io/io.h"
#include "vm/vm.h"

/* All (i) */
struct ioeventfd {
	u64 addr;
	u32 len;			/* 0: any */
	bool match;			/* only writes of @data */
	u64 data;
	struct eventfd_ctx *eventfd;
};

/* In order of ->addr, which need not be unique. */
struct kvml_iobus {
	unsigned int nr;
	struct ioeventfd *dev[];
};

/* The first one at @addr or above. */
static unsigned int bus_position(const struct kvml_iobus *bus, u64 addr)
{
	unsigned int low = 0, high = bus->nr;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (bus->dev[middle]->addr < addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool takes_write(const struct ioeventfd *e, unsigned int len, const void *data)
{
	u64 value = 0;

	if (e->len && e->len != len)
		return false;
	if (!e->match)
		return true;
	memcpy(&value, data, len);
	return value == e->data;
}

int kvml_bus_write(struct kvml_vm *vm, int bus, u64 addr, unsigned int len, const void *data)
{
	struct kvml_iobus *b = srcu_dereference(vm->bus[bus], &vm->srcu);
	unsigned int i;

	if (!b)
		return -EOPNOTSUPP;
	for (i = bus_position(b, addr); i < b->nr && b->dev[i]->addr == addr; i++) {
		if (takes_write(b->dev[i], len, data)) {
			eventfd_signal(b->dev[i]->eventfd);
			return 0;
		}
	}
	return -EOPNOTSUPP;
}

/* Must hold vm->lock. */
static struct kvml_iobus *current_bus(struct kvml_vm *vm, int bus)
{
	return rcu_dereference_protected(vm->bus[bus], lockdep_is_held(&vm->lock));
}

static void bus_publish(struct kvml_vm *vm, int bus, struct kvml_iobus *new)
{
	struct kvml_iobus *old = current_bus(vm, bus);

	rcu_assign_pointer(vm->bus[bus], new);
	synchronize_srcu_expedited(&vm->srcu);
	kvfree(old);
}

/* A bus with @e at @at, or without what is there (NULL). */
static int bus_change(struct kvml_vm *vm, int bus, unsigned int at, struct ioeventfd *e)
{
	struct kvml_iobus *old = current_bus(vm, bus), *new = NULL;
	unsigned int from = e ? at : at + 1, to = e ? at + 1 : at;
	unsigned int behind = old ? old->nr - from : 0, nr = to + behind;

	if (nr) {
		new = kvmalloc(struct_size(new, dev, nr), GFP_KERNEL_ACCOUNT);
		if (!new)
			return -ENOMEM;
		new->nr = nr;
		if (e)
			new->dev[at] = e;
		if (old) {
			memcpy(new->dev, old->dev, at * sizeof(*new->dev));
			memcpy(new->dev + to, old->dev + from, behind * sizeof(*new->dev));
		}
	}
	bus_publish(vm, bus, new);
	return 0;
}

/* Is there a write that both would take? */
static bool collides(const struct ioeventfd *a, const struct ioeventfd *b)
{
	return !a->len || !b->len ||
	       (a->len == b->len && (!a->match || !b->match || a->data == b->data));
}

static int bus_add(struct kvml_vm *vm, int bus, struct ioeventfd *e)
{
	struct kvml_iobus *b = current_bus(vm, bus);
	unsigned int at = b ? bus_position(b, e->addr) : 0;

	for (; b && at < b->nr && b->dev[at]->addr == e->addr; at++)
		if (collides(b->dev[at], e))
			return -EEXIST;
	return bus_change(vm, bus, at, e);
}

static int bus_remove(struct kvml_vm *vm, int bus, unsigned int at)
{
	struct ioeventfd *gone = current_bus(vm, bus)->dev[at];
	int r = bus_change(vm, bus, at, NULL);

	if (r)
		return r;
	eventfd_ctx_put(gone->eventfd);
	kfree(gone);
	return 0;
}

static bool args_valid(const struct kvm_ioeventfd *args)
{
	return !(args->flags & ~(KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH)) &&
	       args->len <= 8 && (!args->len || is_power_of_2(args->len)) &&
	       args->addr + args->len >= args->addr &&
	       (args->len || !(args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH));
}

static int args_bus(const struct kvm_ioeventfd *args)
{
	return args->flags & KVM_IOEVENTFD_FLAG_PIO ? KVML_BUS_PIO : KVML_BUS_MMIO;
}

static int assign(struct kvml_vm *vm, const struct kvm_ioeventfd *args)
{
	struct ioeventfd *e __free(kfree) = NULL;
	int r;

	if (!args_valid(args))
		return -EINVAL;
	e = kzalloc(sizeof(*e), GFP_KERNEL_ACCOUNT);
	if (!e)
		return -ENOMEM;
	e->addr = args->addr;
	e->len = args->len;
	e->match = args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH;
	e->data = args->datamatch;
	e->eventfd = eventfd_ctx_fdget(args->fd);
	if (IS_ERR(e->eventfd))
		return PTR_ERR(e->eventfd);

	guard(mutex)(&vm->lock);
	r = bus_add(vm, args_bus(args), e);
	if (r)
		eventfd_ctx_put(e->eventfd);
	else
		e = NULL;
	return r;
}

static bool is_same(const struct ioeventfd *e, const struct kvm_ioeventfd *args,
		    const struct eventfd_ctx *eventfd)
{
	return e->eventfd == eventfd && e->addr == args->addr && e->len == args->len &&
	       e->match == !!(args->flags & KVM_IOEVENTFD_FLAG_DATAMATCH) &&
	       (!e->match || e->data == args->datamatch);
}

static int deassign_held(struct kvml_vm *vm, const struct kvm_ioeventfd *args,
			 const struct eventfd_ctx *eventfd)
{
	struct kvml_iobus *bus;
	unsigned int i;

	guard(mutex)(&vm->lock);
	bus = current_bus(vm, args_bus(args));
	for (i = 0; bus && i < bus->nr; i++)
		if (is_same(bus->dev[i], args, eventfd))
			return bus_remove(vm, args_bus(args), i);
	return -ENOENT;
}

static int deassign(struct kvml_vm *vm, const struct kvm_ioeventfd *args)
{
	struct eventfd_ctx *eventfd = eventfd_ctx_fdget(args->fd);
	int r;

	if (IS_ERR(eventfd))
		return PTR_ERR(eventfd);
	r = deassign_held(vm, args, eventfd);
	eventfd_ctx_put(eventfd);
	return r;
}

int kvml_ioeventfd(struct kvml_vm *vm, const struct kvm_ioeventfd *args)
{
	if (args->flags & KVM_IOEVENTFD_FLAG_DEASSIGN)
		return deassign(vm, args);
	return assign(vm, args);
}

/* Nobody else knows @vm any more. */
void kvml_bus_free(struct kvml_vm *vm)
{
	int bus;

	for (bus = 0; bus < ARRAY_SIZE(vm->bus); bus++) {
		struct kvml_iobus *b = rcu_dereference_protected(vm->bus[bus], true);
		unsigned int i;

		for (i = 0; b && i < b->nr; i++) {
			eventfd_ctx_put(b->dev[i]->eventfd);
			kfree(b->dev[i]);
		}
		kvfree(b);
	}
}
