/* SPDX-License-Identifier: MIT */
/* Text put together in a buffer of fixed size; what does not fit is left out. */
#ifndef SVSM_TEXT_H
#define SVSM_TEXT_H

#include "svsm.h"

struct text {
    char *buffer; /* always ends in NUL */
    size_t size_bytes;
    size_t length; /* without the NUL */
};

#pragma GCC visibility push(hidden)

void text_init(struct text *text, char *buffer, size_t size_bytes);
void text_string(struct text *text, const char *string);
void text_decimal(struct text *text, u64 value);
void text_hex(struct text *text, u64 value); /* with 0x */

#pragma GCC visibility pop

#endif
