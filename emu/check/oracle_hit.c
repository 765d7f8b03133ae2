/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of a mistake that an oracle sees: in a fast run a suspicion, in an exact one a hit
 * that is told of.
 */
#include <stdio.h>
#include <string.h>

#include "check/oracle_internal.h"

uint32_t oracles_hits(const struct oracles *oracles)
{
    return oracles->state.hits;
}

uint64_t oracles_suspect_from(const struct oracles *oracles)
{
    return oracles->state.from;
}

/* What was noted without instructions is of no use any more. */
void oracles_go_exact(struct oracles *oracles)
{
    double_fetch_forget(oracles);
    oracles->exact = true;
}

/* ---- which suspicions there were ---- */

/* Of no particular quality, but for neighbours to go different ways. */
static uint64_t mix(uint64_t x)
{
    x *= 0x9E3779B97F4A7C15ULL;
    x ^= x >> 32;
    return x * 0xD6E8FEB86659FD93ULL;
}

static void signature_add(struct oracles *oracles, enum oracle_kind kind, uint32_t after,
                          uint64_t place)
{
    uint64_t bit = mix(mix(place) + ((uint64_t)after << 8) + (uint64_t)kind) >> 56;

    oracles->state.signature[bit / 64] |= 1ULL << bit % 64;
}

uint64_t oracles_signature(const struct oracles *oracles)
{
    uint64_t all = 0, any = 0;

    for (size_t i = 0; i < SIGNATURE_WORDS; i++) {
        any |= oracles->state.signature[i];
        all = mix(all + oracles->state.signature[i]);
    }
    return any ? all | 1 : 0;
}

/* Fields of the GHCB each for itself, and the head of a buffer; of what follows there may be any
   number alike. */
static uint64_t place_of(struct oracles *oracles, const struct oracle_access *access)
{
    const uint64_t head = 8;
    const struct lent *lent;
    uint64_t offset;

    if (oracle_in_ghcb(oracles, access, &offset) &&
        offset - GHCB_SHARED_BUFFER >= GHCB_SHARED_BUFFER_SIZE) {
        return offset & ~7ULL;
    }
    lent = lent_at(oracles, access->gpa, 1);
    offset = lent ? access->gpa - lent->buffer.gpa : head;
    return PAGE_SIZE + (offset < head ? offset : head);
}

/* A mistake in words, up to the first number in them. */
static uint64_t place_in_words(const char *what)
{
    uint64_t place = 0;

    while (*what && (*what < '0' || *what > '9')) {
        place = mix(place + (uint8_t)*what++);
    }
    return place;
}

/* A mistake is made of what happened since the answer before the latest one. */
void oracle_suspect(struct oracles *oracles, enum oracle_kind kind, uint32_t vcpu, uint64_t place)
{
    struct oracle_state *state = &oracles->state;
    uint64_t from = oracles->vcpu[vcpu].exit_before;

    signature_add(oracles, kind, oracles->vcpu[vcpu].after, place);

    if (state->hits == 0 || from < state->from) {
        state->from = from;
    }
    state->hits |= ORACLE_BIT(kind);
}

void oracle_suspect_since(struct oracles *oracles, uint64_t exit_number)
{
    if (exit_number < oracles->state.from) {
        oracles->state.from = exit_number;
    }
}

/* One instruction makes one mistake once, as far as the trace is concerned. */
static bool report_is_new(struct oracles *oracles, const struct oracle_hit *hit)
{
    struct report *report = oracles->table->report;
    size_t count = oracles->state.report_count;

    for (size_t i = 0; i < count; i++) {
        if (report[i].kind == hit->kind && report[i].code_gva == hit->code_gva) {
            return false;
        }
    }
    if (count == REPORT_MAX) {
        return false;
    }
    report[count] = (struct report){hit->kind, hit->code_gva};
    oracles->state.report_count++;
    return true;
}

void oracles_report(struct oracles *oracles, const struct oracle_hit *hit)
{
    if (!oracle_on(oracles, hit->kind)) {
        return;
    }
    oracle_suspect(oracles, hit->kind, hit->vcpu, place_in_words(hit->what));
    if (oracles->exact && report_is_new(oracles, hit)) {
        oracles->ops.hit(oracles->ops.context, hit);
    }
}

void oracle_hit_access(struct oracles *oracles, enum oracle_kind kind,
                       const struct oracle_access *access, uint64_t other_gva, const char *what)
{
    struct oracle_hit hit;
    size_t size;

    oracle_suspect(oracles, kind, access->vcpu, place_of(oracles, access));
    if (!oracles->exact) {
        return; /* nobody is told */
    }
    hit = (struct oracle_hit){
        .kind = kind,
        .vcpu = access->vcpu,
        .code_gva = access->code_gva,
        .retired = access->retired,
        .other_gva = other_gva,
        .gpa = access->gpa,
        .size_bytes = access->size_bytes,
    };
    size = access->size_bytes < sizeof(hit.bytes) ? access->size_bytes : sizeof(hit.bytes);
    if (access->write) {
        memcpy(hit.bytes, &access->value, size < 8 ? size : 8);
    } else {
        memcpy(hit.bytes, access->bytes, size);
    }
    snprintf(hit.what, sizeof(hit.what), "%s", what);
    oracles_report(oracles, &hit);
}
