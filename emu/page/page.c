/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "page/page.h"

#include <stdlib.h>
#include <string.h>

#include "page/internal.h"
#include "trace/json.h"

#define PLACES_FIRST 1024u /* a power of two */

/* ---- places ---- */

static size_t place_slot(const struct page *page, const struct page_place *place)
{
    size_t size = 2 * page->place_capacity;
    size_t slot = (size_t)((place->gva * 0x9E3779B97F4A7C15u) >> 20) & (size - 1);

    while (page->place_index[slot] != 0) {
        const struct page_place *other = &page->place[page->place_index[slot] - 1];

        if (other->gva == place->gva && other->behind == place->behind &&
            other->program == place->program) {
            break;
        }
        slot = (slot + 1) & (size - 1);
    }
    return slot;
}

static bool places_grow(struct page *page)
{
    size_t capacity = page->place_capacity ? 2 * page->place_capacity : PLACES_FIRST;
    struct page_place *place = realloc(page->place, capacity * sizeof(*place));
    uint32_t *place_index;

    if (!place) {
        return false;
    }
    page->place = place;
    place_index = calloc(2 * capacity, sizeof(*place_index));
    if (!place_index) {
        return false;
    }
    free(page->place_index);
    page->place_index = place_index;
    page->place_capacity = capacity;
    for (size_t i = 0; i < page->place_count; i++) {
        page->place_index[place_slot(page, &page->place[i])] = (uint32_t)i + 1;
    }
    return true;
}

/* The number of a place; -1 when there is no program that has it, or no memory. */
static int place_number(struct page *page, const struct page_place *place)
{
    size_t slot;

    if (!place->program) {
        return -1;
    }
    if (page->place_count == page->place_capacity && !places_grow(page)) {
        page->failed = true;
        return -1;
    }
    slot = place_slot(page, place);
    if (page->place_index[slot] == 0) {
        page->place[page->place_count++] = *place;
        page->place_index[slot] = (uint32_t)page->place_count;
    }
    return (int)page->place_index[slot] - 1;
}

/* ---- events ---- */

/* The other instruction that belongs to an oracle's hit; 0: none. */
static uint64_t other_gva(const struct event *event)
{
    for (size_t i = 0; strcmp(event->name, "oracle") == 0 && i < event->field_count; i++) {
        if (strcmp(event->field[i].key, "other") == 0) {
            return event->field[i].number;
        }
    }
    return 0;
}

static bool put_place(struct page *page, json_t *object, const char *key,
                      const struct page_place *place)
{
    int number = place_number(page, place);

    return number < 0 || json_object_set_new(object, key, json_integer(number)) == 0;
}

/* The text of a field; NULL: there is none of that name. */
static const char *field_text(const struct event *event, const char *key)
{
    for (size_t i = 0; i < event->field_count; i++) {
        if (strcmp(event->field[i].key, key) == 0 && event->field[i].kind == EVENT_TEXT) {
            return event->text + event->field[i].text;
        }
    }
    return NULL;
}

/* At an exit and its reply RIP is behind VMGEXIT, and in a function that has called another one
   behind the call. */
static bool is_behind(const struct event *event)
{
    const char *how = strcmp(event->name, "frame") == 0 ? field_text(event, "how") : NULL;

    return strcmp(event->name, "exit") == 0 || strcmp(event->name, "reply") == 0 ||
           (how && strcmp(how, "interrupted") != 0);
}

static void page_emit(struct trace_sink *sink, const struct event *event)
{
    struct page *page = (struct page *)sink;
    const struct image *program = event->vmpl == 0 ? page->image : page->firmware;
    const struct page_place place = {program, event->rip, is_behind(event)};
    const struct page_place other = {program, other_gva(event), false};
    json_t *object;

    if (page->event_count++ >= PAGE_EVENTS_MAX || page->failed) {
        return;
    }
    object = json_event(event, TEXT_FULL);
    json_object_del(object, "offset"); /* these are its place's, which many events share */
    json_object_del(object, "lines");
    if (!object || !put_place(page, object, "place", &place) ||
        (other.gva && !put_place(page, object, "other_place", &other))) {
        page->failed = true;
    } else {
        fputs(page->event_count > 1 ? ",\n" : "\n", page->events);
        page->failed = !json_write(page->events, object, true);
    }
    json_decref(object);
}

/* ---- the whole ---- */

struct page *page_new(const struct image *image, const struct firmware *firmware)
{
    struct page *page = calloc(1, sizeof(*page));

    if (!page) {
        return NULL;
    }
    page->sink.emit = page_emit;
    page->image = image;
    page->firmware = firmware ? firmware->program : NULL;
    page->events = open_memstream(&page->bytes, &page->size_bytes);
    if (!page->events) {
        free(page);
        return NULL;
    }
    return page;
}

void page_free(struct page *page)
{
    if (page) {
        fclose(page->events);
        free(page->bytes);
        free(page->place);
        free(page->place_index);
        free(page);
    }
}

struct trace_sink *page_sink(struct page *page)
{
    return &page->sink;
}

size_t page_event_count(const struct page *page)
{
    return page->event_count;
}
