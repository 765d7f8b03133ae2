/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host model that a scenario's `on` table makes. Shared by the script_*.c files alone.
 */
#ifndef SNPEMU_HOST_SCRIPT_H
#define SNPEMU_HOST_SCRIPT_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ghcb/field.h"
#include "ghcb/table.h"
#include "host/host.h"
#include "host/sandbox.h"
#include "host/scenario.h"
#include "host/value.h"

#define SCRIPT_SITE_MAX 1024
#define SCRIPT_GPA_LIMIT (1ULL << 52) /* AMD APM Vol 2, 5.3: physical addresses have 52 bits */

struct script;

/* What reply:write, :assign, ... ask for, as data: the actions that take a table. */
enum script_op_kind {
    SCRIPT_SKIP_PAGE,
    SCRIPT_WRITE,
    SCRIPT_ASSIGN,
    SCRIPT_UNASSIGN,
    SCRIPT_ON_READ,
    SCRIPT_ON_WRITE,
    SCRIPT_RMPUPDATE,
    SCRIPT_PSMASH,
    SCRIPT_REMAP,
    SCRIPT_SWAP,
    SCRIPT_INJECT,
    SCRIPT_DOORBELL,
    SCRIPT_RUN_VCPU,
    SCRIPT_STOP_VCPU,
    SCRIPT_RUN_VMPL,
    SCRIPT_REPLAY,
    SCRIPT_OP_KIND_COUNT,
    SCRIPT_AFTER, /* any of these, later: read as that one, with `delay` */
};

enum script_place {
    PLACE_GPA,     /* `gpa` */
    PLACE_ENTRY,   /* the page of entry `entry` (from 1) of a page state change */
    PLACE_LIST,    /* the buffer that the guest lends for the APIC ID list */
    PLACE_GHCB,    /* the GHCB page */
    PLACE_SCRATCH, /* where SW_SCRATCH points */
    PLACE_REQUEST, /* a guest request's pages: the message, its answer, the certificates */
    PLACE_RESPONSE,
    PLACE_CERTIFICATES,
};

struct script_op {
    struct script_op *next;
    enum script_op_kind kind;
    enum script_place place;
    uint64_t gpa;
    uint64_t entry;
    uint64_t offset;
    uint64_t size_bytes; /* a page state's page size; on_read, on_write: 1, 2, 4, 8. 0: not said */
    const char *bytes;   /* write; owned by Lua */
    size_t byte_count;
    uint64_t
        number; /* write of u8 .. u64 when `bytes` is NULL; the value of on_read and on_write */
    uint64_t nth;
    bool sticky;
    bool unused_ok;
    bool vcpu_given;
    uint64_t vcpu;  /* number from 0 */
    uint64_t other; /* the GPA that an RMP entry names, or the other one of remap and swap */
    bool at_given;  /* rmpupdate: `other` was said */
    uint64_t asid;
    bool assigned, immutable;
    struct reply_event event;
    struct reply_doorbell doorbell;
    uint64_t vmpl;
    const struct exit_row *event_row; /* replay; NULL: that of this exit */
    bool here;
    struct reply_delay delay;
    bool delay_unused_ok;
};

/*
 * One kind of action: the fields of its table, and what becomes of it. `check` may be NULL; of
 * `given`, bit i says that the script gave the i-th field. `apply` is false when the reply is full;
 * skip_page, which adds nothing, has none. `where` is the place in the script.
 */
struct script_op_row {
    const char *name;
    const struct value_row *row;
    size_t count;
    const char *where; /* of the first two fields one must be given: their names; NULL: none */
    void (*check)(lua_State *L, const char *path, uint64_t given, struct script_op *op);
    bool (*apply)(lua_State *L, struct script *script, const struct script_op *op, const char *path,
                  const char *where);
};

/* One element of `on.<event> = { {...}, ... }`. */
struct script_override {
    uint64_t nth; /* 0: each */
    bool honest;
    bool keep_marks;
    bool msr_written;
    bool repeat_answer;
    bool unused_ok;
    uint64_t msr;
    uint32_t written, mark, unmark, leave; /* FIELD_BIT() */
    uint64_t field[FIELD_COUNT];
    char refuse[128]; /* empty: resume */
    struct script_op *op;
    bool used;
};

#define SCRIPT_EVENT_ANY "any"

struct script_event {
    const struct exit_row *row; /* NULL: `any`, for each exit that no other event answers */
    int function;               /* reference in Lua's registry, or LUA_NOREF with overrides */
    struct script_override *override;
    size_t override_count;
    bool is_list; /* written as { {...}, ... }: messages then number them */
    bool used;    /* the function ran */
};

/* A place in the script that sets what waits for the guest: it must come at least once in a run. */
struct script_site {
    char where[VALUE_PATH_MAX];
    const char *missed; /* after "never", why it did not */
    bool fired;
};

struct script {
    struct host host; /* first: the two are cast into each other */
    const struct scenario *scenario;
    struct sandbox *sandbox;
    struct script_event *event; /* owned by Lua */
    size_t event_count;
    struct script_site *site[SCRIPT_SITE_MAX];
    size_t site_count;

    /* While a handler runs, else NULL. */
    struct hypervisor *hypervisor;
    const struct exit *exit;
    struct reply *reply;
    struct script_event *current;
    bool answered; /* the honest answer is in */
};

/* script_on.c: read the `on` table on top of the stack; the events live as long as the state. */
size_t script_read_events(lua_State *L, const char *path, struct script_event **event);
/* Apply the overrides of the current event that name this exit. */
void script_apply_overrides(lua_State *L, struct script *script);
bool script_override_matches(const struct script_event *event,
                             const struct script_override *override, const struct exit *exit);
/* All names of events, for the nearest one; `names` is NULL. */
const char *script_event_name_at(const void *names, size_t i);
const char *script_event_name(const struct script_event *event);
/* "on.apic_id_list[2]" */
void script_override_path(char path[VALUE_PATH_MAX], const struct script_event *event, size_t i);

/* script_op.c: read the table on top of the stack; carry it out, `path` names it in errors. */
const char *script_op_name(enum script_op_kind kind);
void script_op_read(lua_State *L, const char *path, enum script_op_kind kind, struct script_op *op);
/* `where` names the place of what waits for the guest. Returns how many pages a skip_page dropped,
 * else 1. */
size_t script_op_apply(lua_State *L, struct script *script, const struct script_op *op,
                       const char *path, const char *where);

/* Readers of fields that several actions have. */
void script_op_read_entry(lua_State *L, const char *path, const struct value_row *row,
                          void *target);
void script_op_read_page_size(lua_State *L, const char *path, const struct value_row *row,
                              void *target);
void script_op_read_region(lua_State *L, const char *path, const struct value_row *row,
                           void *target);
void script_op_read_vcpu(lua_State *L, const char *path, const struct value_row *row, void *target);
/* Raise an error when the vCPU that the action names does not exist. */
void script_op_check_vcpu(lua_State *L, const struct script *script, const struct script_op *op,
                          const char *path);
void script_op_check_vcpu_number(lua_State *L, const struct script *script, uint64_t number,
                                 const char *path);
/* The GPA of the first of `size_bytes` bytes at the action's place and offset. */
uint64_t script_op_target(lua_State *L, const struct script *script, const struct script_op *op,
                          const char *path, uint64_t size_bytes);
/* The address and size of the page that the action is about. */
uint64_t script_op_page(lua_State *L, const struct script *script, const struct script_op *op,
                        const char *path, uint64_t *size_bytes);
/* script_op_watch.c */
extern const struct script_op_row script_op_on_read, script_op_on_write;
/* The site of that name, made when it is new; `missed` is static. */
struct script_site *script_site_named(lua_State *L, struct script *script, const char *where,
                                      const char *path, const char *missed);
/* script_op_rmp.c */
extern const struct script_op_row script_op_rmpupdate, script_op_psmash, script_op_remap,
    script_op_swap;
/* script_op_event.c */
extern const struct script_op_row script_op_inject, script_op_doorbell;
/* script_op_vcpu.c */
extern const struct script_op_row script_op_run_vcpu, script_op_stop_vcpu, script_op_run_vmpl;

/* script_op_replay.c */
extern const struct script_op_row script_op_replay;

/* script_after.c: read `after`, which names another action and its delay. */
void script_after_read(lua_State *L, const char *path, struct script_op *op);
/* Put off the actions from number `first` of the reply on, as the action says. */
void script_after_apply(lua_State *L, struct script *script, const struct script_op *op,
                        const char *path, const char *where, size_t first);

/* script_exit.c: push the table that a handler sees. */
void script_push_exit(lua_State *L, const struct exit *exit);
/* The entry `i` (from 0) of a page state change; false when the exit has none such. */
bool script_psc_entry(const struct exit *exit, size_t i, uint64_t *entry);

/* script_reply.c: make the `reply` object; push it. */
void script_open_reply(lua_State *L);
void script_push_reply(lua_State *L);
/* Fill in the honest answer, or raise an error where there is none. */
void script_answer_honestly(lua_State *L, struct script *script);
/* Write what the last answer to this vCPU and VMPL wrote; false when there was none. */
bool script_repeat_answer(struct script *script);
/* Raise an error unless the current exit has a GHCB page. */
void script_need_page(lua_State *L, const struct script *script, const char *path);

#endif
