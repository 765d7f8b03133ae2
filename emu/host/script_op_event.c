/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The actions of a reply that make the guest take an event: by itself, or through the #HV doorbell
 * page.
 */
#include <string.h>

#include "host/script.h"
#include "host/value.h"

#define AT(field) offsetof(struct script_op, field)
#define VECTOR_NMI 2

static const char *const type_names[] = {
    [REPLY_EVENT_EXCEPTION] = "exception",
    [REPLY_EVENT_INTERRUPT] = "interrupt",
    [REPLY_EVENT_NMI] = "nmi",
};

#define TYPE_COUNT (sizeof(type_names) / sizeof(type_names[0]))

static const char *type_name_at(const void *names, size_t i)
{
    (void)names;
    return i < TYPE_COUNT ? type_names[i] : NULL;
}

static void read_type(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct script_op *op = target;
    const char *name = value_text(L, -1, path, 16);

    (void)row;
    for (size_t i = 0; i < TYPE_COUNT; i++) {
        if (strcmp(type_names[i], name) == 0) {
            op->event.type = (enum reply_event_type)i;
            return;
        }
    }
    value_unknown_name(L, path, "type", name, type_name_at, NULL);
}

static const struct value_row inject_rows[] = {
    {"vector", value_read_u8, AT(event.vector), 0, UINT8_MAX},
    {"type", read_type, 0, 0, 0},
    {"error_code", value_read_u32, AT(event.error_code), 0, UINT32_MAX},
};

#define GIVEN_VECTOR 0x01u
#define GIVEN_ERROR_CODE 0x04u

static void check_inject(lua_State *L, const char *path, uint64_t given, struct script_op *op)
{
    bool nmi = op->event.type == REPLY_EVENT_NMI;

    op->event.has_error_code = given & GIVEN_ERROR_CODE;
    if (nmi == !!(given & GIVEN_VECTOR)) {
        value_error(L, path, "%s", nmi ? "an NMI's vector is 2" : "must say which vector");
    }
    if (op->event.has_error_code && op->event.type != REPLY_EVENT_EXCEPTION) {
        value_error(L, path, "only an exception has an error code");
    }
    op->event.vector = nmi ? VECTOR_NMI : op->event.vector;
}

static bool apply_inject(lua_State *L, struct script *script, const struct script_op *op,
                         const char *path, const char *where)
{
    (void)L;
    (void)path;
    (void)where;
    return reply_inject(script->reply, &op->event);
}

static const struct value_row doorbell_rows[] = {
    {"vector", value_read_u8, AT(doorbell.vector), 1, UINT8_MAX},
    {"nmi", value_read_bool, AT(doorbell.nmi), 0, 0},
    {"mc", value_read_bool, AT(doorbell.mc), 0, 0},
    {"no_eoi", value_read_bool, AT(doorbell.no_eoi), 0, 0},
};

static void check_doorbell(lua_State *L, const char *path, uint64_t given, struct script_op *op)
{
    (void)given;
    if (!op->doorbell.vector && !op->doorbell.nmi && !op->doorbell.mc) {
        value_error(L, path, "must say what happened: vector, nmi, mc");
    }
    if (op->doorbell.no_eoi && !op->doorbell.vector) {
        value_error(L, path, "no_eoi goes with a vector");
    }
}

static bool apply_doorbell(lua_State *L, struct script *script, const struct script_op *op,
                           const char *path, const char *where)
{
    (void)L;
    (void)path;
    (void)where;
    return reply_doorbell(script->reply, &op->doorbell);
}

const struct script_op_row script_op_inject = {
    .name = "inject",
    .row = inject_rows,
    .count = sizeof(inject_rows) / sizeof(inject_rows[0]),
    .check = check_inject,
    .apply = apply_inject,
};
const struct script_op_row script_op_doorbell = {
    .name = "doorbell",
    .row = doorbell_rows,
    .count = sizeof(doorbell_rows) / sizeof(doorbell_rows[0]),
    .check = check_doorbell,
    .apply = apply_doorbell,
};
