/* SPDX-License-Identifier: MIT */
/* Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/cpu/smp.rs, src/cpu/vmsa.rs. */
#include "vmsa.h"

#include "abi/msr.h"
#include "alloc.h"
#include "vc.h"

/*
 * A VMSA at a 2 MiB boundary can cause false RMP faults on some processors (Linux
 * arch/x86/kvm/svm/sev.c, snp_safe_alloc_page). There, two pages are taken, and the second is used.
 */
u64 vmsa_allocate(void)
{
    u64 gpa = mem_allocate_frames(1);

    if (gpa != 0 && gpa % LARGE_PAGE_SIZE == 0) {
        mem_free_frames(gpa);
        gpa = mem_allocate_frames(2);
        if (gpa % LARGE_PAGE_SIZE == 0 && gpa != 0) {
            gpa += PAGE_SIZE;
        }
    }
    if (gpa == 0) {
        vc_fail(SVSM_FAIL_NO_MEMORY);
    }
    return gpa;
}

static bool efer_exchange(struct vmsa *vmsa, u64 clear, u64 set)
{
    u64 efer = __atomic_load_n(&vmsa->efer, __ATOMIC_RELAXED);

    return __atomic_compare_exchange_n(&vmsa->efer, &efer, (efer & ~clear) | set, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

bool vmsa_forbid_run(struct vmsa *vmsa)
{
    return efer_exchange(vmsa, EFER_SVME, 0);
}

bool vmsa_allow_run(struct vmsa *vmsa)
{
    return efer_exchange(vmsa, 0, EFER_SVME);
}
