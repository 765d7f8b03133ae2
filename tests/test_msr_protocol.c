/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ghcb/msr_protocol.c: each request of the GHCB MSR protocol with its answers.
 *
 * Source of the expectations: Linux arch/x86/kvm/svm/sev.c sev_handle_vmgexit_msr_protocol,
 * snp_begin_psc_msr; arch/x86/include/asm/sev-common.h.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/msr.h"
#include "abi/nae.h"
#include "ghcb/page.h"
#include "ghcb/table.h"
#include "ghcb_bench.h"

static struct ghcb_bench bench;

static void setup(void)
{
    bench_open(&bench);
}

static void teardown(void)
{
    bench_close(&bench);
}

#define PRIVATE_OP (PSC_OP_PRIVATE << GHCB_MSR_PSC_OP_SHIFT)
#define SHARED_OP (PSC_OP_SHARED << GHCB_MSR_PSC_OP_SHIFT)
#define REGION GUEST_REGION(1)

static const struct {
    const char *name;
    uint64_t request, want;
} rows[] = {
    {"version", 0x002, 0x0002000133000001},
    {"version, data ignored", 0xABCDE000 | 0x002, 0x0002000133000001},
    {"features", 0x080, 0x37081},
    {"preferred GHCB: none", 0x010, 0xFFFFFFFFFFFFF011},
    {"register", BENCH_SHARED(3) | 0x012, BENCH_SHARED(3) | 0x013},
    {"register zero", 0x012, 0x013},
    {"register a private page: recorded, not inspected", BENCH_PRIVATE | 0x012,
     BENCH_PRIVATE | 0x013},
    {"CPUID, EAX", 0x8000001FULL << 32 | 0ULL << 30 | 0x004, 0x0000003A00000005},
    {"CPUID, EBX", 0x8000001FULL << 32 | 1ULL << 30 | 0x004, 0x0000403340000005},
    {"CPUID, ECX", 0x8000001FULL << 32 | 2ULL << 30 | 0x004, 0x0000000080000005},
    {"CPUID, EDX", 0ULL << 32 | 3ULL << 30 | 0x004, 0x69746E65C0000005},
    {"CPUID, no such leaf", 0x4FFFFFF0ULL << 32 | 0x004, 0x0000000000000005},
    {"page to private", REGION | PRIVATE_OP | 0x014, 0x015},
    {"page to shared", BENCH_PRIVATE | SHARED_OP | 0x014, 0x015},
    {"page to shared that is shared", REGION | SHARED_OP | 0x014, 0x015},
    {"page to private that is private", BENCH_PRIVATE | PRIVATE_OP | 0x014, 0x015},
    {"page, operation 0", REGION | 0x014, 0x8000000000000015},
    {"page, operation 3", REGION | 3ULL << 52 | 0x014, 0x8000000000000015},
    {"page, operation 15", REGION | 15ULL << 52 | 0x014, 0x8000000000000015},
    {"page outside memory", BENCH_NOWHERE | PRIVATE_OP | 0x014, 0x8000000000000015},
    {"run VMPL 0 at VMPL 0", 0x016, 0x017},
    {"run VMPL 1, which has no VMSA", 1ULL << 32 | 0x016, 0x0000000100000017},
    {"run VMPL 3, which has no VMSA", 3ULL << 32 | 0x016, 0x0000000100000017},
    {"run VMPL 4, which does not exist", 4ULL << 32 | 0x016, 0x0000000100000017},
    {"run VMPL 255", 0xFFULL << 32 | 0x016, 0x0000000100000017},
    {"unknown: left as it is", 0x003, 0x003},
    {"a response as a request", 0x0002000133000001, 0x0002000133000001},
    {"unknown with data", 0x1234000000000F00, 0x1234000000000F00},
    {"unknown, all ones", ~0ULL, ~0ULL},
};

START_TEST(request)
{
    uint64_t got = bench_msr(&bench, rows[_i].request);

    ck_assert_msg(bench.reply.resume == REPLY_RESUME, "%s: %s", rows[_i].name, bench.reply.reason);
    ck_assert_msg(got == rows[_i].want, "%s: 0x%llx instead of 0x%llx", rows[_i].name,
                  (unsigned long long)got, (unsigned long long)rows[_i].want);
}
END_TEST

/* What a page state change does to the RMP: assigned, never validated; owned by the host. */
START_TEST(page_state_changes_the_rmp)
{
    bench_msr(&bench, REGION | PRIVATE_OP | 0x014);
    ck_assert_int_eq(guest_rmp(&bench.guest, REGION)->flags & (RMP_ASSIGNED | RMP_VALIDATED),
                     RMP_ASSIGNED);
    bench_msr(&bench, REGION | SHARED_OP | 0x014);
    ck_assert_int_eq(guest_rmp(&bench.guest, REGION)->flags & (RMP_ASSIGNED | RMP_VALIDATED), 0);
    /* Refused: nothing changes. */
    bench_msr(&bench, REGION | 3ULL << 52 | 0x014);
    ck_assert_int_eq(guest_rmp(&bench.guest, REGION)->flags & RMP_ASSIGNED, 0);
}
END_TEST

START_TEST(reset_hold)
{
    bench_msr(&bench, 0x006);
    ck_assert_int_eq(bench.reply.resume, REPLY_HOLD);
    ck_assert_uint_eq(bench.reply.msr, 0x007); /* preset, in case a script resumes the guest */
    ck_assert_uint_eq(bench.guest.machine.state.ghcb_msr, 0x006);
}
END_TEST

START_TEST(run_a_vmpl_with_a_vmsa)
{
    struct vcpus *vcpus = &bench.hypervisor.vcpus;

    vcpus_start(vcpus, vcpus_current(vcpus), 2, 0x1000, false);
    ck_assert_uint_eq(bench_msr(&bench, 2ULL << 32 | 0x016), 0x017);
    ck_assert_uint_eq(vcpus_current(vcpus)->vmpl, 2);
}
END_TEST

static const struct {
    uint64_t msr;
    unsigned set, code;
} termination_rows[] = {
    {0x100, 0, 0},   {0x10100, 0, 1},    {0x20100, 0, 2},        {0x01100, 1, 0},
    {0x91100, 1, 9}, {0x06F100, 0xF, 6}, {0xFF0F100, 0xF, 0xF0}, {0xABCDEF00000CF100, 0xF, 0xC},
};

START_TEST(termination)
{
    uint8_t set = 0xEE, code = 0xEE;
    char text[160];
    char want[64];

    bench.guest.machine.state.ghcb_msr = termination_rows[_i].msr;
    ck_assert(
        ghcb_take_exit(&bench.guest.machine, &bench.hypervisor, &bench.exit, text, sizeof(text)));
    ck_assert(exit_termination(&bench.exit, &set, &code));
    ck_assert_uint_eq(set, termination_rows[_i].set);
    ck_assert_uint_eq(code, termination_rows[_i].code);
    bench.exit.row->say(&bench.exit, text, sizeof(text));
    snprintf(want, sizeof(want), "set 0x%x, code 0x%x", set, code);
    ck_assert_ptr_nonnull(strstr(text, want));
}
END_TEST

START_TEST(others_do_not_terminate)
{
    uint8_t set, code;

    bench_msr(&bench, 0x080);
    ck_assert(!exit_termination(&bench.exit, &set, &code));
}
END_TEST

/* ---- registration ---- */

static bool takes(uint64_t gpa)
{
    char why[128];

    bench.guest.machine.state.ghcb_msr = gpa;
    return ghcb_take_exit(&bench.guest.machine, &bench.hypervisor, &bench.exit, why, sizeof(why));
}

START_TEST(registration_is_enforced)
{
    ck_assert(takes(BENCH_GHCB));
    ck_assert(!takes(BENCH_SHARED(3)));
    ck_assert(!takes(0));
    ck_assert(!takes(BENCH_NOWHERE));
    bench_msr(&bench, BENCH_SHARED(3) | 0x012);
    ck_assert(takes(BENCH_SHARED(3))); /* the later registration replaces the earlier */
    ck_assert(!takes(BENCH_GHCB));
    bench_msr(&bench, BENCH_PRIVATE | 0x012);
    ck_assert(!takes(BENCH_PRIVATE)); /* the guest's own page */
    bench_msr(&bench, BENCH_NOWHERE | 0x012);
    ck_assert(!takes(BENCH_NOWHERE));
    bench_msr(&bench, 0x012);
    ck_assert(!takes(0));
}
END_TEST

START_TEST(an_answer_that_does_not_echo_registers_nothing)
{
    bench.exit.msr = BENCH_SHARED(3) | 0x012;
    ck_assert(!takes(BENCH_SHARED(3)));
}
END_TEST

/* Every row has a name of its own, a source, words, and an answer unless it needs none. */
START_TEST(table)
{
    for (size_t i = 0; i < exit_msr_row_count; i++) {
        const struct exit_row *row = &exit_msr_rows[i];

        ck_assert_ptr_eq(exit_row_by_code(EXIT_MSR, row->code), row);
        ck_assert_ptr_eq(exit_row_by_name(row->name), row);
        ck_assert_ptr_nonnull(row->source);
        ck_assert_ptr_nonnull(row->say);
        ck_assert(row->say != exit_say_words || row->words);
        ck_assert(row->answer || row->flags & (EXIT_TERMINATES | EXIT_UNMODELLED));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("msr_protocol");
    TCase *tests = tcase_create("requests");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, request, 0, COUNT(rows));
    tcase_add_test(tests, page_state_changes_the_rmp);
    tcase_add_test(tests, reset_hold);
    tcase_add_test(tests, run_a_vmpl_with_a_vmsa);
    tcase_add_loop_test(tests, termination, 0, COUNT(termination_rows));
    tcase_add_test(tests, others_do_not_terminate);
    tcase_add_test(tests, registration_is_enforced);
    tcase_add_test(tests, an_answer_that_does_not_echo_registers_nothing);
    tcase_add_test(tests, table);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
