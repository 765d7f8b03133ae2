/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host that reads bytes did in a run, as the `on` table of a scenario: a function for each
 * event, in which each deviation has its exits.
 */
#include <inttypes.h>
#include <string.h>

#include "ghcb/table.h"
#include "host/bytes_internal.h"

/* Exits for which `on` has no name of their own, or no honest answer, go to on.any. */
static const char *event_name(const struct exit_row *row)
{
    return row->answer && exit_row_by_name(row->name) == row ? row->name : "any";
}

static bool is_in(const struct bytes_host *host, size_t i, const char *event)
{
    return (host->done >> i & 1) && strcmp(event_name(host->slot[i].row), event) == 0;
}

/* Which exits of the event: an expression in Lua. */
static void print_exits(const struct exit_row *row, uint64_t first, uint64_t last, FILE *file)
{
    if (strcmp(event_name(row), "any") == 0) {
        fprintf(file, "exit.name == \"%s\" and ", row->name);
    }
    if (first == last) {
        fprintf(file, "exit.nth == %" PRIu64, first);
        return;
    }
    fprintf(file, "exit.nth >= %" PRIu64, first);
    if (last != UINT64_MAX) {
        fprintf(file, " and exit.nth <= %" PRIu64, last);
    }
}

static void print_slot_exits(const struct bytes_slot *slot, FILE *file)
{
    print_exits(slot->row, slot->first_nth, slot->last_nth, file);
}

/* All other exits of the event: an expression in Lua. */
static void print_other_exits(const struct bytes_slot *slot, FILE *file)
{
    bool named = strcmp(event_name(slot->row), "any") != 0;

    if (named && slot->first_nth == slot->last_nth) {
        fprintf(file, "exit.nth ~= %" PRIu64, slot->first_nth);
    } else if (named && slot->last_nth == UINT64_MAX) {
        fprintf(file, "exit.nth < %" PRIu64, slot->first_nth);
    } else {
        fprintf(file, "not (");
        print_slot_exits(slot, file);
        fprintf(file, ")");
    }
}

/* The honest answer comes first, but where a deviation stands alone. */
static void print_honest(const struct bytes_host *host, const char *event, FILE *file)
{
    bool always = true;

    for (size_t i = 0; i < host->count; i++) {
        if (is_in(host, i, event) && host->slot[i].deviation.row->alone) {
            fprintf(file, always ? "      if " : " and ");
            print_other_exits(&host->slot[i], file);
            always = false;
        }
    }
    fprintf(file, always ? "      reply:honest()\n" : " then\n        reply:honest()\n      end\n");
}

static bool same_exits(const struct bytes_slot *a, const struct bytes_slot *b)
{
    return a && a->row == b->row && a->first_nth == b->first_nth && a->last_nth == b->last_nth;
}

static void print_event(const struct bytes_host *host, const char *event, FILE *file)
{
    const struct bytes_slot *open = NULL; /* whose exits the statements now are about */

    fprintf(file, "    %s = function(exit, reply)\n", event);
    print_honest(host, event, file);
    for (size_t i = 0; i < host->count; i++) {
        const struct bytes_slot *slot = &host->slot[i];

        if (!is_in(host, i, event)) {
            continue;
        }
        if (!same_exits(open, slot)) {
            fprintf(file, "%s      if ", open ? "      end\n" : "");
            print_slot_exits(slot, file);
            fprintf(file, " then\n");
            open = slot;
        }
        deviation_print(&slot->deviation, file);
    }
    if (open) {
        fprintf(file, "      end\n");
    }
    if (host->refused && strcmp(event_name(host->refused), event) == 0) {
        fprintf(file, "      if ");
        print_exits(host->refused, host->refused_nth, host->refused_nth, file);
        fprintf(file, " then\n        reply:refuse(\"%s\")\n      end\n", BYTES_TOO_LARGE);
    }
    fprintf(file, "    end,\n");
}

/* Whether a record before this one, which was done, is in the same event. */
static bool is_printed(const struct bytes_host *host, size_t i, const char *event)
{
    while (i-- > 0) {
        if (is_in(host, i, event)) {
            return true;
        }
    }
    return false;
}

void host_bytes_print(const struct host *base, FILE *file)
{
    const struct bytes_host *host = (const struct bytes_host *)base;

    if (!host->done && !host->refused) {
        return;
    }
    fprintf(file, "  on = {\n");
    for (size_t i = 0; i < host->count; i++) {
        if (host->done >> i & 1) {
            const char *event = event_name(host->slot[i].row);

            if (!is_printed(host, i, event)) {
                print_event(host, event, file);
            }
        }
    }
    if (host->refused && !is_printed(host, host->count, event_name(host->refused))) {
        print_event(host, event_name(host->refused), file);
    }
    fprintf(file, "  },\n");
}
