/* SPDX-License-Identifier: MIT */
/*
 * The published exchange with the hypervisor: the batch goes to the GHCB's buffer and is copied
 * back after every exit. What came back is used for PVALIDATE, so the hypervisor has a say in which
 * pages are validated; and a hypervisor that makes no progress is asked for ever.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/cpu/vc.rs, perform_page_state_change.
 */
#include "psc.h"
#include "vc.h"

/* Header and entries, 8 bytes at a time, each read or written once. */
static void psc_to_ghcb(struct ghcb *ghcb, const struct psc *psc, u32 words)
{
    const u64 *from = (const u64 *)psc;

    for (u32 i = 0; i < words; i++) {
        *ghcb_field(ghcb, GHCB_SHARED_BUFFER + i * 8) = from[i];
    }
    ghcb_set(ghcb, GHCB_SW_SCRATCH, va_to_gpa((u64)(ghcb->byte + GHCB_SHARED_BUFFER)));
}

static void psc_from_ghcb(struct psc *psc, struct ghcb *ghcb, u32 words)
{
    u64 *to = (u64 *)psc;

    for (u32 i = 0; i < words; i++) {
        to[i] = *ghcb_field(ghcb, GHCB_SHARED_BUFFER + i * 8);
    }
}

/*
 * Exit until the hypervisor says it has done the last entry. SW_SCRATCH is marked once, before
 * the first exit only: a host that clears marks and stops half way finds it unmarked.
 */
void psc_exits(struct ghcb *ghcb, struct psc *psc)
{
    u16 last = psc->end_entry;
    u32 words = 1 + last + 1u;

    ghcb_clear(ghcb);
    psc_to_ghcb(ghcb, psc, words);
    while (psc->cur_entry <= last) {
        vc_perform_vmgexit(ghcb, NAE_PAGE_STATE_CHANGE, 0, 0);
        if (!ghcb_is_valid(ghcb, GHCB_SW_EXITINFO2)) {
            vc_fail(SVSM_FAIL_PSC_UNMARKED);
        }
        if (ghcb_get(ghcb, GHCB_SW_EXITINFO2) != 0) {
            vc_fail(SVSM_FAIL_PSC_REFUSED);
        }
        psc_from_ghcb(psc, ghcb, words);
    }
    psc->cur_entry = 0;
    psc->end_entry = last;
}
