/* SPDX-License-Identifier: MIT */
/*
 * The repaired twin of fw_cfg_wait.c: an end to the waiting. What is not done by then has failed.
 */
#include "abi/fw_cfg.h"
#include "cpu.h"
#include "fw_cfg.h"

/* The device is done when the exit returns; one that works on beside it gets this many looks. */
#define DMA_POLL_MAX 4096

u32 fw_cfg_dma_wait(const volatile u32 *control)
{
    u32 value = __builtin_bswap32(*control);

    for (u32 i = 0; i < DMA_POLL_MAX && (value & ~FW_CFG_DMA_ERROR) != 0; i++) {
        cpu_pause();
        value = __builtin_bswap32(*control);
    }
    return value;
}
