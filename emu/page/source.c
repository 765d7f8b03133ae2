/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of source. Their paths come from an image that may be hostile, and what is read goes into a
 * page that people hand on: only regular files are read whose names, links followed, end as a
 * program's source does.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "page/internal.h"

#define ENDS_MAX 64 /* of one path that are tried */

static bool is_source_name(const char *path)
{
    static const char *const endings[] = {"c",   "h", "cc", "cpp", "cxx", "hh",
                                          "hpp", "S", "s",  "asm", "inc", "rs"};
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');

    for (size_t i = 0; dot && i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (strcmp(dot + 1, endings[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Without "." and empty names, and ".." only as what it takes away: nothing leads out of a
   directory that it is put behind. */
static void normalize(const char *path, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    while (*path) {
        size_t length = strcspn(path, "/");

        if (length == 2 && path[0] == '.' && path[1] == '.') {
            while (used > 0 && out[--used] != '/') {
            }
            out[used] = '\0';
        } else if (length > 0 && !(length == 1 && path[0] == '.') && used + length + 2 < size) {
            if (used > 0) {
                out[used++] = '/';
            }
            memcpy(out + used, path, length);
            used += length;
            out[used] = '\0';
        }
        path += length;
        path += *path == '/' ? 1 : 0;
    }
}

/* All of the file, or NULL. */
static char *read_source(const char *path, size_t max_bytes, size_t *size_bytes)
{
    char real[PATH_MAX], *text = NULL;
    struct stat status;
    size_t have = 0;
    int fd;

    if (!realpath(path, real) || !is_source_name(real)) {
        return NULL;
    }
    /* What it is may change in between: a pipe must not hold the program up. */
    fd = open(real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return NULL;
    }
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 &&
        (uintmax_t)status.st_size <= max_bytes) {
        text = malloc((size_t)status.st_size + 1);
    }
    while (text && have < (size_t)status.st_size) {
        ssize_t got = read(fd, text + have, (size_t)status.st_size - have);

        if (got == 0 || (got < 0 && errno != EINTR)) {
            break;
        }
        have += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    /* A file with NULs is no text. */
    if (text && (have != (size_t)status.st_size || memchr(text, '\0', have))) {
        free(text);
        return NULL;
    }
    if (text) {
        text[have] = '\0';
        *size_bytes = have;
    }
    return text;
}

/* `dir` and the longest end of the path that is a file there; but not its last name alone, which
   may be that of another one. */
static char *read_below(const char *dir, const char *path, size_t max_bytes, size_t *size_bytes)
{
    char whole[2 * PATH_MAX], *text = NULL;
    int tries = 0;

    for (const char *end = path; end && !text && tries < ENDS_MAX; end = strchr(end, '/')) {
        tries++;
        end += *end == '/' ? 1 : 0;
        if (end != path && !strchr(end, '/')) {
            break;
        }
        snprintf(whole, sizeof(whole), "%s/%s", dir, end);
        text = read_source(whole, max_bytes, size_bytes);
    }
    return text;
}

static void source_read(struct source_file *file, bool absolute, size_t max_bytes,
                        const struct page_facts *facts)
{
    if (absolute) {
        char whole[PATH_MAX + 1];

        snprintf(whole, sizeof(whole), "/%s", file->path);
        file->text = read_source(whole, max_bytes, &file->size_bytes);
    }
    for (size_t i = 0; i < facts->source_dir_count && !file->text; i++) {
        file->text = read_below(facts->source_dir[i], file->path, max_bytes, &file->size_bytes);
    }
}

int source_file_number(struct source_files *files, const char *path, const struct page_facts *facts)
{
    char normal[PATH_MAX];
    struct source_file *file;
    size_t room = SOURCE_ALL_MAX - files->size_bytes;

    normalize(path, normal, sizeof(normal));
    for (size_t i = 0; i < files->count; i++) {
        if (strcmp(files->file[i].path, normal) == 0) {
            return files->file[i].text ? (int)i : -1;
        }
    }
    if (files->count == SOURCE_FILES_MAX || facts->no_sources) {
        return -1;
    }
    file = &files->file[files->count];
    file->path = strdup(normal);
    if (!file->path) {
        return -1;
    }
    files->count++;
    source_read(file, path[0] == '/', room < SOURCE_FILE_MAX ? room : SOURCE_FILE_MAX, facts);
    files->size_bytes += file->size_bytes;
    return file->text ? (int)(file - files->file) : -1;
}

void source_files_release(struct source_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->file[i].path);
        free(files->file[i].text);
    }
}
