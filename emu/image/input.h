/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file that a user names, read whole into memory, and the one-line errors about it.
 */
#ifndef SNPEMU_IMAGE_INPUT_H
#define SNPEMU_IMAGE_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

/* What the user should have given, for messages. */
struct input_kind {
    const char *name; /* "an SVSM image" */
    uint32_t size_max;
    const char *shrink; /* what to do about a file that is larger */
};

/* Write "FILE: message" and return SNPEMU_ERR_INPUT. The message is place, fault and remedy. */
int input_refuse(const char *path, struct error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int input_out_of_memory(const char *path, struct error *error);

/* 0 with *bytes for the caller to free; or SNPEMU_ERR_INPUT, SNPEMU_ERR_IO, SNPEMU_ERR_MEMORY,
   and *bytes may have been allocated nevertheless. */
int input_read(const char *path, const struct input_kind *kind, uint8_t **bytes, size_t *size_bytes,
               struct error *error);

#endif
