/* SPDX-License-Identifier: MIT */
/*
 * The repaired twin of ap_wait.c: an end to the waiting, so that a hypervisor that accepts a start
 * and does not carry it out is told, instead of nobody. Without a clock the end is a number of
 * looks, with some time between them: on hardware a millisecond or two. A platform that takes
 * longer to start a CPU wants a larger one.
 */
#include "cpu.h"
#include "smp.h"
#include "vc.h"

#define AP_POLL_MAX (1u << 14)
#define AP_POLL_GAP 256

static void wait_a_little(void)
{
    for (u32 i = 0; i < AP_POLL_GAP; i++) {
        __asm__ volatile("" : : : "memory");
    }
}

void ap_wait(const volatile u32 *state, u32 wanted)
{
    for (u32 i = 0; i < AP_POLL_MAX; i++) {
        if (*state == wanted) {
            return;
        }
        cpu_pause();
        wait_a_little();
    }
    vc_fail(SVSM_FAIL_AP_NOT_STARTED);
}
