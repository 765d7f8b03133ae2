/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine/rmp.c, with the nested map that machine/machine.c changes, against the model of
 * rmp_model.c: random operations, both sides compared after each
 * one and as a whole after each sequence. A mismatch is printed as the shortest sequence that still
 * shows it.
 *
 *   SNPEMU_RMP_MODEL_SEED       first seed; sequence i has seed + i (default 1)
 *   SNPEMU_RMP_MODEL_SEQUENCES  how many (default 10000, of 100 operations each)
 *   SNPEMU_RMP_MODEL_ERROR      plant error number N (enum model_error): the test must then fail
 */
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/machine.h"
#include "rmp_model.h"

#define OPERATIONS 100 /* of one sequence */
#define SHRUNK_MAX 6   /* operations that a planted error may need to show */

#define SEQUENCES 10000

enum op_kind {
    OP_ASSIGN,
    OP_UNASSIGN,
    OP_PSMASH,
    OP_LAUNCH,
    OP_UPDATE,
    OP_RECLAIM,
    OP_REMAP,
    OP_SWAP,
    OP_ASSIGN_GPA,
    OP_UNASSIGN_GPA,
    OP_VALIDATE,
    OP_ADJUST,
    OP_CHECK,
    OP_KIND_COUNT,
};

struct op {
    enum op_kind kind;
    struct rmp_place place;
    uint32_t other;   /* guest page, of remap and swap */
    bool through_map; /* the place is where the nested map leads place.guest_page to */
    bool large, validate, private_access, user;
    unsigned vmpl;
    enum rmp_access access;
    uint64_t operand;
    struct rmp_state state;
};

/* One run of a sequence on both sides. */
struct duel {
    struct machine *machine;
    struct model model;
    uint64_t met[OP_KIND_COUNT][RMP_NPF_VMPL + 1]; /* bit status * 2 + flag of the answers */
    bool met_moved;       /* an operation through an address that the host had moved */
    char difference[512]; /* of the operation that failed */
};

/* ---- making operations ---- */

/* xorshift64*; the state is never zero. */
static uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1DULL;
}

static uint32_t random_below(uint64_t *state, uint32_t limit)
{
    return (uint32_t)((random_next(state) >> 32) * limit >> 32);
}

static bool random_chance(uint64_t *state, uint32_t percent)
{
    return random_below(state, 100) < percent;
}

/* Few pages, so that operations meet; the ends of both regions are among them. */
static uint32_t random_page(uint64_t *state, bool large)
{
    static const uint32_t favourites[] = {0, 1, 2, 511, 512, 513, 1023};

    if (large) {
        return random_chance(state, 50) ? 0 : 512;
    }
    if (random_chance(state, 10)) {
        return random_below(state, MODEL_PAGES);
    }
    return favourites[random_below(state, sizeof(favourites) / sizeof(favourites[0]))];
}

static uint64_t random_operand(uint64_t *state)
{
    uint64_t operand = random_below(state, VMPL_COUNT + 1);
    uint64_t mask = random_chance(state, 30)   ? RMP_PERM_ALL
                    : random_chance(state, 30) ? 0
                                               : random_below(state, 32);

    operand |= mask << RMPADJUST_PERM_SHIFT;
    operand |= random_chance(state, 30) ? RMPADJUST_VMSA : 0;
    if (random_chance(state, 5)) {
        operand ^= 1ULL << random_below(state, 64);
    }
    return operand;
}

/* Mostly states that a host uses; sometimes any combination of fields. */
static struct rmp_state random_state(uint64_t *state, uint32_t home, bool large)
{
    struct rmp_state out = {.large = large};

    if (random_chance(state, 20)) {
        out.assigned = random_chance(state, 50);
        out.immutable = random_chance(state, 50);
        out.asid = (uint16_t)random_below(state, 3);
        out.guest_page = random_below(state, MODEL_PAGES);
        return out;
    }
    out.assigned = random_chance(state, 75);
    if (!out.assigned) {
        out.immutable = random_chance(state, 10);
        return out;
    }
    if (random_chance(state, 20)) { /* to the AMD-SP */
        out.immutable = true;
        out.asid = RMP_ASID_SP;
        return out;
    }
    out.immutable = random_chance(state, 10);
    out.asid = random_chance(state, 80) ? RMP_ASID_GUEST : 2;
    out.guest_page = random_chance(state, 60) ? home : random_page(state, large);
    return out;
}

static struct op random_op(uint64_t *state)
{
    static const uint8_t weight[OP_KIND_COUNT] = {
        [OP_ASSIGN] = 11,    [OP_UNASSIGN] = 6,     [OP_PSMASH] = 3,    [OP_LAUNCH] = 4,
        [OP_UPDATE] = 10,    [OP_RECLAIM] = 4,      [OP_REMAP] = 1,     [OP_SWAP] = 2,
        [OP_ASSIGN_GPA] = 3, [OP_UNASSIGN_GPA] = 2, [OP_VALIDATE] = 18, [OP_ADJUST] = 18,
        [OP_CHECK] = 18,
    };
    uint32_t pick = random_below(state, 100);
    struct op op = {0};

    for (uint32_t sum = weight[0]; pick >= sum && op.kind + 1 < OP_KIND_COUNT;) {
        sum += weight[++op.kind];
    }
    op.large = random_chance(state, 25) && op.kind != OP_CHECK;
    /* RMPUPDATE alone says itself that a 2 MiB page is not aligned. */
    op.place.page =
        random_page(state, op.large && (op.kind != OP_UPDATE || random_chance(state, 90)));
    op.place.guest_page = random_chance(state, 85) ? op.place.page : random_page(state, op.large);
    op.place.nested_small = random_chance(state, 10);
    op.through_map = op.kind >= OP_VALIDATE && random_chance(state, 50);
    op.other = random_page(state, false);
    op.validate = random_chance(state, 70);
    op.private_access = random_chance(state, 80);
    op.user = random_chance(state, 50);
    op.vmpl = random_chance(state, 50) ? 0 : random_below(state, VMPL_COUNT);
    op.access = (enum rmp_access)random_below(state, RMP_WALK + 1);
    op.operand = random_operand(state);
    op.state = random_state(state, op.place.page, op.large);
    return op;
}

static void sequence_make(struct op *op, uint64_t seed)
{
    uint64_t state = (seed + 1) * 0x9E3779B97F4A7C15ULL;

    state = state ? state : 1;
    for (size_t i = 0; i < OPERATIONS; i++) {
        op[i] = random_op(&state);
    }
}

/* ---- the emulator's side, by the functions that its other rooms call ---- */

static bool at_home(const struct op *op)
{
    return op->place.guest_page == op->place.page && !op->place.nested_small;
}

static struct model_answer emulate_assign(struct machine *machine, const struct op *op)
{
    return (struct model_answer){.flag = rmp_assign(&machine->rmp, op->place.page, op->large)};
}

static struct model_answer emulate_unassign(struct machine *machine, const struct op *op)
{
    return (struct model_answer){.flag = rmp_unassign(&machine->rmp, op->place.page)};
}

static struct model_answer emulate_psmash(struct machine *machine, const struct op *op)
{
    rmp_psmash(&machine->rmp, op->place.page);
    return (struct model_answer){0};
}

static struct model_answer emulate_launch(struct machine *machine, const struct op *op)
{
    rmp_launch(&machine->rmp, op->place.page);
    return (struct model_answer){0};
}

static struct model_answer emulate_update(struct machine *machine, const struct op *op)
{
    return (struct model_answer){.status = rmp_update(&machine->rmp, op->place.page, &op->state)};
}

static struct model_answer emulate_reclaim(struct machine *machine, const struct op *op)
{
    return (struct model_answer){.flag = rmp_reclaim(&machine->rmp, op->place.page)};
}

static uint64_t page_gpa(uint32_t guest_page)
{
    return (uint64_t)guest_page << PAGE_SHIFT;
}

static struct model_answer emulate_remap(struct machine *machine, const struct op *op)
{
    struct error error;

    ck_assert_int_eq(
        machine_remap(machine, page_gpa(op->place.guest_page), page_gpa(op->other), &error), 0);
    return (struct model_answer){0};
}

static struct model_answer emulate_swap(struct machine *machine, const struct op *op)
{
    struct error error;

    ck_assert_int_eq(
        machine_swap(machine, page_gpa(op->place.guest_page), page_gpa(op->other), &error), 0);
    return (struct model_answer){0};
}

static struct model_answer emulate_assign_gpa(struct machine *machine, const struct op *op)
{
    machine_assign_gpa(machine, page_gpa(op->place.guest_page), op->large);
    return (struct model_answer){0};
}

static struct model_answer emulate_unassign_gpa(struct machine *machine, const struct op *op)
{
    machine_unassign_gpa(machine, page_gpa(op->place.guest_page));
    return (struct model_answer){0};
}

static struct model_answer emulate_validate(struct machine *machine, const struct op *op)
{
    struct rmp *rmp = &machine->rmp;
    struct model_answer answer = {.status = 99, .flag = true};

    answer.result = at_home(op) ? rmp_validate(rmp, op->place.page, op->large, op->validate,
                                               &answer.status, &answer.flag)
                                : rmp_validate_place(rmp, &op->place, op->large, op->validate,
                                                     &answer.status, &answer.flag);
    /* The status means something after RMP_OK, CF with status 0. */
    answer.status = answer.result == RMP_OK ? answer.status : 0;
    answer.flag = answer.result == RMP_OK && answer.status == RMP_SUCCESS && answer.flag;
    return answer;
}

static struct model_answer emulate_adjust(struct machine *machine, const struct op *op)
{
    struct rmp *rmp = &machine->rmp;
    struct model_answer answer = {.status = 99};

    answer.result =
        at_home(op)
            ? rmp_adjust(rmp, op->place.page, op->large, op->vmpl, op->operand, &answer.status)
            : rmp_adjust_place(rmp, &op->place, op->large, op->vmpl, op->operand, &answer.status);
    answer.status = answer.result == RMP_OK ? answer.status : 0;
    return answer;
}

static struct model_answer emulate_check(struct machine *machine, const struct op *op)
{
    struct rmp *rmp = &machine->rmp;
    struct model_answer answer = {0};

    answer.result =
        at_home(op)
            ? rmp_check(rmp, op->place.page, op->access, op->private_access, op->vmpl, op->user)
            : rmp_check_place(rmp, &op->place, op->access, op->private_access, op->vmpl, op->user);
    return answer;
}

/* ---- the model's side ---- */

static struct model_answer expect_assign(struct model *model, const struct op *op)
{
    return model_assign(model, op->place.page, op->large);
}

static struct model_answer expect_unassign(struct model *model, const struct op *op)
{
    return model_unassign(model, op->place.page);
}

static struct model_answer expect_psmash(struct model *model, const struct op *op)
{
    return model_psmash(model, op->place.page);
}

static struct model_answer expect_launch(struct model *model, const struct op *op)
{
    return model_launch(model, op->place.page);
}

static struct model_answer expect_update(struct model *model, const struct op *op)
{
    return model_update(model, op->place.page, &op->state);
}

static struct model_answer expect_reclaim(struct model *model, const struct op *op)
{
    return model_reclaim(model, op->place.page);
}

static struct model_answer expect_remap(struct model *model, const struct op *op)
{
    return model_remap(model, op->place.guest_page, op->other);
}

static struct model_answer expect_swap(struct model *model, const struct op *op)
{
    return model_swap(model, op->place.guest_page, op->other);
}

static struct model_answer expect_assign_gpa(struct model *model, const struct op *op)
{
    return model_assign_gpa(model, op->place.guest_page, op->large);
}

static struct model_answer expect_unassign_gpa(struct model *model, const struct op *op)
{
    return model_unassign_gpa(model, op->place.guest_page);
}

static struct model_answer expect_validate(struct model *model, const struct op *op)
{
    return model_validate(model, &op->place, op->large, op->validate);
}

static struct model_answer expect_adjust(struct model *model, const struct op *op)
{
    return model_adjust(model, &op->place, op->large, op->vmpl, op->operand);
}

static struct model_answer expect_check(struct model *model, const struct op *op)
{
    return model_check(model, &op->place, op->access, op->private_access, op->vmpl, op->user);
}

static const struct {
    const char *name;
    struct model_answer (*emulate)(struct machine *, const struct op *);
    struct model_answer (*expect)(struct model *, const struct op *);
} op_rows[OP_KIND_COUNT] = {
    [OP_ASSIGN] = {"assign", emulate_assign, expect_assign},
    [OP_UNASSIGN] = {"unassign", emulate_unassign, expect_unassign},
    [OP_PSMASH] = {"psmash", emulate_psmash, expect_psmash},
    [OP_LAUNCH] = {"launch", emulate_launch, expect_launch},
    [OP_UPDATE] = {"update", emulate_update, expect_update},
    [OP_RECLAIM] = {"reclaim", emulate_reclaim, expect_reclaim},
    [OP_REMAP] = {"remap", emulate_remap, expect_remap},
    [OP_SWAP] = {"swap", emulate_swap, expect_swap},
    [OP_ASSIGN_GPA] = {"assign_gpa", emulate_assign_gpa, expect_assign_gpa},
    [OP_UNASSIGN_GPA] = {"unassign_gpa", emulate_unassign_gpa, expect_unassign_gpa},
    [OP_VALIDATE] = {"validate", emulate_validate, expect_validate},
    [OP_ADJUST] = {"adjust", emulate_adjust, expect_adjust},
    [OP_CHECK] = {"check", emulate_check, expect_check},
};

/* ---- comparing ---- */

/* The emulator's entry in the model's terms. */
static struct model_page page_seen(const struct rmp *rmp, uint32_t page)
{
    const struct rmp_entry *entry = &rmp->entry[page];
    struct model_page seen;

    memset(&seen, 0, sizeof(seen));
    seen.assigned = entry->flags & RMP_ASSIGNED;
    seen.validated = entry->flags & RMP_VALIDATED;
    seen.vmsa = entry->flags & RMP_VMSA;
    seen.immutable = entry->flags & RMP_IMMUTABLE;
    seen.large = entry->flags & RMP_LARGE;
    seen.asid = rmp_asid(rmp, page);
    seen.guest_page = rmp_guest_page(rmp, page);
    for (unsigned vmpl = 0; vmpl < VMPL_COUNT; vmpl++) {
        seen.perm[vmpl] = entry->perm[vmpl];
    }
    return seen;
}

static bool page_equal(const struct model_page *a, const struct model_page *b)
{
    return a->assigned == b->assigned && a->validated == b->validated && a->vmsa == b->vmsa &&
           a->immutable == b->immutable && a->large == b->large && a->asid == b->asid &&
           a->guest_page == b->guest_page && memcmp(a->perm, b->perm, sizeof(a->perm)) == 0;
}

static void page_words(const struct model_page *page, char *text, size_t size)
{
    snprintf(text, size, "%s%s%s%s%s asid %u gpa page %u permissions %x,%x,%x,%x",
             page->assigned ? "assigned" : "hypervisor's", page->validated ? " validated" : "",
             page->vmsa ? " vmsa" : "", page->immutable ? " immutable" : "",
             page->large ? " 2M" : "", page->asid, page->guest_page, page->perm[0], page->perm[1],
             page->perm[2], page->perm[3]);
}

/* What the entry says only to the emulator's own bookkeeping must be in one form only: digests. */
static bool page_canonical(const struct rmp *rmp, uint32_t page)
{
    const struct rmp_owner *owner = &rmp->owner[page];

    if (rmp->entry[page].flags & RMP_AWAY) {
        return owner->asid != RMP_ASID_GUEST || owner->guest_page != page;
    }
    return owner->asid == 0 && owner->guest_page == 0;
}

static bool compare_pages(struct duel *duel, uint32_t first, uint32_t count)
{
    for (uint32_t page = first; page < first + count; page++) {
        struct model_page seen = page_seen(&duel->machine->rmp, page);

        if (!page_equal(&seen, &duel->model.page[page]) ||
            !page_canonical(&duel->machine->rmp, page)) {
            char emulator[128], model[128];

            page_words(&seen, emulator, sizeof(emulator));
            page_words(&duel->model.page[page], model, sizeof(model));
            snprintf(duel->difference, sizeof(duel->difference),
                     "page %u\n  emulator: %s (flags 0x%x)\n  model:    %s", page, emulator,
                     duel->machine->rmp.entry[page].flags, model);
            return false;
        }
    }
    return true;
}

static bool compare_answers(struct duel *duel, const struct model_answer *emulator,
                            const struct model_answer *model)
{
    if (emulator->result == model->result && emulator->status == model->status &&
        emulator->flag == model->flag) {
        return true;
    }
    snprintf(duel->difference, sizeof(duel->difference),
             "answer\n  emulator: %s, status %u, flag %d\n  model:    %s, status %u, flag %d",
             rmp_result_text(emulator->result), emulator->status, emulator->flag,
             rmp_result_text(model->result), model->status, model->flag);
    return false;
}

/* Where both sides say that an address leads to; true when they agree. */
static bool compare_places(struct duel *duel, struct op *op)
{
    struct rmp_place seen = mmu_place(&duel->machine->mmu, page_gpa(op->place.guest_page));
    struct rmp_place place = model_place(&duel->model, op->place.guest_page);

    op->place = place;
    if (seen.page == place.page && seen.guest_page == place.guest_page &&
        seen.nested_small == place.nested_small) {
        return true;
    }
    snprintf(duel->difference, sizeof(duel->difference),
             "gpa page %u\n  emulator: leads to page %u, %s\n  model:    leads to page %u, %s",
             place.guest_page, seen.page, seen.nested_small ? "4K" : "as the entry", place.page,
             place.nested_small ? "4K" : "as the entry");
    return false;
}

/* A large operation's page must be aligned, whatever its address leads to. */
static bool op_is_possible(const struct op *op)
{
    bool aligned = op->place.page % 512 == 0;

    return !(op->through_map && op->large) || aligned;
}

static bool compare_around(struct duel *duel, const struct op *op, bool region)
{
    uint32_t page = op->place.page;

    if (op->kind >= OP_REMAP && op->kind <= OP_UNASSIGN_GPA) {
        return compare_pages(duel, 0, MODEL_PAGES);
    }
    return region ? compare_pages(duel, page - page % 512, 512) : compare_pages(duel, page, 1);
}

static bool duel_step(struct duel *duel, const struct op *given)
{
    struct op op = *given;
    struct model_answer emulator, model;
    bool region;

    if (op.through_map && !compare_places(duel, &op)) {
        return false;
    }
    if (!op_is_possible(&op)) {
        return true;
    }
    region = op.large || duel->model.page[op.place.page].large || op.kind == OP_LAUNCH;
    emulator = op_rows[op.kind].emulate(duel->machine, &op);
    model = op_rows[op.kind].expect(&duel->model, &op);
    duel->met[op.kind][model.result] |= 1ULL << (model.status * 2 + model.flag);
    duel->met_moved = duel->met_moved || (op.through_map && op.place.page != op.place.guest_page);
    return compare_answers(duel, &emulator, &model) && compare_around(duel, &op, region);
}

/* Regions that no snapshot would bring back must be as they were when it was taken. */
static bool compare_clean_regions(struct duel *duel, const struct model *kept)
{
    for (uint32_t page = 0; page < MODEL_PAGES; page++) {
        if (!duel->machine->rmp.region_dirty[page / 512] &&
            !page_equal(&kept->page[page], &duel->model.page[page])) {
            snprintf(duel->difference, sizeof(duel->difference),
                     "page %u changed, its region is not marked for the snapshot", page);
            return false;
        }
    }
    return true;
}

/* All memory the hypervisor's, at home, as if nothing had happened. */
static void machine_clear(struct machine *machine)
{
    struct rmp *rmp = &machine->rmp;
    struct error error;

    memset(rmp->entry, 0, rmp->page_count * sizeof(*rmp->entry));
    memset(rmp->owner, 0, rmp->page_count * sizeof(*rmp->owner));
    memset(rmp->region_dirty, 0, rmp->page_count / PAGES_PER_LARGE_PAGE);
    ck_assert_int_eq(memory_map_all(&machine->memory, NULL, &error), 0);
}

/* True when both sides agree from start to end; else `failed` is how many operations it took. */
static bool sequence_agrees(struct duel *duel, const struct op *op, size_t count,
                            enum model_error error, size_t *failed)
{
    struct model kept;
    bool agree = true;
    size_t at = 0;

    machine_clear(duel->machine);
    model_init(&duel->model, error);
    duel->machine->rmp.tracking = true;
    kept = duel->model;
    while (agree && at < count) {
        if (at == count / 2) {
            memset(duel->machine->rmp.region_dirty, 0, MODEL_PAGES / 512);
            kept = duel->model;
        }
        agree = duel_step(duel, &op[at++]);
    }
    agree = agree && compare_pages(duel, 0, MODEL_PAGES) && compare_clean_regions(duel, &kept);
    *failed = at;
    return agree;
}

/* ---- shrinking ---- */

/* Leave out operations, many at first and single ones at last, while the sides still disagree. */
static size_t sequence_shrink(struct duel *duel, struct op *op, size_t count,
                              enum model_error error)
{
    struct op trial[OPERATIONS];
    size_t failed;

    sequence_agrees(duel, op, count, error, &failed);
    count = failed;
    for (size_t chunk = count / 2 ? count / 2 : 1; chunk > 0;) {
        bool removed = false;

        for (size_t at = 0; at + chunk <= count;) {
            memcpy(trial, op, at * sizeof(*op));
            memcpy(trial + at, op + at + chunk, (count - at - chunk) * sizeof(*op));
            if (!sequence_agrees(duel, trial, count - chunk, error, &failed)) {
                memcpy(op, trial, failed * sizeof(*op));
                count = failed;
                removed = true;
            } else {
                at += chunk;
            }
        }
        if (chunk > 1) {
            chunk /= 2;
        } else if (!removed) {
            chunk = 0;
        }
    }
    return count;
}

static void op_print(size_t number, const struct op *op)
{
    printf("  %zu. %s page %u", number, op_rows[op->kind].name, op->place.page);
    if (op->kind != OP_CHECK) {
        printf(" %s", op->large ? "2M" : "4K");
    }
    if (op->through_map || (op->kind >= OP_REMAP && op->kind <= OP_UNASSIGN_GPA)) {
        printf(" where gpa page %u leads to", op->place.guest_page);
    } else if (op->kind >= OP_VALIDATE && op->place.guest_page != op->place.page) {
        printf(" through gpa page %u", op->place.guest_page);
    }
    if (op->kind == OP_REMAP || op->kind == OP_SWAP) {
        printf(", and gpa page %u", op->other);
    }
    if (op->kind >= OP_VALIDATE && op->place.nested_small) {
        printf(" nested 4K");
    }
    if (op->kind == OP_VALIDATE) {
        printf(" %d", op->validate);
    } else if (op->kind == OP_ADJUST) {
        printf(" by VMPL%u operand 0x%" PRIx64, op->vmpl, op->operand);
    } else if (op->kind == OP_CHECK) {
        static const char *const access[] = {"read", "write", "fetch", "walk"};

        printf(" %s C=%d VMPL%u CPL%d", access[op->access], op->private_access, op->vmpl,
               op->user ? 3 : 0);
    } else if (op->kind == OP_UPDATE) {
        printf(" assigned=%d immutable=%d asid=%u gpa page %u", op->state.assigned,
               op->state.immutable, op->state.asid, op->state.guest_page);
    }
    printf("\n");
}

static void sequence_print(struct duel *duel, const struct op *op, size_t count, uint64_t seed,
                           enum model_error error)
{
    size_t failed;

    sequence_agrees(duel, op, count, error, &failed);
    printf("rmp model: seed %" PRIu64 " disagrees; the shortest sequence that shows it:\n", seed);
    for (size_t i = 0; i < count; i++) {
        op_print(i + 1, &op[i]);
    }
    printf("  difference in %s\n", duel->difference);
    fflush(stdout);
}

static uint64_t environment_number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 0) : otherwise;
}

/* ---- the tests ---- */

/* No instruction ever runs. */
static void decode_nothing(const uint8_t *bytes, size_t size_bytes, unsigned code_bits,
                           struct vcpu_insn *insn)
{
    (void)code_bits;
    (void)bytes;
    (void)size_bytes;
    (void)insn;
}

static void duel_open(struct duel *duel)
{
    static struct machine machine;
    const struct memory_slot slot = {.page_count = MODEL_PAGES};
    struct error error;

    ck_assert_msg(machine_init(&machine, &slot, 1, 1, decode_nothing, &error) == 0, "%s",
                  error.text);
    duel->machine = &machine;
}

static void duel_close(struct duel *duel)
{
    machine_release(duel->machine);
}

/* What random operations must have met, or they prove less than they seem to. */
#define MET(status, flag) (1ULL << ((status)*2 + (flag)))
static const struct {
    enum op_kind kind;
    enum rmp_result result;
    uint64_t answers;
} met_rows[] = {
    {OP_ASSIGN, RMP_OK, MET(0, 0) | MET(0, 1)},
    {OP_UNASSIGN, RMP_OK, MET(0, 0) | MET(0, 1)},
    {OP_RECLAIM, RMP_OK, MET(0, 0) | MET(0, 1)},
    {OP_UPDATE, RMP_OK,
     MET(RMP_SUCCESS, 0) | MET(RMP_FAIL_INPUT, 0) | MET(RMP_FAIL_PERMISSION, 0) |
         MET(RMP_FAIL_OVERLAP, 0)},
    {OP_VALIDATE, RMP_OK,
     MET(RMP_SUCCESS, 0) | MET(RMP_SUCCESS, 1) | MET(RMP_FAIL_SIZEMISMATCH, 0)},
    {OP_VALIDATE, RMP_NPF_NOT_ASSIGNED, MET(0, 0)},
    {OP_VALIDATE, RMP_NPF_OWNER, MET(0, 0)},
    {OP_VALIDATE, RMP_NPF_GPA, MET(0, 0)},
    {OP_VALIDATE, RMP_NPF_IMMUTABLE, MET(0, 0)},
    {OP_VALIDATE, RMP_NPF_SIZE, MET(0, 0)},
    {OP_ADJUST, RMP_OK,
     MET(RMP_SUCCESS, 0) | MET(RMP_FAIL_INPUT, 0) | MET(RMP_FAIL_PERMISSION, 0) |
         MET(RMP_FAIL_SIZEMISMATCH, 0)},
    {OP_ADJUST, RMP_NPF_NOT_ASSIGNED, MET(0, 0)},
    {OP_ADJUST, RMP_NPF_OWNER, MET(0, 0)},
    {OP_ADJUST, RMP_NPF_GPA, MET(0, 0)},
    {OP_ADJUST, RMP_NPF_IMMUTABLE, MET(0, 0)},
    {OP_ADJUST, RMP_NPF_SIZE, MET(0, 0)},
    {OP_ADJUST, RMP_VC_NOT_VALIDATED, MET(0, 0)},
    {OP_CHECK, RMP_OK, MET(0, 0)},
    {OP_CHECK, RMP_CIPHERTEXT, MET(0, 0)},
    {OP_CHECK, RMP_NPF_NOT_ASSIGNED, MET(0, 0)},
    {OP_CHECK, RMP_NPF_ASSIGNED, MET(0, 0)},
    {OP_CHECK, RMP_NPF_OWNER, MET(0, 0)},
    {OP_CHECK, RMP_NPF_GPA, MET(0, 0)},
    {OP_CHECK, RMP_NPF_IMMUTABLE, MET(0, 0)},
    {OP_CHECK, RMP_NPF_SIZE, MET(0, 0)},
    {OP_CHECK, RMP_VC_NOT_VALIDATED, MET(0, 0)},
    {OP_CHECK, RMP_NPF_VMPL, MET(0, 0)},
};

START_TEST(emulator_agrees_with_the_model)
{
    uint64_t seed = environment_number("SNPEMU_RMP_MODEL_SEED", 1);
    uint64_t sequences = environment_number("SNPEMU_RMP_MODEL_SEQUENCES", SEQUENCES);
    enum model_error error =
        (enum model_error)environment_number("SNPEMU_RMP_MODEL_ERROR", MODEL_CORRECT);
    static struct duel duel;
    struct op op[OPERATIONS];
    size_t failed;

    duel_open(&duel);
    printf("rmp model: seed %" PRIu64 ", %" PRIu64 " sequences of %d operations\n", seed, sequences,
           OPERATIONS);
    fflush(stdout);
    for (uint64_t i = 0; i < sequences; i++) {
        sequence_make(op, seed + i);
        if (!sequence_agrees(&duel, op, OPERATIONS, error, &failed)) {
            size_t count = sequence_shrink(&duel, op, OPERATIONS, error);

            sequence_print(&duel, op, count, seed + i, error);
            ck_abort_msg("SNPEMU_RMP_MODEL_SEED=%" PRIu64 " SNPEMU_RMP_MODEL_SEQUENCES=1",
                         seed + i);
        }
    }
    for (size_t i = 0; sequences >= SEQUENCES && i < sizeof(met_rows) / sizeof(met_rows[0]); i++) {
        uint64_t met = duel.met[met_rows[i].kind][met_rows[i].result];

        ck_assert_msg((met & met_rows[i].answers) == met_rows[i].answers,
                      "%s never met all of: %s, answers 0x%" PRIx64 ", only 0x%" PRIx64,
                      op_rows[met_rows[i].kind].name, rmp_result_text(met_rows[i].result),
                      met_rows[i].answers, met);
    }
    ck_assert(sequences < SEQUENCES || duel.met_moved);
    duel_close(&duel);
}
END_TEST

/* Without this the test above could be one that cannot fail. */
START_TEST(planted_error_is_found_and_shrunk)
{
    enum model_error error = (enum model_error)_i;
    static struct duel duel;
    struct op op[OPERATIONS], shorter[OPERATIONS];
    size_t count, failed;
    uint64_t seed = 1;

    duel_open(&duel);
    for (sequence_make(op, seed); sequence_agrees(&duel, op, OPERATIONS, error, &failed);
         sequence_make(op, seed)) {
        ck_assert_msg(++seed <= 5000, "planted error %d is not found", _i);
    }
    count = sequence_shrink(&duel, op, OPERATIONS, error);
    if (count > SHRUNK_MAX) {
        sequence_print(&duel, op, count, seed, error);
    }
    ck_assert_msg(count <= SHRUNK_MAX, "planted error %d: %zu operations", _i, count);
    ck_assert(!sequence_agrees(&duel, op, count, error, &failed));
    ck_assert_msg(sequence_agrees(&duel, op, count, MODEL_CORRECT, &failed),
                  "planted error %d: without it, %s", _i, duel.difference);
    for (size_t i = 0; i < count; i++) {
        memcpy(shorter, op, i * sizeof(*op));
        memcpy(shorter + i, op + i + 1, (count - i - 1) * sizeof(*op));
        ck_assert_msg(sequence_agrees(&duel, shorter, count - 1, error, &failed),
                      "planted error %d: operation %zu is not needed", _i, i + 1);
    }
    duel_close(&duel);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rmp_model");
    TCase *model = tcase_create("model");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, model);
    tcase_add_test(model, emulator_agrees_with_the_model);
    tcase_add_loop_test(model, planted_error_is_found_and_shrunk, MODEL_CORRECT + 1,
                        MODEL_ERROR_COUNT);

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
