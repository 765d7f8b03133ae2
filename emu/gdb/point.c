/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Breakpoints and watchpoints. gdb takes all away at each stop and sets them again, so the vCPU
 * learns of them only when the run goes on. What is watched is memory: the page that the address
 * leads to when the watchpoint is set, whoever reaches it by whichever address.
 */
#include <string.h>

#include "gdb/internal.h"

static bool point_is_code(enum gdb_point_kind kind)
{
    return kind == GDB_POINT_SOFTWARE || kind == GDB_POINT_HARDWARE;
}

/* Where what is watched lies. False: it is not mapped. */
static bool point_resolve(struct gdb *gdb, struct gdb_point *point)
{
    struct machine *machine = run_machine(gdb->run);
    struct mmu_context context;
    struct gdb_cpu cpu;
    uint64_t done = 0;

    if (!gdb_cpu_take(gdb->run, gdb->general, &cpu)) {
        return false;
    }
    gdb_cpu_context(&cpu, &context);
    point->piece_count = 0;
    while (done < point->size_bytes) {
        struct gdb_piece *piece = &point->piece[point->piece_count++];
        uint64_t gva = point->gva + done, gpa, left = PAGE_SIZE - (gva & PAGE_MASK);

        if (!mmu_peek_gpa(&machine->mmu, &context, gva, &gpa)) {
            return false;
        }
        left = left < point->size_bytes - done ? left : point->size_bytes - done;
        piece->page = memory_page(&machine->memory, gpa);
        piece->offset = gpa & PAGE_MASK;
        piece->size_bytes = (uint32_t)left;
        if (piece->page == MEMORY_NO_PAGE) {
            return false;
        }
        done += left;
    }
    return true;
}

static struct gdb_point *point_find(struct gdb *gdb, enum gdb_point_kind kind, uint64_t gva,
                                    uint64_t size)
{
    for (size_t i = 0; i < GDB_POINT_MAX; i++) {
        struct gdb_point *point = &gdb->point[i];

        if ((point->wanted || point->armed) && point->kind == kind && point->gva == gva &&
            (point_is_code(kind) || point->size_bytes == size)) {
            return point;
        }
    }
    return NULL;
}

bool gdb_point_add(struct gdb *gdb, enum gdb_point_kind kind, uint64_t gva, uint64_t size)
{
    struct gdb_point *point = point_find(gdb, kind, gva, size);

    if (point) {
        point->wanted = true;
        return true;
    }
    if (!point_is_code(kind) && (size == 0 || size > GDB_WATCH_BYTES_MAX)) {
        return false;
    }
    for (size_t i = 0; i < GDB_POINT_MAX; i++) {
        point = &gdb->point[i];
        if (!point->wanted && !point->armed) {
            *point = (struct gdb_point){.kind = kind, .gva = gva, .size_bytes = size, .gdb = gdb};
            point->wanted = point_is_code(kind) || point_resolve(gdb, point);
            return point->wanted;
        }
    }
    return false;
}

void gdb_point_remove(struct gdb *gdb, enum gdb_point_kind kind, uint64_t gva, uint64_t size)
{
    struct gdb_point *point = point_find(gdb, kind, gva, size);

    if (point) {
        point->wanted = false;
    }
}

void gdb_point_remove_all(struct gdb *gdb)
{
    for (size_t i = 0; i < GDB_POINT_MAX; i++) {
        gdb->point[i].wanted = false;
    }
}

static bool point_probed(void *context, const struct vcpu_probed *probed)
{
    struct gdb_point *point = context;

    point->touched = true;
    return gdb_shown(point->gdb, point, probed);
}

static int point_arm(struct gdb *gdb, struct gdb_point *point, struct error *error)
{
    static const enum vcpu_probe_kind kinds[] = {
        [GDB_POINT_WRITE] = VCPU_PROBE_CHANGE,
        [GDB_POINT_READ] = VCPU_PROBE_READ,
        [GDB_POINT_ACCESS] = VCPU_PROBE_ACCESS,
    };
    struct vcpu *vcpu = run_machine(gdb->run)->vcpu;
    int status = 0;

    if (point_is_code(point->kind)) {
        status = vcpu_probe_code(vcpu, point->gva, point_probed, point, &point->probe, error);
    }
    for (size_t i = 0; status == 0 && i < point->piece_count; i++) {
        struct gdb_piece *piece = &point->piece[i];

        status = vcpu_probe_memory(vcpu, kinds[point->kind], piece->page, piece->offset,
                                   piece->size_bytes, point_probed, point, &piece->probe, error);
    }
    point->armed = status == 0;
    return status;
}

static void point_disarm(struct gdb *gdb, struct gdb_point *point)
{
    struct vcpu *vcpu = run_machine(gdb->run)->vcpu;

    if (point_is_code(point->kind)) {
        vcpu_probe_drop(vcpu, point->probe);
    }
    for (size_t i = 0; i < point->piece_count; i++) {
        vcpu_probe_drop(vcpu, point->piece[i].probe);
    }
    point->armed = false;
}

int gdb_points_arm(struct gdb *gdb, struct error *error)
{
    int status = 0;

    for (size_t i = 0; i < GDB_POINT_MAX; i++) {
        if (gdb->point[i].armed && !gdb->point[i].wanted) {
            point_disarm(gdb, &gdb->point[i]);
        }
    }
    for (size_t i = 0; status == 0 && i < GDB_POINT_MAX; i++) {
        if (gdb->point[i].wanted && !gdb->point[i].armed) {
            status = point_arm(gdb, &gdb->point[i], error);
            gdb->seen_known = false;
        }
    }
    return status;
}

/* What stands there now. A page that nobody has touched holds nothing yet. */
static void point_bytes(struct gdb *gdb, const struct gdb_point *point,
                        uint8_t bytes[GDB_WATCH_BYTES_MAX])
{
    const struct memory *memory = &run_machine(gdb->run)->memory;
    size_t done = 0;

    memset(bytes, 0, GDB_WATCH_BYTES_MAX);
    for (size_t i = 0; i < point->piece_count; i++) {
        const struct gdb_piece *piece = &point->piece[i];

        if (memory->flags[piece->page] & MEMORY_TOUCHED) {
            memcpy(bytes + done, memory->ram + ((size_t)piece->page << PAGE_SHIFT) + piece->offset,
                   piece->size_bytes);
        }
        done += piece->size_bytes;
    }
}

void gdb_points_settle(struct gdb *gdb)
{
    for (size_t i = 0; i < GDB_POINT_MAX; i++) {
        struct gdb_point *point = &gdb->point[i];

        if (point->armed && point->touched) {
            point_bytes(gdb, point, point->seen);
            point->touched = false;
        }
    }
}

const struct gdb_point *gdb_points_look(struct gdb *gdb, const struct gdb_point *only)
{
    const struct gdb_point *changed = NULL;

    for (size_t i = 0; i < GDB_POINT_MAX; i++) {
        struct gdb_point *point = &gdb->point[i];
        uint8_t bytes[GDB_WATCH_BYTES_MAX];

        if (!point->armed || point->piece_count == 0 || point->kind == GDB_POINT_READ) {
            continue;
        }
        point_bytes(gdb, point, bytes);
        if (gdb->seen_known && !changed && (!only || point == only) &&
            memcmp(bytes, point->seen, point->size_bytes) != 0) {
            changed = point;
        }
        memcpy(point->seen, bytes, sizeof(bytes));
    }
    gdb->seen_known = true;
    return changed;
}
