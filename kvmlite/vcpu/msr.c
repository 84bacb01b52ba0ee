// SPDX-License-Identifier: GPL-2.0
/* Model-specific registers (SDM volume 4). See msr.h. */
#include <linux/kvm_para.h>
#include <asm/mce.h>
#include <asm/mtrr.h>

#include "base/quirk.h"
#include "cpuid/cpuid.h"
#include "cpuid/spec_ctrl.h"
#include "vcpu/apic_base.h"
#include "vcpu/msr.h"
#include "vcpu/pv.h"
#include "vcpu/regs.h"

#define VAR_MTRRS	8

/* As in the kernel's KVM. */
#define MAX_IO_MSRS	256

#define MISC_ENABLE_RO	(MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL | \
			 MSR_IA32_MISC_ENABLE_BTS_UNAVAIL)

/* (v) MSRs that nothing but the guest reads. */
struct kvml_msrs {
	u64 feat_ctl;
	u64 tsc_adjust;
	u64 ucode_rev;
	u64 arch_cap, platform_info;
	u64 mcg_status, mcg_ctl;
	u64 misc_enable, power_ctl, hwcr, smi_count;
	u64 osvw[2];			/* ID_LENGTH, STATUS */
	u64 pat;			/* if the vendor has none */
	u64 mtrr_def_type, mtrr_fix64k, mtrr_fix16k[2], mtrr_fix4k[8];
	u64 mtrr_var[2 * VAR_MTRRS];	/* base, mask */
	u64 mce[4 * KVML_MCE_BANKS];	/* CTL, STATUS, ADDR, MISC */
};

struct access;

struct msr_def {
	u32 last;
	u32 first;
	/* NULL: value, which is a constant.  0, or 1: #GP, and data is 0. */
	int (*get)(struct access *a);
	int (*set)(struct access *a);	/* NULL: read-only */
	u64 value;		/* constant, or bits that may be set */
	u32 offset;		/* in struct kvml_msrs, or in struct kvml_vcpu */
};

/* One RDMSR or WRMSR. */
struct access {
	struct kvml_vcpu *vcpu;
	const struct msr_def *msr;
	u64 data;
	u32 index;
	bool host;
};

/* ---- memory and constants ---- */

static u64 *mem(const struct access *a)
{
	u64 *first = (void *)a->vcpu->msrs + a->msr->offset;

	return first + array_index_nospec(a->index - a->msr->first,
					  a->msr->last - a->msr->first + 1);
}

static int get_mem(struct access *a)
{
	a->data = *mem(a);
	return 0;
}

static int set_any(struct access *a)
{
	*mem(a) = a->data;
	return 0;
}

static int set_mem(struct access *a)
{
	return a->data & ~a->msr->value || set_any(a);
}

static int get_none(struct access *a)
{
	return 1;
}

static int set_ignored(struct access *a)
{
	return 0;
}

static int set_zero(struct access *a)
{
	return !!a->data;
}

/* ---- registers of the vCPU ---- */

static int get_vcpu(struct access *a)
{
	a->data = *(u64 *)((void *)a->vcpu + a->msr->offset);
	return 0;
}

static int get_vendor(struct access *a)
{
	return kvml_ops->get_msr(a->vcpu, a->index, &a->data);
}

static int set_vendor(struct access *a)
{
	return kvml_ops->set_msr(a->vcpu, a->index, a->data);
}

/* WRMSR gives #GP for a non-canonical address. */
static int set_address(struct access *a)
{
	return !kvml_canonical(a->data) || set_vendor(a);
}

/* A VMM may hand over what a 32-bit guest left there: made canonical. */
static int set_sysenter(struct access *a)
{
	a->data = __canonical_address(a->data, KVML_VIRT_BITS);
	return set_vendor(a);
}

static bool has_tsc_aux(const struct access *a)
{
	return a->host || kvml_cpuid_has(a->vcpu, X86_FEATURE_RDTSCP) ||
	       kvml_cpuid_has(a->vcpu, X86_FEATURE_RDPID);
}

static int get_tsc_aux(struct access *a)
{
	return !has_tsc_aux(a) || get_vendor(a);
}

static int set_tsc_aux(struct access *a)
{
	return a->data >> 32 || !has_tsc_aux(a) || set_vendor(a);
}

static int set_efer(struct access *a)
{
	return kvml_efer_write(a->vcpu, a->data, a->host);
}

static int set_apic_base(struct access *a)
{
	return kvml_apic_base_set(a->vcpu, a->data, a->host);
}

/* Are the lower @bytes of @data types for which @allowed has a bit? */
static bool types_valid(u64 data, unsigned int bytes, u8 allowed)
{
	for (; bytes--; data >>= 8)
		if (data & 0xf8 || !(allowed >> (data & 7) & 1))
			return false;
	return true;
}

static int get_pat(struct access *a)
{
	return get_vendor(a) ? get_mem(a) : 0;
}

/* SDM volume 3, 12.12.2: eight types: 0, 1, 4 to 7. */
static int set_pat(struct access *a)
{
	if (!types_valid(a->data, 8, 0xf3))
		return 1;
	return set_vendor(a) ? set_any(a) : 0;
}

/* ---- the TSC ---- */

static int get_tsc(struct access *a)
{
	a->data = kvml_tsc_read(a->vcpu);
	return 0;
}

static int set_tsc(struct access *a)
{
	u64 cycles = a->data - kvml_tsc_read(a->vcpu);

	if (a->host) {
		kvml_tsc_write(a->vcpu, a->data);
		return 0;
	}
	a->vcpu->msrs->tsc_adjust += cycles;
	kvml_tsc_move(a->vcpu, cycles);
	return 0;
}

/*
 * The guest moves its TSC by it; the VMM has set the TSC itself.  A write to what
 * CPUID does not offer is ignored.
 */
static int set_tsc_adjust(struct access *a)
{
	if (!kvml_cpuid_has(a->vcpu, X86_FEATURE_TSC_ADJUST))
		return 0;
	if (!a->host)
		kvml_tsc_move(a->vcpu, a->data - a->vcpu->msrs->tsc_adjust);
	a->vcpu->msrs->tsc_adjust = a->data;
	return 0;
}

/* ---- kvmclock ---- */

static int set_system_time(struct access *a)
{
	kvml_pv_set_system_time(a->vcpu, a->data);
	return 0;
}

static int set_wall_clock(struct access *a)
{
	kvml_pv_set_wall_clock(a->vcpu, a->data);
	return 0;
}

/* ---- features ---- */

static int set_feat_ctl(struct access *a)
{
	return (!a->host && *mem(a) & FEAT_CTL_LOCKED) || set_mem(a);
}

/* What only the VMM may set; the guest's writes are ignored, or a fault. */
static int set_ucode_rev(struct access *a)
{
	return a->host ? set_any(a) : 0;
}

static int set_by_host(struct access *a)
{
	return !a->host || set_mem(a);
}

static int get_arch_cap(struct access *a)
{
	if (!a->host && !kvml_cpuid_has(a->vcpu, X86_FEATURE_ARCH_CAPABILITIES))
		return 1;
	return get_mem(a);
}

static bool has_spec_ctrl(const struct access *a)
{
	const struct kvml_cpuid *c = a->vcpu->cpuid;

	return a->host || (c && kvml_spec_ctrl_bits(c->feature));
}

static int get_spec_ctrl(struct access *a)
{
	return !has_spec_ctrl(a) || get_vendor(a);
}

/* As KVM has it: what the CPU takes, the guest may write if it has the MSR. */
static int set_spec_ctrl(struct access *a)
{
	u64 bits = kvml_spec_ctrl_bits(boot_cpu_data.x86_capability);

	return !has_spec_ctrl(a) || a->data & ~bits || set_vendor(a);
}

static int set_pred_cmd(struct access *a)
{
	const struct kvml_cpuid *c = a->vcpu->cpuid;
	u64 bits = kvml_pred_cmd_bits(boot_cpu_data.x86_capability);
	u64 mine = c ? kvml_pred_cmd_bits(c->feature) : 0;

	if (!a->host && !mine)
		return 1;
	if (a->data & ~(a->host ? bits : bits & mine))
		return 1;
	if (a->data)
		wrmsrq(MSR_IA32_PRED_CMD, a->data);
	return 0;
}

static int set_misc_enable(struct access *a)
{
	struct kvml_vcpu *vcpu = a->vcpu;
	u64 old = vcpu->msrs->misc_enable, data = a->data;
	bool mwait;

	if (!a->host) {
		if ((old ^ data) & MISC_ENABLE_RO)
			return 1;
		data &= ~MSR_IA32_MISC_ENABLE_EMON;
		data |= old & MSR_IA32_MISC_ENABLE_EMON;
	}
	/* CPUID's MWAIT bit follows this one, if the VMM wants it so. */
	mwait = !kvml_has_quirk(vcpu, KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT) &&
		(old ^ data) & MSR_IA32_MISC_ENABLE_MWAIT;
	if (mwait && !kvml_cpuid_has(vcpu, X86_FEATURE_XMM3))
		return 1;
	vcpu->msrs->misc_enable = data;
	vcpu->mwait = data & MSR_IA32_MISC_ENABLE_MWAIT;
	if (mwait)
		kvml_cpuid_update(vcpu);
	return 0;
}

/* Branch tracing is not there, but guests try it. */
static int set_debugctl(struct access *a)
{
	return !!(a->data & ~(DEBUGCTLMSR_LBR | DEBUGCTLMSR_BTF));
}

/* Errata bits that guests set are ignored, McStatusWrEn and TscFreqSel kept. */
static int set_hwcr(struct access *a)
{
	a->data &= ~0x148ull;
	return set_mem(a);
}

/* OS-visible workarounds (APM volume 2, appendix E of old revisions). */
static int get_osvw(struct access *a)
{
	return !kvml_cpuid_has(a->vcpu, X86_FEATURE_OSVW) || get_mem(a);
}

static int set_osvw(struct access *a)
{
	return !kvml_cpuid_has(a->vcpu, X86_FEATURE_OSVW) || set_any(a);
}

/* No state component of supervisors is offered, so 0 is all that it can be. */
static int get_xss(struct access *a)
{
	return !a->host && !kvml_cpuid_has(a->vcpu, X86_FEATURE_XSAVES);
}

static int set_xss(struct access *a)
{
	return get_xss(a) || a->data;
}

/* ---- MTRRs: memory types are the host's, so they are just kept ---- */

/* SDM volume 3, table 12-8: 0, 1, 4, 5, 6. */
#define MTRR_TYPES	0x73

static int set_mtrr_fixed(struct access *a)
{
	return !types_valid(a->data, 8, MTRR_TYPES) || set_any(a);
}

static int set_mtrr_var(struct access *a)
{
	u64 reserved = ~(BIT_ULL(kvml_cpuid_maxphyaddr(a->vcpu)) - 1);
	bool is_mask = a->index & 1;

	if (a->data & (reserved | (is_mask ? 0x7ff : 0xf00)))
		return 1;
	return (!is_mask && !types_valid(a->data, 1, MTRR_TYPES)) || set_any(a);
}

static int set_mtrr_def_type(struct access *a)
{
	return !types_valid(a->data, 1, MTRR_TYPES) || set_mem(a);
}

/* ---- machine check: the VMM injects and reads, nobody else ---- */

u64 kvml_msr_mce_cap(void)
{
	return MCG_CTL_P | MCG_SER_P;
}

int kvml_msr_setup_mce(struct kvml_vcpu *vcpu, u64 cap)
{
	unsigned int bank, banks = cap & 0xff;

	if (!banks || banks > KVML_MCE_BANKS || cap & ~(kvml_msr_mce_cap() | 0xff | 0xff0000))
		return -EINVAL;
	vcpu->mce_cap = cap;
	if (cap & MCG_CTL_P)
		vcpu->msrs->mcg_ctl = ~0ull;
	for (bank = 0; bank < banks; bank++)
		vcpu->msrs->mce[4 * bank] = ~0ull;
	return 0;
}

static int get_mcg_ctl(struct access *a)
{
	return (!a->host && !(a->vcpu->mce_cap & MCG_CTL_P)) || get_mem(a);
}

static int set_mcg_ctl(struct access *a)
{
	if (!(a->vcpu->mce_cap & MCG_CTL_P) && (a->data || !a->host))
		return 1;
	return (a->data && ~a->data) || set_any(a);
}

static bool mce_bank_there(const struct access *a)
{
	return (a->index - MSR_IA32_MC0_CTL) / 4 < (a->vcpu->mce_cap & 0xff);
}

static int get_mce(struct access *a)
{
	return !mce_bank_there(a) || get_mem(a);
}

static int set_mce(struct access *a)
{
	if (!mce_bank_there(a))
		return 1;
	/* CTL: all or none, but for bits that guests clear for errata. */
	if ((a->index & 3) == 0 && a->data && ~(a->data | BIT(10) | BIT(0)))
		return 1;
	/* STATUS: the guest can but clear it. */
	return ((a->index & 3) == 1 && a->data && !a->host) || set_any(a);
}

/* ---- the table, in order ---- */

#define MEM(field)	.offset = offsetof(struct kvml_msrs, field)
#define VCPU(field)	.offset = offsetof(struct kvml_vcpu, field)
#define RANGE(a, b)	.last = (b), .first = (a)
#define ONE(...)	RANGE(__VA_ARGS__, __VA_ARGS__)

static const struct msr_def msrs[] = {
	{ RANGE(MSR_IA32_P5_MC_ADDR, MSR_IA32_P5_MC_TYPE) },
	{ ONE(MSR_IA32_TSC), get_tsc, set_tsc },
	{ ONE(MSR_KVM_WALL_CLOCK), get_vcpu, set_wall_clock, VCPU(pv_wall_msr) },
	{ ONE(MSR_KVM_SYSTEM_TIME), get_vcpu, set_system_time, VCPU(pv_clock_msr) },
	{ ONE(MSR_IA32_PLATFORM_ID) },
	{ ONE(MSR_IA32_APICBASE), get_vcpu, set_apic_base, VCPU(apic_base) },
	{ ONE(MSR_IA32_EBL_CR_POWERON) },
	{ ONE(MSR_EBC_FREQUENCY_ID), .value = 1 << 24 },
	{ ONE(MSR_SMI_COUNT), get_mem, set_by_host, ~0ull, MEM(smi_count) },
	{ ONE(MSR_IA32_FEAT_CTL), get_mem, set_feat_ctl, FEAT_CTL_LOCKED, MEM(feat_ctl) },
	{ ONE(MSR_IA32_TSC_ADJUST), get_mem, set_tsc_adjust, MEM(tsc_adjust) },
	{ ONE(MSR_IA32_SPEC_CTRL), get_spec_ctrl, set_spec_ctrl },
	{ ONE(MSR_IA32_PRED_CMD), get_none, set_pred_cmd },
	{ ONE(MSR_IA32_UCODE_WRITE), get_none, set_ignored },
	{ ONE(MSR_IA32_UCODE_REV), get_mem, set_ucode_rev, MEM(ucode_rev) },
	{ RANGE(MSR_P6_PERFCTR0, MSR_P6_PERFCTR1), .set = set_ignored },
	{ ONE(MSR_FSB_FREQ), .value = 3 },
	/* What userspace may be told; 0 only. */
	{ ONE(MSR_PLATFORM_INFO), get_mem, set_by_host, MEM(platform_info) },
	/* WC, fixed ranges, eight variable ones. */
	{ ONE(MSR_MTRRcap), .value = 0x500 | VAR_MTRRS },
	{ ONE(MSR_IA32_ARCH_CAPABILITIES), get_arch_cap, set_by_host, ~0ull, MEM(arch_cap) },
	{ ONE(MSR_IA32_BBL_CR_CTL3), .value = 0xbe702111 },
	{ ONE(MSR_MISC_FEATURES_ENABLES), .set = set_zero },
	{ RANGE(MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP), get_vendor, set_sysenter },
	{ ONE(MSR_IA32_MCG_CAP), get_vcpu, VCPU(mce_cap) },
	{ ONE(MSR_IA32_MCG_STATUS), get_mem, set_mem, ~0ull, MEM(mcg_status) },
	{ ONE(MSR_IA32_MCG_CTL), get_mcg_ctl, set_mcg_ctl, MEM(mcg_ctl) },
	{ RANGE(MSR_P6_EVNTSEL0, MSR_P6_EVNTSEL1), .set = set_ignored },
	/* 1,000 TSC ticks a bus tick, multiplier 4. */
	{ ONE(MSR_IA32_PERF_STATUS), .value = 1000 | 4ull << 40 },
	{ ONE(MSR_IA32_PERF_CTL) },
	{ ONE(MSR_IA32_MISC_ENABLE), get_mem, set_misc_enable, MEM(misc_enable) },
	{ ONE(MSR_IA32_DEBUGCTLMSR), .set = set_debugctl },
	{ RANGE(MSR_IA32_LASTBRANCHFROMIP, MSR_IA32_LASTINTTOIP) },
	{ ONE(MSR_IA32_POWER_CTL), get_mem, set_mem, ~0ull, MEM(power_ctl) },
	{ RANGE(MTRRphysBase_MSR(0), MTRRphysMask_MSR(VAR_MTRRS - 1)), get_mem,
	  set_mtrr_var, MEM(mtrr_var) },
	{ ONE(MSR_MTRRfix64K_00000), get_mem, set_mtrr_fixed, MEM(mtrr_fix64k) },
	{ RANGE(MSR_MTRRfix16K_80000, MSR_MTRRfix16K_A0000), get_mem,
	  set_mtrr_fixed, MEM(mtrr_fix16k) },
	{ RANGE(MSR_MTRRfix4K_C0000, MSR_MTRRfix4K_F8000), get_mem,
	  set_mtrr_fixed, MEM(mtrr_fix4k) },
	{ ONE(MSR_IA32_CR_PAT), get_pat, set_pat, MEM(pat) },
	{ ONE(MSR_MTRRdefType), get_mem, set_mtrr_def_type, 0xcff, MEM(mtrr_def_type) },
	{ RANGE(MSR_IA32_MC0_CTL, MSR_IA32_MC0_CTL + 4 * KVML_MCE_BANKS - 1),
	  get_mce, set_mce, MEM(mce) },
	{ ONE(MSR_RAPL_POWER_UNIT) },
	{ ONE(MSR_PKG_ENERGY_STATUS) },
	{ ONE(MSR_DRAM_ENERGY_STATUS) },
	{ ONE(MSR_PP0_ENERGY_STATUS) },
	{ ONE(MSR_PP1_ENERGY_STATUS) },
	{ ONE(MSR_IA32_XSS), get_xss, set_xss },
	{ ONE(MSR_KVM_WALL_CLOCK_NEW), get_vcpu, set_wall_clock, VCPU(pv_wall_msr) },
	{ ONE(MSR_KVM_SYSTEM_TIME_NEW), get_vcpu, set_system_time, VCPU(pv_clock_msr) },
	{ ONE(MSR_EFER), get_vcpu, set_efer, VCPU(efer) },
	{ RANGE(MSR_LSTAR, MSR_CSTAR), get_vendor, set_address },
	{ RANGE(MSR_FS_BASE, MSR_KERNEL_GS_BASE), get_vendor, set_address },
	{ ONE(MSR_TSC_AUX), get_tsc_aux, set_tsc_aux },
	{ RANGE(MSR_K7_EVNTSEL0, MSR_K7_PERFCTR3), .set = set_ignored },
	{ ONE(MSR_AMD64_SYSCFG) },
	{ ONE(MSR_K7_HWCR), get_mem, set_hwcr, BIT(18) | BIT(24), MEM(hwcr) },
	/* Of the K7: its ramp-up count, which old kernels want to see. */
	{ ONE(MSR_K7_CLK_CTL), .set = set_ignored, .value = 0x20000000 },
	{ ONE(MSR_AMD64_NB_CFG), .set = set_ignored },
	{ ONE(MSR_AMD64_PATCH_LOADER), get_none, set_ignored },
	{ ONE(MSR_K8_INT_PENDING_MSG) },
	{ ONE(MSR_FAM10H_MMIO_CONF_BASE), .set = set_zero },
	{ RANGE(MSR_K8_TSEG_ADDR, MSR_K8_TSEG_MASK) },
	{ ONE(MSR_VM_HSAVE_PA), .set = set_ignored },
	{ RANGE(MSR_AMD64_OSVW_ID_LENGTH, MSR_AMD64_OSVW_STATUS), get_osvw,
	  set_osvw, MEM(osvw) },
	{ RANGE(MSR_AMD64_DC_CFG, MSR_AMD64_TW_CFG), .set = set_ignored },
	{ ONE(MSR_AMD64_BU_CFG2), .set = set_ignored },
	{ ONE(MSR_F15H_EX_CFG), .set = set_ignored },
};

static const struct msr_def *find(u32 index)
{
	unsigned int low = 0, high = ARRAY_SIZE(msrs), mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (index >= msrs[mid].first)
			low = mid + 1;
		else
			high = mid;
	}
	return low && index <= msrs[low - 1].last ? &msrs[low - 1] : NULL;
}

static noinline int get_msr(struct kvml_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	struct access a = { vcpu, find(index), 0, index, host };
	int r;

	*data = 0;
	if (!a.msr)
		return kvml_ops->get_msr(vcpu, index, data);
	a.data = a.msr->value;
	r = a.msr->get ? a.msr->get(&a) : 0;
	*data = r ? 0 : a.data;
	return r;
}

int kvml_msr_get(struct kvml_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	if (unlikely(index != MSR_IA32_APICBASE))
		return get_msr(vcpu, index, data, host);
	*data = vcpu->apic_base;
	return 0;
}

int kvml_msr_set(struct kvml_vcpu *vcpu, u32 index, u64 data, bool host)
{
	struct access a = { vcpu, find(index), data, index, host };

	if (!a.msr)
		return set_vendor(&a);
	return !a.msr->set || a.msr->set(&a);
}

bool kvml_msr_write_is_hot(struct kvml_vcpu *vcpu, u32 index)
{
	switch (index) {
	case MSR_IA32_TSC:
	case MSR_IA32_TSC_ADJUST:
		/* Clocks of all vCPUs follow, which takes IPIs. */
		return !READ_ONCE(vcpu->vm->clock_used);
	case MSR_IA32_MISC_ENABLE:
		return true;
	}
	return false;
}

/* ---- life ---- */

/* Vulnerabilities that the host's CPU has not: the guest's has not, either. */
#define ARCH_CAP_OFFERED						    \
	(ARCH_CAP_RDCL_NO | ARCH_CAP_SKIP_VMENTRY_L1DFLUSH |		    \
	 ARCH_CAP_SSB_NO | ARCH_CAP_MDS_NO | ARCH_CAP_PSCHANGE_MC_NO |	    \
	 ARCH_CAP_SBDR_SSDP_NO | ARCH_CAP_FBSDP_NO | ARCH_CAP_PSDP_NO |	    \
	 ARCH_CAP_FB_CLEAR | ARCH_CAP_RRSBA | ARCH_CAP_BHI_NO |		    \
	 ARCH_CAP_PBRSB_NO | ARCH_CAP_GDS_NO | ARCH_CAP_RFDS_NO |	    \
	 ARCH_CAP_RFDS_CLEAR | ARCH_CAP_ITS_NO)

static u64 arch_capabilities(void)
{
	u64 data;

	if (!boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES))
		return 0;
	rdmsrq(MSR_IA32_ARCH_CAPABILITIES, data);
	return data & ARCH_CAP_OFFERED;
}

int kvml_msrs_alloc(struct kvml_vcpu *vcpu)
{
	struct kvml_msrs *m = kvzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);

	if (!m)
		return -ENOMEM;
	m->ucode_rev = kvml_ops->ucode_rev;
	if (kvml_ops->osvw)
		memcpy(m->osvw, kvml_ops->osvw, sizeof(m->osvw));
	m->arch_cap = arch_capabilities();
	m->misc_enable = MISC_ENABLE_RO;
	m->pat = 0x0007040600070406ull;
	vcpu->msrs = m;
	kvml_tsc_vcpu_init(vcpu);
	kvml_cpuid_reset(vcpu);
	return 0;
}

/* ---- lists ---- */

/* What a VMM has to save; the CPU's MTRR and MCE registers it knows of. */
static const u32 saved[] = {
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
	MSR_STAR, MSR_CSTAR, MSR_KERNEL_GS_BASE, MSR_SYSCALL_MASK, MSR_LSTAR,
	MSR_IA32_TSC, MSR_IA32_CR_PAT, MSR_IA32_FEAT_CTL, MSR_KVM_SYSTEM_TIME, MSR_KVM_WALL_CLOCK,
	MSR_KVM_SYSTEM_TIME_NEW, MSR_KVM_WALL_CLOCK_NEW, MSR_IA32_TSC_ADJUST, MSR_IA32_MISC_ENABLE,
	MSR_IA32_MCG_STATUS, MSR_IA32_MCG_CTL, MSR_PLATFORM_INFO, MSR_MISC_FEATURES_ENABLES,
	MSR_IA32_POWER_CTL, MSR_IA32_UCODE_REV, MSR_SMI_COUNT, MSR_K7_HWCR,
	/* Those that depend on the host: see list_skips(). */
	MSR_TSC_AUX, MSR_IA32_ARCH_CAPABILITIES, MSR_IA32_SPEC_CTRL,
};

static const u32 features[] = {
	MSR_IA32_UCODE_REV, MSR_IA32_ARCH_CAPABILITIES, MSR_AMD64_DE_CFG,
};

static bool list_skips(u32 index)
{
	u64 data;

	switch (index) {
	case MSR_TSC_AUX:
		return !boot_cpu_has(X86_FEATURE_RDTSCP) && !boot_cpu_has(X86_FEATURE_RDPID);
	case MSR_IA32_ARCH_CAPABILITIES:
		return !boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES);
	case MSR_AMD64_DE_CFG:
		return kvml_ops->get_feature_msr(index, &data);
	case MSR_IA32_SPEC_CTRL:
		return !kvml_spec_ctrl_bits(kvml_cpuid_offered());
	}
	return false;
}

static int list_to_user(struct kvm_msr_list __user *arg, const u32 *list, unsigned int n)
{
	unsigned int i, count = 0;
	u32 room;

	for (i = 0; i < n; i++)
		count += !list_skips(list[i]);
	if (get_user(room, &arg->nmsrs) || put_user(count, &arg->nmsrs))
		return -EFAULT;
	if (room < count)
		return -E2BIG;
	for (i = 0, count = 0; i < n; i++)
		if (!list_skips(list[i]) && put_user(list[i], &arg->indices[count++]))
			return -EFAULT;
	return 0;
}

int kvml_msr_get_list(struct kvm_msr_list __user *arg, bool of_features)
{
	return of_features ? list_to_user(arg, features, ARRAY_SIZE(features)) :
			     list_to_user(arg, saved, ARRAY_SIZE(saved));
}

/* ---- KVM_GET_MSRS, KVM_SET_MSRS ---- */

static int get_feature(struct kvml_vcpu *unused, struct kvm_msr_entry *entry)
{
	if (list_skips(entry->index))
		return 1;
	switch (entry->index) {
	case MSR_IA32_UCODE_REV:
		return rdmsrq_safe(MSR_IA32_UCODE_REV, &entry->data);
	case MSR_IA32_ARCH_CAPABILITIES:
		entry->data = arch_capabilities();
		return 0;
	}
	return kvml_ops->get_feature_msr(entry->index, &entry->data);
}

static int get_one(struct kvml_vcpu *vcpu, struct kvm_msr_entry *entry)
{
	return kvml_msr_get(vcpu, entry->index, &entry->data, true);
}

/* A guest that has run has seen what its CPU is: that does not change any more. */
static bool is_fixed(struct kvml_vcpu *vcpu, u32 index, u64 data)
{
	u64 old;

	if (!vcpu->stat.exits || (index != MSR_IA32_ARCH_CAPABILITIES &&
				  index != MSR_AMD64_DE_CFG))
		return false;
	return kvml_msr_get(vcpu, index, &old, true) || data != old;
}

static int set_one(struct kvml_vcpu *vcpu, struct kvm_msr_entry *entry)
{
	if (is_fixed(vcpu, entry->index, entry->data))
		return 1;
	return kvml_msr_set(vcpu, entry->index, entry->data, true);
}

/* Up to the first that fails; returns how many. */
static int do_msrs(struct kvml_vcpu *vcpu, struct kvm_msrs __user *arg,
		   int (*one)(struct kvml_vcpu *vcpu,
			      struct kvm_msr_entry *entry), bool writeback)
{
	struct kvm_msr_entry *entries;
	struct kvm_msrs head;
	size_t size;
	int i;

	if (copy_from_user(&head, arg, sizeof(head)))
		return -EFAULT;
	if (head.nmsrs >= MAX_IO_MSRS)
		return -E2BIG;
	size = head.nmsrs * sizeof(*entries);
	entries = memdup_user(arg->entries, size);
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	for (i = 0; i < head.nmsrs; i++)
		if (one(vcpu, &entries[i]))
			break;
	if (writeback && copy_to_user(arg->entries, entries, size))
		i = -EFAULT;
	kfree(entries);
	return i;
}

int kvml_msrs_get(struct kvml_vcpu *vcpu, struct kvm_msrs __user *arg)
{
	return do_msrs(vcpu, arg, vcpu ? get_one : get_feature, true);
}

int kvml_msrs_set(struct kvml_vcpu *vcpu, struct kvm_msrs __user *arg)
{
	return do_msrs(vcpu, arg, set_one, false);
}
