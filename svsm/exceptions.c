/* SPDX-License-Identifier: MIT */
/*
 * What becomes of an exception: a panic, or for #VC the request to terminate.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/cpu/idt.rs, src/cpu/vc.rs,
 * vc_handler.
 */
#include "alloc.h"
#include "idt.h"
#include "vc.h"

/* What the published handler first asks the heap for, to print into. */
#define VC_MESSAGE_SIZE 76

void exceptions_init(void)
{
}

_Noreturn void df_handler(u64 rip, u64 error_code)
{
    (void)error_code;
    panic_hex("#DF at RIP ", rip, " with error code ", 0);
}

_Noreturn void gp_handler(u64 rip, u64 error_code)
{
    panic_hex("#GP at RIP ", rip, " with error code ", error_code);
}

_Noreturn void pf_handler(u64 rip, u64 error_code)
{
    panic_hex("#PF at RIP ", rip, " with error code ", error_code);
}

/*
 * No #VC is expected. The message is formatted on the heap before the request to terminate: a #VC
 * while the heap is not ready, or is locked, panics instead.
 */
_Noreturn void vc_handler(u64 rip, u64 error_code)
{
    (void)rip;
    (void)error_code;
    mem_allocate(VC_MESSAGE_SIZE);
    vc_fail(SVSM_FAIL_VC);
}
