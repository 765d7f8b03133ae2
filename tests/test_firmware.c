/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image/firmware.c and launch_firmware.c: good firmware, hostile firmware, and what the launch
 * makes of it.
 *
 * Source of the expectations: AMDESE/qemu branch svsm-preview-v4 target/i386/sev.c and
 * hw/i386/pc_sysfw_guid_parse.c, as abi/firmware.h describes them.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/firmware.h"
#include "abi/svsm.h"
#include "elf_builder.h"
#include "image/firmware.h"
#include "launch.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SIZE 0x3000u
#define BASE (FIRMWARE_END_GPA - SIZE)
#define POKE_MAX 3

/* Offsets in the good firmware. */
enum {
    TABLE_END = SIZE - 32,
    FOOTER_GUID = TABLE_END - 16,
    FOOTER_LENGTH = FOOTER_GUID - 2,
    ENTRY_GUID = FOOTER_LENGTH - 16,
    ENTRY_LENGTH = ENTRY_GUID - 2,
    ENTRY_DATA = ENTRY_LENGTH - 4,
    OTHER_GUID = ENTRY_DATA - 16,
    OTHER_LENGTH = OTHER_GUID - 2,
    TABLE_LENGTH = TABLE_END - OTHER_LENGTH,
    HEADER = 0x2000,
    HEADER_LENGTH = HEADER + 4,
    HEADER_VERSION = HEADER + 8,
    HEADER_COUNT = HEADER + 12,
    SECTION = HEADER + 16,
    SECTIONS = 5,
};

static const uint8_t footer_guid[] = {0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45,
                                      0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};
static const uint8_t entry_guid[] = {0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98, 0x98, 0x47,
                                     0xA7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc};

/* The last one has a type that no launcher knows. */
static const struct {
    uint32_t gpa, size_bytes, type;
} sections[SECTIONS] = {
    {0x10000, 0x2000, FIRMWARE_SECTION_MEMORY},
    {0x8000, 0x1000, FIRMWARE_SECTION_SECRETS},
    {0x9000, 0x1000, FIRMWARE_SECTION_CPUID},
    {0xA000, 0x1000, FIRMWARE_SECTION_CALLING_AREA},
    {0x1FF000, 0x1000, 0x77},
};

struct poke {
    size_t offset;
    size_t width; /* 0: no poke */
    uint64_t value;
};

static void poke(uint8_t *bytes, size_t offset, size_t width, uint64_t value)
{
    for (size_t i = 0; i < width; i++) {
        bytes[offset + i] = (uint8_t)(value >> 8 * i);
    }
}

static void build(uint8_t bytes[SIZE])
{
    for (size_t i = 0; i < SIZE; i++) {
        bytes[i] = (uint8_t)(i * 7 + i / 4096);
    }
    memcpy(bytes + FOOTER_GUID, footer_guid, 16);
    poke(bytes, FOOTER_LENGTH, 2, TABLE_LENGTH);
    memcpy(bytes + ENTRY_GUID, entry_guid, 16);
    poke(bytes, ENTRY_LENGTH, 2, 22);
    poke(bytes, ENTRY_DATA, 4, SIZE - HEADER);
    poke(bytes, OTHER_LENGTH, 2, 18);
    memcpy(bytes + HEADER, "ASEV", 4);
    poke(bytes, HEADER_LENGTH, 4, 16 + SECTIONS * 12);
    poke(bytes, HEADER_VERSION, 4, 1);
    poke(bytes, HEADER_COUNT, 4, SECTIONS);
    for (size_t i = 0; i < SECTIONS; i++) {
        poke(bytes, SECTION + i * 12, 4, sections[i].gpa);
        poke(bytes, SECTION + i * 12 + 4, 4, sections[i].size_bytes);
        poke(bytes, SECTION + i * 12 + 8, 4, sections[i].type);
    }
}

static struct firmware *open_good(void)
{
    struct firmware *firmware = NULL;
    struct error error = {""};
    uint8_t bytes[SIZE];

    build(bytes);
    ck_assert_msg(firmware_open_bytes(&firmware, "dir/good.fd", bytes, SIZE, &error) == 0, "%s",
                  error.text);
    return firmware;
}

/* ---- the file ---- */

START_TEST(good)
{
    struct firmware *firmware = open_good();

    ck_assert_str_eq(firmware->name, "good");
    ck_assert_uint_eq(firmware->gpa, BASE);
    ck_assert_uint_eq(firmware->size_bytes, SIZE);
    ck_assert_uint_eq(firmware->section_count, SECTIONS);
    for (size_t i = 0; i < SECTIONS; i++) {
        ck_assert_uint_eq(firmware->section[i].gpa, sections[i].gpa);
        ck_assert_uint_eq(firmware->section[i].size_bytes, sections[i].size_bytes);
        ck_assert_uint_eq(firmware->section[i].type, sections[i].type);
    }
    firmware_close(firmware);
}
END_TEST

static const struct {
    const char *name, *place;
    struct poke poke[POKE_MAX];
} hostile_rows[] = {
    {"no footer", "GUID envelope at gpa 0xffffffce", {{FOOTER_GUID, 1, 0}}},
    {"footer length 0", "GUID envelope", {{FOOTER_LENGTH, 2, 0}}},
    {"footer length 17", "GUID envelope", {{FOOTER_LENGTH, 2, 17}}},
    {"footer longer than the image", "GUID envelope", {{FOOTER_LENGTH, 2, 0x2FE1}}},
    {"footer alone", "no SEV metadata entry", {{FOOTER_LENGTH, 2, 18}}},
    {"table ends inside an entry", "GUID entry", {{FOOTER_LENGTH, 2, 30}}},
    {"entry length 0", "GUID entry", {{ENTRY_LENGTH, 2, 0}}},
    {"entry length 23", "SEV metadata entry has length 23", {{ENTRY_LENGTH, 2, 23}}},
    {"no entry", "no SEV metadata entry", {{ENTRY_GUID, 1, 0}}},
    {"two entries",
     "a second SEV metadata entry",
     {{OTHER_GUID, 8, 0x4798984adc886566}, {OTHER_GUID + 8, 8, 0xcc67bfa785555ea7}}},
    {"offset 0", "SEV metadata offset 0x0", {{ENTRY_DATA, 4, 0}}},
    {"offset 15", "SEV metadata offset 0xf", {{ENTRY_DATA, 4, 15}}},
    {"offset beyond the image", "SEV metadata offset 0x3001", {{ENTRY_DATA, 4, SIZE + 1}}},
    {"offset all ones", "SEV metadata offset 0xffffffff", {{ENTRY_DATA, 4, UINT32_MAX}}},
    {"signature", "SEV metadata at gpa 0xfffff000", {{HEADER, 1, 'a'}}},
    {"version 2", "signature and version", {{HEADER_VERSION, 4, 2}}},
    {"33 sections", "33 sections", {{HEADER_COUNT, 4, 33}}},
    {"2^32 - 1 sections", "4294967295 sections", {{HEADER_COUNT, 4, UINT32_MAX}}},
    {"length too short", "correct length and count", {{HEADER_LENGTH, 4, 16 + SECTIONS * 12 - 1}}},
    {"length beyond the end", "correct length and count", {{HEADER_LENGTH, 4, 0x1001}}},
    {"sections beyond the end",
     "correct length and count",
     {{ENTRY_DATA, 4, 16}, {SIZE - 16, 8, 0x1056455341}, {SIZE - 8, 8, 0x100000001}}},
    {"empty section", "section 1: 0x0 bytes", {{SECTION + 12 + 4, 4, 0}}},
    {"half a page", "section 1: 0x800 bytes", {{SECTION + 12 + 4, 4, 0x800}}},
    {"misaligned section", "section 1", {{SECTION + 12, 4, 0x8001}}},
    {"section in the image", "section 3", {{SECTION + 36, 4, BASE}}},
    {"section into the image", "section 3", {{SECTION + 36, 8, BASE - 0x1000 + (0x2000ULL << 32)}}},
    {"section beyond 4 GiB", "section 3", {{SECTION + 36, 8, 0xFFFFF000FFFFF000}}},
    {"sections overlap", "overlaps section 0", {{SECTION + 12, 4, 0x11000}}},
    {"section twice", "overlaps section 1", {{SECTION + 24, 4, 0x8000}}},
};

START_TEST(hostile)
{
    struct firmware *firmware = NULL;
    struct error error = {""};
    uint8_t bytes[SIZE];

    build(bytes);
    for (size_t i = 0; i < POKE_MAX; i++) {
        const struct poke *row = &hostile_rows[_i].poke[i];

        poke(bytes, row->offset, row->width, row->value);
    }
    ck_assert_int_eq(firmware_open_bytes(&firmware, "f.fd", bytes, SIZE, &error), SNPEMU_ERR_INPUT);
    ck_assert_ptr_null(firmware);
    ck_assert_msg(strncmp(error.text, "f.fd: ", 6) == 0 &&
                      strstr(error.text, hostile_rows[_i].place) && strstr(error.text, "; "),
                  "%s: %s", hostile_rows[_i].name, error.text);
}
END_TEST

START_TEST(hostile_size)
{
    static const size_t sizes[] = {0, 1, 32, 66, 4095, 4097, SIZE - 1};
    uint8_t bytes[SIZE];

    build(bytes);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct firmware *firmware = NULL;
        struct error error = {""};

        ck_assert_int_eq(
            firmware_open_bytes(&firmware, "f.fd", bytes + SIZE - sizes[i], sizes[i], &error),
            SNPEMU_ERR_INPUT);
        ck_assert_msg(strstr(error.text, "whole 4 KiB pages") != NULL, "%s", error.text);
    }
}
END_TEST

START_TEST(hostile_file)
{
    static const struct {
        const char *path, *place;
        int status;
    } rows[] = {
        {"/no/such/firmware.fd", "give the path of a firmware image", SNPEMU_ERR_IO},
        {"/", "a directory, not a file; give the path of a firmware image", SNPEMU_ERR_INPUT},
        {"/dev/null", "a device, pipe or socket", SNPEMU_ERR_INPUT},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct firmware *firmware = NULL;
        struct error error = {""};

        ck_assert_int_eq(firmware_open(&firmware, rows[i].path, &error), rows[i].status);
        ck_assert_msg(strstr(error.text, rows[i].place) != NULL, "%s", error.text);
    }
}
END_TEST

/* The ELF file beside the flat bytes names what is in them. */
START_TEST(program)
{
    static const struct {
        const char *name;
        uint64_t gva;
    } rows[] = {{"reset_vector", 0xFFFFFFF0}, {"reset_protected", 0xFFFFF000}};
    struct firmware *firmware = NULL;
    struct error error = {""};
    uint64_t gva;

    ck_assert_msg(firmware_open(&firmware, SNPEMU_IMAGE_DIR "/firmware.bin", &error) == 0, "%s",
                  error.text);
    ck_assert_str_eq(firmware->name, "firmware");
    ck_assert_ptr_nonnull(firmware->program);
    for (size_t i = 0; i < COUNT(rows); i++) {
        ck_assert(image_symbol_find(firmware->program, rows[i].name, &gva, NULL));
        ck_assert_uint_eq(gva, rows[i].gva);
        ck_assert_str_eq(image_symbol_at(firmware->program, gva + 1, NULL), rows[i].name);
    }
    ck_assert(image_symbol_find(firmware->program, "guest_main", &gva, NULL));
    ck_assert_uint_gt(gva, 0xFFFF800000000000);
    firmware_close(firmware);
}
END_TEST

static void write_file(const char *path, const void *bytes, size_t size_bytes)
{
    FILE *file = fopen(path, "wb");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size_bytes, file), size_bytes);
    ck_assert_int_eq(fclose(file), 0);
}

/* What lies there under the name of an ELF file must be one. */
START_TEST(hostile_program)
{
    char directory[] = "/tmp/test_firmware.XXXXXX", flat[64], elf[64];
    struct firmware *firmware = NULL;
    struct error error = {""};
    uint8_t bytes[SIZE];

    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(flat, sizeof(flat), "%s/f.bin", directory);
    snprintf(elf, sizeof(elf), "%s/f.elf", directory);
    build(bytes);
    write_file(flat, bytes, SIZE);
    ck_assert_msg(firmware_open(&firmware, flat, &error) == 0, "%s", error.text);
    ck_assert_ptr_null(firmware->program);
    firmware_close(firmware);
    firmware = NULL;
    write_file(elf, bytes, SIZE);
    ck_assert_int_eq(firmware_open(&firmware, flat, &error), SNPEMU_ERR_INPUT);
    ck_assert_msg(strncmp(error.text, elf, strlen(elf)) == 0, "%s", error.text);
    ck_assert_ptr_null(firmware);
    unlink(flat);
    unlink(elf);
    rmdir(directory);
}
END_TEST

/* Any change of a few bytes gives firmware that is consistent, or one line. */
START_TEST(mutations)
{
    uint64_t random = 12345;
    size_t opened = 0;

    for (size_t round = 0; round < 20000; round++) {
        struct firmware *firmware = NULL;
        struct error error = {""};
        uint8_t bytes[SIZE];
        size_t changes = 1 + round % 4;

        build(bytes);
        for (size_t i = 0; i < changes; i++) {
            random = random * 6364136223846793005ULL + 1442695040888963407ULL;
            bytes[random >> 63 ? HEADER + (random >> 33) % 80
                               : OTHER_LENGTH + (random >> 33) % (TABLE_END - OTHER_LENGTH)] =
                (uint8_t)(random >> 20);
        }
        if (firmware_open_bytes(&firmware, "f", bytes, SIZE, &error) != 0) {
            ck_assert(error.text[0] != '\0');
            continue;
        }
        opened++;
        ck_assert_uint_le(firmware->section_count, FIRMWARE_SECTION_MAX);
        for (size_t i = 0; i < firmware->section_count; i++) {
            ck_assert_uint_le(firmware->section[i].gpa + firmware->section[i].size_bytes, BASE);
            ck_assert_uint_gt(firmware->section[i].size_bytes, 0);
        }
        firmware_close(firmware);
    }
    ck_assert_uint_gt(opened, 100); /* the test reaches the sections */
}
END_TEST

/* ---- the launch ---- */

static struct hypervisor_config config;
static struct image *image;

static void setup(void)
{
    struct error error = {""};
    struct elf_file file;

    hypervisor_config_init(&config, 1);
    elf_build(&file, NULL, 0);
    ck_assert_msg(image_open_bytes(&image, "svsm.elf", file.bytes, file.size_bytes, &error) == 0,
                  "%s", error.text);
    elf_free(&file);
}

static void teardown(void)
{
    image_close(image);
}

static int launch(struct machine *machine, const struct firmware *firmware, uint32_t guest_mib,
                  struct error *error)
{
    struct launch options = {
        .image = image,
        .firmware = firmware,
        .config = &config,
        .guest_memory_mib = guest_mib,
        .seed = 1,
    };
    int status = launch_psp(&options.psp, &config, 1, error);

    if (status == 0) {
        status = launch_machine(machine, &options, error);
        psp_free(options.psp);
    }
    return status;
}

static const struct rmp_entry *entry_at(const struct machine *machine, uint64_t gpa)
{
    uint32_t page = memory_page(&machine->memory, gpa);

    ck_assert_msg(page != MEMORY_NO_PAGE, "no memory at gpa 0x%llx", (unsigned long long)gpa);
    return &machine->rmp.entry[page];
}

/* Slots in the order of their addresses; nothing but whole large pages. */
START_TEST(launch_memory)
{
    static const uint64_t there[] = {0, 0x3FFFFF, ELF_BUILDER_GPA, BASE, 0xFFFFFFFF};
    static const uint64_t nowhere[] = {0x400000, 0xFFDFFFFF, 0x100000000, ELF_BUILDER_GPA - 1};
    struct firmware *firmware = open_good();
    struct error error = {""};
    struct machine machine;

    ck_assert_msg(launch(&machine, firmware, 4, &error) == 0, "%s", error.text);
    ck_assert_uint_eq(machine.memory.slot_count, 3);
    for (size_t i = 1; i < 3; i++) {
        ck_assert_uint_lt(machine.memory.slot[i - 1].gpa, machine.memory.slot[i].gpa);
    }
    for (size_t i = 0; i < COUNT(there); i++) {
        entry_at(&machine, there[i]);
    }
    for (size_t i = 0; i < COUNT(nowhere); i++) {
        ck_assert_uint_eq(memory_page(&machine.memory, nowhere[i]), MEMORY_NO_PAGE);
    }
    machine_release(&machine);
    ck_assert_msg(launch(&machine, NULL, 4, &error) == 0, "%s", error.text);
    ck_assert_uint_eq(machine.memory.slot_count, 1);
    machine_release(&machine);
    firmware_close(firmware);
}
END_TEST

START_TEST(launch_guest_pages)
{
    struct firmware *firmware = open_good();
    struct error error = {""};
    struct machine machine;

    ck_assert_msg(launch(&machine, firmware, 4, &error) == 0, "%s", error.text);
    for (uint64_t gpa = 0; gpa < 0x400000; gpa += PAGE_SIZE) {
        const struct rmp_entry *entry = entry_at(&machine, gpa);
        bool launched = false;

        for (size_t i = 0; i < SECTIONS; i++) {
            launched |= gpa - sections[i].gpa < sections[i].size_bytes;
        }
        ck_assert_msg(entry->flags == (launched ? RMP_ASSIGNED | RMP_VALIDATED : 0) &&
                          entry->perm[1] == (launched ? 0xF : 0) && entry->perm[2] == 0 &&
                          entry->perm[3] == 0,
                      "gpa 0x%llx", (unsigned long long)gpa);
        if (launched) {
            const uint8_t *bytes = memory_bytes(&machine.memory, memory_page(&machine.memory, gpa));

            for (size_t i = 0; i < PAGE_SIZE; i++) {
                ck_assert_uint_eq(bytes[i], 0);
            }
        }
    }
    for (uint64_t at = 0; at < SIZE; at += PAGE_SIZE) {
        uint32_t page = memory_page(&machine.memory, BASE + at);

        ck_assert_uint_eq(machine.rmp.entry[page].flags, RMP_ASSIGNED | RMP_VALIDATED);
        ck_assert_uint_eq(machine.rmp.entry[page].perm[1], 0xF);
        ck_assert_mem_eq(memory_bytes(&machine.memory, page), firmware->bytes + at, PAGE_SIZE);
    }
    ck_assert_uint_eq(entry_at(&machine, BASE - PAGE_SIZE)->flags, 0);
    /* The SVSM's own pages are not the guest's. */
    ck_assert_uint_eq(entry_at(&machine, ELF_BUILDER_GPA)->perm[1], 0);
    machine_release(&machine);
    firmware_close(firmware);
}
END_TEST

START_TEST(launch_refused)
{
    struct firmware *firmware = open_good();
    struct error error = {""};
    struct machine machine;

    image->load_gpa = 0xFFE00000;
    ck_assert_int_eq(launch(&machine, firmware, 4, &error), SNPEMU_ERR_INPUT);
    ck_assert_msg(strstr(error.text, "the firmware's memory") != NULL, "%s", error.text);
    image->load_gpa = 0x200000;
    ck_assert_int_eq(launch(&machine, firmware, 4, &error), SNPEMU_ERR_INPUT);
    ck_assert_msg(strstr(error.text, "the guest's memory") != NULL, "%s", error.text);
    image->load_gpa = ELF_BUILDER_GPA;
    firmware->section[SECTIONS - 1].gpa = 0x3FF000;
    ck_assert_int_eq(launch(&machine, firmware, 2, &error), SNPEMU_ERR_INPUT);
    ck_assert_msg(strstr(error.text, "raise guest_memory_mib") != NULL, "%s", error.text);
    firmware_close(firmware);
}
END_TEST

/* sev_svsm_set_vmpl1_vmsa, from the reset values of the processor: APM Vol 2 table 14-1. */
START_TEST(bios_vmsa)
{
    static const struct {
        uint32_t offset;
        uint8_t size;
        uint64_t value;
    } fields[] = {
        {0x010, 2, 0xF000}, {0x012, 2, 0x9B},   {0x014, 4, 0xFFFF},   {0x018, 8, 0xFFFF0000},
        {0x032, 2, 0x93},   {0x064, 4, 0xFFFF}, {0x092, 2, 0x8B},     {0x0CA, 1, 1},
        {0x0D0, 8, 0x1000}, {0x148, 8, 0x40},   {0x150, 8, 0},        {0x158, 8, 0x10},
        {0x170, 8, 2},      {0x178, 8, 0xFFF0}, {0x310, 8, 0xABCDEF}, {0x3B0, 8, 1},
        {0x3E8, 8, 1},      {0x1D8, 8, 0},      {0x408, 4, 0},
    };
    struct error error = {""};
    const uint8_t *bytes;
    struct machine machine;

    config.cpuid[1].eax = 0xABCDEF;
    ck_assert_uint_eq(config.cpuid[1].eax_in, 1);
    ck_assert_msg(launch(&machine, NULL, 4, &error) == 0, "%s", error.text);
    for (size_t i = 0; i < image->section_count; i++) {
        if (image->section[i].type != SVSM_SECTION_BIOS_VMSA) {
            continue;
        }
        bytes = memory_bytes(&machine.memory, memory_page(&machine.memory, image->section[i].gpa));
        for (size_t field = 0; field < COUNT(fields); field++) {
            uint64_t value = 0;

            memcpy(&value, bytes + fields[field].offset, fields[field].size);
            ck_assert_msg(value == fields[field].value, "offset 0x%x: 0x%llx", fields[field].offset,
                          (unsigned long long)value);
        }
    }
    machine_release(&machine);
}
END_TEST

START_TEST(launch_files)
{
    struct firmware *firmware = open_good();
    static struct fw_cfg_files files;
    uint64_t value;

    memset(&files, 0, sizeof(files));
    ck_assert(launch_firmware_files(&files, firmware));
    ck_assert_uint_eq(files.count, 2);
    ck_assert_str_eq(files.file[0].name, "etc/bios_gpa");
    memcpy(&value, files.bytes + files.file[0].offset, 8);
    ck_assert_uint_eq(value, BASE);
    ck_assert_str_eq(files.file[1].name, "etc/bios_size");
    memcpy(&value, files.bytes + files.file[1].offset, 8);
    ck_assert_uint_eq(value, SIZE);

    /* What a scenario says stays. */
    memset(&files, 0, sizeof(files));
    ck_assert(fw_cfg_add_file(&files, "etc/bios_gpa", "short", 5));
    ck_assert(launch_firmware_files(&files, firmware));
    ck_assert_uint_eq(files.count, 2);
    ck_assert_uint_eq(files.file[0].size_bytes, 5);

    memset(&files, 0, sizeof(files));
    for (int i = 0; i < FW_CFG_FILE_MAX - 1; i++) {
        char name[16];

        snprintf(name, sizeof(name), "file%d", i);
        ck_assert(fw_cfg_add_file(&files, name, "", 0));
    }
    ck_assert(!launch_firmware_files(&files, firmware));
    firmware_close(firmware);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("firmware");
    TCase *file = tcase_create("file");
    TCase *launched = tcase_create("launch");
    SRunner *runner;
    int failed;

    tcase_add_test(file, good);
    tcase_add_loop_test(file, hostile, 0, COUNT(hostile_rows));
    tcase_add_test(file, hostile_size);
    tcase_add_test(file, hostile_file);
    tcase_add_test(file, program);
    tcase_add_test(file, hostile_program);
    tcase_add_test(file, mutations);
    suite_add_tcase(suite, file);
    tcase_add_checked_fixture(launched, setup, teardown);
    tcase_add_test(launched, launch_memory);
    tcase_add_test(launched, launch_guest_pages);
    tcase_add_test(launched, launch_refused);
    tcase_add_test(launched, bios_vmsa);
    tcase_add_test(launched, launch_files);
    suite_add_tcase(suite, launched);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
