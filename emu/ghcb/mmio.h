/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory-mapped devices that a scenario describes: registers that hold what was given or written
 * last.
 */
#ifndef SNPEMU_GHCB_MMIO_H
#define SNPEMU_GHCB_MMIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MMIO_DEVICE_MAX 16
#define MMIO_BYTES_MAX 4096 /* of all devices */

struct mmio_device {
    uint64_t gpa;
    uint32_t size_bytes;
    uint32_t offset; /* of its registers in `initial` and `bytes` */
    bool read_only;  /* writes are ignored */
};

struct mmio_devices {
    struct mmio_device device[MMIO_DEVICE_MAX];
    size_t count;
    uint8_t initial[MMIO_BYTES_MAX];
    uint32_t used;
};

/* Registers as they are now. */
struct mmio {
    uint8_t bytes[MMIO_BYTES_MAX];
};

/*
 * Add a device; `initial` holds the first `initial_size` bytes of its registers, the others are
 * zero. False when there is no room, or it overlaps another.
 */
bool mmio_add(struct mmio_devices *devices, const struct mmio_device *device, const void *initial,
              size_t initial_size);
/* The device that has all of [gpa, gpa + size); NULL when there is none. */
const struct mmio_device *mmio_find(const struct mmio_devices *devices, uint64_t gpa,
                                    uint64_t size);

#endif
