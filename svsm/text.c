/* SPDX-License-Identifier: MIT */
#include "text.h"

#define DIGITS_MAX 20 /* of a 64-bit number, in base 10 */

void text_init(struct text *text, char *buffer, size_t size_bytes)
{
    text->buffer = buffer;
    text->size_bytes = size_bytes;
    text->length = 0;
    buffer[0] = '\0';
}

static void text_char(struct text *text, char c)
{
    if (text->length + 1 < text->size_bytes) {
        text->buffer[text->length++] = c;
        text->buffer[text->length] = '\0';
    }
}

void text_string(struct text *text, const char *string)
{
    for (; *string != '\0'; string++) {
        text_char(text, *string);
    }
}

static void text_number(struct text *text, u64 value, u32 base)
{
    char digit[DIGITS_MAX];
    u32 count = 0;

    do {
        digit[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);

    while (count > 0) {
        text_char(text, digit[--count]);
    }
}

void text_decimal(struct text *text, u64 value)
{
    text_number(text, value, 10);
}

void text_hex(struct text *text, u64 value)
{
    text_string(text, "0x");
    text_number(text, value, 16);
}
