/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Places in the code: symbols, lines, inlined functions and callers, of good images and broken. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/image.h"
#include "image/place.h"
#include "image/source.h"
#include "image/unwind.h"

#define IMAGE SNPEMU_IMAGE_DIR "/svsm-percpu.elf"

static struct image *open_image(void)
{
    struct error error = {""};
    struct image *image = NULL;

    ck_assert_msg(image_open(&image, IMAGE, &error) == 0, "%s", error.text);
    return image;
}

START_TEST(place_of_a_symbol)
{
    struct image *image = open_image();
    struct image_place place;
    char text[IMAGE_PLACE_TEXT_MAX];
    uint64_t gva;

    ck_assert(image_symbol_find(image, "svsm_panic", &gva, NULL));
    for (int twice = 0; twice < 2; twice++) { /* the second time it is kept already */
        image_place_at(image, gva + 1, &place);
        ck_assert_str_eq(place.symbol, "svsm_panic");
        ck_assert_uint_eq(place.offset, 1);
        ck_assert_uint_eq(place.frame_count, 1);
        /* clang's assembler names the whole path, whatever it is told. */
        ck_assert_ptr_nonnull(strstr(place.frame[0].path, "svsm/panic_hang.S"));
        ck_assert_str_eq(place.frame[0].file, "panic_hang.S");
    }
    image_place_print(&place, text, sizeof(text));
    ck_assert_ptr_nonnull(strstr(text, "svsm_panic+0x1 at panic_hang.S:"));
    image_place_at(image, 0x1234, &place);
    ck_assert_ptr_null(place.symbol);
    ck_assert_uint_eq(image_place_print(&place, text, sizeof(text)), 0);
    ck_assert_str_eq(text, "");
    image_place_at(NULL, gva, &place);
    ck_assert_ptr_null(place.symbol);
    image_close(image);
}
END_TEST

/* Where a function was inlined there is a line for each caller, out to the symbol's own function.
 */
START_TEST(inlined)
{
    struct image *image = open_image();
    size_t count, seen = 0;
    const struct image_function *function = image_functions(image, &count);

    for (size_t i = 0; i < count; i++) {
        struct image_place place;

        image_place_at(image, function[i].gva, &place);
        if (!function[i].inlined || place.frame_count < 2) {
            continue;
        }
        seen++;
        ck_assert_str_eq(place.frame[place.frame_count - 1].function, place.symbol);
        for (size_t frame = 0; frame < place.frame_count; frame++) {
            ck_assert_ptr_nonnull(place.frame[frame].function);
            ck_assert_uint_gt(place.frame[frame].line, 0);
        }
    }
    ck_assert_uint_gt(seen, 10);
    image_close(image);
}
END_TEST

START_TEST(printed)
{
    const struct image_place place = {
        .symbol = "main",
        .offset = 0x40,
        .frame_count = 3,
        .frame = {{"read", "/a/list.c", "list.c", 12},
                  {NULL, "/a/b.c", "b.c", 30},
                  {"main", "/a/main.c", "main.c", 9}},
    };
    static const char whole[] = "main+0x40 at list.c:12 in read, inlined at b.c:30, inlined at "
                                "main.c:9";
    char text[sizeof(whole)];

    for (size_t size = 0; size <= sizeof(text); size++) {
        memset(text, 'x', sizeof(text));
        ck_assert_uint_eq(image_place_print(&place, text, size), strlen(whole));
        if (size > 0) {
            ck_assert_uint_eq(strlen(text), size - 1);
            ck_assert_mem_eq(text, whole, size - 1);
        }
    }
}
END_TEST

/* Lines ascend and do not overlap; ranges of functions nest by their number. */
START_TEST(tables)
{
    struct image *image = open_image();
    size_t lines, functions;
    const struct image_line *line = image_lines(image, &lines);
    const struct image_function *function = image_functions(image, &functions);

    ck_assert_uint_gt(lines, 500);
    ck_assert_uint_gt(functions, 100);
    for (size_t i = 0; i < lines; i++) {
        ck_assert_uint_lt(line[i].gva, line[i].end);
        ck_assert(i == 0 || line[i - 1].end <= line[i].gva);
        ck_assert_uint_gt(line[i].line, 0);
    }
    for (size_t i = 0; i < functions; i++) {
        ck_assert(i == 0 || function[i - 1].gva <= function[i].gva);
        ck_assert(function[i].outer == SIZE_MAX || function[i].outer < i);
    }
    image_close(image);
}
END_TEST

static bool read_stack(void *context, uint64_t gva, uint64_t *value)
{
    const uint64_t *stack = context;

    if (gva < 0x1000 || gva % 8 || gva >= 0x1000 + 8 * 8) {
        return false;
    }
    *value = stack[(gva - 0x1000) / 8];
    return true;
}

/* At a function's first instruction its caller's address is on top of the stack. */
START_TEST(unwound)
{
    struct image *image = open_image();
    uint64_t stack[8] = {0x1111, 0x2222}, gva;
    struct unwind_registers registers = {.known = ~0u}, before;

    ck_assert(image_symbol_find(image, "percpu_init", &gva, NULL));
    registers.value[UNWIND_RSP] = 0x1000;
    registers.value[UNWIND_RBP] = 77;
    ck_assert(image_unwind(image, gva, &registers, read_stack, stack));
    ck_assert_uint_eq(registers.value[UNWIND_RIP], 0x1111);
    ck_assert_uint_eq(registers.value[UNWIND_RSP], 0x1008);
    ck_assert_uint_eq(registers.value[UNWIND_RBP], 77);
    /* No stack there, or no such function: nothing changes. */
    registers.value[UNWIND_RSP] = 0x9000;
    before = registers;
    ck_assert(!image_unwind(image, gva, &registers, read_stack, stack));
    ck_assert(!image_unwind(image, 0x1234, &registers, read_stack, stack));
    ck_assert_mem_eq(&before, &registers, sizeof(before));
    image_close(image);
}
END_TEST

static uint8_t *read_file(size_t *size)
{
    FILE *file = fopen(IMAGE, "rb");
    uint8_t *bytes;

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    *size = (size_t)ftell(file);
    rewind(file);
    bytes = malloc(*size);
    ck_assert_uint_eq(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

/* Random bytes in the debugging information: some answer, or none, in bounded time. */
START_TEST(mutated)
{
    size_t size, lines, functions;
    uint8_t *good = read_file(&size), *bad = malloc(size);
    uint64_t random = 7, gva;
    struct image *image = open_image();

    ck_assert(image_symbol_find(image, "percpu_init", &gva, NULL));
    image_close(image);
    for (int round = 0; round < 150; round++) {
        struct unwind_registers registers = {.known = ~0u};
        uint64_t stack[8] = {0};
        struct error error = {""};
        struct image_place place;

        memcpy(bad, good, size);
        for (int i = 0; i < 40; i++) { /* most of the file's second half is DWARF */
            random = random * 6364136223846793005ULL + 1442695040888963407ULL;
            bad[size / 2 + (random >> 33) % (size / 2)] = (uint8_t)(random >> 20);
        }
        if (image_open_bytes(&image, "bad", bad, size, &error) != 0) {
            continue;
        }
        image_lines(image, &lines);
        image_functions(image, &functions);
        registers.value[UNWIND_RSP] = 0x1000;
        for (uint64_t at = gva; at < gva + 0x400; at += 13) {
            image_place_at(image, at, &place);
            image_unwind(image, at, &registers, read_stack, stack);
        }
        image_close(image);
    }
    free(good);
    free(bad);
}
END_TEST

static Suite *place_suite(void)
{
    Suite *suite = suite_create("place");
    TCase *tcase = tcase_create("place");

    tcase_add_test(tcase, place_of_a_symbol);
    tcase_add_test(tcase, inlined);
    tcase_add_test(tcase, printed);
    tcase_add_test(tcase, tables);
    tcase_add_test(tcase, unwound);
    tcase_add_test(tcase, mutated);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(place_suite());
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
