/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a person sees of a campaign: a line while it runs, a table at its end.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "check/oracle.h"
#include "fuzz.h"

#define TERMINAL_SECONDS 1 /* between two status lines */
#define FILE_SECONDS 10
#define COLUMNS_DEFAULT 80

/* ---- figures ---- */

size_t fuzz_finding_count(const struct classes *classes)
{
    uint32_t count = atomic_load(&classes->count);
    size_t findings = 0;

    for (uint32_t i = 0; i < count; i++) {
        findings += class_is_finding(&classes->row[i]);
    }
    return findings;
}

static uint64_t runs_of(const struct classes *classes, enum verdict verdict)
{
    uint32_t count = atomic_load(&classes->count);
    uint64_t runs = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (classes->row[i].key.verdict == verdict) {
            runs += atomic_load(&classes->row[i].runs);
        }
    }
    return runs;
}

/* The most that any worker has, or knows of. */
static uint64_t most(const struct fuzz *fuzz, size_t offset)
{
    uint64_t value = 0;

    for (size_t i = 0; i < fuzz->worker_count; i++) {
        const void *field = (const char *)fuzz->worker[i].box + offset;
        uint64_t here = atomic_load((const _Atomic uint64_t *)field);

        value = here > value ? here : value;
    }
    return value;
}

static uint64_t session_runs(const struct fuzz *fuzz)
{
    return fuzz->now.runs - fuzz->before.runs;
}

static double session_seconds(const struct fuzz *fuzz)
{
    return fuzz->now.seconds - fuzz->before.seconds;
}

static double session_speed(const struct fuzz *fuzz)
{
    double seconds = session_seconds(fuzz);

    return seconds > 0 ? (double)session_runs(fuzz) / seconds : 0;
}

/* ---- the status line ---- */

static void status_text(struct fuzz *fuzz, char *text, size_t size)
{
    const struct fuzz_state *now = &fuzz->now;
    int used;

    used = snprintf(
        text, size,
        "%.0f s  %" PRIu64 " runs  %.0f/s  edges %" PRIu64 "  corpus %" PRIu64 "  findings %zu ",
        session_seconds(fuzz), now->runs, session_speed(fuzz),
        most(fuzz, offsetof(struct campaign_box, edges)),
        most(fuzz, offsetof(struct campaign_box, entries)), fuzz_finding_count(&now->classes));
    for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        uint64_t runs = runs_of(&now->classes, verdict);

        if (runs > 0 && used >= 0 && (size_t)used < size) {
            used += snprintf(text + used, size - (size_t)used, " %s %.1f%%", verdict_name(verdict),
                             100.0 * (double)runs / (double)now->runs);
        }
    }
}

static int columns(void)
{
    struct winsize window;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 ? window.ws_col
                                                                               : COLUMNS_DEFAULT;
}

void fuzz_status(struct fuzz *fuzz)
{
    bool terminal = isatty(STDERR_FILENO);
    double now = fuzz_clock();
    char text[512];

    if (now < fuzz->shown + (terminal ? TERMINAL_SECONDS : FILE_SECONDS)) {
        return;
    }
    fuzz->shown = now;
    fuzz_state_sum(fuzz);
    status_text(fuzz, text, sizeof(text));
    if (terminal) {
        fprintf(stderr, "\r%.*s\033[K", columns() - 1, text);
        fuzz->line_shown = true;
    } else {
        fprintf(stderr, "%s\n", text);
    }
    fflush(stderr);
}

void fuzz_status_clear(struct fuzz *fuzz)
{
    if (fuzz->line_shown) {
        fputs("\r\033[K", stderr);
        fuzz->line_shown = false;
    }
}

/* ---- the report ---- */

/* Worst first, and of those what came first. */
static int compare_rows(const void *a, const void *b)
{
    const struct class_row *one = *(const struct class_row *const *)a;
    const struct class_row *other = *(const struct class_row *const *)b;

    if (one->key.verdict != other->key.verdict) {
        return one->key.verdict > other->key.verdict ? -1 : 1;
    }
    if (atomic_load(&one->first) != atomic_load(&other->first)) {
        return atomic_load(&one->first) < atomic_load(&other->first) ? -1 : 1;
    }
    return one < other ? -1 : one > other;
}

/* Wide enough for the widest of a column; columns in the order of the table. */
struct widths {
    int verdict, oracles, symbol, exit;
};

static void widen(int *width, const char *text)
{
    int length = (int)strlen(text);

    *width = length > *width ? length : *width;
}

static void oracles_text(const struct class_row *row, char *text, size_t size)
{
    snprintf(text, size, "-");
    if (row->key.oracles) {
        oracle_list(row->key.oracles, text, size);
    }
}

static const char *or_dash(const char *text)
{
    return *text ? text : "-";
}

static void put_row(const struct class_row *row, const struct widths *widths)
{
    const char *phrase = row->key.phrase;
    uint64_t first_run = atomic_load(&row->first);
    char oracles[160], first[24] = "-";

    if (first_run != CLASS_NONE) {
        snprintf(first, sizeof(first), "%" PRIu64, first_run);
    }
    oracles_text(row, oracles, sizeof(oracles));
    printf("%-*s %12" PRIu64 " %12s  %-*s  %-*s  %-*s  %s\n", widths->verdict,
           verdict_name(row->key.verdict), atomic_load(&row->runs), first, widths->oracles, oracles,
           widths->symbol, or_dash(row->key.symbol), widths->exit, or_dash(row->key.exit),
           *phrase ? phrase : "(whatever follows)");
}

static void put_classes(const struct classes *classes)
{
    struct widths widths = {.verdict = 12, .oracles = 7, .symbol = 8, .exit = 9};
    uint32_t count = atomic_load(&classes->count);
    uint64_t others = atomic_load(&classes->others);
    const struct class_row *row[CLASSES_MAX];
    char oracles[160];

    for (uint32_t i = 0; i < count; i++) {
        row[i] = &classes->row[i];
        oracles_text(row[i], oracles, sizeof(oracles));
        widen(&widths.oracles, oracles);
        widen(&widths.symbol, row[i]->key.symbol);
        widen(&widths.exit, row[i]->key.exit);
    }
    qsort(row, count, sizeof(row[0]), compare_rows);
    printf("%-*s %12s %12s  %-*s  %-*s  %-*s  %s\n", widths.verdict, "verdict", "runs", "first",
           widths.oracles, "oracles", widths.symbol, "function", widths.exit, "last exit",
           "outcome");
    for (uint32_t i = 0; i < count; i++) {
        put_row(row[i], &widths);
    }
    if (others > 0) {
        printf("%-*s %12" PRIu64 "  of more kinds than are told apart\n", widths.verdict, "others",
               others);
    }
    putchar('\n');
}

static size_t count_files(const char *dir, const char *sub, const char *suffix)
{
    size_t count = 0, length = strlen(suffix);
    char path[4096];
    struct dirent *entry;
    DIR *files;

    snprintf(path, sizeof(path), "%.*s/%s", (int)sizeof(path) - 16, dir, sub);
    files = opendir(path);
    while (files && (entry = readdir(files)) != NULL) {
        size_t name = strlen(entry->d_name);

        count += entry->d_name[0] != '.' && !strstr(entry->d_name, ".tmp.") && name >= length &&
                 strcmp(entry->d_name + name - length, suffix) == 0;
    }
    if (files) {
        closedir(files);
    }
    return count;
}

static uint64_t fresh_findings(const struct fuzz *fuzz)
{
    uint64_t fresh = 0;

    for (size_t i = 0; i < fuzz->worker_count; i++) {
        fresh += atomic_load(&fuzz->worker[i].box->fresh);
    }
    return fresh;
}

void fuzz_report(struct fuzz *fuzz)
{
    size_t findings = fuzz_finding_count(&fuzz->now.classes);
    size_t apart = count_files(fuzz->dir, "emulator", ".input");

    put_classes(&fuzz->now.classes);
    printf("subject   %s, %" PRIu32 " CPUs, from exit %" PRIu64 " on, seed %" PRIu64 "\n",
           fuzz->subject.image->name, fuzz->subject.scenario->cpus, stage_first_exit(fuzz->stage),
           fuzz->now.seed);
    printf("runs      %" PRIu64 ", %" PRIu64 " of this session\n", fuzz->now.runs,
           session_runs(fuzz));
    printf("seconds   %.1f, %.1f of this session\n", fuzz->now.seconds, session_seconds(fuzz));
    printf("runs/s    %.0f\n", session_speed(fuzz));
    printf("edges     %" PRIu64 ", and %" PRIu64 " other features\n",
           most(fuzz, offsetof(struct campaign_box, edges)),
           most(fuzz, offsetof(struct campaign_box, features)));
    printf("corpus    %zu inputs in %s/corpus\n", count_files(fuzz->dir, "corpus", ""), fuzz->dir);
    printf("findings  %zu, %" PRIu64 " of them new\n", findings, fresh_findings(fuzz));
    if (findings > 0) {
        printf("          to run all: snpemu test %s/findings\n"
               "          to look at one: snpemu replay %s --cpus %" PRIu32
               " %s/findings/NAME.input\n",
               fuzz->dir, fuzz->path, fuzz->subject.scenario->cpus, fuzz->dir);
    }
    if (apart > 0) {
        printf("emulator  %zu inputs at which the emulator itself failed in %s/emulator; please "
               "report them\n",
               apart, fuzz->dir);
    }
}
