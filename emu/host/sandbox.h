/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Lua state that a script cannot get out of: bounded memory and instructions, no file, process,
 * clock or address to be seen, and the same behaviour in each process.
 *
 * One budget serves for all: a VM instruction costs 1, allocated memory and the work of library
 * functions are charged too. Once it is spent, every further step fails, inside pcall as well.
 */
#ifndef SNPEMU_HOST_SANDBOX_H
#define SNPEMU_HOST_SANDBOX_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define SANDBOX_MEMORY_MAX (64u << 20) /* bytes in all */
#define SANDBOX_BLOCK_MAX (4u << 20)   /* bytes of one table part or of the stack */
#define SANDBOX_STRING_MAX (256u << 10)
#define SANDBOX_LOAD_BUDGET 50000000LL
#define SANDBOX_CALL_BUDGET 10000000LL    /* one handler, one exit */
#define SANDBOX_TOTAL_BUDGET 2000000000LL /* all handlers of a run */

struct sandbox;

/* `path` names the script in messages. `context` is what sandbox_context gives. */
int sandbox_new(struct sandbox **sandbox, const char *path, void *context, struct error *error);
void sandbox_free(struct sandbox *sandbox); /* takes NULL */
void *sandbox_context(lua_State *L);

/*
 * Run a script (text, never bytecode). The one value that it must return is kept;
 * sandbox_push_result pushes it.
 */
int sandbox_load(struct sandbox *sandbox, const char *source, size_t size_bytes,
                 struct error *error);
void sandbox_push_result(lua_State *L);

/* Run a C function with `argument` as its only (light userdata) argument, errors caught. */
int sandbox_call(struct sandbox *sandbox, lua_CFunction function, void *argument,
                 struct error *error);

/* `text`, that may begin with Lua's "file:line:", as a message with the path as the user gave it.
 */
int sandbox_error(const struct sandbox *sandbox, const char *text, struct error *error);

/* Take `cost` from the budget; raises a Lua error when there is none left. */
void sandbox_charge(lua_State *L, size_t cost);
bool sandbox_is_spent(lua_State *L);

/* Push and return the value at `index` as text without any address in it. */
const char *sandbox_tostring(lua_State *L, int index);

/* Make `table` and `string` functions: library_table.c, library_string.c. The rest: library.c. */
void library_open(lua_State *L); /* replaces the globals */
void library_push_table(lua_State *L);
void library_push_string(lua_State *L);

#endif
