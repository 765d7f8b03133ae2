/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aside.h"
#include "file.h"
#include "fixture.h"

#define SOURCE_SIZE_MAX ((size_t)16 << 20)
#define NAME_KEPT_MAX 200

/* One file in the directory: the fixture's name with "__" for each slash, its end if it is long. */
static int keep_one(const char *out, const char *name, const char *suffix, const char *bytes,
                    size_t size_bytes, struct error *error)
{
    size_t length = strlen(name);
    char *path = NULL, *flat = NULL;
    size_t flat_size;
    FILE *file = open_memstream(&flat, &flat_size);
    int status;

    if (!file) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
    }
    for (const char *c = length > NAME_KEPT_MAX ? name + length - NAME_KEPT_MAX : name; *c; c++) {
        if (*c == '/') {
            fputs("__", file);
        } else {
            fputc(*c, file);
        }
    }
    if (fclose(file) != 0 || asprintf(&path, "%s/%s%s", out, flat, suffix) < 0) {
        free(flat);
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
    }
    status = aside_write(path, bytes, size_bytes, error);
    free(flat);
    free(path);
    return status;
}

int fixture_keep(const char *out, const char *path, const char *name, const char *trace,
                 size_t trace_size_bytes, const struct fixture_report *report, struct error *error)
{
    const char *details = report->details && *report->details ? report->details : report->why;
    char *source = NULL;
    size_t source_size = 0;
    int status = keep_one(out, name, ".diff", details, strlen(details), error);

    if (status == SNPEMU_OK && trace) {
        status = keep_one(out, name, ".trace", trace, trace_size_bytes, error);
    }
    /* A scenario that cannot be read is already what failed. */
    if (status == SNPEMU_OK &&
        file_read(path, SOURCE_SIZE_MAX, &source, &source_size, error) == SNPEMU_OK) {
        status = keep_one(out, name, ".lua", source, source_size, error);
    }
    free(source);
    return status;
}
