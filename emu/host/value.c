/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/value.h"

#include <assert.h>
#include <inttypes.h>
#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/nearest.h"

#define TABLE_KEY_MAX 65536

void value_error(lua_State *L, const char *path, const char *format, ...)
{
    char text[320];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    luaL_error(L, "%s%s%s", path, *path ? ": " : "", text);
    abort(); /* luaL_error does not return */
}

void value_path(char out[VALUE_PATH_MAX], const char *path, const char *name)
{
    snprintf(out, VALUE_PATH_MAX, "%s%s%s", path, *path ? "." : "", name);
}

void value_path_index(char out[VALUE_PATH_MAX], const char *path, size_t index)
{
    snprintf(out, VALUE_PATH_MAX, "%s[%zu]", path, index);
}

/* The value in words, for "must be X, not Y". */
static void describe(lua_State *L, int index, char *text, size_t size)
{
    switch (lua_type(L, index)) {
    case LUA_TNUMBER:
        if (lua_isinteger(L, index)) {
            snprintf(text, size, "%lld", lua_tointeger(L, index));
        } else {
            snprintf(text, size, "%.17g", lua_tonumber(L, index));
        }
        return;
    case LUA_TSTRING:
        snprintf(text, size, "\"%.40s\"", lua_tostring(L, index));
        return;
    case LUA_TBOOLEAN:
        snprintf(text, size, "%s", lua_toboolean(L, index) ? "true" : "false");
        return;
    default:
        snprintf(text, size, "a %s", luaL_typename(L, index));
    }
}

/* "0x..." or decimal digits, up to 64 bits. */
static bool parse_u64(const char *text, size_t length, uint64_t *value)
{
    unsigned base = length > 2 && text[0] == '0' && text[1] == 'x' ? 16 : 10;
    uint64_t sum = 0;

    if (length == 0) {
        return false;
    }
    for (size_t i = base == 16 ? 2 : 0; i < length; i++) {
        char c = text[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : base;

        if (digit >= base || sum > (UINT64_MAX - digit) / base) {
            return false;
        }
        sum = sum * base + digit;
    }
    *value = sum;
    return true;
}

/* False when the value is no 64-bit integer; `negative` tells a negative Lua integer. */
static bool read_u64(lua_State *L, int index, uint64_t *value, bool *negative)
{
    *negative = false;
    if (lua_type(L, index) == LUA_TSTRING) {
        size_t length;
        const char *text = lua_tolstring(L, index, &length);

        return parse_u64(text, length, value);
    }
    if (lua_type(L, index) != LUA_TNUMBER) {
        return false;
    }
    if (lua_isinteger(L, index)) {
        lua_Integer integer = lua_tointeger(L, index);

        *value = (uint64_t)integer;
        *negative = integer < 0;
        return true;
    }
    lua_Number number = lua_tonumber(L, index);

    if (!(number >= 0 && number < 0x1p64)) { /* NaN fails too */
        return false;
    }
    *value = (uint64_t)number;
    return (lua_Number)*value == number;
}

uint64_t value_range(lua_State *L, int index, const char *path, uint64_t min, uint64_t max)
{
    uint64_t value;
    bool negative;
    char found[64];

    if (read_u64(L, index, &value, &negative) && value >= min && value <= max &&
        (!negative || max == UINT64_MAX)) {
        return value;
    }
    describe(L, index, found, sizeof(found));
    if (max > 1000000) {
        value_error(L, path, "must be an integer from %" PRIu64 " to 0x%" PRIx64 ", not %s", min,
                    max, found);
    }
    value_error(L, path, "must be an integer from %" PRIu64 " to %" PRIu64 ", not %s", min, max,
                found);
}

uint64_t value_u64(lua_State *L, int index, const char *path)
{
    return value_range(L, index, path, 0, UINT64_MAX);
}

bool value_boolean(lua_State *L, int index, const char *path)
{
    char found[64];

    if (!lua_isboolean(L, index)) {
        describe(L, index, found, sizeof(found));
        value_error(L, path, "must be true or false, not %s", found);
    }
    return lua_toboolean(L, index);
}

const char *value_text(lua_State *L, int index, const char *path, size_t max)
{
    char found[64];
    const char *text;
    size_t length;

    if (lua_type(L, index) != LUA_TSTRING) {
        describe(L, index, found, sizeof(found));
        value_error(L, path, "must be a text, not %s", found);
    }
    text = lua_tolstring(L, index, &length);
    if (length == 0) {
        value_error(L, path, "must not be empty");
    }
    if (length > max) {
        value_error(L, path, "must not be longer than %zu bytes", max);
    }
    if (memchr(text, '\0', length)) {
        value_error(L, path, "must not hold a NUL byte");
    }
    return text;
}

static void check_is_table(lua_State *L, int index, const char *path)
{
    char found[64];

    if (!lua_istable(L, index)) {
        describe(L, index, found, sizeof(found));
        value_error(L, path, "must be a table, not %s", found);
    }
}

size_t value_array(lua_State *L, int index, const char *path, size_t max)
{
    size_t count = 0;

    index = lua_absindex(L, index);
    check_is_table(L, index, path);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        if (++count > max) {
            value_error(L, path, "must not have more than %zu elements", max);
        }
    }
    for (size_t i = 1; i <= count; i++) {
        bool absent = lua_rawgeti(L, index, (lua_Integer)i) == LUA_TNIL;

        lua_pop(L, 1);
        if (absent) {
            value_error(L, path, "must be a list { a, b, ... } without other keys or holes");
        }
    }
    return count;
}

void value_unknown_name(lua_State *L, const char *path, const char *what, const char *name,
                        value_name_at *name_at, const void *names)
{
    struct nearest nearest;
    const char *candidate;

    nearest_start(&nearest, name);
    for (size_t i = 0; (candidate = name_at(names, i)); i++) {
        nearest_try(&nearest, candidate);
    }
    value_error(L, path, "unknown %s '%.60s'; the nearest known is '%s'", what, name,
                nearest.best ? nearest.best : "none");
}

static bool is_known(const char *name, value_name_at *name_at, const void *names)
{
    const char *candidate;

    for (size_t i = 0; (candidate = name_at(names, i)); i++) {
        if (strcmp(candidate, name) == 0) {
            return true;
        }
    }
    return false;
}

void value_check_names(lua_State *L, int index, const char *path, const char *what,
                       value_name_at *name_at, const void *names)
{
    const char *unknown = NULL;
    size_t count = 0;

    index = lua_absindex(L, index);
    check_is_table(L, index, path);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        const char *name;
        size_t length;

        if (++count > TABLE_KEY_MAX) {
            value_error(L, path, "has too many fields");
        }
        if (lua_type(L, -2) != LUA_TSTRING) {
            value_error(L, path, "must have names for keys, not a %s", luaL_typename(L, -2));
        }
        name = lua_tolstring(L, -2, &length);
        if (strlen(name) != length) {
            value_error(L, path, "must not have a name with a NUL byte");
        }
        /* The traversal has no fixed order; the message must: the first unknown by its bytes. */
        if (!is_known(name, name_at, names) && (!unknown || strcmp(name, unknown) < 0)) {
            unknown = name;
        }
    }
    if (unknown) {
        value_unknown_name(L, path, what, unknown, name_at, names);
    }
}

void value_read_bool(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    bool value = value_boolean(L, -1, path);

    memcpy((char *)target + row->offset, &value, sizeof(value));
}

void value_read_u8(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    uint8_t value = (uint8_t)value_range(L, -1, path, row->min, row->max);

    memcpy((char *)target + row->offset, &value, sizeof(value));
}

void value_read_u16(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    uint16_t value = (uint16_t)value_range(L, -1, path, row->min, row->max);

    memcpy((char *)target + row->offset, &value, sizeof(value));
}

void value_read_u32(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    uint32_t value = (uint32_t)value_range(L, -1, path, row->min, row->max);

    memcpy((char *)target + row->offset, &value, sizeof(value));
}

void value_read_u64(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    uint64_t value = value_range(L, -1, path, row->min, row->max);

    memcpy((char *)target + row->offset, &value, sizeof(value));
}

struct rows {
    const struct value_row *row;
    size_t count;
};

static const char *row_name_at(const void *names, size_t i)
{
    const struct rows *rows = names;

    return i < rows->count ? rows->row[i].name : NULL;
}

uint64_t value_table(lua_State *L, int index, const char *path, const struct value_row *row,
                     size_t count, void *target)
{
    struct rows rows = {.row = row, .count = count};
    uint64_t given = 0;

    assert(count <= 64);
    index = lua_absindex(L, index);
    luaL_checkstack(L, 8, path);
    value_check_names(L, index, path, "field", row_name_at, &rows);
    for (size_t i = 0; i < count; i++) {
        char row_path[VALUE_PATH_MAX];

        lua_pushstring(L, row[i].name);
        if (lua_rawget(L, index) != LUA_TNIL) {
            value_path(row_path, path, row[i].name);
            row[i].read(L, row_path, &row[i], target);
            given |= 1ULL << i;
        }
        lua_pop(L, 1);
    }
    return given;
}
