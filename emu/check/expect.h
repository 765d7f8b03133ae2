/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a scenario expects of its run.
 */
#ifndef SNPEMU_CHECK_EXPECT_H
#define SNPEMU_CHECK_EXPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check/outcome.h"

#define EXPECT_STATE_MAX 64

/* Guest state by symbol: size_bytes (1, 2, 4, 8) at symbol + offset hold `value`, little endian. */
struct expect_state {
    char symbol[96];
    uint64_t offset;
    uint32_t size_bytes;
    uint64_t value;
};

struct expect {
    bool given;
    bool outcome_given; /* "halted" or "terminated 0xf:0x6" */
    enum outcome_kind outcome;
    bool term_given;
    uint8_t term_set, term_code;
    bool verdict_given;
    enum verdict verdict;
    bool oracles_given; /* exactly these hit: ORACLE_BIT()s */
    uint32_t oracles;
    char *serial; /* must occur in the console output; NULL: not asked; owned */
    char *panic;  /* must occur in the panic message; NULL: not asked; owned */
    struct expect_state state[EXPECT_STATE_MAX];
    size_t state_count;
};

/*
 * Read "halted", "terminated" or "terminated 0xf:0x6" into `expect`; false for any other text.
 */
bool expect_set_outcome(struct expect *expect, const char *text);

/* How expect_check reads guest state: false when the symbol is unknown or unreadable. */
typedef bool expect_read(void *context, const struct expect_state *state, uint64_t *value);

/*
 * True when all that is expected holds. Else false, with the first difference in `why` in one line
 * ("outcome: expected halted, got terminated 0xf:0x6"). A verdict of `violation` or `emulator-bug`
 * never passes unless it is the one expected.
 */
bool expect_check(const struct expect *expect, const struct outcome *outcome, enum verdict verdict,
                  const char *console, expect_read *read, void *context, char *why, size_t size);
void expect_release(struct expect *expect);

#endif
