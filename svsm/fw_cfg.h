/* SPDX-License-Identifier: MIT */
/* The hypervisor's firmware configuration device. Nothing that it says is to be trusted. */
#ifndef SVSM_FW_CFG_H
#define SVSM_FW_CFG_H

#include "svsm.h"

#pragma GCC visibility push(hidden)

/* Reads the directory; does not return when there is no such device. */
void fw_cfg_init(void);
/* Where the firmware is: etc/bios_gpa, etc/bios_size. False when one of the files is missing. */
bool fw_cfg_bios_area(u64 *gpa, u64 *size_bytes);

/* fw_cfg_wait.c: 0, or FW_CFG_DMA_ERROR; other bits when the device was given up. */
u32 fw_cfg_dma_wait(const volatile u32 *control);

#pragma GCC visibility pop

#endif
