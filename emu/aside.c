/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "aside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int aside_fail(const char *path, const char *what, int number, struct error *error)
{
    return error_set(error, SNPEMU_ERR_IO, "%s: %s: %s", path, what, strerror(number));
}

/* The descriptor of our own that a path names, or -1: opening it anew would lose its offset. */
static int own_descriptor(const char *path)
{
    static const struct {
        const char *path;
        int fd;
    } rows[] = {
        {"-", STDOUT_FILENO}, {"/dev/stdout", STDOUT_FILENO}, {"/dev/stderr", STDERR_FILENO}};
    int fd, end = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(path, rows[i].path) == 0) {
            return rows[i].fd;
        }
    }
    if ((sscanf(path, "/dev/fd/%9d%n", &fd, &end) == 1 ||
         sscanf(path, "/proc/self/fd/%9d%n", &fd, &end) == 1) &&
        path[end] == '\0') {
        return fd;
    }
    return -1;
}

static int aside_open_directly(struct aside *aside, int fd, const char *path, struct error *error)
{
    int number;

    if (fd < 0) {
        return aside_fail(path, "cannot be written", errno, error);
    }
    aside->file = fdopen(fd, "w");
    if (!aside->file) {
        number = errno;
        close(fd);
        return aside_fail(path, "cannot be written", number, error);
    }
    return SNPEMU_OK;
}

/* mkstemp makes a file for its owner alone; give it the mode that open would have given. */
static void set_mode(int fd, const struct stat *old)
{
    mode_t mask = umask(0);

    umask(mask);
    /* Not fatal: the contents matter. */
    if (fchmod(fd, old ? old->st_mode & 0777 : 0666 & ~mask) != 0) {
        return;
    }
}

int aside_open(struct aside *aside, const char *path, struct error *error)
{
    struct stat old;
    bool exists;
    int fd = own_descriptor(path), status;

    memset(aside, 0, sizeof(*aside));
    if (fd >= 0) {
        aside->path = strdup(fd == STDOUT_FILENO ? "standard output" : path);
        status = aside->path ? aside_open_directly(aside, dup(fd), aside->path, error)
                             : error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
        goto out;
    }
    exists = stat(path, &old) == 0;
    /* The file that a link leads to is replaced, not the link. */
    aside->path = exists ? realpath(path, NULL) : strdup(path);
    if (!aside->path) {
        status = aside_fail(path, "cannot be written", errno, error);
    } else if (exists && S_ISDIR(old.st_mode)) {
        status = aside_fail(path, "cannot be written", EISDIR, error);
    } else if (exists && !S_ISREG(old.st_mode)) {
        status = aside_open_directly(aside, open(path, O_WRONLY | O_CLOEXEC), path, error);
    } else if (exists && access(path, W_OK) != 0) {
        status = aside_fail(path, "cannot be written", errno, error);
    } else if (asprintf(&aside->path_now, "%s.tmp.XXXXXX", aside->path) < 0) {
        aside->path_now = NULL;
        status = error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
    } else {
        fd = mkostemp(aside->path_now, O_CLOEXEC);
        if (fd < 0) {
            status = aside_fail(path, "cannot be written", errno, error);
            free(aside->path_now);
            aside->path_now = NULL;
            goto out;
        }
        set_mode(fd, exists ? &old : NULL);
        status = aside_open_directly(aside, fd, path, error);
    }
out:
    if (status != SNPEMU_OK) {
        aside_drop(aside);
    }
    return status;
}

int aside_commit(struct aside *aside, struct error *error)
{
    int number = 0;

    if (fflush(aside->file) != 0 || ferror(aside->file)) {
        number = errno ? errno : EIO;
    } else if (aside->path_now && fsync(fileno(aside->file)) != 0) {
        number = errno;
    }
    if (fclose(aside->file) != 0 && number == 0) {
        number = errno;
    }
    aside->file = NULL;
    if (number == 0 && aside->path_now) {
        if (rename(aside->path_now, aside->path) == 0) {
            free(aside->path_now);
            aside->path_now = NULL;
        } else {
            number = errno;
        }
    }
    if (number != 0) {
        aside_fail(aside->path, "cannot be written", number, error);
    }
    aside_drop(aside);
    return number == 0 ? SNPEMU_OK : SNPEMU_ERR_IO;
}

void aside_drop(struct aside *aside)
{
    if (aside->file) {
        fclose(aside->file);
    }
    if (aside->path_now) {
        unlink(aside->path_now);
    }
    free(aside->path_now);
    free(aside->path);
    memset(aside, 0, sizeof(*aside));
}

int aside_write(const char *path, const char *bytes, size_t size_bytes, struct error *error)
{
    struct aside aside;
    int status = aside_open(&aside, path, error);

    if (status != SNPEMU_OK) {
        return status;
    }
    fwrite(bytes, 1, size_bytes, aside.file); /* commit sees the failure */
    return aside_commit(&aside, error);
}
