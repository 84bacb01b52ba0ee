// SPDX-License-Identifier: GPL-2.0
#include <cpuid.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu.h"

/* SDM volume 4, chapter 2. */
#define IA32_VMX_BASIC			0x480
#define IA32_VMX_PROCBASED_CTLS2	0x48b
#define IA32_VMX_TRUE_EXIT_CTLS		0x48f
#define IA32_VMX_TRUE_ENTRY_CTLS	0x490

/* CPUID 1 and 8000_0001, ECX. */
#define FEATURE_VMX		(1U << 5)
#define FEATURE_HYPERVISOR	(1U << 31)
#define FEATURE_SVM		(1U << 2)

/* "May be 1" is the upper half: SDM volume 3, appendix A. */
#define MAY_BE_1(bit)		(1ULL << (32 + (bit)))
#define TRUE_CTLS		(1ULL << 55)
#define ENABLE_EPT		MAY_BE_1(1)
#define ENABLE_VPID		MAY_BE_1(5)
#define UNRESTRICTED_GUEST	MAY_BE_1(7)
#define EXIT_LOAD_EFER		MAY_BE_1(21)
#define ENTRY_LOAD_EFER		MAY_BE_1(15)

/* Needs root and the module msr. */
static bool read_msr(uint32_t number, uint64_t *value)
{
	int fd = open("/dev/cpu/0/msr", O_RDONLY | O_CLOEXEC);
	bool done;

	if (fd < 0)
		return false;
	done = pread(fd, value, sizeof(*value), number) == sizeof(*value);
	close(fd);
	return done;
}

/* Is the word on the first line of /proc/cpuinfo of that name? */
static bool in_cpuinfo(const char *name, const char *word)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char *line = NULL, *rest, *token;
	size_t size = 0, length = strlen(name);
	bool found = false;

	if (!file)
		return false;
	while (getline(&line, &size, file) > 0) {
		if (strncmp(line, name, length) || !strchr("\t :", line[length]))
			continue;
		rest = strchr(line, ':');
		token = rest ? strtok(rest + 1, " \t\n") : NULL;
		for (; token && !found; token = strtok(NULL, " \t\n"))
			found = !strcmp(token, word);
		break;
	}
	free(line);
	fclose(file);
	return found;
}

/* Registers are named by the order of CPUID's letters: EBX, ECX, EDX. */
static void read_name(struct cpu *cpu)
{
	unsigned int reg[12] = { 0 }, leaf, a, b, c, d;
	const char *name = (const char *)reg;
	char vendor[13] = "";

	__cpuid(0, a, b, c, d);
	memcpy(vendor, &b, 4);
	memcpy(vendor + 4, &d, 4);
	memcpy(vendor + 8, &c, 4);
	if (!strcmp(vendor, "GenuineIntel"))
		cpu->vendor = CPU_INTEL;
	else if (!strcmp(vendor, "AuthenticAMD") ||
		 !strcmp(vendor, "HygonGenuine"))
		cpu->vendor = CPU_AMD;
	else
		cpu->vendor = CPU_OTHER;
	for (leaf = 0; leaf < 3; leaf++)
		__get_cpuid(0x80000002 + leaf, reg + 4 * leaf, reg + 4 * leaf + 1,
			    reg + 4 * leaf + 2, reg + 4 * leaf + 3);
	snprintf(cpu->model, sizeof(cpu->model), "%.48s",
		 *name ? name + strspn(name, " ") : vendor);
}

static void read_vmx(struct cpu *cpu)
{
	uint64_t basic, second, leave, enter;

	cpu->enabled = in_cpuinfo("flags", "vmx");
	cpu->nested_paging = in_cpuinfo("vmx flags", "ept") ||
			     in_cpuinfo("flags", "ept");
	cpu->unrestricted_guest = in_cpuinfo("vmx flags", "unrestricted_guest");
	cpu->vpid = in_cpuinfo("vmx flags", "vpid") ||
		    in_cpuinfo("flags", "vpid");
	cpu->other_controls = true;
	if (!read_msr(IA32_VMX_BASIC, &basic) ||
	    !read_msr(IA32_VMX_PROCBASED_CTLS2, &second))
		return;
	cpu->asked = true;
	cpu->nested_paging = second & ENABLE_EPT;
	cpu->unrestricted_guest = second & UNRESTRICTED_GUEST;
	cpu->vpid = second & ENABLE_VPID;
	cpu->other_controls = basic & TRUE_CTLS &&
			      read_msr(IA32_VMX_TRUE_EXIT_CTLS, &leave) &&
			      leave & EXIT_LOAD_EFER &&
			      read_msr(IA32_VMX_TRUE_ENTRY_CTLS, &enter) &&
			      enter & ENTRY_LOAD_EFER;
}

static void read_svm(struct cpu *cpu)
{
	unsigned int a, b, c, d;

	cpu->enabled = in_cpuinfo("flags", "svm");
	/* APM volume 3, appendix E: Fn8000_000A. */
	cpu->nested_paging = __get_cpuid(0x8000000a, &a, &b, &c, &d) && d & 1;
	cpu->unrestricted_guest = true;
	cpu->vpid = true;
	cpu->other_controls = true;
}

void cpu_read(struct cpu *cpu)
{
	unsigned int a, b, c = 0, d, extended = 0;

	memset(cpu, 0, sizeof(*cpu));
	read_name(cpu);
	__get_cpuid(1, &a, &b, &c, &d);
	cpu->is_virtual = c & FEATURE_HYPERVISOR;
	if (cpu->vendor == CPU_AMD) {
		__get_cpuid(0x80000001, &a, &b, &extended, &d);
		cpu->extension = extended & FEATURE_SVM;
		if (cpu->extension)
			read_svm(cpu);
	} else {
		cpu->extension = c & FEATURE_VMX;
		if (cpu->extension)
			read_vmx(cpu);
	}
}

const char *cpu_extension_name(const struct cpu *cpu)
{
	return cpu->vendor == CPU_AMD ? "AMD-V" : "VT-x";
}

/* ---- what is wrong ---- */

static const char extension_hidden[] =
	"the hypervisor below hides virtualization: switch nested virtualization on there";
static const char extension_missing[] =
	"this CPU has no virtualization: another machine is needed";
static const char extension_off[] =
	"virtualization is switched off by the firmware: switch it on in the BIOS setup";
static const char paging_hidden[] =
	"the hypervisor below offers no nested paging: its kvm_intel needs ept=1";
static const char paging_missing[] =
	"this CPU has no nested paging: another machine is needed";

const char *cpu_extension_problem(const struct cpu *cpu)
{
	if (!cpu->extension)
		return cpu->is_virtual ? extension_hidden : extension_missing;
	return cpu->enabled ? NULL : extension_off;
}

const char *cpu_paging_problem(const struct cpu *cpu)
{
	if (cpu->nested_paging)
		return NULL;
	return cpu->is_virtual ? paging_hidden : paging_missing;
}

const char *cpu_guest_problem(const struct cpu *cpu)
{
	if (!cpu->unrestricted_guest)
		return "this CPU has no unrestricted guest (Intel's have it since 2010)";
	if (!cpu->vpid)
		return "this CPU has no VPIDs (Intel's have them since 2008)";
	if (!cpu->other_controls)
		return "this CPU cannot switch EFER with the guest";
	return NULL;
}

const char *cpu_problem(const struct cpu *cpu)
{
	const char *problem = cpu_extension_problem(cpu);

	if (!problem)
		problem = cpu_paging_problem(cpu);
	if (!problem)
		problem = cpu_guest_problem(cpu);
	return problem;
}
