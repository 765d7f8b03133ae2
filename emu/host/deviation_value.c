/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a deviation says instead of the truth.
 */
#include <string.h>

#include "abi/msr.h"
#include "abi/nae.h"
#include "host/deviation_internal.h"

void deviation_sources(const struct exit *exit, uint64_t source[SOURCE_COUNT])
{
    unsigned entries = deviation_entries(exit);
    uint16_t header[2] = {0};

    memset(source, 0, SOURCE_COUNT * sizeof(*source));
    memcpy(source + SOURCE_FIELD, exit->field, sizeof(exit->field));
    source[SOURCE_GHCB] = exit->ghcb_gpa;
    source[SOURCE_MSR] = exit->msr;
    source[SOURCE_MSR_GPA] = exit->msr & PSC_GPA_MASK;
    source[SOURCE_LIST_ROOM] = deviation_list_room(exit);
    if (entries) {
        memcpy(header, exit->scratch, sizeof(header));
        deviation_entry(exit, 0, &source[SOURCE_FIRST_ENTRY]);
        deviation_entry(exit, entries - 1, &source[SOURCE_LAST_ENTRY]);
        source[SOURCE_FIRST_GPA] = source[SOURCE_FIRST_ENTRY] & PSC_GPA_MASK;
        source[SOURCE_CUR_ENTRY] = header[0];
        source[SOURCE_END_ENTRY] = header[1];
    }
}

/* Which of a request in the operand's lowest byte, and how much more or less in the others. */
static uint64_t of_request(const uint64_t source[SOURCE_COUNT], uint64_t operand)
{
    uint64_t delta = operand >> 8;

    if (operand >> 63) {
        delta |= 0xFFULL << 56;
    }
    return source[(operand & 0xFF) % SOURCE_COUNT] + delta;
}

uint64_t deviation_value(const struct deviation_context *context, uint64_t honest,
                         unsigned size_bytes)
{
    uint64_t operand = context->record->operand;
    uint64_t source[SOURCE_COUNT];
    uint64_t value = operand;

    switch ((enum bytes_form)context->record->form) {
    case FORM_INTERESTING:
        value = bytes_interesting[operand % bytes_interesting_count];
        break;
    case FORM_REQUEST:
        deviation_sources(context->exit, source);
        value = of_request(source, operand);
        break;
    case FORM_LAST_REQUEST:
        value = of_request(context->last, operand);
        break;
    case FORM_HONEST:
        value = honest + operand;
        break;
    case FORM_FLIP:
        value = honest ^ 1ULL << operand % (8ULL * size_bytes);
        break;
    case FORM_LITERAL:
    case FORM_COUNT:
        break;
    }
    return size_bytes < 8 ? value & ((1ULL << (8 * size_bytes)) - 1) : value;
}
