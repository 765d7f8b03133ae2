/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The actions of a reply that take a table of arguments: reading it, and adding it to the reply.
 * The same code serves reply:write{...} in a function and write = {...} in a plain table.
 */
#include <inttypes.h>
#include <string.h>

#include "abi/nae.h"
#include "host/script.h"
#include "host/value.h"

#define ROWS(rows) (rows), sizeof(rows) / sizeof((rows)[0])
#define AT(field) offsetof(struct script_op, field)
#define SIZE_4K 0x1000ULL
#define SIZE_2M 0x200000ULL
#define OFFSET_MAX (SCRIPT_GPA_LIMIT - 1)

struct region_row {
    const char *name;
    enum script_place place;
};

static const struct region_row region_rows[] = {
    {"list", PLACE_LIST},       {"ghcb", PLACE_GHCB},         {"scratch", PLACE_SCRATCH},
    {"request", PLACE_REQUEST}, {"response", PLACE_RESPONSE}, {"certificates", PLACE_CERTIFICATES},
};

#define REGION_COUNT (sizeof(region_rows) / sizeof(region_rows[0]))

static const char *region_name_at(const void *names, size_t i)
{
    (void)names;
    return i < REGION_COUNT ? region_rows[i].name : NULL;
}

void script_op_read_region(lua_State *L, const char *path, const struct value_row *row,
                           void *target)
{
    struct script_op *op = target;
    const char *name = value_text(L, -1, path, 64);

    (void)row;
    for (size_t i = 0; i < REGION_COUNT; i++) {
        if (strcmp(region_rows[i].name, name) == 0) {
            op->place = region_rows[i].place;
            return;
        }
    }
    value_unknown_name(L, path, "region", name, region_name_at, NULL);
}

void script_op_read_entry(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct script_op *op = target;

    value_read_u64(L, path, row, target);
    op->place = PLACE_ENTRY;
}

/* Whether there is such a vCPU shows when the action is carried out. */
void script_op_read_vcpu(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct script_op *op = target;

    value_read_u64(L, path, row, target);
    op->vcpu_given = true;
}

void script_op_check_vcpu(lua_State *L, const struct script *script, const struct script_op *op,
                          const char *path)
{
    script_op_check_vcpu_number(L, script, op->vcpu_given ? op->vcpu : 0, path);
}

void script_op_check_vcpu_number(lua_State *L, const struct script *script, uint64_t number,
                                 const char *path)
{
    uint32_t count = script->hypervisor->vcpus.count;

    if (number >= count) {
        value_error(L, path, "there is no vCPU %" PRIu64 ": they are numbered from 0 to %" PRIu32,
                    number, count - 1);
    }
}

void script_op_read_page_size(lua_State *L, const char *path, const struct value_row *row,
                              void *target)
{
    struct script_op *op = target;
    const char *size = value_text(L, -1, path, 16);

    (void)row;
    if (strcmp(size, "4k") != 0 && strcmp(size, "2m") != 0) {
        value_error(L, path, "must be \"4k\" or \"2m\", not \"%s\"", size);
    }
    op->size_bytes = size[0] == '4' ? SIZE_4K : SIZE_2M;
}

static void read_bytes(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct script_op *op = target;

    (void)row;
    if (lua_type(L, -1) != LUA_TSTRING) {
        value_error(L, path, "must be a text of the bytes, not a %s",
                    lua_typename(L, lua_type(L, -1)));
    }
    op->bytes = lua_tolstring(L, -1, &op->byte_count);
    if (op->byte_count == 0) {
        value_error(L, path, "must not be empty");
    }
}

/* A number whose row says its largest value, and so its size. */
static void read_number(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct script_op *op = target;

    value_read_u64(L, path, row, target);
    op->byte_count = row->max == UINT8_MAX    ? 1
                     : row->max == UINT16_MAX ? 2
                     : row->max == UINT32_MAX ? 4
                                              : 8;
}

/* In each table with a place the first two rows say where. */
#define GIVEN_WHERE 3u

static const struct value_row write_rows[] = {
    {"gpa", value_read_u64, AT(gpa), 0, OFFSET_MAX},
    {"region", script_op_read_region, 0, 0, 0},
    {"offset", value_read_u64, AT(offset), 0, OFFSET_MAX},
    {"bytes", read_bytes, 0, 0, 0},
    {"u8", read_number, AT(number), 0, UINT8_MAX},
    {"u16", read_number, AT(number), 0, UINT16_MAX},
    {"u32", read_number, AT(number), 0, UINT32_MAX},
    {"u64", read_number, AT(number), 0, UINT64_MAX},
};

#define GIVEN_CONTENT 0xF8u

static const struct value_row page_rows[] = {
    {"gpa", value_read_u64, AT(gpa), 0, OFFSET_MAX},
    {"entry", script_op_read_entry, AT(entry), 1, PSC_ENTRY_MAX},
    {"size", script_op_read_page_size, 0, 0, 0},
};

static void check_write(lua_State *L, const char *path, uint64_t given, struct script_op *op)
{
    uint64_t content = given & GIVEN_CONTENT;

    (void)op;
    if (content == 0 || (content & (content - 1))) {
        value_error(L, path, "must give one of bytes, u8, u16, u32, u64");
    }
}

/* A page of a guest request: SW_EXITINFO1, SW_EXITINFO2, or RAX of the extended one. */
static uint64_t message_gpa(lua_State *L, const struct exit *exit, enum script_place place,
                            const char *path)
{
    bool extended = exit->row->code == NAE_EXT_GUEST_REQUEST;

    if (exit->protocol != EXIT_PAGE || !(exit->row->flags & EXIT_MESSAGE)) {
        value_error(L, path,
                    "this region exists in guest_request and ext_guest_request exits only");
    }
    if (place == PLACE_CERTIFICATES && !(extended && exit_marked(exit, FIELD_RAX))) {
        value_error(L, path, "the guest lends no pages for certificates in this exit");
    }
    return exit_field(exit, place == PLACE_REQUEST    ? FIELD_INFO1
                            : place == PLACE_RESPONSE ? FIELD_INFO2
                                                      : FIELD_RAX);
}

/* Where the place starts in this exit. `size_bytes`: the size of a page state change's entry. */
static uint64_t place_gpa(lua_State *L, const struct script *script, const struct script_op *op,
                          const char *path, uint64_t *size_bytes)
{
    const struct exit *exit = script->exit;
    uint64_t entry;

    *size_bytes = SIZE_4K;
    switch (op->place) {
    case PLACE_GPA:
        return op->gpa;
    case PLACE_ENTRY:
        if (!script_psc_entry(exit, op->entry - 1, &entry)) {
            value_error(L, path, "this exit has no page state change entry %" PRIu64, op->entry);
        }
        *size_bytes = entry & PSC_PAGE_SIZE_2M ? SIZE_2M : SIZE_4K;
        return entry & PSC_GPA_MASK;
    case PLACE_LIST:
        if (exit->protocol != EXIT_PAGE || exit->row->code != NAE_APIC_ID_LIST) {
            value_error(L, path, "region \"list\" exists in an apic_id_list exit only");
        }
        if (exit_field(exit, FIELD_INFO1) == 0) {
            value_error(L, path, "the guest lends no list in this exit (info1 is 0)");
        }
        return exit_field(exit, FIELD_INFO1);
    case PLACE_REQUEST:
    case PLACE_RESPONSE:
    case PLACE_CERTIFICATES:
        return message_gpa(L, exit, op->place, path);
    case PLACE_GHCB:
        script_need_page(L, script, path);
        return exit->ghcb_gpa;
    default:
        script_need_page(L, script, path);
        if (!exit_marked(exit, FIELD_SCRATCH)) {
            value_error(L, path, "the guest marked no scratch area in this exit");
        }
        return exit_field(exit, FIELD_SCRATCH);
    }
}

/* The GPA of the first of `size_bytes` bytes at the place and offset. */
uint64_t script_op_target(lua_State *L, const struct script *script, const struct script_op *op,
                          const char *path, uint64_t size_bytes)
{
    uint64_t ignored;
    uint64_t gpa = place_gpa(L, script, op, path, &ignored);

    if (gpa >= SCRIPT_GPA_LIMIT || op->offset > SCRIPT_GPA_LIMIT - gpa ||
        size_bytes > SCRIPT_GPA_LIMIT - gpa - op->offset) {
        value_error(L, path, "0x%" PRIx64 " + 0x%" PRIx64 " lies above 52-bit addresses", gpa,
                    op->offset);
    }
    return gpa + op->offset;
}

static bool apply_write(lua_State *L, struct script *script, const struct script_op *op,
                        const char *path, const char *where)
{
    uint64_t gpa = script_op_target(L, script, op, path, op->byte_count);
    uint8_t number[8];

    (void)where;
    if (op->bytes) {
        return reply_write(script->reply, gpa, op->bytes, op->byte_count);
    }
    for (size_t i = 0; i < sizeof(number); i++) {
        number[i] = (uint8_t)(op->number >> (8 * i));
    }
    return reply_write(script->reply, gpa, number, op->byte_count);
}

/* A size that the script gives beats that of the entry. */
uint64_t script_op_page(lua_State *L, const struct script *script, const struct script_op *op,
                        const char *path, uint64_t *size_bytes)
{
    uint64_t gpa = place_gpa(L, script, op, path, size_bytes);

    *size_bytes = op->size_bytes ? op->size_bytes : *size_bytes;
    if (gpa & (*size_bytes - 1)) {
        value_error(L, path, "0x%" PRIx64 " is not aligned to its page size", gpa);
    }
    return gpa;
}

static bool apply_assign(lua_State *L, struct script *script, const struct script_op *op,
                         const char *path, const char *where)
{
    uint64_t size_bytes;
    uint64_t gpa = script_op_page(L, script, op, path, &size_bytes);

    (void)where;
    return op->kind == SCRIPT_ASSIGN ? reply_assign(script->reply, gpa, size_bytes)
                                     : reply_unassign(script->reply, gpa, size_bytes);
}

/* ---- the kinds of actions ---- */

static const struct script_op_row skip_page_op = {"skip_page", ROWS(page_rows), "gpa or entry",
                                                  NULL, NULL};
static const struct script_op_row write_op = {"write", ROWS(write_rows), "gpa or region",
                                              check_write, apply_write};
static const struct script_op_row assign_op = {"assign", ROWS(page_rows), "gpa or entry", NULL,
                                               apply_assign};
static const struct script_op_row unassign_op = {"unassign", ROWS(page_rows), "gpa or entry", NULL,
                                                 apply_assign};

static const struct script_op_row *const op_rows[SCRIPT_OP_KIND_COUNT] = {
    [SCRIPT_SKIP_PAGE] = &skip_page_op,
    [SCRIPT_WRITE] = &write_op,
    [SCRIPT_ASSIGN] = &assign_op,
    [SCRIPT_UNASSIGN] = &unassign_op,
    [SCRIPT_ON_READ] = &script_op_on_read,
    [SCRIPT_ON_WRITE] = &script_op_on_write,
    [SCRIPT_RMPUPDATE] = &script_op_rmpupdate,
    [SCRIPT_PSMASH] = &script_op_psmash,
    [SCRIPT_REMAP] = &script_op_remap,
    [SCRIPT_SWAP] = &script_op_swap,
    [SCRIPT_INJECT] = &script_op_inject,
    [SCRIPT_DOORBELL] = &script_op_doorbell,
    [SCRIPT_RUN_VCPU] = &script_op_run_vcpu,
    [SCRIPT_STOP_VCPU] = &script_op_stop_vcpu,
    [SCRIPT_RUN_VMPL] = &script_op_run_vmpl,
    [SCRIPT_REPLAY] = &script_op_replay,
};

const char *script_op_name(enum script_op_kind kind)
{
    return op_rows[kind]->name;
}

void script_op_read(lua_State *L, const char *path, enum script_op_kind kind, struct script_op *op)
{
    const struct script_op_row *row;
    uint64_t given;

    if (kind == SCRIPT_AFTER) {
        script_after_read(L, path, op);
        return;
    }
    row = op_rows[kind];
    memset(op, 0, sizeof(*op));
    op->kind = kind;
    op->nth = 1;
    op->sticky = true;
    op->assigned = true;
    if (kind == SCRIPT_ON_READ || kind == SCRIPT_ON_WRITE) {
        op->size_bytes = 4;
    }
    given = value_table(L, -1, path, row->row, row->count, op);
    if (row->where && ((given & GIVEN_WHERE) == 0 || (given & GIVEN_WHERE) == GIVEN_WHERE)) {
        value_error(L, path, "must say where: %s, one of the two", row->where);
    }
    if (row->check) {
        row->check(L, path, given, op);
    }
}

size_t script_op_apply(lua_State *L, struct script *script, const struct script_op *op,
                       const char *path, const char *where)
{
    size_t first = script->reply->action_count;

    if (op->kind == SCRIPT_SKIP_PAGE) {
        uint64_t size_bytes;
        uint64_t gpa = script_op_page(L, script, op, path, &size_bytes);

        return reply_drop_page_state(script->reply, gpa, size_bytes);
    }
    if (!op_rows[op->kind]->apply(L, script, op, path, where)) {
        value_error(L, path, "the reply is full (%d actions, %u KiB of bytes)", REPLY_ACTION_MAX,
                    REPLY_DATA_MAX >> 10);
    }
    if (op->delay.instructions) {
        script_after_apply(L, script, op, path, where, first);
    }
    return 1;
}
