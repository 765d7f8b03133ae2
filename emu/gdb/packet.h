/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of the remote serial protocol: `$data#checksum`, apart from where they come from and from
 * what they mean. All bytes that arrive are hostile: whatever they are, nothing is kept beyond the
 * size of one packet, and the next `$` begins a new one.
 *
 * Source: Debugging with GDB, appendix E "GDB Remote Serial Protocol", E.1 Overview.
 */
#ifndef SNPEMU_GDB_PACKET_H
#define SNPEMU_GDB_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GDB_PACKET_MAX 0x4000                  /* bytes of data in a packet, of either side */
#define GDB_FRAME_MAX (2 * GDB_PACKET_MAX + 4) /* each byte may be escaped */

enum gdb_input {
    GDB_INPUT_NONE,      /* more is to come */
    GDB_INPUT_PACKET,    /* data and size are those of a whole packet */
    GDB_INPUT_BAD,       /* a packet with another checksum, or too long */
    GDB_INPUT_INTERRUPT, /* Ctrl-C */
    GDB_INPUT_ACK,
    GDB_INPUT_NAK,
};

struct gdb_framer {
    uint8_t state;
    bool overflow;
    uint8_t sum, given;
    size_t size;
    char data[GDB_PACKET_MAX + 1]; /* unescaped; with a NUL behind it */
};

/* All zero is a framer at its beginning. */
enum gdb_input gdb_framer_put(struct gdb_framer *framer, uint8_t byte);

/* A packet around `data`, at most GDB_PACKET_MAX bytes, escaped. How long it is. */
size_t gdb_frame(const char *data, size_t size, char frame[GDB_FRAME_MAX]);

/* ---- data that is being written ---- */

struct gdb_reply {
    size_t size;
    bool overflow; /* more than GDB_PACKET_MAX bytes: what is there is cut */
    char data[GDB_PACKET_MAX];
};

void gdb_reply_start(struct gdb_reply *reply);
void gdb_put_bytes(struct gdb_reply *reply, const void *bytes, size_t size);
void gdb_put(struct gdb_reply *reply, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Two hexadecimal digits a byte. */
void gdb_put_hex(struct gdb_reply *reply, const void *bytes, size_t size);

/* ---- data that is being read: each moves on when it is true, and stays when it is false ---- */

struct gdb_cursor {
    const char *at, *end;
};

/* One or more hexadecimal digits, a number below 2^64. */
bool gdb_take_number(struct gdb_cursor *cursor, uint64_t *number);
bool gdb_take_char(struct gdb_cursor *cursor, char c);
/* What is there begins with `word`. */
bool gdb_take_word(struct gdb_cursor *cursor, const char *word);
/* Exactly `size` bytes, as two hexadecimal digits each. */
bool gdb_take_hex(struct gdb_cursor *cursor, void *bytes, size_t size);
bool gdb_empty(const struct gdb_cursor *cursor);
size_t gdb_left(const struct gdb_cursor *cursor);

#endif
