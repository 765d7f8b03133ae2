/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * svsm/firmware_table.c: what a firmware says of itself is found, and no broken table makes the
 * SVSM read outside the firmware or go on for ever.
 */
#include "svsm_host.h"

#include "../svsm/firmware_table.c"

#define GPA 0xFFFFF000u
#define SIZE 0x1000u
#define FOOTER (SIZE - 32 - 18) /* length, GUID */
#define ENTRY (FOOTER - 22)     /* distance, length, GUID */
#define OTHER (ENTRY - 30)      /* 12 bytes, length, another GUID */
#define METADATA 0x100u
#define SECTIONS 4u

static u8 image[SIZE];
static u32 reads;
static bool outside;

bool guest_read(u64 gpa, void *to, u64 size_bytes)
{
    reads++;
    if (gpa < GPA || size_bytes > SIZE || gpa - GPA > SIZE - size_bytes) {
        outside = true;
        return false;
    }
    for (u64 i = 0; i < size_bytes; i++) {
        ((u8 *)to)[i] = image[gpa - GPA + i];
    }
    return true;
}

static void put(u32 offset, u32 size_bytes, u64 value)
{
    for (u32 i = 0; i < size_bytes; i++) {
        image[offset + i] = (u8)(value >> 8 * i);
    }
}

static void put_guid(u32 offset, const u8 *guid)
{
    for (u32 i = 0; i < GUID_SIZE; i++) {
        image[offset + i] = guid[i];
    }
}

static void build(void)
{
    for (u32 i = 0; i < SIZE; i++) {
        image[i] = 0;
    }
    put(OTHER + 12, 2, 30);
    put(ENTRY, 4, SIZE - METADATA);
    put(ENTRY + 4, 2, 22);
    put_guid(ENTRY + 6, METADATA_GUID);
    put(FOOTER, 2, 30 + 22 + 18);
    put_guid(FOOTER + 2, TABLE_GUID);
    put(METADATA, 4, METADATA_SIGNATURE);
    put(METADATA + 4, 4, 16 + SECTIONS * 12);
    put(METADATA + 8, 4, 1);
    put(METADATA + 12, 4, SECTIONS);
    for (u32 i = 0; i < SECTIONS; i++) {
        put(METADATA + 16 + i * 12, 4, 0x10000 + i * 0x1000);
        put(METADATA + 20 + i * 12, 4, 0x1000);
        put(METADATA + 24 + i * 12, 4, i + 1);
    }
    reads = 0;
    outside = false;
}

static bool find(u32 type, struct firmware_section *section)
{
    const struct firmware firmware = {GPA, SIZE};

    return firmware_find_section(&firmware, type, section);
}

START_TEST(test_found)
{
    struct firmware_section section;

    build();
    for (u32 i = 0; i < SECTIONS; i++) {
        ck_assert(find(i + 1, &section));
        ck_assert_uint_eq(section.gpa, 0x10000 + i * 0x1000);
        ck_assert_uint_eq(section.size_bytes, 0x1000);
    }
    ck_assert(!find(SECTIONS + 1, &section));
    ck_assert(!outside);
}
END_TEST

static const struct {
    const char *name;
    u32 offset, size_bytes;
    u64 value;
    bool found;
} rows[] = {
    {"footer without its GUID", FOOTER + 2, 1, 0, false},
    {"table shorter than its footer", FOOTER, 2, 17, false},
    {"table of the footer alone", FOOTER, 2, 18, false},
    {"table that ends inside the entry", FOOTER, 2, 18 + 21, false},
    {"table of footer and entry", FOOTER, 2, 18 + 22, true},
    {"table longer than the firmware", FOOTER, 2, SIZE - 31, false},
    {"table as long as the firmware", FOOTER, 2, SIZE - 32, true},
    {"largest length of a table", FOOTER, 2, 0xFFFF, false},
    {"entry of another GUID", ENTRY + 6, 1, 0, false},
    {"entry shorter than its end", ENTRY + 4, 2, 17, false},
    {"entry of length 0", ENTRY + 4, 2, 0, false},
    {"entry without distance", ENTRY + 4, 2, 21, false},
    {"entry longer than the table", ENTRY + 4, 2, 0xFFFF, false},
    {"distance beyond the firmware", ENTRY, 4, SIZE + 1, false},
    {"largest distance", ENTRY, 4, 0xFFFFFFFF, false},
    {"no distance", ENTRY, 4, 0, false},
    {"less than a header left", ENTRY, 4, 15, false},
    {"no signature", METADATA, 1, 0, false},
    {"length less than the sections'", METADATA + 4, 4, SECTIONS * 12 - 1, false},
    {"length of the sections alone", METADATA + 4, 4, SECTIONS * 12, true},
    {"one section", METADATA + 12, 4, 1, false},
    {"sections beyond the length", METADATA + 12, 4, SECTIONS + 2, false},
    {"largest section count", METADATA + 12, 4, 0xFFFFFFFF, false},
    {"no sections", METADATA + 12, 4, 0, false},
};

START_TEST(test_broken)
{
    struct firmware_section section;

    build();
    put(rows[_i].offset, rows[_i].size_bytes, rows[_i].value);
    ck_assert_msg(find(SECTIONS, &section) == rows[_i].found, "%s", rows[_i].name);
    ck_assert_msg(!outside, "%s: a read outside the firmware", rows[_i].name);
}
END_TEST

/* A length that lets the sections reach beyond the end: all of the metadata must be inside. */
START_TEST(test_sections_beyond_end)
{
    struct firmware_section section;

    build();
    put(ENTRY, 4, 16 + 12); /* metadata in the reset vector's place */
    put(SIZE - 28, 4, METADATA_SIGNATURE);
    put(SIZE - 24, 4, 0xFFFFFFFF);
    put(SIZE - 16, 4, 2);
    ck_assert(!find(SECTIONS, &section));
    ck_assert(!outside);
    put(SIZE - 16, 4, 1);
    put(SIZE - 4, 4, SECTIONS);
    ck_assert(find(SECTIONS, &section));
}
END_TEST

START_TEST(test_too_small)
{
    struct firmware firmware = {GPA, 0};
    struct firmware_section section;

    build();
    for (firmware.size_bytes = 0; firmware.size_bytes < 50; firmware.size_bytes++) {
        ck_assert(!firmware_find_section(&firmware, 1, &section));
    }
    ck_assert_uint_eq(reads, 0);
}
END_TEST

/* Whatever the bytes: nothing outside, and no more steps than entries and sections can be. */
START_TEST(test_random)
{
    u64 state = 1;

    for (u32 round = 0; round < 20000; round++) {
        struct firmware_section section;

        build();
        for (u32 i = 0; i < 3; i++) {
            u32 offset;

            state = state * 6364136223846793005u + 1442695040888963407u;
            offset = (u32)(state >> 33);
            offset = (offset & 1) != 0 ? OTHER + offset % (FOOTER + 18 - OTHER)
                                       : METADATA + offset % (16 + SECTIONS * 12);
            put(offset, 1, state >> 40);
        }
        find((u32)(state >> 60), &section);
        ck_assert_msg(!outside, "round %u", round);
        ck_assert_uint_le(reads, 4 + 0xFFFF / 18 + SECTION_COUNT_MAX);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("svsm firmware table");
    TCase *tcase = tcase_create("table");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tcase, test_found);
    tcase_add_loop_test(tcase, test_broken, 0, (int)(sizeof(rows) / sizeof(rows[0])));
    tcase_add_test(tcase, test_sections_beyond_end);
    tcase_add_test(tcase, test_too_small);
    tcase_add_test(tcase, test_random);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
