/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The string library of a script. Patterns are left out: their matching time has no useful bound.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "host/sandbox.h"

#define BYTES_MAX 1024 /* results of one string.byte */
#define CALL_COST 10
#define FORMAT_COST 100 /* "%99.99f" makes 400 characters */

/* Lua's own function (upvalue 1), charged by the length of its arguments. */
static int charged(lua_State *L)
{
    size_t cost = CALL_COST;

    for (int i = lua_gettop(L); i > 0; i--) {
        if (lua_type(L, i) == LUA_TSTRING) {
            cost += lua_rawlen(L, i) / 8;
        }
    }
    sandbox_charge(L, cost);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* A position as Lua's string functions take it, negative from the end, cut to 0 .. length + 1. */
static size_t position(lua_Integer at, size_t length)
{
    if (at < 0) {
        at = at >= -(lua_Integer)length ? (lua_Integer)length + at + 1 : 0;
    }
    return (lua_Unsigned)at > length ? length + 1 : (size_t)at;
}

static int string_byte(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    lua_Integer first = luaL_optinteger(L, 2, 1);
    size_t from = position(first, length);
    size_t to = position(luaL_optinteger(L, 3, first), length);

    from = from ? from : 1;
    to = to > length ? length : to;
    if (from > to) {
        return 0;
    }
    if (to - from >= BYTES_MAX) {
        return luaL_error(L, "string.byte: more than %d results", BYTES_MAX);
    }
    sandbox_charge(L, to - from);
    luaL_checkstack(L, (int)(to - from + 1), "string.byte");
    for (size_t i = from; i <= to; i++) {
        lua_pushinteger(L, (unsigned char)text[i - 1]);
    }
    return (int)(to - from + 1);
}

static int string_rep(lua_State *L)
{
    size_t length, separator_length;
    const char *text = luaL_checklstring(L, 1, &length);
    lua_Integer count = luaL_checkinteger(L, 2);
    const char *separator = luaL_optlstring(L, 3, "", &separator_length);
    luaL_Buffer buffer;

    if (count <= 0 || length + separator_length == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    if ((lua_Unsigned)count > SANDBOX_STRING_MAX / (length + separator_length)) {
        return luaL_error(L, "string.rep: the result is longer than %d KiB",
                          (int)(SANDBOX_STRING_MAX >> 10));
    }
    sandbox_charge(L, (size_t)count);
    luaL_buffinit(L, &buffer);
    for (lua_Integer i = 0; i < count; i++) {
        luaL_addlstring(&buffer, text, length);
        if (i + 1 < count) {
            luaL_addlstring(&buffer, separator, separator_length);
        }
    }
    luaL_pushresult(&buffer);
    return 1;
}

/* string.find(text, part, init, true): `plain` must be said, as there are no patterns. */
static int string_find(lua_State *L)
{
    size_t length, part_length;
    const char *text = luaL_checklstring(L, 1, &length);
    const char *part = luaL_checklstring(L, 2, &part_length);
    size_t from = position(luaL_optinteger(L, 3, 1), length);
    const char *found;

    if (!lua_toboolean(L, 4)) {
        return luaL_error(L, "string.find: there are no patterns here; "
                             "call string.find(text, part, 1, true)");
    }
    from = from ? from - 1 : 0;
    if (from > length) {
        lua_pushnil(L);
        return 1;
    }
    sandbox_charge(L, length / 8 + part_length / 8);
    found = memmem(text + from, length - from, part, part_length);
    if (!found) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, found - text + 1);
    lua_pushinteger(L, found - text + (lua_Integer)part_length);
    return 2;
}

/* Refuse %p (an address), and give %s texts that hold no address. */
static int string_format(lua_State *L)
{
    size_t length;
    const char *format = luaL_checklstring(L, 1, &length);

    for (size_t i = 0; i < length; i++) {
        if (format[i] != '%') {
            continue;
        }
        i++;
        while (i < length && memchr("-+ #0123456789.", format[i], 15)) {
            i++;
        }
        if (i < length && format[i] == 'p') {
            return luaL_error(L, "string.format: %%p is not available");
        }
    }
    sandbox_charge(L, FORMAT_COST + 10 * (length / 2)); /* a conversion has two characters */
    for (int i = 2; i <= lua_gettop(L); i++) {
        if (lua_type(L, i) > LUA_TSTRING || lua_type(L, i) == LUA_TLIGHTUSERDATA) {
            sandbox_tostring(L, i);
            lua_replace(L, i);
        }
    }
    return charged(L);
}

static const char *const string_theirs[] = {
    "char", "len", "lower", "pack", "packsize", "reverse", "sub", "unpack", "upper", NULL,
};

static const luaL_Reg string_ours[] = {
    {"byte", string_byte},
    {"rep", string_rep},
    {"find", string_find},
    {NULL, NULL},
};

void library_push_string(lua_State *L)
{
    luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 0);
    lua_newtable(L);
    for (const char *const *name = string_theirs; *name; name++) {
        lua_getfield(L, -2, *name);
        lua_pushcclosure(L, charged, 1);
        lua_setfield(L, -2, *name);
    }
    lua_getfield(L, -2, "format");
    lua_pushcclosure(L, string_format, 1);
    lua_setfield(L, -2, "format");
    luaL_setfuncs(L, string_ours, 0);

    /* ("x"):rep(3) reaches the functions through the metatable that all strings share. */
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 2);
    lua_remove(L, -2);
}
