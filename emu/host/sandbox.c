/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/sandbox.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOOK_INTERVAL 1000       /* instructions between two looks at the budget */
#define BYTES_PER_INSTRUCTION 16 /* what an allocation costs */
#define REFUSAL_COST 1000000     /* a refused allocation makes Lua collect everything first */

struct sandbox {
    lua_State *L;
    void *context;
    const char *path;
    char chunk[64]; /* the script's name in Lua's own messages: no folder, so no path in a trace */
    size_t used_bytes;
    long long budget; /* of this call */
    long long total_budget;
    bool spent;
    bool refused;    /* a limit refused memory, as opposed to the machine */
    char where[128]; /* "file:line: " where the budget ended */
};

static const char result_key;

static struct sandbox *sandbox_of(lua_State *L)
{
    struct sandbox *sandbox;

    memcpy(&sandbox, lua_getextraspace(L), sizeof(sandbox));
    return sandbox;
}

void *sandbox_context(lua_State *L)
{
    return sandbox_of(L)->context;
}

bool sandbox_is_spent(lua_State *L)
{
    return sandbox_of(L)->spent;
}

/* The hook: Lua calls it each HOOK_INTERVAL instructions, and after each one once all is spent. */
static void on_count(lua_State *L, lua_Debug *record)
{
    struct sandbox *sandbox = sandbox_of(L);

    sandbox->budget -= HOOK_INTERVAL;
    if (sandbox->budget >= 0 && !sandbox->spent) {
        return;
    }
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
    if (!sandbox->spent) {
        sandbox->spent = true;
        if (lua_getinfo(L, "Sl", record)) {
            snprintf(sandbox->where, sizeof(sandbox->where), "%s:%d: ", record->short_src,
                     record->currentline);
        }
    }
    lua_pushliteral(L, "instruction budget used up");
    lua_error(L);
}

void sandbox_charge(lua_State *L, size_t cost)
{
    struct sandbox *sandbox = sandbox_of(L);

    sandbox->budget -= cost < SANDBOX_LOAD_BUDGET ? (long long)cost : SANDBOX_LOAD_BUDGET;
    if (sandbox->budget >= 0 && !sandbox->spent) {
        return;
    }
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
    if (!sandbox->spent) {
        sandbox->spent = true;
        luaL_where(L, 1);
        snprintf(sandbox->where, sizeof(sandbox->where), "%s", lua_tostring(L, -1));
    }
    lua_pushliteral(L, "instruction budget used up");
    lua_error(L);
}

/*
 * An allocation never fails for want of budget: the hook is made to fire at the next instruction
 * instead, where a line number is known.
 */
static void charge_memory(struct sandbox *sandbox, size_t cost)
{
    sandbox->budget -= (long long)cost;
    if (sandbox->budget < 0 && sandbox->L && !sandbox->spent) {
        lua_sethook(sandbox->L, on_count, LUA_MASKCOUNT, 1);
    }
}

/* lua_Alloc: with no block, `old_size` is the kind of object that Lua is about to make. */
static void *allocate(void *context, void *block, size_t old_size, size_t new_size)
{
    struct sandbox *sandbox = context;
    size_t had = block ? old_size : 0;
    bool is_string = !block && old_size == LUA_TSTRING;
    void *moved;

    if (new_size == 0) {
        free(block);
        sandbox->used_bytes -= had;
        return NULL;
    }
    if (new_size > had) {
        size_t max = is_string ? SANDBOX_STRING_MAX + 64 : SANDBOX_BLOCK_MAX;

        if (new_size > max || new_size - had > SANDBOX_MEMORY_MAX - sandbox->used_bytes) {
            sandbox->refused = true;
            charge_memory(sandbox, REFUSAL_COST);
            return NULL;
        }
        charge_memory(sandbox, new_size / BYTES_PER_INSTRUCTION);
    }
    moved = realloc(block, new_size);
    if (!moved) {
        if (new_size <= had) {
            return block; /* Lua relies on it that shrinking succeeds */
        }
        return NULL;
    }
    sandbox->used_bytes += new_size;
    sandbox->used_bytes -= had;
    return moved;
}

int sandbox_error(const struct sandbox *sandbox, const char *text, struct error *error)
{
    size_t length = strlen(sandbox->chunk);

    if (strncmp(text, sandbox->chunk, length) == 0 && text[length] == ':') {
        return error_set(error, SNPEMU_ERR_INPUT, "%s%s", sandbox->path, text + length);
    }
    return error_set(error, SNPEMU_ERR_INPUT, "%s: %s", sandbox->path, text);
}

/* Turn what lua_pcall left into a message, and take it off the stack. */
static int report(struct sandbox *sandbox, int status, struct error *error)
{
    lua_State *L = sandbox->L;
    char text[256];
    int result;

    if (status == LUA_OK) {
        return SNPEMU_OK;
    }
    if (sandbox->spent) {
        snprintf(
            text, sizeof(text),
            "%sthe script runs too long (budget: %lld instructions to load, %lld for a handler)",
            sandbox->where, SANDBOX_LOAD_BUDGET, SANDBOX_CALL_BUDGET);
        result = sandbox_error(sandbox, text, error);
    } else if (status == LUA_ERRMEM && !sandbox->refused) {
        result = error_set(error, SNPEMU_ERR_MEMORY, "%s: out of memory", sandbox->path);
    } else if (status == LUA_ERRMEM) {
        snprintf(text, sizeof(text),
                 "the script needs too much memory (at most %u MiB, %u MiB for one table or the "
                 "stack, %u KiB for one string)",
                 SANDBOX_MEMORY_MAX >> 20, SANDBOX_BLOCK_MAX >> 20, SANDBOX_STRING_MAX >> 10);
        result = sandbox_error(sandbox, text, error);
    } else if (lua_type(L, -1) == LUA_TSTRING) {
        result = sandbox_error(sandbox, lua_tostring(L, -1), error);
    } else {
        snprintf(text, sizeof(text), "the script raised an error that is a %s, not a text",
                 luaL_typename(L, -1));
        result = sandbox_error(sandbox, text, error);
    }
    lua_settop(L, 0);
    return result;
}

/* Call `function` with `argument` under a fresh budget; a budget that is spent stays spent. */
static int call(struct sandbox *sandbox, lua_CFunction function, void *argument, long long budget)
{
    lua_State *L = sandbox->L;

    sandbox->budget = budget;
    sandbox->refused = false;
    lua_sethook(L, on_count, LUA_MASKCOUNT, sandbox->spent ? 1 : HOOK_INTERVAL);
    lua_settop(L, 0);
    lua_pushcfunction(L, function);
    lua_pushlightuserdata(L, argument);
    return lua_pcall(L, 1, 0, 0);
}

int sandbox_call(struct sandbox *sandbox, lua_CFunction function, void *argument,
                 struct error *error)
{
    long long granted = SANDBOX_CALL_BUDGET;
    int status;

    if (granted > sandbox->total_budget) {
        granted = sandbox->total_budget;
    }
    status = call(sandbox, function, argument, granted);
    sandbox->total_budget -= granted - sandbox->budget;
    return report(sandbox, status, error);
}

struct source {
    const char *text;
    size_t size_bytes;
};

static int load_protected(lua_State *L)
{
    const struct source *source = lua_touserdata(L, 1);
    const struct sandbox *sandbox = sandbox_of(L);
    char chunk_name[sizeof(sandbox->chunk) + 1];

    snprintf(chunk_name, sizeof(chunk_name), "=%s", sandbox->chunk);
    if (luaL_loadbufferx(L, source->text, source->size_bytes, chunk_name, "t") != LUA_OK) {
        return lua_error(L);
    }
    lua_call(L, 0, LUA_MULTRET);
    if (lua_gettop(L) != 2 || !lua_istable(L, 2)) {
        return luaL_error(L, "the script must return one table, \"return { ... }\"");
    }
    lua_rawsetp(L, LUA_REGISTRYINDEX, &result_key);
    return 0;
}

int sandbox_load(struct sandbox *sandbox, const char *source, size_t size_bytes,
                 struct error *error)
{
    struct source argument = {.text = source, .size_bytes = size_bytes};

    return report(sandbox, call(sandbox, load_protected, &argument, SANDBOX_LOAD_BUDGET), error);
}

void sandbox_push_result(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &result_key);
}

static int open_protected(lua_State *L)
{
    library_open(L);
    return 0;
}

int sandbox_new(struct sandbox **result, const char *path, void *context, struct error *error)
{
    struct sandbox *sandbox = calloc(1, sizeof(*sandbox));
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    lua_State *L;
    int status;

    *result = NULL;
    if (!sandbox) {
        return error_set(error, SNPEMU_ERR_MEMORY, "%s: out of memory", path);
    }
    sandbox->path = path;
    sandbox->context = context;
    sandbox->budget = SANDBOX_LOAD_BUDGET;
    sandbox->total_budget = SANDBOX_TOTAL_BUDGET;
    /* Lua shortens a name that does not fit in LUA_IDSIZE; this one must not be shortened. */
    snprintf(sandbox->chunk, sizeof(sandbox->chunk), "%s",
             strlen(name) < LUA_IDSIZE ? name : "script");
    L = lua_newstate(allocate, sandbox);
    if (!L) {
        free(sandbox);
        return error_set(error, SNPEMU_ERR_MEMORY, "%s: out of memory", path);
    }
    sandbox->L = L;
    memcpy(lua_getextraspace(L), &sandbox, sizeof(sandbox));
    status = report(sandbox, call(sandbox, open_protected, NULL, SANDBOX_LOAD_BUDGET), error);
    if (status != SNPEMU_OK) {
        sandbox_free(sandbox);
        return status;
    }
    *result = sandbox;
    return SNPEMU_OK;
}

void sandbox_free(struct sandbox *sandbox)
{
    if (!sandbox) {
        return;
    }
    lua_close(sandbox->L);
    free(sandbox);
}
