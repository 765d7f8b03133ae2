/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The `exit` that a handler sees: a plain table, made anew for each exit.
 */
#include <lauxlib.h>

#include "abi/nae.h"
#include "host/script.h"

struct number_row {
    const char *name;
    size_t offset;
    size_t size_bytes;
};

#define NUMBER(field)                                                                              \
    {                                                                                              \
#field, offsetof(struct exit, field), sizeof(((struct exit *)0)->field)                    \
    }

static const struct number_row common_rows[] = {
    NUMBER(number), NUMBER(nth), NUMBER(vcpu), NUMBER(apic_id), NUMBER(vmpl), NUMBER(msr),
};

static const struct number_row page_rows[] = {
    NUMBER(ghcb_gpa),
    NUMBER(version),
    NUMBER(usage),
};

static uint64_t little_endian(const uint8_t *bytes, size_t size_bytes)
{
    uint64_t value = 0;

    for (size_t i = size_bytes; i > 0; i--) {
        value = value << 8 | bytes[i - 1];
    }
    return value;
}

/* The fields of struct exit are in the order of the machine, x86-64: little endian. */
static void set_numbers(lua_State *L, const struct exit *exit, const struct number_row *row,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *bytes = (const uint8_t *)exit + row[i].offset;

        lua_pushinteger(L, (lua_Integer)little_endian(bytes, row[i].size_bytes));
        lua_setfield(L, -2, row[i].name);
    }
}

/* Upvalue 1 says of what. */
static int no_such_field(lua_State *L)
{
    const char *what = lua_tostring(L, lua_upvalueindex(1));

    if (lua_type(L, 2) == LUA_TSTRING) {
        return luaL_error(L, "%s has no field '%s'", what, lua_tostring(L, 2));
    }
    return luaL_error(L, "%s has names for keys, not a %s", what, luaL_typename(L, 2));
}

/* Make a misspelt field an error, not nil. The table is on top of the stack. */
static void make_strict(lua_State *L, const char *what)
{
    lua_createtable(L, 0, 2);
    lua_pushstring(L, what);
    lua_pushcclosure(L, no_such_field, 1);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}

static void set_ghcb_fields(lua_State *L, const struct exit *exit)
{
    lua_createtable(L, 0, FIELD_COUNT);
    for (int field = 0; field < FIELD_COUNT; field++) {
        lua_pushinteger(L, (lua_Integer)exit->field[field]);
        lua_setfield(L, -3, ghcb_field_rows[field].name);
        lua_pushboolean(L, (exit->marked & FIELD_BIT(field)) != 0);
        lua_setfield(L, -2, ghcb_field_rows[field].name);
    }
    make_strict(L, "exit.marked");
    lua_setfield(L, -2, "marked");
    lua_pushlstring(L, (const char *)exit->scratch, exit->scratch_size_bytes);
    lua_setfield(L, -2, "buffer");
}

static bool is_page_state_change(const struct exit *exit)
{
    return exit->protocol == EXIT_PAGE && exit->row->code == NAE_PAGE_STATE_CHANGE &&
           exit->scratch_size_bytes >= PSC_HEADER_SIZE;
}

bool script_psc_entry(const struct exit *exit, size_t i, uint64_t *entry)
{
    size_t at = PSC_HEADER_SIZE + i * PSC_ENTRY_SIZE;

    if (!is_page_state_change(exit) || i >= PSC_ENTRY_MAX ||
        i > little_endian(exit->scratch + 2, 2) || at + PSC_ENTRY_SIZE > exit->scratch_size_bytes) {
        return false;
    }
    *entry = little_endian(exit->scratch + at, PSC_ENTRY_SIZE);
    return true;
}

static const char *const psc_op_names[] = {
    [PSC_OP_PRIVATE] = "private",
    [PSC_OP_SHARED] = "shared",
    [PSC_OP_PSMASH] = "psmash",
    [PSC_OP_UNSMASH] = "unsmash",
};

static void push_entry(lua_State *L, uint64_t entry)
{
    uint64_t op = entry >> PSC_OP_SHIFT & PSC_OP_MASK;
    bool is_named = op >= PSC_OP_PRIVATE && op <= PSC_OP_UNSMASH;

    lua_createtable(L, 0, 5);
    lua_pushinteger(L, (lua_Integer)(entry & PSC_GPA_MASK));
    lua_setfield(L, -2, "gpa");
    lua_pushstring(L, is_named ? psc_op_names[op] : "unknown");
    lua_setfield(L, -2, "op");
    lua_pushstring(L, entry & PSC_PAGE_SIZE_2M ? "2m" : "4k");
    lua_setfield(L, -2, "size");
    lua_pushinteger(L, (lua_Integer)(entry & PSC_CUR_PAGE_MASK));
    lua_setfield(L, -2, "cur_page");
    lua_pushinteger(L, (lua_Integer)entry);
    lua_setfield(L, -2, "value");
    make_strict(L, "an entry");
}

static void set_page_state_change(lua_State *L, const struct exit *exit)
{
    uint64_t entry;

    lua_pushinteger(L, (lua_Integer)little_endian(exit->scratch, 2));
    lua_setfield(L, -2, "cur_entry");
    lua_pushinteger(L, (lua_Integer)little_endian(exit->scratch + 2, 2));
    lua_setfield(L, -2, "end_entry");
    lua_newtable(L);
    for (size_t i = 0; script_psc_entry(exit, i, &entry); i++) {
        push_entry(L, entry);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "entries");
}

void script_push_exit(lua_State *L, const struct exit *exit)
{
    lua_createtable(L, 0, 32);
    lua_pushstring(L, exit->name);
    lua_setfield(L, -2, "name");
    set_numbers(L, exit, common_rows, sizeof(common_rows) / sizeof(common_rows[0]));
    if (exit->protocol == EXIT_PAGE) {
        set_numbers(L, exit, page_rows, sizeof(page_rows) / sizeof(page_rows[0]));
        set_ghcb_fields(L, exit);
    }
    if (exit->row->flags & EXIT_MESSAGE) {
        lua_pushlstring(L, (const char *)exit->request, exit->request_size_bytes);
        lua_setfield(L, -2, "request");
    }
    if (is_page_state_change(exit)) {
        set_page_state_change(L, exit);
    }
    make_strict(L, "exit");
}
