/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `replay`: an answer that was given before, byte for byte, in the place of this one.
 */
#include <inttypes.h>

#include "ghcb/history.h"
#include "host/script.h"
#include "host/value.h"

#define AT(field) offsetof(struct script_op, field)

static void read_event(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct script_op *op = target;
    const char *name = value_text(L, -1, path, 64);

    (void)row;
    op->event_row = exit_row_by_name(name);
    if (!op->event_row) {
        value_unknown_name(L, path, "event", name, script_event_name_at, NULL);
    }
}

static const struct value_row rows[] = {
    {"event", read_event, 0, 0, 0},
    {"nth", value_read_u64, AT(nth), 1, INT64_MAX},
    {"here", value_read_bool, AT(here), 0, 0},
};

#define GIVEN_NTH 2u

static void check_replay(lua_State *L, const char *path, uint64_t given, struct script_op *op)
{
    (void)L;
    (void)path;
    op->nth = given & GIVEN_NTH ? op->nth : 0; /* 0: the latest */
}

/* The answer that is meant, or an error. */
static const struct history_answer *find_answer(lua_State *L, const struct script *script,
                                                const struct script_op *op,
                                                const struct exit_row *row, const char *path)
{
    const struct history *history = script->hypervisor->history;
    const struct history_answer *answer = history ? history_find(history, row, op->nth) : NULL;

    if (answer) {
        return answer;
    }
    if (op->nth) {
        value_error(L, path,
                    "no answer to %s, number %" PRIu64
                    ", is kept; of at most %d and %d KiB those of rarer events stay longest",
                    row->name, op->nth, HISTORY_MAX, HISTORY_DATA_MAX >> 10);
    }
    value_error(L, path, "no answer to %s is kept: it was never answered", row->name);
}

static bool apply_replay(lua_State *L, struct script *script, const struct script_op *op,
                         const char *path, const char *where)
{
    const struct exit *exit = script->exit;
    const struct exit_row *row = op->event_row ? op->event_row : exit->row;
    const struct history_answer *answer = find_answer(L, script, op, row, path);

    (void)where;
    if (answer->protocol == EXIT_PAGE && exit->protocol == EXIT_MSR) {
        value_error(L, path, "%s was answered in a GHCB page, and %s has none", row->name,
                    exit->name);
    }
    if (op->here && row != exit->row) {
        value_error(L, path, "here goes with an answer to %s: %s has other places", exit->name,
                    row->name);
    }
    return history_replay(answer, exit, op->here, script->reply);
}

const struct script_op_row script_op_replay = {
    .name = "replay",
    .row = rows,
    .count = sizeof(rows) / sizeof(rows[0]),
    .check = check_replay,
    .apply = apply_replay,
};
