/* SPDX-License-Identifier: MIT */
/*
 * Waiting for a CPU that was started: as long as it takes. There is no clock that the hypervisor
 * does not own, and one that does not run an AP could as well not run the BSP.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/cpu/smp.rs.
 */
#include "cpu.h"
#include "smp.h"

void ap_wait(const volatile u32 *state, u32 wanted)
{
    while (*state != wanted) {
        cpu_pause();
    }
}
