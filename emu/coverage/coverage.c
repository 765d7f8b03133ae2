/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "coverage/coverage.h"

#include <stdlib.h>
#include <string.h>

#include "coverage/drcov.h"
#include "coverage/tracefile.h"
#include "image/image.h"
#include "image/source.h"

static const struct format_row {
    const char *name, *suffix;
} format_rows[COVERAGE_FORMATS] = {
    [COVERAGE_LCOV] = {"lcov", ".info"},
    [COVERAGE_DRCOV] = {"drcov", ".drcov"},
};

struct coverage {
    enum coverage_format format;
    struct tracefile *lcov;
    struct drcov *drcov;
};

bool coverage_format_named(const char *name, enum coverage_format *format)
{
    for (int i = 0; i < COVERAGE_FORMATS; i++) {
        if (strcmp(format_rows[i].name, name) == 0) {
            *format = (enum coverage_format)i;
            return true;
        }
    }
    return false;
}

bool coverage_format_of(const char *path, enum coverage_format *format)
{
    for (int i = 0; i < COVERAGE_FORMATS; i++) {
        size_t size = strlen(path), suffix = strlen(format_rows[i].suffix);

        if (size > suffix && strcmp(path + size - suffix, format_rows[i].suffix) == 0) {
            *format = (enum coverage_format)i;
            return true;
        }
    }
    return false;
}

int coverage_new(struct coverage **out, enum coverage_format format, struct error *error)
{
    struct coverage *coverage = calloc(1, sizeof(*coverage));

    if (coverage) {
        coverage->format = format;
        coverage->lcov = format == COVERAGE_LCOV ? tracefile_new() : NULL;
        coverage->drcov = format == COVERAGE_DRCOV ? drcov_new() : NULL;
    }
    if (!coverage || (!coverage->lcov && !coverage->drcov)) {
        free(coverage);
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for coverage");
    }
    *out = coverage;
    return SNPEMU_OK;
}

void coverage_free(struct coverage *coverage)
{
    if (coverage) {
        tracefile_free(coverage->lcov);
        drcov_free(coverage->drcov);
        free(coverage);
    }
}

static int take_program(struct coverage *coverage, const struct blocks *blocks,
                        enum blocks_program program, const struct image *image, struct error *error)
{
    size_t count;
    struct block_count *block = blocks_sorted(blocks, program, &count);
    int status = SNPEMU_OK;

    if (!block) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for coverage");
    }
    if (program == BLOCKS_SVSM || count > 0) { /* of a guest that was never started nothing */
        status = coverage->lcov ? tracefile_image(coverage->lcov, image, block, count, error)
                                : drcov_image(coverage->drcov, image, block, count, error);
    }
    free(block);
    return status;
}

int coverage_take(struct coverage *coverage, const struct blocks *blocks, const struct image *svsm,
                  const struct image *guest, struct error *error)
{
    size_t lines;
    int status;

    if (blocks_overflowed(blocks)) {
        return error_set(error, SNPEMU_ERR_MEMORY,
                         "coverage: the guest ran more than %u different pieces of code",
                         BLOCKS_MAX);
    }
    image_lines(svsm, &lines);
    if (coverage->lcov && lines == 0) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "%.300s: has no lines of source (DWARF); build it with debugging "
                         "information, or write coverage of blocks: --coverage-format drcov",
                         svsm->path);
    }
    status = take_program(coverage, blocks, BLOCKS_SVSM, svsm, error);
    if (status == SNPEMU_OK && guest) {
        status = take_program(coverage, blocks, BLOCKS_GUEST, guest, error);
    }
    return status;
}

int coverage_read(struct coverage *coverage, const char *name, const char *bytes, size_t size_bytes,
                  struct error *error)
{
    if (size_bytes == 0) {
        return SNPEMU_OK;
    }
    return coverage->lcov ? tracefile_read(coverage->lcov, name, bytes, size_bytes, error)
                          : drcov_read(coverage->drcov, name, bytes, size_bytes, error);
}

int coverage_write(struct coverage *coverage, FILE *file, struct error *error)
{
    return coverage->lcov ? tracefile_write(coverage->lcov, file, error)
                          : drcov_write(coverage->drcov, file, error);
}
