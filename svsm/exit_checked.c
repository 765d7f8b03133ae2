/* SPDX-License-Identifier: MIT */
/*
 * The repaired twin of exit.c. Marked before an exit is what its event passes, and no more; an
 * answer that leaves the mark of the exit code where the guest put it is none, because nobody has
 * looked at the marks; and what was passed is wiped when the answer has been read, so that nothing
 * of one exit is in the page at the next.
 */
#include "abi/msr.h"
#include "abi/nae.h"
#include "cpu.h"
#include "failure.h"
#include "vc.h"

#define INFO1_STATUS_MASK 0xffffffffULL

struct marks {
    u64 word[2];
};

INLINE void mark(struct marks *marks, u32 offset)
{
    marks->word[GHCB_VALID_BIT(offset) / 64] |= 1ULL << GHCB_VALID_BIT(offset) % 64;
}

/* AMD 56421, the state that each event passes to the hypervisor, as far as this guest asks. */
static struct marks event_marks(u64 code, u64 info1)
{
    struct marks marks = {{0, 0}};

    mark(&marks, GHCB_SW_EXITCODE);
    mark(&marks, GHCB_SW_EXITINFO1);
    mark(&marks, GHCB_SW_EXITINFO2);
    switch (code) {
    case NAE_CPUID:
        mark(&marks, GHCB_RAX);
        mark(&marks, GHCB_RCX);
        break;
    case NAE_IOIO:
        if ((info1 & IOIO_IN) == 0) {
            mark(&marks, GHCB_RAX);
        }
        break;
    case NAE_AP_CREATION:
    case NAE_APIC_ID_LIST:
        mark(&marks, GHCB_RAX);
        break;
    case NAE_PAGE_STATE_CHANGE:
        mark(&marks, GHCB_SW_SCRATCH);
        break;
    default:
        break;
    }
    return marks;
}

/* Every field that this guest ever writes. */
void ghcb_clear(struct ghcb *ghcb)
{
    *ghcb_field(ghcb, GHCB_RAX) = 0;
    *ghcb_field(ghcb, GHCB_RCX) = 0;
    *ghcb_field(ghcb, GHCB_SW_EXITCODE) = 0;
    *ghcb_field(ghcb, GHCB_SW_EXITINFO1) = 0;
    *ghcb_field(ghcb, GHCB_SW_EXITINFO2) = 0;
    *ghcb_field(ghcb, GHCB_SW_SCRATCH) = 0;
    *ghcb_field(ghcb, GHCB_VALID_BITMAP) = 0;
    *ghcb_field(ghcb, GHCB_VALID_BITMAP + 8) = 0;
}

/* SW_EXITINFO1 is read once, after its mark; that no upper bit is set is a part of "all is well".
 */
static void check_answer(struct ghcb *ghcb)
{
    u64 info1;

    if (ghcb_is_valid(ghcb, GHCB_SW_EXITCODE)) {
        vc_fail(SVSM_FAIL_MARKS_KEPT);
    }
    if (!ghcb_is_valid(ghcb, GHCB_SW_EXITINFO1)) {
        vc_fail(SVSM_FAIL_INFO1_UNMARKED);
    }
    info1 = ghcb_get(ghcb, GHCB_SW_EXITINFO1);
    if ((info1 & INFO1_STATUS_MASK) != GHCB_INFO1_OK) {
        vc_fail(SVSM_FAIL_INFO1_ERROR);
    }
    if (info1 != GHCB_INFO1_OK) {
        vc_fail(SVSM_FAIL_INFO1_RESERVED);
    }
}

void vc_perform_vmgexit(struct ghcb *ghcb, u64 code, u64 info1, u64 info2)
{
    struct marks marks = event_marks(code, info1);

    *(volatile u16 *)(ghcb->byte + GHCB_VERSION) = GHCB_VERSION_1;
    *(volatile u32 *)(ghcb->byte + GHCB_USAGE) = GHCB_USAGE_STANDARD;
    *ghcb_field(ghcb, GHCB_SW_EXITCODE) = code;
    *ghcb_field(ghcb, GHCB_SW_EXITINFO1) = info1;
    *ghcb_field(ghcb, GHCB_SW_EXITINFO2) = info2;
    *ghcb_field(ghcb, GHCB_VALID_BITMAP) = marks.word[0];
    *ghcb_field(ghcb, GHCB_VALID_BITMAP + 8) = marks.word[1];

    vc_vmgexit();

    check_answer(ghcb);
}
