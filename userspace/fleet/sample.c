// SPDX-License-Identifier: GPL-2.0
#include <unistd.h>

#include "sample.h"

long long page_bytes(double pages)
{
	return pages * sysconf(_SC_PAGESIZE);
}

long long sample_used(const struct sample *s)
{
	return s->private_pages == UNKNOWN ? UNKNOWN :
	       page_bytes(s->private_pages + s->pages_shared);
}

long long sample_saved(const struct sample *s)
{
	return page_bytes(s->pages_sharing + s->zero_pages);
}

long long sample_touched(const struct sample *s)
{
	return s->private_pages == UNKNOWN ? UNKNOWN : sample_used(s) + sample_saved(s);
}

long long sample_counted_saved(const struct sample *s)
{
	return s->counted_frames == UNKNOWN ? UNKNOWN :
	       sample_touched(s) - page_bytes(s->counted_frames);
}

long long vm_sample_touched(const struct vm_sample *v)
{
	return v->private_pages == UNKNOWN ? UNKNOWN :
	       page_bytes(v->private_pages + v->merged_pages + v->zero_pages);
}

long long vm_sample_used(const struct vm_sample *v)
{
	return v->private_pages == UNKNOWN ? UNKNOWN :
	       vm_sample_touched(v) - vm_sample_saved(v);
}

long long vm_sample_saved(const struct vm_sample *v)
{
	return page_bytes(v->merged_pages + v->zero_pages - v->shared_frames);
}
