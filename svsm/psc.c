/* SPDX-License-Identifier: MIT */
/*
 * Page state changes: entries are built in a private copy, and psc_exits has the hypervisor carry
 * them out. Pages leave the RMP before, and enter it after.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/cpu/vc.rs, perform_page_state_change.
 */
#include "psc.h"
#include "abi/nae.h"
#include "cpu.h"
#include "vc.h"

/* Everything below the operation: the page counter that a host may leave in 11:0 as well. */
#define PSC_ADDRESS_MASK ((1ULL << PSC_OP_SHIFT) - 1)

static u32 pvalidate_small_pages(u64 va, u32 validate)
{
    u64 end = add_checked(va, LARGE_PAGE_SIZE);
    u32 result = RMP_SUCCESS;

    for (; va < end && result == RMP_SUCCESS; va += PAGE_SIZE) {
        result = pvalidate(va, RMP_SIZE_4K, validate);
    }
    return result;
}

static void pvalidate_psc_entries(const struct psc *psc, u32 validate)
{
    for (u32 i = psc->cur_entry; i <= psc->end_entry; i++) {
        u64 va = gpa_to_va(psc->entry[i] & PSC_ADDRESS_MASK);
        u32 size = (psc->entry[i] & PSC_PAGE_SIZE_2M) != 0 ? RMP_SIZE_2M : RMP_SIZE_4K;
        u32 result = pvalidate(va, size, validate);

        if (result == RMP_FAIL_SIZEMISMATCH && size == RMP_SIZE_2M) {
            result = pvalidate_small_pages(va, validate);
        }
        if (result != RMP_SUCCESS) {
            vc_fail(result == PVALIDATE_UNCHANGED ? SVSM_FAIL_PVALIDATE_UNCHANGED
                                                  : SVSM_FAIL_PVALIDATE);
        }
    }
}

/* As many entries as fit, as large as alignment allows; returns where the next batch begins. */
static u64 build_psc_entries(struct psc *psc, u64 begin, u64 end, u64 operation)
{
    u64 gpa = begin;

    for (u16 i = 0; gpa < end && i < PSC_ENTRY_MAX; i++) {
        if (gpa % LARGE_PAGE_SIZE == 0 && end - gpa >= LARGE_PAGE_SIZE) {
            psc->entry[i] = gpa | operation << PSC_OP_SHIFT | PSC_PAGE_SIZE_2M;
            gpa += LARGE_PAGE_SIZE;
        } else {
            psc->entry[i] = gpa | operation << PSC_OP_SHIFT;
            gpa += PAGE_SIZE;
        }
        psc->end_entry = i;
    }
    return gpa;
}

static void perform_page_state_change(struct ghcb *ghcb, u64 begin, u64 end, u64 operation)
{
    struct psc psc;
    u64 gpa = begin;

    memset(&psc, 0, sizeof(psc));
    while (gpa < end) {
        psc.cur_entry = 0;
        gpa = build_psc_entries(&psc, gpa, end, operation);
        if (operation == PSC_OP_SHARED) {
            pvalidate_psc_entries(&psc, PVALIDATE_RESCIND);
        }
        psc_exits(ghcb, &psc);
        if (operation == PSC_OP_PRIVATE) {
            pvalidate_psc_entries(&psc, PVALIDATE_VALIDATE);
        }
    }
}

void vc_make_pages_shared(u64 begin, u64 end)
{
    perform_page_state_change(vc_get_ghcb(), begin, end, PSC_OP_SHARED);
}

void vc_make_pages_private(u64 begin, u64 end)
{
    perform_page_state_change(vc_get_ghcb(), begin, end, PSC_OP_PRIVATE);
}

/* Before there is per-CPU data. */
void vc_early_make_pages_private(u64 begin, u64 end)
{
    perform_page_state_change((struct ghcb *)early_ghcb, begin, end, PSC_OP_PRIVATE);
}
