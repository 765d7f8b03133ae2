/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz/cover.h"

#include <stdbool.h>
#include <stdlib.h>

#include "fuzz/stage.h"

#define LINE 64 /* bytes that are looked at together */
#define LINES (STAGE_MAP_SIZE / LINE)
#define EDGE_LINES (STAGE_EDGES / LINE)

_Static_assert(STAGE_MAP_SIZE % LINE == 0 && STAGE_EDGES % LINE == 0, "whole lines");

/* What the compiler does in few instructions; most of a map is zero, or as it was before. */
typedef uint8_t part __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint64_t halves __attribute__((vector_size(16)));
#define PARTS (LINE / sizeof(part))

struct cover {
    uint8_t last[LINES][LINE]; /* the counter of the latest run that had it: nothing new in that */
    uint8_t seen[LINES][LINE]; /* a bit for each step */
    size_t edges, features;
};

int cover_new(struct cover **cover, struct error *error)
{
    *cover = calloc(1, sizeof(**cover));
    return *cover ? SNPEMU_OK : error_set(error, SNPEMU_ERR_MEMORY, "out of memory for coverage");
}

void cover_free(struct cover *cover)
{
    free(cover);
}

uint8_t cover_step(uint8_t count)
{
    if (count <= 3) {
        return (uint8_t)(1u << count >> 1);
    }
    return count < 8     ? 1u << 3
           : count < 16  ? 1u << 4
           : count < 32  ? 1u << 5
           : count < 128 ? 1u << 6
                         : 1u << 7;
}

static enum cover_news take_line(struct cover *cover, size_t line, const uint8_t *map)
{
    enum cover_news news = COVER_NOTHING;

    for (size_t i = 0; i < LINE; i++) {
        uint8_t *seen = &cover->seen[line][i], bit;

        if (map[i] == 0 || map[i] == cover->last[line][i]) {
            continue;
        }
        cover->last[line][i] = map[i];
        bit = cover_step(map[i]);
        if (*seen == 0) {
            news = COVER_EDGE;
            *(line < EDGE_LINES ? &cover->edges : &cover->features) += 1;
        } else if (news == COVER_NOTHING && (bit & ~*seen)) {
            news = COVER_STEP;
        }
        *seen |= bit;
    }
    return news;
}

static bool is_zero(part value)
{
    halves both = (halves)value;

    return (both[0] | both[1]) == 0;
}

enum cover_news cover_take(struct cover *cover, uint8_t *map)
{
    enum cover_news news = COVER_NOTHING;

    for (size_t line = 0; line < LINES; line++) {
        part *counter = (part *)(map + line * LINE);
        const part *last = (const part *)cover->last[line];
        part changed;

        if (is_zero(counter[0] | counter[1] | counter[2] | counter[3])) {
            continue;
        }
        changed = (part)(counter[0] != 0) & (part)(counter[0] != last[0]);
        for (size_t i = 1; i < PARTS; i++) {
            changed |= (part)(counter[i] != 0) & (part)(counter[i] != last[i]);
        }
        if (!is_zero(changed)) {
            enum cover_news here = take_line(cover, line, (const uint8_t *)counter);

            news = here > news ? here : news;
        }
        for (size_t i = 0; i < PARTS; i++) {
            counter[i] = (part){0};
        }
    }
    return news;
}

size_t cover_edges(const struct cover *cover)
{
    return cover->edges;
}

size_t cover_features(const struct cover *cover)
{
    return cover->features;
}
