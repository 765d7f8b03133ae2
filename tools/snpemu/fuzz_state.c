/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DIR/state: a text, so that a campaign goes on where it was left. A line for each class of runs,
 * its fields with tabs between.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aside.h"
#include "file.h"
#include "fuzz.h"

#define STATE_SIZE_MAX ((size_t)1 << 20)
#define STATE_FIRST "snpemu-fuzz 1"
#define FIELDS_MAX 8

static void state_path(const struct fuzz *fuzz, char *path, size_t size)
{
    snprintf(path, size, "%.*s/state", (int)size - 8, fuzz->dir);
}

/* ---- writing ---- */

static void put_text(FILE *file, const char *text)
{
    fputc('\t', file);
    for (; *text; text++) {
        fputc((unsigned char)*text < 0x20 ? '?' : *text, file);
    }
}

static void put_state(FILE *file, const struct fuzz *fuzz, const struct fuzz_state *state)
{
    uint32_t count = atomic_load(&state->classes.count);

    fprintf(file, STATE_FIRST "\nimage\t%s\ncpus\t%" PRIu32 "\nseed\t%" PRIu64 "\n",
            fuzz->subject.image->name, fuzz->subject.scenario->cpus, state->seed);
    fprintf(file, "runs\t%" PRIu64 "\nseconds\t%.1f\n", state->runs, state->seconds);
    for (size_t i = 0; i < state->workers; i++) {
        fprintf(file, "random\t0x%016" PRIx64 "\n", state->random[i]);
    }
    fprintf(file, "others\t%" PRIu64 "\n", atomic_load(&state->classes.others));
    for (uint32_t i = 0; i < count; i++) {
        const struct class_row *row = &state->classes.row[i];

        fprintf(file, "class\t%" PRIu64 "\t%" PRIu64 "\t%s\t0x%" PRIx32, atomic_load(&row->runs),
                atomic_load(&row->first), verdict_name(row->key.verdict), row->key.oracles);
        put_text(file, row->key.symbol);
        put_text(file, row->key.exit);
        put_text(file, row->key.phrase);
        fputc('\n', file);
    }
}

int fuzz_state_write(struct fuzz *fuzz, struct error *error)
{
    char path[4096];
    struct aside aside;
    int status;

    fuzz_state_sum(fuzz);
    state_path(fuzz, path, sizeof(path));
    status = aside_open(&aside, path, error);
    if (status != SNPEMU_OK) {
        return status;
    }
    put_state(aside.file, fuzz, &fuzz->now);
    return aside_commit(&aside, error);
}

void fuzz_state_sum(struct fuzz *fuzz)
{
    struct fuzz_state *now = &fuzz->now;

    memcpy(now, &fuzz->before, sizeof(*now));
    now->seconds += fuzz_clock() - fuzz->started;
    for (size_t i = 0; i < fuzz->worker_count; i++) {
        const struct campaign_box *box = fuzz->worker[i].box;

        now->runs += atomic_load(&box->runs);
        now->random[i] = atomic_load(&box->random);
        classes_add(&now->classes, &box->classes);
    }
    now->workers = now->workers > fuzz->worker_count ? now->workers : fuzz->worker_count;
}

/* ---- reading: a file that anybody may have changed ---- */

static bool number(const char *text, int base, uint64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoull(text, &end, base);
    return errno == 0 && end != text && *end == '\0' && *text != '-';
}

static bool take_class(struct classes *classes, char *const *field)
{
    struct finding_key key = {.verdict = verdict_named(field[3])};
    uint64_t runs, first, oracles;

    if (!number(field[1], 10, &runs) || !number(field[2], 10, &first) ||
        key.verdict == VERDICT_COUNT || !number(field[4], 16, &oracles) || oracles > UINT32_MAX) {
        return false;
    }
    key.oracles = (uint32_t)oracles;
    snprintf(key.symbol, sizeof(key.symbol), "%s", field[5]);
    snprintf(key.exit, sizeof(key.exit), "%s", field[6]);
    snprintf(key.phrase, sizeof(key.phrase), "%s", field[7]);
    classes_count(classes, classes_find(classes, &key), runs, first);
    return true;
}

struct reader {
    struct fuzz_state *state;
    const char *image;
    uint64_t cpus;
};

static bool take_line(struct reader *reader, char *const *field, size_t count)
{
    struct fuzz_state *state = reader->state;
    uint64_t others;

    if (count == 8 && strcmp(field[0], "class") == 0) {
        return take_class(&state->classes, field);
    }
    if (count != 2) {
        return false;
    }
    if (strcmp(field[0], "image") == 0) {
        reader->image = field[1];
        return true;
    }
    if (strcmp(field[0], "cpus") == 0) {
        return number(field[1], 10, &reader->cpus);
    }
    if (strcmp(field[0], "seed") == 0) {
        return number(field[1], 10, &state->seed);
    }
    if (strcmp(field[0], "runs") == 0) {
        return number(field[1], 10, &state->runs);
    }
    if (strcmp(field[0], "seconds") == 0) {
        char *end;

        state->seconds = strtod(field[1], &end);
        return *end == '\0' && state->seconds >= 0 && state->seconds < 1e12;
    }
    if (strcmp(field[0], "random") == 0) {
        return state->workers < FUZZ_WORKERS_MAX &&
               number(field[1], 16, &state->random[state->workers++]);
    }
    if (strcmp(field[0], "others") == 0 && number(field[1], 10, &others)) {
        classes_count(&state->classes, CLASSES_MAX, others, 0);
        return true;
    }
    return false;
}

static size_t split(char *line, char **field)
{
    size_t count = 0;

    for (char *rest = line; rest && count < FIELDS_MAX; count++) {
        field[count] = strsep(&rest, "\t");
    }
    return count;
}

static int read_lines(struct fuzz *fuzz, const char *path, char *text, struct error *error)
{
    struct reader reader = {.state = &fuzz->before, .image = ""};
    const char *image = fuzz->subject.image->name;
    char *rest = text, *line = strsep(&rest, "\n"), *field[FIELDS_MAX];
    uint32_t cpus = fuzz->subject.scenario->cpus;

    if (strcmp(line, STATE_FIRST) != 0) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "%s: not the state of a campaign; remove it, or give another --corpus",
                         path);
    }
    for (unsigned at = 2; rest && *rest; at++) {
        size_t count;

        line = strsep(&rest, "\n");
        count = split(line, field);
        if (!take_line(&reader, field, count)) {
            return error_set(error, SNPEMU_ERR_INPUT,
                             "%s: line %u: not understood; remove the file, and the counts begin "
                             "anew",
                             path, at);
        }
    }
    if (strcmp(reader.image, image) != 0 || reader.cpus != cpus) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "%s: is of %.64s with %" PRIu64 " CPUs, not of %.64s with %" PRIu32
                         "; give another --corpus",
                         path, reader.image, reader.cpus, image, cpus);
    }
    fuzz->resumed = true;
    return SNPEMU_OK;
}

int fuzz_state_read(struct fuzz *fuzz, struct error *error)
{
    char path[4096], *text = NULL;
    size_t size;
    int status;

    state_path(fuzz, path, sizeof(path));
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        return SNPEMU_OK;
    }
    status = file_read(path, STATE_SIZE_MAX, &text, &size, error);
    if (status == SNPEMU_OK) {
        status = read_lines(fuzz, path, text, error);
    }
    free(text);
    return status;
}
