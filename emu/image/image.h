/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An SVSM image: an ELF file whose last loaded bytes are GUID tables that say where it wants to
 * be loaded and how its first vCPU starts. Only this room knows libelf.
 *
 * Everything in the file is hostile input: each offset, count and length is checked before use.
 */
#ifndef SNPEMU_IMAGE_H
#define SNPEMU_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define IMAGE_SECTION_MAX 16

/* One PT_LOAD that lies inside the image's memory. Pages beyond file_size_bytes are zero. */
struct image_segment {
    uint64_t gpa;               /* where the first byte goes */
    uint64_t file_size_bytes;   /* bytes present in `bytes` */
    uint64_t memory_size_bytes; /* >= file_size_bytes */
    const uint8_t *bytes;       /* owned by the image */
};

/* A page range that the launch metadata asks the launcher to fill. */
struct image_section {
    uint64_t gpa;
    uint32_t size_bytes;
    uint32_t type; /* SVSM_SECTION_*; unknown types are kept as they are */
};

/* The first vCPU's start state, from the info GUID entry. Addresses are guest virtual. */
struct image_start {
    uint64_t cr0, cr3, cr4, efer, rip;
    uint64_t gdt_base, idt_base;
    uint16_t gdt_limit, idt_limit;
    uint16_t cs_selector;
    uint64_t cs_descriptor; /* as in the GDT */
};

struct image {
    char *path; /* as given */
    char *name; /* file name without directory and ".elf" */

    uint64_t load_gpa;          /* 4 KiB aligned */
    uint64_t memory_size_bytes; /* of the SVSM's whole range, 4 KiB multiple */
    uint64_t end_gpa;           /* first byte after the flat image ("edata"), 4 KiB aligned */
    uint64_t gva_offset;        /* gva = gpa + gva_offset, modulo 2^64 */

    struct image_start start;

    struct image_segment *segment; /* ascending, not overlapping, all inside the memory range */
    size_t segment_count;
    struct image_section section[IMAGE_SECTION_MAX];
    size_t section_count;

    struct image_symbol *symbol; /* private to symbol.c; sorted by address */
    size_t symbol_count;
    void *file; /* private to elf.c: keeps segment bytes alive */
};

/* Bounds on what a file may ask for; a larger request is refused with a message. */
#define IMAGE_MEMORY_MAX (4ULL << 30)
#define IMAGE_SYMBOL_MAX 1000000u

/*
 * Open `path`, check everything, and hand out a new image. Returns 0, SNPEMU_ERR_INPUT (with
 * file, place and remedy in `error`), SNPEMU_ERR_IO or SNPEMU_ERR_MEMORY. The caller closes it.
 */
int image_open(struct image **image, const char *path, struct error *error);
void image_close(struct image *image); /* takes NULL */

/*
 * The function or object that contains `gva`: name and distance from its start. NULL when no
 * symbol covers it. Zero-sized symbols (assembly labels) reach up to the next symbol of the same
 * section. Where several start at one address: FUNC before OBJECT before NOTYPE, then global
 * before local, then by name, so that the choice does not depend on file order.
 */
const char *image_symbol_at(const struct image *image, uint64_t gva, uint64_t *offset);

/* The address of a symbol by exact name; false when there is none. `size_bytes` may be NULL. */
bool image_symbol_find(const struct image *image, const char *name, uint64_t *gva,
                       uint64_t *size_bytes);

#endif
