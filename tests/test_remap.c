/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine/machine.c: a host that changes where GPAs lead and whose pages are, and what the guest
 * meets then.
 *
 * Source of the expectations: AMD APM Vol 2 (24593) 15.36.3 (RMPUPDATE clears Validated), 15.36.10
 * (ownership and reverse-map checks, both before Validated, and page sizes), 15.36.11 (PSMASH).
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "guest_builder.h"
#include "machine/digest.h"

#define FIRST (GUEST_DATA + 0x1000) /* two private pages, validated */
#define SECOND (GUEST_DATA + 0x2000)
#define SHARED_FIRST GUEST_SHARED
#define SHARED_SECOND (GUEST_SHARED + 0x1000)
#define LARGE 0x40200000ULL /* a 2 MiB entry, validated, mapped at the same address */
#define NOWHERE 0x10000000000ULL

#define GPA(gva) (GUEST_GPA + (gva))

#define FIRST_VALUE 0x1111111111111111ULL
#define SECOND_VALUE 0x2222222222222222ULL

static struct guest guest;

static void setup(void)
{
    uint32_t page;

    guest_open(&guest);
    page = guest_page(&guest, LARGE);
    guest_map(&guest, LARGE, LARGE, LARGE_PAGE_SIZE, GUEST_PRIVATE);
    machine_assign(&guest.machine, page, true);
    for (uint32_t i = 0; i < PAGES_PER_LARGE_PAGE; i++) {
        guest.machine.rmp.entry[page + i].flags |= RMP_VALIDATED;
    }
    guest_store(&guest, FIRST, FIRST_VALUE);
    guest_store(&guest, SECOND, SECOND_VALUE);
    guest_store(&guest, SHARED_FIRST, FIRST_VALUE);
    guest_store(&guest, SHARED_SECOND, SECOND_VALUE);
}

static void teardown(void)
{
    guest_close(&guest);
}

static void swap(uint64_t gpa_a, uint64_t gpa_b)
{
    ck_assert_msg(machine_swap(&guest.machine, gpa_a, gpa_b, &guest.error) == 0, "%s",
                  guest.error.text);
}

static void remap(uint64_t gpa_a, uint64_t gpa_b)
{
    ck_assert_msg(machine_remap(&guest.machine, gpa_a, gpa_b, &guest.error) == 0, "%s",
                  guest.error.text);
}

/* RMPUPDATE on the page that gpa leads to. */
static unsigned update(uint64_t gpa, uint16_t asid, uint64_t at_gpa, bool immutable)
{
    const struct memory *memory = &guest.machine.memory;

    return machine_update(&guest.machine, memory_page(memory, gpa),
                          &(struct rmp_state){.assigned = true,
                                              .immutable = immutable,
                                              .asid = asid,
                                              .guest_page = memory_guest_page(memory, at_gpa)});
}

/* mov rbx, [rax]; hlt */
static void guest_reads(uint64_t gva)
{
    GUEST_CODE_BYTES(&guest, 0x48, 0x8B, 0x18, 0xF4);
    guest_set(&guest, VCPU_RAX, gva);
    guest_run(&guest);
}

static void expect_value(uint64_t gva, uint64_t value)
{
    guest_reads(gva);
    ck_assert_int_eq(guest.outcome.kind, OUTCOME_HALTED);
    ck_assert_int_eq(guest_halted_in(&guest), -1);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RBX), value);
}

static void expect_nested_fault(uint64_t gpa, enum rmp_result reason, bool host_caused)
{
    ck_assert_int_eq(guest.outcome.kind, OUTCOME_NESTED_FAULT);
    ck_assert_msg(strstr(guest.outcome.detail, rmp_result_text(reason)) != NULL, "%s",
                  guest.outcome.detail);
    ck_assert_uint_eq(guest.stop.fault.gpa, gpa);
    ck_assert_int_eq(guest.outcome.host_caused, host_caused);
}

static void expect_vc(uint64_t gva)
{
    ck_assert_int_eq(guest_halted_in(&guest), VECTOR_VC);
    ck_assert_uint_eq(guest_get(&guest, VCPU_CR2), gva);
    ck_assert_uint_eq(guest_load(&guest, guest_get(&guest, VCPU_RSP)), VC_PAGE_NOT_VALIDATED);
}

/* ---- remapping ---- */

START_TEST(without_remapping_each_is_at_home)
{
    const struct memory *memory = &guest.machine.memory;

    for (uint32_t i = 0; i < GUEST_PAGES; i++) {
        uint64_t gpa = GUEST_GPA + (uint64_t)i * PAGE_SIZE;

        ck_assert_uint_eq(memory_page(memory, gpa), i);
        ck_assert_uint_eq(memory_guest_page(memory, gpa), i);
        ck_assert_uint_eq(memory_gpa(memory, i), gpa);
    }
    ck_assert_ptr_null(memory->nested);
    expect_value(FIRST, FIRST_VALUE);
}
END_TEST

START_TEST(swapped_private_pages_fault)
{
    expect_value(FIRST, FIRST_VALUE); /* a translation that the engine holds must not help */
    swap(GPA(FIRST), GPA(SECOND));
    guest_reads(FIRST);
    expect_nested_fault(GPA(FIRST), RMP_NPF_GPA, true);
}
END_TEST

START_TEST(swapped_back_all_is_well)
{
    swap(GPA(FIRST), GPA(SECOND));
    swap(GPA(FIRST), GPA(SECOND));
    expect_value(FIRST, FIRST_VALUE);
    ck_assert(!memory_nested_small(&guest.machine.memory,
                                   memory_guest_page(&guest.machine.memory, GPA(FIRST))));
}
END_TEST

/* The host makes the RMP fit its swap: what it cannot make is the guest's consent. */
START_TEST(swapped_and_updated_is_not_validated)
{
    swap(GPA(FIRST), GPA(SECOND));
    ck_assert_uint_eq(update(GPA(FIRST), RMP_ASID_GUEST, GPA(FIRST), false), RMP_SUCCESS);
    ck_assert_uint_eq(update(GPA(SECOND), RMP_ASID_GUEST, GPA(SECOND), false), RMP_SUCCESS);
    guest_reads(FIRST);
    expect_vc(FIRST);
}
END_TEST

/* A guest that validates again whatever it is given reads the other page's contents. */
START_TEST(validating_twice_is_the_guests_undoing)
{
    swap(GPA(FIRST), GPA(SECOND));
    update(GPA(FIRST), RMP_ASID_GUEST, GPA(FIRST), false);
    /* pvalidate; mov rbx, [rax]; hlt */
    GUEST_CODE_BYTES(&guest, 0xF2, 0x0F, 0x01, 0xFF, 0x48, 0x8B, 0x1E, 0xF4);
    guest_set(&guest, VCPU_RAX, FIRST);
    guest_set(&guest, VCPU_RSI, FIRST);
    guest_set(&guest, VCPU_RCX, 0);
    guest_set(&guest, VCPU_RDX, 1);
    guest_run(&guest);
    ck_assert_int_eq(guest_halted_in(&guest), -1);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RBX), SECOND_VALUE);
}
END_TEST

START_TEST(alias_is_no_way_in)
{
    remap(GPA(FIRST), GPA(SECOND));
    expect_value(SECOND, SECOND_VALUE);
    guest_reads(FIRST);
    expect_nested_fault(GPA(FIRST), RMP_NPF_GPA, true);
}
END_TEST

/* Shared pages are the host's: it may do that, and a translation held before does not hide it. */
START_TEST(shared_pages_are_the_hosts)
{
    expect_value(SHARED_FIRST, FIRST_VALUE);
    swap(GPA(SHARED_FIRST), GPA(SHARED_SECOND));
    expect_value(SHARED_FIRST, SECOND_VALUE);
    expect_value(SHARED_SECOND, FIRST_VALUE);
}
END_TEST

/* The code being run, too. */
START_TEST(code_page_swapped_away)
{
    GUEST_CODE_BYTES(&guest, 0xF4);
    guest_run(&guest);
    ck_assert_int_eq(guest.outcome.kind, OUTCOME_HALTED);
    swap(GPA(GUEST_CODE), GPA(FIRST));
    guest_set(&guest, VCPU_RIP, GUEST_CODE);
    guest_run(&guest);
    expect_nested_fault(GPA(GUEST_CODE), RMP_NPF_GPA, true);
}
END_TEST

START_TEST(instructions_check_the_gpa)
{
    static const uint8_t codes[][5] = {
        {0xF2, 0x0F, 0x01, 0xFF, 0xF4}, /* pvalidate */
        {0xF3, 0x0F, 0x01, 0xFE, 0xF4}, /* rmpadjust */
    };
    uint8_t flags = guest_rmp(&guest, GPA(SECOND))->flags;

    swap(GPA(FIRST), GPA(SECOND));
    guest_code(&guest, codes[_i], sizeof(codes[_i]));
    guest_set(&guest, VCPU_RAX, FIRST);
    guest_set(&guest, VCPU_RCX, 0);
    guest_set(&guest, VCPU_RDX, _i == 0 ? 0 : 0xF01);
    guest_run(&guest);
    ck_assert_int_eq(guest.outcome.kind, OUTCOME_NESTED_FAULT);
    ck_assert_msg(strstr(guest.outcome.detail, rmp_result_text(RMP_NPF_GPA)) != NULL, "%s",
                  guest.outcome.detail);
    ck_assert_uint_eq(guest_rmp(&guest, GPA(FIRST))->flags, flags);
    ck_assert_uint_eq(guest_rmp(&guest, GPA(FIRST))->perm[1], 0);
}
END_TEST

START_TEST(remapping_splits_what_it_must)
{
    uint32_t page = guest_page(&guest, LARGE);

    remap(LARGE + 0x5000, GPA(FIRST));
    for (uint32_t i = 0; i < PAGES_PER_LARGE_PAGE; i++) {
        ck_assert_uint_eq(guest.machine.rmp.entry[page + i].flags, RMP_ASSIGNED | RMP_VALIDATED);
    }
    guest_reads(LARGE + 0x4000);
    ck_assert_int_eq(guest_halted_in(&guest), -1);
    guest_reads(LARGE + 0x5000);
    expect_nested_fault(LARGE + 0x5000, RMP_NPF_GPA, true);
}
END_TEST

/* A host that splits its mapping but not the entry. */
START_TEST(small_mapping_of_a_large_entry)
{
    uint32_t page = guest_page(&guest, LARGE);

    remap(LARGE + 0x5000, GPA(FIRST));
    for (uint32_t i = 0; i < PAGES_PER_LARGE_PAGE; i++) {
        guest.machine.rmp.entry[page + i].flags |= RMP_LARGE;
    }
    guest_reads(LARGE + 0x4000);
    expect_nested_fault(LARGE + 0x4000, RMP_NPF_SIZE, false);
}
END_TEST

START_TEST(no_memory_to_remap)
{
    ck_assert_int_eq(machine_remap(&guest.machine, NOWHERE, GPA(FIRST), &guest.error),
                     SNPEMU_ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(guest.error.text, "0x10000000000"));
    ck_assert_int_eq(machine_swap(&guest.machine, GPA(FIRST), ~0ULL, &guest.error),
                     SNPEMU_ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(guest.error.text, "0xffffffffffffffff"));
    expect_value(FIRST, FIRST_VALUE);
}
END_TEST

/* An honest page state change after the swap assigns what the GPA leads to, where it leads from. */
START_TEST(assigning_follows_the_map)
{
    swap(GPA(FIRST), GPA(SECOND));
    machine_unassign_gpa(&guest.machine, GPA(FIRST));
    ck_assert_uint_eq(guest_rmp(&guest, GPA(FIRST))->flags, 0);
    machine_assign_gpa(&guest.machine, GPA(FIRST), false);
    guest_reads(FIRST);
    expect_vc(FIRST);
    guest_rmp(&guest, GPA(FIRST))->flags |= RMP_VALIDATED;
    guest_reads(FIRST);
    ck_assert_int_eq(guest_halted_in(&guest), -1);
    ck_assert_uint_ne(guest_get(&guest, VCPU_RBX), FIRST_VALUE);
    ck_assert_uint_ne(guest_get(&guest, VCPU_RBX), SECOND_VALUE);
}
END_TEST

START_TEST(assigning_large_over_a_split_map)
{
    uint64_t gpa = GUEST_REGION(2);
    uint32_t page = guest_page(&guest, gpa);

    remap(gpa + 0x3000, GPA(SHARED_FIRST));
    machine_assign_gpa(&guest.machine, gpa, true);
    for (uint32_t i = 0; i < PAGES_PER_LARGE_PAGE; i++) {
        ck_assert_uint_eq(guest.machine.rmp.entry[page + i].flags, i == 3 ? 0 : RMP_ASSIGNED);
    }
    ck_assert_uint_eq(guest_rmp(&guest, gpa + 0x3000)->flags, RMP_ASSIGNED | RMP_AWAY);
    ck_assert_uint_eq(rmp_guest_page(&guest.machine.rmp, guest_page(&guest, gpa + 0x3000)),
                      page + 3);
    /* Elsewhere, one entry. */
    machine_assign_gpa(&guest.machine, GUEST_REGION(3), true);
    ck_assert_uint_eq(guest_rmp(&guest, GUEST_REGION(3))->flags, RMP_ASSIGNED | RMP_LARGE);
}
END_TEST

/* ---- owners ---- */

static const struct {
    const char *name;
    uint16_t asid;
    bool immutable;
    enum rmp_result reason;
} owner_rows[] = {
    {"another guest's", 7, false, RMP_NPF_OWNER},
    {"another guest's, immutable: the owner comes first", 7, true, RMP_NPF_OWNER},
    {"the AMD-SP's", RMP_ASID_SP, true, RMP_NPF_OWNER},
    {"this guest's, being launched", RMP_ASID_GUEST, true, RMP_NPF_IMMUTABLE},
};

START_TEST(owners)
{
    guest_reads(FIRST);
    ck_assert_uint_eq(update(GPA(FIRST), owner_rows[_i].asid, GPA(FIRST), owner_rows[_i].immutable),
                      RMP_SUCCESS);
    guest_reads(FIRST);
    expect_nested_fault(GPA(FIRST), owner_rows[_i].reason, false);
}
END_TEST

/* From the AMD-SP a page comes back only once it let go of it. */
START_TEST(reclaim)
{
    uint32_t page = guest_page(&guest, GPA(FIRST));
    struct rmp *rmp = &guest.machine.rmp;
    const struct rmp_state host = {.assigned = false};

    update(GPA(FIRST), RMP_ASID_SP, GUEST_GPA, true);
    ck_assert_uint_eq(rmp_asid(rmp, page), RMP_ASID_SP);
    ck_assert_uint_eq(machine_update(&guest.machine, page, &host), RMP_FAIL_PERMISSION);
    machine_unassign(&guest.machine, page);
    ck_assert(rmp->entry[page].flags & RMP_ASSIGNED);
    ck_assert(rmp_reclaim(rmp, page));
    ck_assert(!rmp_reclaim(rmp, page));
    guest_reads(FIRST);
    expect_nested_fault(GPA(FIRST), RMP_NPF_OWNER, false);
    ck_assert_uint_eq(machine_update(&guest.machine, page, &host), RMP_SUCCESS);
    ck_assert_uint_eq(rmp->entry[page].flags, 0);
}
END_TEST

/* Another owner has another key; at another GPA the key is the same. */
START_TEST(contents_follow_the_key)
{
    uint32_t page = guest_page(&guest, GPA(FIRST));

    update(GPA(FIRST), RMP_ASID_GUEST, GPA(SECOND), false);
    ck_assert_uint_eq(*(uint64_t *)memory_bytes(&guest.machine.memory, page), FIRST_VALUE);
    update(GPA(FIRST), 7, GPA(FIRST), false);
    ck_assert_uint_ne(*(uint64_t *)memory_bytes(&guest.machine.memory, page), FIRST_VALUE);
}
END_TEST

START_TEST(update_refuses)
{
    const struct rmp_state rows[] = {
        {.assigned = true, .asid = RMP_ASID_SP}, /* nobody's */
        {.asid = RMP_ASID_GUEST},                /* the hypervisor's, with ASID */
        {.assigned = true,
         .large = true,
         .asid = RMP_ASID_GUEST, /* GPA not aligned */
         .guest_page = 1},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        ck_assert_uint_eq(machine_update(&guest.machine, 0, &rows[i]), RMP_FAIL_INPUT);
    }
    ck_assert_uint_eq(
        machine_update(&guest.machine, GUEST_PAGES, &(struct rmp_state){.assigned = false}),
        RMP_FAIL_INPUT);
    ck_assert_uint_eq(update(LARGE + 0x1000, RMP_ASID_GUEST, LARGE, false), RMP_FAIL_OVERLAP);
}
END_TEST

/* ---- snapshot and digest ---- */

static void digest(uint8_t out[DIGEST_SIZE])
{
    ck_assert_int_eq(digest_machine(&guest.machine, "", 0, out, &guest.error), 0);
}

START_TEST(restore_brings_the_map_back)
{
    uint8_t before[DIGEST_SIZE], changed[DIGEST_SIZE], after[DIGEST_SIZE];

    ck_assert_int_eq(machine_save(&guest.machine, &guest.error), 0);
    digest(before);
    swap(GPA(FIRST), GPA(SECOND));
    digest(changed);
    ck_assert_mem_ne(before, changed, DIGEST_SIZE);
    update(GPA(FIRST), RMP_ASID_GUEST, GPA(FIRST), false);
    ck_assert_int_eq(machine_restore(&guest.machine, &guest.error), 0);
    digest(after);
    ck_assert_mem_eq(before, after, DIGEST_SIZE);
    expect_value(FIRST, FIRST_VALUE);
}
END_TEST

START_TEST(restore_brings_a_swap_back)
{
    uint8_t before[DIGEST_SIZE], after[DIGEST_SIZE];
    uint32_t page;

    swap(GPA(FIRST), GPA(SECOND));
    page = memory_page(&guest.machine.memory, GPA(FIRST));
    update(GPA(FIRST), 7, GPA(SHARED_FIRST), false);
    ck_assert_int_eq(machine_save(&guest.machine, &guest.error), 0);
    digest(before);
    for (int i = 0; i < 2; i++) {
        swap(GPA(FIRST), GPA(SECOND));
        machine_unassign(&guest.machine, page);
        ck_assert_int_eq(machine_restore(&guest.machine, &guest.error), 0);
        digest(after);
        ck_assert_mem_eq(before, after, DIGEST_SIZE);
        ck_assert_uint_eq(memory_page(&guest.machine.memory, GPA(FIRST)), page);
        ck_assert_uint_eq(rmp_asid(&guest.machine.rmp, page), 7);
    }
    guest_reads(FIRST);
    expect_nested_fault(GPA(FIRST), RMP_NPF_OWNER, true);
}
END_TEST

/* Whose a page is, and where, is in the digest even where all other fields are equal. */
START_TEST(digest_sees_owner_and_gpa)
{
    uint8_t digests[3][DIGEST_SIZE];

    update(GPA(FIRST), 7, GPA(FIRST), false);
    digest(digests[0]);
    update(GPA(FIRST), 8, GPA(FIRST), false);
    digest(digests[1]);
    update(GPA(FIRST), 8, GPA(SECOND), false);
    digest(digests[2]);
    ck_assert_mem_ne(digests[0], digests[1], DIGEST_SIZE);
    ck_assert_mem_ne(digests[1], digests[2], DIGEST_SIZE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("remap");
    TCase *map = tcase_create("map");
    TCase *owner = tcase_create("owner");
    TCase *snapshot = tcase_create("snapshot");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, map);
    tcase_add_checked_fixture(map, setup, teardown);
    tcase_add_test(map, without_remapping_each_is_at_home);
    tcase_add_test(map, swapped_private_pages_fault);
    tcase_add_test(map, swapped_back_all_is_well);
    tcase_add_test(map, swapped_and_updated_is_not_validated);
    tcase_add_test(map, validating_twice_is_the_guests_undoing);
    tcase_add_test(map, alias_is_no_way_in);
    tcase_add_test(map, shared_pages_are_the_hosts);
    tcase_add_test(map, code_page_swapped_away);
    tcase_add_loop_test(map, instructions_check_the_gpa, 0, 2);
    tcase_add_test(map, remapping_splits_what_it_must);
    tcase_add_test(map, small_mapping_of_a_large_entry);
    tcase_add_test(map, no_memory_to_remap);
    tcase_add_test(map, assigning_follows_the_map);
    tcase_add_test(map, assigning_large_over_a_split_map);

    suite_add_tcase(suite, owner);
    tcase_add_checked_fixture(owner, setup, teardown);
    tcase_add_loop_test(owner, owners, 0, COUNT(owner_rows));
    tcase_add_test(owner, reclaim);
    tcase_add_test(owner, contents_follow_the_key);
    tcase_add_test(owner, update_refuses);

    suite_add_tcase(suite, snapshot);
    tcase_add_checked_fixture(snapshot, setup, teardown);
    tcase_add_test(snapshot, restore_brings_the_map_back);
    tcase_add_test(snapshot, restore_brings_a_swap_back);
    tcase_add_test(snapshot, digest_sees_owner_and_gpa);

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
