/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unmarked: a read of a GHCB field for which the hypervisor's last answer set no mark, and which
 * the guest has not written since. A mark that the guest made before the exit says nothing: a
 * hypervisor may leave the bitmap alone. But one that changes it in memory, before its answer or
 * between two reads of the guest, has said by that what is marked.
 *
 * Source: GHCB specification (AMD 56421), as far as Linux arch/x86/include/asm/sev-common.h and
 * arch/x86/kvm/svm/sev.c show it: a field counts only when its bit is set.
 */
#include <stdio.h>
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

void unmarked_ghcb(struct oracles *oracles, struct oracle_vcpu *vcpu)
{
    take_bitmap(oracles, vcpu);
}

void unmarked_answer(struct oracles *oracles, struct oracle_vcpu *vcpu, const struct reply *reply,
                     bool known)
{
    uint32_t expected = reply->marked | (reply->keep_marks ? marked_in(vcpu->bitmap) : 0);

    if (take_bitmap(oracles, vcpu) && known && marked_in(vcpu->bitmap) != expected) {
        vcpu->marked |= marked_in(vcpu->bitmap);
    }
}

/* Of the bitmap. The guest's own bytes are known; what it reads and nobody knew is the host's. */
static void bitmap_access(struct oracle_vcpu *vcpu, const struct oracle_access *access,
                          uint64_t offset)
{
    uint8_t bitmap[GHCB_VALID_BITMAP_SIZE];

    memcpy(bitmap, vcpu->bitmap, sizeof(bitmap));
    for (uint32_t i = 0; i < access->size_bytes; i++) {
        uint64_t at = offset + i - GHCB_VALID_BITMAP;

        if (offset + i >= GHCB_VALID_BITMAP && at < sizeof(bitmap)) {
            bitmap[at] = !access->write ? access->bytes[i]
                         : i < 8        ? (uint8_t)(access->value >> (8 * i))
                                        : 0;
        }
    }
    if (access->write) {
        memcpy(vcpu->bitmap, bitmap, sizeof(bitmap));
    } else if (memcmp(vcpu->bitmap, bitmap, sizeof(bitmap)) != 0) {
        vcpu->marked |= marked_in(bitmap);
    }
}

void unmarked_access(struct oracles *oracles, const struct oracle_access *access)
{
    struct oracle_vcpu *vcpu = &oracles->vcpu[access->vcpu];
    uint64_t offset;
    char what[64];

    if (access->shared && oracle_in_ghcb(oracles, access, &offset) &&
        ranges_meet(offset, access->size_bytes, GHCB_VALID_BITMAP, GHCB_VALID_BITMAP_SIZE)) {
        bitmap_access(vcpu, access, offset);
    }
    if (access->write || !access->shared || !vcpu->answer ||
        !oracle_in_ghcb(oracles, access, &offset) || offset >= GHCB_VALID_BITMAP) {
        return;
    }
    for (uint32_t left =
             ghcb_fields_at(offset, access->size_bytes) & ~(vcpu->marked | vcpu->written);
         left; left &= left - 1) {
        snprintf(what, sizeof(what), "%s used, which the answer did not mark",
                 ghcb_field_rows[__builtin_ctz(left)].name);
        oracle_hit_access(oracles, ORACLE_UNMARKED, access, 0, what);
    }
}
