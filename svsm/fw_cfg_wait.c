/* SPDX-License-Identifier: MIT */
/*
 * Waiting for the device to finish a transfer: as long as it takes, and the device is the
 * hypervisor's.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/mem/fwcfg.rs, perform_dma.
 */
#include "abi/fw_cfg.h"
#include "cpu.h"
#include "fw_cfg.h"

u32 fw_cfg_dma_wait(const volatile u32 *control)
{
    u32 value = __builtin_bswap32(*control);

    while ((value & ~FW_CFG_DMA_ERROR) != 0) {
        cpu_pause();
        value = __builtin_bswap32(*control);
    }
    return value;
}
