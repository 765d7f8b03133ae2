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
    rmp->region_dirty = calloc(page_count / PAGES_PER_LARGE_PAGE, 1);
    if (!rmp->entry || !rmp->region_dirty) {
        rmp_release(rmp);
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for an RMP of %u pages",
                         page_count);
    }
    return 0;
}

void rmp_release(struct rmp *rmp)
{
    free(rmp->entry);
    free(rmp->region_dirty);
    memset(rmp, 0, sizeof(*rmp));
}

static struct rmp_entry *rmp_entry_for_write(struct rmp *rmp, uint32_t page)
{
    assert(page < rmp->page_count);
    if (rmp->tracking) {
        rmp->region_dirty[page / PAGES_PER_LARGE_PAGE] = 1;
    }
    return &rmp->entry[page];
}

static bool rmp_perm_allows(uint8_t perm, enum rmp_access access, bool user)
{
    uint8_t need;

    switch (access) {
    case RMP_READ:
        need = RMP_PERM_READ;
        break;
    case RMP_FETCH:
        need = user ? RMP_PERM_EXEC_USER : RMP_PERM_EXEC_SUPER;
        break;
    default:
        need = RMP_PERM_READ | RMP_PERM_WRITE;
        break;
    }
    /* Write without read is an illegal setting: data accesses to such a page fault. 15.36.7. */
    if (access == RMP_READ && (perm & RMP_PERM_WRITE) && !(perm & RMP_PERM_READ)) {
        return false;
    }
    return (perm & need) == need;
}

enum rmp_result rmp_check(const struct rmp *rmp, uint32_t page, enum rmp_access access,
                          bool private_access, unsigned vmpl, bool user)
{
    const struct rmp_entry *entry = &rmp->entry[page];
    bool assigned = entry->flags & RMP_ASSIGNED;

    assert(page < rmp->page_count && vmpl < VMPL_COUNT);
    /* Fetches and walks are private whatever the C-bit says. 15.36.10, table 15-39. */
    if (access == RMP_FETCH || access == RMP_WALK) {
        private_access = true;
    }
    if (!private_access) {
        if (!assigned) {
            return RMP_OK;
        }
        return access == RMP_READ ? RMP_CIPHERTEXT : RMP_NPF_ASSIGNED;
    }
    if (!assigned) {
        return RMP_NPF_NOT_ASSIGNED;
    }
    if (entry->flags & RMP_IMMUTABLE) {
        return RMP_NPF_IMMUTABLE;
    }
    if (!(entry->flags & RMP_VALIDATED)) {
        return RMP_VC_NOT_VALIDATED;
    }
    return rmp_perm_allows(entry->perm[vmpl], access, user) ? RMP_OK : RMP_NPF_VMPL;
}

static void rmp_entry_assign(struct rmp_entry *entry, uint8_t flags)
{
    memset(entry, 0, sizeof(*entry));
    entry->flags = flags;
    entry->perm[0] = RMP_PERM_ALL; /* VMPL0 everything, the others nothing. 15.36.7. */
}

bool rmp_assign(struct rmp *rmp, uint32_t page, bool large)
{
    uint32_t count = large ? PAGES_PER_LARGE_PAGE : 1;
    bool fresh = true;

    assert(page + count <= rmp->page_count && (!large || page % PAGES_PER_LARGE_PAGE == 0));
    for (uint32_t i = 0; i < count; i++) {
        fresh = fresh && !(rmp->entry[page + i].flags & RMP_ASSIGNED);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct rmp_entry *entry = rmp_entry_for_write(rmp, page + i);

        if (!(entry->flags & RMP_ASSIGNED)) {
            /* A region that is partly private already cannot become one 2 MiB entry. */
            rmp_entry_assign(entry, large && fresh ? RMP_ASSIGNED | RMP_LARGE : RMP_ASSIGNED);
        }
    }
    return fresh;
}

bool rmp_unassign(struct rmp *rmp, uint32_t page)
{
    struct rmp_entry *entry = rmp_entry_for_write(rmp, page);

    if (!(entry->flags & RMP_ASSIGNED)) {
        return false;
    }
    rmp_psmash(rmp, page);
    memset(entry, 0, sizeof(*entry));
    return true;
}

void rmp_psmash(struct rmp *rmp, uint32_t page)
{
    uint32_t first = page - page % PAGES_PER_LARGE_PAGE;

    if (!(rmp->entry[page].flags & RMP_LARGE)) {
        return;
    }
    for (uint32_t i = 0; i < PAGES_PER_LARGE_PAGE; i++) {
        rmp_entry_for_write(rmp, first + i)->flags &= (uint8_t)~RMP_LARGE;
    }
}

void rmp_launch(struct rmp *rmp, uint32_t page)
{
    rmp_entry_assign(rmp_entry_for_write(rmp, page), RMP_ASSIGNED | RMP_VALIDATED);
}

/*
 * The checks that both instructions share: ownership, then sizes. Source: APM Vol 2 15.36.10 and
 * table 15-40.
 */
static enum rmp_result rmp_operand_check(const struct rmp *rmp, uint32_t page, bool large,
                                         unsigned *status)
{
    const struct rmp_entry *entry = &rmp->entry[page];

    *status = RMP_SUCCESS;
    if (!(entry->flags & RMP_ASSIGNED)) {
        return RMP_NPF_NOT_ASSIGNED;
    }
    if (entry->flags & RMP_IMMUTABLE) {
        return RMP_NPF_IMMUTABLE;
    }
    if (!large && (entry->flags & RMP_LARGE)) {
        return RMP_NPF_SIZE;
    }
    if (large && !(entry->flags & RMP_LARGE)) {
        *status = RMP_FAIL_SIZEMISMATCH;
    }
    return RMP_OK;
}

enum rmp_result rmp_validate(struct rmp *rmp, uint32_t page, bool large, bool validate,
                             unsigned *status, bool *unchanged)
{
    uint32_t count = large ? PAGES_PER_LARGE_PAGE : 1;
    enum rmp_result result = rmp_operand_check(rmp, page, large, status);

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

enum rmp_result rmp_adjust(struct rmp *rmp, uint32_t page, bool large, unsigned vmpl,
                           uint64_t operand, unsigned *status)
{
    unsigned target = operand & 0xFF;
    uint8_t perm = (operand >> RMPADJUST_PERM_SHIFT) & 0xFF;
    uint32_t count = large ? PAGES_PER_LARGE_PAGE : 1;
    enum rmp_result result = rmp_operand_check(rmp, page, large, status);

    if (result != RMP_OK || *status != RMP_SUCCESS) {
        return result;
    }
    if (!(rmp->entry[page].flags & RMP_VALIDATED)) {
        return RMP_VC_NOT_VALIDATED;
    }
    if (target >= VMPL_COUNT || (perm & ~RMP_PERM_ALL) || operand >> RMPADJUST_RESERVED_SHIFT) {
        *status = RMP_FAIL_INPUT;
        return RMP_OK;
    }
    /* No VMPL changes its own or a higher one's rights, nor grants what it lacks. 15.36.7. */
    if (target <= vmpl || (perm & ~rmp->entry[page].perm[vmpl])) {
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

const char *rmp_result_text(enum rmp_result result)
{
    static const char *const text[] = {
        [RMP_OK] = "allowed",
        [RMP_CIPHERTEXT] = "reads ciphertext",
        [RMP_NPF_NOT_ASSIGNED] = "private access to a page that is the hypervisor's",
        [RMP_NPF_ASSIGNED] = "shared write to a page that is the guest's",
        [RMP_NPF_IMMUTABLE] = "access to an immutable page",
        [RMP_NPF_SIZE] = "4 KiB operation on a 2 MiB entry",
        [RMP_VC_NOT_VALIDATED] = "access to a page that is not validated",
        [RMP_NPF_VMPL] = "access that the VMPL's permissions forbid",
    };

    return text[result];
}
