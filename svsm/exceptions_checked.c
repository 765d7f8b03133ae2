/* SPDX-License-Identifier: MIT */
/*
 * The repaired twin of exceptions.c: nothing that could itself fail comes before the request to
 * terminate, and the double fault has a stack from the start, not only since tss_init.
 */
#include "idt.h"
#include "tss.h"
#include "vc.h"

#define EARLY_STACK_SIZE 1024

static struct tss EARLY_TSS;
static u8 EARLY_STACK[EARLY_STACK_SIZE] __attribute__((aligned(16)));

void exceptions_init(void)
{
    EARLY_TSS.io_map_base = sizeof(EARLY_TSS);
    EARLY_TSS.ist[0] = (u64)(EARLY_STACK + EARLY_STACK_SIZE);
    tss_load(&EARLY_TSS);
}

_Noreturn void df_handler(u64 rip, u64 error_code)
{
    (void)rip;
    (void)error_code;
    vc_fail(SVSM_FAIL_DF);
}

_Noreturn void gp_handler(u64 rip, u64 error_code)
{
    (void)rip;
    (void)error_code;
    vc_fail(SVSM_FAIL_GP);
}

_Noreturn void pf_handler(u64 rip, u64 error_code)
{
    (void)rip;
    (void)error_code;
    vc_fail(SVSM_FAIL_PF);
}

_Noreturn void vc_handler(u64 rip, u64 error_code)
{
    (void)rip;
    (void)error_code;
    vc_fail(SVSM_FAIL_VC);
}
