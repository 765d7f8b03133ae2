/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/text.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The longest line: every byte of an event's text escaped, twice for symbol and topic. */
#define TEXT_LINE_MAX (16u * EVENT_TEXT_MAX)

struct text_trace {
    struct trace_sink sink; /* first: the sink is the trace */
    enum text_form form;
    FILE *file;
    char *bytes; /* NUL-terminated */
    size_t used, capacity;
    int status; /* the first failure; later writes do nothing */
    int failure_errno;
    char line[TEXT_LINE_MAX];
};

/* A line under construction, cut at its capacity. */
struct text_line {
    char *bytes;
    size_t used, size;
};

const char *text_form_name(enum text_form form)
{
    return form == TEXT_GOLDEN ? "golden" : "full";
}

static void text_put(char *out, size_t size, size_t *length, char c)
{
    if (*length + 1 < size) {
        out[*length] = c;
        out[*length + 1] = '\0';
    }
    (*length)++;
}

static bool text_is_word(const char *value)
{
    if (!*value) {
        return false;
    }
    for (const char *c = value; *c; c++) {
        if (*c <= ' ' || *c >= 0x7F || *c == '"' || *c == '\\') {
            return false;
        }
    }
    return true;
}

size_t text_quote(char *out, size_t size, const char *value)
{
    static const char hex[] = "0123456789abcdef";
    static const struct {
        char c, letter;
    } escape[] = {{'\n', 'n'}, {'\r', 'r'}, {'\t', 't'}, {'"', '"'}, {'\\', '\\'}};
    bool word = text_is_word(value);
    size_t length = 0;

    if (size > 0) {
        out[0] = '\0';
    }
    if (!word) {
        text_put(out, size, &length, '"');
    }
    for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
        size_t row = 0;

        while (row < sizeof(escape) / sizeof(escape[0]) && (char)*c != escape[row].c) {
            row++;
        }
        if (row < sizeof(escape) / sizeof(escape[0])) {
            text_put(out, size, &length, '\\');
            text_put(out, size, &length, escape[row].letter);
        } else if (*c < ' ' || *c >= 0x7F) {
            text_put(out, size, &length, '\\');
            text_put(out, size, &length, 'x');
            text_put(out, size, &length, hex[*c >> 4]);
            text_put(out, size, &length, hex[*c & 0xF]);
        } else {
            text_put(out, size, &length, (char)*c);
        }
    }
    if (!word) {
        text_put(out, size, &length, '"');
    }
    return length;
}

static void line_add(struct text_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void line_add(struct text_line *line, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(line->bytes + line->used, line->size - line->used, format, arguments);
    va_end(arguments);
    if (length > 0) {
        size_t room = line->size - line->used - 1;

        line->used += (size_t)length < room ? (size_t)length : room;
    }
}

static void line_add_quoted(struct text_line *line, const char *value)
{
    size_t room = line->size - line->used;
    size_t length = text_quote(line->bytes + line->used, room, value);

    line->used += length < room ? length : room - 1;
}

/* Names come from the image, which is anybody's. */
static void line_add_printable(struct text_line *line, const char *value)
{
    for (; *value; value++) {
        line_add(line, "%c", *value < ' ' || *value > '~' ? '?' : *value);
    }
}

static struct text_line line_begin(struct text_trace *trace)
{
    trace->line[0] = '\0';
    /* One byte is kept for the newline. */
    return (struct text_line){.bytes = trace->line, .size = sizeof(trace->line) - 1};
}

static int text_reserve(struct text_trace *trace, size_t more)
{
    size_t wanted = trace->used + more + 1, capacity = trace->capacity;
    char *bytes;

    if (wanted > TEXT_TRACE_MAX) {
        return SNPEMU_ERR_MEMORY;
    }
    if (wanted <= capacity) {
        return SNPEMU_OK;
    }
    while (capacity < wanted) {
        capacity = capacity ? capacity * 2 : 65536;
    }
    bytes = realloc(trace->bytes, capacity);
    if (!bytes) {
        return SNPEMU_ERR_MEMORY;
    }
    trace->bytes = bytes;
    trace->capacity = capacity;
    return SNPEMU_OK;
}

static void line_end(struct text_trace *trace, struct text_line *line)
{
    if (trace->status != SNPEMU_OK) {
        return;
    }
    line->bytes[line->used++] = '\n';
    if (trace->file) {
        if (fwrite(line->bytes, 1, line->used, trace->file) != line->used) {
            trace->status = SNPEMU_ERR_IO;
            trace->failure_errno = errno;
        }
        return;
    }
    trace->status = text_reserve(trace, line->used);
    if (trace->status == SNPEMU_OK) {
        memcpy(trace->bytes + trace->used, line->bytes, line->used);
        trace->used += line->used;
        trace->bytes[trace->used] = '\0';
    }
}

static void line_add_field(struct text_line *line, const struct event *event,
                           const struct event_field *field)
{
    switch (field->kind) {
    case EVENT_HEX:
        line_add(line, " %s=0x%" PRIx64, field->key, field->number);
        break;
    case EVENT_DEC:
        line_add(line, " %s=%" PRIu64, field->key, field->number);
        break;
    case EVENT_TEXT:
        line_add(line, " %s=", field->key);
        line_add_quoted(line, event->text + field->text);
        break;
    }
}

/* What is known beside the symbol: "+0x1c (panic.c:77)". */
static void line_add_place(struct text_line *line, const struct image_place *place)
{
    char source[IMAGE_PLACE_TEXT_MAX];

    if (place->symbol) {
        line_add(line, "+0x%" PRIx64, place->offset);
    }
    image_place_print_source(place, source, sizeof(source));
    if (source[0]) {
        line_add(line, " (");
        line_add_printable(line, source);
        line_add(line, ")");
    }
}

static void text_emit(struct trace_sink *sink, const struct event *event)
{
    struct text_trace *trace = (struct text_trace *)sink;
    struct text_line line = line_begin(trace);

    if (event->full_only && trace->form != TEXT_FULL) {
        return;
    }
    if (trace->form == TEXT_FULL) {
        line_add(&line, "%" PRIu64 " ", event->instructions);
    }
    if (trace->form == TEXT_FULL || event->vcpu != 0 || event->vmpl != 0) {
        line_add(&line, "cpu%" PRIu32, event->vcpu);
        if (event->vmpl != 0) {
            line_add(&line, ".vmpl%u", event->vmpl);
        }
        line_add(&line, " ");
    }
    if (trace->form == TEXT_FULL) {
        line_add(&line, "0x%" PRIx64 " ", event->rip);
    }
    line_add(&line, "%s", event->name);
    if (event->topic) {
        line_add(&line, " %s", event->topic);
    }
    for (size_t i = 0; i < event->field_count; i++) {
        if (trace->form == TEXT_FULL || !event->field[i].full_only) {
            line_add_field(&line, event, &event->field[i]);
        }
    }
    if (event->symbol) {
        line_add(&line, " @");
        line_add_quoted(&line, event->symbol);
    }
    if (event->placed && trace->form == TEXT_FULL) {
        line_add_place(&line, &event->place);
    }
    line_end(trace, &line);
}

struct text_trace *text_trace_new(enum text_form form, const struct text_header *header, FILE *file)
{
    struct text_trace *trace = calloc(1, sizeof(*trace));
    struct text_line line;

    if (!trace) {
        return NULL;
    }
    trace->sink.emit = text_emit;
    trace->form = form;
    trace->file = file;
    if (text_reserve(trace, 0) != SNPEMU_OK) {
        free(trace);
        return NULL;
    }
    trace->bytes[0] = '\0';

    line = line_begin(trace);
    line_add(&line, "snpemu-trace %d %s image=", TEXT_TRACE_VERSION, text_form_name(form));
    line_add_quoted(&line, header->image);
    line_add(&line, " cpus=%" PRIu32 " memory_mib=%" PRIu64 " seed=%" PRIu64, header->cpus,
             header->memory_mib, header->seed);
    if (header->firmware) {
        line_add(&line, " firmware=");
        line_add_quoted(&line, header->firmware);
        line_add(&line, " guest_memory_mib=%" PRIu64, header->guest_memory_mib);
    }
    line_end(trace, &line);
    return trace;
}

void text_trace_free(struct text_trace *trace)
{
    if (trace) {
        free(trace->bytes);
        free(trace);
    }
}

struct trace_sink *text_trace_sink(struct text_trace *trace)
{
    return &trace->sink;
}

void text_trace_digest(struct text_trace *trace, const uint8_t *digest, size_t size_bytes)
{
    struct text_line line = line_begin(trace);

    if (trace->form != TEXT_FULL) {
        return;
    }
    line_add(&line, "digest sha256=");
    for (size_t i = 0; i < size_bytes; i++) {
        line_add(&line, "%02x", digest[i]);
    }
    line_end(trace, &line);
}

int text_trace_finish(struct text_trace *trace, struct error *error)
{
    if (trace->status == SNPEMU_OK && trace->file && fflush(trace->file) != 0) {
        trace->status = SNPEMU_ERR_IO;
        trace->failure_errno = errno;
    }
    if (trace->status == SNPEMU_ERR_IO) {
        return error_set(error, trace->status, "%s", strerror(trace->failure_errno));
    }
    if (trace->status != SNPEMU_OK) {
        return error_set(error, trace->status, "no memory for a trace of more than %zu bytes",
                         trace->used);
    }
    return SNPEMU_OK;
}

const char *text_trace_text(const struct text_trace *trace, size_t *size_bytes)
{
    if (size_bytes) {
        *size_bytes = trace->used;
    }
    return trace->bytes;
}

void text_trace_cut(struct text_trace *trace, size_t size_bytes)
{
    assert(!trace->file && size_bytes <= trace->used);
    trace->used = size_bytes;
    trace->bytes[trace->used] = '\0';
}
