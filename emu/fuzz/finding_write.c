/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings as files. Several processes may find the same at once: the first NAME.input that stands
 * there is the one that all of them make scenario and trace of, so the three belong together
 * whoever writes them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aside.h"
#include "fuzz/finding.h"
#include "fuzz/input_file.h"
#include "fuzz/reduce.h"

struct files {
    char name[FINDING_NAME_MAX];
    char *lua, *golden, *input;
};

static int name_files(struct files *files, const char *dir, const struct finding_key *key,
                      struct error *error)
{
    memset(files, 0, sizeof(*files));
    finding_name(key, files->name);
    if (asprintf(&files->lua, "%s/" FINDING_DIR "/%s.lua", dir, files->name) < 0 ||
        asprintf(&files->golden, "%s/" FINDING_DIR "/%s.golden", dir, files->name) < 0 ||
        asprintf(&files->input, "%s/" FINDING_DIR "/%s.input", dir, files->name) < 0) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a name");
    }
    return SNPEMU_OK;
}

static void release_files(struct files *files)
{
    free(files->lua);
    free(files->golden);
    free(files->input);
}

static bool are_there(const struct files *files)
{
    return access(files->lua, F_OK) == 0 && access(files->golden, F_OK) == 0 &&
           access(files->input, F_OK) == 0;
}

static int make_directory(const char *dir, struct error *error)
{
    char *path;
    int status = SNPEMU_OK;

    if (asprintf(&path, "%s/" FINDING_DIR, dir) < 0) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a name");
    }
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        status =
            error_set(error, SNPEMU_ERR_IO, "%.300s: cannot be made: %s", path, strerror(errno));
    }
    free(path);
    return status;
}

/* The input that stands there, if it shows this finding. */
static int take_over(struct stage *stage, const struct files *files, const struct finding_key *key,
                     uint8_t *input, size_t *size_bytes, bool *taken, struct error *error)
{
    uint8_t there[BYTES_INPUT_MAX];
    struct stage_result result;
    struct finding_key its;
    struct error unused;
    size_t size;
    int status = SNPEMU_OK;

    *taken = false;
    if (input_file_read(files->input, there, &size, &unused) != SNPEMU_OK) {
        return SNPEMU_OK;
    }
    status = stage_confirm(stage, there, size, &result, error);
    if (status == SNPEMU_OK) {
        finding_key(&result, &its);
        *taken = finding_same(&its, key);
    }
    if (*taken) {
        memcpy(input, there, size);
        *size_bytes = size;
    }
    return status;
}

/*
 * Let NAME.input appear with these bytes, if none is there; else `input` becomes what is there.
 */
static int claim(struct stage *stage, const struct files *files, const struct finding_key *key,
                 uint8_t *input, size_t *size_bytes, bool *first, struct error *error)
{
    struct aside aside;
    bool taken = false;
    int status = aside_open(&aside, files->input, error);

    if (status != SNPEMU_OK) {
        return status;
    }
    fwrite(input, 1, *size_bytes, aside.file);
    *first = fflush(aside.file) == 0 && aside.path_now && link(aside.path_now, aside.path) == 0;
    if (*first) {
        aside_drop(&aside);
        return SNPEMU_OK;
    }
    if (errno == EEXIST) {
        status = take_over(stage, files, key, input, size_bytes, &taken, error);
    }
    if (status != SNPEMU_OK || taken) {
        aside_drop(&aside);
        return status;
    }
    /* No links here, or what stands there is something else. */
    *first = true;
    return aside_commit(&aside, error);
}

static int write_files(struct stage *stage, const struct files *files, const uint8_t *input,
                       size_t size_bytes, struct error *error)
{
    struct finding_scenario scenario;
    int status =
        finding_scenario(stage, files->lua, files->input, input, size_bytes, &scenario, error);

    if (status != SNPEMU_OK) {
        return status;
    }
    status = aside_write(files->golden, scenario.golden, scenario.golden_size_bytes, error);
    /* Last: where it stands all of them do. */
    if (status == SNPEMU_OK) {
        status = aside_write(files->lua, scenario.lua, scenario.lua_size_bytes, error);
    }
    finding_scenario_release(&scenario);
    return status;
}

int finding_write(struct stage *stage, const char *dir, const struct finding_key *key,
                  const uint8_t *input, size_t size_bytes, bool *is_new, struct error *error)
{
    uint64_t runs = FINDING_REDUCE_RUNS;
    uint8_t simple[BYTES_INPUT_MAX];
    struct files files;
    int status = name_files(&files, dir, key, error);

    *is_new = false;
    size_bytes = size_bytes < BYTES_INPUT_MAX ? size_bytes : BYTES_INPUT_MAX;
    if (status != SNPEMU_OK || are_there(&files)) {
        release_files(&files);
        return status;
    }
    memcpy(simple, input, size_bytes);
    status = make_directory(dir, error);
    if (status == SNPEMU_OK) {
        status = reduce(stage, key, simple, &size_bytes, &runs, error);
    }
    if (status == SNPEMU_OK) {
        status = claim(stage, &files, key, simple, &size_bytes, is_new, error);
    }
    if (status == SNPEMU_OK) {
        status = write_files(stage, &files, simple, size_bytes, error);
    }
    release_files(&files);
    return status;
}
