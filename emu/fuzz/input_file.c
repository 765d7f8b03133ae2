/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz/input_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opened without blocking: a FIFO would wait for its writer for ever. */
int input_file_read(const char *path, uint8_t input[BYTES_INPUT_MAX], size_t *size_bytes,
                    struct error *error)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), status = SNPEMU_OK;
    struct stat stat_data;

    *size_bytes = 0;
    if (fd < 0) {
        return error_set(error, SNPEMU_ERR_IO, "%.300s: cannot open the input: %s", path,
                         strerror(errno));
    }
    if (fstat(fd, &stat_data) != 0 || !S_ISREG(stat_data.st_mode)) {
        status = error_set(error, SNPEMU_ERR_INPUT, "%.300s: not a file; give an input's", path);
    }
    while (status == SNPEMU_OK && *size_bytes < BYTES_INPUT_MAX) {
        ssize_t got = read(fd, input + *size_bytes, BYTES_INPUT_MAX - *size_bytes);

        if (got < 0 && errno != EINTR) {
            status = error_set(error, SNPEMU_ERR_IO, "%.300s: %s", path, strerror(errno));
        } else if (got == 0) {
            break;
        } else if (got > 0) {
            *size_bytes += (size_t)got;
        }
    }
    close(fd);
    return status;
}
