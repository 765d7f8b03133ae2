/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What packets mean: one row each. A packet that has none is answered with an empty one, which says
 * so. Errors are E and a number: EINVAL for what cannot be understood, EFAULT for an address.
 *
 * Source: Debugging with GDB, appendix E: E.2 Packets, E.3 Stop Reply Packets, E.4 General Query
 * Packets.
 */
#include <stdlib.h>
#include <string.h>

#include "gdb/internal.h"

#define ERROR_INPUT "E16"
#define ERROR_ADDRESS "E0e"
#define READ_MAX (GDB_PACKET_MAX / 2 - 16)
#define MONITOR_LINE_MAX 256
#define MONITOR_CHUNK 4096

/* True: the run shall go on. The answer is in gdb->reply, and is sent unless it does. */
typedef bool handler(struct gdb *gdb, struct gdb_cursor *cursor);

static void answer(struct gdb *gdb, const char *text)
{
    gdb_reply_start(&gdb->reply);
    gdb_put(&gdb->reply, "%s", text);
}

static bool is_over(struct gdb *gdb)
{
    return run_outcome(gdb->run)->kind != OUTCOME_NONE;
}

/* ---- stops ---- */

void gdb_put_stop(struct gdb *gdb)
{
    static const char *const watches[GDB_POINT_KINDS] = {
        [GDB_POINT_WRITE] = "watch",
        [GDB_POINT_READ] = "rwatch",
        [GDB_POINT_ACCESS] = "awatch",
    };
    const struct gdb_stop *stop = &gdb->stop;

    gdb_reply_start(&gdb->reply);
    gdb_put(&gdb->reply, "T%02x", stop->signal);
    if (stop->begin) {
        gdb_put(&gdb->reply, "replaylog:begin;");
    } else if (stop->hit && watches[stop->kind]) {
        gdb_put(&gdb->reply, "%s:%llx;", watches[stop->kind], (unsigned long long)stop->gva);
    } else if (stop->hit && gdb->says_break) {
        gdb_put(&gdb->reply, "%sbreak:;", stop->kind == GDB_POINT_SOFTWARE ? "sw" : "hw");
    }
    gdb_put(&gdb->reply, "thread:%x;", gdb_cpu_current(gdb->run) + 1);
}

static bool do_why(struct gdb *gdb, struct gdb_cursor *cursor)
{
    (void)cursor;
    gdb_put_stop(gdb);
    return false;
}

static bool resume(struct gdb *gdb, bool step, uint32_t vcpu)
{
    if (is_over(gdb)) {
        answer(gdb, "W00");
        gdb_send(gdb);
        gdb->finished = true;
        return true;
    }
    gdb_go(gdb, step, vcpu);
    return true;
}

static bool do_continue(struct gdb *gdb, struct gdb_cursor *cursor)
{
    (void)cursor;
    return resume(gdb, false, gdb->stepping);
}

static bool do_step(struct gdb *gdb, struct gdb_cursor *cursor)
{
    (void)cursor;
    return resume(gdb, true, gdb->stepping);
}

static bool do_back(struct gdb *gdb, struct gdb_cursor *cursor)
{
    bool step = gdb_take_char(cursor, 's');

    if (!step && !gdb_take_char(cursor, 'c')) {
        return false;
    }
    gdb_go_back(gdb, step, gdb->stepping);
    if (gdb->phase == GDB_STOPPED) { /* there is nothing before launch */
        gdb->reply_due = false;
        gdb_put_stop(gdb);
        return false;
    }
    return true;
}

static bool do_detach(struct gdb *gdb, struct gdb_cursor *cursor)
{
    (void)cursor;
    answer(gdb, "OK");
    gdb_send(gdb);
    gdb_client_reset(gdb);
    gdb->detached = true;
    if (!is_over(gdb)) {
        gdb_go(gdb, false, 0);
    }
    return true;
}

static bool do_kill(struct gdb *gdb, struct gdb_cursor *cursor)
{
    (void)cursor;
    gdb->killed = true;
    return true;
}

static bool do_v_kill(struct gdb *gdb, struct gdb_cursor *cursor)
{
    answer(gdb, "OK");
    gdb_send(gdb);
    return do_kill(gdb, cursor);
}

/* ---- threads ---- */

/* A thread's number, or -1 and 0, which mean any: `any` then. False: no such thread. */
static bool take_thread(struct gdb *gdb, struct gdb_cursor *cursor, uint32_t any, uint32_t *vcpu)
{
    struct gdb_cpu cpu;
    uint64_t number;

    if (gdb_take_word(cursor, "-1")) {
        *vcpu = any;
        return true;
    }
    if (!gdb_take_number(cursor, &number) || number > UINT32_MAX) {
        return false;
    }
    if (number == 0) {
        *vcpu = any;
        return true;
    }
    *vcpu = (uint32_t)number - 1;
    return gdb_cpu_take(gdb->run, *vcpu, &cpu);
}

static bool do_thread(struct gdb *gdb, struct gdb_cursor *cursor)
{
    bool general = gdb_take_char(cursor, 'g');
    uint32_t vcpu;

    if ((general || gdb_take_char(cursor, 'c')) &&
        take_thread(gdb, cursor, gdb_cpu_current(gdb->run), &vcpu)) {
        *(general ? &gdb->general : &gdb->stepping) = vcpu;
        answer(gdb, "OK");
    } else {
        answer(gdb, ERROR_INPUT);
    }
    return false;
}

static bool do_alive(struct gdb *gdb, struct gdb_cursor *cursor)
{
    uint32_t vcpu;

    answer(gdb, take_thread(gdb, cursor, 0, &vcpu) ? "OK" : ERROR_INPUT);
    return false;
}

/* Of several threads' actions the one that steps counts: all run when their turn comes. */
static bool do_v_cont(struct gdb *gdb, struct gdb_cursor *cursor)
{
    uint32_t vcpu = gdb_cpu_current(gdb->run), given;
    bool step = false;

    if (gdb_take_char(cursor, '?')) {
        answer(gdb, "vCont;c;C;s;S");
        return false;
    }
    while (gdb_take_char(cursor, ';')) {
        char action = cursor->at < cursor->end ? *cursor->at++ : '\0';
        uint64_t signal;
        bool steps = action == 's' || action == 'S';

        if (!steps && action != 'c' && action != 'C') {
            answer(gdb, ERROR_INPUT);
            return false;
        }
        if (action == 'S' || action == 'C') { /* a guest has no signals */
            gdb_take_number(cursor, &signal);
        }
        given = gdb_cpu_current(gdb->run);
        if (gdb_take_char(cursor, ':') && !take_thread(gdb, cursor, given, &given)) {
            answer(gdb, ERROR_INPUT);
            return false;
        }
        if (steps && !step) {
            step = true;
            vcpu = given;
        }
    }
    return resume(gdb, step, vcpu);
}

/* ---- registers ---- */

static void put_register(struct gdb *gdb, const struct gdb_cpu *cpu, size_t number)
{
    static const char unknown[2 * GDB_REGISTER_MAX + 1] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    uint8_t bytes[GDB_REGISTER_MAX];
    size_t size = gdb_register_size_bytes(number);

    if (gdb_register_get(cpu, number, bytes)) {
        gdb_put_hex(&gdb->reply, bytes, size);
    } else {
        gdb_put_bytes(&gdb->reply, unknown, 2 * size);
    }
}

static bool do_registers(struct gdb *gdb, struct gdb_cursor *cursor)
{
    struct gdb_cpu cpu;

    (void)cursor;
    if (!gdb_cpu_take(gdb->run, gdb->general, &cpu)) {
        answer(gdb, ERROR_INPUT);
        return false;
    }
    for (size_t i = 0; i < gdb_register_count(); i++) {
        put_register(gdb, &cpu, i);
    }
    return false;
}

static bool do_register(struct gdb *gdb, struct gdb_cursor *cursor)
{
    struct gdb_cpu cpu;
    uint64_t number;

    if (!gdb_take_number(cursor, &number) || number >= gdb_register_count() ||
        !gdb_cpu_take(gdb->run, gdb->general, &cpu)) {
        answer(gdb, ERROR_INPUT);
    } else {
        put_register(gdb, &cpu, (size_t)number);
    }
    return false;
}

/* Whether it is now as given. */
static bool change_register(struct gdb *gdb, size_t number, const uint8_t *bytes)
{
    uint8_t old[GDB_REGISTER_MAX];
    struct gdb_cpu cpu;

    if (!gdb_cpu_take(gdb->run, gdb->general, &cpu)) {
        return false;
    }
    gdb_register_get(&cpu, number, old);
    return memcmp(old, bytes, gdb_register_size_bytes(number)) == 0 ||
           gdb_edit_register(gdb, gdb->general, number, bytes);
}

static bool do_set_register(struct gdb *gdb, struct gdb_cursor *cursor)
{
    uint8_t bytes[GDB_REGISTER_MAX] = {0};
    uint64_t number;
    bool done = gdb_take_number(cursor, &number) && number < gdb_register_count() &&
                gdb_take_char(cursor, '=') &&
                gdb_take_hex(cursor, bytes, gdb_register_size_bytes((size_t)number)) &&
                gdb_empty(cursor) && change_register(gdb, (size_t)number, bytes);

    answer(gdb, done ? "OK" : ERROR_INPUT);
    return false;
}

/* Registers that are not known are all x. */
static bool do_set_registers(struct gdb *gdb, struct gdb_cursor *cursor)
{
    bool done = true;

    for (size_t i = 0; done && i < gdb_register_count(); i++) {
        size_t size = gdb_register_size_bytes(i);
        uint8_t bytes[GDB_REGISTER_MAX] = {0};

        if (gdb_left(cursor) >= 2 * size && *cursor->at == 'x') {
            cursor->at += 2 * size;
        } else {
            done = gdb_take_hex(cursor, bytes, size) && change_register(gdb, i, bytes);
        }
    }
    answer(gdb, done ? "OK" : ERROR_INPUT);
    return false;
}

/* ---- memory ---- */

static bool take_range(struct gdb_cursor *cursor, uint64_t *gva, uint64_t *size)
{
    return gdb_take_number(cursor, gva) && gdb_take_char(cursor, ',') &&
           gdb_take_number(cursor, size);
}

static bool do_read(struct gdb *gdb, struct gdb_cursor *cursor)
{
    uint8_t bytes[READ_MAX];
    uint64_t gva, size;
    size_t got;

    if (!take_range(cursor, &gva, &size) || !gdb_empty(cursor)) {
        answer(gdb, ERROR_INPUT);
        return false;
    }
    size = size < sizeof(bytes) ? size : sizeof(bytes);
    got = gdb_memory_read(gdb->run, gdb->general, gva, bytes, (size_t)size);
    if (got == 0 && size > 0) {
        answer(gdb, ERROR_ADDRESS);
    } else {
        gdb_put_hex(&gdb->reply, bytes, got);
    }
    return false;
}

static bool write_memory(struct gdb *gdb, uint64_t gva, const void *bytes, uint64_t size)
{
    bool done = size == 0 || gdb_edit_memory(gdb, gdb->general, gva, bytes, (size_t)size);

    answer(gdb, done ? "OK" : ERROR_ADDRESS);
    return false;
}

static bool do_write(struct gdb *gdb, struct gdb_cursor *cursor)
{
    uint8_t bytes[READ_MAX];
    uint64_t gva, size;

    if (!take_range(cursor, &gva, &size) || size > sizeof(bytes) || !gdb_take_char(cursor, ':') ||
        !gdb_take_hex(cursor, bytes, (size_t)size) || !gdb_empty(cursor)) {
        answer(gdb, ERROR_INPUT);
        return false;
    }
    return write_memory(gdb, gva, bytes, size);
}

static bool do_write_binary(struct gdb *gdb, struct gdb_cursor *cursor)
{
    uint64_t gva, size;

    if (!take_range(cursor, &gva, &size) || !gdb_take_char(cursor, ':') ||
        size != gdb_left(cursor)) {
        answer(gdb, ERROR_INPUT);
        return false;
    }
    return write_memory(gdb, gva, cursor->at, size);
}

/* ---- breakpoints and watchpoints ---- */

/* Conditions and commands, which may follow, are not announced: gdb has them itself. */
static bool take_point(struct gdb_cursor *cursor, enum gdb_point_kind *kind, uint64_t *gva,
                       uint64_t *size)
{
    uint64_t number;

    if (!gdb_take_number(cursor, &number) || number >= GDB_POINT_KINDS ||
        !gdb_take_char(cursor, ',') || !take_range(cursor, gva, size)) {
        return false;
    }
    *kind = (enum gdb_point_kind)number;
    return true;
}

static bool do_insert(struct gdb *gdb, struct gdb_cursor *cursor)
{
    enum gdb_point_kind kind;
    uint64_t gva, size;

    answer(gdb, !take_point(cursor, &kind, &gva, &size) ? ERROR_INPUT
                : gdb_point_add(gdb, kind, gva, size)   ? "OK"
                                                        : ERROR_ADDRESS);
    return false;
}

static bool do_remove(struct gdb *gdb, struct gdb_cursor *cursor)
{
    enum gdb_point_kind kind;
    uint64_t gva, size;

    if (!take_point(cursor, &kind, &gva, &size)) {
        answer(gdb, ERROR_INPUT);
        return false;
    }
    gdb_point_remove(gdb, kind, gva, size);
    answer(gdb, "OK");
    return false;
}

/* ---- queries ---- */

static bool do_supported(struct gdb *gdb, struct gdb_cursor *cursor)
{
    gdb->says_break = cursor->at != cursor->end && strstr(cursor->at, "swbreak+") &&
                      strstr(cursor->at, "hwbreak+");
    gdb_put(&gdb->reply,
            "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;qXfer:threads:read+;swbreak+;"
            "hwbreak+;vContSupported+;ReverseStep+;ReverseContinue+",
            GDB_PACKET_MAX);
    return false;
}

static bool do_no_ack(struct gdb *gdb, struct gdb_cursor *cursor)
{
    (void)cursor;
    answer(gdb, "OK");
    gdb->no_ack = true;
    return false;
}

/* OFFSET,LENGTH of a text. */
static void put_part(struct gdb *gdb, const char *text, struct gdb_cursor *cursor)
{
    uint64_t offset, length, size = text ? strlen(text) : 0;

    if (!text || !take_range(cursor, &offset, &length) || offset > size) {
        answer(gdb, ERROR_INPUT);
        return;
    }
    length = length < READ_MAX ? length : READ_MAX;
    gdb_put(&gdb->reply, "%s", length < size - offset ? "m" : "l");
    gdb_put_bytes(&gdb->reply, text + offset,
                  (size_t)(length < size - offset ? length : size - offset));
}

static bool do_features(struct gdb *gdb, struct gdb_cursor *cursor)
{
    if (!gdb->target_xml) {
        gdb->target_xml = gdb_target_xml();
    }
    put_part(gdb, gdb->target_xml, cursor);
    return false;
}

static char *threads_xml(struct gdb *gdb)
{
    uint32_t count = gdb_cpu_count(gdb->run);
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    if (!file) {
        return NULL;
    }
    fputs("<?xml version=\"1.0\"?>\n<threads>\n", file);
    for (uint32_t i = 0; i < count; i++) {
        struct gdb_cpu cpu;

        if (gdb_cpu_take(gdb->run, i, &cpu)) {
            fprintf(file, "<thread id=\"%x\" core=\"%u\" name=\"vCPU %u\">VMPL%u, %s</thread>\n",
                    i + 1, i, i, cpu.vmpl, gdb_cpu_activity(gdb->run, i));
        }
    }
    fputs("</threads>\n", file);
    if (fclose(file) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

/* A list is asked for in parts: all are of the one that was made for the first. */
static bool do_threads(struct gdb *gdb, struct gdb_cursor *cursor)
{
    struct gdb_cursor first = *cursor;

    if (gdb_take_word(&first, "0,") || !gdb->threads_xml) {
        free(gdb->threads_xml);
        gdb->threads_xml = threads_xml(gdb);
    }
    put_part(gdb, gdb->threads_xml, cursor);
    return false;
}

static bool do_current(struct gdb *gdb, struct gdb_cursor *cursor)
{
    if (gdb_empty(cursor)) { /* else it is another query */
        gdb_put(&gdb->reply, "QC%x", gdb_cpu_current(gdb->run) + 1);
    }
    return false;
}

static bool do_attached(struct gdb *gdb, struct gdb_cursor *cursor)
{
    (void)cursor;
    answer(gdb, "1");
    return false;
}

static bool do_symbol(struct gdb *gdb, struct gdb_cursor *cursor)
{
    (void)cursor;
    answer(gdb, "OK");
    return false;
}

/* ---- monitor ---- */

static bool do_monitor(struct gdb *gdb, struct gdb_cursor *cursor)
{
    char line[MONITOR_LINE_MAX + 1] = "", *text = NULL;
    size_t size = gdb_left(cursor) / 2;
    FILE *file;

    if (size > MONITOR_LINE_MAX || !gdb_take_hex(cursor, line, size) || !gdb_empty(cursor)) {
        answer(gdb, ERROR_INPUT);
        return false;
    }
    file = open_memstream(&text, &size);
    if (!file) {
        answer(gdb, ERROR_INPUT);
        return false;
    }
    gdb_monitor(gdb, line, file);
    if (fclose(file) == 0) {
        gdb_say(gdb, text);
    }
    free(text);
    answer(gdb, "OK");
    return false;
}

/* ---- all of them ---- */

static const struct {
    const char *word; /* that the packet begins with */
    handler *handle;
} rows[] = {
    {"?", do_why},
    {"g", do_registers},
    {"G", do_set_registers},
    {"p", do_register},
    {"P", do_set_register},
    {"m", do_read},
    {"M", do_write},
    {"X", do_write_binary},
    {"Z", do_insert},
    {"z", do_remove},
    {"H", do_thread},
    {"T", do_alive},
    {"vCont", do_v_cont},
    {"c", do_continue},
    {"C", do_continue},
    {"s", do_step},
    {"S", do_step},
    {"b", do_back},
    {"D", do_detach},
    {"k", do_kill},
    {"vKill", do_v_kill},
    {"qSupported", do_supported},
    {"QStartNoAckMode", do_no_ack},
    {"qXfer:features:read:target.xml:", do_features},
    {"qXfer:threads:read::", do_threads},
    {"qC", do_current},
    {"qAttached", do_attached},
    {"qSymbol:", do_symbol},
    {"qRcmd,", do_monitor},
};

bool gdb_command(struct gdb *gdb, const char *data, size_t size)
{
    gdb_reply_start(&gdb->reply);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct gdb_cursor cursor = {data, data + size};

        if (gdb_take_word(&cursor, rows[i].word)) {
            if (rows[i].handle(gdb, &cursor)) {
                return true;
            }
            break;
        }
    }
    gdb_send(gdb);
    return false;
}
