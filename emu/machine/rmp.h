/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reverse map table: who owns a page, whether the guest has validated it, and what each VMPL
 * may do with it.
 *
 * Source: AMD APM Vol 2 (24593) 15.36.3 to 15.36.10. One guest is modelled, so "assigned" stands
 * for "assigned to this guest's ASID at this GPA".
 */
#ifndef SNPEMU_MACHINE_RMP_H
#define SNPEMU_MACHINE_RMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/rmp.h"
#include "abi/x86.h"
#include "error.h"

enum rmp_flag {
    RMP_ASSIGNED = 1,
    RMP_VALIDATED = 2,
    RMP_VMSA = 4,
    RMP_IMMUTABLE = 8,
    RMP_LARGE = 16, /* part of a 2 MiB entry */
};

struct rmp_entry {
    uint8_t flags; /* enum rmp_flag */
    uint8_t perm[VMPL_COUNT];
    uint8_t reserved[3];
};

struct rmp {
    struct rmp_entry *entry; /* one for each page of memory */
    uint32_t page_count;     /* a multiple of 512 */
    /* 2 MiB regions with a changed entry since the snapshot; only while one is kept. */
    bool tracking;
    uint8_t *region_dirty;
};

enum rmp_access {
    RMP_READ,
    RMP_WRITE,
    RMP_FETCH,
    RMP_WALK, /* page-table access, the update of A and D bits included */
};

/* What an access meets. In the order of their priority: APM Vol 2 15.36.10. */
enum rmp_result {
    RMP_OK,
    RMP_CIPHERTEXT,       /* a shared read of an assigned page: allowed, reads noise */
    RMP_NPF_NOT_ASSIGNED, /* private access, the page is the hypervisor's */
    RMP_NPF_ASSIGNED,     /* shared write, the page is the guest's */
    RMP_NPF_IMMUTABLE,
    RMP_NPF_SIZE,         /* 4 KiB operation on a 2 MiB entry: the host splits it */
    RMP_VC_NOT_VALIDATED, /* #VC 0x404 */
    RMP_NPF_VMPL,
};

int rmp_init(struct rmp *rmp, uint32_t page_count, struct error *error);
void rmp_release(struct rmp *rmp);

/* Data access by the guest. `user` is CPL 3 and matters for fetches alone. */
enum rmp_result rmp_check(const struct rmp *rmp, uint32_t page, enum rmp_access access,
                          bool private_access, unsigned vmpl, bool user);

/*
 * RMPUPDATE. `large` makes one 2 MiB entry; page must then be a multiple of 512. Assigning an
 * assigned page changes nothing (KVM: it is private already). Un-assigning a part of a 2 MiB entry
 * splits it first. Both return true if the page's owner changed.
 */
bool rmp_assign(struct rmp *rmp, uint32_t page, bool large);
bool rmp_unassign(struct rmp *rmp, uint32_t page);
/* PSMASH: one 2 MiB entry becomes 512 of 4 KiB, all else kept. APM Vol 2 15.36.11. */
void rmp_psmash(struct rmp *rmp, uint32_t page);
/* Launch: private and validated, VMPL0 everything, as 4 KiB. */
void rmp_launch(struct rmp *rmp, uint32_t page);

/*
 * PVALIDATE and RMPADJUST on pages that passed their address translation. They return a result of
 * rmp_check to be turned into a nested fault or #VC, or RMP_OK with *status = RMP_SUCCESS or
 * RMP_FAIL_*. A large operation's page must be a multiple of 512.
 */
enum rmp_result rmp_validate(struct rmp *rmp, uint32_t page, bool large, bool validate,
                             unsigned *status, bool *unchanged);
enum rmp_result rmp_adjust(struct rmp *rmp, uint32_t page, bool large, unsigned vmpl,
                           uint64_t operand, unsigned *status);

/* "the page is not assigned to the guest", ... for outcomes and events. */
const char *rmp_result_text(enum rmp_result result);

#endif
