/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check/oracle.h"
#include "ghcb/hypervisor.h"
#include "trace/meaning.h"

#define PERCPU_ROWS_SHOWN 64
#define WORDS_WIDTH 88

bool output_has_colour(FILE *file)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

    return !(no_colour && *no_colour) && term && strcmp(term, "dumb") != 0 && isatty(fileno(file));
}

const char *output_escape(bool on, enum output_colour colour)
{
    static const char *const codes[] = {
        [COLOUR_NONE] = "\033[0m", [COLOUR_GOOD] = "\033[32m", [COLOUR_BAD] = "\033[31m",
        [COLOUR_DIM] = "\033[2m",  [COLOUR_BOLD] = "\033[1m",
    };

    return on ? codes[colour] : "";
}

void output_console(FILE *file, const uint8_t *bytes, size_t size_bytes)
{
    bool terminal = isatty(fileno(file));

    for (size_t i = 0; i < size_bytes; i++) {
        int c = bytes[i];

        if (terminal && (c >= 0x7F || (c < ' ' && c != '\n' && c != '\r' && c != '\t'))) {
            c = '?';
        }
        putc(c, file);
    }
    fflush(file);
}

static enum output_colour diff_colour(const char *line)
{
    static const struct {
        char mark;
        enum output_colour colour;
    } rows[] = {{'-', COLOUR_BAD}, {'+', COLOUR_GOOD}, {'@', COLOUR_DIM}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (line[0] == rows[i].mark) {
            return rows[i].colour;
        }
    }
    return COLOUR_NONE;
}

void output_diff(FILE *file, const char *text, size_t lines, bool colour)
{
    size_t more = 0;

    for (const char *line = text, *end; *line; line = *end ? end + 1 : end) {
        end = line + strcspn(line, "\n");
        if (lines > 0) {
            lines--;
            fprintf(file, "  %s%.*s%s\n", output_escape(colour, diff_colour(line)),
                    (int)(end - line), line, output_escape(colour, COLOUR_NONE));
        } else {
            more++;
        }
    }
    if (more > 0) {
        fprintf(file, "  ... and %zu more lines; --out DIR keeps them all\n", more);
    }
}

void output_percpu(FILE *file, struct run *run, bool colour)
{
    struct run_percpu *row = calloc(HYPERVISOR_CPU_MAX, sizeof(*row));
    size_t count;

    if (!row) {
        return;
    }
    count = run_percpu_table(run, row, HYPERVISOR_CPU_MAX);
    if (count > 0) {
        fprintf(file, "\n%s%5s  %10s  %s%s\n", output_escape(colour, COLOUR_BOLD), "CPU", "APIC ID",
                "per-CPU area", output_escape(colour, COLOUR_NONE));
    }
    for (size_t i = 0; i < count; i++) {
        if (count > PERCPU_ROWS_SHOWN && i == PERCPU_ROWS_SHOWN - 2) {
            fprintf(file, "%5s  (%zu more)\n", "...", count - PERCPU_ROWS_SHOWN + 1);
            i = count - 1;
        }
        fprintf(file, "%5" PRIu32 "  %10" PRIu32 "  0x%016" PRIx64 "\n", row[i].index,
                row[i].apic_id, row[i].gva);
    }
    free(row);
}

/* An address, or nothing where the guest has none. */
static void put_address(FILE *file, uint64_t address)
{
    if (address) {
        fprintf(file, "  0x%016" PRIx64, address);
    } else {
        fprintf(file, "  %18s", "-");
    }
}

bool output_percpu_dump(FILE *file, struct run *run)
{
    struct run_percpu *row = calloc(HYPERVISOR_CPU_MAX, sizeof(*row));
    size_t count = row ? run_percpu_table(run, row, HYPERVISOR_CPU_MAX) : 0;

    if (count > 0) {
        fprintf(file, "%5s  %10s  %-18s  %-18s  %-18s  %-18s  %-18s\n", "CPU", "APIC ID", "GHCB",
                "VMSA of VMPL0", "VMSA of VMPL1", "CAA of VMPL1", "TSS");
    }
    for (size_t i = 0; i < count; i++) {
        fprintf(file, "%5" PRIu32 "  %10" PRIu32, row[i].index, row[i].apic_id);
        put_address(file, row[i].ghcb);
        put_address(file, row[i].vmsa[0]);
        put_address(file, row[i].vmsa[1]);
        put_address(file, row[i].caa[1]);
        put_address(file, row[i].tss);
        fprintf(file, "\n");
    }
    free(row);
    return count > 0;
}

void output_words(FILE *file, int indent, const char *words)
{
    size_t room = (size_t)(WORDS_WIDTH - indent);

    while (*words) {
        size_t fit = strlen(words);

        if (fit > room) {
            for (fit = room; fit > 0 && words[fit] != ' '; fit--) {
            }
            fit = fit > 0 ? fit : room;
        }
        fprintf(file, "%*s%.*s\n", indent, "", (int)fit, words);
        words += fit;
        words += strspn(words, " ");
    }
}

static void put_termination(FILE *file, const struct outcome *outcome)
{
    const struct termination *row = termination_find(outcome->term_set, outcome->term_code);
    const char *who = termination_who(outcome->term_set, outcome->term_code);
    char text[512];

    if (!row) {
        snprintf(text, sizeof(text), "%s; no meaning of this code is known.",
                 who ? who : "No known guest uses this set");
    } else {
        snprintf(text, sizeof(text), "%s: %s. %s", who, row->name,
                 row->meaning ? row->meaning : "");
    }
    output_words(file, 10, text);
}

static void put_oracles(FILE *file, uint32_t oracles)
{
    for (int kind = 0; kind < ORACLE_COUNT; kind++) {
        if (oracles & ORACLE_BIT(kind)) {
            fprintf(file, "oracle    %s\n", oracle_name((enum oracle_kind)kind));
            output_words(file, 10, oracle_meaning((enum oracle_kind)kind));
        }
    }
}

void output_outcome(FILE *file, const struct outcome *outcome, enum verdict verdict, bool colour)
{
    enum output_colour judged =
        verdict == VERDICT_PASS || verdict == VERDICT_CONTAINED ? COLOUR_GOOD : COLOUR_BAD;
    char phrase[160], where[256], who[40] = "";

    outcome_phrase(outcome, phrase, sizeof(phrase));
    fprintf(file, "\noutcome   %s%s%s\n", output_escape(colour, COLOUR_BOLD), phrase,
            output_escape(colour, COLOUR_NONE));
    if (outcome->detail[0]) {
        output_words(file, 10, outcome->detail);
    }
    if (outcome->kind == OUTCOME_TERMINATED) {
        put_termination(file, outcome);
    } else {
        output_words(file, 10, outcome_meaning(outcome->kind));
    }
    if (outcome->vcpu != 0 || outcome->vmpl != 0) {
        snprintf(who, sizeof(who), "vCPU %" PRIu32 " at VMPL%u, ", outcome->vcpu, outcome->vmpl);
    }
    snprintf(where, sizeof(where),
             "%sat 0x%" PRIx64 "%s%s, after %" PRIu64 " instructions and %" PRIu64 " exits", who,
             outcome->rip, outcome->symbol[0] ? " in " : "", outcome->symbol, outcome->instructions,
             outcome->exits);
    output_words(file, 10, where);
    if (outcome->panic[0]) {
        fprintf(file, "panic     %s\n", outcome->panic);
    }
    put_oracles(file, outcome->oracles);
    fprintf(file, "verdict   %s%s%s\n", output_escape(colour, judged), verdict_name(verdict),
            output_escape(colour, COLOUR_NONE));
    output_words(file, 10, verdict_meaning(verdict));
}
