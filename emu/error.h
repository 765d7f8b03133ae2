/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The emulator's own failures, as opposed to what happens to the guest. A function that can fail
 * returns 0 or one of these negative values, and leaves one line in the caller's struct error:
 * the place (file, line, field) and the remedy.
 */
#ifndef SNPEMU_ERROR_H
#define SNPEMU_ERROR_H

#include <stdarg.h>
#include <stddef.h>

enum snpemu_status {
    SNPEMU_OK = 0,
    SNPEMU_ERR_INPUT = -1,    /* a file, script or option is wrong: exit status 2 */
    SNPEMU_ERR_IO = -2,       /* a file cannot be read or written: exit status 2 */
    SNPEMU_ERR_MEMORY = -3,   /* out of memory: exit status 3 */
    SNPEMU_ERR_INTERNAL = -4, /* a check of the emulator itself failed: exit status 3 */
};

struct error {
    char text[512]; /* one line, no newline at its end; empty when there is none */
};

/* Write the message, cut to fit, with control characters replaced by '?', and return `status`. */
int error_set(struct error *error, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
