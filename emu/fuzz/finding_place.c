/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where in the code a finding is, as comments behind its scenario: who looks into the file need not
 * run it first.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "check/oracle.h"
#include "fuzz/finding_place.h"

/* Names come from the image: none of them ends a comment. */
static void put_place(FILE *file, uint64_t gva, const char *before, const struct image_place *place)
{
    char text[IMAGE_PLACE_TEXT_MAX];

    image_place_print(place, text, sizeof(text));
    fprintf(file, "--   0x%016" PRIx64 "  %s", gva, before);
    for (const char *c = text; *c; c++) {
        fputc(*c < ' ' || *c > '~' ? '?' : *c, file);
    }
    fputc('\n', file);
}

void finding_places(FILE *file, const struct run *run, const struct outcome *outcome)
{
    struct run_frame *frame = calloc(RUN_BACKTRACE_MAX, sizeof(*frame));
    size_t count = frame ? run_backtrace(run, frame, RUN_BACKTRACE_MAX) : 0;
    struct image_place place;
    struct run_hit hit;

    if (outcome_is_abnormal(outcome)) {
        fprintf(file, "\n-- Where it ended, and who called:\n");
        for (size_t i = 0; i < count; i++) {
            put_place(file, frame[i].gva, frame[i].guessed ? "? " : "", &frame[i].place);
        }
    }
    free(frame);
    for (size_t i = 0; run_hit(run, i, &hit); i++) {
        char name[64];

        if (i == 0) {
            fprintf(file, "\n-- Where oracles hit:\n");
        }
        snprintf(name, sizeof(name), "%-18s ", oracle_name(hit.kind));
        run_place_svsm(run, hit.code_gva, &place);
        put_place(file, hit.code_gva, name, &place);
    }
}
