/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A longer path is shown by its end, so that fault and remedy still fit into struct error. */
#define PATH_SHOWN_MAX 160

static const char *shown_path(const char *path, const char **cut)
{
    size_t length = strlen(path);

    *cut = length > PATH_SHOWN_MAX ? "..." : "";
    return length > PATH_SHOWN_MAX ? path + (length - PATH_SHOWN_MAX) : path;
}

int input_refuse(const char *path, struct error *error, const char *format, ...)
{
    const char *cut;
    const char *shown = shown_path(path, &cut);
    char text[sizeof(error->text)];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return error_set(error, SNPEMU_ERR_INPUT, "%s%s: %s", cut, shown, text);
}

int input_out_of_memory(const char *path, struct error *error)
{
    const char *cut;
    const char *shown = shown_path(path, &cut);

    return error_set(error, SNPEMU_ERR_MEMORY, "%s%s: out of memory", cut, shown);
}

/* `kind` NULL: the remedy alone says it all. */
static int io_error(const char *path, const char *verb, const char *remedy,
                    const struct input_kind *kind, struct error *error)
{
    const char *cut;
    const char *reason = strerror(errno);
    const char *shown = shown_path(path, &cut);

    return error_set(error, SNPEMU_ERR_IO, "%s%s: cannot %s: %s; %s%s", cut, shown, verb, reason,
                     remedy, kind ? kind->name : "");
}

/* Opening a device can act on it and opening a FIFO can block, hence the look before. */
static int open_regular(const char *path, const struct input_kind *kind, int *fd,
                        size_t *size_bytes, struct error *error)
{
    struct stat status;

    if (stat(path, &status) != 0) {
        return io_error(path, "open", "give the path of ", kind, error);
    }
    if (S_ISREG(status.st_mode)) {
        *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (*fd < 0 || fstat(*fd, &status) != 0) {
            return io_error(path, "open", "make the file readable", NULL, error);
        }
    }
    if (!S_ISREG(status.st_mode)) {
        return input_refuse(path, error, "%s, not a file; give the path of %s",
                            S_ISDIR(status.st_mode) ? "a directory" : "a device, pipe or socket",
                            kind->name);
    }
    if (status.st_size > (off_t)kind->size_max) {
        return input_refuse(path, error, "the file has %lld bytes, more than %u; %s",
                            (long long)status.st_size, kind->size_max, kind->shrink);
    }
    *size_bytes = (size_t)status.st_size;
    return 0;
}

/* It is not mapped: another program may shorten it meanwhile. */
int input_read(const char *path, const struct input_kind *kind, uint8_t **bytes, size_t *size_bytes,
               struct error *error)
{
    size_t wanted = 0;
    int fd = -1;
    int status = open_regular(path, kind, &fd, &wanted, error);

    *size_bytes = 0;
    if (status != 0) {
        goto out;
    }
    *bytes = malloc(wanted + 1);
    if (*bytes == NULL) {
        status = input_out_of_memory(path, error);
        goto out;
    }
    while (*size_bytes < wanted) {
        ssize_t got = read(fd, *bytes + *size_bytes, wanted - *size_bytes);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            status = io_error(path, "read", "check the file system", NULL, error);
            goto out;
        }
        if (got == 0) {
            status = input_refuse(path, error,
                                  "the file became shorter while it was read; try again when it "
                                  "is complete");
            goto out;
        }
        *size_bytes += (size_t)got;
    }
out:
    if (fd >= 0) {
        close(fd);
    }
    return status;
}
