/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine/rmp.c: the access table, page states, PVALIDATE and RMPADJUST; then both instructions as
 * a guest executes them.
 *
 * Source of the expectations, where a row names no other: AMD APM Vol 2 (24593) 15.36.3 to 15.36.7
 * (entries, permissions), 15.36.10 (access checks), 15.36.11 (PSMASH), table 15-40 (sizes); for
 * status codes and CF the Microsoft cpp-docs pages of __pvalidate and __rmpadjust.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "guest_builder.h"

#define PAGES 2048u /* four 2 MiB regions */
#define P 3u        /* some page of region 0 */
#define R RMP_PERM_READ
#define W RMP_PERM_WRITE
#define XU RMP_PERM_EXEC_USER
#define XS RMP_PERM_EXEC_SUPER
#define A RMP_ASSIGNED
#define V RMP_VALIDATED

static struct rmp rmp;

static void rmp_open(void)
{
    struct error error;

    ck_assert_int_eq(rmp_init(&rmp, PAGES, &error), 0);
}

static void rmp_close(void)
{
    rmp_release(&rmp);
}

/* ---- who may access what ---- */

static const struct {
    const char *name;
    uint8_t flags, perm;
    unsigned vmpl;
    enum rmp_access access;
    bool private_access, user;
    enum rmp_result result;
} access_rows[] = {
    /* C = 0 */
    {"shared read, the hypervisor's", 0, 0, 0, RMP_READ, false, false, RMP_OK},
    {"shared write, the hypervisor's", 0, 0, 0, RMP_WRITE, false, false, RMP_OK},
    {"shared read, the guest's", A | V, 0x1F, 0, RMP_READ, false, false, RMP_CIPHERTEXT},
    {"shared read, not validated", A, 0x1F, 0, RMP_READ, false, false, RMP_CIPHERTEXT},
    {"shared read, no permission", A | V, 0, 1, RMP_READ, false, false, RMP_CIPHERTEXT},
    {"shared write, the guest's", A | V, 0x1F, 0, RMP_WRITE, false, false, RMP_NPF_ASSIGNED},
    {"shared write, not validated", A, 0x1F, 0, RMP_WRITE, false, false, RMP_NPF_ASSIGNED},
    {"shared write, no permission", A | V, 0, 1, RMP_WRITE, false, false, RMP_NPF_ASSIGNED},
    /* Fetches and walks are private whatever the C-bit says. */
    {"fetch through C = 0, the hypervisor's", 0, 0, 0, RMP_FETCH, false, false,
     RMP_NPF_NOT_ASSIGNED},
    {"fetch through C = 0, the guest's", A | V, 0x1F, 0, RMP_FETCH, false, false, RMP_OK},
    {"walk through C = 0, the hypervisor's", 0, 0, 0, RMP_WALK, false, false, RMP_NPF_NOT_ASSIGNED},
    {"walk through C = 0, the guest's", A | V, 0x1F, 0, RMP_WALK, false, false, RMP_OK},
    {"walk through C = 0, not validated", A, 0x1F, 0, RMP_WALK, false, false, RMP_VC_NOT_VALIDATED},
    /* C = 1, in the order of priority */
    {"private read, all well", A | V, 0x1F, 0, RMP_READ, true, false, RMP_OK},
    {"private write, all well", A | V, 0x1F, 0, RMP_WRITE, true, false, RMP_OK},
    {"private read, the hypervisor's", 0, 0, 0, RMP_READ, true, false, RMP_NPF_NOT_ASSIGNED},
    {"private write, the hypervisor's", 0, 0, 0, RMP_WRITE, true, false, RMP_NPF_NOT_ASSIGNED},
    {"fetch, the hypervisor's", 0, 0, 0, RMP_FETCH, true, false, RMP_NPF_NOT_ASSIGNED},
    {"ownership before mutability", RMP_IMMUTABLE, 0, 0, RMP_READ, true, false,
     RMP_NPF_NOT_ASSIGNED},
    {"immutable", A | V | RMP_IMMUTABLE, 0x1F, 0, RMP_READ, true, false, RMP_NPF_IMMUTABLE},
    {"mutability before validation", A | RMP_IMMUTABLE, 0x1F, 0, RMP_READ, true, false,
     RMP_NPF_IMMUTABLE},
    {"not validated, read", A, 0x1F, 0, RMP_READ, true, false, RMP_VC_NOT_VALIDATED},
    {"not validated, write", A, 0x1F, 0, RMP_WRITE, true, false, RMP_VC_NOT_VALIDATED},
    {"not validated, fetch", A, 0x1F, 0, RMP_FETCH, true, false, RMP_VC_NOT_VALIDATED},
    {"validation before permissions", A, 0, 1, RMP_READ, true, false, RMP_VC_NOT_VALIDATED},
    {"no permission at all", A | V, 0, 1, RMP_READ, true, false, RMP_NPF_VMPL},
    {"VMSA bit alone forbids nothing", A | V | RMP_VMSA, 0x1F, 0, RMP_READ, true, false, RMP_OK},
    {"2 MiB entry, read", A | V | RMP_LARGE, 0x1F, 0, RMP_READ, true, false, RMP_OK},
    /* Permissions, table 15-36 */
    {"read with R", A | V, R, 1, RMP_READ, true, false, RMP_OK},
    {"write with R", A | V, R, 1, RMP_WRITE, true, false, RMP_NPF_VMPL},
    {"write with RW", A | V, R | W, 1, RMP_WRITE, true, false, RMP_OK},
    {"read with W alone, an illegal setting", A | V, W, 1, RMP_READ, true, false, RMP_NPF_VMPL},
    {"write with W alone, an illegal setting", A | V, W, 1, RMP_WRITE, true, false, RMP_NPF_VMPL},
    {"supervisor fetch with XS", A | V, XS, 1, RMP_FETCH, true, false, RMP_OK},
    {"supervisor fetch with XU", A | V, R | W | XU, 1, RMP_FETCH, true, false, RMP_NPF_VMPL},
    {"user fetch with XU", A | V, XU, 1, RMP_FETCH, true, true, RMP_OK},
    {"user fetch with XS", A | V, R | W | XS, 1, RMP_FETCH, true, true, RMP_NPF_VMPL},
    {"the highest VMPL has its own mask", A | V, R, 3, RMP_READ, true, false, RMP_OK},
};

START_TEST(access_table)
{
    struct rmp_entry *entry = &rmp.entry[P];
    enum rmp_result result;

    memset(entry, 0, sizeof(*entry));
    entry->flags = access_rows[_i].flags;
    entry->perm[access_rows[_i].vmpl] = access_rows[_i].perm;
    result = rmp_check(&rmp, P, access_rows[_i].access, access_rows[_i].private_access,
                       access_rows[_i].vmpl, access_rows[_i].user);
    ck_assert_msg(result == access_rows[_i].result, "%s: %s", access_rows[_i].name,
                  rmp_result_text(result));
}
END_TEST

/* ---- PVALIDATE ---- */

static const struct {
    const char *name;
    uint8_t flags;
    bool large, validate;
    enum rmp_result result;
    unsigned status;
    bool unchanged;
    uint8_t flags_after;
} validate_rows[] = {
    {"validate, invalid", A, false, true, RMP_OK, RMP_SUCCESS, false, A | V},
    {"validate, valid", A | V, false, true, RMP_OK, RMP_SUCCESS, true, A | V},
    {"rescind, valid", A | V, false, false, RMP_OK, RMP_SUCCESS, false, A},
    {"rescind, invalid", A, false, false, RMP_OK, RMP_SUCCESS, true, A},
    {"validate, the hypervisor's", 0, false, true, RMP_NPF_NOT_ASSIGNED, RMP_SUCCESS, false, 0},
    {"rescind, the hypervisor's", 0, false, false, RMP_NPF_NOT_ASSIGNED, RMP_SUCCESS, false, 0},
    {"validate, immutable", A | RMP_IMMUTABLE, false, true, RMP_NPF_IMMUTABLE, RMP_SUCCESS, false,
     A | RMP_IMMUTABLE},
    {"2 MiB, invalid", A | RMP_LARGE, true, true, RMP_OK, RMP_SUCCESS, false, A | V | RMP_LARGE},
    {"2 MiB, valid", A | V | RMP_LARGE, true, true, RMP_OK, RMP_SUCCESS, true, A | V | RMP_LARGE},
    {"2 MiB rescind, valid", A | V | RMP_LARGE, true, false, RMP_OK, RMP_SUCCESS, false,
     A | RMP_LARGE},
    {"4 KiB on a 2 MiB entry", A | RMP_LARGE, false, true, RMP_NPF_SIZE, RMP_SUCCESS, false,
     A | RMP_LARGE},
    {"2 MiB on 4 KiB entries", A, true, true, RMP_OK, RMP_FAIL_SIZEMISMATCH, false, A},
    {"2 MiB rescind on 4 KiB entries", A | V, true, false, RMP_OK, RMP_FAIL_SIZEMISMATCH, false,
     A | V},
    {"2 MiB, the hypervisor's", 0, true, true, RMP_NPF_NOT_ASSIGNED, RMP_SUCCESS, false, 0},
};

START_TEST(validate_table)
{
    const char *name = validate_rows[_i].name;
    uint32_t first = PAGES_PER_LARGE_PAGE;
    unsigned status = 99;
    bool unchanged = true;
    enum rmp_result result;

    for (uint32_t i = 0; i < PAGES_PER_LARGE_PAGE; i++) {
        rmp.entry[first + i].flags = validate_rows[_i].flags;
    }
    result = rmp_validate(&rmp, first, validate_rows[_i].large, validate_rows[_i].validate, &status,
                          &unchanged);
    ck_assert_msg(result == validate_rows[_i].result, "%s: %s", name, rmp_result_text(result));
    ck_assert_msg(status == validate_rows[_i].status, "%s: status %u", name, status);
    ck_assert_msg(unchanged == validate_rows[_i].unchanged, "%s: CF %d", name, unchanged);
    for (uint32_t i = 0; i < PAGES_PER_LARGE_PAGE; i++) {
        bool meant = i == 0 || validate_rows[_i].large;
        uint8_t want = meant ? validate_rows[_i].flags_after : validate_rows[_i].flags;

        ck_assert_msg(rmp.entry[first + i].flags == want, "%s: page %u has flags 0x%x", name, i,
                      rmp.entry[first + i].flags);
    }
    ck_assert_uint_eq(rmp.entry[first - 1].flags, 0);
    ck_assert_uint_eq(rmp.entry[first + PAGES_PER_LARGE_PAGE].flags, 0);
}
END_TEST

/* ---- RMPADJUST ---- */

static const struct {
    const char *name;
    unsigned vmpl; /* who asks */
    uint8_t flags; /* of the page */
    uint8_t own;   /* the asking VMPL's permissions */
    uint64_t operand;
    enum rmp_result result;
    unsigned status;
    uint8_t flags_after;
} adjust_rows[] = {
    {"grant rwx to VMPL1", 0, A | V, 0x1F, 0xF01, RMP_OK, RMP_SUCCESS, A | V},
    {"grant nothing to VMPL1", 0, A | V, 0x1F, 0x001, RMP_OK, RMP_SUCCESS, A | V},
    {"grant read to VMPL3", 0, A | V, 0x1F, 0x103, RMP_OK, RMP_SUCCESS, A | V},
    {"all five permissions", 0, A | V, 0x1F, 0x1F02, RMP_OK, RMP_SUCCESS, A | V},
    {"write without read is accepted (unverified)", 0, A | V, 0x1F, 0x201, RMP_OK, RMP_SUCCESS,
     A | V},
    {"make it a VMSA page", 0, A | V, 0x1F, 0x10101, RMP_OK, RMP_SUCCESS, A | V | RMP_VMSA},
    {"it is one no longer", 0, A | V | RMP_VMSA, 0x1F, 0x101, RMP_OK, RMP_SUCCESS, A | V},
    {"VMPL1 cannot make a VMSA page, no error", 1, A | V, 0x1F, 0x10102, RMP_OK, RMP_SUCCESS,
     A | V},
    {"VMPL1 cannot unmake one, no error", 1, A | V | RMP_VMSA, 0x1F, 0x102, RMP_OK, RMP_SUCCESS,
     A | V | RMP_VMSA},
    {"own VMPL", 0, A | V, 0x1F, 0xF00, RMP_OK, RMP_FAIL_PERMISSION, A | V},
    {"own VMPL, not the highest", 2, A | V, 0x1F, 0xF02, RMP_OK, RMP_FAIL_PERMISSION, A | V},
    {"a more privileged VMPL", 2, A | V, 0x1F, 0xF01, RMP_OK, RMP_FAIL_PERMISSION, A | V},
    {"a permission it lacks itself", 1, A | V, R, 0x302, RMP_OK, RMP_FAIL_PERMISSION, A | V},
    {"the permissions it has itself", 1, A | V, R | W, 0x302, RMP_OK, RMP_SUCCESS, A | V},
    {"VMPL4 does not exist (unverified)", 0, A | V, 0x1F, 0xF04, RMP_OK, RMP_FAIL_INPUT, A | V},
    {"VMPL255 does not exist (unverified)", 0, A | V, 0x1F, 0xFFF, RMP_OK, RMP_FAIL_INPUT, A | V},
    {"reserved permission bit (unverified)", 0, A | V, 0x1F, 0x2001, RMP_OK, RMP_FAIL_INPUT, A | V},
    {"reserved operand bit (unverified)", 0, A | V, 0x1F, 0x20F01, RMP_OK, RMP_FAIL_INPUT, A | V},
    {"the hypervisor's page", 0, 0, 0, 0xF01, RMP_NPF_NOT_ASSIGNED, RMP_SUCCESS, 0},
    {"immutable", 0, A | V | RMP_IMMUTABLE, 0x1F, 0xF01, RMP_NPF_IMMUTABLE, RMP_SUCCESS,
     A | V | RMP_IMMUTABLE},
    {"not validated", 0, A, 0x1F, 0xF01, RMP_VC_NOT_VALIDATED, RMP_SUCCESS, A},
    {"4 KiB on a 2 MiB entry", 0, A | V | RMP_LARGE, 0x1F, 0xF01, RMP_NPF_SIZE, RMP_SUCCESS,
     A | V | RMP_LARGE},
};

START_TEST(adjust_table)
{
    const char *name = adjust_rows[_i].name;
    unsigned target = adjust_rows[_i].operand & 0xFF;
    struct rmp_entry before, *entry = &rmp.entry[P];
    bool granted = adjust_rows[_i].result == RMP_OK && adjust_rows[_i].status == RMP_SUCCESS;
    unsigned status = 99;
    enum rmp_result result;

    memset(entry, 0, sizeof(*entry));
    entry->flags = adjust_rows[_i].flags;
    entry->perm[adjust_rows[_i].vmpl] = adjust_rows[_i].own;
    before = *entry;
    result = rmp_adjust(&rmp, P, false, adjust_rows[_i].vmpl, adjust_rows[_i].operand, &status);
    ck_assert_msg(result == adjust_rows[_i].result, "%s: %s", name, rmp_result_text(result));
    ck_assert_msg(status == adjust_rows[_i].status, "%s: status %u", name, status);
    ck_assert_msg(entry->flags == adjust_rows[_i].flags_after, "%s: flags 0x%x", name,
                  entry->flags);
    for (unsigned vmpl = 0; vmpl < VMPL_COUNT; vmpl++) {
        uint8_t want =
            granted && vmpl == target ? (uint8_t)(adjust_rows[_i].operand >> 8) : before.perm[vmpl];

        ck_assert_msg(entry->perm[vmpl] == want, "%s: VMPL%u has 0x%x", name, vmpl,
                      entry->perm[vmpl]);
    }
}
END_TEST

START_TEST(adjust_large)
{
    unsigned status = 99;
    bool unchanged;

    ck_assert(rmp_assign(&rmp, 512, true));
    ck_assert_int_eq(rmp_validate(&rmp, 512, true, true, &status, &unchanged), RMP_OK);
    ck_assert_int_eq(rmp_adjust(&rmp, 512, true, 0, 0xF01, &status), RMP_OK);
    ck_assert_uint_eq(status, RMP_SUCCESS);
    for (uint32_t i = 0; i < PAGES_PER_LARGE_PAGE; i++) {
        ck_assert_uint_eq(rmp.entry[512 + i].perm[1], 0xF);
        ck_assert_uint_eq(rmp.entry[512 + i].perm[0], RMP_PERM_ALL);
        ck_assert_uint_eq(rmp.entry[512 + i].perm[2], 0);
    }
    rmp_launch(&rmp, 1024);
    ck_assert_int_eq(rmp_adjust(&rmp, 1024, true, 0, 0xF01, &status), RMP_OK);
    ck_assert_uint_eq(status, RMP_FAIL_SIZEMISMATCH);
    ck_assert_uint_eq(rmp.entry[1024].perm[1], 0);
}
END_TEST

/* ---- what the host does ---- */

START_TEST(assign_4k)
{
    static const uint8_t fresh[VMPL_COUNT] = {RMP_PERM_ALL, 0, 0, 0};
    unsigned status;
    bool unchanged;

    ck_assert(rmp_assign(&rmp, P, false));
    ck_assert_uint_eq(rmp.entry[P].flags, A);
    ck_assert_mem_eq(rmp.entry[P].perm, fresh, sizeof(fresh));
    ck_assert_uint_eq(rmp.entry[P - 1].flags | rmp.entry[P + 1].flags, 0);

    /* Again, once validated: it is private already. */
    rmp_validate(&rmp, P, false, true, &status, &unchanged);
    rmp_adjust(&rmp, P, false, 0, 0xF01, &status);
    ck_assert(!rmp_assign(&rmp, P, false));
    ck_assert_uint_eq(rmp.entry[P].flags, A | V);
    ck_assert_uint_eq(rmp.entry[P].perm[1], 0xF);

    /* Taken back and given again: neither validated nor anybody's but VMPL0's. */
    ck_assert(rmp_unassign(&rmp, P));
    ck_assert_uint_eq(rmp.entry[P].flags, 0);
    ck_assert(!rmp_unassign(&rmp, P));
    ck_assert(rmp_assign(&rmp, P, false));
    ck_assert_uint_eq(rmp.entry[P].flags, A);
    ck_assert_mem_eq(rmp.entry[P].perm, fresh, sizeof(fresh));
}
END_TEST

START_TEST(assign_2m)
{
    ck_assert(rmp_assign(&rmp, 512, true));
    for (uint32_t i = 0; i < PAGES_PER_LARGE_PAGE; i++) {
        ck_assert_uint_eq(rmp.entry[512 + i].flags, A | RMP_LARGE);
        ck_assert_uint_eq(rmp.entry[512 + i].perm[0], RMP_PERM_ALL);
    }
    ck_assert_uint_eq(rmp.entry[511].flags | rmp.entry[1024].flags, 0);
    ck_assert(!rmp_assign(&rmp, 512, true));
}
END_TEST

/* A region that is partly private cannot become one entry. */
START_TEST(assign_2m_over_4k)
{
    ck_assert(rmp_assign(&rmp, 512 + 7, false));
    rmp.entry[512 + 7].flags |= V;
    ck_assert(!rmp_assign(&rmp, 512, true));
    for (uint32_t i = 0; i < PAGES_PER_LARGE_PAGE; i++) {
        ck_assert_uint_eq(rmp.entry[512 + i].flags, i == 7 ? A | V : A);
    }
}
END_TEST

START_TEST(psmash)
{
    unsigned status;
    bool unchanged;

    rmp_assign(&rmp, 512, true);
    rmp_validate(&rmp, 512, true, true, &status, &unchanged);
    rmp_adjust(&rmp, 512, true, 0, 0x10101, &status);
    rmp_psmash(&rmp, 512 + 100); /* any page of it */
    for (uint32_t i = 0; i < PAGES_PER_LARGE_PAGE; i++) {
        ck_assert_uint_eq(rmp.entry[512 + i].flags, A | V | RMP_VMSA);
        ck_assert_uint_eq(rmp.entry[512 + i].perm[1], RMP_PERM_READ);
    }
    rmp_psmash(&rmp, 512); /* nothing left to split */
    rmp_psmash(&rmp, 0);   /* nothing there */
    ck_assert_uint_eq(rmp.entry[0].flags, 0);

    /* A 4 KiB operation that was refused for its size goes through now, a 2 MiB one no more. */
    ck_assert_int_eq(rmp_validate(&rmp, 513, false, false, &status, &unchanged), RMP_OK);
    ck_assert_uint_eq(rmp.entry[513].flags, A | RMP_VMSA);
    ck_assert_int_eq(rmp_validate(&rmp, 512, true, false, &status, &unchanged), RMP_OK);
    ck_assert_uint_eq(status, RMP_FAIL_SIZEMISMATCH);
}
END_TEST

START_TEST(unassign_splits)
{
    unsigned status;
    bool unchanged;

    rmp_assign(&rmp, 512, true);
    rmp_validate(&rmp, 512, true, true, &status, &unchanged);
    ck_assert(rmp_unassign(&rmp, 512 + 9));
    for (uint32_t i = 0; i < PAGES_PER_LARGE_PAGE; i++) {
        ck_assert_uint_eq(rmp.entry[512 + i].flags, i == 9 ? 0 : A | V);
    }
}
END_TEST

START_TEST(launch_page)
{
    rmp_launch(&rmp, P);
    ck_assert_uint_eq(rmp.entry[P].flags, A | V);
    ck_assert_uint_eq(rmp.entry[P].perm[0], RMP_PERM_ALL);
    ck_assert_uint_eq(rmp.entry[P].perm[1], 0);
}
END_TEST

START_TEST(every_result_has_words)
{
    for (int result = RMP_OK; result <= RMP_NPF_VMPL; result++) {
        ck_assert_ptr_nonnull(rmp_result_text((enum rmp_result)result));
    }
}
END_TEST

/* ---- the instructions, executed ---- */

#define PAGE_4K (GUEST_DATA + 0x5000)       /* validated, 4 KiB entry */
#define INVALID_4K (GUEST_DATA + 0x6000)    /* assigned only */
#define HOST_4K (GUEST_DATA + 0x7000)       /* the hypervisor's, mapped with C = 1 */
#define FIXED_4K (GUEST_DATA + 0x8000)      /* immutable */
#define LARGE 0x40200000ULL                 /* 2 MiB entry, not validated */
#define LARGE_VALID 0x40400000ULL           /* 2 MiB entry, validated */
#define SMALL_ALIGNED 0x40600000ULL         /* 4 KiB entries under a 2 MiB mapping, validated */
#define NOWHERE (GUEST_UNMAPPED + 0x3000)   /* no translation */
#define NO_MEMORY (GUEST_UNMAPPED + 0x4000) /* a translation that leads out of memory */
#define NON_CANONICAL 0x0000900000000000ULL

#define NO_VECTOR (-1)

static struct guest guest;

static void instruction_setup(void)
{
    guest_open(&guest);
    for (uint64_t gpa = LARGE; gpa <= SMALL_ALIGNED; gpa += LARGE_PAGE_SIZE) {
        guest_map(&guest, gpa, gpa, LARGE_PAGE_SIZE, GUEST_PRIVATE);
    }
    machine_assign(&guest.machine, guest_page(&guest, LARGE), true);
    machine_assign(&guest.machine, guest_page(&guest, LARGE_VALID), true);
    for (uint32_t i = 0; i < PAGES_PER_LARGE_PAGE; i++) {
        guest.machine.rmp.entry[guest_page(&guest, LARGE_VALID) + i].flags |= V;
        machine_launch_page(&guest.machine, guest_page(&guest, SMALL_ALIGNED) + i);
    }
    guest_rmp(&guest, GUEST_GPA + INVALID_4K)->flags = A;
    machine_unassign(&guest.machine, guest_page(&guest, GUEST_GPA + HOST_4K));
    guest_rmp(&guest, GUEST_GPA + FIXED_4K)->flags = A | V | RMP_IMMUTABLE;
    guest_map(&guest, NO_MEMORY, 0x10000000000, PAGE_SIZE, GUEST_PRIVATE);
}

static void instruction_teardown(void)
{
    guest_close(&guest);
}

/* What became of one instruction: its status in EAX with CF, a fault, or the end of the run. */
struct instruction_result {
    enum outcome_kind outcome; /* OUTCOME_HALTED with vector NO_VECTOR: executed */
    int vector;
    uint32_t error_code; /* of a fault that has one */
    uint64_t cr2;        /* of #PF and #VC 0x404 */
    unsigned status;
    bool carry;
};

static void run_instruction(const char *name, const uint8_t *bytes, size_t size, uint64_t rax,
                            uint64_t rcx, uint64_t rdx, const struct instruction_result *want)
{
    uint8_t code[16];
    int vector;

    memcpy(code, bytes, size);
    code[size] = 0xF4;
    guest_code(&guest, code, size + 1);
    guest_set(&guest, VCPU_RAX, rax);
    guest_set(&guest, VCPU_RCX, rcx);
    guest_set(&guest, VCPU_RDX, rdx);
    guest_run(&guest);
    ck_assert_msg(guest.outcome.kind == want->outcome, "%s: %s, %s", name,
                  outcome_name(guest.outcome.kind), guest.outcome.detail);
    vector = guest_halted_in(&guest);
    ck_assert_msg(vector == want->vector, "%s: vector %d", name, vector);
    if (want->outcome != OUTCOME_HALTED) {
        ck_assert_uint_eq(guest_get(&guest, VCPU_RIP), GUEST_CODE);
        return;
    }
    if (vector != NO_VECTOR) {
        uint64_t rsp = guest_get(&guest, VCPU_RSP);

        ck_assert_msg(guest_load(&guest, rsp) == want->error_code, "%s: error code", name);
        ck_assert_msg(guest_load(&guest, rsp + 8) == GUEST_CODE, "%s: RIP", name);
        ck_assert_msg(!want->cr2 || guest_get(&guest, VCPU_CR2) == want->cr2, "%s: CR2 0x%llx",
                      name, (unsigned long long)guest_get(&guest, VCPU_CR2));
        ck_assert_msg(guest_get(&guest, VCPU_RAX) == rax, "%s: RAX changed", name);
        return;
    }
    ck_assert_msg(guest_get(&guest, VCPU_RAX) == want->status, "%s: RAX 0x%llx", name,
                  (unsigned long long)guest_get(&guest, VCPU_RAX));
    ck_assert_uint_eq(guest_get(&guest, VCPU_RIP), GUEST_CODE + size + 1);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RCX), rcx);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RDX), rdx);
    if (want->status == RMP_SUCCESS) {
        ck_assert_msg((guest_get(&guest, VCPU_RFLAGS) & RFLAGS_CF ? true : false) == want->carry,
                      "%s: CF", name);
    }
}

#define DONE(status, carry)                                                                        \
    {                                                                                              \
        OUTCOME_HALTED, NO_VECTOR, 0, 0, status, carry                                             \
    }
#define FAULT(vector, error_code, cr2)                                                             \
    {                                                                                              \
        OUTCOME_HALTED, vector, error_code, cr2, 0, false                                          \
    }
#define NESTED                                                                                     \
    {                                                                                              \
        OUTCOME_NESTED_FAULT, NO_VECTOR, 0, 0, 0, false                                            \
    }

static const struct {
    const char *name;
    uint64_t rax, rcx, rdx;
    struct instruction_result want;
    uint64_t gpa; /* the page whose flags are looked at afterwards */
    uint8_t flags;
} pvalidate_rows[] = {
    {"validate an invalid page", INVALID_4K, 0, 1, DONE(0, false), GUEST_GPA + INVALID_4K, A | V},
    {"validate a valid page", PAGE_4K, 0, 1, DONE(0, true), GUEST_GPA + PAGE_4K, A | V},
    {"rescind a valid page", PAGE_4K, 0, 0, DONE(0, false), GUEST_GPA + PAGE_4K, A},
    {"rescind an invalid page", INVALID_4K, 0, 0, DONE(0, true), GUEST_GPA + INVALID_4K, A},
    {"RAX[11:0] are ignored (unverified)", INVALID_4K + 0x201, 0, 1, DONE(0, false),
     GUEST_GPA + INVALID_4K, A | V},
    {"EDX[0] alone counts", INVALID_4K, 0, ~1ULL, DONE(0, true), GUEST_GPA + INVALID_4K, A},
    {"RCX above ECX is ignored", INVALID_4K, 1ULL << 32, 1, DONE(0, false), GUEST_GPA + INVALID_4K,
     A | V},
    {"2 MiB on a 2 MiB entry", LARGE, 1, 1, DONE(0, false), LARGE + 0x1FF000, A | V | RMP_LARGE},
    {"2 MiB rescind", LARGE_VALID, 1, 0, DONE(0, false), LARGE_VALID + 0x1FF000, A | RMP_LARGE},
    {"2 MiB, valid already", LARGE_VALID, 1, 1, DONE(0, true), LARGE_VALID, A | V | RMP_LARGE},
    {"2 MiB on 4 KiB entries", SMALL_ALIGNED, 1, 0, DONE(RMP_FAIL_SIZEMISMATCH, false),
     SMALL_ALIGNED, A | V},
    {"2 MiB, not so aligned", LARGE + 0x1000, 1, 1, DONE(RMP_FAIL_INPUT, false), LARGE,
     A | RMP_LARGE},
    {"a size that does not exist", INVALID_4K, 2, 1, DONE(RMP_FAIL_INPUT, false),
     GUEST_GPA + INVALID_4K, A},
    {"4 KiB on a 2 MiB entry: split, then done", LARGE + 0x3000, 0, 1, DONE(0, false),
     LARGE + 0x3000, A | V},
    {"... and its neighbours stay as they were", LARGE + 0x3000, 0, 1, DONE(0, false),
     LARGE + 0x4000, A},
    {"the hypervisor's page", HOST_4K, 0, 1, NESTED, GUEST_GPA + HOST_4K, 0},
    {"an immutable page", FIXED_4K, 0, 0, NESTED, GUEST_GPA + FIXED_4K, A | V | RMP_IMMUTABLE},
    {"no memory there", NO_MEMORY, 0, 1, NESTED, LARGE, A | RMP_LARGE},
    {"no translation", NOWHERE + 0x123, 0, 1, FAULT(VECTOR_PF, 0, NOWHERE + 0x123), LARGE,
     A | RMP_LARGE},
    {"non-canonical", NON_CANONICAL, 0, 1, FAULT(VECTOR_GP, 0, 0), LARGE, A | RMP_LARGE},
};

START_TEST(pvalidate)
{
    static const uint8_t bytes[] = {0xF2, 0x0F, 0x01, 0xFF};
    const char *name = pvalidate_rows[_i].name;

    run_instruction(name, bytes, sizeof(bytes), pvalidate_rows[_i].rax, pvalidate_rows[_i].rcx,
                    pvalidate_rows[_i].rdx, &pvalidate_rows[_i].want);
    ck_assert_msg(guest_rmp(&guest, pvalidate_rows[_i].gpa)->flags == pvalidate_rows[_i].flags,
                  "%s: flags 0x%x", name, guest_rmp(&guest, pvalidate_rows[_i].gpa)->flags);
}
END_TEST

static const struct {
    const char *name;
    uint64_t rax, rcx, rdx;
    struct instruction_result want;
    uint64_t gpa;
    uint8_t flags, perm; /* perm: of the VMPL in RDX[1:0] */
} rmpadjust_rows[] = {
    {"VMPL1 rwx", PAGE_4K, 0, 0xF01, DONE(0, false), GUEST_GPA + PAGE_4K, A | V, 0xF},
    {"VMPL1 nothing: am I VMPL0?", PAGE_4K, 0, 0x001, DONE(0, false), GUEST_GPA + PAGE_4K, A | V,
     0},
    {"VMSA page", PAGE_4K, 0, 0x10101, DONE(0, false), GUEST_GPA + PAGE_4K, A | V | RMP_VMSA, R},
    {"VMPL0 itself", PAGE_4K, 0, 0x000, DONE(RMP_FAIL_PERMISSION, false), GUEST_GPA + PAGE_4K,
     A | V, RMP_PERM_ALL},
    {"VMPL4 does not exist (unverified)", PAGE_4K, 0, 0xF04, DONE(RMP_FAIL_INPUT, false),
     GUEST_GPA + PAGE_4K, A | V, RMP_PERM_ALL},
    {"2 MiB on a 2 MiB entry", LARGE_VALID, 1, 0xF01, DONE(0, false), LARGE_VALID + 0x1FF000,
     A | V | RMP_LARGE, 0xF},
    {"2 MiB on 4 KiB entries", SMALL_ALIGNED, 1, 0xF01, DONE(RMP_FAIL_SIZEMISMATCH, false),
     SMALL_ALIGNED, A | V, 0},
    {"2 MiB, not so aligned", LARGE_VALID + 0x1000, 1, 0xF01, DONE(RMP_FAIL_INPUT, false),
     LARGE_VALID, A | V | RMP_LARGE, 0},
    {"4 KiB on a 2 MiB entry: split, then done", LARGE_VALID + 0x3000, 0, 0xF01, DONE(0, false),
     LARGE_VALID + 0x3000, A | V, 0xF},
    {"not validated (unverified)", INVALID_4K, 0, 0xF01,
     FAULT(VECTOR_VC, VC_PAGE_NOT_VALIDATED, INVALID_4K), GUEST_GPA + INVALID_4K, A, 0},
    {"the hypervisor's page", HOST_4K, 0, 0xF01, NESTED, GUEST_GPA + HOST_4K, 0, 0},
    {"an immutable page", FIXED_4K, 0, 0xF01, NESTED, GUEST_GPA + FIXED_4K, A | V | RMP_IMMUTABLE,
     0},
    {"no translation", NOWHERE, 0, 0xF01, FAULT(VECTOR_PF, 0, NOWHERE), LARGE, A | RMP_LARGE, 0},
    {"non-canonical", NON_CANONICAL, 0, 0xF01, FAULT(VECTOR_GP, 0, 0), LARGE, A | RMP_LARGE, 0},
};

START_TEST(rmpadjust)
{
    static const uint8_t bytes[] = {0xF3, 0x0F, 0x01, 0xFE};
    const char *name = rmpadjust_rows[_i].name;
    const struct rmp_entry *entry;

    run_instruction(name, bytes, sizeof(bytes), rmpadjust_rows[_i].rax, rmpadjust_rows[_i].rcx,
                    rmpadjust_rows[_i].rdx, &rmpadjust_rows[_i].want);
    entry = guest_rmp(&guest, rmpadjust_rows[_i].gpa);
    ck_assert_msg(entry->flags == rmpadjust_rows[_i].flags, "%s: flags 0x%x", name, entry->flags);
    ck_assert_msg(entry->perm[rmpadjust_rows[_i].rdx & 3] == rmpadjust_rows[_i].perm,
                  "%s: permissions 0x%x", name, entry->perm[rmpadjust_rows[_i].rdx & 3]);
}
END_TEST

/* CPUID 0x8000001F EAX[6] is clear on the modelled processor. */
START_TEST(rmpquery_is_undefined)
{
    GUEST_CODE_BYTES(&guest, 0xF3, 0x0F, 0x01, 0xFD, 0xF4);
    guest_run(&guest);
    ck_assert_int_eq(guest_halted_in(&guest), VECTOR_UD);
}
END_TEST

/* A translation that the engine holds does not outlive the page's validation. */
START_TEST(rescinding_is_seen_at_once)
{
    /* mov rbx, [rax]; pvalidate; mov rbx, [rsi]; hlt */
    GUEST_CODE_BYTES(&guest, 0x48, 0x8B, 0x18, 0xF2, 0x0F, 0x01, 0xFF, 0x48, 0x8B, 0x1E, 0xF4);
    guest_set(&guest, VCPU_RAX, PAGE_4K);
    guest_set(&guest, VCPU_RSI, PAGE_4K + 0x18);
    guest_set(&guest, VCPU_RCX, 0);
    guest_set(&guest, VCPU_RDX, 0);
    guest_run(&guest);
    ck_assert_int_eq(guest_halted_in(&guest), VECTOR_VC);
    ck_assert_uint_eq(guest_get(&guest, VCPU_CR2), PAGE_4K + 0x18);
    ck_assert_uint_eq(guest_load(&guest, guest_get(&guest, VCPU_RSP)), VC_PAGE_NOT_VALIDATED);
    ck_assert_uint_eq(guest_load(&guest, guest_get(&guest, VCPU_RSP) + 8), GUEST_CODE + 7);
}
END_TEST

/* Contents: kept by PVALIDATE, lost when the page changes hands, never zero. */
START_TEST(contents_follow_the_owner)
{
    uint32_t page = guest_page(&guest, GUEST_GPA + PAGE_4K);
    uint64_t first, second;

    guest_store(&guest, PAGE_4K, 0x1122334455667788);
    GUEST_CODE_BYTES(&guest, 0xF2, 0x0F, 0x01, 0xFF, 0xF4);
    guest_set(&guest, VCPU_RAX, PAGE_4K);
    guest_set(&guest, VCPU_RCX, 0);
    guest_set(&guest, VCPU_RDX, 0);
    guest_run(&guest);
    ck_assert_uint_eq(guest_load(&guest, PAGE_4K), 0x1122334455667788);
    machine_assign(&guest.machine, page, false); /* it is the guest's already */
    ck_assert_uint_eq(guest_load(&guest, PAGE_4K), 0x1122334455667788);

    machine_unassign(&guest.machine, page);
    first = guest_load(&guest, PAGE_4K);
    machine_assign(&guest.machine, page, false);
    second = guest_load(&guest, PAGE_4K);
    ck_assert_uint_ne(first, 0x1122334455667788);
    ck_assert_uint_ne(second, 0x1122334455667788);
    ck_assert_uint_ne(first, second);
    for (uint64_t at = 0; at < PAGE_SIZE; at += 8) {
        ck_assert_uint_ne(guest_load(&guest, PAGE_4K + at), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rmp");
    TCase *table = tcase_create("table");
    TCase *instructions = tcase_create("instructions");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, table);
    tcase_add_checked_fixture(table, rmp_open, rmp_close);
    tcase_add_loop_test(table, access_table, 0, COUNT(access_rows));
    tcase_add_loop_test(table, validate_table, 0, COUNT(validate_rows));
    tcase_add_loop_test(table, adjust_table, 0, COUNT(adjust_rows));
    tcase_add_test(table, adjust_large);
    tcase_add_test(table, assign_4k);
    tcase_add_test(table, assign_2m);
    tcase_add_test(table, assign_2m_over_4k);
    tcase_add_test(table, psmash);
    tcase_add_test(table, unassign_splits);
    tcase_add_test(table, launch_page);
    tcase_add_test(table, every_result_has_words);

    suite_add_tcase(suite, instructions);
    tcase_add_checked_fixture(instructions, instruction_setup, instruction_teardown);
    tcase_add_loop_test(instructions, pvalidate, 0, COUNT(pvalidate_rows));
    tcase_add_loop_test(instructions, rmpadjust, 0, COUNT(rmpadjust_rows));
    tcase_add_test(instructions, rmpquery_is_undefined);
    tcase_add_test(instructions, rescinding_is_seen_at_once);
    tcase_add_test(instructions, contents_follow_the_owner);

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
