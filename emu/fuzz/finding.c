/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz/finding.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check/oracle.h"

#define PART_MAX 40 /* of a name: oracles, symbol, exit */

bool finding_is(const struct stage_result *result)
{
    switch (result->verdict) {
    case VERDICT_GUEST_CRASH:
    case VERDICT_HANG:
    case VERDICT_VIOLATION:
        return true;
    default:
        return false;
    }
}

/* Whatever oracles say. */
static bool ends_badly(const struct outcome *outcome)
{
    struct outcome end = *outcome;

    end.oracles = 0;
    return finding_is(&(struct stage_result){.verdict = outcome_verdict(&end)});
}

/* An image's symbols may be any bytes. */
static void make_printable(char *text)
{
    for (; *text; text++) {
        *text = *text < ' ' || *text > '~' ? '?' : *text;
    }
}

/* Equal for what is the same mistake: each number is '#'. */
static void put_why(const char *from, char *text, size_t size)
{
    size_t used = 0;

    while (*from && used + 1 < size) {
        if (*from >= '0' && *from <= '9') {
            from += strspn(from, "0123456789abcdefx");
            text[used++] = '#';
        } else {
            text[used++] = *from++;
        }
    }
    text[used] = '\0';
    make_printable(text);
}

/* #HV comes from the host alone, at an instruction of its choice: where does not tell. */
static bool ends_where_host_chose(const struct outcome *outcome)
{
    return outcome->kind == OUTCOME_TRIPLE_FAULT && strcmp(outcome->detail, "after #HV") == 0;
}

void finding_key(const struct stage_result *confirmed, struct finding_key *key)
{
    const struct outcome *outcome = &confirmed->outcome;
    const char *why = outcome->panic[0] ? outcome->panic : outcome->detail;
    bool bad = ends_badly(outcome);
    bool of_hit = confirmed->has_hit && (!bad || confirmed->fresh);
    const char *symbol = of_hit                           ? confirmed->hit.symbol
                         : ends_where_host_chose(outcome) ? NULL
                                                          : outcome->symbol;
    const char *exit = of_hit ? confirmed->hit.exit : confirmed->last_exit;

    memset(key, 0, sizeof(*key));
    key->verdict = confirmed->verdict;
    key->oracles = confirmed->fresh ? confirmed->fresh : outcome->oracles;
    snprintf(key->symbol, sizeof(key->symbol), "%s", symbol ? symbol : "");
    snprintf(key->exit, sizeof(key->exit), "%s", exit ? exit : "");
    if (!of_hit) {
        outcome_phrase(outcome, key->phrase, sizeof(key->phrase));
    }
    if (!of_hit && bad && why[0]) {
        size_t used = strlen(key->phrase);

        snprintf(key->phrase + used, sizeof(key->phrase) - used, ": ");
        put_why(why, key->phrase + used + 2, sizeof(key->phrase) - used - 2);
    }
}

bool finding_same(const struct finding_key *a, const struct finding_key *b)
{
    return a->verdict == b->verdict && a->oracles == b->oracles &&
           strcmp(a->symbol, b->symbol) == 0 && strcmp(a->exit, b->exit) == 0 &&
           strcmp(a->phrase, b->phrase) == 0;
}

/* ---- names ---- */

static uint32_t hash_text(uint32_t hash, const char *text)
{
    do { /* the end, too: "a", "bc" are not "ab", "c" */
        hash = (hash ^ (uint8_t)*text) * 0x01000193u;
    } while (*text++);
    return hash;
}

static uint32_t hash_key(const struct finding_key *key)
{
    char oracles[160];
    uint32_t hash = 0x811C9DC5u;

    /* By name: numbers of oracles may change from build to build. */
    oracle_list(key->oracles, oracles, sizeof(oracles));
    hash = hash_text(hash, verdict_name(key->verdict));
    hash = hash_text(hash, oracles);
    hash = hash_text(hash, key->symbol);
    hash = hash_text(hash, key->exit);
    return hash_text(hash, key->phrase);
}

/* "-" and the text, with letters, digits and '_' alone; nothing when there is no text. */
static void put_part(char *name, const char *text)
{
    size_t used = strlen(name), end = used + 1 + PART_MAX;
    bool gap = true;

    if (!*text) {
        return;
    }
    for (; *text && used < end; text++) {
        char c = *text >= 'A' && *text <= 'Z' ? (char)(*text - 'A' + 'a') : *text;

        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_') {
            if (gap) {
                name[used++] = '-';
            }
            gap = false;
            name[used++] = c;
        } else {
            gap = true;
        }
    }
    name[used] = '\0';
}

void finding_name(const struct finding_key *key, char name[FINDING_NAME_MAX])
{
    char oracles[160];

    snprintf(name, FINDING_NAME_MAX, "%s", verdict_name(key->verdict));
    if (key->oracles) {
        oracle_list(key->oracles, oracles, sizeof(oracles));
        put_part(name, oracles);
    }
    put_part(name, key->symbol);
    put_part(name, key->exit);
    snprintf(name + strlen(name), FINDING_NAME_MAX - strlen(name), "-%08" PRIx32, hash_key(key));
}

void finding_words(const struct finding_key *key, char *words, size_t size)
{
    char oracles[160] = "";

    if (key->oracles) {
        oracle_list(key->oracles, oracles, sizeof(oracles));
    }
    snprintf(words, size, "%s%s%s%s%s%s%s%s%s%s", verdict_name(key->verdict),
             oracles[0] ? " (" : "", oracles, oracles[0] ? ")" : "", key->symbol[0] ? " in " : "",
             key->symbol, key->exit[0] ? " after " : "", key->exit, key->phrase[0] ? "; " : "",
             key->phrase);
    make_printable(words);
}
