/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The `reply` object of a handler: fields by assignment, actions by method.
 */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "host/script.h"
#include "host/value.h"

#define TYPE_NAME "reply"
#define REASON_MAX 127

static const char object_key;

/* The script while one of its handlers runs; argument 1 must be the reply object. */
static struct script *active(lua_State *L)
{
    struct script *script = sandbox_context(L);

    luaL_checkudata(L, 1, TYPE_NAME);
    if (!script || !script->reply) {
        luaL_error(L, "the reply is used after its handler returned");
    }
    return script;
}

void script_need_page(lua_State *L, const struct script *script, const char *path)
{
    if (script->exit->protocol != EXIT_PAGE) {
        value_error(L, path, "%s has no GHCB page; its answer is reply.msr", script->exit->name);
    }
}

void script_answer_honestly(lua_State *L, struct script *script)
{
    /* For `any`, which cannot know which exits come, it is what the host does with such an exit. */
    if (!script->exit->row->answer && script->current->row) {
        luaL_error(L, "%s: no honest answer is modelled", script->exit->name);
    }
    hypervisor_answer(script->hypervisor, script->exit, script->reply);
    script->answered = true;
}

/* Nothing was put in yet: what honest() would write over must not be lost without a word. */
static bool is_untouched(const struct reply *reply)
{
    return !reply->written && !reply->marked && !reply->keep_marks && !reply->msr_written &&
           reply->resume == REPLY_RESUME && reply->action_count == 0;
}

static int reply_honest(lua_State *L)
{
    struct script *script = active(L);

    if (script->answered || !is_untouched(script->reply)) {
        return luaL_error(L, "reply:honest() must come first, and once");
    }
    script_answer_honestly(L, script);
    return 0;
}

bool script_repeat_answer(struct script *script)
{
    const struct vcpu_level *level = vcpus_current_level(&script->hypervisor->vcpus);

    return reply_repeat(script->reply, script->exit->protocol == EXIT_PAGE, &level->answer);
}

static int reply_repeat_answer(lua_State *L)
{
    lua_pushboolean(L, script_repeat_answer(active(L)));
    return 1;
}

static int reply_keep_marks(lua_State *L)
{
    struct script *script = active(L);

    if (script->current->row) {
        script_need_page(L, script, "reply:keep_marks");
    }
    /* `any` meets the MSR protocol, too, which has no marks. */
    script->reply->keep_marks = script->exit->protocol == EXIT_PAGE;
    return 0;
}

static int reply_refuse_method(lua_State *L)
{
    struct script *script = active(L);

    reply_refuse(script->reply, value_text(L, 2, "reply:refuse", REASON_MAX));
    return 0;
}

struct exception {
    uint8_t vector;
    bool has_error_code;
    uint32_t error_code;
};

static void read_error_code(lua_State *L, const char *path, const struct value_row *row,
                            void *target)
{
    struct exception *exception = target;

    value_read_u32(L, path, row, target);
    exception->has_error_code = true;
}

static const char *field_name_at(const void *names, size_t i)
{
    (void)names;
    return i < FIELD_COUNT ? ghcb_field_rows[i].name : NULL;
}

/* Call `change` for each field named by the arguments. */
static int each_field(lua_State *L, const char *path,
                      void (*change)(struct reply *, enum ghcb_field))
{
    struct script *script = active(L);
    int count = lua_gettop(L);

    script_need_page(L, script, path);
    if (count < 2) {
        value_error(L, path, "must name a field");
    }
    for (int i = 2; i <= count; i++) {
        const char *name = value_text(L, i, path, 64);
        enum ghcb_field field = ghcb_field_named(name);

        if (field == FIELD_COUNT) {
            value_unknown_name(L, path, "field", name, field_name_at, NULL);
        }
        change(script->reply, field);
    }
    return 0;
}

static const struct value_row exception_rows[] = {
    {"vector", value_read_u8, offsetof(struct exception, vector), 0, UINT8_MAX},
    {"error_code", read_error_code, offsetof(struct exception, error_code), 0, UINT32_MAX},
};

static int reply_exception_method(lua_State *L)
{
    struct script *script = active(L);
    struct exception exception = {0};

    script_need_page(L, script, "reply:exception");
    lua_settop(L, 2);
    if (!(value_table(L, 2, "reply:exception", exception_rows,
                      sizeof(exception_rows) / sizeof(exception_rows[0]), &exception) &
          1)) {
        value_error(L, "reply:exception", "must say which vector");
    }
    reply_exception(script->reply, exception.vector, exception.has_error_code,
                    exception.error_code);
    return 0;
}

static void mark_field(struct reply *reply, enum ghcb_field field)
{
    reply->marked |= FIELD_BIT(field);
}

static int reply_mark_method(lua_State *L)
{
    return each_field(L, "reply:mark", mark_field);
}

static int reply_unmark_method(lua_State *L)
{
    return each_field(L, "reply:unmark", reply_unmark);
}

static int reply_leave_method(lua_State *L)
{
    return each_field(L, "reply:leave", reply_leave);
}

static size_t op_method(lua_State *L, enum script_op_kind kind, const char *path)
{
    struct script *script = active(L);
    char where[VALUE_PATH_MAX];
    struct script_op op;

    lua_settop(L, 2);
    luaL_where(L, 1); /* "file:line: " */
    snprintf(where, sizeof(where), "%s%s", lua_tostring(L, -1), path);
    lua_settop(L, 2);
    script_op_read(L, path, kind, &op);
    return script_op_apply(L, script, &op, path, where);
}

static int reply_skip_page_method(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)op_method(L, SCRIPT_SKIP_PAGE, "reply:skip_page"));
    return 1;
}

/* The others: reply:NAME{...}, without a result. */
#define OP_METHOD(name, kind)                                                                      \
    static int reply_##name##_method(lua_State *L)                                                 \
    {                                                                                              \
        op_method(L, kind, "reply:" #name);                                                        \
        return 0;                                                                                  \
    }

OP_METHOD(write, SCRIPT_WRITE)
OP_METHOD(assign, SCRIPT_ASSIGN)
OP_METHOD(unassign, SCRIPT_UNASSIGN)
OP_METHOD(on_read, SCRIPT_ON_READ)
OP_METHOD(on_write, SCRIPT_ON_WRITE)
OP_METHOD(rmpupdate, SCRIPT_RMPUPDATE)
OP_METHOD(psmash, SCRIPT_PSMASH)
OP_METHOD(remap, SCRIPT_REMAP)
OP_METHOD(swap, SCRIPT_SWAP)
OP_METHOD(inject, SCRIPT_INJECT)
OP_METHOD(doorbell, SCRIPT_DOORBELL)
OP_METHOD(run_vcpu, SCRIPT_RUN_VCPU)
OP_METHOD(stop_vcpu, SCRIPT_STOP_VCPU)
OP_METHOD(run_vmpl, SCRIPT_RUN_VMPL)
OP_METHOD(after, SCRIPT_AFTER)
OP_METHOD(replay, SCRIPT_REPLAY)

static const luaL_Reg methods[] = {
    {"honest", reply_honest},
    {"keep_marks", reply_keep_marks},
    {"repeat_answer", reply_repeat_answer},
    {"refuse", reply_refuse_method},
    {"exception", reply_exception_method},
    {"mark", reply_mark_method},
    {"unmark", reply_unmark_method},
    {"leave", reply_leave_method},
    {"write", reply_write_method},
    {"assign", reply_assign_method},
    {"unassign", reply_unassign_method},
    {"skip_page", reply_skip_page_method},
    {"on_read", reply_on_read_method},
    {"on_write", reply_on_write_method},
    {"rmpupdate", reply_rmpupdate_method},
    {"psmash", reply_psmash_method},
    {"remap", reply_remap_method},
    {"swap", reply_swap_method},
    {"inject", reply_inject_method},
    {"doorbell", reply_doorbell_method},
    {"run_vcpu", reply_run_vcpu_method},
    {"stop_vcpu", reply_stop_vcpu_method},
    {"run_vmpl", reply_run_vmpl_method},
    {"after", reply_after_method},
    {"replay", reply_replay_method},
};

#define METHOD_COUNT (sizeof(methods) / sizeof(methods[0]))

/* ---- the response of a guest request: ciphertext, in the page that SW_EXITINFO2 says ---- */

#define RESPONSE "response"

/* The address of the response's page; an error where there is none. */
static uint64_t response_gpa(lua_State *L, const struct script *script)
{
    if (!(script->exit->row->flags & EXIT_MESSAGE)) {
        value_error(L, "reply." RESPONSE, "%s has no response from the AMD-SP", script->exit->name);
    }
    return exit_field(script->exit, FIELD_INFO2);
}

/* What the reply writes there so far, or nil. */
static void push_response(lua_State *L, const struct script *script)
{
    const struct reply_action *action = reply_find_write(script->reply, response_gpa(L, script));

    if (action) {
        lua_pushlstring(L, (const char *)script->reply->data + action->data_offset,
                        action->size_bytes);
    } else {
        lua_pushnil(L);
    }
}

/* Argument 3: the bytes instead of those, or nil for none. */
static void set_response(lua_State *L, struct script *script)
{
    uint64_t gpa = response_gpa(L, script);
    const char *bytes;
    size_t size;

    if (lua_isnil(L, 3)) {
        reply_drop_writes(script->reply, gpa);
        return;
    }
    if (lua_type(L, 3) != LUA_TSTRING) {
        value_error(L, "reply." RESPONSE, "must be a text of the bytes, or nil");
    }
    bytes = lua_tolstring(L, 3, &size);
    if (size == 0 || size > EXIT_REQUEST_SIZE) {
        value_error(L, "reply." RESPONSE, "must have 1 to %d bytes", EXIT_REQUEST_SIZE);
    }
    reply_drop_writes(script->reply, gpa);
    if (!reply_write(script->reply, gpa, bytes, size)) {
        value_error(L, "reply." RESPONSE, "the reply is full");
    }
}

/* All that can follow "reply." or "reply:", for the nearest name. */
static const char *member_name_at(const void *names, size_t i)
{
    (void)names;
    if (i < METHOD_COUNT) {
        return methods[i].name;
    }
    i -= METHOD_COUNT;
    return i < FIELD_COUNT        ? ghcb_field_rows[i].name
           : i == FIELD_COUNT     ? "msr"
           : i == FIELD_COUNT + 1 ? RESPONSE
                                  : NULL;
}

/* Upvalue 1: the methods. A field reads as its value, or nil when the reply does not write it. */
static int reply_index(lua_State *L)
{
    struct script *script = active(L);
    const char *name = value_text(L, 2, "reply", 64);
    enum ghcb_field field = ghcb_field_named(name);

    lua_getfield(L, lua_upvalueindex(1), name);
    if (!lua_isnil(L, -1)) {
        return 1;
    }
    if (strcmp(name, "msr") == 0) {
        if (script->reply->msr_written) {
            lua_pushinteger(L, (lua_Integer)script->reply->msr);
        }
        return 1;
    }
    if (strcmp(name, RESPONSE) == 0) {
        push_response(L, script);
        return 1;
    }
    if (field == FIELD_COUNT) {
        value_unknown_name(L, "reply", "field", name, member_name_at, NULL);
    }
    if (script->reply->written & FIELD_BIT(field)) {
        lua_pushinteger(L, (lua_Integer)script->reply->field[field]);
    }
    return 1;
}

static int reply_newindex(lua_State *L)
{
    struct script *script = active(L);
    const char *name = value_text(L, 2, "reply", 64);
    enum ghcb_field field = ghcb_field_named(name);
    char path[VALUE_PATH_MAX];

    value_path(path, "reply", name);
    if (strcmp(name, "msr") == 0) {
        reply_set_msr(script->reply, value_u64(L, 3, path));
        return 0;
    }
    if (strcmp(name, RESPONSE) == 0) {
        set_response(L, script);
        return 0;
    }
    if (field == FIELD_COUNT) {
        value_unknown_name(L, "reply", "field", name, member_name_at, NULL);
    }
    script_need_page(L, script, path);
    reply_set(script->reply, field,
              value_range(L, 3, path, 0,
                          ghcb_field_rows[field].size_bytes == 1 ? UINT8_MAX : UINT64_MAX));
    return 0;
}

void script_open_reply(lua_State *L)
{
    lua_newuserdatauv(L, 0, 0);
    luaL_newmetatable(L, TYPE_NAME);
    lua_createtable(L, 0, METHOD_COUNT);
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        lua_pushcfunction(L, methods[i].func);
        lua_setfield(L, -2, methods[i].name);
    }
    lua_pushcclosure(L, reply_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, reply_newindex);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &object_key);
}

void script_push_reply(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &object_key);
}
