// SPDX-License-Identifier: GPL-2.0
/*
 * The length and operand of instructions that exit, on CPUs of AMD that do not
 * tell.  What is read of an instruction is what there is of it and no more: the
 * next page may be none.
 */
#include <kunit/test.h>

#include "svm/insn.c"

/* ---- in place of fetch.c and event.c: code in pieces, as in pages ---- */

const struct kvml_ops *kvml_ops;

static struct kvml_vcpu *vcpu;
static const u8 *code;
static unsigned int code_len, first_piece;
static unsigned int fetches, exceptions;
static int rest_is_lost = 1;	/* #PF, or an error */

int kvml_emulate_fetch(struct kvml_vcpu *v, unsigned int n)
{
	struct kvml_emul *e = v->emul;
	unsigned int end = n ? code_len : first_piece;

	fetches++;
	e->nbytes = n;
	if (n == sizeof(e->bytes))
		return 0;	/* there is no room for more */
	if (n >= code_len)
		return rest_is_lost;
	memcpy(e->bytes + n, code + n, end - n);
	e->nbytes = end;
	return 0;
}

bool kvml_emulate_fetch_known(struct kvml_vcpu *v)
{
	if (code_len < sizeof(v->emul->bytes))
		return false;
	memcpy(v->emul->bytes, code, sizeof(v->emul->bytes));
	v->emul->nbytes = sizeof(v->emul->bytes);
	return true;
}

int kvml_queue_exception(struct kvml_vcpu *v, u8 nr)
{
	exceptions++;
	return 1;
}

static int svm_insn_init(struct kunit *test)
{
	vcpu = kunit_kzalloc(test, sizeof(*vcpu), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vcpu);
	vcpu->emul = kunit_kzalloc(test, sizeof(*vcpu->emul), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vcpu->emul);
	vcpu->reg[KVML_RIP] = U32_MAX;
	vcpu->reg_avail = ~0;
	fetches = 0;
	exceptions = 0;
	return 0;
}

struct insn_case {
	const char *text;
	u8 bits;
	u8 n;
	u8 code[KVML_INSN_MAX];
	struct svm_insn want;
};

#define CODE(...)	.n = sizeof((const u8[]){ __VA_ARGS__ }),	\
			.code = { __VA_ARGS__ }
#define ONE(op)		.want.opcode = (op)
#define TWO(op)		.want.opcode = (op), .want.two_bytes = true
#define MODRM(m)	.want.modrm = (m)

static const struct insn_case cases[] = {
	{ "hlt", 64, CODE(0xf4), ONE(0xf4) },
	{ "hlt, 16 bits", 16, CODE(0xf4), ONE(0xf4), .want.small = true },
	{ "pause", 64, CODE(0xf3, 0x90), ONE(0x90) },
	{ "cpuid", 64, CODE(0x0f, 0xa2), TWO(0xa2) },
	{ "rdmsr with a REX", 64, CODE(0x48, 0x0f, 0x32), TWO(0x32),
	  .want.rex = 0x48 },
	{ "48 is no prefix of 32-bit code", 32, CODE(0x48), ONE(0x48) },
	{ "mov cr0, rax", 64, CODE(0x0f, 0x22, 0xc0), TWO(0x22), MODRM(0xc0) },
	{ "mov r8, cr3", 64, CODE(0x41, 0x0f, 0x20, 0xd8), TWO(0x20),
	  MODRM(0xd8), .want.rex = 0x41 },
	{ "mov cr8, rax", 64, CODE(0x44, 0x0f, 0x22, 0xc0), TWO(0x22),
	  MODRM(0xc0), .want.rex = 0x44 },
	{ "lock mov eax, cr0: CR8", 32, CODE(0xf0, 0x0f, 0x20, 0xc0), TWO(0x20),
	  MODRM(0xc0) },
	{ "mov cr0, eax with mod 0: a register", 32, CODE(0x0f, 0x22, 0x00),
	  TWO(0x22), MODRM(0x00) },
	{ "mov dr7, rcx with mod 1: a register", 64, CODE(0x0f, 0x23, 0x79),
	  TWO(0x23), MODRM(0x79) },
	{ "xsetbv", 64, CODE(0x0f, 0x01, 0xd1), TWO(0x01), MODRM(0xd1) },
	{ "rdtscp", 64, CODE(0x0f, 0x01, 0xf9), TWO(0x01), MODRM(0xf9) },
	{ "lmsw ax", 16, CODE(0x0f, 0x01, 0xf0), TWO(0x01), MODRM(0xf0),
	  .want.small = true },
	{ "smsw eax", 64, CODE(0x0f, 0x01, 0xe0), TWO(0x01), MODRM(0xe0) },
	{ "smsw ax", 64, CODE(0x66, 0x0f, 0x01, 0xe0), TWO(0x01), MODRM(0xe0),
	  .want.small = true },
	{ "smsw eax, 16 bits", 16, CODE(0x66, 0x0f, 0x01, 0xe0), TWO(0x01),
	  MODRM(0xe0) },
	{ "smsw rax: REX.W wins over 66", 64,
	  CODE(0x66, 0x48, 0x0f, 0x01, 0xe0), TWO(0x01), MODRM(0xe0),
	  .want.rex = 0x48 },
	{ "a prefix after REX cancels it", 64,
	  CODE(0x48, 0x66, 0x0f, 0x01, 0xe0), TWO(0x01), MODRM(0xe0),
	  .want.small = true },
	{ "lmsw [rdi]", 64, CODE(0x0f, 0x01, 0x37), TWO(0x01), MODRM(0x37) },
	{ "lmsw [rip + 4]", 64, CODE(0x0f, 0x01, 0x35, 4, 0, 0, 0), TWO(0x01),
	  MODRM(0x35) },
	{ "lmsw [rbp - 1]", 64, CODE(0x0f, 0x01, 0x75, 0xff), TWO(0x01),
	  MODRM(0x75) },
	{ "lmsw [rbp + 0x100]", 64, CODE(0x0f, 0x01, 0xb5, 0, 1, 0, 0),
	  TWO(0x01), MODRM(0xb5) },
	{ "lmsw [rsp]", 64, CODE(0x0f, 0x01, 0x34, 0x24), TWO(0x01),
	  MODRM(0x34) },
	{ "lmsw [rsp + 1]", 64, CODE(0x0f, 0x01, 0x74, 0x24, 1), TWO(0x01),
	  MODRM(0x74) },
	{ "lmsw [0x10] by SIB", 64,
	  CODE(0x0f, 0x01, 0x34, 0x25, 0x10, 0, 0, 0), TWO(0x01),
	  MODRM(0x34) },
	{ "lmsw [esp + 0x100]", 32,
	  CODE(0x0f, 0x01, 0xb4, 0x24, 0, 1, 0, 0), TWO(0x01), MODRM(0xb4) },
	{ "lmsw [si]", 16, CODE(0x0f, 0x01, 0x34), TWO(0x01), MODRM(0x34),
	  .want.small = true },
	{ "lmsw [0x1234]", 16, CODE(0x0f, 0x01, 0x36, 0x34, 0x12), TWO(0x01),
	  MODRM(0x36), .want.small = true },
	{ "lmsw [bp + 0x100]", 16, CODE(0x0f, 0x01, 0xb6, 0, 1), TWO(0x01),
	  MODRM(0xb6), .want.small = true },
	{ "lmsw [si], 32-bit code", 32, CODE(0x67, 0x0f, 0x01, 0x34),
	  TWO(0x01), MODRM(0x34) },
	{ "lmsw [esp], 16-bit code", 16, CODE(0x67, 0x0f, 0x01, 0x34, 0x24),
	  TWO(0x01), MODRM(0x34), .want.small = true },
	{ "iret", 32, CODE(0xcf), ONE(0xcf) },
	{ "int 0x31", 32, CODE(0xcd, 0x31), ONE(0xcd) },
	{ "jmp 0x50:0", 32, CODE(0xea, 0, 0, 0, 0, 0x50, 0), ONE(0xea) },
	{ "call 0x50:0, 16 bits", 16, CODE(0x9a, 0, 0, 0x50, 0), ONE(0x9a),
	  .want.small = true },
	{ "jmp far [esi + 1]", 32, CODE(0xff, 0x6e, 1), ONE(0xff), MODRM(0x6e) },
	{ "15 bytes", 32,
	  CODE(0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e,
	       0x2e, 0x0f, 0x22, 0xc0), TWO(0x22), MODRM(0xc0) },
};

static void expect_insn(struct kunit *test, const struct insn_case *c,
			const struct svm_insn *got)
{
	KUNIT_EXPECT_EQ(test, got->len, c->n);
	/* Only 64-bit code goes on beyond 4 GiB. */
	KUNIT_EXPECT_EQ(test, got->next, (c->bits == 64 ? 1ul << 32 : 0) + c->n - 1);
	KUNIT_EXPECT_EQ(test, got->opcode, c->want.opcode);
	KUNIT_EXPECT_EQ(test, got->two_bytes, c->want.two_bytes);
	KUNIT_EXPECT_EQ(test, got->rex, c->want.rex);
	KUNIT_EXPECT_EQ(test, got->small, c->want.small);
	KUNIT_EXPECT_EQ(test, got->modrm, c->want.modrm);
}

static void case_to_desc(const struct insn_case *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u-bit: %s", c->bits, c->text);
}

KUNIT_ARRAY_PARAM(svm_insn, cases, case_to_desc);

/* It ends where its page does: the next one is not looked at. */
static void svm_insn_page_end_test(struct kunit *test)
{
	const struct insn_case *c = test->param_value;
	struct svm_insn insn;

	vcpu->emul->bits = c->bits;
	code = c->code;
	code_len = c->n;
	first_piece = c->n;
	KUNIT_EXPECT_EQ(test, kvml_svm_insn_read(vcpu, &insn), 0);
	KUNIT_EXPECT_EQ(test, fetches, 1);
	expect_insn(test, c, &insn);
}

/* Its first bytes are in one page, the others in the next. */
static void svm_insn_two_pages_test(struct kunit *test)
{
	const struct insn_case *c = test->param_value;
	struct svm_insn insn;

	vcpu->emul->bits = c->bits;
	code = c->code;
	code_len = c->n;
	for (first_piece = 1; first_piece < c->n; first_piece++) {
		fetches = 0;
		KUNIT_EXPECT_EQ(test, kvml_svm_insn_read(vcpu, &insn), 0);
		KUNIT_EXPECT_EQ(test, fetches, 2);
		expect_insn(test, c, &insn);
	}
	KUNIT_EXPECT_EQ(test, exceptions, 0);
}

/* The rest is not there: #PF, which fetching has queued, and nothing else. */
static void svm_insn_fault_test(struct kunit *test)
{
	const struct insn_case *c = test->param_value;
	struct svm_insn insn;

	vcpu->emul->bits = c->bits;
	code = c->code;
	for (code_len = 1; code_len < c->n; code_len++) {
		first_piece = code_len;
		KUNIT_EXPECT_EQ(test, kvml_svm_insn_read(vcpu, &insn), 1);
	}
	KUNIT_EXPECT_EQ(test, exceptions, 0);
}

/* Userspace has taken the rest away: the error is KVM_RUN's, the guest sees nothing. */
static void svm_insn_error_test(struct kunit *test)
{
	const struct insn_case *c = test->param_value;
	struct svm_insn insn;

	rest_is_lost = -EFAULT;
	vcpu->emul->bits = c->bits;
	code = c->code;
	for (code_len = 1; code_len < c->n; code_len++) {
		first_piece = code_len;
		KUNIT_EXPECT_EQ(test, kvml_svm_insn_read(vcpu, &insn), -EFAULT);
	}
	rest_is_lost = 1;
	KUNIT_EXPECT_EQ(test, exceptions, 0);
}

/* Without sleeping: 16 bytes at once. */
static void svm_insn_known_test(struct kunit *test)
{
	const struct insn_case *c = test->param_value;
	u8 bytes[KVML_INSN_MAX + 1];
	struct svm_insn insn;

	memset(bytes, 0x24, sizeof(bytes));
	memcpy(bytes, c->code, c->n);
	vcpu->emul->bits = c->bits;
	code = bytes;
	code_len = sizeof(bytes);
	KUNIT_EXPECT_TRUE(test, kvml_svm_insn_read_known(vcpu, &insn));
	expect_insn(test, c, &insn);
}

/* Prefixes and nothing else, or one byte too many: #UD. */
static void svm_insn_long_test(struct kunit *test)
{
	u8 bytes[KVML_INSN_MAX + 1];
	struct svm_insn insn;

	memset(bytes, 0x2e, sizeof(bytes));
	vcpu->emul->bits = 64;
	code = bytes;
	code_len = sizeof(bytes);
	first_piece = sizeof(bytes);
	KUNIT_EXPECT_FALSE(test, kvml_svm_insn_read_known(vcpu, &insn));
	KUNIT_EXPECT_EQ(test, kvml_svm_insn_read(vcpu, &insn), 1);
	KUNIT_EXPECT_EQ(test, exceptions, 1);
	bytes[14] = 0x0f;
	bytes[15] = 0xa2;
	KUNIT_EXPECT_FALSE(test, kvml_svm_insn_read_known(vcpu, &insn));
	KUNIT_EXPECT_EQ(test, kvml_svm_insn_read(vcpu, &insn), 1);
	KUNIT_EXPECT_EQ(test, exceptions, 2);
}

static struct kunit_case svm_insn_cases[] = {
	KUNIT_CASE_PARAM(svm_insn_page_end_test, svm_insn_gen_params),
	KUNIT_CASE_PARAM(svm_insn_two_pages_test, svm_insn_gen_params),
	KUNIT_CASE_PARAM(svm_insn_fault_test, svm_insn_gen_params),
	KUNIT_CASE_PARAM(svm_insn_error_test, svm_insn_gen_params),
	KUNIT_CASE_PARAM(svm_insn_known_test, svm_insn_gen_params),
	KUNIT_CASE(svm_insn_long_test),
	{ }
};

static struct kunit_suite svm_insn_suite = {
	.name = "kvmlite_svm_insn",
	.init = svm_insn_init,
	.test_cases = svm_insn_cases,
};

kunit_test_suite(svm_insn_suite);

MODULE_DESCRIPTION("Tests of kvmlite's look at instructions that exit on AMD-V");
MODULE_LICENSE("GPL");
