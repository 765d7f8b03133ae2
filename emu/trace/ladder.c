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
    uint8_t vmpl;
    char words[LADDER_TEXT_MAX];
};

/* What a rung belongs to: an exit with its reply, or one thing that happened inside. */
struct step {
    const char *name, *topic; /* static strings of the event */
};

/*
 * Steps that repeat, one alone or up to LADDER_PERIOD_MAX in turn, form a series: pages are made
 * shared one by one, each by an exit and a PVALIDATE. The first round is written when it comes.
 * The following ones are held: if one stays alone it is written, else a line says how many.
 */
#define LADDER_PERIOD_MAX 3
#define LADDER_HELD_MAX 16

struct ladder {
    struct trace_sink sink; /* first: the sink is the ladder */
    FILE *file;
    bool colour, headed;
    struct step recent[LADDER_PERIOD_MAX]; /* the last steps, the latest first */
    size_t period;                         /* steps in a round; 0: no series */
    size_t position;                       /* steps begun in the round that is held */
    uint64_t rounds;                       /* complete ones that are held */
    struct rung held[LADDER_HELD_MAX];     /* of the first round and of the last, incomplete one */
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
    char named[LADDER_TEXT_MAX + 24];

    if (rung->vmpl != 0) {
        snprintf(named, sizeof(named), "cpu%" PRIu32 ".vmpl%u: %s", rung->vcpu, rung->vmpl,
                 rung->words);
        words = named;
    } else if (rung->vcpu != 0) {
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
    rung->vmpl = event->vmpl;
    for (size_t i = 0; i < length; i++) {
        char c = event->words[i];

        rung->words[i] = c < ' ' || c >= 0x7F ? '?' : c;
    }
    rung->words[length] = '\0';
}

static bool event_is_exit(const char *name)
{
    return strcmp(name, "exit") == 0;
}

static enum rung_side event_side(const struct event *event)
{
    if (event_is_exit(event->name)) {
        return RUNG_EXIT;
    }
    return strcmp(event->name, "reply") == 0 ? RUNG_REPLY : RUNG_INSIDE;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* What an oracle saw is shown each time. */
static bool same_step(const struct step *a, const struct step *b)
{
    return !same_text(a->name, "oracle") && same_text(a->name, b->name) &&
           same_text(a->topic, b->topic);
}

static void ladder_write_more(struct ladder *ladder)
{
    struct rung rung = {.side = RUNG_INSIDE};
    size_t used;

    used = (size_t)snprintf(rung.words, sizeof(rung.words),
                            "... and %" PRIu64 " more:", ladder->rounds);
    /* While a series goes on, the steps of one round are the most recent ones. */
    for (size_t i = ladder->period; i > 0 && used < sizeof(rung.words); i--) {
        const struct step *step = &ladder->recent[(i - 1 + ladder->position) % ladder->period];

        used += (size_t)snprintf(
            rung.words + used, sizeof(rung.words) - used, " %s%s",
            step->topic && event_is_exit(step->name) ? step->topic : step->name, i > 1 ? "," : "");
    }
    ladder_write_rung(ladder, &rung);
}

/* A round is complete when the next step begins, since a reply may still belong to its last. */
static void ladder_end_round(struct ladder *ladder)
{
    if (ladder->period > 0 && ladder->position == ladder->period) {
        ladder->position = 0;
        ladder->rounds++;
        ladder->held_count = ladder->rounds > 1 ? 0 : ladder->held_count;
    }
}

static void ladder_flush(struct ladder *ladder)
{
    ladder_end_round(ladder);
    if (ladder->rounds > 1) {
        ladder_write_more(ladder);
    }
    for (size_t i = 0; i < ladder->held_count; i++) {
        ladder_write_rung(ladder, &ladder->held[i]);
    }
    ladder->period = 0;
    ladder->position = 0;
    ladder->rounds = 0;
    ladder->held_count = 0;
}

/* The shortest period after which this step comes again; 0: it did not come lately. */
static size_t ladder_period(const struct ladder *ladder, const struct step *step)
{
    for (size_t i = 0; i < LADDER_PERIOD_MAX; i++) {
        if (ladder->recent[i].name && same_step(&ladder->recent[i], step)) {
            return i + 1;
        }
    }
    return 0;
}

static void ladder_begin_step(struct ladder *ladder, const struct step *step)
{
    ladder_end_round(ladder);
    if (ladder->period == 0 || !same_step(&ladder->recent[ladder->period - 1], step)) {
        ladder_flush(ladder);
        ladder->period = ladder_period(ladder, step);
    }
    ladder->position++;
    memmove(&ladder->recent[1], &ladder->recent[0],
            (LADDER_PERIOD_MAX - 1) * sizeof(ladder->recent[0]));
    ladder->recent[0] = *step;
}

static void ladder_emit(struct trace_sink *sink, const struct event *event)
{
    struct ladder *ladder = (struct ladder *)sink;
    const struct step step = {event->name, event->topic}, *latest = &ladder->recent[0];
    enum rung_side side = event_side(event);
    struct rung rung;

    if (!event->words[0]) {
        return;
    }
    if (!ladder->headed) {
        fprintf(ladder->file, "%s%*s\n", "guest", LADDER_WIDTH + 4, "hypervisor");
        ladder->headed = true;
    }
    /* A reply belongs to the exit before it. */
    if (side != RUNG_REPLY || !latest->name || !event_is_exit(latest->name) ||
        !same_text(latest->topic, event->topic)) {
        ladder_begin_step(ladder, &step);
    }
    rung_set(&rung, side, event);
    if (ladder->period > 0 && ladder->held_count == LADDER_HELD_MAX) {
        ladder_flush(ladder);
    }
    if (ladder->period > 0) {
        ladder->held[ladder->held_count++] = rung;
    } else {
        ladder_write_rung(ladder, &rung);
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
