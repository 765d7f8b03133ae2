/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets of the debugger's protocol, byte by byte. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "gdb/packet.h"

static struct gdb_framer framer;
static struct gdb_reply reply;

static void setup(void)
{
    memset(&framer, 0, sizeof(framer));
    gdb_reply_start(&reply);
}

/* What the last byte gives. */
static enum gdb_input put(const char *bytes, size_t size)
{
    enum gdb_input input = GDB_INPUT_NONE;

    for (size_t i = 0; i < size; i++) {
        ck_assert_int_eq(i > 0 ? (int)input : (int)GDB_INPUT_NONE, GDB_INPUT_NONE);
        input = gdb_framer_put(&framer, (uint8_t)bytes[i]);
    }
    return input;
}

static const struct {
    const char *bytes;
    enum gdb_input input;
    const char *data; /* of a packet */
} rows[] = {
    {"$OK#9a", GDB_INPUT_PACKET, "OK"},
    {"$OK#9A", GDB_INPUT_PACKET, "OK"},
    {"$#00", GDB_INPUT_PACKET, ""},
    {"$OK#9b", GDB_INPUT_BAD, NULL},
    {"$OK#x", GDB_INPUT_BAD, NULL},
    {"$}\x03#80", GDB_INPUT_PACKET, "#"},
    {"$}]#da", GDB_INPUT_PACKET, "}"},
    {"$}#7d", GDB_INPUT_BAD, NULL}, /* an escape of nothing */
    {"$cut off$OK#9a", GDB_INPUT_PACKET, "OK"},
    {"nonsense$OK#9a", GDB_INPUT_PACKET, "OK"},
    {"\x03", GDB_INPUT_INTERRUPT, NULL},
    {"$a\x03#64", GDB_INPUT_PACKET, "a\x03"},
    {"+", GDB_INPUT_ACK, NULL},
    {"-", GDB_INPUT_NAK, NULL},
};

START_TEST(framing)
{
    ck_assert_int_eq(put(rows[_i].bytes, strlen(rows[_i].bytes)), rows[_i].input);
    if (rows[_i].data) {
        ck_assert_uint_eq(framer.size, strlen(rows[_i].data));
        ck_assert_str_eq(framer.data, rows[_i].data);
    }
    /* Whatever it was, the next one is read. */
    ck_assert_int_eq(put("$?#3f", 5), GDB_INPUT_PACKET);
    ck_assert_str_eq(framer.data, "?");
}
END_TEST

/* One byte more than fits is refused, and nothing is written behind the buffer. */
START_TEST(too_long)
{
    static char bytes[GDB_FRAME_MAX], data[GDB_PACKET_MAX + 1];
    size_t size;

    memset(data, 'a', sizeof(data));
    size = gdb_frame(data, GDB_PACKET_MAX, bytes);
    ck_assert_int_eq(put(bytes, size), GDB_INPUT_PACKET);
    ck_assert_uint_eq(framer.size, GDB_PACKET_MAX);
    gdb_framer_put(&framer, '$');
    for (size_t i = 0; i < GDB_PACKET_MAX + 1; i++) {
        ck_assert_int_eq(gdb_framer_put(&framer, 'a'), GDB_INPUT_NONE);
    }
    ck_assert_int_eq(put("#61", 3), GDB_INPUT_BAD);
}
END_TEST

/* Each byte comes back as it was. */
START_TEST(there_and_back)
{
    char data[256], bytes[GDB_FRAME_MAX];
    size_t size;

    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (char)i;
    }
    size = gdb_frame(data, sizeof(data), bytes);
    ck_assert_int_eq(put(bytes, size), GDB_INPUT_PACKET);
    ck_assert_uint_eq(framer.size, sizeof(data));
    ck_assert_mem_eq(framer.data, data, sizeof(data));
}
END_TEST

START_TEST(reading)
{
    static const char text[] = "12aB,g10000000000000000;0102x";
    struct gdb_cursor cursor = {text, text + strlen(text)};
    uint64_t number = 0;
    uint8_t bytes[4] = {0};

    ck_assert(gdb_take_number(&cursor, &number));
    ck_assert_uint_eq(number, 0x12ab);
    ck_assert(!gdb_take_number(&cursor, &number));
    ck_assert(!gdb_take_word(&cursor, ",ga"));
    ck_assert(gdb_take_word(&cursor, ",g"));
    ck_assert(!gdb_take_number(&cursor, &number)); /* 65 bits */
    ck_assert(gdb_take_word(&cursor, "10000000000000000;"));
    ck_assert(!gdb_take_hex(&cursor, bytes, 3)); /* not all of them are digits */
    ck_assert(!gdb_take_hex(&cursor, bytes, SIZE_MAX / 2 + 2));
    ck_assert(gdb_take_hex(&cursor, bytes, 2));
    ck_assert_uint_eq(bytes[1], 2);
    ck_assert(gdb_take_char(&cursor, 'x'));
    ck_assert(gdb_empty(&cursor));
    ck_assert(!gdb_take_char(&cursor, '\0'));
}
END_TEST

START_TEST(writing)
{
    gdb_put(&reply, "%s%x", "T", 5);
    gdb_put_hex(&reply, "\xA5\x00", 2);
    ck_assert_uint_eq(reply.size, 6);
    ck_assert_mem_eq(reply.data, "T5a500", 6);
    for (size_t i = 0; i < GDB_PACKET_MAX; i++) {
        gdb_put_bytes(&reply, "x", 1);
    }
    ck_assert(reply.overflow);
    ck_assert_uint_eq(reply.size, GDB_PACKET_MAX);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gdb packets");
    SRunner *runner = srunner_create(suite);
    TCase *packets = tcase_create("packets");
    int failed;

    suite_add_tcase(suite, packets);
    tcase_add_checked_fixture(packets, setup, NULL);
    tcase_add_loop_test(packets, framing, 0, sizeof(rows) / sizeof(rows[0]));
    tcase_add_test(packets, too_long);
    tcase_add_test(packets, there_and_back);
    tcase_add_test(packets, reading);
    tcase_add_test(packets, writing);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
