/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The `expect` table of a scenario.
 */
#include <stdlib.h>
#include <string.h>

#include "check/oracle.h"
#include "host/internal.h"
#include "host/value.h"

#define ROWS(rows) (rows), sizeof(rows) / sizeof((rows)[0])
#define TEXT_MAX 4096

static const char *outcome_name_at(const void *names, size_t i)
{
    (void)names;
    return i + 1 < OUTCOME_KIND_COUNT ? outcome_name((enum outcome_kind)(i + 1)) : NULL;
}

static const char *verdict_name_at(const void *names, size_t i)
{
    (void)names;
    return i < VERDICT_COUNT ? verdict_name((enum verdict)i) : NULL;
}

static void read_outcome(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    const char *text = value_text(L, -1, path, TEXT_MAX);

    (void)row;
    if (expect_set_outcome(target, text)) {
        return;
    }
    if (strncmp(text, "terminated", strlen("terminated")) == 0) {
        value_error(L, path, "must be \"terminated 0xSET:0xCODE\", as \"terminated 0xf:0x6\"");
    }
    value_unknown_name(L, path, "outcome", text, outcome_name_at, NULL);
}

static void read_verdict(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct expect *expect = target;
    const char *text = value_text(L, -1, path, TEXT_MAX);

    (void)row;
    expect->verdict = verdict_named(text);
    if (expect->verdict == VERDICT_COUNT) {
        value_unknown_name(L, path, "verdict", text, verdict_name_at, NULL);
    }
    expect->verdict_given = true;
}

/* Into the `char *` at the row's offset. */
static void read_text(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    char *copy = strdup(value_text(L, -1, path, TEXT_MAX));

    if (!copy) {
        value_error(L, path, "out of memory");
    }
    memcpy((char *)target + row->offset, &copy, sizeof(copy));
}

#define STATE(field) offsetof(struct expect_state, field)

static const struct value_row state_rows[] = {
    {"offset", value_read_u64, STATE(offset), 0, UINT32_MAX},
    {"size", value_read_u32, STATE(size_bytes), 1, 8},
    {"value", value_read_u64, STATE(value), 0, UINT64_MAX},
};

#define GIVEN_VALUE 4u
#define DEFAULT_SIZE 8

/* One check: the value on top of the stack is a number, or { offset =, size =, value = }. */
static void read_check(lua_State *L, const char *path, const char *symbol, struct expect *expect)
{
    struct expect_state *state = &expect->state[expect->state_count];
    uint32_t size;

    if (expect->state_count == EXPECT_STATE_MAX) {
        value_error(L, path, "more than %d checks", EXPECT_STATE_MAX);
    }
    memset(state, 0, sizeof(*state));
    memcpy(state->symbol, symbol, strlen(symbol));
    state->size_bytes = DEFAULT_SIZE;
    if (!lua_istable(L, -1)) {
        state->value = value_u64(L, -1, path);
    } else if (!(value_table(L, -1, path, ROWS(state_rows), state) & GIVEN_VALUE)) {
        value_error(L, path, "must give a value");
    }
    size = state->size_bytes;
    if (size & (size - 1)) {
        value_error(L, path, "size must be 1, 2, 4 or 8, not %u", size);
    }
    if (size < 8 && state->value >> (8 * size)) {
        value_error(L, path, "the value does not fit in %u bytes", size);
    }
    expect->state_count++;
}

/* What a symbol holds: one check, or a list of them. */
static void read_symbol(lua_State *L, const char *path, const char *symbol, struct expect *expect)
{
    size_t count;

    if (!lua_istable(L, -1) || lua_rawlen(L, -1) == 0) {
        read_check(L, path, symbol, expect);
        return;
    }
    count = value_array(L, -1, path, EXPECT_STATE_MAX);
    for (size_t i = 1; i <= count; i++) {
        char element[VALUE_PATH_MAX];

        value_path_index(element, path, i);
        lua_rawgeti(L, -1, (lua_Integer)i);
        read_check(L, element, symbol, expect);
        lua_pop(L, 1);
    }
}

static int compare_symbols(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In the order of the symbols' names, as a Lua table has none of its own. */
static void read_state(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct expect *expect = target;
    const char *symbols[EXPECT_STATE_MAX]; /* alive in the table */
    size_t count = 0;

    (void)row;
    if (!lua_istable(L, -1)) {
        value_error(L, path, "must be a table { SYMBOL = value, ... }");
    }
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        if (count == EXPECT_STATE_MAX) {
            value_error(L, path, "more than %d symbols", EXPECT_STATE_MAX);
        }
        lua_pushvalue(L, -2);
        if (lua_type(L, -1) == LUA_TNUMBER) {
            value_error(L, path, "must have symbols for keys, not numbers");
        }
        symbols[count++] = value_text(L, -1, path, sizeof(expect->state[0].symbol) - 1);
        lua_pop(L, 1);
    }
    if (count == 0) {
        value_error(L, path, "must not be empty");
    }
    qsort(symbols, count, sizeof(symbols[0]), compare_symbols);
    for (size_t i = 0; i < count; i++) {
        char element[VALUE_PATH_MAX];

        value_path(element, path, symbols[i]);
        lua_pushstring(L, symbols[i]);
        lua_rawget(L, -2);
        read_symbol(L, element, symbols[i], expect);
        lua_pop(L, 1);
    }
}

static const char *oracle_name_at(const void *names, size_t i)
{
    (void)names;
    return i < ORACLE_COUNT ? oracle_name((enum oracle_kind)i) : NULL;
}

/* A list of names on top of the stack. */
static uint32_t read_oracle_names(lua_State *L, const char *path)
{
    size_t count = value_array(L, -1, path, ORACLE_COUNT);
    uint32_t mask = 0;

    for (size_t i = 1; i <= count; i++) {
        const char *name;
        enum oracle_kind kind;

        lua_rawgeti(L, -1, (lua_Integer)i);
        name = value_text(L, -1, path, 64);
        kind = oracle_named(name);
        if (kind == ORACLE_COUNT) {
            value_unknown_name(L, path, "oracle", name, oracle_name_at, NULL);
        }
        mask |= ORACLE_BIT(kind);
        lua_pop(L, 1);
    }
    return mask;
}

/* true: the cheap ones; "all"; a list of names. */
uint32_t scenario_read_oracles(lua_State *L, const char *path)
{
    if (lua_isboolean(L, -1)) {
        return lua_toboolean(L, -1) ? ORACLES_CHEAP : ORACLES_NONE;
    }
    if (lua_type(L, -1) == LUA_TSTRING) {
        if (strcmp(value_text(L, -1, path, 64), "all") != 0) {
            value_error(L, path, "must be true, false, \"all\", or a list of names");
        }
        return ORACLES_ALL;
    }
    return read_oracle_names(L, path);
}

static void read_expected_oracles(lua_State *L, const char *path, const struct value_row *row,
                                  void *target)
{
    struct expect *expect = target;

    (void)row;
    expect->oracles = read_oracle_names(L, path);
    expect->oracles_given = true;
}

static const struct value_row expect_rows[] = {
    {"oracles", read_expected_oracles, 0, 0, 0},
    {"outcome", read_outcome, 0, 0, 0},
    {"verdict", read_verdict, 0, 0, 0},
    {"serial", read_text, offsetof(struct expect, serial), 0, 0},
    {"panic", read_text, offsetof(struct expect, panic), 0, 0},
    {"state", read_state, 0, 0, 0},
};

void scenario_read_expect(lua_State *L, const char *path, struct expect *expect)
{
    if (value_table(L, -1, path, ROWS(expect_rows), expect) == 0) {
        value_error(L, path, "says nothing to expect");
    }
    expect->given = true;
}
