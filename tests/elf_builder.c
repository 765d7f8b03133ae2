/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "elf_builder.h"

#include <assert.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t envelope_guid[16] = {0xEA, 0x4F, 0x38, 0x81, 0x48, 0xAD, 0xB6, 0x4E,
                                          0xAF, 0x4F, 0x6A, 0xC4, 0x93, 0x16, 0xDF, 0x2B};
static const uint8_t info_guid[16] = {0x12, 0xA6, 0x89, 0xA7, 0x97, 0x05, 0x4B, 0x4C,
                                      0xA4, 0x9F, 0xCB, 0xB1, 0xFE, 0x9D, 0x1D, 0xDD};
static const uint8_t metadata_guid[16] = {0x9B, 0x18, 0x30, 0xBE, 0x44, 0xAB, 0x97, 0x4A,
                                          0x82, 0xDD, 0xEA, 0x81, 0x39, 0x41, 0x04, 0x7E};

void elf_poke(struct elf_file *file, size_t offset, size_t width, uint64_t value)
{
    assert(offset + width <= file->size_bytes);
    for (size_t i = 0; i < width; i++) {
        file->bytes[offset + i] = (uint8_t)(value >> (8 * i));
    }
}

static void put_header(struct elf_file *file)
{
    const Elf64_Ehdr ehdr = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_entry = ELF_BUILDER_GVA,
        .e_phoff = OFFSET_PHDR,
        .e_shoff = OFFSET_SHDR,
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_phentsize = PHDR_SIZE,
        .e_phnum = PHDR_COUNT,
        .e_shentsize = SHDR_SIZE,
        .e_shnum = SECTION_COUNT,
    };

    memcpy(file->bytes, &ehdr, sizeof(ehdr));
}

static void put_program_headers(struct elf_file *file)
{
    const struct {
        uint32_t type;
        uint64_t offset, gva, file_size_bytes, memory_size_bytes;
    } rows[PHDR_COUNT] = {
        [PHDR_INTERP] = {PT_INTERP, OFFSET_TEXT + 0x800, ELF_BUILDER_GVA + 0x800, 0x1C, 0x1C},
        [PHDR_HEADERS] = {PT_LOAD, 0, ELF_BUILDER_GVA - 0x1000, OFFSET_HEADERS_END,
                          OFFSET_HEADERS_END},
        [PHDR_TEXT] = {PT_LOAD, OFFSET_TEXT, ELF_BUILDER_GVA, ELF_BUILDER_TEXT_SIZE,
                       ELF_BUILDER_TEXT_SIZE},
        [PHDR_BSS] = {PT_LOAD, 0, ELF_BUILDER_GVA + ELF_BUILDER_BSS, 0, 0x2000},
        [PHDR_DATA] = {PT_LOAD, OFFSET_DATA, ELF_BUILDER_GVA + ELF_BUILDER_DATA, 0x3000, 0x3000},
        [PHDR_STACK] = {PT_GNU_STACK, 0, 0, 0, 0},
    };

    for (size_t i = 0; i < PHDR_COUNT; i++) {
        const Elf64_Phdr phdr = {
            .p_type = rows[i].type,
            .p_flags = PF_R,
            .p_offset = rows[i].offset,
            .p_vaddr = rows[i].gva,
            .p_paddr = rows[i].gva,
            .p_filesz = rows[i].file_size_bytes,
            .p_memsz = rows[i].memory_size_bytes,
            .p_align = 0x1000,
        };

        memcpy(file->bytes + OFFSET_PHDR_FIELD(i, 0), &phdr, sizeof(phdr));
    }
}

static void put_guid(struct elf_file *file, size_t offset, const uint8_t guid[16])
{
    memcpy(file->bytes + offset, guid, 16);
}

static void put_tables(struct elf_file *file)
{
    const uint32_t types[] = {2, 3, 5};

    put_guid(file, OFFSET_ENVELOPE_GUID, envelope_guid);
    elf_poke(file, OFFSET_ENVELOPE_LENGTH, 2, OFFSET_DATA_END - OFFSET_METADATA_OFFSET);

    put_guid(file, OFFSET_INFO_GUID, info_guid);
    elf_poke(file, OFFSET_INFO_LENGTH, 2, OFFSET_ENVELOPE_LENGTH - OFFSET_INFO);
    elf_poke(file, OFFSET_INFO_GPA, 8, ELF_BUILDER_GPA);
    elf_poke(file, OFFSET_INFO_MEMORY, 8, ELF_BUILDER_MEMORY);
    elf_poke(file, OFFSET_INFO_CR3, 8, ELF_BUILDER_CR3);
    elf_poke(file, OFFSET_INFO_GDT, 8, ELF_BUILDER_GVA + ELF_BUILDER_DATA + 0x10);
    elf_poke(file, OFFSET_INFO_GDT_LIMIT, 2, 0x27);
    elf_poke(file, OFFSET_INFO_IDT, 8, ELF_BUILDER_GVA + ELF_BUILDER_DATA + 0x100);
    elf_poke(file, OFFSET_INFO_IDT_LIMIT, 2, 0xFF);
    elf_poke(file, OFFSET_INFO_CS, 2, 8);
    elf_poke(file, OFFSET_INFO_CS_DESCRIPTOR, 8, 0x00AF9A000000FFFF);
    elf_poke(file, OFFSET_INFO_RIP, 8, ELF_BUILDER_GVA);
    elf_poke(file, OFFSET_INFO_EFER, 8, 0x1D00);
    elf_poke(file, OFFSET_INFO_CR0, 8, 0x80010033);
    elf_poke(file, OFFSET_INFO_CR4, 8, 0x668);

    put_guid(file, OFFSET_METADATA_GUID, metadata_guid);
    elf_poke(file, OFFSET_METADATA_LENGTH, 2, 22);
    elf_poke(file, OFFSET_METADATA_OFFSET, 4, OFFSET_DATA_END - OFFSET_HEADER);
    memcpy(file->bytes + OFFSET_HEADER, "SVSM", 4);
    elf_poke(file, OFFSET_HEADER_LENGTH, 4, 64);
    elf_poke(file, OFFSET_HEADER_VERSION, 4, 1);
    elf_poke(file, OFFSET_HEADER_COUNT, 4, 3);
    for (size_t i = 0; i < 3; i++) {
        elf_poke(file, OFFSET_SECTION_FIELD(i, OFFSET_SECTION_GPA), 8,
                 ELF_BUILDER_GPA + ELF_BUILDER_END + i * 0x1000);
        elf_poke(file, OFFSET_SECTION_FIELD(i, OFFSET_SECTION_SIZE), 4, 0x1000);
        elf_poke(file, OFFSET_SECTION_FIELD(i, OFFSET_SECTION_TYPE), 4, types[i]);
    }
}

static void put_sections(struct elf_file *file, size_t symtab_size_bytes, size_t names_size_bytes)
{
    const Elf64_Shdr shdr[SECTION_COUNT] = {
        [SECTION_TEXT] = {.sh_type = SHT_PROGBITS,
                          .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
                          .sh_addr = ELF_BUILDER_GVA,
                          .sh_offset = OFFSET_TEXT,
                          .sh_size = ELF_BUILDER_TEXT_SIZE},
        [SECTION_BSS] = {.sh_type = SHT_NOBITS,
                         .sh_flags = SHF_ALLOC | SHF_WRITE,
                         .sh_addr = ELF_BUILDER_GVA + ELF_BUILDER_BSS,
                         .sh_offset = OFFSET_DATA,
                         .sh_size = 0x2000},
        [SECTION_DATA] = {.sh_type = SHT_PROGBITS,
                          .sh_flags = SHF_ALLOC | SHF_WRITE,
                          .sh_addr = ELF_BUILDER_GVA + ELF_BUILDER_DATA,
                          .sh_offset = OFFSET_DATA,
                          .sh_size = 0x3000},
        [SECTION_SYMTAB] = {.sh_type = SHT_SYMTAB,
                            .sh_offset = OFFSET_SYMTAB,
                            .sh_size = symtab_size_bytes,
                            .sh_link = SECTION_STRTAB,
                            .sh_addralign = 8,
                            .sh_entsize = sizeof(Elf64_Sym)},
        [SECTION_STRTAB] = {.sh_type = SHT_STRTAB,
                            .sh_offset = OFFSET_SYMTAB + symtab_size_bytes,
                            .sh_size = names_size_bytes},
        [SECTION_COMMENT] = {.sh_type = SHT_PROGBITS, .sh_offset = OFFSET_TEXT, .sh_size = 0x10},
    };

    memcpy(file->bytes + OFFSET_SHDR, shdr, sizeof(shdr));
}

void elf_build(struct elf_file *file, const struct elf_symbol *symbols, size_t count)
{
    size_t symtab_size_bytes = (count + 1) * sizeof(Elf64_Sym);
    size_t names_size_bytes = 1;
    size_t name = 1;

    for (size_t i = 0; i < count; i++) {
        names_size_bytes += strlen(symbols[i].name) + 1;
    }
    file->size_bytes = OFFSET_SYMTAB + symtab_size_bytes + names_size_bytes;
    file->bytes = calloc(1, file->size_bytes);
    if (file->bytes == NULL) {
        abort();
    }
    put_header(file);
    put_program_headers(file);
    memset(file->bytes + OFFSET_TEXT, 0x90, ELF_BUILDER_TEXT_SIZE);
    memset(file->bytes + OFFSET_DATA, 0xDA, 0x100);
    put_tables(file);
    put_sections(file, symtab_size_bytes, names_size_bytes);
    for (size_t i = 0; i < count; i++) {
        const Elf64_Sym sym = {
            .st_name = (Elf64_Word)name,
            .st_info = (unsigned char)ELF64_ST_INFO(symbols[i].bind, symbols[i].type),
            .st_shndx = symbols[i].section,
            .st_value = symbols[i].value,
            .st_size = symbols[i].size_bytes,
        };
        size_t length = strlen(symbols[i].name) + 1;

        memcpy(file->bytes + OFFSET_SYMTAB + (i + 1) * sizeof(sym), &sym, sizeof(sym));
        memcpy(file->bytes + OFFSET_SYMTAB + symtab_size_bytes + name, symbols[i].name, length);
        name += length;
    }
}

void elf_free(struct elf_file *file)
{
    free(file->bytes);
    file->bytes = NULL;
    file->size_bytes = 0;
}
