/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host model of a scenario with an `on` table. Each run has its own Lua state.
 */
#include "host/script.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/internal.h"
#include "host/value.h"

/* True when the event answers this exit, and not only others of its name. */
static bool answers(const struct script_event *event, const struct exit *exit)
{
    if (event->row && event->row != exit->row) {
        return false;
    }
    if (event->function != LUA_NOREF) {
        return true;
    }
    for (size_t i = 0; i < event->override_count; i++) {
        if (script_override_matches(event, &event->override[i], exit)) {
            return true;
        }
    }
    return false;
}

/* The event that answers this exit, `any` when no other does; NULL: the honest host. */
static struct script_event *event_of(const struct script *script, const struct exit *exit)
{
    struct script_event *any = NULL;

    for (size_t i = 0; i < script->event_count; i++) {
        if (answers(&script->event[i], exit)) {
            if (script->event[i].row) {
                return &script->event[i];
            }
            any = &script->event[i];
        }
    }
    return any;
}

static bool script_handles(struct host *host, const struct exit *exit)
{
    return event_of((struct script *)host, exit) != NULL;
}

static int run_function(lua_State *L, struct script *script)
{
    int reference = script->current->function;
    lua_Debug record;

    lua_settop(L, 0);
    lua_rawgeti(L, LUA_REGISTRYINDEX, reference);
    script_push_exit(L, script->exit);
    script_push_reply(L);
    script->current->used = true;
    lua_call(L, 2, 1);
    if (!lua_isnil(L, -1)) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, reference);
        lua_getinfo(L, ">S", &record);
        return luaL_error(L, "%s:%d: on.%s must return nothing, not a %s; it answers through reply",
                          record.short_src, record.linedefined, script_event_name(script->current),
                          luaL_typename(L, -1));
    }
    return 0;
}

static int answer_protected(lua_State *L)
{
    struct script *script = lua_touserdata(L, 1);

    if (script->current->function != LUA_NOREF) {
        return run_function(L, script);
    }
    script_apply_overrides(L, script);
    return 0;
}

static int script_answer(struct host *host, struct hypervisor *hypervisor, const struct exit *exit,
                         struct reply *reply, struct error *error)
{
    struct script *script = (struct script *)host;
    struct script_event *event = event_of(script, exit);
    int status;

    if (!event) {
        hypervisor_answer(hypervisor, exit, reply);
        return SNPEMU_OK;
    }
    script->hypervisor = hypervisor;
    script->exit = exit;
    script->reply = reply;
    script->current = event;
    script->answered = false;
    status = sandbox_call(script->sandbox, answer_protected, script, error);
    script->hypervisor = NULL;
    script->exit = NULL;
    script->reply = NULL;
    script->current = NULL;
    return status;
}

static void script_watch_fired(struct host *host, void *owner)
{
    struct script_site *site = owner;

    (void)host;
    if (site) {
        site->fired = true;
    }
}

/* The first handler that was of no use, in words; false when there is none. */
static bool find_unused(const struct script *script, char *text, size_t size)
{
    for (size_t i = 0; i < script->event_count; i++) {
        const struct script_event *event = &script->event[i];
        char path[VALUE_PATH_MAX];

        if (event->function != LUA_NOREF && !event->used) {
            snprintf(text, size, "on.%s never ran: there was no such exit",
                     script_event_name(event));
            return true;
        }
        for (size_t j = 0; j < event->override_count; j++) {
            if (!event->override[j].used && !event->override[j].unused_ok) {
                script_override_path(path, event, j);
                snprintf(text, size, "%s never applied: there was no such exit, or no such page",
                         path);
                return true;
            }
        }
    }
    for (size_t i = 0; i < script->site_count; i++) {
        if (!script->site[i]->fired) {
            snprintf(text, size, "%s never %s", script->site[i]->where, script->site[i]->missed);
            return true;
        }
    }
    return false;
}

static int script_finish(struct host *host, struct error *error)
{
    struct script *script = (struct script *)host;
    char unused[VALUE_PATH_MAX + 96];
    char text[VALUE_PATH_MAX + 160];

    if (script->scenario->unused_ok || !find_unused(script, unused, sizeof(unused))) {
        return SNPEMU_OK;
    }
    snprintf(text, sizeof(text), "%s (unused_ok = true allows it)", unused);
    return sandbox_error(script->sandbox, text, error);
}

static void script_free(struct host *host)
{
    struct script *script = (struct script *)host;

    if (!script) {
        return;
    }
    for (size_t i = 0; i < script->site_count; i++) {
        free(script->site[i]);
    }
    sandbox_free(script->sandbox);
    free(script);
}

static int open_protected(lua_State *L)
{
    struct script *script = lua_touserdata(L, 1);

    script_open_reply(L);
    sandbox_push_result(L);
    lua_pushliteral(L, "on");
    lua_rawget(L, -2);
    script->event_count = script_read_events(L, "on", &script->event);
    return 0;
}

int script_host_new(struct host **host, const struct scenario *scenario, struct error *error)
{
    struct script *script = calloc(1, sizeof(*script));
    int status;

    *host = NULL;
    if (!script) {
        return error_set(error, SNPEMU_ERR_MEMORY, "%s: out of memory", scenario->path);
    }
    script->scenario = scenario;
    script->host = (struct host){
        .answer = script_answer,
        .watch_fired = script_watch_fired,
        .handles = script_handles,
        .finish = script_finish,
        .free = script_free,
        .replays = true,
    };
    status = sandbox_new(&script->sandbox, scenario->path, script, error);
    if (status == SNPEMU_OK) {
        status =
            sandbox_load(script->sandbox, scenario->source, scenario->source_size_bytes, error);
    }
    if (status == SNPEMU_OK) {
        status = sandbox_call(script->sandbox, open_protected, script, error);
    }
    if (status != SNPEMU_OK) {
        script_free(&script->host);
        return status;
    }
    *host = &script->host;
    return SNPEMU_OK;
}
