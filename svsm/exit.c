/* SPDX-License-Identifier: MIT */
/*
 * Exits by the page protocol, as published: what is in the page stays there but for the marks, and
 * what was marked before the exit may be taken for an answer after it.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/cpu/vc.rs, src/mem/ghcb.rs.
 */
#include "abi/msr.h"
#include "cpu.h"
#include "vc.h"

/* Forget the exit code and all marks; everything else keeps its old bytes. */
void ghcb_clear(struct ghcb *ghcb)
{
    *ghcb_field(ghcb, GHCB_SW_EXITCODE) = 0;
    *ghcb_field(ghcb, GHCB_VALID_BITMAP) = 0;
    *ghcb_field(ghcb, GHCB_VALID_BITMAP + 8) = 0;
}

/*
 * One exit by the page protocol. The caller has stored and marked its inputs, and looks at the
 * answer's other fields. SW_EXITINFO1 is read twice: its mark, then its value.
 */
void vc_perform_vmgexit(struct ghcb *ghcb, u64 code, u64 info1, u64 info2)
{
    *(volatile u16 *)(ghcb->byte + GHCB_VERSION) = GHCB_VERSION_1;
    *(volatile u32 *)(ghcb->byte + GHCB_USAGE) = GHCB_USAGE_STANDARD;
    ghcb_set(ghcb, GHCB_SW_EXITCODE, code);
    ghcb_set(ghcb, GHCB_SW_EXITINFO1, info1);
    ghcb_set(ghcb, GHCB_SW_EXITINFO2, info2);

    vc_vmgexit();

    if (!ghcb_is_valid(ghcb, GHCB_SW_EXITINFO1)) {
        vc_fail(SVSM_FAIL_INFO1_UNMARKED);
    }
    if ((u32)ghcb_get(ghcb, GHCB_SW_EXITINFO1) != GHCB_INFO1_OK) {
        vc_fail(SVSM_FAIL_INFO1_ERROR);
    }
}
