/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table library of a script: raw access, bounded lengths, and a stable sort.
 */
#include <lauxlib.h>
#include <lualib.h>

#include "host/sandbox.h"

#define LENGTH_MAX 65536
#define UNPACK_MAX 1024

/* The length of the table at argument 1, charged. */
static lua_Integer checked_length(lua_State *L, const char *function)
{
    lua_Unsigned length;

    luaL_checktype(L, 1, LUA_TTABLE);
    length = lua_rawlen(L, 1);
    if (length > LENGTH_MAX) {
        luaL_error(L, "table.%s: the table has more than %d elements", function, LENGTH_MAX);
    }
    sandbox_charge(L, (size_t)length);
    return (lua_Integer)length;
}

static int table_concat(lua_State *L)
{
    lua_Integer length = checked_length(L, "concat");
    size_t separator_length;
    const char *separator = luaL_optlstring(L, 2, "", &separator_length);
    lua_Integer first = luaL_optinteger(L, 3, 1);
    lua_Integer last = luaL_optinteger(L, 4, length);
    luaL_Buffer buffer;

    if (first < 1 || last > length) {
        return luaL_error(L, "table.concat: the range lies outside the table");
    }
    luaL_buffinit(L, &buffer);
    for (lua_Integer i = first; i <= last; i++) {
        lua_rawgeti(L, 1, i);
        if (!lua_isstring(L, -1)) {
            return luaL_error(L, "table.concat: element %d is a %s", (int)i, luaL_typename(L, -1));
        }
        luaL_addvalue(&buffer);
        if (i < last) {
            luaL_addlstring(&buffer, separator, separator_length);
        }
    }
    luaL_pushresult(&buffer);
    return 1;
}

static int table_insert(lua_State *L)
{
    lua_Integer length = checked_length(L, "insert");
    lua_Integer at = length + 1;

    if (lua_gettop(L) == 3) {
        at = luaL_checkinteger(L, 2);
        luaL_argcheck(L, at >= 1 && at <= length + 1, 2, "position out of bounds");
    } else if (lua_gettop(L) != 2) {
        return luaL_error(L, "table.insert: wrong number of arguments");
    }
    for (lua_Integer i = length; i >= at; i--) {
        lua_rawgeti(L, 1, i);
        lua_rawseti(L, 1, i + 1);
    }
    lua_rawseti(L, 1, at); /* the value is the last argument */
    return 0;
}

static int table_remove(lua_State *L)
{
    lua_Integer length = checked_length(L, "remove");
    lua_Integer at = luaL_optinteger(L, 2, length);

    if (length == 0 && (at == 0 || at == 1)) {
        lua_pushnil(L);
        return 1;
    }
    luaL_argcheck(L, at >= 1 && at <= length, 2, "position out of bounds");
    lua_rawgeti(L, 1, at);
    for (lua_Integer i = at; i < length; i++) {
        lua_rawgeti(L, 1, i + 1);
        lua_rawseti(L, 1, i);
    }
    lua_pushnil(L);
    lua_rawseti(L, 1, length);
    return 1;
}

static int table_pack(lua_State *L)
{
    int count = lua_gettop(L);

    sandbox_charge(L, (size_t)count);
    lua_createtable(L, count, 1);
    lua_insert(L, 1);
    for (int i = count; i >= 1; i--) {
        lua_rawseti(L, 1, i);
    }
    lua_pushinteger(L, count);
    lua_setfield(L, 1, "n");
    return 1;
}

static int table_unpack(lua_State *L)
{
    lua_Integer length = checked_length(L, "unpack");
    lua_Integer first = luaL_optinteger(L, 2, 1);
    lua_Integer last = luaL_optinteger(L, 3, length);

    if (first > last) {
        return 0;
    }
    if ((lua_Unsigned)last - (lua_Unsigned)first >= UNPACK_MAX) {
        return luaL_error(L, "table.unpack: more than %d results", UNPACK_MAX);
    }
    luaL_checkstack(L, (int)(last - first + 1), "table.unpack");
    for (lua_Integer i = first; i < last; i++) {
        lua_rawgeti(L, 1, i);
    }
    lua_rawgeti(L, 1, last); /* apart: i++ past the largest integer would overflow */
    return (int)(last - first + 1);
}

/* Whether right[j] must come before left[i], by argument 2 or by "<". Both are in `from`. */
static bool comes_before(lua_State *L, int from, lua_Integer j, lua_Integer i)
{
    bool before;

    if (lua_isnil(L, 2)) {
        lua_rawgeti(L, from, j);
        lua_rawgeti(L, from, i);
        before = lua_compare(L, -2, -1, LUA_OPLT);
        lua_pop(L, 2);
        return before;
    }
    lua_pushvalue(L, 2);
    lua_rawgeti(L, from, j);
    lua_rawgeti(L, from, i);
    lua_call(L, 2, 1);
    before = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return before;
}

/* Merge [start, middle) and [middle, end) of `from` into `to`; equal elements keep their order. */
static void merge(lua_State *L, int from, int to, lua_Integer start, lua_Integer middle,
                  lua_Integer end)
{
    lua_Integer i = start;
    lua_Integer j = middle;

    for (lua_Integer k = start; k < end; k++) {
        bool right = i >= middle || (j < end && comes_before(L, from, j, i));

        lua_rawgeti(L, from, right ? j++ : i++);
        lua_rawseti(L, to, k);
    }
}

/*
 * A bottom-up merge sort: stable, and its comparisons depend on nothing but the elements. It works
 * on two private copies, so that a comparison which changes the table does no harm.
 */
static int table_sort(lua_State *L)
{
    lua_Integer length = checked_length(L, "sort");
    int from = 3;
    int to = 4;

    lua_settop(L, 2);
    luaL_argexpected(L, lua_isnoneornil(L, 2) || lua_isfunction(L, 2), 2, "function");
    lua_createtable(L, (int)length, 0);
    lua_createtable(L, (int)length, 0);
    for (lua_Integer i = 1; i <= length; i++) {
        lua_rawgeti(L, 1, i);
        lua_rawseti(L, from, i);
    }
    for (lua_Integer width = 1; width < length; width *= 2) {
        int swap = from;

        sandbox_charge(L, 4 * (size_t)length);
        for (lua_Integer start = 1; start <= length; start += 2 * width) {
            lua_Integer middle = start + width;
            lua_Integer end = middle + width;

            middle = middle > length + 1 ? length + 1 : middle;
            end = end > length + 1 ? length + 1 : end;
            merge(L, from, to, start, middle, end);
        }
        from = to;
        to = swap;
    }
    for (lua_Integer i = 1; i <= length; i++) {
        lua_rawgeti(L, from, i);
        lua_rawseti(L, 1, i);
    }
    return 0;
}

static const luaL_Reg table_ours[] = {
    {"concat", table_concat},
    {"insert", table_insert},
    {"remove", table_remove},
    {"pack", table_pack},
    {"unpack", table_unpack},
    {"sort", table_sort},
    {NULL, NULL},
};

void library_push_table(lua_State *L)
{
    luaL_newlib(L, table_ours);
}
