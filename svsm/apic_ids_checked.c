/* SPDX-License-Identifier: MIT */
/*
 * The repaired twin of apic_ids.c. The count is read once and compared with what was lent before
 * anything is allocated for it; then the list is copied into private memory, each ID read once, and
 * judged and used from there. A list that is not one is a termination. The lent pages are cleared
 * when they are the guest's again. The exits are the same.
 */
#include "abi/nae.h"
#include "alloc.h"
#include "pgtable.h"
#include "vc.h"
#include "vector.h"

#define APIC_ID_COUNT_MAX 4096
#define APIC_ID_PAGES_MAX 32 /* the largest block of the allocator */

/*
 * The second answer has to repeat what was passed, so there a mark of the guest's own would say
 * nothing new: what counts is then the list, which is empty unless the hypervisor wrote one.
 */
static u64 apic_id_list_exit(struct ghcb *ghcb, u64 pages, u64 gpa)
{
    u64 answer;

    ghcb_set(ghcb, GHCB_RAX, pages);
    vc_perform_vmgexit(ghcb, NAE_APIC_ID_LIST, gpa, 0);
    if (!ghcb_is_valid(ghcb, GHCB_RAX)) {
        vc_fail(SVSM_FAIL_LIST_UNMARKED);
    }
    answer = ghcb_get(ghcb, GHCB_RAX);
    ghcb_clear(ghcb);
    return answer;
}

static void check_count(u32 count, u64 size_bytes)
{
    if (count == 0) {
        vc_fail(SVSM_FAIL_LIST_EMPTY);
    }
    if (count > APIC_ID_COUNT_MAX) {
        vc_fail(SVSM_FAIL_LIST_COUNT_MAX);
    }
    if (count > (size_bytes - APIC_ID_LIST_HEADER_SIZE) / APIC_ID_LIST_ENTRY_SIZE) {
        vc_fail(SVSM_FAIL_LIST_COUNT_ROOM);
    }
}

/*
 * The snapshot takes a block of the largest order, whatever the list's size: its way there and back
 * leaves the allocator as it was, so other pages lie where they do in the published image.
 */
static const u32 *list_copy(const volatile u32 *from, u32 count)
{
    u64 gpa = mem_allocate_frames(APIC_ID_PAGES_MAX);
    u32 *to;

    if (gpa == 0) {
        vc_fail(SVSM_FAIL_NO_MEMORY);
    }
    to = (u32 *)gpa_to_va(gpa);
    for (u32 i = 0; i < count; i++) {
        to[i] = from[i];
    }
    return to;
}

/* No ID twice, and the BSP's there. Quadratic: 4096 IDs are 8 million comparisons, once. */
static void check_ids(const u32 *id, u32 count, u32 bsp_apic_id)
{
    bool bsp_seen = false;

    for (u32 i = 0; i < count; i++) {
        for (u32 j = 0; j < i; j++) {
            if (id[j] == id[i]) {
                vc_fail(id[i] == bsp_apic_id ? SVSM_FAIL_LIST_BSP_TWICE : SVSM_FAIL_LIST_ID_TWICE);
            }
        }
        bsp_seen |= id[i] == bsp_apic_id;
    }
    if (!bsp_seen) {
        vc_fail(SVSM_FAIL_LIST_BSP_MISSING);
    }
}

static void apic_id_list_read(u64 va, u64 size_bytes, u32 bsp_apic_id, struct id_vector *ids)
{
    const volatile u32 *list = (const volatile u32 *)va;
    u32 count = *list;
    const u32 *id;

    check_count(count, size_bytes);
    id = list_copy(list + APIC_ID_LIST_HEADER_SIZE / sizeof(u32), count);
    check_ids(id, count, bsp_apic_id);

    id_vector_init(ids, count);
    id_vector_push(ids, bsp_apic_id);
    for (u32 i = 0; i < count; i++) {
        if (id[i] != bsp_apic_id) {
            id_vector_push(ids, id[i]);
        }
    }
    mem_free_frames(va_to_gpa((u64)id));
}

void vc_get_apic_ids(u32 bsp_apic_id, struct id_vector *ids)
{
    struct ghcb *ghcb = vc_get_ghcb();
    u64 pages = apic_id_list_exit(ghcb, 0, 0);
    u64 gpa;
    u64 va;

    if (pages == 0) {
        vc_fail(SVSM_FAIL_LIST_PAGES_NONE);
    }
    if (pages > APIC_ID_PAGES_MAX) {
        vc_fail(SVSM_FAIL_LIST_PAGES_MAX);
    }
    gpa = mem_allocate_frames(pages);
    if (gpa == 0) {
        vc_fail(SVSM_FAIL_NO_MEMORY);
    }
    va = gpa_to_va(gpa);
    pgtable_make_pages_shared(va, pages * PAGE_SIZE);
    memset((void *)va, 0, pages * PAGE_SIZE);

    if (apic_id_list_exit(ghcb, pages, gpa) != pages) {
        vc_fail(SVSM_FAIL_LIST_PAGES_CHANGED);
    }
    apic_id_list_read(va, pages * PAGE_SIZE, bsp_apic_id, ids);

    pgtable_make_pages_private(va, pages * PAGE_SIZE);
    memset((void *)va, 0, pages * PAGE_SIZE);
    mem_free_frames(gpa);
}
