/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "coverage_option.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"

#define FILE_SIZE_MAX ((size_t)1 << 30)

error_t coverage_option_parse(int key, char *arg, struct argp_state *state,
                              struct coverage_option *option)
{
    switch (key) {
    case COVERAGE_KEY_FILE:
        option->path = arg;
        return *arg ? 0 : option_fail(state, "--coverage: the path is empty");
    case COVERAGE_KEY_FORMAT:
        option->format_given = true;
        return coverage_format_named(arg, &option->format)
                   ? 0
                   : option_fail(state, "--coverage-format: '%.100s' is neither lcov nor drcov",
                                 arg);
    default:
        return option_other(key, state);
    }
}

error_t coverage_option_end(struct argp_state *state, struct coverage_option *option)
{
    if (option->format_given && !option->path) {
        return option_fail(state, "--coverage-format needs --coverage FILE");
    }
    if (option->path && !option->format_given &&
        !coverage_format_of(option->path, &option->format)) {
        return option_fail(state,
                           "--coverage: '%.200s' ends in neither .info nor .drcov; say "
                           "--coverage-format",
                           option->path);
    }
    return 0;
}

/* What an earlier run has left. A device or a pipe has nothing. */
static int read_before(struct coverage_file *file, const char *path, struct error *error)
{
    struct stat stat_data;
    char *bytes;
    size_t size;
    int status;

    if (strcmp(path, "-") == 0 || stat(path, &stat_data) != 0 || !S_ISREG(stat_data.st_mode)) {
        return SNPEMU_OK; /* what else is wrong with the path shows when it is written */
    }
    status = file_read(path, FILE_SIZE_MAX, &bytes, &size, error);
    if (status == SNPEMU_OK) {
        status = coverage_read(file->coverage, path, bytes, size, error);
        free(bytes);
    }
    return status;
}

int coverage_file_open(struct coverage_file *file, const struct coverage_option *option,
                       struct error *error)
{
    int status;

    memset(file, 0, sizeof(*file));
    if (!option->path) {
        return SNPEMU_OK;
    }
    status = coverage_new(&file->coverage, option->format, error);
    if (status == SNPEMU_OK && !(file->ran = blocks_new())) {
        status = error_set(error, SNPEMU_ERR_MEMORY, "out of memory for coverage");
    }
    if (status == SNPEMU_OK) {
        status = read_before(file, option->path, error);
    }
    return status == SNPEMU_OK ? aside_open(&file->aside, option->path, error) : status;
}

void coverage_file_close(struct coverage_file *file)
{
    aside_drop(&file->aside);
    coverage_free(file->coverage);
    blocks_free(file->ran);
    memset(file, 0, sizeof(*file));
}

int coverage_file_take(struct coverage_file *file, const struct subject *subject,
                       struct error *error)
{
    return file->coverage
               ? coverage_take(file->coverage, file->ran, subject->image,
                               subject->firmware ? subject->firmware->program : NULL, error)
               : SNPEMU_OK;
}

int coverage_file_commit(struct coverage_file *file, struct error *error)
{
    int status;

    if (!file->coverage) {
        return SNPEMU_OK;
    }
    status = coverage_write(file->coverage, file->aside.file, error);
    if (status == SNPEMU_OK && (fflush(file->aside.file) != 0 || ferror(file->aside.file))) {
        status = error_set(error, SNPEMU_ERR_IO, "%.300s: cannot be written: %s", file->aside.path,
                           strerror(errno));
    }
    return status == SNPEMU_OK ? aside_commit(&file->aside, error) : status;
}
