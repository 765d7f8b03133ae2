/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_read_fd(int fd, const char *name, size_t max_bytes, char **text, size_t *size_bytes,
                 struct error *error)
{
    struct stat stat_data;
    size_t size = 0, wanted;
    char *bytes;

    if (fstat(fd, &stat_data) != 0) {
        return error_set(error, SNPEMU_ERR_IO, "%s: %s", name, strerror(errno));
    }
    if (!S_ISREG(stat_data.st_mode) || (size_t)stat_data.st_size > max_bytes) {
        return error_set(error, SNPEMU_ERR_IO, "%s: not a file of at most %zu bytes", name,
                         max_bytes);
    }
    wanted = (size_t)stat_data.st_size;
    bytes = malloc(wanted + 1);
    if (!bytes) {
        return error_set(error, SNPEMU_ERR_MEMORY, "%s: out of memory", name);
    }
    while (size < wanted) {
        ssize_t got = pread(fd, bytes + size, wanted - size, (off_t)size);

        if (got < 0 && errno != EINTR) {
            free(bytes);
            return error_set(error, SNPEMU_ERR_IO, "%s: %s", name, strerror(errno));
        }
        if (got == 0) {
            break; /* it became shorter meanwhile */
        }
        size += got > 0 ? (size_t)got : 0;
    }
    bytes[size] = '\0';
    *text = bytes;
    *size_bytes = size;
    return SNPEMU_OK;
}

int file_read(const char *path, size_t max_bytes, char **text, size_t *size_bytes,
              struct error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), status;

    if (fd < 0) {
        return error_set(error, SNPEMU_ERR_IO, "%s: %s", path, strerror(errno));
    }
    status = file_read_fd(fd, path, max_bytes, text, size_bytes, error);
    close(fd);
    return status;
}

bool file_write_fd(int fd, const void *bytes, size_t size_bytes)
{
    const char *at = bytes;

    while (size_bytes > 0) {
        ssize_t put = write(fd, at, size_bytes);

        if (put < 0 && errno != EINTR) {
            return false;
        }
        if (put > 0) {
            at += put;
            size_bytes -= (size_t)put;
        }
    }
    return true;
}
