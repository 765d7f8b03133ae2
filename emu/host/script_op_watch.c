/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The actions of a reply that wait for the guest: for its read or its write of a place.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "host/script.h"
#include "host/value.h"

#define AT(field) offsetof(struct script_op, field)
#define OFFSET_MAX (SCRIPT_GPA_LIMIT - 1)
#define SIZE_4K 0x1000ULL

static const struct value_row watch_rows[] = {
    {"gpa", value_read_u64, AT(gpa), 0, OFFSET_MAX},
    {"region", script_op_read_region, 0, 0, 0},
    {"offset", value_read_u64, AT(offset), 0, OFFSET_MAX},
    {"size", value_read_u64, AT(size_bytes), 1, 8},
    {"nth", value_read_u64, AT(nth), 1, INT64_MAX},
    {"value", value_read_u64, AT(number), 0, UINT64_MAX},
    {"vcpu", script_op_read_vcpu, AT(vcpu), 0, HYPERVISOR_CPU_MAX - 1},
    {"sticky", value_read_bool, AT(sticky), 0, 0},
    {"unused_ok", value_read_bool, AT(unused_ok), 0, 0},
};

#define GIVEN_VALUE 0x20u

static void check_watch(lua_State *L, const char *path, uint64_t given, struct script_op *op)
{
    if (!(given & GIVEN_VALUE)) {
        value_error(L, path, "must give the value to be read");
    }
    if (op->size_bytes & (op->size_bytes - 1)) {
        value_error(L, path, "size must be 1, 2, 4 or 8, not %" PRIu64, op->size_bytes);
    }
    if (op->size_bytes < 8 && op->number >> (8 * op->size_bytes)) {
        value_error(L, path, "the value does not fit in %" PRIu64 " bytes", op->size_bytes);
    }
}

/* The site of that name, made when it is new. */
struct script_site *script_site_named(lua_State *L, struct script *script, const char *where,
                                      const char *path, const char *missed)
{
    struct script_site *site;

    for (size_t i = 0; i < script->site_count; i++) {
        if (strcmp(script->site[i]->where, where) == 0) {
            return script->site[i];
        }
    }
    if (script->site_count == SCRIPT_SITE_MAX) {
        value_error(L, path, "is written in more than %d places", SCRIPT_SITE_MAX);
    }
    site = calloc(1, sizeof(*site));
    if (!site) {
        value_error(L, path, "out of memory");
    }
    site->missed = missed;
    strncpy(site->where, where, sizeof(site->where) - 1);
    script->site[script->site_count++] = site;
    return site;
}

static bool apply_watch(lua_State *L, struct script *script, const struct script_op *op,
                        const char *path, const char *where)
{
    static const char *const missed[] = {
        "fired: the guest did not read it so often",
        "fired: the guest did not write it so often",
    };
    struct reply_watch watch = {
        .on_write = op->kind == SCRIPT_ON_WRITE,
        .one_vcpu = op->vcpu_given,
        .vcpu = (uint32_t)op->vcpu,
        .gpa = script_op_target(L, script, op, path, op->size_bytes),
        .size_bytes = (uint32_t)op->size_bytes,
        .nth = op->nth,
        .value = op->number,
        .sticky = op->sticky,
    };

    if ((watch.gpa & (SIZE_4K - 1)) + watch.size_bytes > SIZE_4K) {
        value_error(L, path, "0x%" PRIx64 ", %" PRIu32 " bytes: must not cross a page", watch.gpa,
                    watch.size_bytes);
    }
    script_op_check_vcpu(L, script, op, path);
    watch.owner = op->unused_ok ? NULL
                                : script_site_named(L, script, where, path,
                                                    missed[op->kind == SCRIPT_ON_WRITE]);
    return reply_watch_add(script->reply, &watch);
}

const struct script_op_row script_op_on_read = {
    .name = "on_read",
    .row = watch_rows,
    .count = sizeof(watch_rows) / sizeof(watch_rows[0]),
    .where = "gpa or region",
    .check = check_watch,
    .apply = apply_watch,
};
const struct script_op_row script_op_on_write = {
    .name = "on_write",
    .row = watch_rows,
    .count = sizeof(watch_rows) / sizeof(watch_rows[0]),
    .where = "gpa or region",
    .check = check_watch,
    .apply = apply_watch,
};
