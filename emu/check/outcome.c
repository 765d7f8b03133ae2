/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "check/outcome.h"

#include <stdio.h>
#include <string.h>

struct outcome_row {
    const char *name;
    enum verdict verdict;
    enum verdict verdict_host_caused; /* when the script's own doing ended the run so */
};

static const struct outcome_row outcome_rows[OUTCOME_KIND_COUNT] = {
    [OUTCOME_NONE] = {"running", VERDICT_UNJUDGED, VERDICT_UNJUDGED},
    [OUTCOME_HALTED] = {"halted", VERDICT_PASS, VERDICT_PASS},
    [OUTCOME_REACHED] = {"reached", VERDICT_PASS, VERDICT_PASS},
    [OUTCOME_TERMINATED] = {"terminated", VERDICT_CONTAINED, VERDICT_CONTAINED},
    [OUTCOME_TRIPLE_FAULT] = {"triple-fault", VERDICT_GUEST_CRASH, VERDICT_CONTAINED},
    [OUTCOME_NESTED_FAULT] = {"nested-fault", VERDICT_GUEST_CRASH, VERDICT_CONTAINED},
    [OUTCOME_REFUSED] = {"refused", VERDICT_GUEST_CRASH, VERDICT_CONTAINED},
    [OUTCOME_STUCK] = {"stuck", VERDICT_HANG, VERDICT_CONTAINED},
    [OUTCOME_BUDGET] = {"budget", VERDICT_HANG, VERDICT_HANG},
    [OUTCOME_UNMODELLED] = {"unmodelled", VERDICT_UNJUDGED, VERDICT_UNJUDGED},
};

static const char *const verdict_names[VERDICT_COUNT] = {
    [VERDICT_PASS] = "pass",
    [VERDICT_CONTAINED] = "contained",
    [VERDICT_GUEST_CRASH] = "guest-crash",
    [VERDICT_HANG] = "hang",
    [VERDICT_UNJUDGED] = "unjudged",
    [VERDICT_VIOLATION] = "violation",
    [VERDICT_EMULATOR_BUG] = "emulator-bug",
};

const char *outcome_name(enum outcome_kind kind)
{
    return outcome_rows[kind].name;
}

const char *verdict_name(enum verdict verdict)
{
    return verdict_names[verdict];
}

enum outcome_kind outcome_named(const char *name)
{
    int kind = 0;

    while (kind < OUTCOME_KIND_COUNT && strcmp(outcome_rows[kind].name, name) != 0) {
        kind++;
    }
    return (enum outcome_kind)kind;
}

enum verdict verdict_named(const char *name)
{
    int verdict = 0;

    while (verdict < VERDICT_COUNT && strcmp(verdict_names[verdict], name) != 0) {
        verdict++;
    }
    return (enum verdict)verdict;
}

void outcome_phrase(const struct outcome *outcome, char *text, size_t size)
{
    const char *name = outcome_name(outcome->kind);

    if (outcome->kind == OUTCOME_TERMINATED) {
        snprintf(text, size, "%s 0x%x:0x%x", name, outcome->term_set, outcome->term_code);
    } else if (outcome->kind == OUTCOME_REACHED && outcome->symbol[0]) {
        snprintf(text, size, "%s %s", name, outcome->symbol);
    } else {
        snprintf(text, size, "%s", name);
    }
}

bool outcome_is_abnormal(const struct outcome *outcome)
{
    return outcome->kind != OUTCOME_NONE && outcome->kind != OUTCOME_HALTED &&
           outcome->kind != OUTCOME_REACHED;
}

enum verdict outcome_verdict(const struct outcome *outcome)
{
    const struct outcome_row *row = &outcome_rows[outcome->kind];

    if (outcome->oracles) {
        return VERDICT_VIOLATION;
    }
    return outcome->host_caused ? row->verdict_host_caused : row->verdict;
}
