/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check/oracle.h"
#include "fuzz/finding.h"
#include "fuzz/known.h"
#include "settings.h"

static struct target {
    struct settings settings;
    struct subject subject;
    struct stage *stage;
    struct known *known; /* class: 1 of those that do not count */
} target;

static _Noreturn void fail(const char *why)
{
    fprintf(stderr, TARGET_NAME ": %s\n", why);
    exit(2);
}

/* Images lie beside the program, in the first place, where it was put together to be moved. */
static void look_beside(void)
{
    char images[PATH_MAX + sizeof("/images")];
    ssize_t length = readlink("/proc/self/exe", images, PATH_MAX);
    char *slash;

    images[length > 0 ? length : 0] = '\0';
    slash = strrchr(images, '/');
    if (slash) {
        strcpy(slash, "/images");
        if (access(images, F_OK) == 0 && setenv("SNPEMU_IMAGES", images, 0) != 0) {
            fail("out of memory");
        }
    }
}

void target_open(void)
{
    const struct settings *settings = &target.settings;
    struct stage_options options;
    struct error error;
    int status;

    look_beside();
    status = settings_read(&target.settings, &error);
    if (status == SNPEMU_OK) {
        status =
            stage_subject_open(&target.subject, settings->scenario, &settings->overrides, &error);
    }
    if (status == SNPEMU_OK) {
        options = (struct stage_options){
            .margin_instructions = settings->margin,
            .margin_exits = STAGE_MARGIN_EXITS,
        };
        status = stage_open(&target.stage, &target.subject, &options, &error);
    }
    if (status == SNPEMU_OK) {
        status = known_new(&target.known, &error);
    }
    if (status == SNPEMU_OK && target.subject.scenario->oracles & ORACLES_EXACT_ONLY) {
        status = error_set(&error, SNPEMU_ERR_INPUT,
                           "trusted-unchecked sees nothing in fast runs, and no other are made "
                           "here; leave it out, or use snpemu fuzz");
    }
    if (status != SNPEMU_OK) {
        fail(error.text);
    }
}

struct stage *target_stage(void)
{
    return target.stage;
}

/*
 * What it counts as: a hit that an honest host does not bring about, else the end itself. Neither:
 * a violation that honest runs show, too.
 */
static enum verdict class_of(const struct stage_result *result)
{
    struct outcome end = result->outcome;

    if (result->fresh) {
        return VERDICT_VIOLATION;
    }
    end.oracles = 0;
    return outcome_verdict(&end);
}

static _Noreturn void tell(const struct stage_result *result)
{
    char name[FINDING_NAME_MAX], words[640];
    struct finding_key key;

    finding_key(result, &key);
    finding_name(&key, name);
    finding_words(&key, words, sizeof(words));
    fprintf(stderr, TARGET_NAME ": finding %s: %s\n", name, words);
    abort();
}

static _Noreturn void tell_emulator(const char *why)
{
    fprintf(stderr, TARGET_NAME ": the emulator itself failed: %s\n", why);
    abort();
}

/*
 * A suspicion that is known already is most likely the same mistake again: it is looked at for its
 * first, second, fourth, eighth... run.
 */
void target_play(const uint8_t *input, size_t size_bytes)
{
    struct stage_result result;
    struct known_row *row;
    struct error error;
    int status = stage_play(target.stage, input, size_bytes, &result, &error);

    if (status != SNPEMU_OK) {
        tell_emulator(error.text);
    }
    if (result.verdict == VERDICT_EMULATOR_BUG) {
        tell_emulator(result.outcome.detail);
    }
    row = finding_is(&result) ? known_see(target.known, &result) : NULL;
    if (!row || (row->seen & (row->seen - 1)) != 0) {
        return;
    }
    if (result.suspicion) {
        status = stage_confirm(target.stage, input, size_bytes, &result, &error);
        if (status != SNPEMU_OK) {
            tell_emulator(error.text);
        }
    }
    if (finding_is(&result) && target.settings.stop & SETTINGS_STOP_BIT(class_of(&result))) {
        tell(&result);
    }
}
