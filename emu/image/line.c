/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of source: the tables of all units as one, sorted.
 */
#include <stdlib.h>
#include <string.h>

#include "image/dwarf.h"
#include "image/source.h"

#define LINES_MAX 20000000u

struct line_table {
    struct image_file *file;
    struct image_line *line;
    size_t count, capacity;
    bool failed;
};

static void line_add(struct line_table *table, const struct image_line *line)
{
    if (table->count == table->capacity) {
        size_t capacity = table->capacity ? 2 * table->capacity : 1024;
        struct image_line *grown =
            capacity <= LINES_MAX ? realloc(table->line, capacity * sizeof(*grown)) : NULL;

        if (!grown) {
            table->failed = true;
            return;
        }
        table->line = grown;
        table->capacity = capacity;
    }
    table->line[table->count++] = *line;
}

static void lines_of_unit(void *context, Dwarf_Die *unit)
{
    struct line_table *table = context;
    const char *path = NULL, *whole = NULL;
    Dwarf_Lines *lines;
    size_t count;

    if (dwarf_getsrclines(unit, &lines, &count) != 0) {
        return;
    }
    for (size_t i = 0; i + 1 < count && !table->failed; i++) {
        Dwarf_Line *row = dwarf_onesrcline(lines, i), *next = dwarf_onesrcline(lines, i + 1);
        struct image_line line = {0};
        bool last = true;
        int number;

        if (dwarf_lineaddr(row, &line.gva) != 0 || dwarf_lineaddr(next, &line.end) != 0 ||
            dwarf_lineendsequence(row, &last) != 0 || last || line.end <= line.gva ||
            dwarf_lineno(row, &number) != 0 || number <= 0) {
            continue;
        }
        line.path = dwarf_linesrc(row, NULL, NULL);
        if (line.path != path) { /* most rows are of the same file as the one before */
            path = line.path;
            whole = dwarf_path(table->file, unit, path);
        }
        line.path = whole;
        line.line = (unsigned)number;
        if (line.path) {
            line_add(table, &line);
        }
    }
}

static int line_compare(const void *left, const void *right)
{
    const struct image_line *a = left, *b = right;

    if (a->gva != b->gva) {
        return a->gva < b->gva ? -1 : 1;
    }
    if (a->end != b->end) {
        return a->end < b->end ? -1 : 1;
    }
    return a->line != b->line ? (a->line < b->line ? -1 : 1) : strcmp(a->path, b->path);
}

/* Of what several units say of one address the first counts. */
static void lines_part(struct line_table *table)
{
    uint64_t end = 0;
    size_t kept = 0;

    for (size_t i = 0; i < table->count; i++) {
        struct image_line line = table->line[i];

        line.gva = line.gva > end ? line.gva : end;
        if (line.gva < line.end) {
            table->line[kept++] = line;
            end = line.end;
        }
    }
    table->count = kept;
}

const struct image_line *image_lines(const struct image *image, size_t *count)
{
    struct image_file *file = image->file;

    if (!file->lines_asked) {
        struct line_table table = {.file = file};

        file->lines_asked = true;
        dwarf_each_unit(file, lines_of_unit, &table);
        if (table.count) {
            qsort(table.line, table.count, sizeof(*table.line), line_compare);
        }
        lines_part(&table);
        file->line = table.line;
        file->line_count = table.count;
    }
    *count = file->line_count;
    return file->line;
}

const struct image_line *image_line_find(const struct image *image, uint64_t gva)
{
    size_t low = 0, high;
    const struct image_line *line = image_lines(image, &high);

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (gva < line[middle].gva) {
            high = middle;
        } else if (gva >= line[middle].end) {
            low = middle + 1;
        } else {
            return &line[middle];
        }
    }
    return NULL;
}

const char *image_file_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}

bool image_line_at(const struct image *image, uint64_t gva, const char **file, unsigned *line)
{
    const struct image_line *found = image_line_find(image, gva);

    if (!found) {
        return false;
    }
    *file = image_file_name(found->path);
    *line = found->line;
    return true;
}

void image_lines_free(struct image_file *file)
{
    free(file->line);
}
