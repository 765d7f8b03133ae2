/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snpemu-coverage IMAGES FIXTURES [PAGE]: write docs/SPEC-COVERAGE.md to standard output, or say
 * whether the file PAGE is the same. Exit status: 0 fine, 1 a mistake (on standard error), 2 usage.
 */
#include <stdlib.h>
#include <string.h>

#include "coverage.h"

static void compare(struct coverage *coverage, const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "r");
    char *have = malloc(size + 1);
    bool same =
        file && have && fread(have, 1, size + 1, file) == size && memcmp(have, text, size) == 0;

    if (!same) {
        coverage_mistake(coverage, "%s is stale: run tools/spec-coverage", path);
    }
    free(have);
    if (file) {
        fclose(file);
    }
}

static void coverage_free(struct coverage *coverage)
{
    for (size_t i = 0; coverage && i < coverage->row_count; i++) {
        struct name_list *list = &coverage->row[i].fixtures;

        for (size_t j = 0; j < list->count; j++) {
            free(list->name[j]);
        }
        free(list->name);
    }
    for (size_t i = 0; coverage && i < coverage->image_count; i++) {
        image_close(coverage->image[i]);
    }
    free(coverage);
}

int main(int argc, char **argv)
{
    struct coverage *coverage = calloc(1, sizeof(*coverage));
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    int status = 2;

    if (argc < 3 || argc > 4) {
        fprintf(stderr, "Usage: %s IMAGES FIXTURES [PAGE]\n", argv[0]);
        goto out;
    }
    if (!coverage || !out) {
        fprintf(stderr, "%s: out of memory\n", argv[0]);
        goto out;
    }
    coverage_add_rows(coverage);
    coverage_exempt(coverage);
    coverage_read_guests(coverage, argv[1]);
    coverage_read_golden(coverage, argv[2]);
    coverage_count_cases(coverage);
    coverage_check(coverage);
    coverage_write(coverage, out);
    fflush(out);
    if (argc == 4) {
        compare(coverage, argv[3], text, size);
    } else {
        fwrite(text, 1, size, stdout);
    }
    status = coverage->mistakes > 0;
out:
    if (out) {
        fclose(out);
    }
    free(text);
    coverage_free(coverage);
    return status;
}
