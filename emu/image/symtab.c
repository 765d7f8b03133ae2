/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the ELF symbol table: which of its entries name something in the SVSM's memory, and how
 * far each of them reaches.
 *
 * Source: System V ABI, chapter 4, "Symbol Table".
 */
#include "image/internal.h"

#include <gelf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct section_span {
    uint64_t end;
    bool loaded;
};

/* What is needed while the table is read. */
struct reader {
    const struct image *image;
    Elf_Data *data;
    size_t entry_count;
    const char *names;
    uint64_t names_size_bytes;
    struct section_span *section;
    size_t section_count;
    uint64_t low;  /* symbols are kept whose address lies in [low, high] */
    uint64_t high; /* inclusive: `edata` or the memory's end are good to know by name */
};

static int type_rank(unsigned int type)
{
    switch (type) {
    case STT_FUNC:
    case STT_GNU_IFUNC:
        return 0;
    case STT_OBJECT:
        return 1;
    case STT_NOTYPE:
        return 2;
    default:
        return -1; /* sections, files, thread-local storage */
    }
}

static uint8_t bind_rank(unsigned int bind)
{
    switch (bind) {
    case STB_GLOBAL:
    case STB_GNU_UNIQUE:
        return 0;
    case STB_WEAK:
        return 1;
    case STB_LOCAL:
        return 2;
    default:
        return 3;
    }
}

/* A total order over everything a caller can see, so that the file's order does not matter. */
static int compare_symbols(const void *left, const void *right)
{
    const struct symbol *a = left;
    const struct symbol *b = right;
    int names;

    if (a->gva != b->gva) {
        return a->gva < b->gva ? -1 : 1;
    }
    if (a->type_rank != b->type_rank) {
        return a->type_rank - b->type_rank;
    }
    if (a->bind_rank != b->bind_rank) {
        return a->bind_rank - b->bind_rank;
    }
    names = strcmp(a->name, b->name);
    if (names != 0) {
        return names;
    }
    if (a->size_bytes != b->size_bytes) {
        return a->size_bytes > b->size_bytes ? -1 : 1;
    }
    return a->section < b->section ? -1 : a->section > b->section;
}

static int read_sections(struct reader *reader, Elf *elf, size_t *symtab, struct error *error)
{
    Elf_Scn *scn = NULL;

    *symtab = 0;
    if (elf_getshdrnum(elf, &reader->section_count) != 0) {
        return image_refuse(reader->image, error, "section header table: %s; rebuild the file",
                            elf_errmsg(-1));
    }
    reader->section = calloc(reader->section_count + 1, sizeof(*reader->section));
    if (reader->section == NULL) {
        return image_out_of_memory(reader->image, error);
    }
    while ((scn = elf_nextscn(elf, scn)) != NULL) {
        size_t index = elf_ndxscn(scn);
        GElf_Shdr shdr;

        if (index >= reader->section_count || gelf_getshdr(scn, &shdr) == NULL) {
            return image_refuse(reader->image, error, "section %zu: %s; rebuild the file", index,
                                elf_errmsg(-1));
        }
        reader->section[index].loaded = (shdr.sh_flags & SHF_ALLOC) != 0;
        reader->section[index].end =
            shdr.sh_size > UINT64_MAX - shdr.sh_addr ? UINT64_MAX : shdr.sh_addr + shdr.sh_size;
        if (shdr.sh_type == SHT_SYMTAB && *symtab == 0) {
            *symtab = index; /* the ABI allows one */
        }
    }
    return 0;
}

static int find_names(struct reader *reader, Elf *elf, size_t symtab, uint64_t link,
                      struct error *error)
{
    const struct image_file *file = reader->image->file;
    Elf_Scn *scn = link < reader->section_count ? elf_getscn(elf, link) : NULL;
    GElf_Shdr shdr;

    if (scn == NULL || gelf_getshdr(scn, &shdr) == NULL || shdr.sh_type != SHT_STRTAB) {
        return image_refuse(reader->image, error,
                            "symbol table (section %zu): its names are in section %" PRIu64
                            ", which is not a string table; rebuild the file or strip it",
                            symtab, link);
    }
    if (shdr.sh_offset > file->size_bytes || shdr.sh_size > file->size_bytes - shdr.sh_offset) {
        return image_refuse(reader->image, error,
                            "string table (section %" PRIu64
                            "): runs past the end of the file; copy the file again",
                            link);
    }
    reader->names = (const char *)file->bytes + shdr.sh_offset;
    reader->names_size_bytes = shdr.sh_size;
    return 0;
}

/* Find symbol and string table. entry_count stays 0 when the file has no symbols. */
static int open_table(struct reader *reader, struct error *error)
{
    Elf *elf = reader->image->file->elf;
    size_t file_size_bytes = reader->image->file->size_bytes;
    size_t symtab;
    GElf_Shdr shdr;
    Elf_Scn *scn;
    int status = read_sections(reader, elf, &symtab, error);

    if (status != 0 || symtab == 0) {
        return status;
    }
    scn = elf_getscn(elf, symtab);
    if (scn == NULL || gelf_getshdr(scn, &shdr) == NULL || shdr.sh_entsize != sizeof(Elf64_Sym) ||
        shdr.sh_size % sizeof(Elf64_Sym) != 0 || shdr.sh_offset > file_size_bytes ||
        shdr.sh_size > file_size_bytes - shdr.sh_offset) {
        return image_refuse(reader->image, error,
                            "symbol table (section %zu): offset, size or entry size is wrong; "
                            "copy the file again or strip it",
                            symtab);
    }
    if (shdr.sh_size / sizeof(Elf64_Sym) > IMAGE_SYMBOL_MAX) {
        return image_refuse(reader->image, error,
                            "symbol table (section %zu): %" PRIu64
                            " symbols, more than %u; strip the file",
                            symtab, shdr.sh_size / sizeof(Elf64_Sym), IMAGE_SYMBOL_MAX);
    }
    status = find_names(reader, elf, symtab, shdr.sh_link, error);
    if (status != 0 || shdr.sh_size == 0) {
        return status;
    }
    reader->data = elf_getdata(scn, NULL);
    if (reader->data == NULL) {
        return image_refuse(reader->image, error,
                            "symbol table (section %zu): %s; rebuild the file or strip it", symtab,
                            elf_errmsg(-1));
    }
    reader->entry_count = shdr.sh_size / sizeof(Elf64_Sym);
    return 0;
}

static int check_name(const struct reader *reader, size_t index, uint64_t name, struct error *error)
{
    uint64_t left = name < reader->names_size_bytes ? reader->names_size_bytes - name : 0;
    uint64_t limit = left < IMAGE_SYMBOL_NAME_MAX ? left : IMAGE_SYMBOL_NAME_MAX;

    if (left == 0 || memchr(reader->names + name, 0, limit) == NULL) {
        return image_refuse(reader->image, error,
                            "symbol %zu: its name at string table offset %" PRIu64
                            " does not end inside the table or within %u bytes; rebuild the file "
                            "or strip it",
                            index, name, IMAGE_SYMBOL_NAME_MAX);
    }
    return 0;
}

/* Keep the symbol if it names something in the SVSM's memory. */
static int read_symbol(const struct reader *reader, size_t index, struct symbol *symbols,
                       size_t *count, struct error *error)
{
    struct symbol *symbol = &symbols[*count];
    GElf_Sym sym;
    int rank;
    int status;

    if (gelf_getsym(reader->data, (int)index, &sym) == NULL) {
        return image_refuse(reader->image, error, "symbol %zu: %s; rebuild the file or strip it",
                            index, elf_errmsg(-1));
    }
    rank = type_rank(GELF_ST_TYPE(sym.st_info));
    if (rank < 0 || sym.st_shndx == SHN_UNDEF || sym.st_value < reader->low ||
        sym.st_value > reader->high) {
        return 0;
    }
    if (sym.st_shndx < SHN_LORESERVE) {
        if (sym.st_shndx >= reader->section_count) {
            return image_refuse(reader->image, error,
                                "symbol %zu: section %u of %zu; rebuild the file or strip it",
                                index, sym.st_shndx, reader->section_count);
        }
        if (!reader->section[sym.st_shndx].loaded) {
            return 0;
        }
    } else if (sym.st_shndx != SHN_ABS && sym.st_shndx != SHN_XINDEX) {
        return 0;
    }
    status = check_name(reader, index, sym.st_name, error);
    if (status != 0 || reader->names[sym.st_name] == '\0') {
        return status;
    }
    *symbol = (struct symbol){
        .gva = sym.st_value,
        .size_bytes = sym.st_size,
        .name = reader->names + sym.st_name,
        .section = sym.st_shndx < SHN_LORESERVE ? sym.st_shndx : 0,
        .type_rank = (uint8_t)rank,
        .bind_rank = bind_rank(GELF_ST_BIND(sym.st_info)),
    };
    (*count)++;
    return 0;
}

/*
 * Where each symbol ends. From the highest address down, `section[].end` holds the address of the
 * next symbol of that section, or its end; symbols at one address do not end one another.
 */
static void find_ends(struct symbol *symbols, size_t count, const struct reader *reader)
{
    size_t above = count;

    while (above > 0) {
        size_t first = above;

        while (first > 0 && symbols[first - 1].gva == symbols[above - 1].gva) {
            struct symbol *symbol = &symbols[--first];
            uint64_t left = reader->high - symbol->gva;

            if (symbol->size_bytes != 0) {
                symbol->end = symbol->gva + (symbol->size_bytes < left ? symbol->size_bytes : left);
            } else if (symbol->section != 0) {
                symbol->end = reader->section[symbol->section].end;
            } else {
                symbol->end = symbol->gva;
            }
        }
        for (size_t i = first; i < above; i++) {
            reader->section[symbols[i].section].end = symbols[i].gva;
        }
        above = first;
    }
}

int symtab_read(const struct image *image, const struct flat *flat, struct symbol **symbol,
                size_t *count, struct error *error)
{
    struct reader reader = {
        .image = image,
        .low = flat->gva,
        .high = flat->gva + image->memory_size_bytes,
    };
    int status;

    if (reader.high < reader.low) {
        reader.high = UINT64_MAX;
    }
    status = open_table(&reader, error);
    if (status != 0) {
        goto out;
    }
    *symbol = calloc(reader.entry_count + 1, sizeof(**symbol));
    if (*symbol == NULL) {
        status = image_out_of_memory(image, error);
        goto out;
    }
    for (size_t i = 0; i < reader.entry_count; i++) {
        status = read_symbol(&reader, i, *symbol, count, error);
        if (status != 0) {
            goto out;
        }
    }
    qsort(*symbol, *count, sizeof(**symbol), compare_symbols);
    find_ends(*symbol, *count, &reader);
out:
    free(reader.section);
    return status;
}
