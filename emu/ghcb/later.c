/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/later.h"

#include <string.h>

static bool later_concerns(const struct later_item *item, uint32_t vcpu)
{
    return !item->action.delay.one_vcpu || item->action.delay.vcpu == vcpu;
}

static size_t later_data_size(const struct reply_action *action)
{
    return action->kind == REPLY_WRITE ? action->size_bytes : 0;
}

void later_count(struct later *later, uint64_t now, uint32_t vcpu)
{
    uint64_t passed = now - later->counted;

    later->counted = now;
    for (size_t i = 0; i < later->count; i++) {
        struct later_item *item = &later->item[i];

        if (later_concerns(item, vcpu)) {
            item->left = item->left > passed ? item->left - passed : 0;
        }
    }
}

int later_add(struct later *later, const struct reply_action *action, const uint8_t *data,
              uint64_t now, struct error *error)
{
    size_t size = later_data_size(action);
    struct later_item *item = &later->item[later->count];

    if (later->count == LATER_MAX) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "more than %d actions wait at a time; let fewer of them wait", LATER_MAX);
    }
    if (size > LATER_DATA_MAX - later->data_size_bytes) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "the actions that wait have more than %d bytes to write; write less later",
                         LATER_DATA_MAX);
    }
    if (later->count++ == 0) {
        later->counted = now;
    }
    *item = (struct later_item){.action = *action, .left = action->delay.instructions};
    item->action.data_offset = later->data_size_bytes;
    if (size) {
        memcpy(later->data + later->data_size_bytes, data + action->data_offset, size);
        later->data_size_bytes += size;
    }
    return 0;
}

size_t later_take(struct later *later, uint32_t vcpu, struct reply *reply)
{
    size_t kept = 0, data_size = 0, taken = 0;

    for (size_t i = 0; i < later->count; i++) {
        struct later_item *item = &later->item[i];
        size_t size = later_data_size(&item->action);

        if (item->left == 0 && later_concerns(item, vcpu)) {
            reply_add(reply, &item->action, later->data);
            taken++;
            continue;
        }
        memmove(later->data + data_size, later->data + item->action.data_offset, size);
        item->action.data_offset = data_size;
        data_size += size;
        later->item[kept++] = *item;
    }
    later->count = kept;
    later->data_size_bytes = data_size;
    return taken;
}

uint64_t later_left(const struct later *later, uint32_t vcpu)
{
    uint64_t left = UINT64_MAX;

    for (size_t i = 0; i < later->count; i++) {
        const struct later_item *item = &later->item[i];

        if (later_concerns(item, vcpu) && item->left < left) {
            left = item->left;
        }
    }
    return left;
}

void later_copy(struct later *to, const struct later *from)
{
    to->count = from->count;
    to->data_size_bytes = from->data_size_bytes;
    to->counted = from->counted;
    memcpy(to->item, from->item, from->count * sizeof(from->item[0]));
    memcpy(to->data, from->data, from->data_size_bytes);
}
