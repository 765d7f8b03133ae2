/* SPDX-License-Identifier: MIT */
/*
 * The list of all CPUs, as the hypervisor tells it: first how many pages it needs, then the list,
 * written into pages that the guest shares with it for that purpose.
 *
 * This is the published function, with what it does not check: the count is not compared with what
 * the pages can hold, it is read from shared memory again and again, each ID is read twice, and
 * what is left of the list once it is wrong is a panic. A repaired twin replaces this file alone.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/cpu/vc.rs, vc_get_apic_ids.
 */
#include "abi/nae.h"
#include "alloc.h"
#include "pgtable.h"
#include "vc.h"
#include "vector.h"

#define APIC_ID_COUNT_MAX 4096

/* One call: `pages` lent at `gpa`. The caller finds the answer in RAX, known to be marked. */
static void apic_id_list_exit(struct ghcb *ghcb, u64 pages, u64 gpa)
{
    ghcb_set(ghcb, GHCB_RAX, pages);
    vc_perform_vmgexit(ghcb, NAE_APIC_ID_LIST, gpa, 0);
    if (!ghcb_is_valid(ghcb, GHCB_RAX)) {
        vc_fail(SVSM_FAIL_LIST_UNMARKED);
    }
}

/*
 * The list in shared memory: u32 count, then the IDs. Every `*count` and `*id` below is a read
 * that the hypervisor can answer anew: five of the count, two of each ID, one of the BSP's.
 */
static void apic_id_list_read(u64 va, u32 bsp_apic_id, struct id_vector *ids)
{
    const volatile u32 *count = (const volatile u32 *)va;
    u32 end;
    u32 final;

    if (*count == 0 || *count > APIC_ID_COUNT_MAX) {
        vc_fail(SVSM_FAIL_LIST_COUNT_MAX);
    }
    id_vector_init(ids, *count);

    /* The BSP is always CPU 0. */
    id_vector_push(ids, bsp_apic_id);
    end = *count;
    for (u32 i = 0; i < end; i++) {
        const volatile u32 *id = (const volatile u32 *)(va + APIC_ID_LIST_HEADER_SIZE +
                                                        (u64)i * APIC_ID_LIST_ENTRY_SIZE);

        if (*id != bsp_apic_id) {
            id_vector_push(ids, *id);
        }
    }

    final = *count;
    if (ids->length != final) {
        panic_decimal("assertion failed: `(left == right)` left: ", ids->length,
                      ", right: ", final);
    }
}

/* Out: the IDs, the BSP's first, the others in the hypervisor's order. The caller frees them. */
void vc_get_apic_ids(u32 bsp_apic_id, struct id_vector *ids)
{
    struct ghcb *ghcb = vc_get_ghcb();
    u64 pages;
    u64 gpa;
    u64 va;

    apic_id_list_exit(ghcb, 0, 0);
    pages = ghcb_get(ghcb, GHCB_RAX);
    ghcb_clear(ghcb);

    gpa = mem_allocate_frames(pages);
    if (gpa == 0) {
        vc_fail(SVSM_FAIL_NO_MEMORY);
    }
    va = gpa_to_va(gpa);
    pgtable_make_pages_shared(va, pages * PAGE_SIZE);
    memset((void *)va, 0, pages * PAGE_SIZE);

    apic_id_list_exit(ghcb, pages, gpa);
    if (ghcb_get(ghcb, GHCB_RAX) != pages) {
        vc_fail(SVSM_FAIL_LIST_PAGES_CHANGED);
    }
    ghcb_clear(ghcb);
    apic_id_list_read(va, bsp_apic_id, ids);

    pgtable_make_pages_private(va, pages * PAGE_SIZE);
    mem_free_frames(gpa);
}
