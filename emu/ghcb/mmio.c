/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/mmio.h"

#include <string.h>

static bool overlap(const struct mmio_device *a, const struct mmio_device *b)
{
    return a->gpa < b->gpa ? b->gpa - a->gpa < a->size_bytes : a->gpa - b->gpa < b->size_bytes;
}

bool mmio_add(struct mmio_devices *devices, const struct mmio_device *device, const void *initial,
              size_t initial_size)
{
    if (devices->count == MMIO_DEVICE_MAX || device->size_bytes == 0 ||
        device->size_bytes > MMIO_BYTES_MAX - devices->used || initial_size > device->size_bytes ||
        device->gpa > UINT64_MAX - device->size_bytes) {
        return false;
    }
    for (size_t i = 0; i < devices->count; i++) {
        if (overlap(device, &devices->device[i])) {
            return false;
        }
    }
    devices->device[devices->count] = *device;
    devices->device[devices->count].offset = devices->used;
    devices->count++;
    memcpy(devices->initial + devices->used, initial, initial_size);
    devices->used += device->size_bytes;
    return true;
}

const struct mmio_device *mmio_find(const struct mmio_devices *devices, uint64_t gpa, uint64_t size)
{
    for (size_t i = 0; i < devices->count; i++) {
        const struct mmio_device *device = &devices->device[i];

        if (gpa >= device->gpa && size <= device->size_bytes &&
            gpa - device->gpa <= device->size_bytes - size) {
            return device;
        }
    }
    return NULL;
}
