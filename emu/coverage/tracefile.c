/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "coverage/tracefile.h"

#include <search.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "image/image.h"
#include "image/source.h"

struct records {
    struct tracefile_record *record;
    size_t count, capacity;
    size_t settled; /* as many were left by the last records_settle */
    bool most;      /* of the same the highest count, not the sum */
};

struct tracefile {
    struct records lines, functions;
    void *texts; /* a tree: each path and name once */
    bool failed;
};

struct tracefile *tracefile_new(void)
{
    return calloc(1, sizeof(struct tracefile));
}

void tracefile_free(struct tracefile *tracefile)
{
    if (tracefile) {
        tdestroy(tracefile->texts, free);
        free(tracefile->lines.record);
        free(tracefile->functions.record);
        free(tracefile);
    }
}

static int text_compare(const void *left, const void *right)
{
    return strcmp(left, right);
}

static const char *text_keep(struct tracefile *tracefile, const char *text)
{
    char *const *found = tfind(text, &tracefile->texts, text_compare);
    char *copy;

    if (found) {
        return *found;
    }
    copy = strdup(text);
    /* A record is a line. */
    for (char *c = copy; c && *c; c++) {
        *c = (unsigned char)*c < ' ' || *c == 0x7F ? '?' : *c;
    }
    found = copy ? tsearch(copy, &tracefile->texts, text_compare) : NULL;
    if (!found || *found != copy) {
        free(copy);
    }
    tracefile->failed = tracefile->failed || !found;
    return found ? *found : NULL;
}

static int record_compare(const void *left, const void *right)
{
    const struct tracefile_record *a = left, *b = right;
    int order = a->path == b->path ? 0 : strcmp(a->path, b->path);

    if (order == 0 && a->line != b->line) {
        order = a->line < b->line ? -1 : 1;
    }
    return order == 0 && a->name != b->name ? strcmp(a->name, b->name) : order;
}

static void records_settle(struct records *records)
{
    size_t kept = 0;

    if (records->count == 0) {
        return;
    }
    qsort(records->record, records->count, sizeof(*records->record), record_compare);
    for (size_t i = 1; i < records->count; i++) {
        struct tracefile_record *last = &records->record[kept];

        if (record_compare(last, &records->record[i]) != 0) {
            records->record[++kept] = records->record[i];
        } else if (records->most) {
            last->count =
                last->count > records->record[i].count ? last->count : records->record[i].count;
        } else if (last->count > UINT64_MAX - records->record[i].count) {
            last->count = UINT64_MAX;
        } else {
            last->count += records->record[i].count;
        }
    }
    records->count = records->settled = kept + 1;
}

static bool records_reserve(struct records *records)
{
    struct tracefile_record *grown;
    size_t capacity;

    if (records->count < records->capacity) {
        return true;
    }
    if (records->count > 2 * records->settled + 4096) {
        records_settle(records);
        return records_reserve(records);
    }
    capacity = records->capacity ? 2 * records->capacity : 4096;
    grown = capacity <= TRACEFILE_RECORDS_MAX ? realloc(records->record, capacity * sizeof(*grown))
                                              : NULL;
    if (grown) {
        records->record = grown;
        records->capacity = capacity;
    }
    return grown != NULL;
}

static void record_add(struct tracefile *tracefile, struct records *records, const char *path,
                       unsigned line, const char *name, uint64_t count)
{
    struct tracefile_record record = {.line = line, .count = count};

    record.path = text_keep(tracefile, path);
    record.name = name ? text_keep(tracefile, name) : NULL;
    if (!record.path || (name && !record.name) || !records_reserve(records)) {
        tracefile->failed = true;
        return;
    }
    records->record[records->count++] = record;
}

void tracefile_line(struct tracefile *tracefile, const char *path, unsigned line, uint64_t count)
{
    record_add(tracefile, &tracefile->lines, path, line, NULL, count);
}

void tracefile_function(struct tracefile *tracefile, const char *path, unsigned line,
                        const char *name, uint64_t count)
{
    record_add(tracefile, &tracefile->functions, path, line, name, count);
}

int tracefile_settle(struct tracefile *tracefile, struct error *error)
{
    if (tracefile->failed) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for coverage");
    }
    records_settle(&tracefile->lines);
    records_settle(&tracefile->functions);
    return SNPEMU_OK;
}

const struct tracefile_record *tracefile_lines(const struct tracefile *tracefile, size_t *count)
{
    *count = tracefile->lines.count;
    return tracefile->lines.record;
}

const struct tracefile_record *tracefile_functions(const struct tracefile *tracefile, size_t *count)
{
    *count = tracefile->functions.count;
    return tracefile->functions.record;
}

/* ---- from what ran to lines ---- */

/* A line that became several pieces of code ran as often as the piece that ran most often. */
static void take_lines(struct tracefile *own, const struct image *image,
                       const struct blocks_profile *profile)
{
    size_t count;
    const struct image_line *line = image_lines(image, &count);

    own->lines.most = true;
    for (size_t i = 0; i < count; i++) {
        tracefile_line(own, line[i].path, line[i].line,
                       blocks_profile_max(profile, line[i].gva, line[i].end));
    }
    records_settle(&own->lines);
}

/* A function ran as often as its first instruction, wherever that was put or inlined. */
static void take_functions(struct tracefile *own, const struct image *image,
                           const struct blocks_profile *profile)
{
    size_t count;
    const struct image_function *function = image_functions(image, &count);

    for (size_t i = 0; i < count; i++) {
        bool begins = function[i].gva <= function[i].entry && function[i].entry < function[i].end;

        if (function[i].name && function[i].path && function[i].line && begins) {
            tracefile_function(
                own, function[i].path, function[i].line, function[i].name,
                blocks_profile_max(profile, function[i].entry, function[i].entry + 1));
        }
    }
}

int tracefile_image(struct tracefile *tracefile, const struct image *image,
                    const struct block_count *block, size_t count, struct error *error)
{
    struct tracefile own = {0};
    struct blocks_profile profile;

    if (!blocks_profile_make(&profile, block, count)) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for coverage");
    }
    take_lines(&own, image, &profile);
    for (size_t i = 0; i < own.lines.count; i++) {
        const struct tracefile_record *line = &own.lines.record[i];

        tracefile_line(tracefile, line->path, line->line, line->count);
    }
    take_functions(tracefile, image, &profile);
    tracefile->failed = tracefile->failed || own.failed;
    blocks_profile_release(&profile);
    tdestroy(own.texts, free);
    free(own.lines.record);
    return tracefile->failed ? error_set(error, SNPEMU_ERR_MEMORY, "out of memory for coverage")
                             : SNPEMU_OK;
}
