/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of all tables but the one of accesses. */
#include <inttypes.h>
#include <string.h>

#include "coverage.h"
#include "ghcb/port.h"
#include "ghcb/table.h"
#include "psp/psp.h"
#include "trap/debug.h"
#include "trap/insn.h"
#include "trap/msr.h"

struct coverage_row *coverage_find(struct coverage *coverage, const char *key, size_t key_length)
{
    for (size_t i = 0; i < coverage->row_count; i++) {
        const char *have = coverage->row[i].key;

        if (strlen(have) == key_length && memcmp(have, key, key_length) == 0) {
            return &coverage->row[i];
        }
    }
    return NULL;
}

struct coverage_row *coverage_add(struct coverage *coverage, enum coverage_group group,
                                  const char *prefix, const char *name)
{
    static struct coverage_row overflow;
    struct coverage_row *row = &coverage->row[coverage->row_count];
    char key[COVERAGE_KEY_MAX];
    int length = snprintf(key, sizeof(key), "%s/%s", prefix, name);

    for (char *c = key; *c; c++) {
        *c = *c == ' ' ? '-' : *c;
    }
    if ((size_t)length >= sizeof(key) || coverage->row_count == COVERAGE_ROW_MAX) {
        coverage_mistake(coverage, "row %s/%s: no room for it", prefix, name);
        return &overflow;
    }
    if (coverage_find(coverage, key, strlen(key))) {
        coverage_mistake(coverage, "row %s: two rows have this key", key);
    }
    memcpy(row->key, key, sizeof(key));
    row->group = group;
    coverage->row_count++;
    return row;
}

static void add_exit(struct coverage *coverage, const struct exit_row *exit, bool coded)
{
    enum coverage_group group = exit->protocol == EXIT_MSR ? GROUP_MSR_PROTOCOL : GROUP_NAE;
    struct coverage_row *row = coverage_add(coverage, group, "exit", exit->name);

    row->source = exit->source;
    row->status = exit->flags & EXIT_UNMODELLED   ? STATUS_UNMODELLED
                  : exit->flags & EXIT_UNVERIFIED ? STATUS_UNVERIFIED
                                                  : STATUS_MODELLED;
    if (coded) {
        snprintf(row->code, sizeof(row->code),
                 exit->protocol == EXIT_MSR ? "0x%03" PRIx64 : "0x%" PRIx64, exit->code);
    } else {
        snprintf(row->code, sizeof(row->code), "others");
    }
}

static void add_exits(struct coverage *coverage, const struct exit_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        add_exit(coverage, &rows[i], true);
        for (size_t j = 0; j < i; j++) {
            if (rows[i].code == rows[j].code) {
                coverage_mistake(coverage,
                                 "rows exit/%s and exit/%s: two rows have the code 0x%" PRIx64,
                                 rows[j].name, rows[i].name, rows[i].code);
            }
        }
    }
}

static void add_msrs(struct coverage *coverage)
{
    for (size_t i = 0; i < msr_row_count; i++) {
        const struct msr_row *msr = &msr_rows[i];
        struct coverage_row *row = coverage_add(coverage, GROUP_MSR, "msr", msr->name);

        row->source = msr->source;
        row->status = msr->flags & MSR_UNVERIFIED ? STATUS_UNVERIFIED : STATUS_MODELLED;
        snprintf(row->does, sizeof(row->does), "%s",
                 msr->does ? msr->does : "keeps what is written");
        snprintf(row->code, sizeof(row->code), "0x%08" PRIx32, msr->index);
        for (size_t j = 0; j < i; j++) {
            if (msr->index == msr_rows[j].index) {
                coverage_mistake(coverage,
                                 "rows msr/%s and msr/%s: two rows have the number 0x%" PRIx32,
                                 msr_rows[j].name, msr->name, msr->index);
            }
        }
    }
}

static void add_insns(struct coverage *coverage)
{
    for (enum insn_id id = 0; id < INSN_COUNT; id++) {
        const struct insn_row *insn = &insn_rows[id];
        struct coverage_row *row = coverage_add(coverage, GROUP_INSN, "insn", insn_name(id));

        row->source = insn->source;
        row->status = !insn->handler || (insn->flags & INSN_UNMODELLED) ? STATUS_UNMODELLED
                      : insn->flags & INSN_UNVERIFIED                   ? STATUS_UNVERIFIED
                                                                        : STATUS_MODELLED;
        snprintf(row->does, sizeof(row->does), "%s", insn->does ? insn->does : "");
    }
}

static void add_debug(struct coverage *coverage)
{
    for (size_t i = 0; i < DEBUG_COUNT; i++) {
        const struct debug_row *debug = &debug_rows[i];
        struct coverage_row *row = coverage_add(coverage, GROUP_DEBUG, "debug", debug->name);

        row->source = debug->source;
        row->status = debug->flags & DEBUG_UNMODELLED ? STATUS_UNMODELLED
                      : debug->flags & DEBUG_GUESS    ? STATUS_UNVERIFIED
                                                      : STATUS_MODELLED;
        snprintf(row->does, sizeof(row->does), "%s", debug->does ? debug->does : "");
    }
}

/* Two devices at one port would hide each other. */
static void add_ports(struct coverage *coverage)
{
    for (size_t i = 0; i < port_row_count; i++) {
        const struct port_row *port = &port_rows[i];
        struct coverage_row *row = coverage_add(coverage, GROUP_PORT, "port", port->name);

        row->source = port->source;
        row->status = STATUS_MODELLED;
        snprintf(row->code, sizeof(row->code), "0x%" PRIx16 " to 0x%" PRIx16, port->first,
                 port->last);
        for (size_t j = 0; j < i; j++) {
            if (port->first <= port_rows[j].last && port_rows[j].first <= port->last) {
                coverage_mistake(coverage, "rows port/%s and port/%s: their ports overlap",
                                 port_rows[j].name, port->name);
            }
        }
    }
}

static void add_messages(struct coverage *coverage)
{
    struct psp_message_kind kind;

    for (size_t i = 0; psp_message_kind(i, &kind); i++) {
        struct coverage_row *row = coverage_add(coverage, GROUP_PSP, "psp", kind.name);

        row->source = kind.source;
        row->status = kind.answer ? STATUS_MODELLED : STATUS_UNMODELLED;
        snprintf(row->code, sizeof(row->code), "%u", kind.type);
        snprintf(row->does, sizeof(row->does), "%s", kind.answer ? kind.answer : "");
    }
}

void coverage_add_rows(struct coverage *coverage)
{
    add_exits(coverage, exit_msr_rows, exit_msr_row_count);
    add_exit(coverage, &exit_row_unknown_msr, false);
    add_exits(coverage, exit_nae_rows, exit_nae_row_count);
    add_exit(coverage, &exit_row_unknown_nae, false);
    add_exit(coverage, &exit_row_malformed, false);
    add_messages(coverage);
    add_msrs(coverage);
    add_insns(coverage);
    add_debug(coverage);
    add_ports(coverage);
    coverage_add_access(coverage);
}
