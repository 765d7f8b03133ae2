/* SPDX-License-Identifier: MIT */
/*
 * QEMU's firmware configuration device, as x86 guests see it. Numbers in memory are big endian
 * unless they say otherwise.
 *
 * Source: QEMU docs/specs/fw_cfg.rst.
 */
#ifndef SNPEMU_ABI_FW_CFG_H
#define SNPEMU_ABI_FW_CFG_H

#define FW_CFG_PORT_SELECTOR 0x510 /* 16 bits, little endian */
#define FW_CFG_PORT_DATA 0x511
#define FW_CFG_PORT_DMA_HIGH 0x514 /* 32 bits each, big endian; writing the low half starts */
#define FW_CFG_PORT_DMA_LOW 0x518
#define FW_CFG_PORT_DMA_END 0x51C

#define FW_CFG_SIGNATURE 0x0000
#define FW_CFG_ID 0x0001 /* little endian */
#define FW_CFG_NB_CPUS 0x0005
#define FW_CFG_MAX_CPUS 0x000F
#define FW_CFG_FILE_DIR 0x0019
#define FW_CFG_FILE_FIRST 0x0020
#define FW_CFG_WRITE_CHANNEL 0x4000
#define FW_CFG_ARCH_LOCAL 0x8000
#define FW_CFG_KEY_MASK 0x3FFF

#define FW_CFG_ID_TRADITIONAL 0x1
#define FW_CFG_ID_DMA 0x2

/* The directory: u32 count, then entries of u32 size, u16 key, u16 reserved, name[56]. */
#define FW_CFG_DIR_HEADER_SIZE 4
#define FW_CFG_DIR_ENTRY_SIZE 64
#define FW_CFG_NAME_SIZE 56

/* The DMA descriptor: u32 control, u32 length, u64 address. */
#define FW_CFG_DMA_SIZE 16
#define FW_CFG_DMA_ERROR 0x01u
#define FW_CFG_DMA_READ 0x02u
#define FW_CFG_DMA_SKIP 0x04u
#define FW_CFG_DMA_SELECT 0x08u /* the key is in 31:16 */
#define FW_CFG_DMA_WRITE 0x10u

#endif
