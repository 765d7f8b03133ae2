/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/firmware.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/firmware.h"
#include "abi/x86.h"
#include "image/input.h"
#include "image/internal.h"

#define METADATA_ENTRY_SIZE 4u
#define PROGRAM_SUFFIX ".elf"

static const struct input_kind firmware_kind = {.name = "a firmware image",
                                                .size_max = FIRMWARE_BYTES_MAX,
                                                .shrink = "give one that fits below 4 GiB"};

static const struct guid_row entry_row = {FIRMWARE_GUID_SEV_METADATA, "SEV metadata",
                                          METADATA_ENTRY_SIZE};

/* The file name without directory and what follows its last dot. */
static char *name_from_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(base, '.');

    return strndup(base, dot != NULL && dot != base ? (size_t)(dot - base) : strlen(base));
}

static int check_section(const struct firmware *firmware, size_t index, struct error *error)
{
    const struct firmware_section *section = &firmware->section[index];

    if (section->size_bytes == 0 || ((section->gpa | section->size_bytes) & PAGE_MASK) != 0) {
        return input_refuse(firmware->path, error,
                            "SEV metadata section %zu: 0x%" PRIx32 " bytes at gpa 0x%" PRIx64
                            " are not whole 4 KiB pages; correct the section",
                            index, section->size_bytes, section->gpa);
    }
    if (section->gpa + section->size_bytes > firmware->gpa) {
        return input_refuse(firmware->path, error,
                            "SEV metadata section %zu: 0x%" PRIx32 " bytes at gpa 0x%" PRIx64
                            " do not lie below the image's first byte, gpa 0x%" PRIx64
                            "; correct the section",
                            index, section->size_bytes, section->gpa, firmware->gpa);
    }
    for (size_t i = 0; i < index; i++) {
        const struct firmware_section *other = &firmware->section[i];

        if (section->gpa - other->gpa < other->size_bytes ||
            other->gpa - section->gpa < section->size_bytes) {
            return input_refuse(firmware->path, error,
                                "SEV metadata section %zu: overlaps section %zu at gpa 0x%" PRIx64
                                ", and no page can be launched twice; correct their addresses",
                                index, i, section->gpa);
        }
    }
    return 0;
}

static int read_sections(struct firmware *firmware, uint64_t offset, size_t count,
                         struct error *error)
{
    const uint8_t *at = firmware->bytes + offset;
    int status = 0;

    for (size_t i = 0; status == 0 && i < count; i++) {
        firmware->section[i].gpa = take_le(&at, 4);
        firmware->section[i].size_bytes = (uint32_t)take_le(&at, 4);
        firmware->section[i].type = (uint32_t)take_le(&at, 4);
        status = check_section(firmware, i, error);
        firmware->section_count = i + 1;
    }
    return status;
}

static int read_metadata(struct firmware *firmware, uint64_t entry_offset, struct error *error)
{
    const uint8_t *at = firmware->bytes + entry_offset;
    uint64_t distance = take_le(&at, METADATA_ENTRY_SIZE);
    uint64_t offset, gpa;
    uint32_t length, version, count;

    if (distance < FIRMWARE_METADATA_HEADER_SIZE || distance > firmware->size_bytes) {
        return input_refuse(firmware->path, error,
                            "GUID entry at gpa 0x%" PRIx64 ": SEV metadata offset 0x%" PRIx64
                            " from the image's end leaves the image of 0x%zx bytes; correct the "
                            "offset",
                            firmware->gpa + entry_offset, distance, firmware->size_bytes);
    }
    offset = firmware->size_bytes - distance;
    gpa = firmware->gpa + offset;
    at = firmware->bytes + offset + 4;
    length = (uint32_t)take_le(&at, 4);
    version = (uint32_t)take_le(&at, 4);
    count = (uint32_t)take_le(&at, 4);
    if (memcmp(firmware->bytes + offset, FIRMWARE_METADATA_SIGNATURE, 4) != 0 ||
        version != FIRMWARE_METADATA_VERSION) {
        return input_refuse(firmware->path, error,
                            "SEV metadata at gpa 0x%" PRIx64
                            ": signature and version are not \"" FIRMWARE_METADATA_SIGNATURE
                            "\" and %d; correct the offset or the header",
                            gpa, FIRMWARE_METADATA_VERSION);
    }
    if (count > FIRMWARE_SECTION_MAX) {
        return input_refuse(firmware->path, error,
                            "SEV metadata at gpa 0x%" PRIx64 ": %" PRIu32
                            " sections, more than %d; correct the count",
                            gpa, count, FIRMWARE_SECTION_MAX);
    }
    if (length < FIRMWARE_METADATA_HEADER_SIZE + count * FIRMWARE_SECTION_SIZE ||
        length > distance) {
        return input_refuse(firmware->path, error,
                            "SEV metadata at gpa 0x%" PRIx64 ": length %" PRIu32 " with %" PRIu32
                            " sections of %d bytes, %" PRIu64
                            " bytes before the image's end; correct length and count",
                            gpa, length, count, FIRMWARE_SECTION_SIZE, distance);
    }
    return read_sections(firmware, offset + FIRMWARE_METADATA_HEADER_SIZE, count, error);
}

static int read_firmware(struct firmware *firmware, struct error *error)
{
    struct flat_segment segment = {
        .file_size_bytes = firmware->size_bytes,
        .memory_size_bytes = firmware->size_bytes,
        .bytes = firmware->bytes,
    };
    struct flat flat = {.segment = &segment, .count = 1, .size_bytes = firmware->size_bytes};
    struct guid_table table = {
        .path = firmware->path,
        .flat = &flat,
        .envelope = FIRMWARE_GUID_TABLE,
        .space = "gpa",
        .remedy = "give a firmware image with SEV metadata, such as OVMF built for SEV-SNP",
    };
    uint64_t offset;
    int status;

    if (firmware->size_bytes == 0 || (firmware->size_bytes & PAGE_MASK) != 0 ||
        firmware->size_bytes > FIRMWARE_BYTES_MAX) {
        return input_refuse(firmware->path, error,
                            "0x%zx bytes are not whole 4 KiB pages, at most 0x%x bytes; give a "
                            "flat firmware image",
                            firmware->size_bytes, FIRMWARE_BYTES_MAX);
    }
    firmware->gpa = FIRMWARE_END_GPA - firmware->size_bytes;
    segment.gva = firmware->gpa;
    flat.gva = firmware->gpa;
    table.end = firmware->size_bytes - FIRMWARE_TABLE_DISTANCE;
    status = guid_table_read(&table, &entry_row, 1, &offset, error);
    return status == 0 ? read_metadata(firmware, offset, error) : status;
}

static struct firmware *firmware_new(const char *path)
{
    struct firmware *firmware = calloc(1, sizeof(*firmware));

    if (firmware != NULL) {
        firmware->path = strdup(path);
        firmware->name = name_from_path(path);
    }
    if (firmware != NULL && (firmware->path == NULL || firmware->name == NULL)) {
        firmware_close(firmware);
        firmware = NULL;
    }
    return firmware;
}

static int finish(struct firmware **out, struct firmware *firmware, int status, struct error *error)
{
    if (status == 0) {
        status = read_firmware(firmware, error);
    }
    if (status != 0) {
        firmware_close(firmware);
        return status;
    }
    *out = firmware;
    return 0;
}

/* The ELF file that the flat bytes were made from, where it lies beside them. */
static int open_program(struct firmware *firmware, struct error *error)
{
    const char *slash = strrchr(firmware->path, '/');
    const char *dot = strrchr(firmware->path, '.');
    bool has_suffix = dot != NULL && (slash == NULL || dot > slash + 1);
    size_t length = has_suffix ? (size_t)(dot - firmware->path) : strlen(firmware->path);
    char *path = NULL;
    int status = 0;

    if (asprintf(&path, "%.*s" PROGRAM_SUFFIX, (int)length, firmware->path) < 0) {
        return input_out_of_memory(firmware->path, error);
    }
    if (strcmp(path, firmware->path) != 0 && access(path, R_OK) == 0) {
        status = image_open_program(&firmware->program, path, error);
    }
    free(path);
    return status;
}

int firmware_open(struct firmware **firmware, const char *path, struct error *error)
{
    struct firmware *opened = firmware_new(path);
    int status;

    if (opened == NULL) {
        return error_set(error, SNPEMU_ERR_MEMORY, "firmware: out of memory");
    }
    status = input_read(path, &firmware_kind, &opened->bytes, &opened->size_bytes, error);
    if (status == 0) {
        status = open_program(opened, error);
    }
    return finish(firmware, opened, status, error);
}

int firmware_open_bytes(struct firmware **firmware, const char *path, const void *bytes,
                        size_t size_bytes, struct error *error)
{
    struct firmware *opened = firmware_new(path);
    int status = 0;

    if (opened == NULL) {
        return error_set(error, SNPEMU_ERR_MEMORY, "firmware: out of memory");
    }
    opened->bytes = malloc(size_bytes + 1);
    if (opened->bytes == NULL) {
        status = input_out_of_memory(path, error);
    } else if (size_bytes != 0) {
        memcpy(opened->bytes, bytes, size_bytes);
        opened->size_bytes = size_bytes;
    }
    return finish(firmware, opened, status, error);
}

void firmware_close(struct firmware *firmware)
{
    if (firmware == NULL) {
        return;
    }
    image_close(firmware->program);
    free(firmware->bytes);
    free(firmware->name);
    free(firmware->path);
    free(firmware);
}
