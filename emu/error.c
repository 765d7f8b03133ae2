/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "error.h"

#include <stdio.h>

int error_set(struct error *error, int status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);

    for (unsigned char *c = (unsigned char *)error->text; *c; c++) {
        if (*c < 0x20 || *c == 0x7F) {
            *c = '?';
        }
    }
    return status;
}
