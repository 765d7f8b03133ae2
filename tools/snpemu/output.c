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

/* Names come from the image, which is anybody's. */
static void make_printable(char *text)
{
    for (; *text; text++) {
        *text = *text < ' ' || *text > '~' ? '?' : *text;
    }
}

/* " in svsm_panic+0x1c (panic.c:77)", or nothing. */
static void say_place(const struct image_place *place, char *text, size_t size)
{
    text[0] = '\0';
    if (place->symbol && place->frame_count) {
        snprintf(text, size, " in %s+0x%" PRIx64 " (%s:%u)", place->symbol, place->offset,
                 place->frame[0].file, place->frame[0].line);
    } else if (place->symbol) {
        snprintf(text, size, " in %s+0x%" PRIx64, place->symbol, place->offset);
    }
    make_printable(text);
}

/* A line for each function; one that was inlined has no address of its own. */
static void put_frame(FILE *file, const struct run_frame *frame, bool first)
{
    const struct image_place *place = &frame->place;
    size_t last = place->frame_count ? place->frame_count - 1 : 0;
    char text[IMAGE_PLACE_TEXT_MAX], source[IMAGE_PLACE_TEXT_MAX] = "";

    fprintf(file, "%-10s0x%016" PRIx64 "  ", first ? "backtrace" : "", frame->gva);
    for (size_t i = 0; i < last; i++) {
        snprintf(text, sizeof(text), "%s at %s:%u (inlined)",
                 place->frame[i].function ? place->frame[i].function : "?", place->frame[i].file,
                 place->frame[i].line);
        make_printable(text);
        fprintf(file, "%s\n%30s", text, "");
    }
    if (place->frame_count) {
        snprintf(source, sizeof(source), " at %s:%u", place->frame[last].file,
                 place->frame[last].line);
    }
    snprintf(text, sizeof(text), "%s+0x%" PRIx64, place->symbol ? place->symbol : "?",
             place->offset);
    make_printable(text);
    make_printable(source);
    fprintf(file, "%s%s%s%s\n", frame->guessed ? "? " : "", text, source,
            frame->interrupted ? " (interrupted)" : "");
}

#define INSNS_AHEAD 4

static bool same_function(const struct run_insn *a, const struct run_insn *b)
{
    return a->vcpu == b->vcpu && a->vmpl == b->vmpl && a->place.symbol == b->place.symbol;
}

/* Its line of source, unless it is that of the one before. */
static void say_line(const struct run_insn *insn, const struct run_insn *before, char *text,
                     size_t size)
{
    const struct image_frame *now = insn->place.frame, *last = before ? before->place.frame : NULL;

    text[0] = '\0';
    if (insn->place.frame_count && (!last || !before->place.frame_count ||
                                    now->line != last->line || now->path != last->path)) {
        snprintf(text, size, "%s:%u", now->file, now->line);
        make_printable(text);
    }
}

void output_insns(FILE *file, struct run *run, size_t count)
{
    size_t max = count + INSNS_AHEAD;
    struct run_insn *insn = count ? calloc(max, sizeof(*insn)) : NULL;

    count = insn ? run_last_insns(run, insn, max) : 0;
    fputs(count ? "\n" : "", file);
    for (size_t i = 0; i < count; i++) {
        const struct run_insn *before = i > 0 ? &insn[i - 1] : NULL;
        char text[IMAGE_PLACE_TEXT_MAX];

        if (!before || !same_function(before, &insn[i])) {
            snprintf(text, sizeof(text), "%s",
                     insn[i].place.symbol ? insn[i].place.symbol : "unknown code");
            make_printable(text);
            fprintf(file, "cpu%" PRIu32 ".vmpl%u %s\n", insn[i].vcpu, insn[i].vmpl, text);
            before = NULL;
        }
        say_line(&insn[i], before, text, sizeof(text));
        fprintf(file, "%s 0x%016" PRIx64 "  %-40s%s%s\n", insn[i].ahead ? " ..." : "    ",
                insn[i].gva, insn[i].text, text[0] ? "  " : "", text);
    }
    free(insn);
}

static void put_backtrace(FILE *file, const struct run *run)
{
    struct run_frame *frame = calloc(RUN_BACKTRACE_MAX, sizeof(*frame));
    size_t count = frame ? run_backtrace(run, frame, RUN_BACKTRACE_MAX) : 0;

    for (size_t i = 0; count > 1 && i < count; i++) {
        put_frame(file, &frame[i], i == 0);
    }
    free(frame);
}

void output_outcome(FILE *file, const struct run *run, const struct outcome *outcome,
                    enum verdict verdict, bool colour)
{
    enum output_colour judged =
        verdict == VERDICT_PASS || verdict == VERDICT_CONTAINED ? COLOUR_GOOD : COLOUR_BAD;
    char phrase[160], where[2 * IMAGE_PLACE_TEXT_MAX], who[40] = "", in[IMAGE_PLACE_TEXT_MAX];
    struct image_place place;

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
    /* HLT is one byte long, and has retired. */
    run_place(run, outcome->rip - (outcome->kind == OUTCOME_HALTED), &place);
    say_place(&place, in, sizeof(in));
    snprintf(where, sizeof(where),
             "%sat 0x%" PRIx64 "%s, after %" PRIu64 " instructions and %" PRIu64 " exits", who,
             outcome->rip, in, outcome->instructions, outcome->exits);
    output_words(file, 10, where);
    if (outcome_is_abnormal(outcome)) {
        put_backtrace(file, run);
    }
    if (outcome->panic[0]) {
        fprintf(file, "panic     %s\n", outcome->panic);
    }
    put_oracles(file, outcome->oracles);
    fprintf(file, "verdict   %s%s%s\n", output_escape(colour, judged), verdict_name(verdict),
            output_escape(colour, COLOUR_NONE));
    output_words(file, 10, verdict_meaning(verdict));
}
