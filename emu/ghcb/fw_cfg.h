/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's firmware configuration device with its DMA interface: how firmware gets files from the
 * host. Layouts: abi/fw_cfg.h.
 *
 * Source: QEMU docs/specs/fw_cfg.rst; hw/nvram/fw_cfg.c for what that leaves open.
 */
#ifndef SNPEMU_GHCB_FW_CFG_H
#define SNPEMU_GHCB_FW_CFG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/fw_cfg.h"

struct hypervisor;
struct reply;

#define FW_CFG_FILE_MAX 32       /* QEMU: FW_CFG_FILE_SLOTS_DFLT */
#define FW_CFG_BYTES_MAX 0x10000 /* of all files */
#define FW_CFG_DMA_MAX 0x80000   /* of one transfer; more is `unmodelled` */

/* The files that the scenario gives, in the order of their names: that is the order of keys. */
struct fw_cfg_files {
    struct {
        char name[FW_CFG_NAME_SIZE]; /* NUL-terminated */
        uint32_t offset, size_bytes; /* in `bytes` */
    } file[FW_CFG_FILE_MAX];
    size_t count;
    uint8_t bytes[FW_CFG_BYTES_MAX];
    uint32_t used;
};

/* Registers. */
struct fw_cfg {
    uint16_t key;
    uint32_t offset;
    uint64_t dma_address;
};

/* False when the name is empty, too long or taken, or there is no room. */
bool fw_cfg_add_file(struct fw_cfg_files *files, const char *name, const void *bytes, size_t size);

/*
 * Ports 0x510, 0x511, 0x514 to 0x51B. False when the device has no such access; an access that it
 * has and that is not modelled makes the reply `unmodelled`.
 */
bool fw_cfg_read(struct hypervisor *hypervisor, uint16_t port, unsigned size_bytes, uint32_t *value,
                 struct reply *reply);
bool fw_cfg_write(struct hypervisor *hypervisor, uint16_t port, unsigned size_bytes, uint32_t value,
                  struct reply *reply);

#endif
