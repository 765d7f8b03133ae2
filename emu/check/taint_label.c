/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Labels, and who holds them. One that nobody holds is free again.
 */
#include <stdlib.h>
#include <string.h>

#include "check/taint_internal.h"

/* ---- labels ---- */

taint_label label_new(struct taint *taint, const struct taint_value *value)
{
    struct taint_state *state = taint->state;

    for (uint32_t i = 0; i < TAINT_LABEL_MAX; i++) {
        uint32_t label = (state->next + i) % TAINT_LABEL_MAX;

        if (label != 0 && label != taint->loaded && state->value[label].holders == 0) {
            state->value[label] = *value;
            state->next = label + 1;
            return (taint_label)label;
        }
    }
    return 0;
}

static void label_hold(struct taint *taint, taint_label label)
{
    struct taint_value *value = &taint->state->value[label];

    if (label && value->holders++ == 0 && !value->done) {
        taint->state->live++;
    }
}

static void label_drop(struct taint *taint, taint_label label)
{
    struct taint_value *value = &taint->state->value[label];

    if (label && --value->holders == 0 && !value->done) {
        taint->state->live--;
    }
}

void label_done(struct taint *taint, taint_label label)
{
    struct taint_value *value = &taint->state->value[label];

    if (label && !value->done) {
        value->done = true;
        if (value->holders > 0) {
            taint->state->live--;
        }
    }
}

/* ---- registers ---- */

void label_set_register(struct taint *taint, struct taint_cpu *cpu, unsigned reg, taint_label label)
{
    label_hold(taint, label);
    label_drop(taint, cpu->label[reg]);
    cpu->label[reg] = label;
    cpu->tainted = (cpu->tainted & ~FLOW_BIT(reg)) | (label ? FLOW_BIT(reg) : 0);
}

taint_label label_of_registers(const struct taint *taint, const struct taint_cpu *cpu,
                               uint32_t registers)
{
    for (uint32_t left = registers & cpu->tainted; left; left &= left - 1) {
        taint_label label = label_live(taint, cpu->label[__builtin_ctz(left)]);

        if (label) {
            return label;
        }
    }
    return 0;
}

/* ---- memory ---- */

static struct taint_page *page_find(const struct taint *taint, uint32_t page)
{
    uint16_t slot = taint->slot[page];

    return slot ? taint->page[slot - 1] : NULL;
}

/* NULL when there are too many. */
static struct taint_page *page_make(struct taint *taint, uint32_t page)
{
    for (uint32_t i = 0; i < TAINT_PAGE_MAX; i++) {
        if (i == taint->page_used) {
            taint->page[i] = calloc(1, sizeof(*taint->page[i]));
            if (!taint->page[i]) {
                return NULL;
            }
            taint->page_used++;
        }
        if (taint->page[i]->held == 0) {
            taint->page[i]->page = page;
            taint->slot[page] = (uint16_t)(i + 1);
            return taint->page[i];
        }
    }
    return NULL;
}

taint_label label_of_memory(const struct taint *taint, uint32_t page, uint32_t offset,
                            uint32_t size_bytes)
{
    const struct taint_page *held = page_find(taint, page);

    for (uint32_t i = 0; held && i < size_bytes; i++) {
        taint_label label = label_live(taint, held->label[offset + i]);

        if (label) {
            return label;
        }
    }
    return 0;
}

void label_set_memory(struct taint *taint, uint32_t page, uint32_t offset, uint32_t size_bytes,
                      taint_label label)
{
    struct taint_page *held = page_find(taint, page);

    if (!held && label) {
        held = page_make(taint, page);
    }
    for (uint32_t i = offset; held && i < offset + size_bytes; i++) {
        label_hold(taint, label);
        label_drop(taint, held->label[i]);
        held->held += !!label;
        held->held -= held->label[i] != 0;
        held->label[i] = label;
    }
    if (held && held->held == 0) {
        taint->slot[page] = 0;
    }
}
