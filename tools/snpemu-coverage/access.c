/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may access which page: the RMP is asked about each kind of access to a page in each state, so
 * these rows say what the emulator does, not what somebody wrote about it.
 */
#include "abi/rmp.h"
#include "coverage.h"
#include "machine/rmp.h"

#define SOURCE_TABLE "AMD APM Vol 2 (24593) 15.36.10 table 15-39"
#define SOURCE_CIPHERTEXT "AMD APM Vol 2 (24593) 15.34, derived"
#define SOURCE_VMPL "AMD APM Vol 2 (24593) 15.36.7 and 15.36.10"

static const struct {
    const char *name;
    enum rmp_access access;
    bool private_access;
    bool only_ownership; /* a shared access is not asked about more */
} accesses[] = {
    {"shared-read", RMP_READ, false, true},  {"shared-write", RMP_WRITE, false, true},
    {"private-read", RMP_READ, true, false}, {"private-write", RMP_WRITE, true, false},
    {"fetch", RMP_FETCH, true, false},       {"walk", RMP_WALK, true, false},
};

/* Page states in the order in which the checks come. */
static const struct {
    const char *name;
    bool ownership; /* asked about shared accesses too */
    struct rmp_state state;
    bool validated;
    bool nested_small; /* 4 KiB nested mapping of a 2 MiB entry */
    bool no_rights;    /* VMPL1, which was given nothing */
} states[] = {
    {.name = "hypervisor", .ownership = true},
    {.name = "other-guest", .state = {.assigned = true, .asid = RMP_ASID_GUEST + 1}},
    {.name = "other-gpa", .state = {.assigned = true, .asid = RMP_ASID_GUEST, .guest_page = 1}},
    {.name = "immutable", .state = {.assigned = true, .immutable = true, .asid = RMP_ASID_GUEST}},
    {.name = "2m-entry",
     .state = {.assigned = true, .large = true, .asid = RMP_ASID_GUEST},
     .nested_small = true},
    {.name = "not-validated", .state = {.assigned = true, .asid = RMP_ASID_GUEST}},
    {.name = "vmpl-denied",
     .state = {.assigned = true, .asid = RMP_ASID_GUEST},
     .validated = true,
     .no_rights = true},
    {.name = "valid",
     .ownership = true,
     .state = {.assigned = true, .asid = RMP_ASID_GUEST},
     .validated = true},
};

/*
 * What the emulator says of one access to one page in one state. False when the RMP cannot be
 * brought into that state.
 */
static bool ask(size_t access, size_t state, enum rmp_result *result)
{
    struct rmp_place place = {.nested_small = states[state].nested_small};
    unsigned status = RMP_SUCCESS;
    struct error error;
    struct rmp rmp;
    bool unchanged;

    if (rmp_init(&rmp, PAGES_PER_LARGE_PAGE, &error) != 0) {
        return false;
    }
    status = rmp_update(&rmp, 0, &states[state].state);
    if (status == RMP_SUCCESS && states[state].validated) {
        rmp_validate_place(&rmp, &place, states[state].state.large, true, &status, &unchanged);
    }
    *result =
        rmp_check_place(&rmp, &place, accesses[access].access, accesses[access].private_access,
                        states[state].no_rights ? 1 : 0, false);
    rmp_release(&rmp);
    return status == RMP_SUCCESS;
}

static void add(struct coverage *coverage, size_t access, size_t state)
{
    enum rmp_result result = RMP_OK;
    char name[COVERAGE_KEY_MAX];
    struct coverage_row *row;

    snprintf(name, sizeof(name), "%s-%s", accesses[access].name, states[state].name);
    row = coverage_add(coverage, GROUP_ACCESS, "access", name);
    if (!ask(access, state, &result)) {
        coverage_mistake(coverage, "row %s: the RMP does not take this state", row->key);
    }
    snprintf(row->does, sizeof(row->does), "%s%s",
             result == RMP_OK || result == RMP_CIPHERTEXT ? ""
             : result == RMP_VC_NOT_VALIDATED             ? "#VC 0x404: "
                                                          : "nested fault: ",
             rmp_result_text(result));
    row->source = result == RMP_CIPHERTEXT  ? SOURCE_CIPHERTEXT
                  : states[state].no_rights ? SOURCE_VMPL
                                            : SOURCE_TABLE;
    row->status = result == RMP_CIPHERTEXT ? STATUS_UNVERIFIED : STATUS_MODELLED;
}

void coverage_add_access(struct coverage *coverage)
{
    for (size_t access = 0; access < sizeof(accesses) / sizeof(accesses[0]); access++) {
        for (size_t state = 0; state < sizeof(states) / sizeof(states[0]); state++) {
            if (states[state].ownership || !accesses[access].only_ownership) {
                add(coverage, access, state);
            }
        }
    }
}
