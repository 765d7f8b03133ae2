/* SPDX-License-Identifier: MIT */
/*
 * A GHCB page for each CPU, shared with the hypervisor before any other CPU runs. Each CPU
 * registers its own.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/mem/ghcb.rs, ghcb_init.
 */
#include "ghcb.h"

#include "alloc.h"
#include "percpu.h"
#include "pgtable.h"
#include "vc.h"

void ghcb_init(void)
{
    for (u64 i = 0; i < CPU_COUNT; i++) {
        u64 gpa = mem_allocate_frames(1);
        u64 va;

        if (gpa == 0) {
            vc_fail(SVSM_FAIL_NO_MEMORY);
        }
        va = gpa_to_va(gpa);
        pgtable_make_pages_shared(va, PAGE_SIZE);
        memset((void *)va, 0, PAGE_SIZE);
        percpu_set_u64(i, PERCPU_GHCB, va);
        if (i == 0) {
            vc_register_ghcb(gpa);
        }
    }
}
