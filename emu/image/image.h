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

/*
 * One PT_LOAD that lies inside the image's memory. Bytes beyond file_size_bytes are zero. Start
 * and end need not be page aligned: two segments may share a page. What no segment covers
 * between load_gpa and end_gpa is zero.
 */
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

/*
 * The first vCPU's start state, from the info GUID entry: 64-bit mode with four-level paging.
 * RIP, GDT and IDT are guest virtual; RIP is the flat image's first byte (load_gpa + gva_offset),
 * the tables lie inside it. CR3 is as it goes into the register, C-bit and all; its page lies
 * inside the flat image.
 */
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

    struct symbol_table *symbols; /* private to symbol.c */
    struct image_file *file;      /* private to this room: keeps segment bytes and names alive */
};

/* Bounds on what a file may ask for; a larger request is refused with a message. */
#define IMAGE_MEMORY_MAX (4ULL << 30)
#define IMAGE_FILE_MAX (256u << 20)
#define IMAGE_HEADER_MAX 1024u /* program headers */
#define IMAGE_SYMBOL_MAX 1000000u
#define IMAGE_SYMBOL_NAME_MAX 4096u

/*
 * Open `path`, check everything, and hand out a new image. Returns 0, SNPEMU_ERR_INPUT (with
 * file, place and remedy in `error`), SNPEMU_ERR_IO or SNPEMU_ERR_MEMORY. The caller closes it.
 */
int image_open(struct image **image, const char *path, struct error *error);

/* The same for bytes in memory, which are copied; `path` is the name used in messages. */
int image_open_bytes(struct image **image, const char *path, const void *bytes, size_t size_bytes,
                     struct error *error);
/*
 * Any program that is linked as one flat image, such as the ELF file from which firmware was made:
 * for its symbols and segments. No GUID tables are asked for, nothing says where it is loaded, and
 * a segment's gpa is its distance from the first one.
 */
int image_open_program(struct image **image, const char *path, struct error *error);
void image_close(struct image *image); /* takes NULL */

/*
 * The function or object that contains `gva`: name and distance from its start. NULL when no
 * symbol covers it. Of several that cover it the one that starts last wins; where several start
 * at one address: FUNC before OBJECT before NOTYPE, then global before weak before local, then by
 * name, so that the choice does not depend on file order. Zero-sized symbols (assembly labels)
 * reach up to the next symbol of the same section or its end, and are asked only where no sized
 * symbol covers the address; zero-sized absolute symbols cover nothing. `offset` may be NULL. The
 * name is as its language writes it (Rust's and C++'s are demangled), and lives as long as the
 * image.
 */
const char *image_symbol_at(const struct image *image, uint64_t gva, uint64_t *offset);

/*
 * The address of a symbol by exact name, else of an item of Rust or C++ by the end of its path
 * ("ITEM", "module::ITEM"); false when there is none. Of several (static functions of different
 * files) a global one wins over a weak and a local one, then FUNC, OBJECT, NOTYPE, then the lowest
 * address. `gva` and `size_bytes` may be NULL.
 */
bool image_symbol_find(const struct image *image, const char *name, uint64_t *gva,
                       uint64_t *size_bytes);

/* The name of symbol number i, by address; NULL after the last. */
const char *image_symbol_name(const struct image *image, size_t i);

/*
 * The line of source that the instruction at `gva` was made from, as the image's DWARF has it;
 * false without. `file` is without its directories, and lives as long as the image.
 */
bool image_line_at(const struct image *image, uint64_t gva, const char **file, unsigned *line);

#endif
