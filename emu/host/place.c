/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ghcb/table.h"
#include "host/nearest.h"

static int unknown_exit(const char *name, struct error *error)
{
    struct nearest nearest;

    nearest_start(&nearest, name);
    for (size_t i = 0; i < exit_msr_row_count; i++) {
        nearest_try(&nearest, exit_msr_rows[i].name);
    }
    for (size_t i = 0; i < exit_nae_row_count; i++) {
        nearest_try(&nearest, exit_nae_rows[i].name);
    }
    return error_set(error, SNPEMU_ERR_INPUT, "there is no exit named '%.60s'; nearest: %s", name,
                     nearest.best);
}

int place_parse_exit(struct place *place, const char *text, struct error *error)
{
    const char *colon = strchr(text, ':');
    char name[64];
    char *end = NULL;

    snprintf(name, sizeof(name), "%.*s", (int)(colon ? (size_t)(colon - text) : strnlen(text, 64)),
             text);
    *place = (struct place){.kind = PLACE_EXIT, .row = exit_row_by_name(name), .nth = 1};
    if (!place->row) {
        return unknown_exit(name, error);
    }
    errno = 0;
    place->nth = colon ? strtoull(colon + 1, &end, 0) : 1;
    if (place->nth == 0 || errno != 0 || (end && (*end || colon[1] < '0' || colon[1] > '9'))) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "exit '%.100s': after the colon stands a number from 1 on", text);
    }
    return 0;
}

int place_parse(struct place *place, const char *text, struct error *error)
{
    static const char before[] = "before ", at[] = "at ";

    if (strncmp(text, before, strlen(before)) == 0) {
        return place_parse_exit(place, text + strlen(before), error);
    }
    *place = (struct place){.kind = PLACE_SYMBOL, .nth = 1};
    if (strncmp(text, at, strlen(at)) != 0 || !text[strlen(at)] ||
        strlen(text + strlen(at)) >= sizeof(place->symbol)) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "'%.60s' is no place: say \"before EXIT\", \"before EXIT:N\" or "
                         "\"at SYMBOL\"",
                         text);
    }
    snprintf(place->symbol, sizeof(place->symbol), "%s", text + strlen(at));
    return 0;
}
