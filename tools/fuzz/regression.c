/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inputs that once failed, made small by hand, and how each has to end. */
#include <stdlib.h>
#include <string.h>

#include "check/outcome.h"
#include "guest.h"

#define RECORDS_MAX 4

struct record {
    uint32_t position;
    uint8_t size;
    uint8_t bytes[16];
};

static const struct regression {
    const char *reason;
    enum outcome_kind outcome;
    struct record record[RECORDS_MAX];
} regressions[] = {
    {"a CS base, which counts as zero in 64-bit mode: the engine ran code elsewhere than RIP said, "
     "and time went past the budget",
     OUTCOME_HALTED,
     {{GUEST_GDT + 10, 2, {0x00, 0x10}},                                       /* base 0x1000 */
      {GUEST_CODE, 9, {0x6A, 0x08, 0x68, 0x00, 0x11, 0x00, 0x40, 0x48, 0xCB}}, /* lretq to hlt */
      {GUEST_CODE + 0x100, 1, {0xF4}},
      {GUEST_CODE + 0x1100, 2, {0xEB, 0xFE}}}}, /* where the base would lead: jmp self */
};

bool guest_regressions(void)
{
    bool good = true;

    for (size_t i = 0; i < sizeof(regressions) / sizeof(regressions[0]); i++) {
        const struct regression *row = &regressions[i];
        uint8_t data[GUEST_INPUT_MAX] = {0};
        size_t size = GUEST_HEADER_SIZE;
        int outcome;

        for (unsigned j = 0; j < RECORDS_MAX && row->record[j].size; j++) {
            const struct record *record = &row->record[j];

            data[size++] = (uint8_t)record->position;
            data[size++] = (uint8_t)(record->position >> 8);
            data[size++] = (uint8_t)(record->position >> 16);
            data[size++] = record->size;
            memcpy(data + size, record->bytes, record->size);
            size += record->size;
        }
        outcome = fuzz_guest_show(data, size, NULL);
        if (outcome != (int)row->outcome) {
            fprintf(stderr, "%s: ends as %s instead of %s\n", row->reason,
                    outcome_name((enum outcome_kind)outcome), outcome_name(row->outcome));
            good = false;
        }
    }
    return good;
}
