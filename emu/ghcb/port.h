/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Port I/O devices: one row each. A port without a device is `unmodelled`.
 */
#ifndef SNPEMU_GHCB_PORT_H
#define SNPEMU_GHCB_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ghcb/hypervisor.h"
#include "ghcb/reply.h"

/* One access of 1, 2 or 4 bytes. */
struct port_access {
    struct hypervisor *hypervisor;
    struct reply *reply;
    uint16_t port;
    uint8_t size_bytes;
    uint32_t value;
};

struct port_row {
    const char *name;
    uint16_t first, last;
    const char *source;
    /* False when the device has no such access. */
    bool (*read)(struct port_access *access);
    bool (*write)(struct port_access *access);
};

extern const struct port_row port_rows[];
extern const size_t port_row_count;

/* False, with the reply made `unmodelled`, when no device answers. */
bool port_read(struct port_access *access);
bool port_write(struct port_access *access);

#endif
