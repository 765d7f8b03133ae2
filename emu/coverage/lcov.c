/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lcov's tracefile: a block of lines for each file of source, from SF: to end_of_record.
 *
 * Source: lcov 1.16, man geninfo(1).
 */
#include <inttypes.h>
#include <search.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "coverage/tracefile.h"

/* ---- writing ---- */

static int name_compare(const void *left, const void *right)
{
    const struct tracefile_record *const *a = left, *const *b = right;

    return strcmp((*a)->name, (*b)->name);
}

/*
 * A function is known by its name alone there. Those that share it, such as the closures of one
 * function, get their line behind it.
 */
static void write_name(FILE *file, const struct tracefile_record *const *by_name, size_t count,
                       const struct tracefile_record *function)
{
    const struct tracefile_record *const *found =
        bsearch(&function, by_name, count, sizeof(*by_name), name_compare);
    size_t at = (size_t)(found - by_name);
    bool shared = (at > 0 && strcmp(by_name[at - 1]->name, function->name) == 0) ||
                  (at + 1 < count && strcmp(by_name[at + 1]->name, function->name) == 0);

    fputs(function->name, file);
    if (shared) {
        fprintf(file, ":%u", function->line);
    }
    fputc('\n', file);
}

static bool write_functions(FILE *file, const struct tracefile_record *function, size_t count)
{
    const struct tracefile_record **by_name = calloc(count + 1, sizeof(*by_name));
    size_t hit = 0;

    if (!by_name) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        by_name[i] = &function[i];
    }
    qsort(by_name, count, sizeof(*by_name), name_compare);
    for (size_t i = 0; i < count; i++) {
        fprintf(file, "FN:%u,", function[i].line);
        write_name(file, by_name, count, &function[i]);
    }
    for (size_t i = 0; i < count; i++) {
        hit += function[i].count > 0;
        fprintf(file, "FNDA:%" PRIu64 ",", function[i].count);
        write_name(file, by_name, count, &function[i]);
    }
    fprintf(file, "FNF:%zu\nFNH:%zu\n", count, hit);
    free(by_name);
    return true;
}

static void write_lines(FILE *file, const struct tracefile_record *line, size_t count)
{
    size_t hit = 0;

    for (size_t i = 0; i < count; i++) {
        hit += line[i].count > 0;
        fprintf(file, "DA:%u,%" PRIu64 "\n", line[i].line, line[i].count);
    }
    fprintf(file, "LF:%zu\nLH:%zu\n", count, hit);
}

/* How many records from `at` on are of this path. */
static size_t same_path(const struct tracefile_record *record, size_t at, size_t count,
                        const char *path)
{
    size_t first = at;

    while (at < count && strcmp(record[at].path, path) == 0) {
        at++;
    }
    return at - first;
}

int tracefile_write(struct tracefile *tracefile, FILE *file, struct error *error)
{
    size_t line_count, function_count, line = 0, function = 0;
    const struct tracefile_record *lines, *functions;
    int status = tracefile_settle(tracefile, error);

    if (status != SNPEMU_OK) {
        return status;
    }
    lines = tracefile_lines(tracefile, &line_count);
    functions = tracefile_functions(tracefile, &function_count);
    while (line < line_count || function < function_count) {
        bool of_line =
            function == function_count ||
            (line < line_count && strcmp(lines[line].path, functions[function].path) <= 0);
        const char *path = of_line ? lines[line].path : functions[function].path;
        size_t here = same_path(functions, function, function_count, path);

        fprintf(file, "TN:\nSF:%s\n", path);
        if (!write_functions(file, functions + function, here)) {
            return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for coverage");
        }
        function += here;
        here = same_path(lines, line, line_count, path);
        write_lines(file, lines + line, here);
        line += here;
        fputs("end_of_record\n", file);
    }
    return SNPEMU_OK;
}

/* ---- reading ---- */

struct named {
    const char *name; /* as the file has it */
    unsigned line;
};

struct reader {
    struct tracefile *tracefile;
    const char *file;
    size_t number; /* of the line */
    char *path;    /* of the block; NULL: outside of one */
    void *named;   /* a tree of its functions */
    struct error *error;
};

static int refuse(const struct reader *reader, const char *what)
{
    return error_set(reader->error, SNPEMU_ERR_INPUT, "%.300s: line %zu: %s", reader->file,
                     reader->number, what);
}

static int no_memory(const struct reader *reader)
{
    return error_set(reader->error, SNPEMU_ERR_MEMORY, "out of memory for coverage");
}

/* A number and the comma behind it. */
static bool take_number(char **at, uint64_t max, uint64_t *value)
{
    const char *start = *at;

    *value = 0;
    while (**at >= '0' && **at <= '9') {
        uint64_t digit = (uint64_t)(*(*at)++ - '0');

        if (*value > (max - digit) / 10) {
            return false;
        }
        *value = *value * 10 + digit;
    }
    if (*at == start || **at != ',') {
        return false;
    }
    (*at)++;
    return true;
}

static int named_compare(const void *left, const void *right)
{
    const struct named *a = left, *b = right;

    return strcmp(a->name, b->name);
}

static int read_path(struct reader *reader, char *rest)
{
    if (reader->path || !*rest) {
        return refuse(reader, "SF: without a path, or inside another block");
    }
    reader->path = rest;
    return SNPEMU_OK;
}

/* Without what was put behind a name that others have. */
static int add_function(const struct reader *reader, const struct named *named, uint64_t count)
{
    char suffix[16], *name = strdup(named->name);
    size_t size;

    if (!name) {
        return no_memory(reader);
    }
    size = strlen(name);
    snprintf(suffix, sizeof(suffix), ":%u", named->line);
    if (size > strlen(suffix) && strcmp(name + size - strlen(suffix), suffix) == 0) {
        name[size - strlen(suffix)] = '\0';
    }
    tracefile_function(reader->tracefile, reader->path, named->line, name, count);
    free(name);
    return SNPEMU_OK;
}

static int read_function(struct reader *reader, char *rest)
{
    struct named *named = malloc(sizeof(*named));
    struct named *const *kept;
    uint64_t line;

    if (!named) {
        return no_memory(reader);
    }
    if (!take_number(&rest, INT32_MAX, &line) || !*rest) {
        free(named);
        return refuse(reader, "FN: is not followed by a line and a name");
    }
    *named = (struct named){rest, (unsigned)line};
    kept = tsearch(named, &reader->named, named_compare);
    if (!kept || *kept != named) {
        free(named);
        return kept ? refuse(reader, "FN: a function that was named before") : no_memory(reader);
    }
    return add_function(reader, named, 0);
}

static int read_function_count(struct reader *reader, char *rest)
{
    struct named *const *found;
    struct named key = {0};
    uint64_t count;

    if (!take_number(&rest, UINT64_MAX, &count)) {
        return refuse(reader, "FNDA: is not followed by a count and a name");
    }
    key.name = rest;
    found = tfind(&key, &reader->named, named_compare);
    return found ? add_function(reader, *found, count)
                 : refuse(reader, "FNDA: a function without FN:");
}

static int read_line(struct reader *reader, char *rest)
{
    uint64_t line, count;
    char *end = rest + strlen(rest);

    /* A checksum may follow. It has no place in what is written. */
    *end = ',';
    if (!take_number(&rest, INT32_MAX, &line) || !take_number(&rest, UINT64_MAX, &count) ||
        rest != end + 1) {
        *end = '\0';
        return refuse(reader, "DA: is not followed by a line and a count");
    }
    *end = '\0';
    tracefile_line(reader->tracefile, reader->path, (unsigned)line, count);
    return SNPEMU_OK;
}

static int read_nothing(struct reader *reader, char *rest)
{
    (void)reader;
    (void)rest;
    return SNPEMU_OK;
}

static int read_end(struct reader *reader, char *rest)
{
    (void)rest;
    tdestroy(reader->named, free);
    reader->named = NULL;
    reader->path = NULL;
    return SNPEMU_OK;
}

static const struct record_row {
    const char *start;
    bool inside; /* of a block */
    int (*read)(struct reader *reader, char *rest);
} record_rows[] = {
    {"TN:", false, read_nothing}, {"SF:", false, read_path},
    {"FN:", true, read_function}, {"FNDA:", true, read_function_count},
    {"FNF:", true, read_nothing}, {"FNH:", true, read_nothing},
    {"DA:", true, read_line},     {"LF:", true, read_nothing},
    {"LH:", true, read_nothing},  {"end_of_record", true, read_end},
};

static int read_record(struct reader *reader, char *line)
{
    for (size_t i = 0; i < sizeof(record_rows) / sizeof(record_rows[0]); i++) {
        const struct record_row *row = &record_rows[i];
        size_t size = strlen(row->start);

        if (strncmp(line, row->start, size) != 0) {
            continue;
        }
        return row->inside && !reader->path ? refuse(reader, "a record before SF:")
                                            : row->read(reader, line + size);
    }
    return refuse(reader, "a record that would be lost; merge the files with lcov -a A -a B -o C");
}

int tracefile_read(struct tracefile *tracefile, const char *name, const char *bytes,
                   size_t size_bytes, struct error *error)
{
    struct reader reader = {.tracefile = tracefile, .file = name, .error = error};
    char *text = malloc(size_bytes + 1), *next;
    int status = SNPEMU_OK;

    if (!text) {
        return no_memory(&reader);
    }
    memcpy(text, bytes, size_bytes);
    text[size_bytes] = '\0';
    if (strlen(text) != size_bytes) {
        free(text);
        return error_set(error, SNPEMU_ERR_INPUT,
                         "%.300s: is no lcov tracefile; name another file, or remove it", name);
    }
    for (char *line = text; *line && status == SNPEMU_OK; line = next) {
        char *end = line + strcspn(line, "\n");

        next = *end ? end + 1 : end;
        *end = '\0';
        reader.number++;
        if (*line) {
            status = read_record(&reader, line);
        }
    }
    if (status == SNPEMU_OK && reader.path) {
        status = refuse(&reader, "the file ends inside a block; it was cut");
    }
    tdestroy(reader.named, free);
    free(text);
    return status;
}
