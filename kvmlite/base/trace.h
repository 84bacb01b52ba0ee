/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints: events/kvmlite/ in tracefs.  Where the kernel's KVM has one of
 * the same meaning, it has the same name, and its fields are named alike.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM kvmlite

#if !defined(_KVMLITE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _KVMLITE_TRACE_H

#include <linux/tracepoint.h>

#include "vcpu/vcpu.h"

TRACE_EVENT(kvm_entry,
	    TP_PROTO(struct kvml_vcpu *vcpu), TP_ARGS(vcpu),
	    TP_STRUCT__entry(__field(unsigned int, vcpu_id) __field(unsigned long, rip)),
	    TP_fast_assign(__entry->vcpu_id = vcpu->id;
			   __entry->rip = kvml_rip(vcpu);),
	    TP_printk("vcpu %u, rip 0x%lx", __entry->vcpu_id, __entry->rip)
);

TRACE_EVENT(kvm_exit,
	    TP_PROTO(struct kvml_vcpu *vcpu, u32 exit_reason), TP_ARGS(vcpu, exit_reason),
	    TP_STRUCT__entry(__field(unsigned int, vcpu_id) __field(u32, exit_reason)
			     __field(unsigned long, guest_rip)),
	    TP_fast_assign(__entry->vcpu_id = vcpu->id;
			   __entry->exit_reason = exit_reason;
			   __entry->guest_rip = kvml_rip(vcpu);),
	    TP_printk("vcpu %u reason 0x%x rip 0x%lx", __entry->vcpu_id,
		      __entry->exit_reason, __entry->guest_rip)
);

TRACE_EVENT(kvm_page_fault,
	    TP_PROTO(struct kvml_vcpu *vcpu, u64 fault_address, u64 error_code),
	    TP_ARGS(vcpu, fault_address, error_code),
	    TP_STRUCT__entry(__field(unsigned int, vcpu_id) __field(u64, fault_address)
			     __field(u64, error_code)),
	    TP_fast_assign(__entry->vcpu_id = vcpu->id;
			   __entry->fault_address = fault_address;
			   __entry->error_code = error_code;),
	    TP_printk("vcpu %u address 0x%016llx error_code 0x%llx",
		      __entry->vcpu_id, __entry->fault_address, __entry->error_code)
);

#define KVML_TRACE_READ		0
#define KVML_TRACE_WRITE	1

TRACE_EVENT(kvm_mmio,
	    TP_PROTO(int type, unsigned int len, u64 gpa, u64 val),
	    TP_ARGS(type, len, gpa, val),
	    TP_STRUCT__entry(__field(int, type) __field(unsigned int, len)
			     __field(u64, gpa) __field(u64, val)),
	    TP_fast_assign(__entry->type = type;
			   __entry->len = len;
			   __entry->gpa = gpa;
			   __entry->val = val;),
	    TP_printk("mmio %s len %u gpa 0x%llx val 0x%llx",
		      __entry->type == KVML_TRACE_WRITE ? "write" : "read",
		      __entry->len, __entry->gpa, __entry->val)
);

TRACE_EVENT(kvm_pio,
	    TP_PROTO(int rw, unsigned int port, unsigned int size,
		     unsigned int count),
	    TP_ARGS(rw, port, size, count),
	    TP_STRUCT__entry(__field(int, rw) __field(unsigned int, port)
			     __field(unsigned int, size) __field(unsigned int, count)),
	    TP_fast_assign(__entry->rw = rw;
			   __entry->port = port;
			   __entry->size = size;
			   __entry->count = count;),
	    TP_printk("pio_%s at 0x%x size %u count %u",
		      __entry->rw == KVML_TRACE_WRITE ? "write" : "read",
		      __entry->port, __entry->size, __entry->count)
);

TRACE_EVENT(kvm_msr,
	    TP_PROTO(bool write, u32 ecx, u64 data, bool exception),
	    TP_ARGS(write, ecx, data, exception),
	    TP_STRUCT__entry(__field(bool, write) __field(u32, ecx)
			     __field(u64, data) __field(bool, exception)),
	    TP_fast_assign(__entry->write = write;
			   __entry->ecx = ecx;
			   __entry->data = data;
			   __entry->exception = exception;),
	    TP_printk("msr_%s %x = 0x%llx%s", __entry->write ? "write" : "read", __entry->ecx,
		      __entry->data, __entry->exception ? " (#GP)" : "")
);

TRACE_EVENT(kvm_cpuid,
	    TP_PROTO(u32 function, u32 index, u32 rax, u32 rbx, u32 rcx,
		     u32 rdx),
	    TP_ARGS(function, index, rax, rbx, rcx, rdx),
	    TP_STRUCT__entry(__field(u32, function) __field(u32, index)
			     __field(u32, rax) __field(u32, rbx)
			     __field(u32, rcx) __field(u32, rdx)),
	    TP_fast_assign(__entry->function = function;
			   __entry->index = index;
			   __entry->rax = rax;
			   __entry->rbx = rbx;
			   __entry->rcx = rcx;
			   __entry->rdx = rdx;),
	    TP_printk("func %x idx %x rax %x rbx %x rcx %x rdx %x",
		      __entry->function, __entry->index, __entry->rax,
		      __entry->rbx, __entry->rcx, __entry->rdx)
);

TRACE_EVENT(kvm_inj_virq,
	    TP_PROTO(unsigned int vector, bool soft, bool reinjected),
	    TP_ARGS(vector, soft, reinjected),
	    TP_STRUCT__entry(__field(unsigned int, vector) __field(bool, soft)
			     __field(bool, reinjected)),
	    TP_fast_assign(__entry->vector = vector;
			   __entry->soft = soft;
			   __entry->reinjected = reinjected;),
	    TP_printk("%s 0x%x%s", __entry->soft ? "Soft/INTn" : "IRQ", __entry->vector,
		      __entry->reinjected ? " [reinjected]" : "")
);

#endif /* _KVMLITE_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH base
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
