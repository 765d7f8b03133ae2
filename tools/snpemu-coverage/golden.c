/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Golden traces show what a fixture exercised: exits and MSRs by their names, instructions that
 * leave an event, cases by the guest's own output.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "coverage.h"

#define DEPTH_MAX 4

void name_list_add(struct name_list *list, const char *name)
{
    char **grown;

    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->name[i], name) == 0) {
            return;
        }
    }
    grown = realloc(list->name, (list->count + 1) * sizeof(*grown));
    if (!grown) {
        abort();
    }
    list->name = grown;
    list->name[list->count] = strdup(name);
    if (!list->name[list->count]) {
        abort();
    }
    list->count++;
}

/* Events whose topic is a row's name, and the instruction behind them. */
static const struct {
    const char *event;
    const char *topic_group; /* NULL: the topic is no row */
    const char *insn;
} events[] = {
    {"exit", "exit", "insn/vmgexit"},      {"wrmsr", "msr", "insn/wrmsr"},
    {"rdmsr", "msr", "insn/rdmsr"},        {"pvalidate", NULL, "insn/pvalidate"},
    {"rmpadjust", NULL, "insn/rmpadjust"}, {"rmpquery", NULL, "insn/rmpquery"},
};

static void exercise(struct coverage *coverage, const char *key, const char *fixture)
{
    struct coverage_row *row = coverage_find(coverage, key, strlen(key));

    if (row) {
        name_list_add(&row->fixtures, fixture);
    }
}

/* The guest says `ok NAME...`, or `case NAME` before a case that may end the run. */
static void take_case(struct coverage *coverage, const char *guest, const char *text)
{
    bool alone = strncmp(text, "case ", 5) == 0;
    size_t length;

    if (!alone && strncmp(text, "ok ", 3) != 0) {
        return;
    }
    text += alone ? 5 : 3;
    length = strcspn(text, " \"\n");
    for (size_t i = 0; i < coverage->case_count; i++) {
        struct coverage_case *this = &coverage->guest_case[i];

        if (strcmp(this->guest, guest) == 0 && strlen(this->name) == length &&
            memcmp(this->name, text, length) == 0 && alone == !!(this->flags & CASE_ALONE)) {
            this->proven = true;
        }
    }
}

/* Between `key` and the next blank or quote; `out` is empty when the line has no such field. */
static void line_field(const char *line, const char *key, char *out, size_t size)
{
    const char *at = strstr(line, key);
    size_t length = at ? strcspn(at + strlen(key), " \n") : 0;

    if (length >= size) {
        length = size - 1;
    }
    if (at) {
        memcpy(out, at + strlen(key), length);
    }
    out[length] = '\0';
}

/* Who speaks: the SVSM, or the guest that it started. */
struct speakers {
    char guest[COVERAGE_NAME_MAX], firmware[COVERAGE_NAME_MAX];
};

static void take_line(struct coverage *coverage, const char *fixture,
                      const struct speakers *speakers, const char *line)
{
    static const char console[] = "console text=\"";
    const char *speaker = speakers->guest;
    char key[COVERAGE_KEY_MAX];
    size_t event_length;

    /* "cpu1", "cpu0.vmpl1": which vCPU at which VMPL. */
    if (strncmp(line, "cpu", 3) == 0 && line[3] >= '0' && line[3] <= '9') {
        size_t length = strcspn(line, " \n");

        speaker = memmem(line, length, ".vmpl", 5) ? speakers->firmware : speaker;
        line += length + (line[length] == ' ' ? 1 : 0);
    }
    event_length = strcspn(line, " \n");
    if (strncmp(line, console, sizeof(console) - 1) == 0) {
        take_case(coverage, speaker, line + sizeof(console) - 1);
        return;
    }
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        const char *topic = line + event_length + 1;

        if (strlen(events[i].event) != event_length ||
            memcmp(events[i].event, line, event_length) != 0) {
            continue;
        }
        exercise(coverage, events[i].insn, fixture);
        if (events[i].topic_group && line[event_length] == ' ') {
            snprintf(key, sizeof(key), "%s/%.*s", events[i].topic_group, (int)strcspn(topic, " \n"),
                     topic);
            exercise(coverage, key, fixture);
        }
    }
}

static void take_file(struct coverage *coverage, const char *path, const char *fixture)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t capacity = 0;
    struct speakers speakers = {"", ""};

    if (!file) {
        coverage_mistake(coverage, "%s: cannot be read", path);
        return;
    }
    coverage->fixture_count++;
    for (bool first = true; getline(&line, &capacity, file) >= 0; first = false) {
        if (first) {
            line_field(line, "image=", speakers.guest, sizeof(speakers.guest));
            line_field(line, "firmware=", speakers.firmware, sizeof(speakers.firmware));
        } else {
            take_line(coverage, fixture, &speakers, line);
        }
    }
    free(line);
    fclose(file);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* `prefix` is the path below the directory that was asked for. */
static void take_directory(struct coverage *coverage, const char *directory, const char *prefix,
                           unsigned depth)
{
    struct dirent **entry = NULL;
    int count = depth < DEPTH_MAX ? scandir(directory, &entry, is_visible, by_name) : 0;

    if (count < 0) {
        coverage_mistake(coverage, "%s: cannot be read", directory);
        return;
    }
    for (int i = 0; i < count; i++) {
        const char *dot = strrchr(entry[i]->d_name, '.');
        char path[4096], name[COVERAGE_NAME_MAX];

        snprintf(path, sizeof(path), "%s/%s", directory, entry[i]->d_name);
        snprintf(name, sizeof(name), "%s%.*s", prefix,
                 (int)(dot ? dot - entry[i]->d_name : (long)strlen(entry[i]->d_name)),
                 entry[i]->d_name);
        if (dot && strcmp(dot, ".golden") == 0) {
            take_file(coverage, path, name);
        } else if (entry[i]->d_type == DT_DIR) {
            char below[COVERAGE_NAME_MAX + 1];

            snprintf(below, sizeof(below), "%s/", name);
            take_directory(coverage, path, below, depth + 1);
        }
        free(entry[i]);
    }
    free(entry);
}

void coverage_read_golden(struct coverage *coverage, const char *directory)
{
    take_directory(coverage, directory, "", 0);
}

/* The rows that a case names count for it when a golden trace shows that it ran. */
static void count_case(struct coverage *coverage, const struct coverage_case *this)
{
    char name[COVERAGE_NAME_MAX];

    snprintf(name, sizeof(name), "%s:%s", this->guest, this->name);
    for (const char *key = this->covers + strspn(this->covers, " "); *key;) {
        size_t length = strcspn(key, " ");
        struct coverage_row *row = coverage_find(coverage, key, length);

        if (!row) {
            coverage_mistake(coverage, "case %s covers %.*s: there is no such row", name,
                             (int)length, key);
        } else if (this->proven) {
            name_list_add(&row->fixtures, name);
        }
        key += length;
        key += strspn(key, " ");
    }
}

void coverage_count_cases(struct coverage *coverage)
{
    for (size_t i = 0; i < coverage->case_count; i++) {
        count_case(coverage, &coverage->guest_case[i]);
    }
}
