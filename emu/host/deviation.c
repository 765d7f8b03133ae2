/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/deviation.h"

#include <inttypes.h>
#include <stdarg.h>

#include "host/deviation_internal.h"

const struct deviation_row *const deviation_rows[DEVIATION_KIND_COUNT] = {
    [DEVIATION_FIELD] = &deviation_field,
    [DEVIATION_OWN] = &deviation_own,
    [DEVIATION_UNMARK] = &deviation_unmark,
    [DEVIATION_LEAVE] = &deviation_leave,
    [DEVIATION_MARKS] = &deviation_marks,
    [DEVIATION_ERROR] = &deviation_error,
    [DEVIATION_EXCEPTION] = &deviation_exception,
    [DEVIATION_NOTHING] = &deviation_nothing,
    [DEVIATION_REPEAT] = &deviation_repeat,
    [DEVIATION_LATE] = &deviation_late,
    [DEVIATION_MSR] = &deviation_msr,
    [DEVIATION_WRITE] = &deviation_write,
    [DEVIATION_IDS] = &deviation_ids,
    [DEVIATION_ON_READ] = &deviation_on_read,
    [DEVIATION_ON_WRITE] = &deviation_on_write,
    [DEVIATION_SKIP] = &deviation_skip,
    [DEVIATION_ASSIGN] = &deviation_assign,
    [DEVIATION_UNASSIGN] = &deviation_unassign,
    [DEVIATION_RMPUPDATE] = &deviation_rmpupdate,
    [DEVIATION_PSMASH] = &deviation_psmash,
    [DEVIATION_REMAP] = &deviation_remap,
    [DEVIATION_SWAP] = &deviation_swap,
    [DEVIATION_INJECT] = &deviation_inject,
    [DEVIATION_DOORBELL] = &deviation_doorbell,
    [DEVIATION_VCPU] = &deviation_vcpu,
    [DEVIATION_RENAME] = &deviation_rename,
};

bool deviation_resolve(const struct deviation_context *context, struct deviation *deviation)
{
    const struct bytes_record *record = context->record;
    const struct deviation_row *row = deviation_rows[record->kind];

    deviation->row = row;
    deviation->what = (uint8_t)(record->what % row->what_count);
    deviation->flag = record->flag;
    deviation->nth = 1ULL + record->when;
    deviation->delay = row->parts & PART_DELAY ? bytes_record_delay(record) : 0;
    return row->resolve(context, deviation);
}

bool deviation_waits(const struct deviation *deviation)
{
    return (deviation->row->parts & PART_NTH) || deviation->delay;
}

void deviation_print(const struct deviation *deviation, FILE *file)
{
    deviation->row->print(deviation, file);
}

void deviation_line(FILE *file, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    fprintf(file, DEVIATION_INDENT "%s\n", text);
}

void deviation_comment(FILE *file, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    text[0] = text[0] >= 'a' && text[0] <= 'z' ? (char)(text[0] - 'a' + 'A') : text[0];
    deviation_line(file, "-- %s", text);
}

void deviation_say(const struct deviation *deviation, FILE *file, const char *format, ...)
{
    char text[400];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (deviation->delay) {
        deviation_comment(file, "%" PRIu64 " instruction%s later %s", deviation->delay,
                          deviation->delay == 1 ? "" : "s", text);
    } else {
        deviation_comment(file, "%s", text);
    }
}

const char *deviation_number(char text[DEVIATION_NUMBER], uint64_t value)
{
    snprintf(text, DEVIATION_NUMBER, value < 10 ? "%" PRIu64 : "0x%" PRIX64, value);
    return text;
}

void deviation_action(const struct deviation *deviation, FILE *file, const char *name,
                      const char *format, ...)
{
    char text[400];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (deviation->delay) {
        deviation_line(file, "reply:after{ instructions = %" PRIu64 ", %s = { %s } }",
                       deviation->delay, name, text);
    } else {
        deviation_line(file, "reply:%s{ %s }", name, text);
    }
}
