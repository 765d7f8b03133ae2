/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of this room share: the ELF file in memory, and the flat image, which is what
 * `objcopy -O binary` would make of it, counted from its first byte. Where that byte goes is known
 * only after the GUID tables at the image's end have been read.
 */
#ifndef SNPEMU_IMAGE_INTERNAL_H
#define SNPEMU_IMAGE_INTERNAL_H

#include "image/image.h"
#include "image/place.h"

#define PLACE_SLOTS 1024
#define PATH_MEMOS 64

struct Elf;
struct Dwarf;
struct Dwarf_CFI_s;
struct image_line;
struct image_function;

struct path_memo {
    const char *path; /* as a unit has it, */
    const void *unit;
    const char *whole; /* and what it became */
};

struct image_file {
    uint8_t *bytes;
    size_t size_bytes;
    struct Elf *elf; /* NULL except while the image is being opened */
    void *demangled; /* demangle.c: a tree of names */
    /* dwarf.c, line.c, function.c: each made at the first question */
    void *paths; /* a tree of those that were made */
    struct path_memo path_memo[PATH_MEMOS];
    bool dwarf_asked, lines_asked, functions_asked;
    struct Elf *dwarf_elf;
    struct Dwarf *dwarf;
    bool eh_frame_asked; /* unwind.c */
    struct Dwarf_CFI_s *eh_frame;
    struct image_line *line;
    size_t line_count;
    struct image_function *function;
    size_t function_count;
    struct image_place place[PLACE_SLOTS]; /* place.c: the latest answers; no symbol: none */
};

/* One PT_LOAD without leading pages that hold nothing but ELF headers. */
struct flat_segment {
    uint64_t gva;
    uint64_t file_size_bytes;
    uint64_t memory_size_bytes; /* > 0 */
    const uint8_t *bytes;
    size_t header; /* index of the program header, for messages */
};

struct flat {
    struct flat_segment *segment; /* ascending, not overlapping, at least one */
    size_t count;
    uint64_t gva;        /* of the first byte, 4 KiB aligned */
    uint64_t size_bytes; /* 4 KiB multiple; gva + size_bytes does not wrap */
};

/* Write "FILE: message" and return SNPEMU_ERR_INPUT. The message is place, fault and remedy. */
int image_refuse(const struct image *image, struct error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

int image_out_of_memory(const struct image *image, struct error *error);

/* elf.c: check the ELF header and open image->file->elf; build the flat image. */
int image_elf_open(struct image *image, struct error *error);
int image_elf_flatten(const struct image *image, struct flat *flat, struct error *error);

/* Copy from the flat image, zeros where no segment has bytes. The caller has checked the range. */
void flat_copy(const struct flat *flat, uint64_t offset, void *to, size_t size_bytes);

/* demangle.c: the name as its language writes it, or `mangled` itself; both live as long as the
 * image. */
const char *image_demangle(struct image_file *file, const char *mangled);
/* True when `mangled` is the item that `path` names, whole or from its end: "b::ITEM". */
bool image_is_item(struct image_file *file, const char *mangled, const char *path);
void image_demangled_free(struct image_file *file);

/* Take `width` bytes, little endian, and advance. */
static inline uint64_t take_le(const uint8_t **at, size_t width)
{
    uint64_t value = 0;

    for (size_t i = 0; i < width; i++) {
        value |= (uint64_t)(*at)[i] << (8 * i);
    }
    *at += width;
    return value;
}

/* An entry that the GUID table must hold exactly once. */
struct guid_row {
    const char *guid; /* lower case, with dashes */
    const char *name;
    uint32_t data_size_bytes;
};

/* Where a GUID table is, and how messages speak of it. */
struct guid_table {
    const char *path;
    const struct flat *flat;
    uint64_t end;         /* of its last entry, the envelope; from the flat image's first byte */
    const char *envelope; /* GUID */
    const char *space;    /* "gva", "gpa": what flat->gva is */
    const char *remedy;   /* where the envelope is missing */
};

/* guid.c: the data of entry rows[i] is at offsets[i] of the flat image. */
int guid_table_read(const struct guid_table *table, const struct guid_row *rows, size_t row_count,
                    uint64_t *offsets, struct error *error);

/* launch.c: fill load_gpa, memory_size_bytes, start and section[] from the GUID tables. */
int image_launch_read(struct image *image, const struct flat *flat, struct error *error);

struct symbol {
    uint64_t gva;
    uint64_t size_bytes;
    uint64_t end;     /* first address that the symbol does not cover */
    const char *name; /* in the file's bytes */
    uint32_t section; /* 0: absolute */
    uint8_t type_rank;
    uint8_t bind_rank;
};

/* symtab.c: the symbols worth knowing, by address and then by rank. The caller frees `*symbol`. */
int symtab_read(const struct image *image, const struct flat *flat, struct symbol **symbol,
                size_t *count, struct error *error);

/* symbol.c: fill image->symbols; an image without a symbol table is a good one. */
int image_symbols_read(struct image *image, const struct flat *flat, struct error *error);
/* dwarf.c: forget what was read. */
void image_dwarf_free(struct image_file *file);
/* line.c: NULL: none is known. */
const struct image_line *image_line_find(const struct image *image, uint64_t gva);
const char *image_file_name(const char *path); /* without its directories */
void image_lines_free(struct image_file *file);
/* function.c: index of the innermost range that covers gva; SIZE_MAX: none does. */
size_t image_function_find(const struct image *image, uint64_t gva);
void image_functions_free(struct image_file *file);
void image_symbols_free(struct symbol_table *table); /* takes NULL */

#endif
