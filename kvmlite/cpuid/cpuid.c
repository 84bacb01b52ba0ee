// SPDX-License-Identifier: GPL-2.0
/* CPUID: what is offered, and what a vCPU has. See cpuid.h. */
#include <asm/kvm_para.h>

#include "base/quirk.h"
#include "base/tsc.h"
#include "cpuid/cpuid.h"
#include "cpuid/xstate.h"
#include "cpuid/spec_ctrl.h"

#define MAX_BASIC	0x1f
#define MAX_EXTENDED	0x80000021

/* Physical addresses: what four levels of second-stage tables reach. */
#define MAX_PHYS_BITS	48

/* Subleaves of 4 and 0x8000001d: caches. */
#define MAX_CACHES	16

#define F(name)	BIT(X86_FEATURE_##name & 31)

/*
 * Words of feature bits, by the kernel's numbers, and the bits of them that we
 * virtualize.  Absent: what needs an APIC or PMU in the kernel (X2APIC,
 * TSC_DEADLINE_TIMER, PDCM), MSRs that are not switched (XSAVES, XFD, PKU, CET,
 * RTM) or exits that are not handled (MONITOR, SGX, WAITPKG).  Those of SPEC_CTRL
 * and PRED_CMD: spec_ctrl.h.
 */
static const struct feature_word {
	u32 function;
	u32 index;
	u8 reg;
	u8 word;
	u32 mask;
} feature_words[] = {
	{ 1, 0, CPUID_EDX, CPUID_1_EDX,
	  F(FPU) | F(VME) | F(DE) | F(PSE) | F(TSC) | F(MSR) | F(PAE) | F(MCE) | F(CX8) |
	  F(APIC) | F(SEP) | F(MTRR) | F(PGE) | F(MCA) | F(CMOV) | F(PAT) | F(PSE36) |
	  F(CLFLUSH) | F(MMX) | F(FXSR) | F(XMM) | F(XMM2) | F(SELFSNOOP) },
	{ 1, 0, CPUID_ECX, CPUID_1_ECX,
	  F(XMM3) | F(PCLMULQDQ) | F(SSSE3) | F(FMA) | F(CX16) | F(PCID) | F(XMM4_1) |
	  F(XMM4_2) | F(MOVBE) | F(POPCNT) | F(AES) | F(XSAVE) | F(AVX) | F(F16C) | F(RDRAND) },
	{ 7, 0, CPUID_EBX, CPUID_7_0_EBX,
	  F(FSGSBASE) | F(BMI1) | F(AVX2) | F(FDP_EXCPTN_ONLY) | F(SMEP) | F(BMI2) | F(ERMS) |
	  F(INVPCID) | F(ZERO_FCS_FDS) | F(AVX512F) | F(AVX512DQ) | F(RDSEED) | F(ADX) |
	  F(SMAP) | F(AVX512IFMA) | F(CLFLUSHOPT) | F(CLWB) | F(AVX512PF) | F(AVX512ER) |
	  F(AVX512CD) | F(SHA_NI) | F(AVX512BW) | F(AVX512VL) },
	{ 7, 0, CPUID_ECX, CPUID_7_ECX,
	  F(AVX512VBMI) | F(RDPID) | F(AVX512_VPOPCNTDQ) | F(UMIP) | F(AVX512_VBMI2) | F(GFNI) |
	  F(VAES) | F(VPCLMULQDQ) | F(AVX512_VNNI) | F(AVX512_BITALG) | F(CLDEMOTE) |
	  F(MOVDIRI) | F(MOVDIR64B) },
	{ 7, 0, CPUID_EDX, CPUID_7_EDX,
	  F(AVX512_4VNNIW) | F(AVX512_4FMAPS) | F(ARCH_CAPABILITIES) | F(MD_CLEAR) |
	  F(AVX512_VP2INTERSECT) | F(FSRM) | F(SERIALIZE) | F(AVX512_FP16) },
	{ 7, 1, CPUID_EAX, CPUID_7_1_EAX, F(AVX_VNNI) | F(AVX512_BF16) },
	{ 0xd, 1, CPUID_EAX, CPUID_D_1_EAX, F(XSAVEOPT) | F(XSAVEC) | F(XGETBV1) },
	{ 0x80000001, 0, CPUID_EDX, CPUID_8000_0001_EDX,
	  F(FPU) | F(VME) | F(DE) | F(PSE) | F(TSC) | F(MSR) | F(PAE) | F(MCE) | F(CX8) |
	  F(APIC) | F(SYSCALL) | F(MTRR) | F(PGE) | F(MCA) | F(CMOV) | F(PAT) | F(PSE36) |
	  F(NX) | F(MMXEXT) | F(MMX) | F(FXSR) | F(FXSR_OPT) | F(GBPAGES) | F(RDTSCP) | F(LM) |
	  F(3DNOWEXT) | F(3DNOW) },
	{ 0x80000001, 0, CPUID_ECX, CPUID_8000_0001_ECX,
	  F(LAHF_LM) | F(CMP_LEGACY) | F(CR8_LEGACY) | F(ABM) | F(SSE4A) | F(MISALIGNSSE) |
	  F(3DNOWPREFETCH) | F(OSVW) | F(XOP) | F(FMA4) | F(TBM) | F(TOPOEXT) },
	{ 0x80000008, 0, CPUID_EBX, CPUID_8000_0008_EBX,
	  F(CLZERO) | F(XSAVEERPTR) | F(WBNOINVD) | F(AMD_SSB_NO) },
	/* No nested breakpoints, LFENCE serializes, null clears bases. */
	{ 0x80000021, 0, CPUID_EAX, CPUID_8000_0021_EAX,
	  BIT(0) | BIT(2) | BIT(6) | F(VERW_CLEAR) | F(AUTOIBRS) | F(SRSO_NO) },
};

/* What we can offer; set when the module loads. */
static u32 supported[NCAPINTS] __ro_after_init;

static u32 *entry_reg(struct kvm_cpuid_entry2 *e, u8 reg)
{
	return &e->eax + (reg - CPUID_EAX);
}

/* ---- bits of control registers that come with features ---- */

#define CR4_ALWAYS (X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | \
		    X86_CR4_PSE | X86_CR4_PAE | X86_CR4_MCE | X86_CR4_PGE | \
		    X86_CR4_PCE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT)

static const struct kvml_feature_bit cr4_bits[] = {
	{ X86_CR4_UMIP, X86_FEATURE_UMIP },
	{ X86_CR4_FSGSBASE, X86_FEATURE_FSGSBASE },
	{ X86_CR4_PCIDE, X86_FEATURE_PCID },
	{ X86_CR4_OSXSAVE, X86_FEATURE_XSAVE },
	{ X86_CR4_SMEP, X86_FEATURE_SMEP },
	{ X86_CR4_SMAP, X86_FEATURE_SMAP },
};

static const struct kvml_feature_bit efer_bits[] = {
	{ EFER_LME | EFER_LMA, X86_FEATURE_LM },
	{ EFER_NX, X86_FEATURE_NX },
	{ EFER_FFXSR, X86_FEATURE_FXSR_OPT },
	{ EFER_AUTOIBRS, X86_FEATURE_AUTOIBRS },
};

static u64 cr4_reserved(const u32 *words)
{
	return ~(CR4_ALWAYS | kvml_feature_bits(words, cr4_bits, ARRAY_SIZE(cr4_bits)));
}

static u64 efer_reserved(const u32 *words)
{
	return ~(EFER_SCE | kvml_feature_bits(words, efer_bits, ARRAY_SIZE(efer_bits)));
}

u64 kvml_efer_unsupported(void)
{
	return efer_reserved(supported);
}

/* ---- what can be offered ---- */

struct list {
	u32 nent;
	struct kvm_cpuid_entry2 entry[KVML_MAX_CPUID];
};

static struct kvm_cpuid_entry2 *add(struct list *l, u32 function, u32 index)
{
	struct kvm_cpuid_entry2 *e = &l->entry[l->nent];

	/* The loops below are bounded: this is never near. */
	if (l->nent < KVML_MAX_CPUID - 1)
		l->nent++;
	memset(e, 0, sizeof(*e));
	e->function = function;
	e->index = index;
	return e;
}

static struct kvm_cpuid_entry2 *add_host(struct list *l, u32 function, u32 index)
{
	struct kvm_cpuid_entry2 *e = add(l, function, index);
	unsigned int i;

	cpuid_count(function, index, &e->eax, &e->ebx, &e->ecx, &e->edx);
	for (i = 0; i < ARRAY_SIZE(feature_words); i++) {
		const struct feature_word *w = &feature_words[i];

		if (w->function == function && w->index == index)
			*entry_reg(e, w->reg) = supported[w->word];
	}
	return e;
}

static struct kvm_cpuid_entry2 *add_host_index(struct list *l, u32 function, u32 index)
{
	struct kvm_cpuid_entry2 *e = add_host(l, function, index);

	e->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	return e;
}

/* A cache each, and one of type 0 after them. */
static void add_caches(struct list *l, u32 function)
{
	struct kvm_cpuid_entry2 *e;
	u32 i = 0;

	do {
		e = add_host_index(l, function, i);
	} while (e->eax & 0x1f && ++i < MAX_CACHES);
}

static void add_features(struct list *l)
{
	struct kvm_cpuid_entry2 *e = add_host_index(l, 7, 0);

	e->eax = min(e->eax, 1u);
	if (!e->eax)
		return;
	e = add_host_index(l, 7, 1);
	e->ebx = 0;
	e->ecx = 0;
	e->edx = 0;
}

static void add_xsave(struct list *l)
{
	u64 xcr0 = kvml_xcr0_supported();
	struct kvm_cpuid_entry2 *e = add(l, 0xd, 0);
	unsigned int i;

	e->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	if (!xcr0)
		return;
	e->eax = xcr0;
	e->ebx = kvml_xstate_size(xcr0, false);
	e->ecx = e->ebx;
	e->edx = xcr0 >> 32;
	e = add_host_index(l, 0xd, 1);
	e->ebx = kvml_feature_in(supported, X86_FEATURE_XSAVEC) ?
		 kvml_xstate_size(xcr0, true) : 0;
	e->ecx = 0;
	e->edx = 0;
	for (i = 2; i < 64; i++) {
		if (!(xcr0 & BIT_ULL(i)))
			continue;
		e = add_host_index(l, 0xd, i);
		/* Bit 2 is XFD, which is not offered. */
		e->ecx &= ~BIT(2);
		e->edx = 0;
	}
}

static void add_address_sizes(struct list *l)
{
	struct kvm_cpuid_entry2 *e = add_host(l, 0x80000008, 0);
	u32 phys = min(e->eax & 0xff, (u32)MAX_PHYS_BITS);

	e->eax = phys | KVML_VIRT_BITS << 8 | phys << 16;
	e->ecx &= ~(GENMASK(31, 16) | GENMASK(11, 8));
	e->edx = 0;
}

/* What the CPU does not suffer from, by the kernel's word, which is its own. */
static u32 tsa_bits(void)
{
	return (boot_cpu_has(X86_FEATURE_TSA_SQ_NO) ? BIT(1) : 0) |
	       (boot_cpu_has(X86_FEATURE_TSA_L1_NO) ? BIT(2) : 0);
}

static void add_leaf(struct list *l, u32 function)
{
	struct kvm_cpuid_entry2 *e;

	switch (function) {
	case 1 ... 2:
	case 0x80000002 ... 0x80000005:
		add_host(l, function, 0);
		break;
	case 4:
	case 0x8000001d:
		add_caches(l, function);
		break;
	case 6:
		add(l, function, 0)->eax = BIT(2);	/* ARAT */
		break;
	case 7:
		add_features(l);
		break;
	case 0xb:
	case 0x1f:
		/* Topology is the VMM's to tell. */
		add(l, function, 0)->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
		break;
	case 0xd:
		add_xsave(l);
		break;
	case 0x80000001:
		add_host(l, function, 0)->ebx &= ~GENMASK(27, 16);
		break;
	case 0x80000006:
		add_host(l, function, 0)->edx &= ~GENMASK(17, 16);
		break;
	case 0x80000007:
		/* Invariant TSC */
		add(l, function, 0)->edx = boot_cpu_data.x86_power & BIT(8);
		break;
	case 0x80000008:
		add_address_sizes(l);
		break;
	case 0x80000021:
		e = add(l, function, 0);
		e->eax = supported[CPUID_8000_0021_EAX];
		e->ecx = tsa_bits();
		break;
	default:
		add(l, function, 0);
	}
}

/* @max: the last function that is known here. */
static void add_leaves(struct list *l, u32 first, u32 max)
{
	struct kvm_cpuid_entry2 *e = add_host(l, first, 0);
	u32 function, last;

	/* Without extended leaves the answer is another leaf's. */
	if (e->eax < first || e->eax > first + 0xffff)
		e->eax = first;
	e->eax = min(e->eax, max);
	last = e->eax;
	for (function = first + 1; function <= last; function++)
		add_leaf(l, function);
}

/* Documentation/virt/kvm/x86/cpuid.rst of the kernel. */
static void add_hypervisor(struct list *l)
{
	struct kvm_cpuid_entry2 *e = add(l, KVM_CPUID_SIGNATURE, 0);
	static const char signature[12] = KVM_SIGNATURE;

	e->eax = KVM_CPUID_FEATURES;
	memcpy(&e->ebx, signature, 4);
	memcpy(&e->ecx, signature + 4, 4);
	memcpy(&e->edx, signature + 8, 4);
	e = add(l, KVM_CPUID_FEATURES, 0);
	e->eax = BIT(KVM_FEATURE_CLOCKSOURCE) | BIT(KVM_FEATURE_CLOCKSOURCE2) |
		 BIT(KVM_FEATURE_NOP_IO_DELAY);
	if (kvml_tsc_stable())
		e->eax |= BIT(KVM_FEATURE_CLOCKSOURCE_STABLE_BIT);
}

static void add_all(struct list *l)
{
	/* All of it from one CPU. */
	get_cpu();
	add_leaves(l, 0, MAX_BASIC);
	add_leaves(l, 0x80000000, MAX_EXTENDED);
	put_cpu();
	add_hypervisor(l);
}

static int entries_to_user(struct kvm_cpuid2 __user *arg,
			   const struct kvm_cpuid_entry2 *entries, u32 n)
{
	struct kvm_cpuid2 head;

	if (copy_from_user(&head, arg, sizeof(head)))
		return -EFAULT;
	if (head.nent < n)
		return -E2BIG;
	return copy_to_user(arg->entries, entries, n * sizeof(*entries)) ||
	       put_user(n, &arg->nent) ? -EFAULT : 0;
}

int kvml_cpuid_supported(struct kvm_cpuid2 __user *arg)
{
	struct list *l = kvzalloc(sizeof(*l), GFP_KERNEL);
	int err;

	if (!l)
		return -ENOMEM;
	add_all(l);
	err = entries_to_user(arg, l->entry, l->nent);
	kvfree(l);
	return err;
}

void __init kvml_cpuid_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(feature_words); i++) {
		const struct feature_word *w = &feature_words[i];
		struct kvm_cpuid_entry2 e = {};
		u32 max = cpuid_eax(w->function & 0x80000000);

		if (max < w->function)
			continue;
		cpuid_count(w->function, w->index, &e.eax, &e.ebx, &e.ecx, &e.edx);
		supported[w->word] = w->mask & *entry_reg(&e, w->reg) &
				     boot_cpu_data.x86_capability[w->word];
	}
	/* These are ours, whatever the host has. */
	supported[CPUID_1_ECX] |= F(HYPERVISOR);
	supported[CPUID_7_0_EBX] |= F(TSC_ADJUST);
	/* Known by the kernel, where CPUID of old microcode does not tell. */
	if (boot_cpu_has(X86_FEATURE_SRSO_NO))
		supported[CPUID_8000_0021_EAX] |= F(SRSO_NO);
	if (boot_cpu_has(X86_FEATURE_VERW_CLEAR))
		supported[CPUID_8000_0021_EAX] |= F(VERW_CLEAR);
	if (!boot_cpu_has_bug(X86_BUG_SPEC_STORE_BYPASS))
		supported[CPUID_8000_0008_EBX] |= F(AMD_SSB_NO);
	if (kvml_ops->spec_ctrl)
		kvml_spec_ctrl_offer(boot_cpu_data.x86_capability, supported);
	if (!kvml_xcr0_supported())
		kvml_cpuid_forbid(X86_FEATURE_XSAVE);
}

void kvml_cpuid_forbid(unsigned int feature)
{
	supported[feature / 32] &= ~BIT(feature % 32);
}

const u32 *kvml_cpuid_offered(void)
{
	return supported;
}

/* ---- what a vCPU has ---- */

/* Bits of a function that first[] leaves out. */
#define FAR_FUNCTION	GENMASK(29, 5)

static __always_inline struct kvm_cpuid_entry2 *
find_inline(struct kvml_cpuid *c, u32 function, u32 index)
{
	struct kvm_cpuid_entry2 *e, *end = &c->entry[c->nent];
	unsigned int first = 1;

	if (likely(!(function & FAR_FUNCTION)))
		first = c->first[function >> 30][function & 0x1f];
	if (!first)
		return NULL;
	for (e = &c->entry[first - 1]; e < end; e++)
		if (e->function == function &&
		    (e->index == index || !(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX)))
			return e;
	return NULL;
}

static noinline struct kvm_cpuid_entry2 *find(struct kvml_cpuid *c, u32 function, u32 index)
{
	return find_inline(c, function, index);
}

static void fill_first(struct kvml_cpuid *c)
{
	unsigned int i = c->nent;

	while (i--) {
		u32 function = c->entry[i].function;

		if (!(function & FAR_FUNCTION))
			c->first[function >> 30][function & 0x1f] = i + 1;
	}
}

static void fill_features(struct kvml_cpuid *c)
{
	struct kvm_cpuid_entry2 *e;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(feature_words); i++) {
		const struct feature_word *w = &feature_words[i];

		e = find(c, w->function, w->index);
		if (e)
			c->feature[w->word] = *entry_reg(e, w->reg);
	}
	e = find(c, 0x80000000, 0);
	c->maxphyaddr = 36;
	if (!e || e->eax < 0x80000008)
		return;
	e = find(c, 0x80000008, 0);
	if (e)
		c->maxphyaddr = min(e->eax & 0xff, 52u);
}

static void set_or_clear(u32 *reg, u32 bit, bool on)
{
	*reg = (*reg & ~bit) | (on ? bit : 0);
}

/* The bits that follow the guest's state. */
static void update(struct kvml_vcpu *vcpu, struct kvml_cpuid *c)
{
	struct kvm_cpuid_entry2 *e = find(c, 1, 0);

	if (e) {
		set_or_clear(&e->ecx, F(OSXSAVE), vcpu->osxsave);
		set_or_clear(&e->edx, F(APIC), vcpu->apic_base & MSR_IA32_APICBASE_ENABLE);
	}
	if (e && !kvml_has_quirk(vcpu, KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT)) {
		set_or_clear(&e->ecx, F(MWAIT), vcpu->mwait);
		c->feature[CPUID_1_ECX] = e->ecx;
	}
	e = find(c, 0xd, 0);
	if (e)
		e->ebx = kvml_xstate_size(vcpu->xcr0, false);
	e = find(c, 0xd, 1);
	if (e && e->eax & (F(XSAVEC) | F(XSAVES)))
		e->ebx = kvml_xstate_size(vcpu->xcr0, true);
}

void kvml_cpuid_update(struct kvml_vcpu *vcpu)
{
	if (vcpu->cpuid)
		update(vcpu, vcpu->cpuid);
}

/* What else depends on the VMM's choice. */
static void derive(struct kvml_vcpu *vcpu)
{
	struct kvml_cpuid *c = vcpu->cpuid;
	struct kvm_cpuid_entry2 *e = find(c, 0xd, 0);

	vcpu->xcr0_allowed = e ? (e->eax | (u64)e->edx << 32) & kvml_xcr0_supported() : 0;
	vcpu->cr4_reserved = cr4_reserved(supported) | cr4_reserved(c->feature);
	vcpu->efer_reserved = efer_reserved(supported) | efer_reserved(c->feature);
}

void kvml_cpuid_reset(struct kvml_vcpu *vcpu)
{
	vcpu->cr4_reserved = cr4_reserved(supported);
	vcpu->efer_reserved = efer_reserved(supported);
}

static bool virt_bits_valid(struct kvml_cpuid *c)
{
	struct kvm_cpuid_entry2 *e = find(c, 0x80000008, 0);
	u32 bits = e ? e->eax >> 8 & 0xff : 0;

	return !bits || bits == 48 || bits == 57;
}

static bool same(const struct kvml_cpuid *a, const struct kvml_cpuid *b)
{
	unsigned int i;

	if (!a || a->nent != b->nent)
		return false;
	for (i = 0; i < a->nent; i++)
		/* All but the padding. */
		if (memcmp(&a->entry[i], &b->entry[i],
			   offsetof(struct kvm_cpuid_entry2, padding)))
			return false;
	return true;
}

/* Takes @c. */
static int install(struct kvml_vcpu *vcpu, struct kvml_cpuid *c)
{
	/* The guest has seen the old one, and it is cached. */
	bool fixed = vcpu->stat.exits, valid;

	fill_first(c);
	fill_features(c);
	update(vcpu, c);
	valid = fixed ? same(vcpu->cpuid, c) : virt_bits_valid(c);
	if (valid && !fixed) {
		swap(vcpu->cpuid, c);
		vcpu->mode_changes++;
		derive(vcpu);
	}
	kvfree(c);
	return valid ? 0 : -EINVAL;
}

static struct kvml_cpuid *cpuid_alloc(u32 nent)
{
	struct kvml_cpuid *c;

	if (nent > KVML_MAX_CPUID)
		return ERR_PTR(-E2BIG);
	c = kvzalloc(struct_size(c, entry, nent), GFP_KERNEL_ACCOUNT);
	if (!c)
		return ERR_PTR(-ENOMEM);
	c->nent = nent;
	return c;
}

/* Entries of KVM_SET_CPUID have no index. */
static int copy_v1(struct kvml_cpuid *c, const struct kvm_cpuid_entry __user *entries)
{
	struct kvm_cpuid_entry in;
	u32 i;

	for (i = 0; i < c->nent; i++) {
		if (copy_from_user(&in, &entries[i], sizeof(in)))
			return -EFAULT;
		c->entry[i] = (struct kvm_cpuid_entry2){
			.function = in.function,
			.eax = in.eax,
			.ebx = in.ebx,
			.ecx = in.ecx,
			.edx = in.edx,
		};
	}
	return 0;
}

int kvml_cpuid_set(struct kvml_vcpu *vcpu, const void __user *arg, bool v1)
{
	const void __user *entries = arg + sizeof(struct kvm_cpuid2);
	struct kvm_cpuid2 head;		/* and struct kvm_cpuid */
	struct kvml_cpuid *c;

	if (copy_from_user(&head, arg, sizeof(head)))
		return -EFAULT;
	c = cpuid_alloc(head.nent);
	if (IS_ERR(c))
		return PTR_ERR(c);
	if (v1 ? copy_v1(c, entries) :
		 copy_from_user(c->entry, entries, head.nent * sizeof(c->entry[0]))) {
		kvfree(c);
		return -EFAULT;
	}
	return install(vcpu, c);
}

int kvml_cpuid_get(struct kvml_vcpu *vcpu, struct kvm_cpuid2 __user *arg)
{
	const struct kvml_cpuid *c = vcpu->cpuid;

	return entries_to_user(arg, c ? c->entry : NULL, c ? c->nent : 0);
}

bool kvml_cpuid_has(struct kvml_vcpu *vcpu, unsigned int feature)
{
	return vcpu->cpuid && kvml_feature_in(vcpu->cpuid->feature, feature);
}

unsigned int kvml_cpuid_maxphyaddr(struct kvml_vcpu *vcpu)
{
	return vcpu->cpuid ? vcpu->cpuid->maxphyaddr : 36;
}

/* ---- CPUID ---- */

/*
 * Does a CPU with this basic leaf 0 answer zero beyond a range?  "AuthenticAMD"
 * and "HygonGenuine" do.  This is what the VMM made of the guest's CPU, and has
 * nothing to do with the host's.
 */
static bool zero_beyond_range(const struct kvm_cpuid_entry2 *e)
{
	return (e->ebx == 0x68747541 && e->edx == 0x69746e65 && e->ecx == 0x444d4163) ||
	       (e->ebx == 0x6f677948 && e->edx == 0x6e65476e && e->ecx == 0x656e6975);
}

/* Where the range of @function begins. */
static u32 range_of(u32 function)
{
	if (function >> 28 == 4)
		return function & 0xffffff00;
	if (function >= 0xc0000000)
		return 0xc0000000;
	return function & 0x80000000;
}

/*
 * SDM volume 2, CPUID: beyond the last leaf of its range the answer is that
 * of the last basic leaf, or zero.
 */
static struct kvm_cpuid_entry2 *out_of_range(struct kvml_cpuid *c, u32 *function, u32 index)
{
	struct kvm_cpuid_entry2 *basic = find(c, 0, 0), *range;

	if (!basic || zero_beyond_range(basic))
		return NULL;
	range = find(c, range_of(*function), 0);
	if (range && *function <= range->eax)
		return NULL;
	*function = basic->eax;
	return find(c, basic->eax, index);
}

static void answer(const struct kvm_cpuid_entry2 *e, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	*eax = e->eax;
	*ebx = e->ebx;
	*ecx = e->ecx;
	*edx = e->edx;
}

/* Of topology leaves ECX and EDX are right in subleaves that are not there. */
static noinline void no_entry(struct kvml_cpuid *c, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	struct kvm_cpuid_entry2 *e = NULL;
	u32 function = *eax, index = *ecx;

	if (c)
		e = out_of_range(c, &function, index);
	if (e) {
		answer(e, eax, ebx, ecx, edx);
		return;
	}
	if (c && (function == 0xb || function == 0x1f))
		e = find(c, function, 1);
	*eax = 0;
	*ebx = 0;
	*ecx = e ? index & 0xff : 0;
	*edx = e ? e->edx : 0;
}

void kvml_cpuid(struct kvml_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	struct kvml_cpuid *c = vcpu->cpuid;
	struct kvm_cpuid_entry2 *e = c ? find_inline(c, *eax, *ecx) : NULL;

	if (likely(e))
		answer(e, eax, ebx, ecx, edx);
	else
		no_entry(c, eax, ebx, ecx, edx);
}
