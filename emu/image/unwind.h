/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a function to the one that called it, by the image's call frame information (.debug_frame or
 * .eh_frame). Stack and image are hostile: nothing is read but through `read`, and each step ends.
 *
 * Source: DWARF 5, chapter 6.4; System V ABI, AMD64 supplement, figure 3.36 (register numbers).
 */
#ifndef SNPEMU_IMAGE_UNWIND_H
#define SNPEMU_IMAGE_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNWIND_REGISTERS 17 /* RAX RDX RCX RBX RSI RDI RBP RSP R8...R15, return address */
#define UNWIND_RBP 6
#define UNWIND_RSP 7
#define UNWIND_RIP 16

struct image;

struct unwind_registers {
    uint64_t value[UNWIND_REGISTERS];
    uint32_t known; /* a bit for each */
};

/* Eight bytes of the guest's memory; false: there are none. */
typedef bool unwind_read(void *context, uint64_t gva, uint64_t *value);

/*
 * From the function that is at `gva` to its caller, where registers become what they are after the
 * call. `gva` is RIP, or, in a caller, an address inside the call. False when the image does not
 * say, or says nonsense; then nothing has changed.
 */
bool image_unwind(const struct image *image, uint64_t gva, struct unwind_registers *registers,
                  unwind_read *read, void *context);

#endif
