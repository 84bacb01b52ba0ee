/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints: events/ksmdev/ in tracefs. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ksmdev

#if !defined(_KSMDEV_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _KSMDEV_TRACE_H

#include <linux/mm.h>
#include <linux/tracepoint.h>

TRACE_EVENT(ksm_pass_begin,
	    TP_PROTO(u64 domain, unsigned long pass),
	    TP_ARGS(domain, pass),
	    TP_STRUCT__entry(__field(u64, domain)
			     __field(unsigned long, pass)),
	    TP_fast_assign(__entry->domain = domain;
			   __entry->pass = pass;),
	    TP_printk("domain %llu pass %lu", __entry->domain, __entry->pass)
);

TRACE_EVENT(ksm_pass_end,
	    TP_PROTO(u64 domain, unsigned long pass, u64 scanned, u64 merged,
		     u64 zero),
	    TP_ARGS(domain, pass, scanned, merged, zero),
	    TP_STRUCT__entry(__field(u64, domain)
			     __field(unsigned long, pass)
			     __field(u64, scanned)
			     __field(u64, merged)
			     __field(u64, zero)),
	    TP_fast_assign(__entry->domain = domain;
			   __entry->pass = pass;
			   __entry->scanned = scanned;
			   __entry->merged = merged;
			   __entry->zero = zero;),
	    TP_printk("domain %llu pass %lu scanned %llu merged %llu zero %llu",
		      __entry->domain, __entry->pass, __entry->scanned,
		      __entry->merged, __entry->zero)
);

/* Page @index of area @area goes from one frame to another; pfn 0 is none. */
DECLARE_EVENT_CLASS(ksm_frames,
		    TP_PROTO(u64 area, unsigned long index, struct page *from,
			     struct page *to),
		    TP_ARGS(area, index, from, to),
		    TP_STRUCT__entry(__field(u64, area)
				     __field(unsigned long, index)
				     __field(unsigned long, from)
				     __field(unsigned long, to)),
		    TP_fast_assign(__entry->area = area;
				   __entry->index = index;
				   __entry->from = from ? page_to_pfn(from) : 0;
				   __entry->to = to ? page_to_pfn(to) : 0;),
		    TP_printk("area %llu page %#lx pfn %#lx -> %#lx",
			      __entry->area, __entry->index, __entry->from,
			      __entry->to)
);

DEFINE_EVENT(ksm_frames, ksm_merge,
	     TP_PROTO(u64 area, unsigned long index, struct page *from,
		      struct page *to),
	     TP_ARGS(area, index, from, to)
);

DEFINE_EVENT(ksm_frames, ksm_break,
	     TP_PROTO(u64 area, unsigned long index, struct page *from,
		      struct page *to),
	     TP_ARGS(area, index, from, to)
);

#endif /* _KSMDEV_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
