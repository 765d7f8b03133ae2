/* SPDX-License-Identifier: MIT */
/*
 * OVMF's tables. A GUID table ends 32 bytes below the image's end: its last entry is the footer, a
 * u16 with the length of all of it and the footer's GUID; the others lie below, each as data, u16
 * length (data + 18), GUID, and are walked downwards. The entry for SEV holds a u32, the distance
 * of the metadata from the image's end: "ASEV", u32 length, u32 version, u32 count, sections.
 *
 * The firmware was measured, but where it is and how long, the hypervisor says: everything is read
 * through guest_read and must lie inside.
 *
 * Source: edk2 OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm, OvmfPkg/ResetVector/X64/
 * OvmfSevMetadata.asm; behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/bios.rs.
 */
#include "firmware_table.h"

#include "abi/firmware.h"
#include "guest_memory.h"

#define METADATA_SIGNATURE 0x56455341 /* FIRMWARE_METADATA_SIGNATURE */
#define SECTION_COUNT_MAX 1024

#define GUID_SIZE 16

struct __attribute__((packed)) entry_end {
    u16 length;
    u8 guid[GUID_SIZE];
};

struct metadata {
    u32 signature;
    u32 length;
    u32 version;
    u32 section_count;
};
_Static_assert(sizeof(struct metadata) == FIRMWARE_METADATA_HEADER_SIZE, "abi/firmware.h");
_Static_assert(sizeof(struct firmware_section) == FIRMWARE_SECTION_SIZE, "abi/firmware.h");

/* FIRMWARE_GUID_TABLE */
static const u8 TABLE_GUID[GUID_SIZE] = {0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45,
                                         0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};
/* FIRMWARE_GUID_SEV_METADATA */
static const u8 METADATA_GUID[GUID_SIZE] = {0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98, 0x98, 0x47,
                                            0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc};

static bool guid_equals(const u8 *guid, const u8 *other)
{
    u32 same = 0;

    for (u32 i = 0; i < GUID_SIZE; i++) {
        same += guid[i] == other[i];
    }
    return same == GUID_SIZE;
}

/* The bytes of the table, footer excluded. */
static bool find_table(const struct firmware *firmware, u64 *begin, u64 *end)
{
    struct entry_end footer;

    if (firmware->size_bytes < FIRMWARE_TABLE_DISTANCE + sizeof(footer)) {
        return false;
    }
    *end = firmware->gpa + firmware->size_bytes - FIRMWARE_TABLE_DISTANCE - sizeof(footer);
    if (!guest_read(*end, &footer, sizeof(footer)) || !guid_equals(footer.guid, TABLE_GUID)) {
        return false;
    }
    if (footer.length < sizeof(footer) ||
        footer.length > firmware->size_bytes - FIRMWARE_TABLE_DISTANCE) {
        return false;
    }
    *begin = *end + sizeof(footer) - footer.length;
    return true;
}

/* Where the metadata begins, and how much of the image is left there. */
static bool find_metadata(const struct firmware *firmware, u64 *gpa, u64 *size_bytes)
{
    struct entry_end entry;
    u64 begin;
    u64 at;
    u32 distance;

    if (!find_table(firmware, &begin, &at)) {
        return false;
    }
    for (;; at -= entry.length) {
        if (at - begin < sizeof(entry) || !guest_read(at - sizeof(entry), &entry, sizeof(entry))) {
            return false;
        }
        if (entry.length < sizeof(entry) || entry.length > at - begin) {
            return false;
        }
        if (guid_equals(entry.guid, METADATA_GUID)) {
            break;
        }
    }
    if (entry.length < sizeof(entry) + sizeof(distance) ||
        !guest_read(at - entry.length, &distance, sizeof(distance)) ||
        distance > firmware->size_bytes) {
        return false;
    }
    *gpa = firmware->gpa + firmware->size_bytes - distance;
    *size_bytes = distance;
    return true;
}

bool firmware_find_section(const struct firmware *firmware, u32 type,
                           struct firmware_section *section)
{
    struct metadata metadata;
    u64 gpa;
    u64 size_bytes;

    if (!find_metadata(firmware, &gpa, &size_bytes) || size_bytes < sizeof(metadata) ||
        !guest_read(gpa, &metadata, sizeof(metadata)) || metadata.signature != METADATA_SIGNATURE) {
        return false;
    }
    if (metadata.section_count > SECTION_COUNT_MAX ||
        metadata.length < metadata.section_count * sizeof(*section) ||
        size_bytes - sizeof(metadata) < metadata.section_count * sizeof(*section)) {
        return false;
    }
    gpa += sizeof(metadata);
    for (u32 i = 0; i < metadata.section_count; i++) {
        if (!guest_read(gpa + i * sizeof(*section), section, sizeof(*section))) {
            return false;
        }
        if (section->type == type) {
            return true;
        }
    }
    return false;
}
