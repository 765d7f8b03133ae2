/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The `on` table of a scenario: for each event a function, or overrides as plain tables.
 */
#include <lauxlib.h>
#include <string.h>

#include "host/internal.h"
#include "host/script.h"
#include "host/value.h"

#define OVERRIDE_MAX 1024

/* The events' rows, then none: `any`. */
static const struct exit_row *row_at(size_t i)
{
    if (i < exit_msr_row_count) {
        return &exit_msr_rows[i];
    }
    i -= exit_msr_row_count;
    return i < exit_nae_row_count ? &exit_nae_rows[i] : NULL;
}

#define EVENT_COUNT (exit_msr_row_count + exit_nae_row_count + 1)

const char *script_event_name_at(const void *names, size_t i)
{
    const struct exit_row *row = row_at(i);

    (void)names;
    return row ? row->name : i < EVENT_COUNT ? SCRIPT_EVENT_ANY : NULL;
}

const char *script_event_name(const struct script_event *event)
{
    return event->row ? event->row->name : SCRIPT_EVENT_ANY;
}

static const char *field_name_at(const void *names, size_t i)
{
    (void)names;
    return i < FIELD_COUNT ? ghcb_field_rows[i].name : NULL;
}

static uint32_t read_field_name(lua_State *L, const char *path)
{
    const char *name = value_text(L, -1, path, 64);
    enum ghcb_field field = ghcb_field_named(name);

    if (field == FIELD_COUNT) {
        value_unknown_name(L, path, "field", name, field_name_at, NULL);
    }
    return FIELD_BIT(field);
}

/* One name or a list of them, into the mask at the row's offset. */
static void read_names(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    uint32_t mask = 0;

    if (lua_istable(L, -1)) {
        size_t count = value_array(L, -1, path, FIELD_COUNT);

        for (size_t i = 1; i <= count; i++) {
            lua_rawgeti(L, -1, (lua_Integer)i);
            mask |= read_field_name(L, path);
            lua_pop(L, 1);
        }
    } else {
        mask = read_field_name(L, path);
    }
    memcpy((char *)target + row->offset, &mask, sizeof(mask));
}

/* The row's offset is the number of the field. */
static void read_field(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct script_override *override = target;

    override->field[row->offset] = value_range(L, -1, path, row->min, row->max);
    override->written |= FIELD_BIT(row->offset);
}

static void read_msr(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct script_override *override = target;

    value_read_u64(L, path, row, target);
    override->msr_written = true;
}

static void read_refuse(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct script_override *override = target;
    const char *reason = value_text(L, -1, path, sizeof(override->refuse) - 1);

    (void)row;
    memcpy(override->refuse, reason, strlen(reason) + 1);
}

/* Add the action on top of the stack; the objects it points to stay in Lua's registry. */
static void add_op(lua_State *L, const char *path, enum script_op_kind kind,
                   struct script_override *override)
{
    struct script_op *op = lua_newuserdatauv(L, sizeof(*op), 0);
    struct script_op **last = &override->op;

    luaL_ref(L, LUA_REGISTRYINDEX);
    script_op_read(L, path, kind, op);
    if (op->bytes) { /* in the table on top of the stack, or in one of that */
        op->bytes = lua_pushlstring(L, op->bytes, op->byte_count);
        luaL_ref(L, LUA_REGISTRYINDEX);
    }
    while (*last) {
        last = &(*last)->next;
    }
    *last = op;
}

/* One action or a list of them; the row's offset is their kind. */
static void read_ops(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    enum script_op_kind kind = (enum script_op_kind)row->offset;
    size_t count;

    if (!lua_istable(L, -1) || lua_rawlen(L, -1) == 0) {
        add_op(L, path, kind, target);
        return;
    }
    count = value_array(L, -1, path, OVERRIDE_MAX);
    for (size_t i = 1; i <= count; i++) {
        char element[VALUE_PATH_MAX];

        value_path_index(element, path, i);
        lua_rawgeti(L, -1, (lua_Integer)i);
        add_op(L, element, kind, target);
        lua_pop(L, 1);
    }
}

#define AT(field) offsetof(struct script_override, field)

/* The first two rows change nothing by themselves. Actions are carried out in this order. */
static const struct value_row override_rows[] = {
    {"nth", value_read_u64, AT(nth), 1, INT64_MAX},
    {"unused_ok", value_read_bool, AT(unused_ok), 0, 0},
    {"honest", value_read_bool, AT(honest), 0, 0},
    {"keep_marks", value_read_bool, AT(keep_marks), 0, 0},
    {"msr", read_msr, AT(msr), 0, UINT64_MAX},
    {"mark", read_names, AT(mark), 0, 0},
    {"unmark", read_names, AT(unmark), 0, 0},
    {"leave", read_names, AT(leave), 0, 0},
    {"refuse", read_refuse, 0, 0, 0},
    {"repeat_answer", value_read_bool, AT(repeat_answer), 0, 0},
    {"replay", read_ops, SCRIPT_REPLAY, 0, 0},
    {"skip_page", read_ops, SCRIPT_SKIP_PAGE, 0, 0},
    {"write", read_ops, SCRIPT_WRITE, 0, 0},
    {"assign", read_ops, SCRIPT_ASSIGN, 0, 0},
    {"unassign", read_ops, SCRIPT_UNASSIGN, 0, 0},
    {"on_read", read_ops, SCRIPT_ON_READ, 0, 0},
    {"on_write", read_ops, SCRIPT_ON_WRITE, 0, 0},
    {"rmpupdate", read_ops, SCRIPT_RMPUPDATE, 0, 0},
    {"psmash", read_ops, SCRIPT_PSMASH, 0, 0},
    {"remap", read_ops, SCRIPT_REMAP, 0, 0},
    {"swap", read_ops, SCRIPT_SWAP, 0, 0},
    {"inject", read_ops, SCRIPT_INJECT, 0, 0},
    {"doorbell", read_ops, SCRIPT_DOORBELL, 0, 0},
    {"run_vcpu", read_ops, SCRIPT_RUN_VCPU, 0, 0},
    {"stop_vcpu", read_ops, SCRIPT_STOP_VCPU, 0, 0},
    {"run_vmpl", read_ops, SCRIPT_RUN_VMPL, 0, 0},
    {"after", read_ops, SCRIPT_AFTER, 0, 0},
};

#define OVERRIDE_ROWS (sizeof(override_rows) / sizeof(override_rows[0]))
#define GIVEN_NOTHING 3u

static void read_override(lua_State *L, const char *path, const struct exit_row *event,
                          struct script_override *override)
{
    struct value_row rows[OVERRIDE_ROWS + FIELD_COUNT];
    uint64_t given;

    memcpy(rows, override_rows, sizeof(override_rows));
    for (size_t field = 0; field < FIELD_COUNT; field++) {
        rows[OVERRIDE_ROWS + field] = (struct value_row){
            .name = ghcb_field_rows[field].name,
            .read = read_field,
            .offset = field,
            .max = ghcb_field_rows[field].size_bytes == 1 ? UINT8_MAX : UINT64_MAX,
        };
    }
    memset(override, 0, sizeof(*override));
    override->honest = true;
    given = value_table(L, -1, path, rows, OVERRIDE_ROWS + FIELD_COUNT, override);
    if (!(given & ~(uint64_t)GIVEN_NOTHING)) {
        value_error(L, path, "changes nothing");
    }
    if (!event) {
        return; /* `any`: which exit it is shows when it comes */
    }
    if (event->protocol == EXIT_MSR && (override->keep_marks || override->written ||
                                        override->mark || override->unmark || override->leave)) {
        value_error(L, path, "%s has no GHCB page; its answer is msr = ...", event->name);
    }
    if (override->honest && !event->answer) {
        value_error(L, path, "no honest answer is modelled; say honest = false");
    }
}

static void read_overrides(lua_State *L, const char *path, struct script_event *event)
{
    event->is_list = lua_rawlen(L, -1) > 0;
    event->override_count = event->is_list ? value_array(L, -1, path, OVERRIDE_MAX) : 1;
    event->override = lua_newuserdatauv(L, event->override_count * sizeof(*event->override), 0);
    luaL_ref(L, LUA_REGISTRYINDEX);
    if (!event->is_list) {
        read_override(L, path, event->row, event->override);
        return;
    }
    for (size_t i = 0; i < event->override_count; i++) {
        char element[VALUE_PATH_MAX];

        value_path_index(element, path, i + 1);
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        read_override(L, element, event->row, &event->override[i]);
        lua_pop(L, 1);
    }
}

static void read_event(lua_State *L, const char *path, struct script_event *event)
{
    if (event->row && (event->row->flags & EXIT_TERMINATES)) {
        value_error(L, path, "the run ends with it; there is nothing to answer");
    }
    if (lua_istable(L, -1)) {
        read_overrides(L, path, event);
        return;
    }
    if (!lua_isfunction(L, -1) || lua_iscfunction(L, -1)) {
        value_error(L, path, "must be a function(exit, reply) or a table, not a %s",
                    luaL_typename(L, -1));
    }
    lua_pushvalue(L, -1);
    event->function = luaL_ref(L, LUA_REGISTRYINDEX);
}

size_t script_read_events(lua_State *L, const char *path, struct script_event **result)
{
    struct script_event *event;
    size_t count = 0;

    luaL_checkstack(L, 16, path);
    value_check_names(L, -1, path, "event", script_event_name_at, NULL);
    event = lua_newuserdatauv(L, EVENT_COUNT * sizeof(*event), 0);
    luaL_ref(L, LUA_REGISTRYINDEX);
    memset(event, 0, EVENT_COUNT * sizeof(*event));
    for (size_t i = 0; i < EVENT_COUNT; i++) {
        const char *name = script_event_name_at(NULL, i);
        char event_path[VALUE_PATH_MAX];

        lua_pushstring(L, name);
        if (lua_rawget(L, -2) != LUA_TNIL) {
            event[count].row = row_at(i);
            event[count].function = LUA_NOREF;
            value_path(event_path, path, name);
            read_event(L, event_path, &event[count++]);
        }
        lua_pop(L, 1);
    }
    *result = event;
    return count;
}

bool script_check_on(lua_State *L, const char *path)
{
    struct script_event *event;

    return script_read_events(L, path, &event) > 0;
}

void script_override_path(char path[VALUE_PATH_MAX], const struct script_event *event, size_t i)
{
    char name[VALUE_PATH_MAX];

    value_path(name, "on", script_event_name(event));
    if (event->is_list) {
        value_path_index(path, name, i + 1);
    } else {
        memcpy(path, name, sizeof(name));
    }
}

/* `nth` counts what the event is about: exits of its name, or all. */
bool script_override_matches(const struct script_event *event,
                             const struct script_override *override, const struct exit *exit)
{
    return override->nth == 0 || override->nth == (event->row ? exit->nth : exit->number);
}

static void apply_fields(const struct script_override *override, struct script *script)
{
    struct reply *reply = script->reply;

    if (override->repeat_answer) {
        script_repeat_answer(script);
    }
    for (int field = 0; field < FIELD_COUNT; field++) {
        if (override->leave & FIELD_BIT(field)) {
            reply_leave(reply, (enum ghcb_field)field);
        }
        if (override->written & FIELD_BIT(field)) {
            reply_set(reply, (enum ghcb_field)field, override->field[field]);
        }
    }
    reply->marked |= override->mark;
    reply->marked &= ~override->unmark;
    reply->keep_marks |= override->keep_marks && script->exit->protocol == EXIT_PAGE;
    if (override->msr_written) {
        reply_set_msr(reply, override->msr);
    }
    if (override->refuse[0]) {
        reply_refuse(reply, override->refuse);
    }
}

/* Those that come before the fields, or the others. A skip_page that found no page to skip was no
 * use of its override. */
static bool apply_ops(lua_State *L, struct script *script, const char *path,
                      const struct script_override *override, bool replay)
{
    bool used = true;

    for (const struct script_op *op = override->op; op; op = op->next) {
        char op_path[VALUE_PATH_MAX];

        if ((op->kind == SCRIPT_REPLAY) == replay) {
            value_path(op_path, path, op->delay.instructions ? "after" : script_op_name(op->kind));
            used = script_op_apply(L, script, op, op_path, op_path) != 0 && used;
        }
    }
    return used;
}

static void apply_override(lua_State *L, struct script *script, const char *path,
                           struct script_override *override)
{
    /* `any` does not know beforehand whether there is a page to write to. */
    if (override->written | override->mark | override->unmark | override->leave) {
        script_need_page(L, script, path);
    }
    apply_ops(L, script, path, override, true);
    apply_fields(override, script);
    override->used |= apply_ops(L, script, path, override, false);
}

void script_apply_overrides(lua_State *L, struct script *script)
{
    struct script_event *event = script->current;
    bool honest = true;

    for (size_t i = 0; i < event->override_count; i++) {
        if (script_override_matches(event, &event->override[i], script->exit)) {
            honest = honest && event->override[i].honest;
        }
    }
    if (honest) {
        script_answer_honestly(L, script);
    }
    for (size_t i = 0; i < event->override_count; i++) {
        char path[VALUE_PATH_MAX];

        if (script_override_matches(event, &event->override[i], script->exit)) {
            script_override_path(path, event, i);
            apply_override(L, script, path, &event->override[i]);
        }
    }
}
