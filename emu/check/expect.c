/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "check/expect.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/oracle.h"

bool expect_set_outcome(struct expect *expect, const char *text)
{
    const char *space = strchr(text, ' ');
    char name[32];
    size_t length = space ? (size_t)(space - text) : strlen(text);
    enum outcome_kind kind;
    unsigned set, code;
    char rest;

    if (length >= sizeof(name)) {
        return false;
    }
    memcpy(name, text, length);
    name[length] = '\0';
    kind = outcome_named(name);
    if (kind == OUTCOME_KIND_COUNT || kind == OUTCOME_NONE) {
        return false;
    }
    if (space) {
        if (kind != OUTCOME_TERMINATED || strlen(space) > sizeof(" 0xff:0xff") - 1 ||
            sscanf(space, " 0x%x:0x%x%c", &set, &code, &rest) != 2 || set > 0xF || code > 0xFF) {
            return false;
        }
        expect->term_given = true;
        expect->term_set = (uint8_t)set;
        expect->term_code = (uint8_t)code;
    }
    expect->outcome_given = true;
    expect->outcome = kind;
    return true;
}

static bool check_outcome(const struct expect *expect, const struct outcome *outcome, char *why,
                          size_t size)
{
    const struct outcome expected = {
        .kind = expect->outcome,
        .term_set = expect->term_set,
        .term_code = expect->term_code,
    };
    char expected_phrase[64];
    char phrase[160];

    if (!expect->outcome_given) {
        return true;
    }
    if (outcome->kind == expect->outcome &&
        (!expect->term_given ||
         (outcome->term_set == expect->term_set && outcome->term_code == expect->term_code))) {
        return true;
    }
    if (expect->outcome == OUTCOME_TERMINATED && !expect->term_given) {
        snprintf(expected_phrase, sizeof(expected_phrase), "%s", outcome_name(expect->outcome));
    } else {
        outcome_phrase(&expected, expected_phrase, sizeof(expected_phrase));
    }
    outcome_phrase(outcome, phrase, sizeof(phrase));
    snprintf(why, size, "outcome: expected %s, got %s%s%s", expected_phrase, phrase,
             outcome->detail[0] ? ": " : "", outcome->detail);
    return false;
}

/* Who says which oracles hit expects a violation, without having to say so. */
static bool check_verdict(const struct expect *expect, enum verdict verdict, char *why, size_t size)
{
    bool never_silent =
        (verdict == VERDICT_VIOLATION && !expect->oracles) || verdict == VERDICT_EMULATOR_BUG;

    if (expect->verdict_given ? verdict == expect->verdict : !never_silent) {
        return true;
    }
    snprintf(why, size, "verdict: expected %s, got %s",
             expect->verdict_given ? verdict_name(expect->verdict) : "no violation",
             verdict_name(verdict));
    return false;
}

static bool check_oracles(const struct expect *expect, const struct outcome *outcome, char *why,
                          size_t size)
{
    char expected[160], hit[160];

    if (!expect->oracles_given || expect->oracles == outcome->oracles) {
        return true;
    }
    oracle_list(expect->oracles, expected, sizeof(expected));
    oracle_list(outcome->oracles, hit, sizeof(hit));
    snprintf(why, size, "oracles: expected %s, hit %s", expected, hit);
    return false;
}

static bool check_text(const char *what, const char *expected, const char *text, char *why,
                       size_t size)
{
    if (!expected || (text && strstr(text, expected))) {
        return true;
    }
    snprintf(why, size, "%s: expected to contain \"%.80s\", got %s%.120s%s", what, expected,
             text && *text ? "\"" : "", text && *text ? text : "nothing",
             text && *text ? "\"" : "");
    for (char *c = why; *c; c++) {
        if (*c == '\n' || *c == '\r') {
            *c = ' ';
        }
    }
    return false;
}

static bool check_state(const struct expect *expect, expect_read *read, void *context, char *why,
                        size_t size)
{
    for (size_t i = 0; i < expect->state_count; i++) {
        const struct expect_state *state = &expect->state[i];
        uint64_t value;

        if (!read || !read(context, state, &value)) {
            snprintf(why, size, "state %s+0x%" PRIx64 ": no such symbol, or not readable",
                     state->symbol, state->offset);
            return false;
        }
        if (value != state->value) {
            snprintf(why, size,
                     "state %s+0x%" PRIx64 " (%" PRIu32 " bytes): expected 0x%" PRIx64
                     ", got 0x%" PRIx64,
                     state->symbol, state->offset, state->size_bytes, state->value, value);
            return false;
        }
    }
    return true;
}

bool expect_check(const struct expect *expect, const struct outcome *outcome, enum verdict verdict,
                  const char *console, expect_read *read, void *context, char *why, size_t size)
{
    return check_outcome(expect, outcome, why, size) && check_oracles(expect, outcome, why, size) &&
           check_verdict(expect, verdict, why, size) &&
           check_text("serial", expect->serial, console, why, size) &&
           check_text("panic", expect->panic, outcome->panic, why, size) &&
           check_state(expect, read, context, why, size);
}

void expect_release(struct expect *expect)
{
    if (!expect) {
        return;
    }
    free(expect->serial);
    free(expect->panic);
    memset(expect, 0, sizeof(*expect));
}
