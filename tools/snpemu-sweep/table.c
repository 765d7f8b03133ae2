/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sweep.h"

#define PHRASE_MAX 160
#define TOTALS_MAX 256

static void phrase_of(const struct sweep_row *row, char phrase[PHRASE_MAX])
{
    if (row->failed) {
        snprintf(phrase, PHRASE_MAX, "FAILED");
    } else {
        outcome_phrase(&row->outcome, phrase, PHRASE_MAX);
    }
}

static const char *verdict_of(const struct sweep_row *row)
{
    return row->failed ? verdict_name(VERDICT_EMULATOR_BUG)
                       : verdict_name(outcome_verdict(&row->outcome));
}

/* Do the two stand in one line of the table? Where a guest stops is not asked. */
static bool alike(const struct sweep_row *a, const struct sweep_row *b)
{
    char first[PHRASE_MAX], second[PHRASE_MAX];

    phrase_of(a, first);
    phrase_of(b, second);
    return strcmp(a->name, b->name) == 0 && a->vcpu == b->vcpu && a->vmpl == b->vmpl &&
           strcmp(first, second) == 0 && strcmp(verdict_of(a), verdict_of(b)) == 0 &&
           strcmp(a->outcome.detail, b->outcome.detail) == 0 && strcmp(a->why, b->why) == 0;
}

static void print_line(FILE *file, const struct sweep_row *first, const struct sweep_row *last)
{
    char exits[48], phrase[PHRASE_MAX], who[32];

    phrase_of(first, phrase);
    if (first == last) {
        snprintf(exits, sizeof(exits), "%" PRIu64, first->exit);
    } else {
        snprintf(exits, sizeof(exits), "%" PRIu64 "-%" PRIu64, first->exit, last->exit);
    }
    snprintf(who, sizeof(who), "%" PRIu32 "/%u", first->vcpu, first->vmpl);
    fprintf(file, "%-9s %-11s %-5s %-20s %-19s %-12s %s\n", sweep_kinds[first->kind].name, exits,
            who, first->name, phrase, verdict_of(first),
            first->failed ? first->why : first->outcome.detail);
}

/* The rows of one kind. Those that are no run, because nothing was answered, are left out. */
static void print_kind(FILE *file, const struct sweep *sweep, size_t kind, bool all)
{
    const struct sweep_row *first = NULL, *last = NULL;

    for (size_t i = 0; i < sweep->row_count; i++) {
        const struct sweep_row *row = &sweep->row[i];

        if (row->kind != kind || (!row->failed && !row->name[0])) {
            continue;
        }
        if (first && (all || !alike(first, row))) {
            print_line(file, first, last);
            first = NULL;
        }
        first = first ? first : row;
        last = row;
    }
    if (first) {
        print_line(file, first, last);
    }
}

struct total {
    char phrase[PHRASE_MAX];
    const char *verdict;
    size_t count[SWEEP_KINDS];
};

static int total_compare(const void *a, const void *b)
{
    const struct total *first = a, *second = b;
    int order = strcmp(first->verdict, second->verdict);

    return order ? order : strcmp(first->phrase, second->phrase);
}

static size_t count_totals(const struct sweep *sweep, struct total *total)
{
    size_t count = 0;

    for (size_t i = 0; i < sweep->row_count; i++) {
        const struct sweep_row *row = &sweep->row[i];
        char phrase[PHRASE_MAX];
        size_t at = 0;

        if (!row->failed && !row->name[0]) {
            continue;
        }
        phrase_of(row, phrase);
        while (at < count && (strcmp(total[at].phrase, phrase) != 0 ||
                              strcmp(total[at].verdict, verdict_of(row)) != 0)) {
            at++;
        }
        if (at == count && count < TOTALS_MAX - 1) {
            memcpy(total[count].phrase, phrase, sizeof(phrase));
            total[count++].verdict = verdict_of(row);
        }
        if (at < count) {
            total[at].count[row->kind]++;
        }
    }
    return count;
}

static void print_totals(FILE *file, const struct sweep *sweep)
{
    struct total *total = calloc(TOTALS_MAX, sizeof(*total));
    size_t all[SWEEP_KINDS] = {0};
    size_t count = total ? count_totals(sweep, total) : 0;

    fprintf(file, "\n%-19s %-12s", "outcome", "verdict");
    for (size_t kind = 0; kind < SWEEP_KINDS; kind++) {
        fprintf(file, " %9s", sweep_kinds[kind].name);
    }
    fprintf(file, "\n");
    if (count) {
        qsort(total, count, sizeof(*total), total_compare);
    }
    for (size_t i = 0; i < count; i++) {
        fprintf(file, "%-19s %-12s", total[i].phrase, total[i].verdict);
        for (size_t kind = 0; kind < SWEEP_KINDS; kind++) {
            fprintf(file, " %9zu", total[i].count[kind]);
            all[kind] += total[i].count[kind];
        }
        fprintf(file, "\n");
    }
    fprintf(file, "%-32s", "all");
    for (size_t kind = 0; kind < SWEEP_KINDS; kind++) {
        fprintf(file, " %9zu", all[kind]);
    }
    fprintf(file, "\n");
    free(total);
}

void sweep_print(FILE *file, const struct sweep *sweep, bool all)
{
    char phrase[PHRASE_MAX];

    outcome_phrase(&sweep->honest, phrase, sizeof(phrase));
    fprintf(file, "honest: %s after %" PRIu64 " instructions and %" PRIu64 " exits\n\n", phrase,
            sweep->honest.instructions, sweep->honest.exits);
    fprintf(file, "%-9s %-11s %-5s %-20s %-19s %-12s %s\n", "kind", "exit", "cpu/l", "name",
            "outcome", "verdict", "detail");
    for (size_t kind = 0; kind < SWEEP_KINDS; kind++) {
        print_kind(file, sweep, kind, all);
    }
    print_totals(file, sweep);
}

size_t sweep_count_failed(const struct sweep *sweep)
{
    size_t count = 0;

    for (size_t i = 0; i < sweep->row_count; i++) {
        count += sweep->row[i].failed;
    }
    return count;
}

size_t sweep_count_unmodelled(const struct sweep *sweep)
{
    size_t count = 0;

    for (size_t i = 0; i < sweep->row_count; i++) {
        count += !sweep->row[i].failed && sweep->row[i].outcome.kind == OUTCOME_UNMODELLED;
    }
    return count;
}
