/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An input in a file.
 */
#ifndef SNPEMU_FUZZ_INPUT_FILE_H
#define SNPEMU_FUZZ_INPUT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "host/bytes.h"

/*
 * What counts of a regular file, however long it is: its first BYTES_INPUT_MAX bytes. SNPEMU_ERR_IO
 * when it cannot be read, SNPEMU_ERR_INPUT when it is no file.
 */
int input_file_read(const char *path, uint8_t input[BYTES_INPUT_MAX], size_t *size_bytes,
                    struct error *error);

#endif
