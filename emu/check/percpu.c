/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "check/percpu.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/msr.h"
#include "check/oracle_internal.h"

/* One thing that no two CPUs may share. 0 is none of its kind, but for IDs and indices. */
struct percpu_key {
    uint64_t value;
    size_t row;
};

static const struct percpu_column {
    const char *name;
    size_t offset, size_bytes; /* of the value, in struct percpu_row */
    bool zero_counts;
} columns[] = {
#define COLUMN(name, field, zero)                                                                  \
    {                                                                                              \
        name, offsetof(struct percpu_row, field), sizeof(((struct percpu_row *)0)->field), zero    \
    }
    COLUMN("APIC ID", apic_id, true),      COLUMN("index", index, true),
    COLUMN("GHCB", ghcb, false),           COLUMN("TSS", tss, false),
    COLUMN("save area", vmsa[0], false),   COLUMN("save area", vmsa[1], false),
    COLUMN("save area", vmsa[2], false),   COLUMN("save area", vmsa[3], false),
    COLUMN("calling area", caa[1], false), COLUMN("calling area", caa[2], false),
    COLUMN("calling area", caa[3], false),
#undef COLUMN
};
_Static_assert(VMPL_COUNT == 4, "columns has one row for each");

static uint64_t column_value(const struct percpu_column *column, const struct percpu_row *row)
{
    uint64_t value = 0;

    memcpy(&value, (const char *)row + column->offset, column->size_bytes);
    return value;
}

static int key_compare(const void *a, const void *b)
{
    const struct percpu_key *first = a, *second = b;

    if (first->value != second->value) {
        return first->value < second->value ? -1 : 1;
    }
    return first->row < second->row ? -1 : 1;
}

/* False when two rows share what the column names: the later one in *at. */
static bool column_ok(const struct percpu_column *column, const struct percpu_row *row,
                      size_t count, struct percpu_key *key, size_t *at, char *why, size_t size)
{
    bool ascending = true;
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t value = column_value(column, &row[i]);

        if (value || column->zero_counts) {
            ascending = ascending && (kept == 0 || key[kept - 1].value < value);
            key[kept++] = (struct percpu_key){value, i};
        }
    }
    if (ascending) {
        return true;
    }
    qsort(key, kept, sizeof(*key), key_compare);
    for (size_t i = 1; i < kept; i++) {
        if (key[i].value == key[i - 1].value) {
            *at = key[i].row;
            snprintf(why, size, "CPUs %zu and %zu have one %s", key[i - 1].row, key[i].row,
                     column->name);
            return false;
        }
    }
    return true;
}

static bool places_ok(const struct percpu_row *row, size_t count, size_t *at, char *why,
                      size_t size)
{
    for (size_t i = 0; i < count; i++) {
        if (row[i].index != i) {
            *at = i;
            snprintf(why, size, "CPU %zu has index %" PRIu32, i, row[i].index);
            return false;
        }
    }
    return true;
}

bool percpu_table_ok(const struct percpu_row *row, size_t count, uint32_t bsp_apic_id, size_t *at,
                     char *why, size_t size)
{
    struct percpu_key *key;
    bool ok = true;

    *at = 0;
    if (count == 0) {
        return true;
    }
    if (row[0].apic_id != bsp_apic_id) {
        snprintf(why, size, "CPU 0 has APIC ID %" PRIu32 ", the boot CPU's is %" PRIu32,
                 row[0].apic_id, bsp_apic_id);
        return false;
    }
    key = malloc(count * sizeof(*key));
    for (size_t i = 0; ok && key && i < sizeof(columns) / sizeof(columns[0]); i++) {
        ok = column_ok(&columns[i], row, count, key, at, why, size);
    }
    free(key);
    return ok && places_ok(row, count, at, why, size);
}

/* A GHCB that the guest registers must be shared already: the hypervisor cannot read it else. It
   may have made it so itself, though. */
void percpu_exit(struct oracles *oracles, const struct exit *exit)
{
    uint64_t gpa = exit->msr & ~GHCB_MSR_INFO_MASK;
    struct oracle_hit hit = {
        .kind = ORACLE_PERCPU, .vcpu = exit->vcpu, .retired = exit->time, .gpa = gpa};

    if (exit->protocol == EXIT_MSR && (exit->msr & GHCB_MSR_INFO_MASK) == GHCB_MSR_REGISTER_REQ &&
        !oracles->ops.shared_page(oracles->ops.context, gpa) &&
        !oracles->ops.host_fault(oracles->ops.context, gpa)) {
        snprintf(hit.what, sizeof(hit.what), "a GHCB is registered that is not shared");
        oracles_report(oracles, &hit);
    }
}
