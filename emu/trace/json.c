/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define JSON_NUMBER_MAX ((1ULL << 53) - 1)
#define JSON_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* ---- values ---- */

/* How many bytes the character at `text` has; 0: it is no UTF-8. Unicode 15, table 3-7. */
static size_t utf8_length(const unsigned char *text)
{
    static const struct {
        unsigned char first, last, second_min, second_max;
        size_t length;
    } rows[] = {
        {0x01, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
        {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };
    size_t row = 0;

    while (row < sizeof(rows) / sizeof(rows[0]) &&
           (text[0] < rows[row].first || text[0] > rows[row].last)) {
        row++;
    }
    if (row == sizeof(rows) / sizeof(rows[0])) {
        return 0;
    }
    /* The closing NUL is outside each range, so nothing behind it is read. */
    for (size_t i = 1; i < rows[row].length; i++) {
        unsigned char min = i == 1 ? rows[row].second_min : 0x80;
        unsigned char max = i == 1 ? rows[row].second_max : 0xBF;

        if (text[i] < min || text[i] > max) {
            return 0;
        }
    }
    return rows[row].length;
}

json_t *json_text(const char *text)
{
    const size_t mark = strlen(JSON_REPLACEMENT);
    char *clean = malloc(mark * strlen(text) + 1);
    size_t used = 0;
    json_t *value;

    if (!clean) {
        return NULL;
    }
    while (*text) {
        size_t length = utf8_length((const unsigned char *)text);

        memcpy(clean + used, length ? text : JSON_REPLACEMENT, length ? length : mark);
        used += length ? length : mark;
        text += length ? length : 1;
    }
    value = json_stringn_nocheck(clean, used);
    free(clean);
    return value;
}

json_t *json_hex(uint64_t value)
{
    return json_sprintf("0x%" PRIx64, value);
}

json_t *json_decimal(uint64_t value)
{
    return value <= JSON_NUMBER_MAX ? json_integer((json_int_t)value)
                                    : json_sprintf("%" PRIu64, value);
}

json_t *json_digest(const uint8_t *digest, size_t size_bytes)
{
    char text[129] = "";

    for (size_t i = 0; i < size_bytes && 2 * i + 2 < sizeof(text); i++) {
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    }
    return json_string(text);
}

/* ---- events ---- */

static json_t *json_field(const struct event *event, const struct event_field *field)
{
    switch (field->kind) {
    case EVENT_HEX:
        return json_hex(field->number);
    case EVENT_DEC:
        return json_decimal(field->number);
    case EVENT_TEXT:
        break;
    }
    return json_text(event->text + field->text);
}

/* Adds `value`, and frees it when that fails. One that is NULL is a failure, too. */
static bool put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

json_t *json_event_fields(const struct event *event, enum text_form form)
{
    json_t *fields = json_object();
    bool ok = fields != NULL;

    for (size_t i = 0; ok && i < event->field_count; i++) {
        const struct event_field *field = &event->field[i];

        if (form == TEXT_FULL || !field->full_only) {
            ok = put(fields, field->key, json_field(event, field));
        }
    }
    if (!ok) {
        json_decref(fields);
        return NULL;
    }
    return fields;
}

json_t *json_lines(const struct image_place *place)
{
    json_t *lines = json_array();

    for (size_t i = 0; lines && i < place->frame_count; i++) {
        const struct image_frame *frame = &place->frame[i];
        json_t *line =
            json_pack("{s:o,s:i}", "file", json_text(frame->file), "line", (int)frame->line);
        bool ok = line != NULL;

        if (frame->function) {
            ok = ok && put(line, "function", json_text(frame->function));
        }
        if (!ok || json_array_append(lines, line) != 0) {
            json_decref(line);
            json_decref(lines);
            return NULL;
        }
        json_decref(line);
    }
    return lines;
}

json_t *json_event(const struct event *event, enum text_form form)
{
    json_t *object = json_object();
    bool ok = object != NULL;

    if (form == TEXT_FULL) {
        ok = ok && put(object, "time", json_decimal(event->instructions));
    }
    ok = ok && put(object, "vcpu", json_integer(event->vcpu));
    ok = ok && put(object, "vmpl", json_integer(event->vmpl));
    if (form == TEXT_FULL) {
        ok = ok && put(object, "rip", json_hex(event->rip));
    }
    ok = ok && put(object, "event", json_text(event->name));
    if (event->topic) {
        ok = ok && put(object, "topic", json_text(event->topic));
    }
    ok = ok && put(object, "fields", json_event_fields(event, form));
    if (event->symbol) {
        ok = ok && put(object, "symbol", json_text(event->symbol));
    }
    if (event->placed && form == TEXT_FULL) {
        if (event->place.symbol) {
            ok = ok && put(object, "offset", json_decimal(event->place.offset));
        }
        if (event->place.frame_count) {
            ok = ok && put(object, "lines", json_lines(&event->place));
        }
    }
    /* They may speak of what the fields of the golden form leave out. */
    if (event->words[0] && form == TEXT_FULL) {
        ok = ok && put(object, "words", json_text(event->words));
    }
    if (!ok) {
        json_decref(object);
        return NULL;
    }
    return object;
}

json_t *json_header(const struct text_header *header)
{
    json_t *object = json_object();
    bool ok = object != NULL;

    ok = ok && put(object, "image", json_text(header->image));
    ok = ok && put(object, "cpus", json_integer(header->cpus));
    ok = ok && put(object, "memory_mib", json_decimal(header->memory_mib));
    ok = ok && put(object, "seed", json_decimal(header->seed));
    if (header->firmware) {
        ok = ok && put(object, "firmware", json_text(header->firmware));
        ok = ok && put(object, "guest_memory_mib", json_decimal(header->guest_memory_mib));
    }
    if (!ok) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* ---- writing ---- */

/* In a string these may stand as they are or as \u; elsewhere JSON has none of them. */
static int write_in_page(const char *bytes, size_t size, void *file)
{
    for (size_t i = 0; i < size; i++) {
        bool marked = bytes[i] == '<' || bytes[i] == '>' || bytes[i] == '&';
        int done = marked ? fprintf(file, "\\u%04x", bytes[i]) : fputc(bytes[i], file);

        if (done < 0) {
            return -1;
        }
    }
    return 0;
}

static int write_plain(const char *bytes, size_t size, void *file)
{
    return fwrite(bytes, 1, size, file) == size ? 0 : -1;
}

bool json_write(FILE *file, const json_t *value, bool in_page)
{
    return json_dump_callback(value, in_page ? write_in_page : write_plain, file,
                              JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII |
                                  JSON_REAL_PRECISION(15)) == 0;
}

/* ---- the trace ---- */

struct json_trace {
    struct trace_writer writer; /* first: the sink is the trace */
    enum text_form form;
    FILE *file;
    bool failed; /* no memory for a line; those of the file show when it is flushed */
};

static void json_line(struct json_trace *trace, json_t *object)
{
    if (!object) {
        trace->failed = true;
        return;
    }
    json_write(trace->file, object, false);
    fputc('\n', trace->file);
    json_decref(object);
}

static void json_emit(struct trace_sink *sink, const struct event *event)
{
    struct json_trace *trace = (struct json_trace *)sink;

    if (!event->full_only || trace->form == TEXT_FULL) {
        json_line(trace, json_event(event, trace->form));
    }
}

static void json_trace_digest(struct trace_writer *writer, const uint8_t *digest, size_t size_bytes)
{
    struct json_trace *trace = (struct json_trace *)writer;

    if (trace->form == TEXT_FULL) {
        json_line(trace, json_pack("{s:o}", "digest", json_digest(digest, size_bytes)));
    }
}

static int json_trace_finish(struct trace_writer *writer, struct error *error)
{
    struct json_trace *trace = (struct json_trace *)writer;

    return trace->failed ? error_set(error, SNPEMU_ERR_MEMORY, "out of memory")
                         : trace_writer_flush(trace->file, error);
}

static void json_trace_free(struct trace_writer *writer)
{
    free(writer);
}

struct trace_writer *json_trace_new(enum text_form form, const struct text_header *header,
                                    FILE *file)
{
    struct json_trace *trace = calloc(1, sizeof(*trace));
    json_t *first = json_pack("{s:s,s:i,s:s}", "trace", "snpemu", "version", JSON_TRACE_VERSION,
                              "form", text_form_name(form));
    json_t *what = json_header(header);

    if (!trace || !first || !what || json_object_update(first, what) != 0) {
        json_decref(first);
        json_decref(what);
        free(trace);
        return NULL;
    }
    json_decref(what);
    trace->writer = (struct trace_writer){
        .sink.emit = json_emit,
        .digest = json_trace_digest,
        .finish = json_trace_finish,
        .free = json_trace_free,
    };
    trace->form = form;
    trace->file = file;
    json_line(trace, first);
    return &trace->writer;
}
