/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A firmware image: the flat bytes that end at 4 GiB, in which the guest of an SVSM starts, with
 * the list of pages that they want from the launcher. Layouts: abi/firmware.h.
 *
 * Everything in the file is hostile input, as for an SVSM image.
 */
#ifndef SNPEMU_IMAGE_FIRMWARE_H
#define SNPEMU_IMAGE_FIRMWARE_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "image/image.h"

#define FIRMWARE_BYTES_MAX (16u << 20)
#define FIRMWARE_SECTION_MAX 32

/* Whole pages below the image; no page is in two sections. */
struct firmware_section {
    uint64_t gpa;
    uint32_t size_bytes; /* > 0 */
    uint32_t type;       /* FIRMWARE_SECTION_*; unknown types are kept as they are */
};

struct firmware {
    char *path; /* as given */
    char *name; /* file name without directory and suffix */
    uint8_t *bytes;
    size_t size_bytes; /* a 4 KiB multiple, > 0 */
    uint64_t gpa;      /* of the first byte */
    struct firmware_section section[FIRMWARE_SECTION_MAX];
    size_t section_count;
    struct image *program; /* for symbols: NAME.elf beside NAME.bin or NAME.fd; NULL: none */
};

/*
 * Open `path` and check everything that a launcher relies on. What the SVSM alone needs, such as a
 * calling area, may be missing: that is for the SVSM to find out. Returns 0, SNPEMU_ERR_INPUT,
 * SNPEMU_ERR_IO or SNPEMU_ERR_MEMORY. The caller closes it.
 */
int firmware_open(struct firmware **firmware, const char *path, struct error *error);
/* The same for bytes in memory, which are copied; `path` is the name used in messages. */
int firmware_open_bytes(struct firmware **firmware, const char *path, const void *bytes,
                        size_t size_bytes, struct error *error);
void firmware_close(struct firmware *firmware); /* takes NULL */

#endif
