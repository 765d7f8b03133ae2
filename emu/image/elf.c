/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From an ELF file to the flat image: header checks, PT_LOADs, and the pages of ELF headers that
 * a linker puts in front of the first section.
 *
 * Source: System V ABI, chapters 4 and 5 (ELF header, program header), and its AMD64 supplement.
 */
#include "image/internal.h"

#include <gelf.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "abi/x86.h"

#define EHDR_SIZE sizeof(Elf64_Ehdr)
#define PHDR_SIZE sizeof(Elf64_Phdr)
#define SHDR_SIZE sizeof(Elf64_Shdr)

/* A field of the ELF header that has one or two good values. */
static const struct header_row {
    const char *field;
    size_t offset;
    size_t width;
    uint32_t wanted;
    uint32_t also_wanted;
    const char *remedy;
} header_rows[] = {
    {"class", EI_CLASS, 1, ELFCLASS64, ELFCLASS64, "build a 64-bit ELF file"},
    {"data encoding", EI_DATA, 1, ELFDATA2LSB, ELFDATA2LSB, "build for little-endian x86-64"},
    {"identification version", EI_VERSION, 1, EV_CURRENT, EV_CURRENT, "rebuild the file"},
    {"type", offsetof(Elf64_Ehdr, e_type), 2, ET_EXEC, ET_DYN,
     "link it as an executable; relocatable objects and core files do not load"},
    {"machine", offsetof(Elf64_Ehdr, e_machine), 2, EM_X86_64, EM_X86_64, "build for x86-64"},
    {"version", offsetof(Elf64_Ehdr, e_version), 4, EV_CURRENT, EV_CURRENT, "rebuild the file"},
};

static int check_header_fields(const struct image *image, struct error *error)
{
    const uint8_t *bytes = image->file->bytes;
    size_t size_bytes = image->file->size_bytes;

    if (size_bytes == 0) {
        return image_refuse(image, error, "the file is empty; give an SVSM image in ELF form");
    }
    if (size_bytes < SELFMAG || memcmp(bytes, ELFMAG, SELFMAG) != 0) {
        return image_refuse(image, error,
                            "not an ELF file; give the linked SVSM with its ELF headers, not the "
                            "flat binary made from it");
    }
    if (size_bytes < EHDR_SIZE) {
        return image_refuse(image, error,
                            "ELF header: cut short, %zu bytes of %zu; copy the file again",
                            size_bytes, EHDR_SIZE);
    }
    for (size_t i = 0; i < sizeof(header_rows) / sizeof(header_rows[0]); i++) {
        const struct header_row *row = &header_rows[i];
        const uint8_t *at = bytes + row->offset;
        uint32_t value = (uint32_t)take_le(&at, row->width);

        if (value != row->wanted && value != row->also_wanted) {
            return image_refuse(image, error, "ELF header: %s is %" PRIu32 ", not %" PRIu32 "; %s",
                                row->field, value, row->wanted, row->remedy);
        }
    }
    return 0;
}

/* A table of the file that must lie inside it whole. */
static int check_table(const struct image *image, const char *name, uint64_t offset, uint64_t count,
                       uint64_t entry_size, uint64_t wanted_entry_size, struct error *error)
{
    uint64_t size_bytes = image->file->size_bytes;

    if (count == 0) {
        return 0;
    }
    if (entry_size != wanted_entry_size) {
        return image_refuse(image, error,
                            "ELF header: entry size of the %s is %" PRIu64 ", not %" PRIu64
                            "; rebuild the file",
                            name, entry_size, wanted_entry_size);
    }
    if (offset > size_bytes || count > (size_bytes - offset) / entry_size) {
        return image_refuse(image, error,
                            "%s at file offset 0x%" PRIx64 ": %" PRIu64
                            " entries run past the end of the file (0x%" PRIx64
                            " bytes); copy the file again",
                            name, offset, count, size_bytes);
    }
    return 0;
}

/*
 * Program and section headers in the file's own words, before libelf sees them: it repairs or
 * hides some of what is wrong. A count that does not fit into the ELF header is in section 0.
 */
static int check_tables(const struct image *image, struct error *error)
{
    uint64_t header_count;
    uint64_t section_count;
    Elf64_Shdr first = {0};
    Elf64_Ehdr ehdr;
    int status;

    memcpy(&ehdr, image->file->bytes, sizeof(ehdr));
    if (ehdr.e_shoff != 0) {
        status = check_table(image, "section header table", ehdr.e_shoff, 1, ehdr.e_shentsize,
                             SHDR_SIZE, error);
        if (status != 0) {
            return status;
        }
        memcpy(&first, image->file->bytes + ehdr.e_shoff, sizeof(first));
    }
    section_count = ehdr.e_shnum != 0 ? ehdr.e_shnum : first.sh_size;
    status = check_table(image, "section header table", ehdr.e_shoff, section_count,
                         ehdr.e_shentsize, SHDR_SIZE, error);
    if (status != 0) {
        return status;
    }
    header_count = ehdr.e_phnum != PN_XNUM ? ehdr.e_phnum : first.sh_info;
    if (header_count > IMAGE_HEADER_MAX) {
        return image_refuse(image, error,
                            "program header table: %" PRIu64
                            " entries, more than %u; link with fewer segments",
                            header_count, IMAGE_HEADER_MAX);
    }
    return check_table(image, "program header table", ehdr.e_phoff, header_count, ehdr.e_phentsize,
                       PHDR_SIZE, error);
}

int image_elf_open(struct image *image, struct error *error)
{
    struct image_file *file = image->file;
    int status = check_header_fields(image, error);

    if (status == 0) {
        status = check_tables(image, error);
    }
    if (status != 0) {
        return status;
    }
    if (elf_version(EV_CURRENT) == EV_NONE) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "libelf does not know ELF version %d",
                         EV_CURRENT);
    }
    file->elf = elf_memory((char *)file->bytes, file->size_bytes);
    if (file->elf == NULL || elf_kind(file->elf) != ELF_K_ELF) {
        return image_refuse(image, error, "ELF header: %s; rebuild the file", elf_errmsg(-1));
    }
    return 0;
}

static bool is_header_byte(const GElf_Ehdr *ehdr, size_t header_count, uint64_t offset)
{
    return offset < EHDR_SIZE ||
           (offset >= ehdr->e_phoff && offset - ehdr->e_phoff < header_count * PHDR_SIZE);
}

/*
 * How many bytes at the start of a segment are whole pages (or all of the segment) with nothing
 * but ELF headers and zeros in them. Linkers put such a page in front of the first section; it
 * is no part of the image. A page without a single header byte is never taken, zeros or not.
 */
static uint64_t headers_only(const uint8_t *file, const GElf_Phdr *phdr, const GElf_Ehdr *ehdr,
                             size_t header_count)
{
    uint64_t taken = 0;

    while (taken < phdr->p_filesz) {
        uint64_t page_left = PAGE_SIZE - ((phdr->p_vaddr + taken) & PAGE_MASK);
        uint64_t size_bytes = phdr->p_filesz - taken;
        bool any = false;

        if (size_bytes > page_left) {
            size_bytes = page_left;
        } else if (size_bytes < page_left && phdr->p_memsz > phdr->p_filesz) {
            break; /* the rest of this page is zeroed memory that the program may use */
        }
        for (uint64_t i = 0; i < size_bytes; i++) {
            uint64_t offset = phdr->p_offset + taken + i;

            if (is_header_byte(ehdr, header_count, offset)) {
                any = true;
            } else if (file[offset] != 0) {
                return taken;
            }
        }
        if (!any) {
            break;
        }
        taken += size_bytes;
    }
    return taken;
}

static int check_program_header(const struct image *image, size_t index, const GElf_Phdr *phdr,
                                struct error *error)
{
    uint64_t size_bytes = image->file->size_bytes;

    if (phdr->p_filesz > phdr->p_memsz) {
        return image_refuse(image, error,
                            "program header %zu: size in the file 0x%" PRIx64
                            " exceeds size in memory 0x%" PRIx64 "; rebuild the file",
                            index, phdr->p_filesz, phdr->p_memsz);
    }
    if (phdr->p_filesz != 0 &&
        (phdr->p_offset > size_bytes || phdr->p_filesz > size_bytes - phdr->p_offset)) {
        return image_refuse(image, error,
                            "program header %zu: 0x%" PRIx64 " bytes at file offset 0x%" PRIx64
                            " run past the end of the file (0x%" PRIx64
                            " bytes); copy the file again",
                            index, phdr->p_filesz, phdr->p_offset, size_bytes);
    }
    if (phdr->p_memsz > UINT64_MAX - phdr->p_vaddr) {
        return image_refuse(image, error,
                            "program header %zu: 0x%" PRIx64 " bytes at gva 0x%" PRIx64
                            " wrap around the end of the address space; rebuild the file",
                            index, phdr->p_memsz, phdr->p_vaddr);
    }
    return 0;
}

static int compare_segments(const void *left, const void *right)
{
    const struct flat_segment *a = left;
    const struct flat_segment *b = right;

    if (a->gva != b->gva) {
        return a->gva < b->gva ? -1 : 1;
    }
    return a->header < b->header ? -1 : a->header > b->header;
}

static int collect_segments(const struct image *image, struct flat *flat, struct error *error)
{
    const struct image_file *file = image->file;
    size_t header_count;
    GElf_Ehdr ehdr;

    if (gelf_getehdr(file->elf, &ehdr) == NULL || elf_getphdrnum(file->elf, &header_count) != 0) {
        return image_refuse(image, error, "ELF header: %s; rebuild the file", elf_errmsg(-1));
    }
    flat->segment = calloc(header_count + 1, sizeof(*flat->segment));
    if (flat->segment == NULL) {
        return image_out_of_memory(image, error);
    }
    for (size_t i = 0; i < header_count; i++) {
        GElf_Phdr phdr;
        uint64_t skip;
        int status;

        if (gelf_getphdr(file->elf, (int)i, &phdr) == NULL) {
            return image_refuse(image, error, "program header %zu: %s; rebuild the file", i,
                                elf_errmsg(-1));
        }
        if (phdr.p_type != PT_LOAD || (phdr.p_memsz == 0 && phdr.p_filesz == 0)) {
            continue;
        }
        status = check_program_header(image, i, &phdr, error);
        if (status != 0) {
            return status;
        }
        skip = headers_only(file->bytes, &phdr, &ehdr, header_count);
        if (skip == phdr.p_memsz) {
            continue;
        }
        flat->segment[flat->count++] = (struct flat_segment){
            .gva = phdr.p_vaddr + skip,
            .file_size_bytes = phdr.p_filesz - skip,
            .memory_size_bytes = phdr.p_memsz - skip,
            .bytes = phdr.p_filesz > skip ? file->bytes + phdr.p_offset + skip : NULL,
            .header = i,
        };
    }
    if (flat->count == 0) {
        return image_refuse(image, error,
                            "program header table: no PT_LOAD that holds more than ELF headers; "
                            "link the SVSM as an executable");
    }
    return 0;
}

static bool is_canonical(uint64_t gva)
{
    return gva >> 47 == 0 || gva >> 47 == UINT64_MAX >> 47;
}

static int check_flat(const struct image *image, const struct flat *flat, struct error *error)
{
    const struct flat_segment *first = &flat->segment[0];
    const struct flat_segment *last = &flat->segment[flat->count - 1];
    uint64_t last_gva = last->gva + (last->memory_size_bytes - 1);

    for (size_t i = 1; i < flat->count; i++) {
        const struct flat_segment *below = &flat->segment[i - 1];
        const struct flat_segment *above = &flat->segment[i];

        if (above->gva - below->gva < below->memory_size_bytes) {
            return image_refuse(image, error,
                                "program header %zu: its segment overlaps that of program header "
                                "%zu at gva 0x%" PRIx64 "; correct the linker script",
                                above->header, below->header, above->gva);
        }
    }
    if (!is_canonical(first->gva) || !is_canonical(last_gva)) {
        return image_refuse(image, error,
                            "program header %zu: gva 0x%" PRIx64 " to 0x%" PRIx64
                            " (program header %zu) is not canonical for 48-bit addresses; correct "
                            "the linker script",
                            first->header, first->gva, last_gva, last->header);
    }
    if ((first->gva & PAGE_MASK) != 0) {
        return image_refuse(image, error,
                            "program header %zu: the image starts at gva 0x%" PRIx64
                            ", not on a 4 KiB boundary; align the first section",
                            first->header, first->gva);
    }
    if (last->file_size_bytes != last->memory_size_bytes) {
        return image_refuse(image, error,
                            "program header %zu: the image ends in zeroed memory where an SVSM has "
                            "its GUID tables; give an SVSM image, linked with .bss before .data",
                            last->header);
    }
    if ((last_gva & PAGE_MASK) != PAGE_MASK) {
        return image_refuse(image, error,
                            "program header %zu: the image ends at gva 0x%" PRIx64
                            ", not on a 4 KiB boundary; pad the last section",
                            last->header, last_gva + 1);
    }
    return 0;
}

int image_elf_flatten(const struct image *image, struct flat *flat, struct error *error)
{
    const struct flat_segment *last;
    int status = collect_segments(image, flat, error);

    if (status != 0) {
        return status;
    }
    qsort(flat->segment, flat->count, sizeof(*flat->segment), compare_segments);
    status = check_flat(image, flat, error);
    if (status != 0) {
        return status;
    }
    last = &flat->segment[flat->count - 1];
    flat->gva = flat->segment[0].gva;
    flat->size_bytes = last->gva - flat->gva + last->memory_size_bytes;
    return 0;
}

void flat_copy(const struct flat *flat, uint64_t offset, void *to, size_t size_bytes)
{
    memset(to, 0, size_bytes);
    for (size_t i = 0; i < flat->count; i++) {
        const struct flat_segment *segment = &flat->segment[i];
        uint64_t start = segment->gva - flat->gva;
        uint64_t end = start + segment->file_size_bytes;
        uint64_t from = start > offset ? start : offset;
        uint64_t up_to = end < offset + size_bytes ? end : offset + size_bytes;

        if (from < up_to) {
            memcpy((uint8_t *)to + (from - offset), segment->bytes + (from - start), up_to - from);
        }
    }
}
