/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An oracle's hit as an event: what, where in memory, and where in the guest's code. What depends
 * on the guest's compiler stands in the full form of a trace alone.
 */
#include <stdio.h>

#include "report.h"
#include "trap/disassemble.h"

#define INSN_BYTES_MAX 15

/* "apic_ids.c:44", or nothing. */
static void put_line(const struct image *image, uint64_t gva, char *text, size_t size)
{
    const char *file;
    unsigned line;

    text[0] = '\0';
    if (image_line_at(image, gva, &file, &line)) {
        snprintf(text, size, "%.80s:%u", file, line);
    }
}

static void report_code(struct event *event, struct trap_context *trap, const struct image *image,
                        const struct oracle_hit *hit, uint64_t code_gva)
{
    const struct vcpu *vcpu = trap->machine->vcpu;
    uint8_t bytes[INSN_BYTES_MAX];
    struct mmu_context context;
    char text[96];
    size_t have;

    vcpu_mmu_context(vcpu, &context);
    have = mmu_peek(&trap->machine->mmu, &context, code_gva, bytes, sizeof(bytes));
    disassemble(bytes, have, vcpu_code_bits(vcpu), code_gva, text, sizeof(text));
    event_string(event, "insn", text);
    event_full_only(event);
    put_line(image, code_gva, text, sizeof(text));
    if (text[0]) {
        event_string(event, "line", text);
        event_full_only(event);
    }
    if (hit->other_gva) {
        event_hex(event, "other", hit->other_gva);
        event_full_only(event);
        put_line(image, hit->other_gva, text, sizeof(text));
        if (text[0]) {
            event_string(event, "other_line", text);
            event_full_only(event);
        }
    }
}

static void report_bytes(struct event *event, const struct oracle_hit *hit)
{
    char text[2 * sizeof(hit->bytes) + 1];
    size_t size = hit->size_bytes < sizeof(hit->bytes) ? hit->size_bytes : sizeof(hit->bytes);

    for (size_t i = 0; i < size; i++) {
        snprintf(text + 2 * i, 3, "%02x", hit->bytes[i]);
    }
    if (hit->gpa) {
        event_hex(event, "gpa", hit->gpa);
    }
    if (size) {
        event_dec(event, "size", hit->size_bytes);
        event_string(event, "bytes", text);
    }
}

void report_oracle(struct trap_context *trap, const struct image *image,
                   const struct oracle_hit *hit, uint64_t code_gva, bool first)
{
    const char *other = NULL;
    struct event event;
    char line[96];

    if (!trap_event_begin(trap, &event, "oracle", oracle_name(hit->kind))) {
        return;
    }
    event.vcpu = hit->vcpu;
    event.instructions = hit->retired;
    trap_event_place(trap, &event, code_gva);
    event.full_only = !first;
    report_bytes(&event, hit);
    event_string(&event, "what", hit->what);
    if (hit->other_gva && trap->symbol) {
        other = trap->symbol(trap->symbol_context, hit->other_gva);
    }
    if (other) {
        event_string(&event, "other_symbol", other);
    }
    report_code(&event, trap, image, hit, code_gva);
    put_line(image, code_gva, line, sizeof(line));
    snprintf(event.words, sizeof(event.words), "%.20s at %.28s%s%.32s: %.66s",
             oracle_name(hit->kind), line[0] ? line : "", line[0] ? ", " : "",
             event.symbol ? event.symbol : "?", hit->what);
    trap_event_emit(trap, &event);
}
