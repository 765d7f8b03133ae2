/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the debugger has changed, in the order of positions. A run that comes by again does it
 * again; a change where the run has gone back to makes all later ones void, for they were made in
 * another future.
 */
#include <stdlib.h>
#include <string.h>

#include "gdb/internal.h"

static bool edit_carry_out(struct gdb *gdb, const struct gdb_edit *edit)
{
    struct gdb_cpu cpu;

    gdb->seen_known = false;
    if (edit->memory) {
        return gdb_memory_write(gdb->run, edit->vcpu, edit->gva, edit->bytes, edit->size_bytes);
    }
    return gdb_cpu_take(gdb->run, edit->vcpu, &cpu) &&
           gdb_register_set(&cpu, (size_t)edit->gva, edit->bytes) && gdb_cpu_give(gdb->run, &cpu);
}

static void edits_drop_from(struct gdb *gdb, size_t first)
{
    for (size_t i = first; i < gdb->edit_count; i++) {
        free(gdb->edit[i].bytes);
    }
    gdb->edit_count = first;
}

static bool edit_add(struct gdb *gdb, struct gdb_edit edit, const void *bytes)
{
    edit.at = run_position(gdb->run);
    if (run_outcome(gdb->run)->kind != OUTCOME_NONE || gdb->edit_next == GDB_EDIT_MAX) {
        return false;
    }
    edit.bytes = malloc(edit.size_bytes + 1);
    if (!edit.bytes) {
        return false;
    }
    memcpy(edit.bytes, bytes, edit.size_bytes);
    if (!edit_carry_out(gdb, &edit)) {
        free(edit.bytes);
        return false;
    }
    edits_drop_from(gdb, gdb->edit_next);
    gdb->edit[gdb->edit_count++] = edit;
    gdb->edit_next = gdb->edit_count;
    gdb->trail_count = 0;
    gdb_watcher_branch(gdb);
    return true;
}

bool gdb_edit_memory(struct gdb *gdb, uint32_t vcpu, uint64_t gva, const void *bytes, size_t size)
{
    const struct gdb_edit edit = {.memory = true, .vcpu = vcpu, .gva = gva, .size_bytes = size};

    return edit_add(gdb, edit, bytes);
}

bool gdb_edit_register(struct gdb *gdb, uint32_t vcpu, size_t number, const uint8_t *bytes)
{
    const struct gdb_edit edit = {.vcpu = vcpu, .gva = number, .size_bytes = GDB_REGISTER_MAX};

    return edit_add(gdb, edit, bytes);
}

void gdb_edits_redo(struct gdb *gdb, struct run_position now)
{
    while (gdb->edit_next < gdb->edit_count &&
           run_position_compare(gdb->edit[gdb->edit_next].at, now) <= 0) {
        edit_carry_out(gdb, &gdb->edit[gdb->edit_next++]);
    }
}

uint64_t gdb_edits_due(const struct gdb *gdb)
{
    return gdb->edit_next < gdb->edit_count ? gdb->edit[gdb->edit_next].at.retired : UINT64_MAX;
}

void gdb_edits_free(struct gdb *gdb)
{
    edits_drop_from(gdb, 0);
}
