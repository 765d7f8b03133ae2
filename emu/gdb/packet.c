/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gdb/packet.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum framer_state {
    FRAMER_IDLE,
    FRAMER_DATA,
    FRAMER_ESCAPE,
    FRAMER_SUM_HIGH,
    FRAMER_SUM_LOW,
};

#define ESCAPE '}'
#define ESCAPE_BIT 0x20

static int digit_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* ---- framing ---- */

static void framer_start(struct gdb_framer *framer)
{
    framer->state = FRAMER_DATA;
    framer->overflow = false;
    framer->sum = 0;
    framer->size = 0;
}

static void framer_keep(struct gdb_framer *framer, uint8_t byte)
{
    if (framer->size == GDB_PACKET_MAX) {
        framer->overflow = true;
    } else {
        framer->data[framer->size++] = (char)byte;
    }
}

static enum gdb_input framer_idle(struct gdb_framer *framer, uint8_t byte)
{
    switch (byte) {
    case '$':
        framer_start(framer);
        return GDB_INPUT_NONE;
    case '+':
        return GDB_INPUT_ACK;
    case '-':
        return GDB_INPUT_NAK;
    case 0x03:
        return GDB_INPUT_INTERRUPT;
    default:
        return GDB_INPUT_NONE;
    }
}

static enum gdb_input framer_sum(struct gdb_framer *framer, uint8_t byte)
{
    int digit = digit_of((char)byte);

    if (digit < 0) {
        framer->state = FRAMER_IDLE;
        return GDB_INPUT_BAD;
    }
    framer->given = (uint8_t)(framer->given << 4 | digit);
    if (framer->state == FRAMER_SUM_HIGH) {
        framer->state = FRAMER_SUM_LOW;
        return GDB_INPUT_NONE;
    }
    framer->state = FRAMER_IDLE;
    framer->data[framer->size] = '\0';
    return framer->given == framer->sum && !framer->overflow ? GDB_INPUT_PACKET : GDB_INPUT_BAD;
}

static enum gdb_input framer_data(struct gdb_framer *framer, uint8_t byte)
{
    if (byte == '$') { /* never inside a packet: one that was cut off */
        framer_start(framer);
    } else if (byte == '#') {
        bool escaped = framer->state == FRAMER_ESCAPE;

        framer->overflow = framer->overflow || escaped;
        framer->state = FRAMER_SUM_HIGH;
        framer->given = 0;
    } else {
        framer->sum = (uint8_t)(framer->sum + byte);
        if (framer->state == FRAMER_ESCAPE) {
            framer->state = FRAMER_DATA;
            framer_keep(framer, byte ^ ESCAPE_BIT);
        } else if (byte == ESCAPE) {
            framer->state = FRAMER_ESCAPE;
        } else {
            framer_keep(framer, byte);
        }
    }
    return GDB_INPUT_NONE;
}

enum gdb_input gdb_framer_put(struct gdb_framer *framer, uint8_t byte)
{
    switch (framer->state) {
    case FRAMER_DATA:
    case FRAMER_ESCAPE:
        return framer_data(framer, byte);
    case FRAMER_SUM_HIGH:
    case FRAMER_SUM_LOW:
        return framer_sum(framer, byte);
    default:
        return framer_idle(framer, byte);
    }
}

size_t gdb_frame(const char *data, size_t size, char frame[GDB_FRAME_MAX])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t sum = 0;
    size_t at = 0;

    frame[at++] = '$';
    for (size_t i = 0; i < size && i < GDB_PACKET_MAX; i++) {
        char c = data[i];

        if (c == '$' || c == '#' || c == ESCAPE || c == '*') {
            frame[at++] = ESCAPE;
            sum = (uint8_t)(sum + ESCAPE);
            c = (char)(c ^ ESCAPE_BIT);
        }
        frame[at++] = c;
        sum = (uint8_t)(sum + (uint8_t)c);
    }
    frame[at++] = '#';
    frame[at++] = digits[sum >> 4];
    frame[at++] = digits[sum & 15];
    return at;
}

/* ---- writing ---- */

void gdb_reply_start(struct gdb_reply *reply)
{
    reply->size = 0;
    reply->overflow = false;
}

void gdb_put_bytes(struct gdb_reply *reply, const void *bytes, size_t size)
{
    size_t room = GDB_PACKET_MAX - reply->size;

    reply->overflow = reply->overflow || size > room;
    size = size < room ? size : room;
    memcpy(reply->data + reply->size, bytes, size);
    reply->size += size;
}

void gdb_put(struct gdb_reply *reply, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (size > 0) {
        gdb_put_bytes(reply, text, (size_t)size < sizeof(text) ? (size_t)size : sizeof(text) - 1);
    }
}

void gdb_put_hex(struct gdb_reply *reply, const void *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *byte = bytes;

    for (size_t i = 0; i < size; i++) {
        const char text[2] = {digits[byte[i] >> 4], digits[byte[i] & 15]};

        gdb_put_bytes(reply, text, sizeof(text));
    }
}

/* ---- reading ---- */

bool gdb_take_number(struct gdb_cursor *cursor, uint64_t *number)
{
    struct gdb_cursor next = *cursor;
    uint64_t value = 0;
    int digit;

    while (next.at < next.end && (digit = digit_of(*next.at)) >= 0) {
        if (value >> 60) {
            return false;
        }
        value = value << 4 | (unsigned)digit;
        next.at++;
    }
    if (next.at == cursor->at) {
        return false;
    }
    *cursor = next;
    *number = value;
    return true;
}

bool gdb_take_char(struct gdb_cursor *cursor, char c)
{
    bool there = cursor->at < cursor->end && *cursor->at == c;

    cursor->at += there;
    return there;
}

bool gdb_take_word(struct gdb_cursor *cursor, const char *word)
{
    size_t size = strlen(word);

    if (gdb_left(cursor) < size || memcmp(cursor->at, word, size) != 0) {
        return false;
    }
    cursor->at += size;
    return true;
}

bool gdb_take_hex(struct gdb_cursor *cursor, void *bytes, size_t size)
{
    uint8_t *byte = bytes;

    if (gdb_left(cursor) / 2 < size) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        int high = digit_of(cursor->at[2 * i]), low = digit_of(cursor->at[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        byte[i] = (uint8_t)(high << 4 | low);
    }
    cursor->at += 2 * size;
    return true;
}

bool gdb_empty(const struct gdb_cursor *cursor)
{
    return cursor->at == cursor->end;
}

size_t gdb_left(const struct gdb_cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}
