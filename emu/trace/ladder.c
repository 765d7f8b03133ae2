/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/ladder.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LADDER_WIDTH 72 /* characters between the rails */
#define LADDER_TEXT_MAX 192
#define LADDER_GREY "\033[2m"
#define LADDER_GUEST "\033[36m"
#define LADDER_HOST "\033[33m"
#define LADDER_PLAIN "\033[0m"

enum rung_side {
    RUNG_INSIDE, /* something that the hypervisor does not see */
    RUNG_EXIT,   /* guest to hypervisor */
    RUNG_REPLY,  /* hypervisor to guest */
    RUNG_SIDE_COUNT,
};

static const struct rung_style {
    const char *lead, *tail; /* before the words; at the other rail */
    char line;
    const char *colour;
} rung_style[RUNG_SIDE_COUNT] = {
    [RUNG_INSIDE] = {"   ", "  ", ' ', LADDER_GREY},
    [RUNG_EXIT] = {"-- ", "->", '-', LADDER_GUEST},
    [RUNG_REPLY] = {"<- ", "--", '-', LADDER_HOST},
};

struct rung {
    enum rung_side side;
    uint32_t vcpu;
    char words[LADDER_TEXT_MAX];
};

/*
 * Exits and replies of one name, or inside events of one name, form a series. Its first round is
 * written at once. Of the following ones the last is held: if it stays the only one it is
 * written, else a line says how many there were.
 */
struct ladder {
    struct trace_sink sink; /* first: the sink is the ladder */
    FILE *file;
    bool colour, headed;
    const char *series_name, *series_topic; /* static strings of the events */
    uint64_t rounds;                        /* of this series */
    enum rung_side opens;                   /* the side that begins a round */
    struct rung held[2];
    size_t held_count;
};

static const char *ladder_colour(const struct ladder *ladder, const char *code)
{
    return ladder->colour ? code : "";
}

/* How much of `words` fits on one line: up to the last space, or all that fits. */
static size_t words_fit(const char *words, size_t room)
{
    size_t length = strlen(words), fit = room;

    if (length <= room) {
        return length;
    }
    while (fit > 0 && words[fit] != ' ') {
        fit--;
    }
    return fit > 0 ? fit : room;
}

static void ladder_write_rung(struct ladder *ladder, const struct rung *rung)
{
    const struct rung_style *style = &rung_style[rung->side];
    const char *words = rung->words, *lead = style->lead;
    char named[LADDER_TEXT_MAX + 16];

    if (rung->vcpu != 0) {
        snprintf(named, sizeof(named), "cpu%" PRIu32 ": %s", rung->vcpu, rung->words);
        words = named;
    }
    /* Each turn consumes at least one character. */
    do {
        size_t room = LADDER_WIDTH - strlen(style->lead) - strlen(style->tail) - 1;
        size_t fit = words_fit(words, room);
        bool last = words[fit] == '\0';

        fprintf(ladder->file, "  |%s%s%.*s ", ladder_colour(ladder, style->colour), lead, (int)fit,
                words);
        for (size_t i = fit; i < room; i++) {
            fputc(last ? style->line : ' ', ladder->file);
        }
        fprintf(ladder->file, "%s%s|\n", last ? style->tail : "  ",
                ladder_colour(ladder, LADDER_PLAIN));
        words += fit;
        while (*words == ' ') {
            words++;
        }
        lead = "   ";
    } while (*words);
}

/* Words come from the guest and the host too: nothing but printable characters reaches a terminal.
 */
static void rung_set(struct rung *rung, enum rung_side side, const struct event *event)
{
    size_t length = strnlen(event->words, sizeof(event->words));

    rung->side = side;
    rung->vcpu = event->vcpu;
    for (size_t i = 0; i < length; i++) {
        char c = event->words[i];

        rung->words[i] = c < ' ' || c >= 0x7F ? '?' : c;
    }
    rung->words[length] = '\0';
}

static void ladder_flush(struct ladder *ladder)
{
    if (ladder->rounds == 2) {
        for (size_t i = 0; i < ladder->held_count; i++) {
            ladder_write_rung(ladder, &ladder->held[i]);
        }
    } else if (ladder->rounds > 2) {
        struct rung rung = {.side = RUNG_INSIDE, .vcpu = ladder->held[0].vcpu};

        snprintf(rung.words, sizeof(rung.words), "... and %" PRIu64 " more: %s", ladder->rounds - 1,
                 ladder->series_topic ? ladder->series_topic : ladder->series_name);
        ladder_write_rung(ladder, &rung);
    }
    ladder->held_count = 0;
    ladder->rounds = 0;
    ladder->series_name = NULL;
    ladder->series_topic = NULL;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Whether the event goes on with the series: a reply belongs to its exit. */
static bool ladder_continues(const struct ladder *ladder, const struct event *event,
                             enum rung_side side)
{
    if (!ladder->series_name || !same_text(ladder->series_topic, event->topic)) {
        return false;
    }
    if (side == RUNG_INSIDE) {
        return same_text(ladder->series_name, event->name);
    }
    return ladder->opens != RUNG_INSIDE;
}

static enum rung_side event_side(const struct event *event)
{
    if (strcmp(event->name, "exit") == 0) {
        return RUNG_EXIT;
    }
    return strcmp(event->name, "reply") == 0 ? RUNG_REPLY : RUNG_INSIDE;
}

static void ladder_emit(struct trace_sink *sink, const struct event *event)
{
    struct ladder *ladder = (struct ladder *)sink;
    enum rung_side side = event_side(event);
    struct rung rung;

    if (!event->words[0]) {
        return;
    }
    if (!ladder->headed) {
        fprintf(ladder->file, "%s%*s\n", "guest", LADDER_WIDTH + 4, "hypervisor");
        ladder->headed = true;
    }
    if (!ladder_continues(ladder, event, side)) {
        ladder_flush(ladder);
        ladder->series_name = event->name;
        ladder->series_topic = event->topic;
        ladder->opens = side;
    }
    if (side == ladder->opens) {
        ladder->rounds++;
        ladder->held_count = 0;
    }
    rung_set(&rung, side, event);
    if (ladder->rounds == 1) {
        ladder_write_rung(ladder, &rung);
    } else if (ladder->held_count < sizeof(ladder->held) / sizeof(ladder->held[0])) {
        ladder->held[ladder->held_count++] = rung;
    }
}

struct ladder *ladder_new(FILE *file, bool colour)
{
    struct ladder *ladder = calloc(1, sizeof(*ladder));

    if (ladder) {
        ladder->sink.emit = ladder_emit;
        ladder->file = file;
        ladder->colour = colour;
    }
    return ladder;
}

void ladder_free(struct ladder *ladder)
{
    free(ladder);
}

struct trace_sink *ladder_sink(struct ladder *ladder)
{
    return &ladder->sink;
}

void ladder_finish(struct ladder *ladder)
{
    ladder_flush(ladder);
}
