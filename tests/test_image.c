/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The image room: good images, hostile images, symbols, and mutations of a good image. */
#include <check.h>
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf_builder.h"
#include "image/image.h"
#include "image/internal.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define GVA ELF_BUILDER_GVA
#define GPA ELF_BUILDER_GPA
#define DATA (GVA + ELF_BUILDER_DATA)
#define END_GPA (GPA + ELF_BUILDER_END)
#define NAME "dir/svsm-test.elf"
#define POKE_MAX 6

/* The two halves of the info GUID, as the file has them. */
#define INFO_GUID_LOW 0x4C4B0597A789A612
#define INFO_GUID_HIGH 0xDD1D9DFEB1CB9FA4

struct poke {
    size_t offset;
    size_t width; /* 0: no poke */
    uint64_t value;
};

/* In an order that is not that of addresses. Sections as in the builder. */
static const struct elf_symbol symbols[] = {
    {"main.c", 0, 0, STT_FILE, STB_LOCAL, SHN_ABS},
    {"edata", GVA + ELF_BUILDER_END, 0, STT_NOTYPE, STB_GLOBAL, SECTION_DATA},
    {"table_entry", DATA + 0x40, 0x10, STT_OBJECT, STB_LOCAL, SECTION_DATA},
    {"table", DATA, 0x100, STT_OBJECT, STB_GLOBAL, SECTION_DATA},
    {"later", GVA + 0x200, 0x20, STT_FUNC, STB_GLOBAL, SECTION_TEXT},
    {"code_64", GVA, 0, STT_NOTYPE, STB_GLOBAL, SECTION_TEXT},
    {"label_in_function", GVA + 0x108, 0, STT_NOTYPE, STB_LOCAL, SECTION_TEXT},
    {"local_alias", GVA + 0x100, 0x40, STT_FUNC, STB_LOCAL, SECTION_TEXT},
    {"zz_function", GVA + 0x100, 0x40, STT_FUNC, STB_GLOBAL, SECTION_TEXT},
    {"aa_object", GVA + 0x100, 0x80, STT_OBJECT, STB_GLOBAL, SECTION_TEXT},
    {"weak_alias", GVA + 0x100, 0x40, STT_FUNC, STB_WEAK, SECTION_TEXT},
    {"b_alias", GVA + 0x200, 0x20, STT_FUNC, STB_GLOBAL, SECTION_TEXT},
    {"helper", GVA + 0x300, 8, STT_FUNC, STB_LOCAL, SECTION_TEXT},
    {"helper", GVA + 0x400, 8, STT_FUNC, STB_GLOBAL, SECTION_TEXT},
    {"twin", GVA + 0x520, 8, STT_FUNC, STB_LOCAL, SECTION_TEXT},
    {"twin", GVA + 0x500, 8, STT_FUNC, STB_LOCAL, SECTION_TEXT},
    {"tail_label", GVA + 0x8F0, 0, STT_NOTYPE, STB_LOCAL, SECTION_TEXT},
    {"bss_start", GVA + ELF_BUILDER_BSS, 0, STT_NOTYPE, STB_GLOBAL, SECTION_BSS},
    {"absolute", GVA + 0x5000, 0, STT_NOTYPE, STB_GLOBAL, SHN_ABS},
    {"memory_end", GVA + ELF_BUILDER_MEMORY, 0, STT_NOTYPE, STB_GLOBAL, SHN_ABS},
    {"beyond_memory", GVA + ELF_BUILDER_MEMORY + 1, 0, STT_NOTYPE, STB_GLOBAL, SHN_ABS},
    {"constant", 0x1234, 0, STT_NOTYPE, STB_GLOBAL, SHN_ABS},
    {"undefined", GVA, 0, STT_FUNC, STB_GLOBAL, SHN_UNDEF},
    {"in_comment", GVA + 0x600, 4, STT_OBJECT, STB_GLOBAL, SECTION_COMMENT},
    {"_ZN4svsm4boot17h0123456789abcdefE", GVA + 0x700, 0x10, STT_FUNC, STB_GLOBAL, SECTION_TEXT},
};

static void build(struct elf_file *file, const struct poke *pokes, size_t count)
{
    elf_build(file, symbols, COUNT(symbols));
    for (size_t i = 0; i < count; i++) {
        elf_poke(file, pokes[i].offset, pokes[i].width, pokes[i].value);
    }
}

static struct image *open_good(const struct poke *pokes, size_t count, const char *row)
{
    struct error error = {""};
    struct image *image = NULL;
    struct elf_file file;
    int status;

    build(&file, pokes, count);
    status = image_open_bytes(&image, NAME, file.bytes, file.size_bytes, &error);
    elf_free(&file);
    ck_assert_msg(status == 0, "%s: status %d: %s", row, status, error.text);
    return image;
}

/* A message is one printable line: file, place, fault; remedy. NULL, or what it lacks. */
static const char *message_fault(const struct error *error, const char *path, const char *place)
{
    if (strncmp(error->text, path, strlen(path)) != 0) {
        return "does not begin with the file";
    }
    if (strstr(error->text, place) == NULL) {
        return "does not name the place";
    }
    if (strstr(error->text, "; ") == NULL) {
        return "has no remedy";
    }
    if (strlen(error->text) >= sizeof(error->text) - 1) {
        return "is cut";
    }
    for (const char *c = error->text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20) {
            return "has a control character";
        }
    }
    return NULL;
}

static void check_message(const char *row, const struct error *error, const char *path,
                          const char *place)
{
    const char *fault = message_fault(error, path, place);

    ck_assert_msg(fault == NULL, "%s: message %s (%s): %s", row, fault, place, error->text);
}

/* ---- good images ---- */

START_TEST(good_image)
{
    const uint32_t section_types[] = {2, 3, 5};
    struct image *image = open_good(NULL, 0, "good");
    const struct {
        uint64_t gpa, file_size_bytes, memory_size_bytes;
        uint8_t first;
    } segments[] = {
        {GPA, ELF_BUILDER_TEXT_SIZE, ELF_BUILDER_TEXT_SIZE, 0x90},
        {GPA + ELF_BUILDER_BSS, 0, 0x2000, 0},
        {GPA + ELF_BUILDER_DATA, 0x3000, 0x3000, 0xDA},
    };

    ck_assert_str_eq(image->path, NAME);
    ck_assert_str_eq(image->name, "svsm-test");
    ck_assert_uint_eq(image->load_gpa, GPA);
    ck_assert_uint_eq(image->memory_size_bytes, ELF_BUILDER_MEMORY);
    ck_assert_uint_eq(image->end_gpa, END_GPA);
    ck_assert_uint_eq(image->gva_offset, ELF_BUILDER_GVA_OFFSET);
    ck_assert_uint_eq(image->start.cr0, 0x80010033);
    ck_assert_uint_eq(image->start.cr3, ELF_BUILDER_CR3);
    ck_assert_uint_eq(image->start.cr4, 0x668);
    ck_assert_uint_eq(image->start.efer, 0x1D00);
    ck_assert_uint_eq(image->start.rip, GVA);
    ck_assert_uint_eq(image->start.gdt_base, DATA + 0x10);
    ck_assert_uint_eq(image->start.gdt_limit, 0x27);
    ck_assert_uint_eq(image->start.idt_base, DATA + 0x100);
    ck_assert_uint_eq(image->start.idt_limit, 0xFF);
    ck_assert_uint_eq(image->start.cs_selector, 8);
    ck_assert_uint_eq(image->start.cs_descriptor, 0x00AF9A000000FFFF);

    ck_assert_uint_eq(image->segment_count, COUNT(segments));
    for (size_t i = 0; i < COUNT(segments); i++) {
        ck_assert_uint_eq(image->segment[i].gpa, segments[i].gpa);
        ck_assert_uint_eq(image->segment[i].file_size_bytes, segments[i].file_size_bytes);
        ck_assert_uint_eq(image->segment[i].memory_size_bytes, segments[i].memory_size_bytes);
        if (segments[i].file_size_bytes != 0) {
            ck_assert_uint_eq(image->segment[i].bytes[0], segments[i].first);
        }
    }
    ck_assert_uint_eq(image->section_count, 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(image->section[i].gpa, END_GPA + i * 0x1000);
        ck_assert_uint_eq(image->section[i].size_bytes, 0x1000);
        ck_assert_uint_eq(image->section[i].type, section_types[i]);
    }
    image_close(image);
    image_close(NULL);
}
END_TEST

/* What other linkers, strippers and launchers' needs make of a good image. */
static const struct accepted_row {
    const char *name;
    struct poke pokes[POKE_MAX];
    size_t segment_count;
    size_t section_count;
} accepted_rows[] = {
    {"position-independent executable", {{OFFSET_EHDR_TYPE, 2, ET_DYN}}, 3, 3},
    {"no section headers", {{OFFSET_EHDR_SHOFF, 8, 0}, {OFFSET_EHDR_SHNUM, 2, 0}}, 3, 3},
    {"headers and text in one segment",
     {{OFFSET_PHDR_FIELD(PHDR_HEADERS, P_FILESZ), 8, OFFSET_TEXT + ELF_BUILDER_TEXT_SIZE},
      {OFFSET_PHDR_FIELD(PHDR_HEADERS, P_MEMSZ), 8, OFFSET_TEXT + ELF_BUILDER_TEXT_SIZE},
      {OFFSET_PHDR_FIELD(PHDR_TEXT, P_TYPE), 4, PT_NULL}},
     3,
     3},
    {"no segment for the headers", {{OFFSET_PHDR_FIELD(PHDR_HEADERS, P_TYPE), 4, PT_NULL}}, 3, 3},
    {"no segment for bss", {{OFFSET_PHDR_FIELD(PHDR_BSS, P_TYPE), 4, PT_NULL}}, 2, 3},
    {"bss after text in its segment",
     {{OFFSET_PHDR_FIELD(PHDR_BSS, P_TYPE), 4, PT_NULL},
      {OFFSET_PHDR_FIELD(PHDR_TEXT, P_MEMSZ), 8, ELF_BUILDER_DATA}},
     2,
     3},
    {"empty segment at address 0", {{OFFSET_PHDR_FIELD(PHDR_STACK, P_TYPE), 4, PT_LOAD}}, 3, 3},
    {"file offset of a segment without bytes",
     {{OFFSET_PHDR_FIELD(PHDR_BSS, P_OFFSET), 8, UINT64_MAX}},
     3,
     3},
    {"interpreter with wild offsets",
     {{OFFSET_PHDR_FIELD(PHDR_INTERP, P_OFFSET), 8, UINT64_MAX},
      {OFFSET_PHDR_FIELD(PHDR_INTERP, P_FILESZ), 8, UINT64_MAX}},
     3,
     3},
    {"unknown section type", {{OFFSET_SECTION_FIELD(1, OFFSET_SECTION_TYPE), 4, 77}}, 3, 3},
    {"no sections", {{OFFSET_HEADER_COUNT, 4, 0}, {OFFSET_HEADER_LENGTH, 4, 16}}, 3, 0},
    {"memory just large enough", {{OFFSET_INFO_MEMORY, 8, ELF_BUILDER_END + 0x3000}}, 3, 3},
    {"largest memory", {{OFFSET_INFO_MEMORY, 8, IMAGE_MEMORY_MAX}}, 3, 3},
    {"CR3 without the C-bit", {{OFFSET_INFO_CR3, 8, ELF_BUILDER_CR3 & ~(1ULL << 51)}}, 3, 3},
    {"another load address",
     {{OFFSET_INFO_GPA, 8, 0x200000},
      {OFFSET_INFO_CR3, 8, 0x200000 + ELF_BUILDER_DATA},
      {OFFSET_HEADER_COUNT, 4, 0},
      {OFFSET_HEADER_LENGTH, 4, 16}},
     3,
     0},
    {"no symbol table", {{OFFSET_SHDR_FIELD(SECTION_SYMTAB, SH_TYPE), 4, SHT_PROGBITS}}, 3, 3},
    {"empty symbol table", {{OFFSET_SHDR_FIELD(SECTION_SYMTAB, SH_SIZE), 8, 0}}, 3, 3},
};

static size_t poke_count(const struct poke *pokes)
{
    size_t count = 0;

    while (count < POKE_MAX && pokes[count].width != 0) {
        count++;
    }
    return count;
}

START_TEST(accepted)
{
    const struct accepted_row *row = &accepted_rows[_i];
    struct image *image = open_good(row->pokes, poke_count(row->pokes), row->name);

    ck_assert_msg(image->segment_count == row->segment_count, "%s: %zu segments", row->name,
                  image->segment_count);
    ck_assert_msg(image->section_count == row->section_count, "%s: %zu sections", row->name,
                  image->section_count);
    ck_assert_msg(image->segment[0].gpa == image->load_gpa, "%s: first segment", row->name);
    ck_assert_msg(image->segment[0].bytes[0] == 0x90, "%s: first byte", row->name);
    ck_assert_msg(image->gva_offset == GVA - image->load_gpa, "%s: offset", row->name);
    image_close(image);
}
END_TEST

/* An entry for another launcher below ours, found by its length and passed over. */
START_TEST(unknown_guid_entry)
{
    const struct poke pokes[] = {
        {OFFSET_ENVELOPE_LENGTH, 2, OFFSET_DATA_END - OFFSET_METADATA_OFFSET + 18},
        {OFFSET_METADATA_OFFSET - 18, 2, 18},
        {OFFSET_METADATA_OFFSET - 16, 8, 0x1111111111111111},
        {OFFSET_METADATA_OFFSET - 8, 8, 0x2222222222222222},
        {OFFSET_METADATA_OFFSET, 4, 0x1000},
    };
    struct elf_file file;
    struct error error = {""};
    struct image *image = NULL;

    /* The new entry takes the place of the metadata's tail: move the metadata down. */
    build(&file, NULL, 0);
    memcpy(file.bytes + OFFSET_DATA_END - 0x1000, file.bytes + OFFSET_HEADER, 64);
    for (size_t i = 0; i < COUNT(pokes); i++) {
        elf_poke(&file, pokes[i].offset, pokes[i].width, pokes[i].value);
    }
    ck_assert_msg(image_open_bytes(&image, NAME, file.bytes, file.size_bytes, &error) == 0, "%s",
                  error.text);
    ck_assert_uint_eq(image->section_count, 3);
    image_close(image);
    elf_free(&file);
}
END_TEST

/* ---- hostile images ---- */

#define HEADER_TABLE "program header table"
#define SECTION_ROW(index, field, width, value)                                                    \
    {                                                                                              \
        OFFSET_SECTION_FIELD(index, field), width, value                                           \
    }
#define PHDR_ROW(index, field, width, value)                                                       \
    {                                                                                              \
        OFFSET_PHDR_FIELD(index, field), width, value                                              \
    }
#define SHDR_ROW(index, field, width, value)                                                       \
    {                                                                                              \
        OFFSET_SHDR_FIELD(index, field), width, value                                              \
    }

static const struct hostile_row {
    const char *name;
    const char *place; /* must appear in the message */
    size_t cut_at;     /* 0: whole file */
    struct poke pokes[POKE_MAX];
} hostile_rows[] = {
    /* ELF header */
    {"magic", "not an ELF file", 0, {{1, 1, 'F'}}},
    {"three bytes", "not an ELF file", 3, {{0, 0, 0}}},
    {"ELF header cut", "ELF header: cut short", 63, {{0, 0, 0}}},
    {"32-bit class", "ELF header: class is 1", 0, {{EI_CLASS, 1, ELFCLASS32}}},
    {"class none", "ELF header: class is 0", 0, {{EI_CLASS, 1, 0}}},
    {"big endian", "ELF header: data encoding is 2", 0, {{EI_DATA, 1, ELFDATA2MSB}}},
    {"identification version", "identification version is 9", 0, {{EI_VERSION, 1, 9}}},
    {"version", "ELF header: version is 7", 0, {{OFFSET_EHDR_VERSION, 4, 7}}},
    {"machine", "ELF header: machine is 183", 0, {{OFFSET_EHDR_MACHINE, 2, EM_AARCH64}}},
    {"relocatable", "ELF header: type is 1", 0, {{OFFSET_EHDR_TYPE, 2, ET_REL}}},
    {"core file", "ELF header: type is 4", 0, {{OFFSET_EHDR_TYPE, 2, ET_CORE}}},

    /* Tables of headers */
    {"program headers cut",
     HEADER_TABLE,
     OFFSET_HEADERS_END - 1,
     {{OFFSET_EHDR_SHOFF, 8, 0}, {OFFSET_EHDR_SHNUM, 2, 0}}},
    {"both tables cut", "section header table", OFFSET_HEADERS_END - 1, {{0, 0, 0}}},
    {"program header offset", HEADER_TABLE, 0, {{OFFSET_EHDR_PHOFF, 8, 0x100000}}},
    {"program header offset wraps", HEADER_TABLE, 0, {{OFFSET_EHDR_PHOFF, 8, UINT64_MAX - 8}}},
    {"program header entry size", HEADER_TABLE, 0, {{OFFSET_EHDR_PHENTSIZE, 2, 55}}},
    {"program header entry size 0", HEADER_TABLE, 0, {{OFFSET_EHDR_PHENTSIZE, 2, 0}}},
    {"no program headers", HEADER_TABLE, 0, {{OFFSET_EHDR_PHNUM, 2, 0}}},
    {"too many program headers", "more than 1024", 0, {{OFFSET_EHDR_PHNUM, 2, 4000}}},
    {"extended program header count",
     "more than 1024",
     0,
     {{OFFSET_EHDR_PHNUM, 2, 0xFFFF}, {OFFSET_SHDR + 44, 4, 0x10000000}}},
    {"section header offset", "section header table", 0, {{OFFSET_EHDR_SHOFF, 8, 0x100000}}},
    {"section headers cut", "section header table", OFFSET_SHDR + SHDR_SIZE, {{0, 0, 0}}},
    {"section header entry size", "section header table", 0, {{OFFSET_EHDR_SHENTSIZE, 2, 63}}},
    {"too many section headers", "section header table", 0, {{OFFSET_EHDR_SHNUM, 2, 0xFEFF}}},
    {"extended section header count",
     "section header table",
     0,
     {{OFFSET_EHDR_SHNUM, 2, 0}, {OFFSET_SHDR_FIELD(0, SH_SIZE), 8, 0x100000000000}}},

    /* Segments */
    {"nothing but headers",
     "no PT_LOAD",
     0,
     {PHDR_ROW(PHDR_TEXT, P_TYPE, 4, PT_NULL), PHDR_ROW(PHDR_BSS, P_TYPE, 4, PT_NULL),
      PHDR_ROW(PHDR_DATA, P_TYPE, 4, PT_NULL)}},
    {"segment bytes cut", "program header 4", 0, {PHDR_ROW(PHDR_DATA, P_OFFSET, 8, 0x5000)}},
    {"segment offset wraps",
     "program header 4",
     0,
     {PHDR_ROW(PHDR_DATA, P_OFFSET, 8, UINT64_MAX - 0xFFF)}},
    {"size in the file too large",
     "program header 2: size in the file",
     0,
     {PHDR_ROW(PHDR_TEXT, P_FILESZ, 8, ELF_BUILDER_TEXT_SIZE + 1)}},
    {"segment wraps",
     "program header 3: 0xffffffffffff",
     0,
     {PHDR_ROW(PHDR_BSS, P_MEMSZ, 8, 0xFFFFFFFFFFFFULL)}},
    {"segments overlap",
     "program header 3: its segment overlaps that of program header 2",
     0,
     {PHDR_ROW(PHDR_TEXT, P_MEMSZ, 8, 0x1001)}},
    {"segments at one address",
     "overlaps that of program header 2",
     0,
     {PHDR_ROW(PHDR_BSS, P_VADDR, 8, GVA)}},
    {"segment far below the image",
     "first byte, gva 0x400000 (program header 3)",
     0,
     {PHDR_ROW(PHDR_BSS, P_VADDR, 8, 0x400000)}},
    {"page below the image is not only headers",
     "first byte, gva 0xffff807ffffff000 (program header 1)",
     0,
     {{OFFSET_HEADERS_END + 8, 1, 1},
      PHDR_ROW(PHDR_HEADERS, P_FILESZ, 8, 0x1000),
      PHDR_ROW(PHDR_HEADERS, P_MEMSZ, 8, 0x1000)}},
    {"page below the image has zeroed memory",
     "first byte, gva 0xffff807ffffff000 (program header 1)",
     0,
     {PHDR_ROW(PHDR_HEADERS, P_MEMSZ, 8, 0x1000)}},
    {"page below the image has no headers",
     "first byte, gva 0xffff807ffffff000 (program header 1)",
     0,
     {PHDR_ROW(PHDR_HEADERS, P_OFFSET, 8, OFFSET_DATA + 0x1000)}},
    {"segment above the memory",
     "program header 4: its segment at gva 0xffff808001000000 lies outside the memory",
     0,
     {PHDR_ROW(PHDR_DATA, P_VADDR, 8, GVA + ELF_BUILDER_MEMORY)}},
    {"not canonical", "not canonical", 0, {PHDR_ROW(PHDR_TEXT, P_VADDR, 8, 0x0000800000000000)}},
    {"first byte not aligned",
     "program header 2: the image starts",
     0,
     {PHDR_ROW(PHDR_TEXT, P_VADDR, 8, GVA + 0x10)}},
    {"end not aligned",
     "program header 4: the image ends",
     0,
     {PHDR_ROW(PHDR_DATA, P_VADDR, 8, DATA + 0x10)}},
    {"ends in bss",
     "program header 4: the image ends in zeroed memory",
     0,
     {PHDR_ROW(PHDR_DATA, P_MEMSZ, 8, 0x4000)}},

    /* GUID tables */
    {"no envelope", "GUID envelope at gva 0xffff808000005fee", 0, {{OFFSET_ENVELOPE_GUID, 1, 0}}},
    {"envelope length 0", "GUID envelope", 0, {{OFFSET_ENVELOPE_LENGTH, 2, 0}}},
    {"envelope length 17", "GUID envelope", 0, {{OFFSET_ENVELOPE_LENGTH, 2, 17}}},
    {"envelope longer than the image", "GUID envelope", 0, {{OFFSET_ENVELOPE_LENGTH, 2, 0x6001}}},
    {"envelope holds nothing", "no info entry", 0, {{OFFSET_ENVELOPE_LENGTH, 2, 18}}},
    {"envelope ends inside an entry", "GUID entry at gva", 0, {{OFFSET_ENVELOPE_LENGTH, 2, 60}}},
    {"envelope ends inside a footer", "GUID entry below gva", 0, {{OFFSET_ENVELOPE_LENGTH, 2, 20}}},
    {"entry length 0", "GUID entry at gva 0xffff808000005fdc", 0, {{OFFSET_INFO_LENGTH, 2, 0}}},
    {"entry length 17", "GUID entry at gva 0xffff808000005fdc", 0, {{OFFSET_INFO_LENGTH, 2, 17}}},
    {"entry runs below the table", "GUID entry at gva", 0, {{OFFSET_INFO_LENGTH, 2, 0xFFFF}}},
    {"info entry length", "info entry has length 103", 0, {{OFFSET_INFO_LENGTH, 2, 103}}},
    {"metadata entry length",
     "metadata entry has length 23",
     0,
     {{OFFSET_METADATA_LENGTH, 2, 23},
      {OFFSET_ENVELOPE_LENGTH, 2, OFFSET_DATA_END - OFFSET_METADATA_OFFSET + 1}}},
    {"no info entry", "no info entry", 0, {{OFFSET_INFO_GUID, 1, 0}}},
    {"no metadata entry", "no metadata entry", 0, {{OFFSET_METADATA_GUID, 1, 0}}},
    {"second info entry",
     "a second info entry",
     0,
     {{OFFSET_METADATA_GUID, 8, INFO_GUID_LOW}, {OFFSET_METADATA_GUID + 8, 8, INFO_GUID_HIGH}}},

    /* Info entry */
    {"memory size 0", "info entry: memory size", 0, {{OFFSET_INFO_MEMORY, 8, 0}}},
    {"memory size not aligned", "info entry: memory size", 0, {{OFFSET_INFO_MEMORY, 8, 0x1000800}}},
    {"memory too large",
     "info entry: memory size",
     0,
     {{OFFSET_INFO_MEMORY, 8, IMAGE_MEMORY_MAX + 0x1000}}},
    {"memory smaller than the image",
     "program header 4: its segment",
     0,
     {{OFFSET_INFO_MEMORY, 8, ELF_BUILDER_END - 0x1000}}},
    {"load GPA not aligned", "info entry: load GPA", 0, {{OFFSET_INFO_GPA, 8, GPA + 0x10}}},
    {"load GPA at the C-bit", "info entry: load GPA", 0, {{OFFSET_INFO_GPA, 8, 1ULL << 51}}},
    {"memory reaches the C-bit",
     "info entry: load GPA",
     0,
     {{OFFSET_INFO_GPA, 8, (1ULL << 51) - ELF_BUILDER_MEMORY + 0x1000}}},
    {"load GPA wraps", "info entry: load GPA", 0, {{OFFSET_INFO_GPA, 8, UINT64_MAX - 0xFFF}}},
    {"CR3 below the image", "info entry: CR3", 0, {{OFFSET_INFO_CR3, 8, GPA - 0x1000}}},
    {"CR3 behind the image", "info entry: CR3", 0, {{OFFSET_INFO_CR3, 8, END_GPA}}},
    {"CR3 reserved bits", "info entry: CR3", 0, {{OFFSET_INFO_CR3, 8, ELF_BUILDER_CR3 | 1}}},
    {"another load GPA alone", "info entry: CR3", 0, {{OFFSET_INFO_GPA, 8, GPA + 0x200000}}},
    {"GDT outside", "info entry: GDT base", 0, {{OFFSET_INFO_GDT, 8, 0}}},
    {"GDT limit outside", "info entry: GDT base", 0, {{OFFSET_INFO_GDT_LIMIT, 2, 0xFFFF}}},
    {"IDT outside", "info entry: IDT base", 0, {{OFFSET_INFO_IDT, 8, GVA - 1}}},
    {"IDT limit outside",
     "info entry: IDT base",
     0,
     {{OFFSET_INFO_IDT, 8, GVA + ELF_BUILDER_END - 0xFF}}},
    {"RIP outside", "info entry: RIP", 0, {{OFFSET_INFO_RIP, 8, GVA + ELF_BUILDER_END}}},
    {"RIP inside the text", "info entry: RIP", 0, {{OFFSET_INFO_RIP, 8, GVA + 0x100}}},
    {"RIP is a gpa", "info entry: RIP", 0, {{OFFSET_INFO_RIP, 8, GPA}}},
    {"paging off", "info entry: CR0", 0, {{OFFSET_INFO_CR0, 8, 0x10033}}},
    {"five-level paging", "info entry: CR0", 0, {{OFFSET_INFO_CR4, 8, 0x1668}}},
    {"no long mode", "info entry: CR0", 0, {{OFFSET_INFO_EFER, 8, 0x1800}}},
    {"32-bit code segment",
     "info entry: CS descriptor",
     0,
     {{OFFSET_INFO_CS_DESCRIPTOR, 8, 0x00CF9A000000FFFF}}},

    /* Metadata */
    {"metadata offset 0", "leaves the image", 0, {{OFFSET_METADATA_OFFSET, 4, 0}}},
    {"metadata offset outside", "leaves the image", 0, {{OFFSET_METADATA_OFFSET, 4, 0x6001}}},
    {"metadata offset 2^32 - 1", "leaves the image", 0, {{OFFSET_METADATA_OFFSET, 4, 0xFFFFFFFF}}},
    {"metadata offset elsewhere", "metadata header", 0, {{OFFSET_METADATA_OFFSET, 4, 0x6000}}},
    {"signature", "metadata header at gva", 0, {{OFFSET_HEADER, 1, 's'}}},
    {"metadata version", "metadata header at gva", 0, {{OFFSET_HEADER_VERSION, 4, 2}}},
    {"too many sections", "17 sections, more than 16", 0, {{OFFSET_HEADER_COUNT, 4, 17}}},
    {"2^28 sections", "268435456 sections, more than 16", 0, {{OFFSET_HEADER_COUNT, 4, 1u << 28}}},
    {"metadata length", "metadata header", 0, {{OFFSET_HEADER_LENGTH, 4, 63}}},
    {"sections run past the image",
     "metadata header",
     0,
     {{OFFSET_HEADER_COUNT, 4, 16}, {OFFSET_HEADER_LENGTH, 4, 272}}},
    {"section inside the image",
     "metadata section 0",
     0,
     {SECTION_ROW(0, OFFSET_SECTION_GPA, 8, END_GPA - 0x1000)}},
    {"section below the memory",
     "metadata section 1",
     0,
     {SECTION_ROW(1, OFFSET_SECTION_GPA, 8, GPA - 0x1000)}},
    {"section behind the memory",
     "metadata section 2",
     0,
     {SECTION_ROW(2, OFFSET_SECTION_GPA, 8, GPA + ELF_BUILDER_MEMORY)}},
    {"section wraps",
     "metadata section 2",
     0,
     {SECTION_ROW(2, OFFSET_SECTION_GPA, 8, UINT64_MAX - 0xFFF)}},
    {"section not aligned",
     "metadata section 0",
     0,
     {SECTION_ROW(0, OFFSET_SECTION_GPA, 8, END_GPA + 0x10)}},
    {"section size 0", "metadata section 0", 0, {SECTION_ROW(0, OFFSET_SECTION_SIZE, 4, 0)}},
    {"section size not aligned",
     "metadata section 0",
     0,
     {SECTION_ROW(0, OFFSET_SECTION_SIZE, 4, 0x1001)}},
    {"section larger than memory",
     "metadata section 0",
     0,
     {SECTION_ROW(0, OFFSET_SECTION_SIZE, 4, 0xFFFFF000)}},
    {"CPUID section of two pages",
     "metadata section 1: the CPUID section",
     0,
     {SECTION_ROW(1, OFFSET_SECTION_SIZE, 4, 0x2000)}},
    {"sections overlap",
     "metadata section 2: overlaps section 1",
     0,
     {SECTION_ROW(2, OFFSET_SECTION_GPA, 8, END_GPA + 0x1000)}},
    {"large section overlaps the next",
     "metadata section 1: overlaps section 0",
     0,
     {SECTION_ROW(0, OFFSET_SECTION_SIZE, 4, 0x2000), SECTION_ROW(0, OFFSET_SECTION_TYPE, 4, 9)}},
    {"large section overlaps the one before",
     "metadata section 1: overlaps section 0",
     0,
     {SECTION_ROW(0, OFFSET_SECTION_GPA, 8, END_GPA + 0x5000),
      SECTION_ROW(1, OFFSET_SECTION_GPA, 8, END_GPA + 0x4000),
      SECTION_ROW(1, OFFSET_SECTION_SIZE, 4, 0x2000), SECTION_ROW(1, OFFSET_SECTION_TYPE, 4, 9)}},
    {"two secrets sections",
     "metadata section 1: a second secrets section",
     0,
     {SECTION_ROW(1, OFFSET_SECTION_TYPE, 4, 2)}},

    /* Symbol table */
    {"symbol table outside",
     "symbol table (section 4)",
     0,
     {SHDR_ROW(SECTION_SYMTAB, SH_OFFSET, 8, UINT64_MAX)}},
    {"symbol table too long",
     "symbol table (section 4)",
     0,
     {SHDR_ROW(SECTION_SYMTAB, SH_SIZE, 8, 24ULL << 40)}},
    {"symbol table size",
     "symbol table (section 4)",
     0,
     {SHDR_ROW(SECTION_SYMTAB, SH_SIZE, 8, 25)}},
    {"symbol entry size",
     "symbol table (section 4)",
     0,
     {SHDR_ROW(SECTION_SYMTAB, SH_ENTSIZE, 8, 0)}},
    {"names in no section",
     "names are in section 900",
     0,
     {SHDR_ROW(SECTION_SYMTAB, SH_LINK, 4, 900)}},
    {"names in a section of another type",
     "names are in section 1",
     0,
     {SHDR_ROW(SECTION_SYMTAB, SH_LINK, 4, SECTION_TEXT)}},
    {"string table outside",
     "string table (section 5)",
     0,
     {SHDR_ROW(SECTION_STRTAB, SH_SIZE, 8, 0x100000)}},
    {"names do not end", "symbol ", 0, {SHDR_ROW(SECTION_STRTAB, SH_SIZE, 8, 20)}},
    {"string table empty", "symbol ", 0, {SHDR_ROW(SECTION_STRTAB, SH_SIZE, 8, 0)}},
    {"name outside", "symbol 2: its name", 0, {{OFFSET_SYMTAB + 2 * 24, 4, 0xFFFFFFFF}}},
    {"section of a symbol", "symbol 2: section 900", 0, {{OFFSET_SYMTAB + 2 * 24 + 6, 2, 900}}},
};

START_TEST(hostile)
{
    const struct hostile_row *row = &hostile_rows[_i];
    struct error error = {""};
    struct image *image = NULL;
    struct elf_file file;
    int status;

    build(&file, row->pokes, poke_count(row->pokes));
    if (row->cut_at != 0) {
        file.size_bytes = row->cut_at;
    }
    status = image_open_bytes(&image, NAME, file.bytes, file.size_bytes, &error);
    elf_free(&file);
    ck_assert_msg(status == SNPEMU_ERR_INPUT, "%s: status %d: %s", row->name, status, error.text);
    ck_assert_msg(image == NULL, "%s: an image came out", row->name);
    check_message(row->name, &error, NAME ": ", row->place);
}
END_TEST

/* A million symbols and a name without end, which need more than a poke. */
START_TEST(hostile_symbols)
{
    const size_t count = IMAGE_SYMBOL_MAX + 1;
    struct elf_symbol *many = calloc(count, sizeof(*many));
    struct elf_symbol longest = {NULL, GVA, 4, STT_FUNC, STB_GLOBAL, SECTION_TEXT};
    char *name = malloc(IMAGE_SYMBOL_NAME_MAX + 1);
    struct image *image = NULL;
    struct error error = {""};
    struct elf_file file;

    ck_assert(many != NULL && name != NULL);
    for (size_t i = 0; i < count; i++) {
        many[i] = (struct elf_symbol){"", GVA, 0, STT_FUNC, STB_GLOBAL, SECTION_TEXT};
    }
    elf_build(&file, many, count);
    ck_assert_int_eq(image_open_bytes(&image, NAME, file.bytes, file.size_bytes, &error),
                     SNPEMU_ERR_INPUT);
    check_message("a million symbols", &error, NAME, "more than 1000000");
    elf_free(&file);
    free(many);

    memset(name, 'a', IMAGE_SYMBOL_NAME_MAX);
    name[IMAGE_SYMBOL_NAME_MAX] = '\0';
    longest.name = name;
    elf_build(&file, &longest, 1);
    ck_assert_int_eq(image_open_bytes(&image, NAME, file.bytes, file.size_bytes, &error),
                     SNPEMU_ERR_INPUT);
    check_message("long name", &error, NAME, "symbol 1: its name");
    elf_free(&file);

    name[IMAGE_SYMBOL_NAME_MAX - 1] = '\0';
    elf_build(&file, &longest, 1);
    ck_assert_int_eq(image_open_bytes(&image, NAME, file.bytes, file.size_bytes, &error), 0);
    ck_assert_str_eq(image_symbol_at(image, GVA, NULL), name);
    image_close(image);
    elf_free(&file);
    free(name);
}
END_TEST

/* ---- files ---- */

static char directory[4096];

static void make_directory(void)
{
    const char *base = getenv("TMPDIR");

    snprintf(directory, sizeof(directory), "%s/snpemu-image-XXXXXX",
             base != NULL && *base != '\0' ? base : P_tmpdir);
    ck_assert_ptr_nonnull(mkdtemp(directory));
}

static void in_directory(char *path, size_t size_bytes, const char *name)
{
    ck_assert_int_lt(snprintf(path, size_bytes, "%s/%s", directory, name), (int)size_bytes);
}

static void write_file(const char *name, const void *bytes, size_t size_bytes)
{
    char path[8192];
    FILE *stream;

    in_directory(path, sizeof(path), name);
    stream = fopen(path, "wb");
    ck_assert_ptr_nonnull(stream);
    ck_assert_uint_eq(fwrite(bytes, 1, size_bytes, stream), size_bytes);
    ck_assert_int_eq(fclose(stream), 0);
}

static void remove_directory(void)
{
    static const char *const names[] = {"good.elf", "empty", "huge", "fifo", "loop", "a\nb"};
    char path[8192];

    for (size_t i = 0; i < COUNT(names); i++) {
        in_directory(path, sizeof(path), names[i]);
        unlink(path);
    }
    ck_assert_int_eq(rmdir(directory), 0);
}

static void make_files(void)
{
    char path[8192];
    struct elf_file file;

    make_directory();
    build(&file, NULL, 0);
    write_file("good.elf", file.bytes, file.size_bytes);
    elf_free(&file);
    write_file("empty", "", 0);
    write_file("a\nb", "text", 4);
    write_file("huge", "", 0);
    in_directory(path, sizeof(path), "huge");
    ck_assert_int_eq(truncate(path, (off_t)IMAGE_FILE_MAX + 1), 0);
    in_directory(path, sizeof(path), "fifo");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    in_directory(path, sizeof(path), "loop");
    ck_assert_int_eq(symlink("loop", path), 0);
}

static const struct file_row {
    const char *name;
    const char *path; /* in the directory, or absolute */
    const char *place;
    int status;
} file_rows[] = {
    {"missing", "missing.elf", "cannot open", SNPEMU_ERR_IO},
    {"below a file", "good.elf/x", "cannot open", SNPEMU_ERR_IO},
    {"symbolic link to itself", "loop", "cannot open", SNPEMU_ERR_IO},
    {"directory", "", "a directory", SNPEMU_ERR_INPUT},
    {"FIFO without a writer", "fifo", "device, pipe or socket", SNPEMU_ERR_INPUT},
    {"device", "/dev/zero", "device, pipe or socket", SNPEMU_ERR_INPUT},
    {"empty", "empty", "is empty", SNPEMU_ERR_INPUT},
    {"huge", "huge", "more than 268435456", SNPEMU_ERR_INPUT},
    {"control character in the name", "a\nb", "a?b: not an ELF file", SNPEMU_ERR_INPUT},
};

START_TEST(hostile_file)
{
    const struct file_row *row = &file_rows[_i];
    struct error error = {""};
    struct image *image = NULL;
    char path[8192];
    int status;

    make_files();
    if (row->path[0] == '/') {
        snprintf(path, sizeof(path), "%s", row->path);
    } else {
        in_directory(path, sizeof(path), row->path);
    }
    status = image_open(&image, path, &error);
    ck_assert_msg(status == row->status, "%s: status %d: %s", row->name, status, error.text);
    ck_assert_ptr_null(image);
    check_message(row->name, &error, row->path[0] == '/' ? path : directory, row->place);
    remove_directory();
}
END_TEST

START_TEST(good_file)
{
    struct error error = {""};
    struct image *image = NULL;
    char path[8192];

    make_files();
    in_directory(path, sizeof(path), "good.elf");
    ck_assert_msg(image_open(&image, path, &error) == 0, "%s", error.text);
    ck_assert_str_eq(image->path, path);
    ck_assert_str_eq(image->name, "good");
    image_close(image);

    /* Without read permission, unless the reader is root. */
    ck_assert_int_eq(chmod(path, 0), 0);
    image = NULL;
    if (geteuid() != 0) {
        ck_assert_int_eq(image_open(&image, path, &error), SNPEMU_ERR_IO);
        check_message("no permission", &error, directory, "cannot open");
    }
    remove_directory();
}
END_TEST

/* A path longer than the message still leaves room for fault and remedy. */
START_TEST(long_path)
{
    struct error error = {""};
    struct image *image = NULL;
    char path[3001];

    for (size_t i = 0; i < sizeof(path) - 1; i++) {
        path[i] = "./"[i % 2];
    }
    path[sizeof(path) - 1] = '\0';
    memcpy(path + sizeof(path) - 8, "absent!", 7);
    ck_assert_int_eq(image_open(&image, path, &error), SNPEMU_ERR_IO);
    check_message("long path", &error, "...", "absent!: cannot open");
}
END_TEST

/* ---- symbols ---- */

static const struct symbol_row {
    const char *why;
    uint64_t gva;
    const char *name; /* NULL: none */
    uint64_t offset;
} symbol_rows[] = {
    {"label at its address", GVA, "code_64", 0},
    {"label up to the next symbol", GVA + 0xFF, "code_64", 0xFF},
    {"function before object, global before weak and local", GVA + 0x100, "zz_function", 0},
    {"function before the label inside it", GVA + 0x110, "zz_function", 0x10},
    {"object reaches further than the function", GVA + 0x140, "aa_object", 0x40},
    {"label reaches behind sized symbols", GVA + 0x180, "label_in_function", 0x78},
    {"by name where all else is equal", GVA + 0x200, "b_alias", 0},
    {"last byte", GVA + 0x21F, "b_alias", 0x1F},
    {"behind the last byte", GVA + 0x220, NULL, 0},
    {"demangled", GVA + 0x704, "svsm::boot", 4},
    {"not in a loaded section", GVA + 0x600, NULL, 0},
    {"label up to its section's end", GVA + 0x8FF, "tail_label", 0xF},
    {"no further than its section", GVA + 0x900, NULL, 0},
    {"bss label", GVA + 0x2FFF, "bss_start", 0x1FFF},
    {"object", DATA + 0x3F, "table", 0x3F},
    {"object inside an object", DATA + 0x48, "table_entry", 8},
    {"outer object behind the inner one", DATA + 0x50, "table", 0x50},
    {"end of the image", GVA + ELF_BUILDER_END, NULL, 0},
    {"absolute symbols cover nothing", GVA + 0x5000, NULL, 0},
    {"below the image", GVA - 1, NULL, 0},
    {"address 0", 0, NULL, 0},
    {"last address", UINT64_MAX, NULL, 0},
};

static void check_symbols(const struct image *image, const char *order)
{
    for (size_t i = 0; i < COUNT(symbol_rows); i++) {
        const struct symbol_row *row = &symbol_rows[i];
        uint64_t offset = 0;
        const char *name = image_symbol_at(image, row->gva, &offset);

        ck_assert_msg((name == NULL) == (row->name == NULL) &&
                          (name == NULL || strcmp(name, row->name) == 0),
                      "%s (%s): %s", row->why, order, name != NULL ? name : "none");
        ck_assert_msg(offset == row->offset, "%s (%s): offset 0x%llx", row->why, order,
                      (unsigned long long)offset);
    }
}

START_TEST(symbol_at)
{
    struct image *image = open_good(NULL, 0, "symbols");

    check_symbols(image, "as built");
    ck_assert_str_eq(image_symbol_at(image, GVA, NULL), "code_64");
    image_close(image);
}
END_TEST

/* The choice among symbols must not depend on where the linker put them in the table. */
START_TEST(symbol_order)
{
    struct elf_symbol shuffled[COUNT(symbols)];
    uint32_t seed = 1;

    memcpy(shuffled, symbols, sizeof(symbols));
    for (size_t round = 0; round < 50; round++) {
        struct error error = {""};
        struct image *image = NULL;
        struct elf_file file;
        uint64_t gva;

        for (size_t i = COUNT(shuffled) - 1; i > 0; i--) {
            struct elf_symbol swap = shuffled[i];
            size_t other;

            seed = seed * 1664525u + 1013904223u;
            other = (seed >> 16) % (i + 1);
            shuffled[i] = shuffled[other];
            shuffled[other] = swap;
        }
        elf_build(&file, shuffled, COUNT(shuffled));
        ck_assert_msg(image_open_bytes(&image, NAME, file.bytes, file.size_bytes, &error) == 0,
                      "%s", error.text);
        check_symbols(image, "shuffled");
        ck_assert(image_symbol_find(image, "twin", &gva, NULL));
        ck_assert_uint_eq(gva, GVA + 0x500);
        image_close(image);
        elf_free(&file);
    }
}
END_TEST

static const struct find_row {
    const char *name;
    bool found;
    uint64_t gva;
    uint64_t size_bytes;
} find_rows[] = {
    {"code_64", true, GVA, 0},
    {"table", true, DATA, 0x100},
    {"helper", true, GVA + 0x400, 8}, /* global before local */
    {"twin", true, GVA + 0x500, 8},   /* the lower address */
    {"edata", true, GVA + ELF_BUILDER_END, 0},
    {"absolute", true, GVA + 0x5000, 0},
    {"memory_end", true, GVA + ELF_BUILDER_MEMORY, 0},
    {"beyond_memory", false, 0, 0},
    {"constant", false, 0, 0},
    {"undefined", false, 0, 0},
    {"in_comment", false, 0, 0},
    {"main.c", false, 0, 0},
    {"tabl", false, 0, 0},
    {"", false, 0, 0},
    /* Rust: the path as it is written, whole or from any part on. */
    {"_ZN4svsm4boot17h0123456789abcdefE", true, GVA + 0x700, 0x10},
    {"svsm::boot", true, GVA + 0x700, 0x10},
    {"boot", true, GVA + 0x700, 0x10},
    {"oot", false, 0, 0},
    {"vsm::boot", false, 0, 0},
    {"svsm", false, 0, 0},
    {"svsm::", false, 0, 0},
    {"::boot", false, 0, 0},
    {"core::svsm::boot", false, 0, 0},
    {"svsm:boot", false, 0, 0},
    {"svsm::boot::h0123456789abcdef", false, 0, 0},
};

START_TEST(symbol_find)
{
    const struct find_row *row = &find_rows[_i];
    struct image *image = open_good(NULL, 0, row->name);
    uint64_t gva = 0;
    uint64_t size_bytes = 0;

    ck_assert_msg(image_symbol_find(image, row->name, &gva, &size_bytes) == row->found, "%s",
                  row->name);
    ck_assert_msg(gva == row->gva && size_bytes == row->size_bytes, "%s: 0x%llx, %llu bytes",
                  row->name, (unsigned long long)gva, (unsigned long long)size_bytes);
    image_close(image);
}
END_TEST

START_TEST(no_symbols)
{
    const struct poke pokes[] = {{OFFSET_EHDR_SHOFF, 8, 0}, {OFFSET_EHDR_SHNUM, 2, 0}};
    struct image *image = open_good(pokes, COUNT(pokes), "stripped");
    uint64_t gva;

    ck_assert_ptr_null(image_symbol_at(image, GVA, NULL));
    ck_assert(!image_symbol_find(image, "code_64", &gva, NULL));
    image_close(image);
}
END_TEST

/* ---- names as their language writes them ---- */

#define RUST_HASH "17h0123456789abcdefE"

static const struct item_row {
    const char *mangled, *path;
    bool is;
} item_rows[] = {
    {"_ZN4svsm6percpu9PERCPU_VA" RUST_HASH, "PERCPU_VA", true},
    {"_ZN4svsm6percpu9PERCPU_VA" RUST_HASH, "percpu::PERCPU_VA", true},
    {"_ZN4svsm6percpu9PERCPU_VA" RUST_HASH, "svsm::percpu::PERCPU_VA", true},
    {"_ZN4svsm6percpu9PERCPU_VA" RUST_HASH, "svsm::PERCPU_VA", false},
    {"_ZN4svsm6percpu9PERCPU_VA" RUST_HASH, "ERCPU_VA", false},
    {"_ZN4svsm6percpu9PERCPU_VA" RUST_HASH, "", false},
    {"_ZN4svsm6percpu9PERCPU_VA" RUST_HASH, "::", false},
    {"_ZN4main" RUST_HASH, "main", true},
    {"_ZN4main" RUST_HASH ".llvm.123", "main", true}, /* what optimisation adds */
    {"_ZN4main" RUST_HASH ".0", "main", true},
    {"_ZN4main" RUST_HASH ".0", ".0", false},
    {"_ZN17h0123456789abcdefE", "", false},
    {"_ZN5main" RUST_HASH, "main1", false}, /* the length runs into the next part */
    {"_ZN9999999999999999999999main" RUST_HASH, "main", false},
    {"_ZN4ma", "ma", false},
    {"_ZN", "", false},
    {"_RNvNtCs1234_4svsm6percpu4init", "percpu::init", true},
    {"_RNvNtCs1234_4svsm6percpu4init", "svsm::percpu::init", true},
    {"_RNvNtCs1234_4svsm6percpu4init", "Cs1234_4svsm", false},
    {"_Z4mainv", "main", true}, /* C++ */
    {"_ZN4svsm4initEv", "svsm::init", true},
    {"", "", false},
    {"main", "main", false}, /* a plain name is found as it is */
};

START_TEST(item_names)
{
    const struct item_row *row = &item_rows[_i];
    struct image_file file = {0};

    for (int twice = 0; twice < 2; twice++) {
        ck_assert_msg(image_is_item(&file, row->mangled, row->path) == row->is, "%s as '%s'",
                      row->mangled, row->path);
    }
    image_demangled_free(&file);
}
END_TEST

static const struct demangle_row {
    const char *mangled, *name;
} demangle_rows[] = {
    {"_ZN4svsm6percpu9PERCPU_VA" RUST_HASH, "svsm::percpu::PERCPU_VA"},
    {"_ZN4svsm7AP_SYNC" RUST_HASH ".0", "svsm::AP_SYNC"},
    {"_ZN62_$LT$svsm..idt..Frame$u20$as$u20$core..fmt..Debug$GT$3fmt" RUST_HASH, NULL},
    {"_ZN48_$LT$svsm..Frame$u20$as$u20$core..fmt..Debug$GT$3fmt" RUST_HASH,
     "<svsm::Frame as core::fmt::Debug>::fmt"},
    {"_RNvNtCs1234_4svsm6percpu4init", "svsm::percpu::init"},
    {"_RINvNtC3std3mem8align_ofhE", "std::mem::align_of::<u8>"},
    {"_ZN4svsm4initEv", "svsm::init"},
    {"_start", NULL},
    {"__rust_alloc", NULL},
    {"_", NULL},
    {"", NULL},
};

START_TEST(demangled)
{
    const struct demangle_row *row = &demangle_rows[_i];
    struct image_file file = {0};

    ck_assert_str_eq(image_demangle(&file, row->mangled), row->name ? row->name : row->mangled);
    image_demangled_free(&file);
}
END_TEST

/* Each part is a pair of the one before: 2^40 of them, and as many references that lead nowhere. */
START_TEST(demangled_without_end)
{
    char mangled[1024] = "_RINvC4svsm1fTuuE";
    struct image_file file = {0};
    size_t before = strlen("_RINvC4svsm1f") - 2;

    for (unsigned i = 0; i < 40; i++) {
        static const char digits[] =
            "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        char reference[16];
        size_t target = before - 1, here = strlen(mangled) - 2;

        /* B, then the place in base 62, one less. */
        if (target < 62) {
            snprintf(reference, sizeof(reference), "B%c_", digits[target]);
        } else {
            snprintf(reference, sizeof(reference), "B%c%c_", digits[target / 62],
                     digits[target % 62]);
        }
        strcat(mangled, "T");
        strcat(mangled, reference);
        strcat(mangled, reference);
        strcat(mangled, "E");
        before = here;
    }
    strcat(mangled, "E");
    ck_assert_msg(strlen(image_demangle(&file, mangled)) == 1023, "%s",
                  image_demangle(&file, mangled));
    image_demangled_free(&file);
}
END_TEST

/* ---- mutations ---- */

#define MUTATION_COUNT 20000

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Where a changed byte can matter: most go there, the others anywhere. */
static size_t mutation_offset(uint64_t *state, size_t size_bytes)
{
    static const struct {
        size_t start, end;
    } places[] = {
        {OFFSET_EHDR, OFFSET_HEADERS_END},
        {OFFSET_HEADER, OFFSET_DATA_END},
        {OFFSET_SHDR, OFFSET_SHDR + SECTION_COUNT * SHDR_SIZE},
        {OFFSET_SYMTAB, OFFSET_SYMTAB + COUNT(symbols) * 24},
    };
    uint64_t which = next_random(state) % (COUNT(places) + 1);

    if (which == COUNT(places)) {
        return next_random(state) % size_bytes;
    }
    return places[which].start + next_random(state) % (places[which].end - places[which].start);
}

/*
 * What every image that was let in promises; NULL, or the promise that is broken. Reading all
 * bytes and names lets a sanitizer see. (Check writes a record for each assertion it passes:
 * twenty thousand images want few.)
 */
static const char *broken_promise(const struct image *image)
{
    uint64_t position = image->load_gpa;
    uint64_t memory_end = image->load_gpa + image->memory_size_bytes;
    volatile uint8_t sum = 0;
    uint64_t gva;

    if (((image->load_gpa | image->memory_size_bytes | image->end_gpa) & 0xFFF) != 0 ||
        memory_end > 1ULL << 51 || image->end_gpa > memory_end) {
        return "memory is whole pages below the C-bit, the image inside";
    }
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct image_segment *segment = &image->segment[i];

        if (segment->gpa < position || segment->file_size_bytes > segment->memory_size_bytes) {
            return "segments ascend and hold their bytes";
        }
        position = segment->gpa + segment->memory_size_bytes;
        for (uint64_t j = 0; j < segment->file_size_bytes; j++) {
            sum = (uint8_t)(sum + segment->bytes[j]);
        }
    }
    if (position != image->end_gpa) {
        return "the last segment ends the image";
    }
    for (size_t i = 0; i < image->section_count; i++) {
        if (image->section[i].gpa < image->end_gpa ||
            image->section[i].gpa + image->section[i].size_bytes > memory_end) {
            return "sections lie behind the image";
        }
    }
    for (uint64_t offset = 0; offset < 0x6100; offset += 0x3F) {
        const char *name = image_symbol_at(image, GVA + offset, NULL);

        if (name != NULL && strlen(name) == 0) {
            return "symbols have names";
        }
    }
    return image_symbol_find(image, "no such symbol", &gva, NULL) ? "symbols are found by name"
                                                                  : NULL;
}

START_TEST(mutations)
{
    uint64_t state = 0x5EED;
    size_t accepted_count = 0;
    struct elf_file good;
    struct elf_file file;

    build(&good, NULL, 0);
    build(&file, NULL, 0);
    for (size_t i = 0; i < MUTATION_COUNT; i++) {
        struct error error = {""};
        struct image *image = NULL;
        size_t size_bytes = good.size_bytes;
        uint64_t count = 1 + next_random(&state) % 4;
        const char *fault;
        int status;

        memcpy(file.bytes, good.bytes, good.size_bytes);
        for (uint64_t j = 0; j < count; j++) {
            size_t offset = mutation_offset(&state, good.size_bytes);
            uint64_t kind = next_random(&state) % 4;

            const uint8_t values[] = {0, 0xFF, (uint8_t)(file.bytes[offset] ^ 1u << state % 8),
                                      (uint8_t)(state >> 32)};

            file.bytes[offset] = values[kind];
        }
        if (next_random(&state) % 8 == 0) {
            size_bytes = next_random(&state) % good.size_bytes;
        }
        status = image_open_bytes(&image, NAME, file.bytes, size_bytes, &error);
        if (status == 0) {
            accepted_count++;
            fault = broken_promise(image);
        } else {
            fault = status == SNPEMU_ERR_INPUT ? message_fault(&error, NAME ": ", "") : "status";
        }
        image_close(image);
        if (fault != NULL) {
            ck_abort_msg("mutation %zu: status %d: %s: %s", i, status, fault, error.text);
        }
    }
    /* A test that meets only one kind shows nothing. */
    ck_assert_uint_gt(accepted_count, MUTATION_COUNT / 20);
    ck_assert_uint_lt(accepted_count, MUTATION_COUNT / 20 * 19);
    elf_free(&file);
    elf_free(&good);
}
END_TEST

static Suite *image_suite(void)
{
    Suite *suite = suite_create("image");
    TCase *good = tcase_create("good");
    TCase *hostile_case = tcase_create("hostile");
    TCase *files = tcase_create("files");
    TCase *symbol_case = tcase_create("symbols");
    TCase *mutation_case = tcase_create("mutations");

    tcase_add_test(good, good_image);
    tcase_add_loop_test(good, accepted, 0, COUNT(accepted_rows));
    tcase_add_test(good, unknown_guid_entry);
    tcase_add_loop_test(hostile_case, hostile, 0, COUNT(hostile_rows));
    tcase_add_test(hostile_case, hostile_symbols);
    tcase_add_loop_test(files, hostile_file, 0, COUNT(file_rows));
    tcase_add_test(files, good_file);
    tcase_add_test(files, long_path);
    tcase_add_test(symbol_case, symbol_at);
    tcase_add_test(symbol_case, symbol_order);
    tcase_add_loop_test(symbol_case, symbol_find, 0, COUNT(find_rows));
    tcase_add_test(symbol_case, no_symbols);
    tcase_add_loop_test(symbol_case, item_names, 0, COUNT(item_rows));
    tcase_add_loop_test(symbol_case, demangled, 0, COUNT(demangle_rows));
    tcase_add_test(symbol_case, demangled_without_end);
    tcase_add_test(mutation_case, mutations);
    tcase_set_timeout(hostile_case, 60);
    tcase_set_timeout(mutation_case, 60);

    suite_add_tcase(suite, good);
    suite_add_tcase(suite, hostile_case);
    suite_add_tcase(suite, files);
    suite_add_tcase(suite, symbol_case);
    suite_add_tcase(suite, mutation_case);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(image_suite());
    int failed;

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
