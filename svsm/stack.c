/* SPDX-License-Identifier: MIT */
/*
 * Stacks. The block is the next power of two of guard page and stack together; what is left of it
 * stays unused.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/mem/alloc.rs, mem_create_stack.
 */
#include "stack.h"

#include "alloc.h"
#include "pgtable.h"
#include "vc.h"

u64 stack_create(u64 pages)
{
    u64 gpa = mem_allocate_frames(pages + 1);
    u64 guard;

    if (gpa == 0) {
        vc_fail(SVSM_FAIL_NO_MEMORY);
    }
    guard = gpa_to_va(gpa);
    pgtable_make_guard(guard);
    pgtable_make_nx(guard + PAGE_SIZE, pages * PAGE_SIZE);
    return guard + (pages + 1) * PAGE_SIZE;
}
