/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What in its GHCB page is the guest's own word. A hypervisor may write there at any time, between
 * two instructions: what stands there then is not what the guest stored, and no mistake of its. One
 * that changes the marks, before its answer or between two reads of the guest, has said by that
 * what is marked.
 */
#include <string.h>

#include "check/oracle_internal.h"

static bool is_marked(const uint8_t *bitmap, const struct ghcb_field_row *row)
{
    return bitmap[GHCB_VALID_BIT(row->offset) / 8] >> GHCB_VALID_BIT(row->offset) % 8 & 1;
}

static uint32_t marked_in(const uint8_t *bitmap)
{
    uint32_t fields = 0;

    for (int field = 0; field < FIELD_COUNT; field++) {
        fields |= is_marked(bitmap, &ghcb_field_rows[field]) ? FIELD_BIT(field) : 0;
    }
    return fields;
}

/* What stands in the bitmap is known from here on. */
static bool take_bitmap(struct oracles *oracles, struct oracle_vcpu *vcpu)
{
    const uint8_t *page = oracles->ops.shared_page(oracles->ops.context, vcpu->ghcb_gpa);

    if (page) {
        memcpy(vcpu->bitmap, page + GHCB_VALID_BITMAP, GHCB_VALID_BITMAP_SIZE);
    }
    return page != NULL;
}

void own_ghcb(struct oracles *oracles, struct oracle_vcpu *vcpu)
{
    take_bitmap(oracles, vcpu);
}

void own_answer(struct oracles *oracles, struct oracle_vcpu *vcpu, const struct reply *reply,
                bool known)
{
    uint32_t expected = reply->marked | (reply->keep_marks ? marked_in(vcpu->bitmap) : 0);

    vcpu->stored_known = 0;
    vcpu->bitmap_hosts = false;
    if (take_bitmap(oracles, vcpu) && known && marked_in(vcpu->bitmap) != expected) {
        vcpu->marked |= marked_in(vcpu->bitmap);
    }
}

/* The guest's own bytes are known; what it reads and nobody knew is the host's. */
static void bitmap_access(struct oracle_vcpu *vcpu, const struct oracle_access *access,
                          uint64_t offset)
{
    uint8_t bitmap[GHCB_VALID_BITMAP_SIZE];

    memcpy(bitmap, vcpu->bitmap, sizeof(bitmap));
    for (uint32_t i = 0; i < access->size_bytes; i++) {
        uint64_t at = offset + i - GHCB_VALID_BITMAP;
        uint64_t stored = i < 8 ? access->value >> (8 * i) : 0;

        if (offset + i >= GHCB_VALID_BITMAP && at < sizeof(bitmap)) {
            bitmap[at] = access->write ? (uint8_t)stored : access->bytes[i];
        }
    }
    if (access->write) {
        memcpy(vcpu->bitmap, bitmap, sizeof(bitmap));
    } else if (vcpu->bitmap_hosts || memcmp(vcpu->bitmap, bitmap, sizeof(bitmap)) != 0) {
        vcpu->bitmap_hosts = true; /* what it put back is its word, too */
        vcpu->marked |= marked_in(bitmap);
    }
}

/* A store of the whole field; of a part of it there is no telling. */
static void field_stored(struct oracle_vcpu *vcpu, const struct oracle_access *access,
                         uint64_t offset)
{
    uint32_t fields = ghcb_fields_at(offset, access->size_bytes);

    vcpu->stored_known &= ~fields;
    for (; fields; fields &= fields - 1) {
        int field = __builtin_ctz(fields);
        const struct ghcb_field_row *row = &ghcb_field_rows[field];

        if (row->offset == offset && row->size_bytes == access->size_bytes) {
            vcpu->stored[field] = access->value;
            vcpu->stored_known |= FIELD_BIT(field);
        }
    }
}

void own_access(struct oracles *oracles, const struct oracle_access *access)
{
    struct oracle_vcpu *vcpu = &oracles->vcpu[access->vcpu];
    uint64_t offset;

    if (!oracle_in_ghcb(oracles, access, &offset) ||
        offset >= GHCB_VALID_BITMAP + GHCB_VALID_BITMAP_SIZE) {
        return;
    }
    if (ranges_meet(offset, access->size_bytes, GHCB_VALID_BITMAP, GHCB_VALID_BITMAP_SIZE)) {
        bitmap_access(vcpu, access, offset);
    }
    if (access->write) {
        field_stored(vcpu, access, offset);
    }
}

bool own_exit(const struct oracle_vcpu *vcpu, const struct exit *exit)
{
    if (vcpu->ghcb_gpa != exit->ghcb_gpa) {
        return true; /* nobody has looked */
    }
    for (uint32_t left = vcpu->stored_known; left; left &= left - 1) {
        int field = __builtin_ctz(left);

        if (vcpu->stored[field] != exit->field[field]) {
            return false;
        }
    }
    return marked_in(vcpu->bitmap) == exit->marked;
}
