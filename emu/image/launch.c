/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an SVSM image asks of its launcher: where it wants to be loaded, how its first vCPU
 * starts, and which pages behind it are to be filled.
 *
 * Source: AMDESE/linux-svsm at a2d150f959ed, src/start/start.S (.data.guids), and AMDESE/qemu
 * branch svsm-preview-v4, target/i386/sev.c, as abi/svsm.h describes them.
 */
#include "image/internal.h"

#include <inttypes.h>
#include <string.h>

#include "abi/msr.h"
#include "abi/svsm.h"
#include "abi/x86.h"

#define INFO_SIZE 86u
#define METADATA_ENTRY_SIZE 4u
#define METADATA_HEADER_SIZE 16u
#define METADATA_SECTION_SIZE 16u

#define LONG_MODE_CR0 (CR0_PE | CR0_PG)
#define LONG_MODE_CR4 CR4_PAE
#define LONG_MODE_EFER (EFER_LME | EFER_LMA)

/* Segment descriptor, APM Vol 2 4.8.1: present, code or data, code, 64-bit. */
#define DESCRIPTOR_CODE_64 (1ULL << 47 | 1ULL << 44 | 1ULL << 43 | 1ULL << 53)

/* CR3 in long mode, APM Vol 2 5.3.2: address bits, PWT and PCD. */
#define CR3_ALLOWED (PTE_ADDR_MASK | 1ULL << 3 | 1ULL << 4)

/* The entries this launcher needs, each exactly once. */
enum { ENTRY_INFO, ENTRY_METADATA, ENTRY_COUNT };

static const struct guid_row entry_rows[ENTRY_COUNT] = {
    [ENTRY_INFO] = {SVSM_GUID_INFO, "info", INFO_SIZE},
    [ENTRY_METADATA] = {SVSM_GUID_METADATA, "metadata", METADATA_ENTRY_SIZE},
};

static const struct section_row {
    uint32_t type;
    const char *name;
} section_rows[] = {
    {SVSM_SECTION_SECRETS, "secrets"},
    {SVSM_SECTION_CPUID, "CPUID"},
    {SVSM_SECTION_BIOS_VMSA, "BIOS VMSA"},
};

/* Does [start, start + size) lie inside [0, limit)? */
static bool is_inside(uint64_t start, uint64_t size_bytes, uint64_t limit)
{
    return start <= limit && size_bytes <= limit - start;
}

/*
 * The launcher puts the flat image at the load GPA, and its first byte is the entry code: that is
 * what ties virtual to physical addresses, so a page too many in front must not go unnoticed.
 */
static int check_memory(const struct image *image, const struct flat *flat, struct error *error)
{
    uint64_t size_bytes = image->memory_size_bytes;

    if (size_bytes == 0 || (size_bytes & PAGE_MASK) != 0 || size_bytes > IMAGE_MEMORY_MAX) {
        return image_refuse(image, error,
                            "info entry: memory size 0x%" PRIx64
                            " is not a multiple of 4 KiB between 4 KiB and 0x%" PRIx64
                            "; correct the memory size",
                            size_bytes, (uint64_t)IMAGE_MEMORY_MAX);
    }
    if ((image->load_gpa & PAGE_MASK) != 0 || !is_inside(image->load_gpa, size_bytes, CBIT_MASK)) {
        return image_refuse(image, error,
                            "info entry: load GPA 0x%" PRIx64 " with memory size 0x%" PRIx64
                            " is not 4 KiB aligned and below the C-bit (bit %d); correct the load "
                            "GPA",
                            image->load_gpa, size_bytes, CBIT_POSITION);
    }
    if (image->start.rip != flat->gva) {
        return image_refuse(image, error,
                            "info entry: RIP 0x%" PRIx64
                            " is not the image's first byte, gva 0x%" PRIx64
                            " (program header %zu); link the entry code first, with nothing but "
                            "ELF headers before it",
                            image->start.rip, flat->gva, flat->segment[0].header);
    }
    for (size_t i = 0; i < flat->count; i++) {
        const struct flat_segment *segment = &flat->segment[i];
        uint64_t offset = segment->gva - flat->gva;

        if (!is_inside(offset, segment->memory_size_bytes, size_bytes)) {
            return image_refuse(
                image, error,
                "program header %zu: its segment at gva 0x%" PRIx64
                " lies outside the memory of 0x%" PRIx64 " bytes that starts at gva 0x%" PRIx64
                " (program header %zu); correct the linker script or the memory "
                "size",
                segment->header, segment->gva, size_bytes, flat->gva, flat->segment[0].header);
        }
    }
    return 0;
}

/* Addresses of the start state that must lie in the image, as offsets from its first byte. */
static int check_addresses(const struct image *image, const struct flat *flat, struct error *error)
{
    const struct image_start *start = &image->start;
    uint64_t cr3_gpa = start->cr3 & PTE_ADDR_MASK & ~CBIT_MASK;
    const struct {
        const char *name;
        uint64_t value;
        uint64_t offset;
        uint64_t size_bytes;
    } rows[] = {
        {"CR3", start->cr3, cr3_gpa - image->load_gpa, PAGE_SIZE},
        {"GDT base", start->gdt_base, start->gdt_base - flat->gva, start->gdt_limit + 1ULL},
        {"IDT base", start->idt_base, start->idt_base - flat->gva, start->idt_limit + 1ULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!is_inside(rows[i].offset, rows[i].size_bytes, flat->size_bytes)) {
            return image_refuse(image, error,
                                "info entry: %s 0x%" PRIx64 " (%" PRIu64
                                " bytes) lies outside the image, 0x%" PRIx64
                                " bytes at gva 0x%" PRIx64 ", gpa 0x%" PRIx64
                                "; correct the info entry",
                                rows[i].name, rows[i].value, rows[i].size_bytes, flat->size_bytes,
                                flat->gva, image->load_gpa);
        }
    }
    return 0;
}

static int check_mode(const struct image *image, struct error *error)
{
    const struct image_start *start = &image->start;

    if ((start->cr0 & LONG_MODE_CR0) != LONG_MODE_CR0 || (start->cr4 & CR4_LA57) != 0 ||
        (start->cr4 & LONG_MODE_CR4) != LONG_MODE_CR4 ||
        (start->efer & LONG_MODE_EFER) != LONG_MODE_EFER) {
        return image_refuse(image, error,
                            "info entry: CR0 0x%" PRIx64 ", CR4 0x%" PRIx64 ", EFER 0x%" PRIx64
                            " are not 64-bit mode with four-level paging; correct them",
                            start->cr0, start->cr4, start->efer);
    }
    if ((start->cr3 & ~CR3_ALLOWED) != 0) {
        return image_refuse(image, error,
                            "info entry: CR3 0x%" PRIx64
                            " has reserved bits set; give a page address with the C-bit",
                            start->cr3);
    }
    if ((start->cs_descriptor & DESCRIPTOR_CODE_64) != DESCRIPTOR_CODE_64) {
        return image_refuse(image, error,
                            "info entry: CS descriptor 0x%" PRIx64
                            " is not a 64-bit code segment; correct it",
                            start->cs_descriptor);
    }
    return 0;
}

static int read_info(struct image *image, const struct flat *flat, uint64_t offset,
                     struct error *error)
{
    struct image_start *start = &image->start;
    uint8_t bytes[INFO_SIZE];
    const uint8_t *at = bytes;
    int status;

    flat_copy(flat, offset, bytes, sizeof(bytes));
    image->load_gpa = take_le(&at, 8);
    image->memory_size_bytes = take_le(&at, 8);
    start->cr3 = take_le(&at, 8);
    start->gdt_base = take_le(&at, 8);
    start->gdt_limit = (uint16_t)take_le(&at, 2);
    start->idt_base = take_le(&at, 8);
    start->idt_limit = (uint16_t)take_le(&at, 2);
    start->cs_selector = (uint16_t)take_le(&at, 2);
    start->cs_descriptor = take_le(&at, 8);
    start->rip = take_le(&at, 8);
    start->efer = take_le(&at, 8);
    start->cr0 = take_le(&at, 8);
    start->cr4 = take_le(&at, 8);

    status = check_memory(image, flat, error);
    if (status == 0) {
        status = check_mode(image, error);
    }
    if (status == 0) {
        status = check_addresses(image, flat, error);
    }
    return status;
}

static const struct section_row *section_find(uint32_t type)
{
    for (size_t i = 0; i < sizeof(section_rows) / sizeof(section_rows[0]); i++) {
        if (section_rows[i].type == type) {
            return &section_rows[i];
        }
    }
    return NULL;
}

/* Sections are pages behind the flat image: [edata, load GPA + memory size). */
static int check_section(const struct image *image, const struct flat *flat, size_t index,
                         struct error *error)
{
    const struct image_section *section = &image->section[index];
    const struct section_row *row = section_find(section->type);
    uint64_t offset = section->gpa - image->load_gpa;

    if (section->size_bytes == 0 || ((section->gpa | section->size_bytes) & PAGE_MASK) != 0) {
        return image_refuse(image, error,
                            "metadata section %zu: 0x%" PRIx32 " bytes at gpa 0x%" PRIx64
                            " are not whole 4 KiB pages; correct the section",
                            index, section->size_bytes, section->gpa);
    }
    if (!is_inside(offset, section->size_bytes, image->memory_size_bytes) ||
        offset < flat->size_bytes) {
        return image_refuse(image, error,
                            "metadata section %zu: 0x%" PRIx32 " bytes at gpa 0x%" PRIx64
                            " do not lie between the image's end 0x%" PRIx64
                            " and the memory's end 0x%" PRIx64 "; correct the section",
                            index, section->size_bytes, section->gpa,
                            image->load_gpa + flat->size_bytes,
                            image->load_gpa + image->memory_size_bytes);
    }
    if (row != NULL && section->size_bytes != PAGE_SIZE) {
        return image_refuse(image, error,
                            "metadata section %zu: the %s section has 0x%" PRIx32
                            " bytes instead of one page; correct its size",
                            index, row->name, section->size_bytes);
    }
    for (size_t i = 0; i < index; i++) {
        const struct image_section *other = &image->section[i];

        if (row != NULL && other->type == section->type) {
            return image_refuse(image, error,
                                "metadata section %zu: a second %s section, after section %zu; "
                                "leave one of them",
                                index, row->name, i);
        }
        if (section->gpa - other->gpa < other->size_bytes ||
            other->gpa - section->gpa < section->size_bytes) {
            return image_refuse(image, error,
                                "metadata section %zu: overlaps section %zu at gpa 0x%" PRIx64
                                "; correct their addresses",
                                index, i, section->gpa);
        }
    }
    return 0;
}

static int read_sections(struct image *image, const struct flat *flat, uint64_t offset,
                         size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[METADATA_SECTION_SIZE];
        const uint8_t *at = bytes;
        int status;

        flat_copy(flat, offset + i * METADATA_SECTION_SIZE, bytes, sizeof(bytes));
        image->section[i].gpa = take_le(&at, 8);
        image->section[i].size_bytes = (uint32_t)take_le(&at, 4);
        image->section[i].type = (uint32_t)take_le(&at, 4);
        status = check_section(image, flat, i, error);
        if (status != 0) {
            return status;
        }
        image->section_count = i + 1;
    }
    return 0;
}

static int read_metadata(struct image *image, const struct flat *flat, uint64_t entry_offset,
                         struct error *error)
{
    uint8_t bytes[METADATA_HEADER_SIZE];
    const uint8_t *at = bytes;
    uint64_t distance, gva;
    uint32_t length, version, count;

    flat_copy(flat, entry_offset, bytes, METADATA_ENTRY_SIZE);
    distance = take_le(&at, METADATA_ENTRY_SIZE);
    if (distance < METADATA_HEADER_SIZE || distance > flat->size_bytes) {
        return image_refuse(
            image, error,
            "GUID entry at gva 0x%" PRIx64 ": metadata offset 0x%" PRIx64
            " from the image's end leaves the image of 0x%" PRIx64 " bytes; correct the offset",
            flat->gva + entry_offset + METADATA_ENTRY_SIZE, distance, flat->size_bytes);
    }
    gva = flat->gva + flat->size_bytes - distance;
    flat_copy(flat, flat->size_bytes - distance, bytes, sizeof(bytes));
    at = bytes + 4;
    length = (uint32_t)take_le(&at, 4);
    version = (uint32_t)take_le(&at, 4);
    count = (uint32_t)take_le(&at, 4);

    if (memcmp(bytes, SVSM_METADATA_SIGNATURE, 4) != 0 || version != SVSM_METADATA_VERSION) {
        return image_refuse(image, error,
                            "metadata header at gva 0x%" PRIx64
                            ": signature and version are not \"" SVSM_METADATA_SIGNATURE
                            "\" and %d; correct the metadata offset or the header",
                            gva, SVSM_METADATA_VERSION);
    }
    if (count > IMAGE_SECTION_MAX) {
        return image_refuse(image, error,
                            "metadata header at gva 0x%" PRIx64 ": %" PRIu32
                            " sections, more than %d; correct the count",
                            gva, count, IMAGE_SECTION_MAX);
    }
    if (length != METADATA_HEADER_SIZE + count * METADATA_SECTION_SIZE || length > distance) {
        return image_refuse(image, error,
                            "metadata header at gva 0x%" PRIx64 ": length %" PRIu32 " with %" PRIu32
                            " sections of %u bytes, %" PRIu64
                            " bytes before the image's end; correct length and count",
                            gva, length, count, METADATA_SECTION_SIZE, distance);
    }
    return read_sections(image, flat, flat->size_bytes - distance + METADATA_HEADER_SIZE, count,
                         error);
}

int image_launch_read(struct image *image, const struct flat *flat, struct error *error)
{
    uint64_t offsets[ENTRY_COUNT];
    const struct guid_table table = {
        .path = image->path,
        .flat = flat,
        .end = flat->size_bytes,
        .envelope = SVSM_GUID_ENVELOPE,
        .space = "gva",
        .remedy = "give an SVSM image with its GUID tables at the end of .data",
    };
    int status = guid_table_read(&table, entry_rows, ENTRY_COUNT, offsets, error);

    if (status == 0) {
        status = read_info(image, flat, offsets[ENTRY_INFO], error);
    }
    if (status == 0) {
        status = read_metadata(image, flat, offsets[ENTRY_METADATA], error);
    }
    return status;
}
