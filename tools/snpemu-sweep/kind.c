/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "sweep.h"

const struct sweep_kind sweep_kinds[SWEEP_KINDS] = {
    {"dropped", "honest = false, keep_marks = true",
     "the host does nothing and resumes the guest, whose page or MSR is as it left it"},
    {"delayed", "repeat_answer = true",
     "the host does what is asked, but the guest gets the answer to the exit before"},
    {"repeated", "honest = false, repeat_answer = true",
     "the host does nothing, and the guest gets the answer to the exit before once more"},
};

bool sweep_script(char *text, size_t size, size_t kind, uint64_t exit)
{
    int length = snprintf(text, size, "return { on = { any = { nth = %" PRIu64 ", %s } } }\n", exit,
                          sweep_kinds[kind].on);

    return length > 0 && (size_t)length < size;
}

/* A text as Lua reads it: no byte of a path is special. */
static void put_text(FILE *file, const char *text)
{
    putc('"', file);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c < ' ' || c == '"' || c == '\\' || c >= 0x7F) {
            fprintf(file, "\\%03u", c);
        } else {
            putc(c, file);
        }
    }
    putc('"', file);
}

void sweep_print_scenario(FILE *file, const struct sweep *sweep, size_t kind, uint64_t exit,
                          const char *image, const char *firmware)
{
    const struct scenario *scenario = sweep->subject.scenario;

    fprintf(file, "-- Exit %" PRIu64 ", %s: %s.\n", exit, sweep_kinds[kind].name,
            sweep_kinds[kind].words);
    if (scenario->source) {
        fprintf(file, "local base = (function(...)\n%.*s\nend)()\n",
                (int)scenario->source_size_bytes, scenario->source);
    } else {
        fprintf(file, "local base = { image = ");
        put_text(file, image);
        if (firmware) {
            fprintf(file, ", firmware = ");
            put_text(file, firmware);
        }
        fprintf(file, " }\n");
    }
    fprintf(file,
            "base.cpus = %" PRIu32 "\nbase.seed = %" PRIu64 "\nbase.budget = %" PRIu64
            "\nbase.exit_budget = %" PRIu64
            "\nbase.expect = nil\nbase.on = { any = { nth = %" PRIu64 ", %s } }\nreturn base\n",
            scenario->cpus, scenario->seed, scenario->budget, scenario->exit_budget, exit,
            sweep_kinds[kind].on);
}
