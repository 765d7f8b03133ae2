/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small good SVSM image for tests, in the shape that linkers give a real one: a page of ELF
 * headers one page below the SVSM, text, zeroed bss inside, data, GUID tables at the very end.
 * Every field has a fixed place in the file, so that a hostile image is the good one and a poke.
 */
#ifndef SNPEMU_TESTS_ELF_BUILDER_H
#define SNPEMU_TESTS_ELF_BUILDER_H

#include <stddef.h>
#include <stdint.h>

#define ELF_BUILDER_GVA 0xFFFF808000000000ULL
#define ELF_BUILDER_GPA 0x8000000000ULL
#define ELF_BUILDER_GVA_OFFSET 0xFFFF800000000000ULL
#define ELF_BUILDER_MEMORY 0x1000000ULL
#define ELF_BUILDER_CR3 (1ULL << 51 | (ELF_BUILDER_GPA + ELF_BUILDER_DATA + 0x1000))

/* Offsets from the image's first byte. */
#define ELF_BUILDER_TEXT_SIZE 0x900ULL
#define ELF_BUILDER_BSS 0x1000ULL
#define ELF_BUILDER_DATA 0x3000ULL
#define ELF_BUILDER_END 0x6000ULL

/* Program headers, by index. */
enum { PHDR_INTERP, PHDR_HEADERS, PHDR_TEXT, PHDR_BSS, PHDR_DATA, PHDR_STACK, PHDR_COUNT };

/* Sections, by index. */
enum {
    SECTION_NULL,
    SECTION_TEXT,
    SECTION_BSS,
    SECTION_DATA,
    SECTION_SYMTAB,
    SECTION_STRTAB,
    SECTION_COMMENT,
    SECTION_COUNT
};

/* File offsets. */
enum {
    OFFSET_EHDR = 0,
    OFFSET_EHDR_TYPE = 16,
    OFFSET_EHDR_MACHINE = 18,
    OFFSET_EHDR_VERSION = 20,
    OFFSET_EHDR_PHOFF = 32,
    OFFSET_EHDR_SHOFF = 40,
    OFFSET_EHDR_PHENTSIZE = 54,
    OFFSET_EHDR_PHNUM = 56,
    OFFSET_EHDR_SHENTSIZE = 58,
    OFFSET_EHDR_SHNUM = 60,

    OFFSET_PHDR = 0x40,
    PHDR_SIZE = 56,
    OFFSET_HEADERS_END = OFFSET_PHDR + PHDR_COUNT * PHDR_SIZE,
    OFFSET_TEXT = 0x1000,
    OFFSET_DATA = 0x2000,
    OFFSET_DATA_END = 0x5000,
    OFFSET_SHDR = 0x5000,
    SHDR_SIZE = 64,
    OFFSET_SYMTAB = 0x5200,

    /* The tables, downwards from the end of .data. */
    OFFSET_ENVELOPE_GUID = OFFSET_DATA_END - 16,
    OFFSET_ENVELOPE_LENGTH = OFFSET_ENVELOPE_GUID - 2,
    OFFSET_INFO_GUID = OFFSET_ENVELOPE_LENGTH - 16,
    OFFSET_INFO_LENGTH = OFFSET_INFO_GUID - 2,
    OFFSET_INFO = OFFSET_INFO_LENGTH - 86,
    OFFSET_INFO_GPA = OFFSET_INFO,
    OFFSET_INFO_MEMORY = OFFSET_INFO + 8,
    OFFSET_INFO_CR3 = OFFSET_INFO + 16,
    OFFSET_INFO_GDT = OFFSET_INFO + 24,
    OFFSET_INFO_GDT_LIMIT = OFFSET_INFO + 32,
    OFFSET_INFO_IDT = OFFSET_INFO + 34,
    OFFSET_INFO_IDT_LIMIT = OFFSET_INFO + 42,
    OFFSET_INFO_CS = OFFSET_INFO + 44,
    OFFSET_INFO_CS_DESCRIPTOR = OFFSET_INFO + 46,
    OFFSET_INFO_RIP = OFFSET_INFO + 54,
    OFFSET_INFO_EFER = OFFSET_INFO + 62,
    OFFSET_INFO_CR0 = OFFSET_INFO + 70,
    OFFSET_INFO_CR4 = OFFSET_INFO + 78,
    OFFSET_METADATA_GUID = OFFSET_INFO - 16,
    OFFSET_METADATA_LENGTH = OFFSET_METADATA_GUID - 2,
    OFFSET_METADATA_OFFSET = OFFSET_METADATA_LENGTH - 4,
    OFFSET_HEADER = OFFSET_METADATA_OFFSET - 64,
    OFFSET_HEADER_LENGTH = OFFSET_HEADER + 4,
    OFFSET_HEADER_VERSION = OFFSET_HEADER + 8,
    OFFSET_HEADER_COUNT = OFFSET_HEADER + 12,
    OFFSET_SECTION = OFFSET_HEADER + 16,
    OFFSET_SECTION_GPA = 0,
    OFFSET_SECTION_SIZE = 8,
    OFFSET_SECTION_TYPE = 12,
    SECTION_SIZE = 16,
};

/* Fields of a program header, added to OFFSET_PHDR + index * PHDR_SIZE. */
enum { P_TYPE = 0, P_OFFSET = 8, P_VADDR = 16, P_FILESZ = 32, P_MEMSZ = 40 };

/* Fields of a section header, added to OFFSET_SHDR + index * SHDR_SIZE. */
enum {
    SH_TYPE = 4,
    SH_FLAGS = 8,
    SH_ADDR = 16,
    SH_OFFSET = 24,
    SH_SIZE = 32,
    SH_LINK = 40,
    SH_ENTSIZE = 56
};

#define OFFSET_PHDR_FIELD(index, field) (OFFSET_PHDR + (index)*PHDR_SIZE + (field))
#define OFFSET_SHDR_FIELD(index, field) (OFFSET_SHDR + (index)*SHDR_SIZE + (field))
#define OFFSET_SECTION_FIELD(index, field) (OFFSET_SECTION + (index)*SECTION_SIZE + (field))

struct elf_symbol {
    const char *name;
    uint64_t value;
    uint64_t size_bytes;
    unsigned char type; /* STT_* */
    unsigned char bind; /* STB_* */
    uint16_t section;
};

struct elf_file {
    uint8_t *bytes;
    size_t size_bytes;
};

/* Build the good image; the symbol table gets a null entry before `symbols`. Aborts without memory.
 */
void elf_build(struct elf_file *file, const struct elf_symbol *symbols, size_t count);
void elf_free(struct elf_file *file);

/* Overwrite `width` bytes, little endian. */
void elf_poke(struct elf_file *file, size_t offset, size_t width, uint64_t value);

#endif
