/* SPDX-License-Identifier: MIT */
/*
 * The repaired twin of apic_ids.c: the list is copied out of shared memory once, its count is
 * compared with what the lent pages hold, and a list that is not one is a termination: a wrong
 * page count, the BSP's ID missing, any ID twice. The exits are the same.
 */
#include "abi/nae.h"
#include "alloc.h"
#include "pgtable.h"
#include "vc.h"
#include "vector.h"

#define APIC_ID_COUNT_MAX 4096
#define APIC_ID_PAGES_MAX 32 /* the largest block of the allocator */

static u64 apic_id_list_exit(struct ghcb *ghcb, u64 pages, u64 gpa)
{
    u64 answer;

    ghcb_set(ghcb, GHCB_RAX, pages);
    vc_perform_vmgexit(ghcb, NAE_APIC_ID_LIST, gpa, 0);
    if (!ghcb_is_valid(ghcb, GHCB_RAX)) {
        vc_terminate_svsm_resp_invalid();
    }
    answer = ghcb_get(ghcb, GHCB_RAX);
    ghcb_clear(ghcb);
    return answer;
}

static bool id_is_in(const struct id_vector *ids, u32 id)
{
    for (u64 i = 0; i < ids->length; i++) {
        if (ids->id[i] == id) {
            return true;
        }
    }
    return false;
}

/* The BSP's ID is there from the start; in the list it is the one that may come again, once. */
static void apic_id_list_read(const volatile u32 *list, u64 size_bytes, u32 bsp_apic_id,
                              struct id_vector *ids)
{
    u64 room = (size_bytes - APIC_ID_LIST_HEADER_SIZE) / APIC_ID_LIST_ENTRY_SIZE;
    u32 count = list[0];
    bool bsp_seen = false;

    if (count == 0 || count > APIC_ID_COUNT_MAX || count > room) {
        vc_terminate_svsm_resp_invalid();
    }
    id_vector_init(ids, count);
    id_vector_push(ids, bsp_apic_id);
    for (u32 i = 0; i < count; i++) {
        u32 id = list[1 + i];

        if (id == bsp_apic_id && !bsp_seen) {
            bsp_seen = true;
        } else if (ids->length < count && !id_is_in(ids, id)) {
            id_vector_push(ids, id);
        } else {
            vc_terminate_svsm_resp_invalid();
        }
    }
    if (!bsp_seen) {
        vc_terminate_svsm_resp_invalid();
    }
}

void vc_get_apic_ids(u32 bsp_apic_id, struct id_vector *ids)
{
    struct ghcb *ghcb = vc_get_ghcb();
    u64 pages = apic_id_list_exit(ghcb, 0, 0);
    u64 gpa;
    u64 va;

    if (pages == 0) {
        vc_terminate_svsm_resp_invalid();
    }
    gpa = pages > APIC_ID_PAGES_MAX ? 0 : mem_allocate_frames(pages);
    if (gpa == 0) {
        vc_terminate_svsm_enomem();
    }
    va = gpa_to_va(gpa);
    pgtable_make_pages_shared(va, pages * PAGE_SIZE);
    memset((void *)va, 0, pages * PAGE_SIZE);

    if (apic_id_list_exit(ghcb, pages, gpa) != pages) {
        vc_terminate_svsm_resp_invalid();
    }
    apic_id_list_read((const volatile u32 *)va, pages * PAGE_SIZE, bsp_apic_id, ids);

    pgtable_make_pages_private(va, pages * PAGE_SIZE);
    mem_free_frames(gpa);
}
