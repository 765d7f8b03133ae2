/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/rmp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int rmp_init(struct rmp *rmp, uint32_t page_count, struct error *error)
{
    assert(page_count % PAGES_PER_LARGE_PAGE == 0);
    memset(rmp, 0, sizeof(*rmp));
    rmp->page_count = page_count;
    rmp->entry = calloc(page_count, sizeof(*rmp->entry));
    rmp->owner = calloc(page_count, sizeof(*rmp->owner));
    rmp->region_dirty = calloc(page_count / PAGES_PER_LARGE_PAGE, 1);
    if (!rmp->entry || !rmp->owner || !rmp->region_dirty) {
        rmp_release(rmp);
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for an RMP of %u pages",
                         page_count);
    }
    return 0;
}

void rmp_release(struct rmp *rmp)
{
    free(rmp->entry);
    free(rmp->owner);
    free(rmp->region_dirty);
    memset(rmp, 0, sizeof(*rmp));
}

static void rmp_touch(const struct rmp *rmp, uint32_t page, uint32_t count)
{
    if (rmp->observer) {
        rmp->observer->touched(rmp->observer->context, page, count);
    }
}

static struct rmp_entry *rmp_entry_for_write(struct rmp *rmp, uint32_t page)
{
    assert(page < rmp->page_count);
    rmp_touch(rmp, page, 1);
    if (rmp->tracking) {
        rmp->region_dirty[page / PAGES_PER_LARGE_PAGE] = 1;
    }
    return &rmp->entry[page];
}

uint16_t rmp_asid(const struct rmp *rmp, uint32_t page)
{
    uint8_t flags = rmp->entry[page].flags;

    if (!(flags & RMP_ASSIGNED)) {
        return 0;
    }
    return flags & RMP_AWAY ? rmp->owner[page].asid : RMP_ASID_GUEST;
}

uint32_t rmp_guest_page(const struct rmp *rmp, uint32_t page)
{
    uint8_t flags = rmp->entry[page].flags;

    if (!(flags & RMP_ASSIGNED)) {
        return 0;
    }
    return flags & RMP_AWAY ? rmp->owner[page].guest_page : page;
}

/* ---- accesses ---- */

/*
 * A data read needs R. A store needs R as well as W: write without read is an illegal setting, and
 * data accesses to such a page fault. So does a walk, which sets A and D bits. APM Vol 2 15.36.7,
 * table 15-36.
 */
static bool rmp_perm_allows(uint8_t perm, enum rmp_access access, bool user)
{
    static const uint8_t needed[] = {
        [RMP_READ] = RMP_PERM_READ,
        [RMP_WRITE] = RMP_PERM_READ | RMP_PERM_WRITE,
        [RMP_FETCH] = RMP_PERM_EXEC_SUPER,
        [RMP_WALK] = RMP_PERM_READ | RMP_PERM_WRITE,
    };
    uint8_t need = access == RMP_FETCH && user ? RMP_PERM_EXEC_USER : needed[access];

    return (perm & need) == need;
}

/* The decision table of APM Vol 2 15.36.10, tables 15-38 and 15-39: a row is an `if`, the first
   that applies decides. */
enum rmp_result rmp_decide(const struct rmp *rmp, const struct rmp_place *place,
                           enum rmp_access access, bool private_access, unsigned vmpl, bool user)
{
    const struct rmp_entry *entry = &rmp->entry[place->page];
    uint8_t flags = entry->flags;

    assert(place->page < rmp->page_count && vmpl < VMPL_COUNT);

    /* C = 0. Fetches and walks are private whatever the C-bit says. 15.36.10, table 15-39. */
    if (!private_access && access == RMP_READ) {
        /* Data read: no check; what the guest gets of a page with an owner is ciphertext. */
        return flags & RMP_ASSIGNED ? RMP_CIPHERTEXT : RMP_OK;
    }
    if (!private_access && access == RMP_WRITE) {
        /* Data write: hypervisor-owned. */
        return flags & RMP_ASSIGNED ? RMP_NPF_ASSIGNED : RMP_OK;
    }

    /* C = 1, in the order of table 15-39: covered and guest-owned, ... */
    if (!(flags & RMP_ASSIGNED)) {
        return RMP_NPF_NOT_ASSIGNED;
    }
    if (rmp_asid(rmp, place->page) != RMP_ASID_GUEST) {
        return RMP_NPF_OWNER;
    }
    /* ... reverse-map, ... */
    if (rmp_guest_page(rmp, place->page) != place->guest_page) {
        return RMP_NPF_GPA;
    }
    /* ... mutable, ... */
    if (flags & RMP_IMMUTABLE) {
        return RMP_NPF_IMMUTABLE;
    }
    /* ... page-size. A nested mapping is never larger than the entry here. */
    if ((flags & RMP_LARGE) && place->nested_small) {
        return RMP_NPF_SIZE;
    }
    if (access == RMP_OPERAND) {
        return RMP_OK;
    }
    /* Validated comes second to last, ... */
    if (!(flags & RMP_VALIDATED)) {
        return RMP_VC_NOT_VALIDATED;
    }
    /* ... the permissions of the VMPL last. */
    if (!rmp_perm_allows(entry->perm[vmpl], access, user)) {
        return RMP_NPF_VMPL;
    }
    return RMP_OK;
}

static struct rmp_place rmp_home(uint32_t page)
{
    return (struct rmp_place){.page = page, .guest_page = page};
}

enum rmp_result rmp_check(const struct rmp *rmp, uint32_t page, enum rmp_access access,
                          bool private_access, unsigned vmpl, bool user)
{
    struct rmp_place place = rmp_home(page);

    return rmp_check_place(rmp, &place, access, private_access, vmpl, user);
}

/* ---- the host and the AMD-SP ---- */

/* What RMPUPDATE leaves: not validated, VMPL0 has everything, the others nothing. 15.36.7. */
static void rmp_entry_set(struct rmp *rmp, uint32_t page, const struct rmp_state *state)
{
    struct rmp_entry *entry = rmp_entry_for_write(rmp, page);

    memset(entry, 0, sizeof(*entry));
    memset(&rmp->owner[page], 0, sizeof(rmp->owner[page]));
    entry->flags = state->immutable ? RMP_IMMUTABLE : 0;
    if (!state->assigned) {
        return;
    }
    entry->flags |= RMP_ASSIGNED;
    entry->flags |= state->large ? RMP_LARGE : 0;
    entry->perm[0] = RMP_PERM_ALL;
    if (state->asid != RMP_ASID_GUEST || state->guest_page != page) {
        entry->flags |= RMP_AWAY;
        rmp->owner[page].asid = state->asid;
        rmp->owner[page].guest_page = state->guest_page;
    }
}

/* The owners that APM Vol 2 table 15-35 knows; that others are refused is unverified. */
static bool rmp_state_valid(const struct rmp *rmp, uint32_t page, const struct rmp_state *state)
{
    uint32_t count = state->large ? PAGES_PER_LARGE_PAGE : 1;

    if (page >= rmp->page_count || page % count) {
        return false;
    }
    if (!state->assigned) {
        return state->asid == 0;
    }
    return state->guest_page % count == 0 && (state->asid != RMP_ASID_SP || state->immutable);
}

/* RMPUPDATE's results as torvalds/linux arch/x86/include/asm/sev.h names them; which of two comes
   first is unverified. */
unsigned rmp_update(struct rmp *rmp, uint32_t page, const struct rmp_state *state)
{
    uint32_t count = state->large ? PAGES_PER_LARGE_PAGE : 1;
    struct rmp_state next = *state;

    if (!rmp_state_valid(rmp, page, state)) {
        return RMP_FAIL_INPUT;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (rmp->entry[page + i].flags & RMP_IMMUTABLE) {
            return RMP_FAIL_PERMISSION;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        uint8_t flags = rmp->entry[page + i].flags;

        if ((flags & RMP_ASSIGNED) && !(flags & RMP_LARGE) != !state->large) {
            return RMP_FAIL_OVERLAP;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        rmp_entry_set(rmp, page + i, &next);
        next.guest_page++;
    }
    return RMP_SUCCESS;
}

/* The 2 MiB entry that the page is part of, if any, becomes 512 of 4 KiB. */
static void rmp_split(struct rmp *rmp, uint32_t page)
{
    uint32_t first = page - page % PAGES_PER_LARGE_PAGE;

    if (rmp->entry[page].flags & RMP_LARGE) {
        struct rmp_entry *entry = rmp_entry_for_write(rmp, first); /* the region counts */

        rmp_touch(rmp, first, PAGES_PER_LARGE_PAGE);
        for (uint32_t i = 0; i < PAGES_PER_LARGE_PAGE; i++) {
            entry[i].flags &= (uint8_t)~RMP_LARGE;
        }
    }
}

/* Neither anybody's nor immutable: 15.36.3 lets no x86 instruction change an immutable entry. */
static bool rmp_is_free(const struct rmp *rmp, uint32_t page)
{
    return !(rmp->entry[page].flags & (RMP_ASSIGNED | RMP_IMMUTABLE));
}

bool rmp_assign(struct rmp *rmp, uint32_t page, bool large)
{
    uint32_t count = large ? PAGES_PER_LARGE_PAGE : 1;
    bool fresh = true;

    assert(page + count <= rmp->page_count && (!large || page % PAGES_PER_LARGE_PAGE == 0));
    for (uint32_t i = 0; i < count; i++) {
        fresh = fresh && rmp_is_free(rmp, page + i);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (rmp_is_free(rmp, page + i)) {
            /* A region that is partly private already cannot become one 2 MiB entry. */
            rmp_entry_set(rmp, page + i,
                          &(struct rmp_state){.assigned = true,
                                              .large = large && fresh,
                                              .asid = RMP_ASID_GUEST,
                                              .guest_page = page + i});
        }
    }
    return fresh;
}

bool rmp_unassign(struct rmp *rmp, uint32_t page)
{
    uint8_t flags = rmp->entry[page].flags;

    if (!(flags & RMP_ASSIGNED) || (flags & RMP_IMMUTABLE)) {
        return false;
    }
    rmp_psmash(rmp, page);
    rmp_entry_set(rmp, page, &(struct rmp_state){0});
    return true;
}

void rmp_psmash(struct rmp *rmp, uint32_t page)
{
    if (!(rmp->entry[page].flags & RMP_IMMUTABLE)) {
        rmp_split(rmp, page);
    }
}

void rmp_launch(struct rmp *rmp, uint32_t page)
{
    rmp_split(rmp, page);
    rmp_entry_set(
        rmp, page,
        &(struct rmp_state){.assigned = true, .asid = RMP_ASID_GUEST, .guest_page = page});
    rmp_entry_for_write(rmp, page)->flags |= RMP_VALIDATED;
}

void rmp_launch_permit(struct rmp *rmp, uint32_t page, unsigned vmpl, uint8_t perm)
{
    assert(page < rmp->page_count && vmpl > 0 && vmpl < VMPL_COUNT);
    rmp_entry_for_write(rmp, page)->perm[vmpl] = perm;
}

bool rmp_reclaim(struct rmp *rmp, uint32_t page)
{
    bool large = rmp->entry[page].flags & RMP_LARGE;
    uint32_t first = large ? page - page % PAGES_PER_LARGE_PAGE : page;

    if (rmp_asid(rmp, page) != RMP_ASID_SP || !(rmp->entry[page].flags & RMP_ASSIGNED) ||
        !(rmp->entry[page].flags & RMP_IMMUTABLE)) {
        return false;
    }
    for (uint32_t i = 0; i < (large ? PAGES_PER_LARGE_PAGE : 1); i++) {
        rmp_entry_for_write(rmp, first + i)->flags &= (uint8_t)~RMP_IMMUTABLE;
    }
    return true;
}

/* ---- the guest's instructions ---- */

/*
 * The checks that both instructions share: ownership, then sizes. Source: APM Vol 2 15.36.10 and
 * table 15-40.
 */
static enum rmp_result rmp_operand_check(const struct rmp *rmp, const struct rmp_place *place,
                                         bool large, unsigned *status)
{
    const struct rmp_entry *entry = &rmp->entry[place->page];
    enum rmp_result result = rmp_check_place(rmp, place, RMP_OPERAND, true, 0, false);

    *status = RMP_SUCCESS;
    if (result != RMP_OK) {
        return result;
    }
    if (!large && (entry->flags & RMP_LARGE)) {
        return RMP_NPF_SIZE;
    }
    if (large && !(entry->flags & RMP_LARGE)) {
        *status = RMP_FAIL_SIZEMISMATCH;
    }
    return RMP_OK;
}

enum rmp_result rmp_validate_place(struct rmp *rmp, const struct rmp_place *place, bool large,
                                   bool validate, unsigned *status, bool *unchanged)
{
    uint32_t page = place->page;
    uint32_t count = large ? PAGES_PER_LARGE_PAGE : 1;
    enum rmp_result result = rmp_operand_check(rmp, place, large, status);

    *unchanged = false;
    if (result != RMP_OK || *status != RMP_SUCCESS) {
        return result;
    }
    *unchanged = !(rmp->entry[page].flags & RMP_VALIDATED) == !validate;
    for (uint32_t i = 0; !*unchanged && i < count; i++) {
        rmp_entry_for_write(rmp, page + i)->flags ^= RMP_VALIDATED;
    }
    return RMP_OK;
}

enum rmp_result rmp_validate(struct rmp *rmp, uint32_t page, bool large, bool validate,
                             unsigned *status, bool *unchanged)
{
    struct rmp_place place = rmp_home(page);

    return rmp_validate_place(rmp, &place, large, validate, status, unchanged);
}

enum rmp_result rmp_adjust_place(struct rmp *rmp, const struct rmp_place *place, bool large,
                                 unsigned vmpl, uint64_t operand, unsigned *status)
{
    uint32_t page = place->page;
    unsigned target = operand & 0xFF;
    uint8_t perm = (operand >> RMPADJUST_PERM_SHIFT) & 0xFF;
    uint32_t count = large ? PAGES_PER_LARGE_PAGE : 1;
    enum rmp_result result;

    *status = RMP_SUCCESS;
    /* No VMPL changes its own or a higher one's rights; asked before the RMP. APM Vol 2 15.36.7,
       order as in microsoft/verismo source/verismo/src/arch/rmp/access_s.rs. */
    if (target <= vmpl) {
        *status = RMP_FAIL_PERMISSION;
        return RMP_OK;
    }
    /* That these are refused, and here, is unverified. */
    if (target >= VMPL_COUNT || (perm & ~RMP_PERM_ALL) || operand >> RMPADJUST_RESERVED_SHIFT) {
        *status = RMP_FAIL_INPUT;
        return RMP_OK;
    }
    result = rmp_operand_check(rmp, place, large, status);
    if (result != RMP_OK) {
        return result;
    }
    /* Before a mismatch of sizes: same source. */
    if (!(rmp->entry[page].flags & RMP_VALIDATED)) {
        return RMP_VC_NOT_VALIDATED;
    }
    if (*status != RMP_SUCCESS) {
        return RMP_OK;
    }
    /* Nor does it grant what it lacks. APM Vol 2 15.36.7. */
    if (perm & ~rmp->entry[page].perm[vmpl]) {
        *status = RMP_FAIL_PERMISSION;
        return RMP_OK;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct rmp_entry *entry = rmp_entry_for_write(rmp, page + i);

        entry->perm[target] = perm;
        if (vmpl == 0) {
            entry->flags =
                (uint8_t)((entry->flags & ~RMP_VMSA) | (operand & RMPADJUST_VMSA ? RMP_VMSA : 0));
        }
    }
    return RMP_OK;
}

enum rmp_result rmp_adjust(struct rmp *rmp, uint32_t page, bool large, unsigned vmpl,
                           uint64_t operand, unsigned *status)
{
    struct rmp_place place = rmp_home(page);

    return rmp_adjust_place(rmp, &place, large, vmpl, operand, status);
}

const char *rmp_result_text(enum rmp_result result)
{
    static const char *const text[] = {
        [RMP_OK] = "allowed",
        [RMP_CIPHERTEXT] = "reads ciphertext",
        [RMP_NPF_NOT_ASSIGNED] = "private access to a page that is the hypervisor's",
        [RMP_NPF_ASSIGNED] = "shared write to a page that is the guest's",
        [RMP_NPF_OWNER] = "private access to a page of another owner",
        [RMP_NPF_GPA] = "private access to a page that is assigned at another address",
        [RMP_NPF_IMMUTABLE] = "access to an immutable page",
        [RMP_NPF_SIZE] = "4 KiB operation on a 2 MiB entry",
        [RMP_VC_NOT_VALIDATED] = "access to a page that is not validated",
        [RMP_NPF_VMPL] = "access that the VMPL's permissions forbid",
    };

    return text[result];
}
