/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading typed values out of a script's tables. Each function raises a Lua error that names the
 * place (`path`, as "host.apic_ids.count") when the value is not what it must be. Access is raw:
 * no metamethod of the script runs.
 */
#ifndef SNPEMU_HOST_VALUE_H
#define SNPEMU_HOST_VALUE_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUE_PATH_MAX 160

/*
 * 64-bit fields take an integer (a negative one is its two's complement: Lua reads
 * 0xFFFFFFFFFFFFFFFF as -1), a float that is an exact non-negative integer, or a text: "0x..." or
 * decimal digits.
 */
uint64_t value_u64(lua_State *L, int index, const char *path);
/* The same within min..max; negative integers are refused unless max is UINT64_MAX. */
uint64_t value_range(lua_State *L, int index, const char *path, uint64_t min, uint64_t max);
bool value_boolean(lua_State *L, int index, const char *path);
/* A text of 1 to `max` bytes without NUL. It lives as long as the Lua value. */
const char *value_text(lua_State *L, int index, const char *path, size_t max);
/* The length of a table that holds 1, 2, ... n and nothing else, n at most `max`. */
size_t value_array(lua_State *L, int index, const char *path, size_t max);

/*
 * One field of a table. `read` finds the value on top of the stack and must leave it there; those
 * below store it at `offset` of the target, within min..max.
 */
struct value_row {
    const char *name;
    void (*read)(lua_State *L, const char *path, const struct value_row *row, void *target);
    size_t offset;
    uint64_t min, max;
};

void value_read_bool(lua_State *L, const char *path, const struct value_row *row, void *target);
void value_read_u8(lua_State *L, const char *path, const struct value_row *row, void *target);
void value_read_u16(lua_State *L, const char *path, const struct value_row *row, void *target);
void value_read_u32(lua_State *L, const char *path, const struct value_row *row, void *target);
void value_read_u64(lua_State *L, const char *path, const struct value_row *row, void *target);

/*
 * Read the fields of the table at `index` in the order of `rows`; absent ones are left alone. A
 * field that no row names is an error that names the nearest. Returns a bit for each row read.
 */
uint64_t value_table(lua_State *L, int index, const char *path, const struct value_row *rows,
                     size_t count, void *target);

/* Raise an error when the table at `index` has a key for which `name_at` gives no equal name. */
typedef const char *value_name_at(const void *names, size_t i); /* NULL past the last */
void value_check_names(lua_State *L, int index, const char *path, const char *what,
                       value_name_at *name_at, const void *names);
/* Raise the error itself for one unknown name. */
void value_unknown_name(lua_State *L, const char *path, const char *what, const char *name,
                        value_name_at *name_at, const void *names) __attribute__((noreturn));

/* Raise "path: message". */
void value_error(lua_State *L, const char *path, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
/* "path.name", or "name" when path is empty, cut to fit. */
void value_path(char out[VALUE_PATH_MAX], const char *path, const char *name);
void value_path_index(char out[VALUE_PATH_MAX], const char *path, size_t index);

#endif
