/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables of cases inside the built guests: each an array `guest_cases` of {name, covers,
 * source, function, flags}, 8 bytes each but the flags, ended by a null name.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "coverage.h"

#define TABLE_SYMBOL "guest_cases"
#define ROW_SIZE 40
#define ROW_COVERS 8
#define ROW_SOURCE 16
#define ROW_FLAGS 32
#define TEXT_MAX 512

/* The image's bytes at gva, and how many follow in the file; NULL when there are none. */
static const uint8_t *image_bytes(const struct image *image, uint64_t gva, uint64_t *left)
{
    uint64_t gpa = gva - image->gva_offset;

    for (size_t i = 0; i < image->segment_count; i++) {
        const struct image_segment *segment = &image->segment[i];

        if (gpa - segment->gpa < segment->file_size_bytes) {
            *left = segment->file_size_bytes - (gpa - segment->gpa);
            return segment->bytes + (gpa - segment->gpa);
        }
    }
    return NULL;
}

/* NULL when there is no terminated text. */
static const char *image_text(const struct image *image, uint64_t gva)
{
    uint64_t left;
    const uint8_t *bytes = image_bytes(image, gva, &left);

    if (!bytes || !memchr(bytes, 0, left < TEXT_MAX ? left : TEXT_MAX)) {
        return NULL;
    }
    return (const char *)bytes;
}

static uint64_t word(const uint8_t *bytes)
{
    uint64_t value;

    memcpy(&value, bytes, sizeof(value));
    return value;
}

/* One row of the table; false at its end. */
static bool read_case(struct coverage *coverage, const struct image *image, uint64_t gva)
{
    struct coverage_case *this = &coverage->guest_case[coverage->case_count];
    uint64_t left = 0;
    const uint8_t *row = image_bytes(image, gva, &left);

    if (!row || left < ROW_SIZE || coverage->case_count == COVERAGE_CASE_MAX) {
        coverage_mistake(coverage, "guest %s: its table of cases does not end", image->name);
        return false;
    }
    if (word(row) == 0) {
        return false;
    }
    this->guest = image->name;
    this->name = image_text(image, word(row));
    this->covers = image_text(image, word(row + ROW_COVERS));
    this->source = image_text(image, word(row + ROW_SOURCE));
    memcpy(&this->flags, row + ROW_FLAGS, sizeof(this->flags));
    if (!this->name || !this->covers || !this->source || !*this->source) {
        coverage_mistake(coverage, "guest %s: a case without name, rows or source", image->name);
        return false;
    }
    for (size_t i = coverage->case_count;
         i-- > 0 && coverage->guest_case[i].guest == this->guest;) {
        if (strcmp(coverage->guest_case[i].name, this->name) == 0) {
            coverage_mistake(coverage, "guest %s: two cases are named %s", this->guest, this->name);
        }
    }
    coverage->case_count++;
    return true;
}

static void read_guest(struct coverage *coverage, const char *path)
{
    struct image *image = NULL;
    struct error error;
    uint64_t gva;

    if (image_open(&image, path, &error) != 0 && image_open_program(&image, path, &error) != 0) {
        coverage_mistake(coverage, "%s", error.text);
        return;
    }
    if (!image_symbol_find(image, TABLE_SYMBOL, &gva, NULL) ||
        coverage->image_count == COVERAGE_GUEST_MAX) {
        image_close(image);
        return;
    }
    coverage->image[coverage->image_count++] = image;
    while (read_case(coverage, image, gva)) {
        gva += ROW_SIZE;
    }
}

static int is_image(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return length > 4 && strcmp(entry->d_name + length - 4, ".elf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

void coverage_read_guests(struct coverage *coverage, const char *directory)
{
    struct dirent **entry = NULL;
    int count = scandir(directory, &entry, is_image, by_name);

    if (count < 0) {
        coverage_mistake(coverage, "%s: cannot be read", directory);
        return;
    }
    for (int i = 0; i < count; i++) {
        char path[4096];

        snprintf(path, sizeof(path), "%s/%s", directory, entry[i]->d_name);
        read_guest(coverage, path);
        free(entry[i]);
    }
    free(entry);
}
