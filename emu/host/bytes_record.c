/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/bytes_record.h"

#include <string.h>

#include "host/deviation.h"

#define FLAG 0x80
#define AT_KIND 2
#define AT_WHAT 3
#define AT_INDEX 4
#define AT_WHEN 6
#define AT_FORM 7
#define AT_OPERAND 8

size_t bytes_record_count(size_t size_bytes)
{
    size_t count = size_bytes / BYTES_RECORD_SIZE + (size_bytes % BYTES_RECORD_SIZE != 0);

    return count < BYTES_RECORD_MAX ? count : BYTES_RECORD_MAX;
}

static uint64_t load(const uint8_t *bytes, size_t size_bytes)
{
    uint64_t value = 0;

    for (size_t i = size_bytes; i > 0; i--) {
        value = value << 8 | bytes[i - 1];
    }
    return value;
}

static void store(uint8_t *bytes, size_t size_bytes, uint64_t value)
{
    for (size_t i = 0; i < size_bytes; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
}

void bytes_record_read(const uint8_t *input, size_t size_bytes, size_t i,
                       struct bytes_record *record)
{
    uint8_t bytes[BYTES_RECORD_SIZE] = {0};
    size_t at = i * BYTES_RECORD_SIZE;
    size_t left = size_bytes - at;

    memcpy(bytes, input + at, left < BYTES_RECORD_SIZE ? left : BYTES_RECORD_SIZE);
    *record = (struct bytes_record){
        .exit = (uint16_t)load(bytes, 2),
        .kind = bytes[AT_KIND] % DEVIATION_KIND_COUNT,
        .what = bytes[AT_WHAT],
        .index = (uint16_t)load(bytes + AT_INDEX, 2),
        .when = bytes[AT_WHEN],
        .form = (uint8_t)((bytes[AT_FORM] & 0x7F) % FORM_COUNT),
        .flag = bytes[AT_FORM] & FLAG,
        .operand = load(bytes + AT_OPERAND, 8),
    };
}

void bytes_record_write(const struct bytes_record *record, uint8_t bytes[BYTES_RECORD_SIZE])
{
    store(bytes, 2, record->exit);
    bytes[AT_KIND] = record->kind;
    bytes[AT_WHAT] = record->what;
    store(bytes + AT_INDEX, 2, record->index);
    bytes[AT_WHEN] = record->when;
    bytes[AT_FORM] = (uint8_t)(record->form | (record->flag ? FLAG : 0));
    store(bytes + AT_OPERAND, 8, record->operand);
}

uint64_t bytes_record_delay(const struct bytes_record *record)
{
    uint64_t beyond = record->when > 128 ? record->when - 128u : 0;

    return record->when - beyond + beyond * beyond;
}

#define POWER(n) (1ULL << (n))

const uint64_t bytes_interesting[] = {
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    9,
    0x1F,
    0x20,
    0x21,
    0x3F,
    0x40,
    0x41,
    0x7F,
    0x80,
    0xFF,
    0x100,
    /* Pages, page state changes in a GHCB, IDs in a page, in two and in four. */
    252,
    253,
    254,
    511,
    512,
    1022,
    1023,
    1024,
    1025,
    2046,
    2047,
    2048,
    4094,
    4095,
    4096,
    4097,
    POWER(12) - 8,
    POWER(12) + 8,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x10000,
    POWER(20),
    POWER(21),
    /* What times 4, 8, 32 or 4096 is more than 32 or 64 bits hold. */
    POWER(27),
    POWER(29),
    POWER(30) - 1,
    POWER(30),
    POWER(30) + 1,
    POWER(31) - 1,
    POWER(31),
    POWER(31) + 1,
    POWER(32) - 2,
    POWER(32) - 1,
    POWER(32),
    POWER(32) + 1,
    POWER(51),
    POWER(52) - 1,
    POWER(52),
    POWER(52) + 1,
    POWER(59),
    POWER(61),
    POWER(62),
    POWER(63) - 1,
    POWER(63),
    POWER(63) + 1,
    0 - POWER(12),
    0 - 2ULL,
    0 - 1ULL,
    0x8080808080808080ULL,
};
const size_t bytes_interesting_count = sizeof(bytes_interesting) / sizeof(bytes_interesting[0]);
