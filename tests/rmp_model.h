/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A second RMP and nested map: the rules of the specification written down as plainly as they can
 * be, page by page, to be compared with machine/rmp.c and machine/machine.c. It shares the
 * interface types of rmp.h and nothing else, and knows nothing of speed.
 *
 * Source: AMD APM Vol 2 (24593) 15.36.3 to 15.36.11; the page states also in amd/AMD-ASPFW,
 * sev_rmp.h (snp_page_state); the order of RMPADJUST's and PVALIDATE's checks also in
 * microsoft/verismo, source/verismo/src/arch/rmp/access_s.rs.
 */
#ifndef SNPEMU_TESTS_RMP_MODEL_H
#define SNPEMU_TESTS_RMP_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "machine/rmp.h"

#define MODEL_PAGES 1024 /* two regions of 2 MiB */

/* Errors that can be planted, to show that the comparison finds them. */
enum model_error {
    MODEL_CORRECT,
    MODEL_REASSIGN_INVALIDATES, /* assigning an assigned page takes its validation */
    MODEL_UNASSIGN_KEEPS_VALID, /* a page given back stays validated */
    MODEL_PSMASH_INVALIDATES,   /* the pieces of a 2 MiB entry are not validated */
    MODEL_RESCIND_DROPS_VMSA,   /* PVALIDATE 0 clears the VMSA bit */
    MODEL_CF_INVERTED,          /* PVALIDATE's CF on a 2 MiB entry */
    MODEL_LARGE_TOUCHES_ONE,    /* a 2 MiB PVALIDATE reaches the first page only */
    MODEL_ADJUST_OWN_VMPL,      /* RMPADJUST of one's own VMPL is allowed */
    MODEL_ADJUST_GRANTS_MORE,   /* ... and so is a permission that the caller lacks */
    MODEL_ADJUST_VMPL1_SETS_VMSA,
    MODEL_ADJUST_VC_AFTER_SIZE,  /* FAIL_SIZEMISMATCH before #VC */
    MODEL_WRITE_WITHOUT_READ,    /* W alone is enough for a store */
    MODEL_FETCH_USER_SUPERVISOR, /* the two execute permissions swapped */
    MODEL_WALK_NEEDS_READ_ONLY,
    MODEL_VMPL_BEFORE_VALIDATED,
    MODEL_SIZE_AFTER_VALIDATED,
    MODEL_ANY_GPA,  /* no reverse-map check */
    MODEL_ANY_ASID, /* no owner check */
    MODEL_SHARED_WRITE_PASSES,
    MODEL_UPDATE_IMMUTABLE, /* RMPUPDATE changes an immutable entry */
    MODEL_UPDATE_KEEPS_VALID,
    MODEL_LAUNCH_KEEPS_NEIGHBOURS, /* launching a part of a 2 MiB entry does not split it */
    MODEL_REMAP_KEEPS_LARGE,       /* remapping a part of a 2 MiB entry does not split it */
    MODEL_SWAP_ONE_WAY,            /* ... and swap is a remap */
    MODEL_MOVED_MAPS_LARGE,        /* a region that is not in one piece is mapped as 2 MiB */
    MODEL_ASSIGN_AT_HOME,          /* page state changes do not follow the nested map */
    MODEL_ERROR_COUNT,
};

struct model_page {
    bool assigned, validated, vmsa, immutable, large;
    unsigned asid;
    uint32_t guest_page;
    unsigned perm[VMPL_COUNT];
};

struct model {
    enum model_error error;
    struct model_page page[MODEL_PAGES];
    uint32_t nested[MODEL_PAGES]; /* page of each guest page */
};

/* What an operation gives back; fields that mean nothing for it, or for its result, are zero. */
struct model_answer {
    enum rmp_result result;
    unsigned status;
    bool flag; /* CF of PVALIDATE; "changed" of the host's operations */
};

void model_init(struct model *model, enum model_error error);

/* The names are those of machine/rmp.h, and so are the meanings. */
struct model_answer model_assign(struct model *model, uint32_t page, bool large);
struct model_answer model_unassign(struct model *model, uint32_t page);
struct model_answer model_psmash(struct model *model, uint32_t page);
struct model_answer model_launch(struct model *model, uint32_t page);
struct model_answer model_update(struct model *model, uint32_t page, const struct rmp_state *state);
struct model_answer model_reclaim(struct model *model, uint32_t page);
/* Names and meanings of machine/machine.h; addresses are numbers of guest pages. */
struct model_answer model_remap(struct model *model, uint32_t a, uint32_t b);
struct model_answer model_swap(struct model *model, uint32_t a, uint32_t b);
struct model_answer model_assign_gpa(struct model *model, uint32_t guest_page, bool large);
struct model_answer model_unassign_gpa(struct model *model, uint32_t guest_page);
/* Where a guest page leads to. */
struct rmp_place model_place(const struct model *model, uint32_t guest_page);

struct model_answer model_validate(struct model *model, const struct rmp_place *place, bool large,
                                   bool validate);
struct model_answer model_adjust(struct model *model, const struct rmp_place *place, bool large,
                                 unsigned vmpl, uint64_t operand);
struct model_answer model_check(const struct model *model, const struct rmp_place *place,
                                enum rmp_access access, bool private_access, unsigned vmpl,
                                bool user);

#endif
