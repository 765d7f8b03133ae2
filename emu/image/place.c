/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/place.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "image/internal.h"
#include "image/source.h"

static void frame_add(struct image_place *place, const char *path, unsigned line,
                      const char *function)
{
    if (place->frame_count < IMAGE_PLACE_FRAMES_MAX) {
        place->frame[place->frame_count++] = (struct image_frame){
            .function = function,
            .path = path,
            .file = image_file_name(path),
            .line = line,
        };
    }
}

/* The line, and for each function that is inlined there the line that called it. */
static void place_frames(const struct image *image, struct image_place *place)
{
    const struct image_line *line = image_line_find(image, place->gva);
    size_t at, count;
    const struct image_function *function = image_functions(image, &count);
    const char *path = line ? line->path : NULL;
    unsigned number = line ? line->line : 0;

    for (at = path ? image_function_find(image, place->gva) : SIZE_MAX; at != SIZE_MAX && path;
         at = function[at].outer) {
        if (function[at].end <= place->gva) {
            continue;
        }
        frame_add(place, path, number, function[at].name);
        path = function[at].inlined ? function[at].call_path : NULL;
        number = function[at].call_line;
    }
    if (line && place->frame_count == 0) {
        frame_add(place, line->path, line->line, NULL);
    }
}

void image_place_at(const struct image *image, uint64_t gva, struct image_place *place)
{
    struct image_place *kept;

    if (!image) {
        *place = (struct image_place){.gva = gva};
        return;
    }
    kept = &image->file->place[(gva ^ gva >> 12) % PLACE_SLOTS];
    if (!kept->symbol || kept->gva != gva) {
        *kept = (struct image_place){.gva = gva};
        kept->symbol = image_symbol_at(image, gva, &kept->offset);
        place_frames(image, kept);
    }
    *place = *kept;
}

/* A text that is cut at its size, and how long it would be. */
struct place_text {
    char *text;
    size_t size, used;
};

static void put(struct place_text *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct place_text *out, const char *format, ...)
{
    bool fits = out->used < out->size;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(fits ? out->text + out->used : NULL, fits ? out->size - out->used : 0,
                       format, arguments);
    va_end(arguments);
    out->used += length > 0 ? (size_t)length : 0;
}

static void put_source(struct place_text *out, const struct image_place *place)
{
    for (size_t i = 0; i < place->frame_count; i++) {
        const struct image_frame *frame = &place->frame[i];

        put(out, "%s%s:%u", i > 0 ? ", inlined at " : "", frame->file, frame->line);
        /* The last function is the symbol's own. */
        if (i + 1 < place->frame_count && frame->function) {
            put(out, " in %s", frame->function);
        }
    }
}

size_t image_place_print_source(const struct image_place *place, char *text, size_t size)
{
    struct place_text out = {text, size, 0};

    if (size > 0) {
        text[0] = '\0';
    }
    put_source(&out, place);
    return out.used;
}

size_t image_place_print(const struct image_place *place, char *text, size_t size)
{
    struct place_text out = {text, size, 0};

    if (size > 0) {
        text[0] = '\0';
    }
    if (place->symbol) {
        put(&out, "%s+0x%" PRIx64, place->symbol, place->offset);
    }
    if (place->frame_count) {
        put(&out, "%s", place->symbol ? " at " : "");
        put_source(&out, place);
    }
    return out.used;
}
