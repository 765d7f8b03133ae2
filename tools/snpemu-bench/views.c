/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "views.h"

#include <stdlib.h>
#include <string.h>

#include "machine/memory.h"

#define SLOTS_FIRST 4096
#define VMPL_SHIFT 60 /* page numbers of addresses have 52 bits */

static uint64_t views_key(unsigned vmpl, uint64_t gva)
{
    return (uint64_t)vmpl << VMPL_SHIFT | gva >> PAGE_SHIFT;
}

/* The slot of a key, or the free one where it belongs. At least half of them are free. */
static uint32_t *views_slot(const struct views *views, uint64_t key)
{
    size_t mask = views->slot_count - 1;
    size_t at = (size_t)(key * 0x9E3779B97F4A7C15ULL >> 32) & mask;

    while (views->slot[at] && views->view[views->slot[at] - 1].key != key) {
        at = (at + 1) & mask;
    }
    return &views->slot[at];
}

static bool views_grow(struct views *views)
{
    size_t slot_count = views->slot_count ? views->slot_count * 2 : SLOTS_FIRST;
    struct view *view = realloc(views->view, slot_count / 2 * sizeof(*view));
    uint32_t *slot;

    if (!view) {
        return false;
    }
    views->view = view;
    slot = calloc(slot_count, sizeof(*slot));
    if (!slot) {
        return false;
    }
    free(views->slot);
    views->slot = slot;
    views->slot_count = slot_count;
    views->capacity = slot_count / 2;
    for (size_t i = 0; i < views->count; i++) {
        uint32_t *place = views_slot(views, view[i].key);

        if (*place == 0) { /* the first of its key */
            *place = (uint32_t)i + 1;
        }
    }
    return true;
}

bool views_note(struct views *views, unsigned vmpl, uint64_t gva, uint64_t trap, uint32_t page)
{
    uint64_t key = views_key(vmpl, gva);
    uint32_t *link;

    if (views->count == views->capacity && !views_grow(views)) {
        return false;
    }
    link = views_slot(views, key);
    while (*link) {
        struct view *view = &views->view[*link - 1];

        if (!view->next && view->page == page) {
            return true;
        }
        if (!view->next && view->trap == trap) {
            view->page = VIEWS_WALK;
            return true;
        }
        link = &view->next;
    }
    views->view[views->count++] = (struct view){.key = key, .trap = trap, .page = page};
    *link = (uint32_t)views->count;
    return true;
}

bool views_find(const struct views *views, unsigned vmpl, uint64_t gva, uint64_t trap,
                uint32_t *page)
{
    uint32_t at = views->slot_count ? *views_slot(views, views_key(vmpl, gva)) : 0;

    if (!at || views->view[at - 1].trap > trap) {
        return false;
    }
    for (;;) {
        const struct view *view = &views->view[at - 1];

        if (!view->next || views->view[view->next - 1].trap > trap) {
            *page = view->page;
            return true;
        }
        at = view->next;
    }
}

void views_release(struct views *views)
{
    free(views->view);
    free(views->slot);
    memset(views, 0, sizeof(*views));
}
