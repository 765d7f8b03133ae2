/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reverse map table: who owns a page, whether the guest has validated it, and what each VMPL
 * may do with it.
 *
 * Source: AMD APM Vol 2 (24593) 15.36.3 to 15.36.11. One guest is modelled. The table is keyed by
 * pages of memory (system pages); a GPA is given by the number of the page that it leads to as long
 * as the host remaps nothing (memory_guest_page). A page's home is the GPA of its own number.
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
    /* Assigned, but not to this guest at the page's home: rmp_owner says to whom and where. */
    RMP_AWAY = 32,
};

#define RMP_ASID_SP 0    /* with RMP_ASSIGNED: the AMD-SP */
#define RMP_ASID_GUEST 1 /* the guest that runs; any other is another guest's */

#define RMP_PERM_PLAIN (RMP_PERM_READ | RMP_PERM_WRITE | RMP_PERM_EXEC_USER | RMP_PERM_EXEC_SUPER)

struct rmp_entry {
    uint8_t flags; /* enum rmp_flag */
    uint8_t perm[VMPL_COUNT];
    uint8_t reserved[3];
};

/* What is said of a page with RMP_AWAY. */
struct rmp_owner {
    uint32_t guest_page;
    uint16_t asid;
    uint16_t reserved;
};

/* Who wants to know which entries change. What they become is for it to look at, later. */
struct rmp_observer {
    void (*touched)(void *context, uint32_t page, uint32_t count); /* they are about to */
    void *context;
};

struct rmp {
    struct rmp_entry *entry; /* one for each page of memory */
    struct rmp_owner *owner; /* the same; zero without RMP_AWAY */
    uint32_t page_count;     /* a multiple of 512 */
    /* 2 MiB regions with a changed entry since the snapshot; only while one is kept. */
    bool tracking;
    uint8_t *region_dirty;
    const struct rmp_observer *observer; /* not owned; NULL: nobody looks */
};

enum rmp_access {
    RMP_READ,
    RMP_WRITE,
    RMP_FETCH,
    RMP_WALK,    /* page-table access, the update of A and D bits included */
    RMP_OPERAND, /* of PVALIDATE and RMPADJUST: whose page it is; the rest is their own business */
};

/* What an access meets. In the order of their priority: APM Vol 2 15.36.10. */
enum rmp_result {
    RMP_OK,
    RMP_CIPHERTEXT,       /* a shared read of an assigned page: allowed, reads noise */
    RMP_NPF_NOT_ASSIGNED, /* private access, the page is the hypervisor's */
    RMP_NPF_ASSIGNED,     /* shared write, the page is the guest's */
    RMP_NPF_OWNER,        /* another guest's, or the AMD-SP's */
    RMP_NPF_GPA,          /* this guest's, but at another GPA */
    RMP_NPF_IMMUTABLE,
    RMP_NPF_SIZE,         /* 4 KiB operation or mapping, 2 MiB entry: the host splits it */
    RMP_VC_NOT_VALIDATED, /* #VC 0x404 */
    RMP_NPF_VMPL,
};

int rmp_init(struct rmp *rmp, uint32_t page_count, struct error *error);
void rmp_release(struct rmp *rmp);

/* A page as a guest physical address leads to it. */
struct rmp_place {
    uint32_t page;       /* of memory */
    uint32_t guest_page; /* the GPA: equal to `page` unless the host remapped */
    bool nested_small;   /* the nested mapping is 4 KiB whatever the entry is; else it follows it */
};

/* Any access by the guest. `user` is CPL 3 and matters for fetches alone. */
enum rmp_result rmp_decide(const struct rmp *rmp, const struct rmp_place *place,
                           enum rmp_access access, bool private_access, unsigned vmpl, bool user);

/*
 * The same. Most accesses are private, to a page of the guest's in its place that is validated and
 * nothing else, at a level that may do everything: no row of the table refuses these. Here because
 * each walk asks five times.
 */
static inline enum rmp_result rmp_check_place(const struct rmp *rmp, const struct rmp_place *place,
                                              enum rmp_access access, bool private_access,
                                              unsigned vmpl, bool user)
{
    const struct rmp_entry *entry = &rmp->entry[place->page];

    if (private_access && (entry->flags & ~RMP_LARGE) == (RMP_ASSIGNED | RMP_VALIDATED) &&
        place->page == place->guest_page && !place->nested_small &&
        (entry->perm[vmpl] & RMP_PERM_PLAIN) == RMP_PERM_PLAIN) {
        return RMP_OK;
    }
    return rmp_decide(rmp, place, access, private_access, vmpl, user);
}
/* The same at the page's home. */
enum rmp_result rmp_check(const struct rmp *rmp, uint32_t page, enum rmp_access access,
                          bool private_access, unsigned vmpl, bool user);

/*
 * RMPUPDATE. `large` makes one 2 MiB entry; page must then be a multiple of 512. Assigning an
 * assigned page changes nothing (KVM: it is private already). Un-assigning a part of a 2 MiB entry
 * splits it first. An immutable page stays as it is. Both return true if all of it changed hands.
 */
bool rmp_assign(struct rmp *rmp, uint32_t page, bool large); /* to this guest, at home */
bool rmp_unassign(struct rmp *rmp, uint32_t page);
/* PSMASH: one 2 MiB entry becomes 512 of 4 KiB, all else kept. APM Vol 2 15.36.11. */
void rmp_psmash(struct rmp *rmp, uint32_t page);
/* Launch: private and validated, VMPL0 everything, as 4 KiB. The AMD-SP does it, asking nobody. */
void rmp_launch(struct rmp *rmp, uint32_t page);
/* What a launched page is to allow another VMPL: SNP_LAUNCH_UPDATE's VMPL1_PERMS and its like. */
void rmp_launch_permit(struct rmp *rmp, uint32_t page, unsigned vmpl, uint8_t perm);

/* The operand of RMPUPDATE. */
struct rmp_state {
    bool assigned, large, immutable;
    uint16_t asid;       /* 0 when not assigned, or for the AMD-SP */
    uint32_t guest_page; /* of a large entry: a multiple of 512 */
};

/*
 * RMPUPDATE as the host may issue it, hostile hosts included: any owner, any GPA, and a page that
 * was validated is not afterwards. Returns RMP_SUCCESS, or RMP_FAIL_* with nothing changed.
 */
unsigned rmp_update(struct rmp *rmp, uint32_t page, const struct rmp_state *state);
/* The AMD-SP lets go of its page: no longer immutable, for the host to take back. */
bool rmp_reclaim(struct rmp *rmp, uint32_t page);

/* Owner and GPA as the entry has them; both 0 when the page is the hypervisor's. */
uint16_t rmp_asid(const struct rmp *rmp, uint32_t page);
uint32_t rmp_guest_page(const struct rmp *rmp, uint32_t page);

/*
 * PVALIDATE and RMPADJUST on pages that passed their address translation. They return a result of
 * rmp_check to be turned into a nested fault or #VC, or RMP_OK with *status = RMP_SUCCESS or
 * RMP_FAIL_*. A large operation's page must be a multiple of 512.
 */
enum rmp_result rmp_validate(struct rmp *rmp, uint32_t page, bool large, bool validate,
                             unsigned *status, bool *unchanged);
enum rmp_result rmp_adjust(struct rmp *rmp, uint32_t page, bool large, unsigned vmpl,
                           uint64_t operand, unsigned *status);

enum rmp_result rmp_validate_place(struct rmp *rmp, const struct rmp_place *place, bool large,
                                   bool validate, unsigned *status, bool *unchanged);
enum rmp_result rmp_adjust_place(struct rmp *rmp, const struct rmp_place *place, bool large,
                                 unsigned vmpl, uint64_t operand, unsigned *status);

/* "the page is not assigned to the guest", ... for outcomes and events. */
const char *rmp_result_text(enum rmp_result result);

#endif
