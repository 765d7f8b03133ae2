/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image's debugging information: opened at the first question, since most runs ask none, and
 * read unit by unit.
 */
#include <gelf.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/dwarf.h"

Dwarf *dwarf_of_image(struct image_file *file)
{
    if (!file->dwarf_asked) {
        file->dwarf_asked = true;
        file->dwarf_elf = elf_memory((char *)file->bytes, file->size_bytes);
        file->dwarf = file->dwarf_elf ? dwarf_begin_elf(file->dwarf_elf, DWARF_C_READ, NULL) : NULL;
    }
    return file->dwarf;
}

void dwarf_each_unit(struct image_file *file, dwarf_unit_visit *visit, void *context)
{
    Dwarf *dwarf = dwarf_of_image(file);
    Dwarf_Off offset = 0, next;
    size_t header_size;

    while (dwarf && dwarf_nextcu(dwarf, offset, &next, &header_size, NULL, NULL, NULL) == 0 &&
           next > offset) {
        Dwarf_Die unit;

        if (dwarf_offdie(dwarf, offset + header_size, &unit)) {
            visit(context, &unit);
        }
        offset = next;
    }
}

static int path_compare(const void *left, const void *right)
{
    return strcmp(left, right);
}

/* The same path for the same file: it is kept once. */
static const char *path_keep(struct image_file *file, char *path)
{
    char *const *found = tsearch(path, &file->paths, path_compare);

    if (!found || *found != path) {
        free(path);
    }
    return found ? *found : NULL;
}

/* Without "dir/..": the same file has one name, whichever way a unit came to it. */
static void path_shorten(char *path)
{
    char *at = path;

    while ((at = strstr(at, "/../")) != NULL) {
        char *before = at;

        while (before > path && before[-1] != '/') {
            before--;
        }
        if (before == at || strncmp(before, "../", 3) == 0) {
            at += 3; /* nothing that could be left out */
            continue;
        }
        memmove(before, at + 4, strlen(at + 4) + 1);
        at = before > path ? before - 1 : path;
    }
}

static const char *path_make(struct image_file *file, Dwarf_Die *unit, const char *path)
{
    Dwarf_Attribute attribute;
    const char *dir = NULL;
    char *whole = NULL;

    while (path[0] == '.' && path[1] == '/') {
        path += 1 + strspn(path + 1, "/");
    }
    if (path[0] != '/' && dwarf_attr(unit, DW_AT_comp_dir, &attribute)) {
        dir = dwarf_formstring(&attribute);
    }
    /* A directory that is relative itself comes from a build that hides where it was. */
    if (!dir || dir[0] != '/') {
        whole = strdup(path);
    } else if (asprintf(&whole, "%s/%s", dir, path) < 0) {
        whole = NULL;
    }
    if (whole) {
        path_shorten(whole);
    }
    return whole ? path_keep(file, whole) : NULL;
}

/* The library gives the same file of the same unit as the same string: most were asked before. */
const char *dwarf_path(struct image_file *file, Dwarf_Die *unit, const char *path)
{
    struct path_memo *memo = &file->path_memo[((uintptr_t)path >> 4) % PATH_MEMOS];

    if (path && (memo->path != path || memo->unit != unit->cu)) {
        *memo = (struct path_memo){path, unit->cu, path_make(file, unit, path)};
    }
    return path ? memo->whole : NULL;
}

void image_dwarf_free(struct image_file *file)
{
    image_lines_free(file);
    image_functions_free(file);
    if (file->eh_frame) {
        dwarf_cfi_end(file->eh_frame);
    }
    dwarf_end(file->dwarf);
    elf_end(file->dwarf_elf);
    tdestroy(file->paths, free);
}
