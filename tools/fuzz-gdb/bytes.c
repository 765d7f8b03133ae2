/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_gdb.h"
#include "gdb/cpu.h"

#define MOVES_MAX 24 /* packets that let the run go on */

struct stream {
    const uint8_t *data;
    size_t at, size;
    bool lines;
    unsigned moves;
};

static bool next_bytes(struct client *client)
{
    struct stream *stream = client->context;
    const uint8_t *start = stream->data + stream->at;
    size_t left = stream->size - stream->at;
    const uint8_t *newline = memchr(start, '\n', left);
    size_t size = stream->lines && newline ? (size_t)(newline - start) : left;

    if (left == 0 || (size > 0 && strchr("csCSbv", *start) && ++stream->moves > MOVES_MAX)) {
        return false;
    }
    stream->at += size + (size < left);
    if (stream->lines) {
        client_say(client, (const char *)start, size);
    } else {
        client_bytes(client, start, size);
    }
    return true;
}

void fuzz_gdb_bytes(struct table *table, const uint8_t *data, size_t size)
{
    struct stream stream = {.data = data + 1, .size = size - 1, .lines = size > 0 && data[0] & 1};

    if (size == 0) {
        return;
    }
    table_session(table, next_bytes, &stream);
    if (!table_in_order(table)) {
        abort();
    }
}

/* ---- inputs ---- */

uint64_t fuzz_gdb_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Any register, any value: what a guest could load by a save area of its own. */
static void generate_register(uint64_t *random, char text[128])
{
    size_t number = fuzz_gdb_random(random) % gdb_register_count();
    size_t size = gdb_register_size_bytes(number);
    int at = snprintf(text, 128, "P%zx=", number);
    bool small = fuzz_gdb_random(random) % 2;

    for (size_t i = 0; i < size; i++) {
        at += snprintf(text + at, 3, "%02x",
                       small && i > 1 ? 0u : (unsigned)fuzz_gdb_random(random) & 0xFF);
    }
}

static const char *const packets[] = {
    "?",
    "g",
    "p10",
    "p3f",
    "P0=1122334455667788",
    "P10=0000000000000000",
    "G00",
    "m%llx,40",
    "m%llx,ffffffffffffffff",
    "M%llx,4:deadbeef",
    "X%llx,2:ab",
    "Z0,%llx,1",
    "Z1,%llx,1",
    "Z2,%llx,8",
    "Z3,%llx,40",
    "Z4,%llx,4",
    "z0,%llx,1",
    "z2,%llx,8",
    "Z2,%llx,1000",
    "Hg1",
    "Hg2",
    "Hc-1",
    "Hgffffffff",
    "T1",
    "s",
    "c",
    "bs",
    "bc",
    "vCont?",
    "vCont;s:1;c",
    "vCont;c",
    "vCont;s:2",
    "qSupported:swbreak+;hwbreak+",
    "QStartNoAckMode",
    "qXfer:features:read:target.xml:0,200",
    "qXfer:features:read:target.xml:%llx,ffff",
    "qXfer:threads:read::0,1000",
    "qC",
    "qRcmd,67686362",
    "qRcmd,7870203078383030303030303030302034303936",
    "qRcmd,6578697473203939",
    "qRcmd,726d70",
    "D",
    "k",
    "vKill;1",
};

size_t fuzz_gdb_generate(uint64_t *random, uint8_t data[FUZZ_GDB_INPUT_MAX])
{
    static const unsigned long long places[] = {0xffff808000000000, 0xffff808000001000,
                                                0xffffffffffffffff, 0xffff808000000ffc, 0x1000};
    size_t size = 1, lines = 1 + fuzz_gdb_random(random) % 24;

    data[0] = fuzz_gdb_random(random) % 4 != 0;
    for (size_t i = 0; i < lines && size + 128 < FUZZ_GDB_INPUT_MAX; i++) {
        const char *packet =
            packets[fuzz_gdb_random(random) % (sizeof(packets) / sizeof(packets[0]))];
        unsigned long long place =
            places[fuzz_gdb_random(random) % 5] + fuzz_gdb_random(random) % 0x400;
        char text[128];

        if (fuzz_gdb_random(random) % 6 == 0) {
            generate_register(random, text);
            packet = NULL;
        }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        if (packet) {
            snprintf(text, sizeof(text), packet, place);
        }
#pragma GCC diagnostic pop
        if (data[0] == 0) {
            char frame[GDB_FRAME_MAX];
            size_t length = gdb_frame(text, strlen(text), frame);

            memcpy(data + size, frame, length);
            size += length;
        } else {
            size += (size_t)snprintf((char *)data + size, FUZZ_GDB_INPUT_MAX - size, "%s\n", text);
        }
    }
    for (uint64_t i = fuzz_gdb_random(random) % 4; i > 0; i--) {
        data[1 + fuzz_gdb_random(random) % (size - 1)] = (uint8_t)fuzz_gdb_random(random);
    }
    return size;
}
