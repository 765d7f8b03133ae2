/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A place in the code: what an address is to a person. Every text that names an address is made of
 * this.
 */
#ifndef SNPEMU_IMAGE_PLACE_H
#define SNPEMU_IMAGE_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_PLACE_FRAMES_MAX 8
#define IMAGE_PLACE_TEXT_MAX 512 /* of a text that image_place_print makes */

struct image;

/* A line of source that an address stands for, and the function whose source it is. */
struct image_frame {
    const char *function; /* as its language writes it; NULL: not known */
    const char *path; /* of the file as the compiler was told it, absolute where that is known */
    const char *file; /* the same without directories */
    unsigned line;
};

/* All strings live as long as the image. */
struct image_place {
    uint64_t gva;
    /* The function or object that covers gva, and how far behind its start gva is: see
       image_symbol_at. NULL: none does. */
    const char *symbol;
    uint64_t offset;
    /*
     * What DWARF says. frame[0] is the line itself. When its function was inlined, frame[1] is the
     * line that called it, and so on; the last is a line of the function that covers gva. 0: the
     * image has no DWARF for it.
     */
    size_t frame_count;
    struct image_frame frame[IMAGE_PLACE_FRAMES_MAX];
};

/* `image` may be NULL: nothing is known. */
void image_place_at(const struct image *image, uint64_t gva, struct image_place *place);

/*
 * "svsm_panic+0x1c at panic.c:77"; inlined "main+0x40 at list.c:12 in list_read, inlined at
 * main.c:9"; without DWARF "svsm_panic+0x1c"; without a symbol "". Returns the length of the whole,
 * as snprintf does.
 */
size_t image_place_print(const struct image_place *place, char *text, size_t size);
/* The part behind " at " alone; "" without DWARF. */
size_t image_place_print_source(const struct image_place *place, char *text, size_t size);

#endif
