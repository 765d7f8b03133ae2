/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "trace/json.h"
#include "trace/timeline.h"

/* ---- the text form as a writer ---- */

struct text_writer {
    struct trace_writer writer; /* first */
    struct text_trace *text;
};

static void text_writer_emit(struct trace_sink *sink, const struct event *event)
{
    struct trace_sink *text = text_trace_sink(((struct text_writer *)sink)->text);

    text->emit(text, event);
}

static void text_writer_digest(struct trace_writer *writer, const uint8_t *digest,
                               size_t size_bytes)
{
    text_trace_digest(((struct text_writer *)writer)->text, digest, size_bytes);
}

static int text_writer_finish(struct trace_writer *writer, struct error *error)
{
    return text_trace_finish(((struct text_writer *)writer)->text, error);
}

static void text_writer_free(struct trace_writer *writer)
{
    text_trace_free(((struct text_writer *)writer)->text);
    free(writer);
}

static struct trace_writer *text_writer_new(enum text_form form, const struct text_header *header,
                                            FILE *file)
{
    struct text_writer *writer = calloc(1, sizeof(*writer));

    if (!writer) {
        return NULL;
    }
    writer->writer = (struct trace_writer){
        .sink.emit = text_writer_emit,
        .digest = text_writer_digest,
        .finish = text_writer_finish,
        .free = text_writer_free,
    };
    writer->text = text_trace_new(form, header, file);
    if (!writer->text) {
        free(writer);
        return NULL;
    }
    return &writer->writer;
}

/* ---- by format ---- */

static const struct {
    const char *name;
    struct trace_writer *(*open)(enum text_form form, const struct text_header *header, FILE *file);
} format_rows[TRACE_FORMAT_COUNT] = {
    [TRACE_TEXT] = {"text", text_writer_new},
    [TRACE_JSON] = {"json", json_trace_new},
    [TRACE_PERFETTO] = {"perfetto", timeline_new},
};

struct trace_writer *trace_writer_new(enum trace_format format, enum text_form form,
                                      const struct text_header *header, FILE *file)
{
    return format_rows[format].open(form, header, file);
}

void trace_writer_free(struct trace_writer *writer)
{
    if (writer) {
        writer->free(writer);
    }
}

int trace_writer_flush(FILE *file, struct error *error)
{
    errno = 0;
    if (fflush(file) != 0 || ferror(file)) {
        return error_set(error, SNPEMU_ERR_IO, "%s",
                         errno ? strerror(errno) : "an earlier write failed");
    }
    return SNPEMU_OK;
}

const char *trace_format_name(enum trace_format format)
{
    return format_rows[format].name;
}

enum trace_format trace_format_named(const char *name)
{
    int format = 0;

    while (format < TRACE_FORMAT_COUNT && strcmp(format_rows[format].name, name) != 0) {
        format++;
    }
    return (enum trace_format)format;
}
