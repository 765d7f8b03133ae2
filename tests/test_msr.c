/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trap/msr.c: each row's read, write, mask and fault; then RDMSR and WRMSR as a guest executes
 * them.
 *
 * Source of the expectations: AMD APM Vol 2 (24593) 3.1.7 (EFER), 15.34.10 (SEV_STATUS), 15.35.7
 * (GHCB), 15.36.12 (EFER.SVME is ignored in a guest), appendix A.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "abi/msr.h"
#include "guest_builder.h"
#include "trap/msr.h"

#define NON_CANONICAL 0x0000800000000000ULL
#define HIGH_HALF 0xFFFF800012345678ULL
/* LME, LMA, NXE, SVME, SCE: what the builder starts with. */
#define EFER_START (EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME | EFER_SCE)

static struct guest guest;

static void setup(void)
{
    guest_open(&guest);
}

static void teardown(void)
{
    guest_close(&guest);
}

static const struct {
    const char *name;
    uint32_t index;
    uint64_t value; /* written */
    enum msr_result result;
    uint64_t after; /* read back */
} write_rows[] = {
    {"STAR", MSR_STAR, 0x0023001000000000, MSR_OK, 0x0023001000000000},
    {"STAR, all ones", MSR_STAR, ~0ULL, MSR_OK, ~0ULL},
    {"LSTAR", MSR_LSTAR, HIGH_HALF, MSR_OK, HIGH_HALF},
    {"LSTAR, non-canonical", MSR_LSTAR, NON_CANONICAL, MSR_GP, 0},
    {"CSTAR", MSR_CSTAR, 0x1000, MSR_OK, 0x1000},
    {"CSTAR, non-canonical", MSR_CSTAR, NON_CANONICAL, MSR_GP, 0},
    {"SFMASK", MSR_SFMASK, 0xFFFFFFFF, MSR_OK, 0xFFFFFFFF},
    {"FS base", MSR_FS_BASE, HIGH_HALF, MSR_OK, HIGH_HALF},
    {"FS base, non-canonical", MSR_FS_BASE, NON_CANONICAL, MSR_GP, 0},
    {"GS base", MSR_GS_BASE, HIGH_HALF, MSR_OK, HIGH_HALF},
    {"GS base, the last of the lower half", MSR_GS_BASE, NON_CANONICAL - 1, MSR_OK,
     NON_CANONICAL - 1},
    {"GS base, non-canonical", MSR_GS_BASE, NON_CANONICAL, MSR_GP, 0},
    {"kernel GS base", MSR_KERNEL_GS_BASE, HIGH_HALF, MSR_OK, HIGH_HALF},
    {"kernel GS base, non-canonical", MSR_KERNEL_GS_BASE, ~NON_CANONICAL, MSR_GP, 0},
    {"GHCB", MSR_GHCB, 0x0102030405060708, MSR_OK, 0x0102030405060708},
    {"GHCB, all ones", MSR_GHCB, ~0ULL, MSR_OK, ~0ULL},
    {"SEV_STATUS cannot be written", MSR_SEV_STATUS, 7, MSR_GP, 7},
    {"EFER, SCE off", MSR_EFER, EFER_START & ~EFER_SCE, MSR_OK, EFER_START & ~EFER_SCE},
    {"EFER, NXE off", MSR_EFER, EFER_START & ~EFER_NXE, MSR_OK, EFER_START & ~EFER_NXE},
    {"EFER, as it is", MSR_EFER, EFER_START, MSR_OK, EFER_START},
    {"EFER, SVME off is ignored", MSR_EFER, EFER_START & ~EFER_SVME, MSR_OK, EFER_START},
    {"EFER, leaving long mode under paging", MSR_EFER, EFER_START & ~EFER_LME, MSR_GP, EFER_START},
    {"EFER, LMA", MSR_EFER, EFER_START ^ EFER_LMA, MSR_GUESS, EFER_START},
    {"EFER, a reserved bit", MSR_EFER, EFER_START | 1ULL << 1, MSR_GP, EFER_START},
    {"EFER, the highest bit", MSR_EFER, EFER_START | 1ULL << 63, MSR_GP, EFER_START},
    {"EFER, FFXSR is not modelled", MSR_EFER, EFER_START | EFER_FFXSR, MSR_UNMODELLED, EFER_START},
    {"EFER, TCE is not modelled", MSR_EFER, EFER_START | EFER_TCE, MSR_UNMODELLED, EFER_START},
    {"PAT", MSR_PAT, 0x0001040506070406, MSR_OK, 0x0001040506070406},
    {"PAT, type 2", MSR_PAT, 0x0007040600070402, MSR_GP, PAT_RESET},
    {"PAT, type 3 in the last entry", MSR_PAT, 0x0307040600070406, MSR_GP, PAT_RESET},
    {"PAT, a reserved bit", MSR_PAT, 0x0007040600078406, MSR_GP, PAT_RESET},
    {"SYSENTER_CS", MSR_SYSENTER_CS, 0x10, MSR_OK, 0x10},
    {"SYSENTER_CS, more than a selector", MSR_SYSENTER_CS, 0x10000, MSR_UNMODELLED, 0},
    {"SYSENTER_EIP", MSR_SYSENTER_EIP, 0xFFFFFFFF, MSR_OK, 0xFFFFFFFF},
    {"SYSENTER_ESP, more than 32 bits", MSR_SYSENTER_ESP, 1ULL << 32, MSR_UNMODELLED, 0},
};

START_TEST(write_table)
{
    const char *name = write_rows[_i].name;
    uint64_t value = 0;

    ck_assert_msg(msr_write(&guest.machine, write_rows[_i].index, write_rows[_i].value) ==
                      write_rows[_i].result,
                  "%s", name);
    ck_assert_int_eq(msr_read(&guest.machine, write_rows[_i].index, &value), MSR_OK);
    ck_assert_msg(value == write_rows[_i].after, "%s: reads 0x%llx", name,
                  (unsigned long long)value);
}
END_TEST

static bool row_keeps_anything(const struct msr_row *row)
{
    return !(row->flags & (MSR_READ_ONLY | MSR_INTERCEPT)) && row->index != MSR_EFER &&
           row->index != MSR_PAT && row->index != MSR_VIRTUAL_TOM;
}

/* Every row is its own: what one keeps does not show in another. */
START_TEST(rows_are_separate)
{
    for (size_t i = 0; i < msr_row_count; i++) {
        const struct msr_row *row = &msr_rows[i];

        ck_assert_ptr_eq(msr_row_by_index(row->index), row);
        ck_assert_ptr_nonnull(row->name);
        ck_assert_ptr_nonnull(row->source);
        if (row_keeps_anything(row)) {
            ck_assert_int_eq(msr_write(&guest.machine, row->index, 0x1000 + i), MSR_OK);
        }
    }
    for (size_t i = 0; i < msr_row_count; i++) {
        const struct msr_row *row = &msr_rows[i];
        uint64_t value = 0;

        if (row_keeps_anything(row)) {
            ck_assert_int_eq(msr_read(&guest.machine, row->index, &value), MSR_OK);
            ck_assert_msg(value == 0x1000 + i, "%s", row->name);
        }
    }
}
END_TEST

static const struct {
    const char *name;
    uint64_t features, status;
} status_rows[] = {
    {"SNP alone", 0x1, 0x7},
    {"SNP and restricted injection", 0x9, 0x27},
    {"SNP and virtual TOM", 0x3, 0xF},
    {"no SNP", 0x0, 0x3},
};

START_TEST(sev_status_table)
{
    uint64_t value = 0;

    guest.machine.state.sev_features = status_rows[_i].features;
    ck_assert_int_eq(msr_read(&guest.machine, MSR_SEV_STATUS, &value), MSR_OK);
    ck_assert_msg(value == status_rows[_i].status, "%s: 0x%llx", status_rows[_i].name,
                  (unsigned long long)value);
}
END_TEST

static const uint32_t unknown[] = {0,          0x7FF,     0x900,      0x1234,     MSR_SFMASK + 1,
                                   0x1FF,      0x210,     0xC0010011, 0xC0010139, 0xC001EFFF,
                                   0xC001F001, 0xFFFFFFFF};

START_TEST(unknown_table)
{
    uint64_t value = 0x77;

    ck_assert_ptr_null(msr_row_by_index(unknown[_i]));
    ck_assert_int_eq(msr_read(&guest.machine, unknown[_i], &value), MSR_UNMODELLED);
    ck_assert_uint_eq(value, 0x77);
    ck_assert_int_eq(msr_write(&guest.machine, unknown[_i], 0), MSR_UNMODELLED);
}
END_TEST

static const uint32_t intercepted[] = {
    MSR_TSC,
    MSR_APIC_BASE,
    MSR_MTRR_CAP,
    MSR_MTRR_DEF_TYPE,
    0x200,
    0x20F,
    0x250,
    0x259,
    0x26F,
    MSR_X2APIC,
    MSR_X2APIC + 0x30,
    MSR_X2APIC + 0xFF,
    MSR_XSS,
    MSR_TSC_AUX,
    MSR_SYSCFG,
    MSR_RMP_BASE,
    MSR_RMP_END,
    MSR_GUEST_TSC_FREQ,
    MSR_SVSM_CAA,
    MSR_HWCR,
};

START_TEST(intercepted_table)
{
    uint64_t value = 0x77;

    ck_assert_int_eq(msr_read(&guest.machine, intercepted[_i], &value), MSR_VC);
    ck_assert_uint_eq(value, 0x77);
    ck_assert_int_eq(msr_write(&guest.machine, intercepted[_i], 0), MSR_VC);
}
END_TEST

START_TEST(virtual_tom)
{
    uint64_t value = 0x77;

    ck_assert_int_eq(msr_read(&guest.machine, MSR_VIRTUAL_TOM, &value), MSR_GP);
    ck_assert_int_eq(msr_write(&guest.machine, MSR_VIRTUAL_TOM, 0), MSR_GP);
    ck_assert_uint_eq(value, 0x77);
    guest.machine.state.sev_features |= SEV_FEATURE_VTOM;
    ck_assert_int_eq(msr_write(&guest.machine, MSR_VIRTUAL_TOM, 0x40200000), MSR_OK);
    ck_assert_int_eq(msr_read(&guest.machine, MSR_VIRTUAL_TOM, &value), MSR_OK);
    ck_assert_uint_eq(value, 0x40200000);
    ck_assert_int_eq(msr_write(&guest.machine, MSR_VIRTUAL_TOM, 0x40300000), MSR_UNMODELLED);
    ck_assert_int_eq(msr_write(&guest.machine, MSR_VIRTUAL_TOM, 1ULL << 52), MSR_UNMODELLED);
    ck_assert_int_eq(msr_read(&guest.machine, MSR_VIRTUAL_TOM, &value), MSR_OK);
    ck_assert_uint_eq(value, 0x40200000);
}
END_TEST

START_TEST(pat_reset)
{
    uint64_t value = 0;

    ck_assert_int_eq(msr_read(&guest.machine, MSR_PAT, &value), MSR_OK);
    ck_assert_uint_eq(value, PAT_RESET);
}
END_TEST

/* ---- the instructions, executed ---- */

START_TEST(rdmsr)
{
    GUEST_CODE_BYTES(&guest, 0x0F, 0x32, 0xF4); /* rdmsr; hlt */
    guest.machine.state.ghcb_msr = 0x8877665544332211;
    guest_set(&guest, VCPU_RAX, ~0ULL);
    guest_set(&guest, VCPU_RCX, 0xFFFFFFFF00000000 | MSR_GHCB); /* ECX counts */
    guest_set(&guest, VCPU_RDX, ~0ULL);
    guest_set(&guest, VCPU_RFLAGS, RFLAGS_FIXED | RFLAGS_CF | RFLAGS_ZF);
    guest_run(&guest);
    ck_assert_int_eq(guest.outcome.kind, OUTCOME_HALTED);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RAX), 0x44332211);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RDX), 0x88776655);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RFLAGS), RFLAGS_FIXED | RFLAGS_CF | RFLAGS_ZF);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RIP), GUEST_CODE + 3);
    ck_assert_uint_eq(vcpu_retired(guest.machine.vcpu), 2);
}
END_TEST

START_TEST(wrmsr)
{
    GUEST_CODE_BYTES(&guest, 0x0F, 0x30, 0xF4);      /* wrmsr; hlt */
    guest_set(&guest, VCPU_RAX, 0xAAAAAAAA44332211); /* EDX:EAX count */
    guest_set(&guest, VCPU_RCX, MSR_GHCB);
    guest_set(&guest, VCPU_RDX, 0xAAAAAAAA88776655);
    guest_run(&guest);
    ck_assert_int_eq(guest.outcome.kind, OUTCOME_HALTED);
    ck_assert_uint_eq(guest.machine.state.ghcb_msr, 0x8877665544332211);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RAX), 0xAAAAAAAA44332211);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RDX), 0xAAAAAAAA88776655);
}
END_TEST

/* The engine uses what was written: a load through GS after WRMSR, and what SWAPGS exchanges. */
START_TEST(gs_base_takes_effect)
{
    /* wrmsr; mov rbx, gs:[8]; swapgs; mov rsi, gs:[8]; hlt */
    GUEST_CODE_BYTES(&guest, 0x0F, 0x30, 0x65, 0x48, 0x8B, 0x1C, 0x25, 8, 0, 0, 0, 0x0F, 0x01, 0xF8,
                     0x65, 0x48, 0x8B, 0x34, 0x25, 8, 0, 0, 0, 0xF4);
    guest_store(&guest, GUEST_DATA + 0x108, 0x1111);
    guest_store(&guest, GUEST_DATA + 0x208, 0x2222);
    ck_assert_int_eq(msr_write(&guest.machine, MSR_KERNEL_GS_BASE, GUEST_DATA + 0x200), MSR_OK);
    guest_set(&guest, VCPU_RAX, GUEST_DATA + 0x100);
    guest_set(&guest, VCPU_RCX, MSR_GS_BASE);
    guest_set(&guest, VCPU_RDX, 0);
    guest_run(&guest);
    ck_assert_int_eq(guest.outcome.kind, OUTCOME_HALTED);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RBX), 0x1111);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RSI), 0x2222);
}
END_TEST

static const struct {
    const char *name;
    uint8_t opcode; /* after 0F */
    uint32_t index;
    uint64_t value;
    enum outcome_kind outcome;
    int vector;
    const char *detail;
} refused_rows[] = {
    {"wrmsr SEV_STATUS", 0x30, MSR_SEV_STATUS, 1, OUTCOME_HALTED, VECTOR_GP, ""},
    {"wrmsr GS base, non-canonical", 0x30, MSR_GS_BASE, NON_CANONICAL, OUTCOME_HALTED, VECTOR_GP,
     ""},
    {"rdmsr without a row", 0x32, 0x1234, 0, OUTCOME_UNMODELLED, -1, "rdmsr of 0x1234"},
    {"wrmsr without a row", 0x30, 0x1234, 0x55, OUTCOME_UNMODELLED, -1,
     "wrmsr of 0x1234, value 0x55"},
};

START_TEST(refused_table)
{
    const uint8_t code[] = {0x0F, refused_rows[_i].opcode, 0xF4};
    const char *name = refused_rows[_i].name;

    guest_code(&guest, code, sizeof(code));
    guest_set(&guest, VCPU_RAX, (uint32_t)refused_rows[_i].value);
    guest_set(&guest, VCPU_RCX, refused_rows[_i].index);
    guest_set(&guest, VCPU_RDX, refused_rows[_i].value >> 32);
    guest_run(&guest);
    ck_assert_msg(guest.outcome.kind == refused_rows[_i].outcome, "%s: %s", name,
                  outcome_name(guest.outcome.kind));
    ck_assert_msg(guest_halted_in(&guest) == refused_rows[_i].vector, "%s", name);
    ck_assert_str_eq(guest.outcome.detail, refused_rows[_i].detail);
    if (refused_rows[_i].vector >= 0) {
        ck_assert_uint_eq(guest_load(&guest, guest_get(&guest, VCPU_RSP)), 0);
        ck_assert_uint_eq(guest_load(&guest, guest_get(&guest, VCPU_RSP) + 8), GUEST_CODE);
    } else {
        ck_assert_uint_eq(guest_get(&guest, VCPU_RIP), GUEST_CODE);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("msr");
    TCase *tcase = tcase_create("msr");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, write_table, 0, COUNT(write_rows));
    tcase_add_test(tcase, rows_are_separate);
    tcase_add_loop_test(tcase, sev_status_table, 0, COUNT(status_rows));
    tcase_add_loop_test(tcase, unknown_table, 0, COUNT(unknown));
    tcase_add_loop_test(tcase, intercepted_table, 0, COUNT(intercepted));
    tcase_add_test(tcase, virtual_tom);
    tcase_add_test(tcase, pat_reset);
    tcase_add_test(tcase, rdmsr);
    tcase_add_test(tcase, wrmsr);
    tcase_add_test(tcase, gs_base_takes_effect);
    tcase_add_loop_test(tcase, refused_table, 0, COUNT(refused_rows));
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
