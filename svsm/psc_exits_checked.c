/* SPDX-License-Identifier: MIT */
/*
 * The repaired twin of psc_exits.c: of what comes back only the number of entries done is read,
 * once after each exit, and it has to grow. So there are at most as many exits as entries, and
 * PVALIDATE is given the guest's own list.
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

/* How many entries are done, as the hypervisor says. */
static u16 psc_done(struct ghcb *ghcb)
{
    return *(volatile u16 *)(ghcb->byte + GHCB_SHARED_BUFFER + offsetof(struct psc, cur_entry));
}

/* So that the next exit takes nothing of this one along. */
static void psc_wipe(struct ghcb *ghcb, u32 words)
{
    for (u32 i = 0; i < words; i++) {
        *ghcb_field(ghcb, GHCB_SHARED_BUFFER + i * 8) = 0;
    }
    ghcb_clear(ghcb);
}

void psc_exits(struct ghcb *ghcb, struct psc *psc)
{
    u32 all = psc->end_entry + 1u;
    u32 done = 0;

    ghcb_clear(ghcb);
    while (done < all) {
        u32 now;

        /* All of it again: the buffer is shared. */
        psc->cur_entry = (u16)done;
        psc_to_ghcb(ghcb, psc, 1 + all);
        vc_perform_vmgexit(ghcb, NAE_PAGE_STATE_CHANGE, 0, 0);
        if (!ghcb_is_valid(ghcb, GHCB_SW_EXITINFO2)) {
            vc_fail(SVSM_FAIL_PSC_UNMARKED);
        }
        if (ghcb_get(ghcb, GHCB_SW_EXITINFO2) != 0) {
            vc_fail(SVSM_FAIL_PSC_REFUSED);
        }
        now = psc_done(ghcb);
        if (now <= done || now > all) {
            vc_fail(SVSM_FAIL_PSC_PROGRESS);
        }
        done = now;
    }
    psc_wipe(ghcb, 1 + all);
    psc->cur_entry = 0;
}
