/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snpemu explain: the tables of terminations, outcomes, verdicts and oracles, in words.
 */
#include <stdio.h>
#include <string.h>

#include "check/oracle.h"
#include "command.h"
#include "options.h"
#include "output.h"
#include "trace/meaning.h"
#include "trace/meaning_use.h"

#define EXPLAIN_WORDS_MAX 2

struct explain {
    struct options options;
    const char *word[EXPLAIN_WORDS_MAX];
    size_t word_count;
};

static const struct argp_option explain_options[] = {
    OPTION_HELP,
    {0},
};

static const char explain_doc[] =
    "Say what a termination, an outcome, a verdict or an oracle means. Without an argument: all of "
    "them.\v"
    "A termination is SET:CODE in hexadecimal, or the value of the GHCB MSR that asked for it; "
    "SET: "
    "alone lists the codes of a set. Where guests mean different things by the same code, each is "
    "told: linux-svsm, COCONUT-SVSM, Linux, edk2.\n"
    "\n"
    "  snpemu explain 0xf:0x6\n"
    "  snpemu explain 0x6f100\n"
    "  snpemu explain 0x1:\n"
    "  snpemu explain hang";

static error_t explain_parse(int key, char *arg, struct argp_state *state)
{
    struct explain *explain = state->input;

    if (key != ARGP_KEY_ARG) {
        return option_other(key, state);
    }
    if (explain->word_count == EXPLAIN_WORDS_MAX) {
        return option_fail(state, "explain: '%.100s' is one word too many; explain one thing", arg);
    }
    explain->word[explain->word_count++] = arg;
    return 0;
}

static void explain_termination(const struct termination *row)
{
    const struct termination_use *use;
    char source[320];

    printf("terminated 0x%x:0x%x\n  %s: %s\n", row->set, row->code,
           termination_who(row->set, row->code), row->name);
    if (row->meaning) {
        output_words(stdout, 2, row->meaning);
    }
    snprintf(source, sizeof(source), "Source: %s", row->source);
    output_words(stdout, 2, source);
    for (size_t i = 0; (use = termination_use_at(row->set, row->code, i)) != NULL; i++) {
        printf("  %s\n", use->guest);
        output_words(stdout, 4, use->meaning);
        snprintf(source, sizeof(source), "Source: %s", use->source);
        output_words(stdout, 4, source);
    }
}

static void list_termination(const struct termination *row)
{
    printf("  0x%x:0x%-3x %s: %s\n", row->set, row->code, termination_who(row->set, row->code),
           row->name);
}

/* "0xf:" */
static bool explain_set(const char *word)
{
    const struct termination *row;
    char first[16];
    size_t length = strlen(word);
    uint8_t set, code;

    if (length == 0 || length + 2 > sizeof(first) || word[length - 1] != ':') {
        return false;
    }
    snprintf(first, sizeof(first), "%s0", word);
    if (termination_parse(first, &set, &code) != SNPEMU_OK || !termination_set_name(set)) {
        return false;
    }
    printf("Terminations of set 0x%x: %s\n", set, termination_set_name(set));
    for (size_t i = 0; (row = termination_at(i)) != NULL; i++) {
        if (row->set == set) {
            list_termination(row);
        }
    }
    return true;
}

static void explain_outcome(enum outcome_kind kind)
{
    const struct outcome usual = {.kind = kind}, caused = {.kind = kind, .host_caused = true};

    printf("outcome %s\n", outcome_name(kind));
    output_words(stdout, 2, outcome_meaning(kind));
    printf("  Verdict, unless something says otherwise: %s", verdict_name(outcome_verdict(&usual)));
    if (outcome_verdict(&caused) != outcome_verdict(&usual)) {
        printf("; if the host's script caused it: %s", verdict_name(outcome_verdict(&caused)));
    }
    printf("\n");
}

static void explain_oracles(void)
{
    printf("Oracles (--oracles)\n");
    for (int kind = 0; kind < ORACLE_COUNT; kind++) {
        printf("  %s\n", oracle_name((enum oracle_kind)kind));
        output_words(stdout, 6, oracle_meaning((enum oracle_kind)kind));
    }
}

static void explain_terminations(void)
{
    const struct termination *row;

    printf("Terminations (set:code)\n");
    for (size_t i = 0; (row = termination_at(i)) != NULL; i++) {
        list_termination(row);
    }
}

static void explain_outcomes(void)
{
    printf("Outcomes\n");
    for (int kind = OUTCOME_NONE + 1; kind < OUTCOME_KIND_COUNT; kind++) {
        printf("  %s\n", outcome_name((enum outcome_kind)kind));
        output_words(stdout, 6, outcome_meaning((enum outcome_kind)kind));
    }
}

static void explain_verdicts(void)
{
    printf("Verdicts\n");
    for (int verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        printf("  %s\n", verdict_name((enum verdict)verdict));
        output_words(stdout, 6, verdict_meaning((enum verdict)verdict));
    }
}

/* The lists, in the order in which all of them are shown. */
static const struct {
    const char *name;
    void (*explain)(void);
} lists[] = {
    {"terminations", explain_terminations},
    {"outcomes", explain_outcomes},
    {"verdicts", explain_verdicts},
    {"oracles", explain_oracles},
};

#define LIST_COUNT (sizeof(lists) / sizeof(lists[0]))

static void explain_all(void)
{
    for (size_t i = 0; i < LIST_COUNT; i++) {
        printf("%s", i ? "\n" : "");
        lists[i].explain();
    }
}

static bool explain_list(const char *word)
{
    for (size_t i = 0; i < LIST_COUNT; i++) {
        if (strcmp(lists[i].name, word) == 0) {
            lists[i].explain();
            return true;
        }
    }
    return false;
}

static int fail_unknown(const char *word, struct error *error)
{
    struct nearest nearest;

    nearest_start(&nearest, word);
    for (int kind = OUTCOME_NONE + 1; kind < OUTCOME_KIND_COUNT; kind++) {
        nearest_try(&nearest, outcome_name((enum outcome_kind)kind));
    }
    for (int verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        nearest_try(&nearest, verdict_name((enum verdict)verdict));
    }
    for (int kind = 0; kind < ORACLE_COUNT; kind++) {
        nearest_try(&nearest, oracle_name((enum oracle_kind)kind));
    }
    for (size_t i = 0; i < LIST_COUNT; i++) {
        nearest_try(&nearest, lists[i].name);
    }
    if (option_nearest(&nearest)) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "explain: nothing is called '%.100s'; nearest: %s", word,
                         option_nearest(&nearest));
    }
    return error_set(
        error, SNPEMU_ERR_INPUT,
        "explain: '%.100s' is no outcome, verdict or oracle, and no termination such as "
        "0xf:0x6; 'snpemu explain' lists all",
        word);
}

static int explain_word(const char *word, struct error *error)
{
    enum outcome_kind kind = outcome_named(word);
    enum verdict verdict = verdict_named(word);
    const struct termination *row;
    uint8_t set, code;

    if (kind != OUTCOME_KIND_COUNT && kind != OUTCOME_NONE) {
        explain_outcome(kind);
        return SNPEMU_OK;
    }
    if (verdict != VERDICT_COUNT) {
        printf("verdict %s\n", word);
        output_words(stdout, 2, verdict_meaning(verdict));
        return SNPEMU_OK;
    }
    if (explain_list(word) || explain_set(word)) {
        return SNPEMU_OK;
    }
    if (oracle_named(word) != ORACLE_COUNT) {
        printf("oracle %s\n", word);
        output_words(stdout, 2, oracle_meaning(oracle_named(word)));
        return SNPEMU_OK;
    }
    if (termination_parse(word, &set, &code) != SNPEMU_OK) {
        return fail_unknown(word, error);
    }
    row = termination_find(set, code);
    if (!row) {
        const char *who = termination_set_name(set);

        return error_set(
            error, SNPEMU_ERR_INPUT,
            "explain: no meaning is known of 0x%x:0x%x (set 0x%x: %s); 'snpemu explain "
            "terminations' lists those that are",
            set, code, set, who ? who : "nobody known");
    }
    explain_termination(row);
    return SNPEMU_OK;
}

const struct argp cmd_explain_argp = {
    explain_options,
    explain_parse,
    "[SET:CODE | OUTCOME | VERDICT | ORACLE | terminations | outcomes | verdicts | oracles]",
    explain_doc,
    NULL,
    NULL,
    NULL};

int cmd_explain(int argc, char **argv)
{
    struct explain explain = {0};
    struct error *error = &explain.options.error;
    int status = options_parse(&cmd_explain_argp, argc, argv, &explain.options);
    const char *word = explain.word[0];

    if (status == SNPEMU_OK && explain.word_count == 2) {
        /* "terminated 0xf:0x6", as an outcome is printed */
        if (strcmp(word, outcome_name(OUTCOME_TERMINATED)) != 0) {
            status = error_set(error, SNPEMU_ERR_INPUT,
                               "explain: '%.100s' is one word too many; explain one thing",
                               explain.word[1]);
        }
        word = explain.word[1];
    }
    if (status == SNPEMU_OK && !word) {
        explain_all();
    } else if (status == SNPEMU_OK) {
        status = explain_word(word, error);
    }
    return status == SNPEMU_OK ? EXIT_MET : command_fail(status, error);
}
