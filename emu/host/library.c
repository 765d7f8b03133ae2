/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a script may call: Lua's own functions where they are bounded and the same everywhere, our
 * own where they are not.
 *
 * Lua 5.4 reference manual, section 6. Its sources (ltablib.c) show why table.sort is ours: above
 * 100 elements it takes its pivots from the clock. Traversal order and tostring depend on
 * addresses, and a C function is not interrupted by the count hook.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "host/sandbox.h"

#define PAIRS_MAX 65536
#define PCALL_COST 20
#define CAUGHT_COST 1000 /* an error is made, thrown, and the stack cut back */

const char *sandbox_tostring(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    if (luaL_callmeta(L, index, "__tostring")) {
        if (lua_type(L, -1) != LUA_TSTRING) {
            luaL_error(L, "'__tostring' must return a string");
        }
    } else if (lua_type(L, index) <= LUA_TBOOLEAN || lua_type(L, index) == LUA_TNUMBER ||
               lua_type(L, index) == LUA_TSTRING) {
        luaL_tolstring(L, index, NULL);
    } else {
        lua_pushstring(L, luaL_typename(L, index));
    }
    return lua_tostring(L, -1);
}

static int base_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    sandbox_tostring(L, 1);
    return 1;
}

static int base_pcall(lua_State *L)
{
    int status;

    luaL_checkany(L, 1);
    sandbox_charge(L, PCALL_COST);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
    if (status == LUA_OK) {
        return lua_gettop(L);
    }
    if (sandbox_is_spent(L)) {
        return lua_error(L);
    }
    sandbox_charge(L, CAUGHT_COST);
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
}

struct key {
    int rank; /* numbers, then strings, then booleans */
    bool is_integer;
    lua_Integer integer;
    lua_Number number;
    const char *text;
    size_t length;
};

static int compare_keys(const void *left, const void *right)
{
    const struct key *a = left;
    const struct key *b = right;
    long double x, y; /* 64 bits of mantissa: holds each integer and each double exactly */
    int order;

    if (a->rank != b->rank) {
        return a->rank - b->rank;
    }
    if (a->rank == 1) {
        size_t length = a->length < b->length ? a->length : b->length;

        order = memcmp(a->text, b->text, length);
        return order ? order : (a->length > b->length) - (a->length < b->length);
    }
    x = a->is_integer ? (long double)a->integer : (long double)a->number;
    y = b->is_integer ? (long double)b->integer : (long double)b->number;
    return (x > y) - (x < y);
}

/* Read the key on top of the stack; the strings stay alive in the table they come from. */
static void read_key(lua_State *L, struct key *key)
{
    memset(key, 0, sizeof(*key));
    switch (lua_type(L, -1)) {
    case LUA_TNUMBER:
        key->is_integer = lua_isinteger(L, -1);
        key->integer = key->is_integer ? lua_tointeger(L, -1) : 0;
        key->number = key->is_integer ? 0 : lua_tonumber(L, -1);
        return;
    case LUA_TSTRING:
        key->rank = 1;
        key->text = lua_tolstring(L, -1, &key->length);
        return;
    case LUA_TBOOLEAN:
        key->rank = 2;
        key->is_integer = true;
        key->integer = lua_toboolean(L, -1);
        return;
    default:
        luaL_error(L, "pairs: a key is a %s; keys must be numbers, strings or booleans",
                   luaL_typename(L, -1));
    }
}

static void push_key(lua_State *L, const struct key *key)
{
    if (key->rank == 1) {
        lua_pushlstring(L, key->text, key->length);
    } else if (key->rank == 2) {
        lua_pushboolean(L, key->integer != 0);
    } else if (key->is_integer) {
        lua_pushinteger(L, key->integer);
    } else {
        lua_pushnumber(L, key->number);
    }
}

/* Upvalues: the table, its keys in order, how many have been given. */
static int pairs_next(lua_State *L)
{
    lua_Integer i = lua_tointeger(L, lua_upvalueindex(3));
    lua_Integer count = (lua_Integer)lua_rawlen(L, lua_upvalueindex(2));

    while (i < count) {
        i++;
        lua_pushinteger(L, i);
        lua_replace(L, lua_upvalueindex(3));
        lua_rawgeti(L, lua_upvalueindex(2), i);
        lua_pushvalue(L, -1);
        lua_rawget(L, lua_upvalueindex(1));
        if (!lua_isnil(L, -1)) {
            return 2; /* keys set to nil during the traversal are left out */
        }
        lua_pop(L, 2);
    }
    lua_pushnil(L);
    return 1;
}

static int base_pairs(lua_State *L)
{
    struct key *keys;
    size_t count = 0;
    size_t i = 0;

    luaL_checktype(L, 1, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        if (++count > PAIRS_MAX) {
            return luaL_error(L, "pairs: the table has more than %d keys", PAIRS_MAX);
        }
    }
    sandbox_charge(L, 8 * count);
    keys = lua_newuserdatauv(L, (count + 1) * sizeof(*keys), 0);
    for (lua_pushnil(L); lua_next(L, 1); i++) {
        lua_pop(L, 1);
        read_key(L, &keys[i]);
    }
    qsort(keys, count, sizeof(*keys), compare_keys);

    lua_pushvalue(L, 1);
    lua_createtable(L, (int)count, 0);
    for (i = 0; i < count; i++) {
        push_key(L, &keys[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, pairs_next, 3);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

static const char *const metamethods[] = {
    "__index",  "__newindex", "__call", "__tostring", "__len",  "__eq",  "__lt",  "__le",
    "__concat", "__unm",      "__add",  "__sub",      "__mul",  "__div", "__mod", "__pow",
    "__idiv",   "__band",     "__bor",  "__bxor",     "__bnot", "__shl", "__shr",
};

#define METAMETHOD_COUNT (sizeof(metamethods) / sizeof(metamethods[0]))

static const char *const refused_metamethods[] = {"__gc",    "__mode", "__close",
                                                  "__pairs", "__name", "__metatable"};

/*
 * The real metatable is a copy that no script can reach, so that no finalizer and no weak table
 * (both would show when memory is collected) can be added later.
 */
static int base_setmetatable(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, lua_isnil(L, 2) || lua_istable(L, 2), 2, "nil or table");
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_setmetatable(L, 1);
        return 1;
    }
    for (size_t i = 0; i < sizeof(refused_metamethods) / sizeof(refused_metamethods[0]); i++) {
        lua_pushstring(L, refused_metamethods[i]);
        lua_rawget(L, 2);
        if (!lua_isnil(L, -1)) {
            return luaL_error(L, "setmetatable: %s is not available", refused_metamethods[i]);
        }
        lua_pop(L, 1);
    }
    /* A chain of callable tables costs Lua the square of its length in one instruction. */
    lua_pushliteral(L, "__call");
    if (lua_rawget(L, 2) != LUA_TNIL && !lua_isfunction(L, -1)) {
        return luaL_error(L, "setmetatable: __call must be a function");
    }
    lua_pop(L, 1);
    lua_createtable(L, 0, 4);
    for (size_t i = 0; i < METAMETHOD_COUNT; i++) {
        lua_pushstring(L, metamethods[i]);
        lua_pushvalue(L, -1);
        lua_rawget(L, 2);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 2);
        } else {
            lua_rawset(L, 3);
        }
    }
    lua_pushvalue(L, 2);
    lua_setfield(L, 3, "__metatable");
    lua_setmetatable(L, 1);
    lua_settop(L, 1);
    return 1;
}

static int base_getmetatable(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    if (luaL_getmetafield(L, 1, "__metatable") == LUA_TNIL) {
        lua_pushnil(L);
    }
    return 1;
}

static const luaL_Reg base_ours[] = {
    {"tostring", base_tostring},
    {"pcall", base_pcall},
    {"pairs", base_pairs},
    {"setmetatable", base_setmetatable},
    {"getmetatable", base_getmetatable},
    {NULL, NULL},
};

/* Constant time, or bounded by their arguments, and without address, clock or file. */
static const char *const base_theirs[] = {
    "assert", "error",  "ipairs",   "rawequal", "rawget", "rawlen",
    "rawset", "select", "tonumber", "type",     NULL,
};

/* IEEE 754 and the integers define these exactly; sin, exp, log and so on differ between libms. */
static const char *const math_theirs[] = {
    "abs",        "ceil", "floor", "fmod",      "huge", "max", "maxinteger", "min",
    "mininteger", "modf", "sqrt",  "tointeger", "type", "ult", NULL,
};

/* Copy the named fields of the table below the top into the table on top. */
static void copy_fields(lua_State *L, const char *const *names)
{
    for (; *names; names++) {
        lua_getfield(L, -2, *names);
        lua_setfield(L, -2, *names);
    }
}

void library_open(lua_State *L)
{
    luaL_requiref(L, LUA_GNAME, luaopen_base, 0);
    lua_newtable(L);
    copy_fields(L, base_theirs);
    luaL_setfuncs(L, base_ours, 0);

    luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 0);
    lua_newtable(L);
    copy_fields(L, math_theirs);
    lua_setfield(L, -3, LUA_MATHLIBNAME);
    lua_pop(L, 1);

    library_push_string(L);
    lua_setfield(L, -2, LUA_STRLIBNAME);
    library_push_table(L);
    lua_setfield(L, -2, LUA_TABLIBNAME);

    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_settop(L, 0);
}
