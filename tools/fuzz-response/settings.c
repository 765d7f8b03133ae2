/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "settings.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "check/oracle.h"
#include "fuzz/stage.h"

#define SCENARIO_DEFAULT "svsm-percpu"
#define CPUS_DEFAULT 4 /* of an image; a scenario says it itself */
#define MARGIN_LEAST 1000

static bool is_script(const char *path)
{
    size_t length = strlen(path);

    return length > 4 && strcmp(path + length - 4, ".lua") == 0;
}

static int read_number(const char *name, uint64_t min, uint64_t max, uint64_t *number,
                       struct error *error)
{
    const char *text = getenv(name);
    char *end;

    if (!text) {
        return SNPEMU_OK;
    }
    errno = 0;
    *number = strtoull(text, &end, 0);
    if (*text < '0' || *text > '9' || *end || errno || *number < min || *number > max) {
        return error_set(error, SNPEMU_ERR_INPUT, "%s: '%.100s' is no number from %llu to %llu",
                         name, text, (unsigned long long)min, (unsigned long long)max);
    }
    return SNPEMU_OK;
}

/* "guest-crash,hang": names of verdicts, or "none". */
static int read_stop(const char *text, unsigned *stop, struct error *error)
{
    static const enum verdict known[] = {VERDICT_GUEST_CRASH, VERDICT_HANG, VERDICT_VIOLATION};
    const char *rest = strcmp(text, "none") == 0 ? "" : text;

    *stop = 0;
    while (*rest) {
        size_t length = strcspn(rest, ","), i = 0;
        size_t count = sizeof(known) / sizeof(known[0]);

        while (i < count && (strlen(verdict_name(known[i])) != length ||
                             strncmp(verdict_name(known[i]), rest, length) != 0)) {
            i++;
        }
        if (i == count) {
            return error_set(error, SNPEMU_ERR_INPUT,
                             "SNPEMU_FUZZ_STOP: '%.100s' is none of guest-crash, hang, violation "
                             "with commas between; none: 'none'",
                             rest);
        }
        *stop |= SETTINGS_STOP_BIT(known[i]);
        rest += length + (rest[length] == ',');
    }
    return SNPEMU_OK;
}

int settings_read(struct settings *settings, struct error *error)
{
    struct overrides *overrides = &settings->overrides;
    const char *scenario = getenv("SNPEMU_FUZZ_SCENARIO");
    const char *oracles = getenv("SNPEMU_FUZZ_ORACLES");
    const char *stop = getenv("SNPEMU_FUZZ_STOP");
    char why[320];
    int status;

    memset(settings, 0, sizeof(*settings));
    settings->scenario = scenario && *scenario ? scenario : SCENARIO_DEFAULT;
    settings->margin = STAGE_MARGIN_DEFAULT;
    overrides->cpus_given = !is_script(settings->scenario);
    overrides->cpus = CPUS_DEFAULT;
    overrides->oracles_given = oracles != NULL;
    if (oracles && !oracles_parse(oracles, &overrides->oracles, why, sizeof(why))) {
        return error_set(error, SNPEMU_ERR_INPUT, "SNPEMU_FUZZ_ORACLES: %s", why);
    }
    status =
        read_number("SNPEMU_FUZZ_MARGIN", MARGIN_LEAST, UINT64_MAX / 2, &settings->margin, error);
    return status == SNPEMU_OK
               ? read_stop(stop ? stop : "guest-crash,hang,violation", &settings->stop, error)
               : status;
}
