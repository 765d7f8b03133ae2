/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of source, from the image's DWARF. Read at the first question: most runs ask none.
 */
#include <elfutils/libdw.h>
#include <gelf.h>
#include <string.h>

#include "image/internal.h"

/* The file's debugging information; NULL when it has none that can be read. */
static Dwarf *line_dwarf(struct image_file *file)
{
    if (!file->dwarf_asked) {
        file->dwarf_asked = true;
        file->dwarf_elf = elf_memory((char *)file->bytes, file->size_bytes);
        file->dwarf = file->dwarf_elf ? dwarf_begin_elf(file->dwarf_elf, DWARF_C_READ, NULL) : NULL;
    }
    return file->dwarf;
}

/* The unit that covers the address. Not every compiler writes the table that says which. */
static Dwarf_Die *line_unit(Dwarf *dwarf, uint64_t gva, Dwarf_Die *die)
{
    Dwarf_Off offset = 0, next;
    size_t header_size;

    if (dwarf_addrdie(dwarf, gva, die)) {
        return die;
    }
    while (dwarf_nextcu(dwarf, offset, &next, &header_size, NULL, NULL, NULL) == 0 &&
           next > offset) {
        if (dwarf_offdie(dwarf, offset + header_size, die) && dwarf_haspc(die, gva) == 1) {
            return die;
        }
        offset = next;
    }
    return NULL;
}

bool image_source_at(const struct image *image, uint64_t gva, const char **path, unsigned *line)
{
    Dwarf *dwarf = line_dwarf(image->file);
    Dwarf_Die die;
    Dwarf_Line *found;
    int number;

    if (!dwarf || !line_unit(dwarf, gva, &die)) {
        return false;
    }
    found = dwarf_getsrc_die(&die, gva);
    *path = found ? dwarf_linesrc(found, NULL, NULL) : NULL;
    if (!*path || dwarf_lineno(found, &number) != 0 || number <= 0) {
        return false;
    }
    *line = (unsigned)number;
    return true;
}

bool image_line_at(const struct image *image, uint64_t gva, const char **file, unsigned *line)
{
    const char *path, *slash;

    if (!image_source_at(image, gva, &path, line)) {
        return false;
    }
    slash = strrchr(path, '/');
    *file = slash ? slash + 1 : path;
    return true;
}

void image_lines_free(struct image_file *file)
{
    dwarf_end(file->dwarf);
    elf_end(file->dwarf_elf);
}
