/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to the files of this room that read DWARF: dwarf.c, line.c, function.c, unwind.c.
 */
#ifndef SNPEMU_IMAGE_DWARF_H
#define SNPEMU_IMAGE_DWARF_H

#include <dwarf.h>
#include <elfutils/libdw.h>

#include "image/internal.h"

#define DWARF_ENTRIES_MAX 8000000u /* that are looked at in one image: a file may say "again" */
#define DWARF_DEPTH_MAX 128u
#define DWARF_RANGES_MAX 100000u /* of one entry */

/* The file's debugging information; NULL when it has none that can be read. */
Dwarf *dwarf_of_image(struct image_file *file);

typedef void dwarf_unit_visit(void *context, Dwarf_Die *unit);
/* A path as the unit has it, or NULL, as one that can be opened: behind the directory where the
 * compiler ran, if the path is relative and that one is known. Lives as long as the image. */
const char *dwarf_path(struct image_file *file, Dwarf_Die *unit, const char *path);

void dwarf_each_unit(struct image_file *file, dwarf_unit_visit *visit, void *context);

#endif
