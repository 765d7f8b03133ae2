/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz/corpus.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aside.h"
#include "fingerprint.h"
#include "fuzz/random.h"
#include "host/bytes.h"

#define PATH_SIZE 4096
#define NAME_SIZE 256
#define MET_SLOTS (2 * CORPUS_FILES_MAX) /* a power of two */
#define ROUNDS 4                         /* entries that are looked at before one is chosen */

struct corpus {
    char dir[PATH_SIZE - NAME_SIZE - 2]; /* DIR/corpus */
    struct corpus_entry *entry;
    size_t count, capacity;
    uint64_t *met; /* hashes of the names of files that need not be read (again); 0: free slot */
    size_t met_count;
};

/* ---- names that are known ---- */

static uint64_t name_hash(const char *name)
{
    uint64_t hash = 0xCBF29CE484222325ULL;

    for (; *name; name++) {
        hash = (hash ^ (uint8_t)*name) * 0x100000001B3ULL;
    }
    return hash | 1; /* never the free slot */
}

/* Where the name stands, or could stand. */
static uint64_t *met_slot(struct corpus *corpus, uint64_t hash)
{
    size_t at = (hash >> 16) % MET_SLOTS;

    while (corpus->met[at] && corpus->met[at] != hash) {
        at = (at + 1) % MET_SLOTS;
    }
    return &corpus->met[at];
}

static bool is_met(struct corpus *corpus, const char *name)
{
    return *met_slot(corpus, name_hash(name)) != 0;
}

/* False when there are too many. */
static bool meet(struct corpus *corpus, const char *name)
{
    if (corpus->met_count == CORPUS_FILES_MAX) {
        return false;
    }
    *met_slot(corpus, name_hash(name)) = name_hash(name);
    corpus->met_count++;
    return true;
}

/* ---- opening ---- */

static int make_directory(const char *path, struct error *error)
{
    struct stat stat_data;

    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        return error_set(error, SNPEMU_ERR_IO, "%s: cannot be made: %s", path, strerror(errno));
    }
    if (stat(path, &stat_data) != 0 || !S_ISDIR(stat_data.st_mode) ||
        access(path, R_OK | W_OK | X_OK) != 0) {
        return error_set(error, SNPEMU_ERR_IO, "%s: not a directory that can be written", path);
    }
    return SNPEMU_OK;
}

int corpus_open(struct corpus **out, const char *dir, struct error *error)
{
    struct corpus *corpus = calloc(1, sizeof(*corpus));
    int status;

    if (!corpus || !(corpus->met = calloc(MET_SLOTS, sizeof(*corpus->met)))) {
        free(corpus);
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a corpus");
    }
    status = make_directory(dir, error);
    if (status == SNPEMU_OK && (size_t)snprintf(corpus->dir, sizeof(corpus->dir), "%s/corpus",
                                                dir) >= sizeof(corpus->dir)) {
        status = error_set(error, SNPEMU_ERR_INPUT, "%.200s...: the path is too long", dir);
    }
    if (status == SNPEMU_OK) {
        status = make_directory(corpus->dir, error);
    }
    if (status != SNPEMU_OK) {
        corpus_close(corpus);
        return status;
    }
    *out = corpus;
    return SNPEMU_OK;
}

void corpus_close(struct corpus *corpus)
{
    if (!corpus) {
        return;
    }
    for (size_t i = 0; i < corpus->count; i++) {
        free(corpus->entry[i].input);
    }
    free(corpus->entry);
    free(corpus->met);
    free(corpus);
}

size_t corpus_count(const struct corpus *corpus)
{
    return corpus->count;
}

/* ---- reading what others have written ---- */

struct found {
    char *name;
    size_t size_bytes;
};

static int compare_found(const void *a, const void *b)
{
    const struct found *one = a, *other = b;

    if (one->size_bytes != other->size_bytes) {
        return one->size_bytes < other->size_bytes ? -1 : 1;
    }
    return strcmp(one->name, other->name);
}

static bool is_input_name(const char *name)
{
    return name[0] != '.' && !strstr(name, ".tmp.");
}

static void free_found(struct found *found, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(found[i].name);
    }
    free(found);
}

/* The regular files whose names are new. */
static int look(struct corpus *corpus, DIR *dir, struct found **found, size_t *count,
                struct error *error)
{
    size_t capacity = 0;
    struct dirent *entry;
    struct stat stat_data;

    while ((entry = readdir(dir)) != NULL) {
        if (!is_input_name(entry->d_name) || is_met(corpus, entry->d_name) ||
            fstatat(dirfd(dir), entry->d_name, &stat_data, 0) != 0 || !S_ISREG(stat_data.st_mode) ||
            !meet(corpus, entry->d_name)) {
            continue;
        }
        if (*count == capacity) {
            struct found *more;

            capacity = capacity ? 2 * capacity : 64;
            more = reallocarray(*found, capacity, sizeof(*more));
            if (!more) {
                return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a corpus");
            }
            *found = more;
        }
        (*found)[*count].size_bytes = (size_t)stat_data.st_size;
        (*found)[*count].name = strdup(entry->d_name);
        if (!(*found)[*count].name) {
            return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a corpus");
        }
        (*count)++;
    }
    return SNPEMU_OK;
}

/* The start of a file; false when it is gone, or cannot be read: others may tidy up. */
static bool read_start(int dir_fd, const char *name, uint8_t *input, size_t *size_bytes)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = 0;

    *size_bytes = 0;
    while (fd >= 0 && *size_bytes < BYTES_INPUT_MAX) {
        got = read(fd, input + *size_bytes, BYTES_INPUT_MAX - *size_bytes);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        *size_bytes += (size_t)got;
    }
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0 && got >= 0;
}

int corpus_read(struct corpus *corpus,
                int (*each)(void *context, const uint8_t *input, size_t size_bytes,
                            struct error *error),
                void *context, struct error *error)
{
    uint8_t input[BYTES_INPUT_MAX];
    struct found *found = NULL;
    size_t count = 0, size_bytes;
    DIR *dir = opendir(corpus->dir);
    int status;

    if (!dir) {
        return error_set(error, SNPEMU_ERR_IO, "%s: %s", corpus->dir, strerror(errno));
    }
    status = look(corpus, dir, &found, &count, error);
    if (count > 0) {
        qsort(found, count, sizeof(*found), compare_found);
    }
    for (size_t i = 0; status == SNPEMU_OK && i < count; i++) {
        if (read_start(dirfd(dir), found[i].name, input, &size_bytes)) {
            status = each(context, input, size_bytes, error);
        }
    }
    free_found(found, count);
    closedir(dir);
    return status;
}

/* ---- entries ---- */

static int write_file(struct corpus *corpus, const uint8_t *input, size_t size_bytes,
                      struct error *error)
{
    char name[FINGERPRINT_SIZE], path[PATH_SIZE];
    int status = fingerprint(input, size_bytes, name, error);

    if (status != SNPEMU_OK || is_met(corpus, name)) {
        return status;
    }
    meet(corpus, name);
    snprintf(path, sizeof(path), "%s/%s", corpus->dir, name);
    return aside_write(path, (const char *)input, size_bytes, error);
}

int corpus_add(struct corpus *corpus, const uint8_t *input, size_t size_bytes, uint64_t cost,
               bool file, struct error *error)
{
    struct corpus_entry entry = {.size_bytes = size_bytes, .cost = cost};
    int status = file ? write_file(corpus, input, size_bytes, error) : SNPEMU_OK;

    if (status != SNPEMU_OK || corpus->count == CORPUS_ENTRIES_MAX) {
        return status;
    }
    if (corpus->count == corpus->capacity) {
        size_t capacity = corpus->capacity ? 2 * corpus->capacity : 64;
        struct corpus_entry *more = reallocarray(corpus->entry, capacity, sizeof(*more));

        if (!more) {
            return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a corpus");
        }
        corpus->entry = more;
        corpus->capacity = capacity;
    }
    entry.input = malloc(size_bytes + 1);
    if (!entry.input) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a corpus");
    }
    memcpy(entry.input, input, size_bytes);
    corpus->entry[corpus->count++] = entry;
    return SNPEMU_OK;
}

/* ---- choosing ---- */

/* Lower is better. What has led on gets its turns back. */
static uint64_t weight(const struct corpus_entry *entry)
{
    uint64_t turns = 1 + entry->chosen / (1 + (uint64_t)entry->led_on);
    uint64_t records = 1 + entry->size_bytes / BYTES_RECORD_SIZE;

    return turns * (4 + records) * (20000 + entry->cost);
}

size_t corpus_choose(struct corpus *corpus, uint64_t *random)
{
    size_t best = random_below(random, corpus->count);

    for (int i = 1; i < ROUNDS; i++) {
        size_t other = random_below(random, corpus->count);

        best = weight(&corpus->entry[other]) < weight(&corpus->entry[best]) ? other : best;
    }
    corpus->entry[best].chosen++;
    return best;
}

const struct corpus_entry *corpus_entry(const struct corpus *corpus, size_t number)
{
    return &corpus->entry[number];
}

void corpus_led_on(struct corpus *corpus, size_t number)
{
    corpus->entry[number].led_on++;
}
