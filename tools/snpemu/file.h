/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SNPEMU_FILE_H
#define SNPEMU_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

/* All of a regular file, with a NUL behind it; the caller frees it. SNPEMU_ERR_IO beyond `max`. */
int file_read(const char *path, size_t max_bytes, char **text, size_t *size_bytes,
              struct error *error);
int file_read_fd(int fd, const char *name, size_t max_bytes, char **text, size_t *size_bytes,
                 struct error *error);
/* All of it, interrupted or not. */
bool file_write_fd(int fd, const void *bytes, size_t size_bytes);

#endif
