/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz/cover.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz/stage.h"

#define WORDS (STAGE_MAP_SIZE / sizeof(uint64_t))
#define EDGE_WORDS (STAGE_EDGES / sizeof(uint64_t))
#define STRIDE 8 /* words that are looked at together */

_Static_assert(WORDS % STRIDE == 0 && EDGE_WORDS % STRIDE == 0, "whole strides");

struct cover {
    uint64_t last[WORDS]; /* the word as the latest run that had any had it: nothing new in that */
    uint8_t seen[WORDS][sizeof(uint64_t)]; /* a bit for each step */
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

static enum cover_news take_word(struct cover *cover, size_t at, uint64_t word)
{
    enum cover_news news = COVER_NOTHING;

    for (size_t i = 0; i < sizeof(word); i++) {
        uint8_t *seen = &cover->seen[at][i], bit = cover_step((uint8_t)(word >> 8 * i));

        if (bit & ~*seen) {
            if (*seen == 0) {
                news = COVER_EDGE;
                *(at < EDGE_WORDS ? &cover->edges : &cover->features) += 1;
            } else if (news == COVER_NOTHING) {
                news = COVER_STEP;
            }
            *seen |= bit;
        }
    }
    cover->last[at] = word;
    return news;
}

/* The order of the bytes in a word does not matter, as long as it is always the same. */
static uint64_t load(const uint8_t *map, size_t word)
{
    uint64_t value;

    memcpy(&value, map + word * sizeof(value), sizeof(value));
    return value;
}

enum cover_news cover_take(struct cover *cover, uint8_t *map)
{
    enum cover_news news = COVER_NOTHING;

    for (size_t at = 0; at < WORDS; at += STRIDE) {
        uint64_t any = 0;

        for (size_t i = 0; i < STRIDE; i++) {
            any |= load(map, at + i);
        }
        if (any == 0) {
            continue;
        }
        for (size_t i = at; i < at + STRIDE; i++) {
            uint64_t word = load(map, i);

            if (word != 0 && word != cover->last[i]) {
                enum cover_news here = take_word(cover, i, word);

                news = here > news ? here : news;
            }
        }
        memset(map + at * sizeof(any), 0, STRIDE * sizeof(any));
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
