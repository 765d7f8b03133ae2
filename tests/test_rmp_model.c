/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine/rmp.c against the model of rmp_model.c: random operations, both sides compared after each
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
    OP_VALIDATE,
    OP_ADJUST,
    OP_CHECK,
    OP_KIND_COUNT,
};

struct op {
    enum op_kind kind;
    struct rmp_place place;
    bool large, validate, private_access, user;
    unsigned vmpl;
    enum rmp_access access;
    uint64_t operand;
    struct rmp_state state;
};

/* One run of a sequence on both sides. */
struct duel {
    struct rmp rmp;
    struct model model;
    uint64_t met[OP_KIND_COUNT][RMP_NPF_VMPL + 1]; /* bit status * 2 + flag of the answers */
    char difference[512];                          /* of the operation that failed */
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
        [OP_ASSIGN] = 12, [OP_UNASSIGN] = 7,  [OP_PSMASH] = 3,  [OP_LAUNCH] = 4, [OP_UPDATE] = 10,
        [OP_RECLAIM] = 4, [OP_VALIDATE] = 20, [OP_ADJUST] = 20, [OP_CHECK] = 20,
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

static struct model_answer emulate_assign(struct rmp *rmp, const struct op *op)
{
    return (struct model_answer){.flag = rmp_assign(rmp, op->place.page, op->large)};
}

static struct model_answer emulate_unassign(struct rmp *rmp, const struct op *op)
{
    return (struct model_answer){.flag = rmp_unassign(rmp, op->place.page)};
}

static struct model_answer emulate_psmash(struct rmp *rmp, const struct op *op)
{
    rmp_psmash(rmp, op->place.page);
    return (struct model_answer){0};
}

static struct model_answer emulate_launch(struct rmp *rmp, const struct op *op)
{
    rmp_launch(rmp, op->place.page);
    return (struct model_answer){0};
}

static struct model_answer emulate_update(struct rmp *rmp, const struct op *op)
{
    return (struct model_answer){.status = rmp_update(rmp, op->place.page, &op->state)};
}

static struct model_answer emulate_reclaim(struct rmp *rmp, const struct op *op)
{
    return (struct model_answer){.flag = rmp_reclaim(rmp, op->place.page)};
}

static struct model_answer emulate_validate(struct rmp *rmp, const struct op *op)
{
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

static struct model_answer emulate_adjust(struct rmp *rmp, const struct op *op)
{
    struct model_answer answer = {.status = 99};

    answer.result =
        at_home(op)
            ? rmp_adjust(rmp, op->place.page, op->large, op->vmpl, op->operand, &answer.status)
            : rmp_adjust_place(rmp, &op->place, op->large, op->vmpl, op->operand, &answer.status);
    answer.status = answer.result == RMP_OK ? answer.status : 0;
    return answer;
}

static struct model_answer emulate_check(struct rmp *rmp, const struct op *op)
{
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
    struct model_answer (*emulate)(struct rmp *, const struct op *);
    struct model_answer (*expect)(struct model *, const struct op *);
} op_rows[OP_KIND_COUNT] = {
    [OP_ASSIGN] = {"assign", emulate_assign, expect_assign},
    [OP_UNASSIGN] = {"unassign", emulate_unassign, expect_unassign},
    [OP_PSMASH] = {"psmash", emulate_psmash, expect_psmash},
    [OP_LAUNCH] = {"launch", emulate_launch, expect_launch},
    [OP_UPDATE] = {"update", emulate_update, expect_update},
    [OP_RECLAIM] = {"reclaim", emulate_reclaim, expect_reclaim},
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
        struct model_page seen = page_seen(&duel->rmp, page);

        if (!page_equal(&seen, &duel->model.page[page]) || !page_canonical(&duel->rmp, page)) {
            char emulator[128], model[128];

            page_words(&seen, emulator, sizeof(emulator));
            page_words(&duel->model.page[page], model, sizeof(model));
            snprintf(duel->difference, sizeof(duel->difference),
                     "page %u\n  emulator: %s (flags 0x%x)\n  model:    %s", page, emulator,
                     duel->rmp.entry[page].flags, model);
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

static bool duel_step(struct duel *duel, const struct op *op)
{
    uint32_t page = op->place.page;
    bool region = op->large || duel->model.page[page].large || op->kind == OP_LAUNCH;
    struct model_answer emulator = op_rows[op->kind].emulate(&duel->rmp, op);
    struct model_answer model = op_rows[op->kind].expect(&duel->model, op);

    duel->met[op->kind][model.result] |= 1ULL << (model.status * 2 + model.flag);
    return compare_answers(duel, &emulator, &model) &&
           (region ? compare_pages(duel, page - page % 512, 512) : compare_pages(duel, page, 1));
}

/* Regions that no snapshot would bring back must be as they were when it was taken. */
static bool compare_clean_regions(struct duel *duel, const struct model *kept)
{
    for (uint32_t page = 0; page < MODEL_PAGES; page++) {
        if (!duel->rmp.region_dirty[page / 512] &&
            !page_equal(&kept->page[page], &duel->model.page[page])) {
            snprintf(duel->difference, sizeof(duel->difference),
                     "page %u changed, its region is not marked for the snapshot", page);
            return false;
        }
    }
    return true;
}

/* True when both sides agree from start to end; else `failed` is how many operations it took. */
static bool sequence_agrees(struct duel *duel, const struct op *op, size_t count,
                            enum model_error error, size_t *failed)
{
    struct error message;
    struct model kept;
    bool agree = true;
    size_t at = 0;

    ck_assert_int_eq(rmp_init(&duel->rmp, MODEL_PAGES, &message), 0);
    model_init(&duel->model, error);
    duel->rmp.tracking = true;
    kept = duel->model;
    while (agree && at < count) {
        if (at == count / 2) {
            memset(duel->rmp.region_dirty, 0, MODEL_PAGES / 512);
            kept = duel->model;
        }
        agree = duel_step(duel, &op[at++]);
    }
    agree = agree && compare_pages(duel, 0, MODEL_PAGES) && compare_clean_regions(duel, &kept);
    rmp_release(&duel->rmp);
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
    if (op->kind >= OP_VALIDATE && op->place.guest_page != op->place.page) {
        printf(" through gpa page %u", op->place.guest_page);
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

    for (sequence_make(op, seed); sequence_agrees(&duel, op, OPERATIONS, error, &failed);
         sequence_make(op, seed)) {
        ck_assert_msg(++seed <= 1000, "planted error %d is not found", _i);
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
