/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rmp_model.h"

#include <string.h>

void model_init(struct model *model, enum model_error error)
{
    memset(model, 0, sizeof(*model));
    model->error = error;
    for (uint32_t i = 0; i < MODEL_PAGES; i++) {
        model->nested[i] = i;
    }
}

static uint32_t region_of(uint32_t page)
{
    return page - page % 512;
}

/* A page in the hypervisor's state: APM Vol 2 table 15-35. */
static void make_hypervisor(struct model_page *page)
{
    memset(page, 0, sizeof(*page));
}

/* A page just given away by RMPUPDATE: not validated, and VMPL0's alone. APM Vol 2 15.36.7. */
static void make_fresh(struct model_page *page, unsigned asid, uint32_t guest_page)
{
    make_hypervisor(page);
    page->assigned = true;
    page->asid = asid;
    page->guest_page = guest_page;
    page->perm[0] = RMP_PERM_ALL;
}

/* ---- the host ---- */

struct model_answer model_psmash(struct model *model, uint32_t page)
{
    uint32_t first = region_of(page);

    if (model->page[page].large && !model->page[page].immutable) {
        for (uint32_t i = first; i < first + 512; i++) {
            model->page[i].large = false;
            if (model->error == MODEL_PSMASH_INVALIDATES) {
                model->page[i].validated = false;
            }
        }
    }
    return (struct model_answer){0};
}

/* As KVM does it: a page that is private already stays as it is; else 4 KiB pages where there is no
   room for one of 2 MiB. True when all of it changed hands. */
struct model_answer model_assign(struct model *model, uint32_t page, bool large)
{
    uint32_t count = large ? 512 : 1;
    bool room = true;

    for (uint32_t i = page; i < page + count; i++) {
        room = room && !model->page[i].assigned && !model->page[i].immutable;
        if (model->error == MODEL_REASSIGN_INVALIDATES) {
            model->page[i].validated = false;
        }
    }
    for (uint32_t i = page; i < page + count; i++) {
        if (!model->page[i].assigned && !model->page[i].immutable) {
            make_fresh(&model->page[i], RMP_ASID_GUEST, i);
            model->page[i].large = large && room;
        }
    }
    return (struct model_answer){.flag = room};
}

struct model_answer model_unassign(struct model *model, uint32_t page)
{
    struct model_page *it = &model->page[page];
    bool validated = it->validated;

    if (!it->assigned || it->immutable) {
        return (struct model_answer){0};
    }
    model_psmash(model, page);
    make_hypervisor(it);
    it->validated = model->error == MODEL_UNASSIGN_KEEPS_VALID && validated;
    return (struct model_answer){.flag = true};
}

struct model_answer model_launch(struct model *model, uint32_t page)
{
    uint32_t first = region_of(page);

    /* A 2 MiB entry covers its whole region or nothing. */
    for (uint32_t i = first; i < first + 512; i++) {
        if (model->error != MODEL_LAUNCH_KEEPS_NEIGHBOURS) {
            model->page[i].large = false;
        }
    }
    make_fresh(&model->page[page], RMP_ASID_GUEST, page);
    model->page[page].validated = true;
    return (struct model_answer){0};
}

/* Which combinations are an owner at all: APM Vol 2 table 15-35. */
static bool state_is_owner(const struct rmp_state *state)
{
    if (!state->assigned) {
        return state->asid == 0;
    }
    return state->asid != 0 || state->immutable;
}

static unsigned update_status(const struct model *model, uint32_t page,
                              const struct rmp_state *state)
{
    uint32_t count = state->large ? 512 : 1;

    if (!state_is_owner(state)) {
        return RMP_FAIL_INPUT;
    }
    if (page % count || page + count > MODEL_PAGES ||
        (state->assigned && state->guest_page % count)) {
        return RMP_FAIL_INPUT;
    }
    for (uint32_t i = page; i < page + count; i++) {
        if (model->page[i].immutable && model->error != MODEL_UPDATE_IMMUTABLE) {
            return RMP_FAIL_PERMISSION;
        }
    }
    for (uint32_t i = page; i < page + count; i++) {
        if (model->page[i].assigned && model->page[i].large != state->large) {
            return RMP_FAIL_OVERLAP;
        }
    }
    return RMP_SUCCESS;
}

struct model_answer model_update(struct model *model, uint32_t page, const struct rmp_state *state)
{
    unsigned status = update_status(model, page, state);
    uint32_t count = state->large ? 512 : 1;

    for (uint32_t i = 0; status == RMP_SUCCESS && i < count; i++) {
        struct model_page *it = &model->page[page + i];
        bool validated = it->validated;

        if (state->assigned) {
            make_fresh(it, state->asid, state->guest_page + i);
            it->large = state->large;
            it->validated = model->error == MODEL_UPDATE_KEEPS_VALID && validated;
        } else {
            make_hypervisor(it);
        }
        it->immutable = state->immutable;
    }
    return (struct model_answer){.status = status};
}

struct model_answer model_reclaim(struct model *model, uint32_t page)
{
    struct model_page *it = &model->page[page];
    uint32_t first = it->large ? region_of(page) : page;
    uint32_t count = it->large ? 512 : 1;

    if (!it->assigned || it->asid != RMP_ASID_SP || !it->immutable) {
        return (struct model_answer){0};
    }
    for (uint32_t i = first; i < first + count; i++) {
        model->page[i].immutable = false;
    }
    return (struct model_answer){.flag = true};
}

/* ---- the nested map ---- */

struct rmp_place model_place(const struct model *model, uint32_t guest_page)
{
    struct rmp_place place = {.page = model->nested[guest_page], .guest_page = guest_page};
    uint32_t first = region_of(guest_page);

    /* What is not one piece of memory cannot be mapped as one. */
    for (uint32_t i = first; i < first + 512 && model->error != MODEL_MOVED_MAPS_LARGE; i++) {
        place.nested_small = place.nested_small || model->nested[i] != i;
    }
    return place;
}

/* KVM splits the entry behind a mapping that it splits: sev_handle_rmp_fault. */
static void lead(struct model *model, uint32_t guest_page, uint32_t page)
{
    if (model->error != MODEL_REMAP_KEEPS_LARGE) {
        model_psmash(model, model->nested[guest_page]);
    }
    model->nested[guest_page] = page;
}

struct model_answer model_remap(struct model *model, uint32_t a, uint32_t b)
{
    lead(model, a, model->nested[b]);
    return (struct model_answer){0};
}

struct model_answer model_swap(struct model *model, uint32_t a, uint32_t b)
{
    uint32_t page = model->nested[a];

    lead(model, a, model->nested[b]);
    if (model->error != MODEL_SWAP_ONE_WAY) {
        lead(model, b, page);
    }
    return (struct model_answer){0};
}

struct model_answer model_assign_gpa(struct model *model, uint32_t guest_page, bool large)
{
    if (model->error == MODEL_ASSIGN_AT_HOME ||
        (large && !model_place(model, guest_page).nested_small)) {
        model_assign(model, guest_page, large);
        return (struct model_answer){0};
    }
    for (uint32_t i = guest_page; i < guest_page + (large ? 512 : 1); i++) {
        struct model_page *it = &model->page[model->nested[i]];

        if (!it->assigned && !it->immutable) {
            make_fresh(it, RMP_ASID_GUEST, i);
        }
    }
    return (struct model_answer){0};
}

struct model_answer model_unassign_gpa(struct model *model, uint32_t guest_page)
{
    model_unassign(model,
                   model->error == MODEL_ASSIGN_AT_HOME ? guest_page : model->nested[guest_page]);
    return (struct model_answer){0};
}

/* ---- access checks: APM Vol 2 15.36.10 ---- */

/* Covered, guest-owned, reverse-map, mutable, page-size, in this order. */
static enum rmp_result ownership(const struct model *model, const struct rmp_place *place)
{
    const struct model_page *it = &model->page[place->page];

    if (!it->assigned) {
        return RMP_NPF_NOT_ASSIGNED;
    }
    if (it->asid != RMP_ASID_GUEST && model->error != MODEL_ANY_ASID) {
        return RMP_NPF_OWNER;
    }
    if (it->guest_page != place->guest_page && model->error != MODEL_ANY_GPA) {
        return RMP_NPF_GPA;
    }
    if (it->immutable) {
        return RMP_NPF_IMMUTABLE;
    }
    if (it->large && place->nested_small) {
        return RMP_NPF_SIZE;
    }
    return RMP_OK;
}

/* APM Vol 2 table 15-36. */
static bool permitted(const struct model *model, unsigned mask, enum rmp_access access, bool user)
{
    bool read = mask & RMP_PERM_READ;
    bool write = mask & RMP_PERM_WRITE;
    bool first = mask & RMP_PERM_EXEC_USER;
    bool second = mask & RMP_PERM_EXEC_SUPER;

    if (model->error == MODEL_FETCH_USER_SUPERVISOR) {
        user = !user;
    }
    if (access == RMP_READ) {
        return read;
    }
    if (access == RMP_WRITE) {
        return write && (read || model->error == MODEL_WRITE_WITHOUT_READ);
    }
    if (access == RMP_WALK) {
        return read && (write || model->error == MODEL_WALK_NEEDS_READ_ONLY);
    }
    return user ? first : second;
}

struct model_answer model_check(const struct model *model, const struct rmp_place *place,
                                enum rmp_access access, bool private_access, unsigned vmpl,
                                bool user)
{
    const struct model_page *it = &model->page[place->page];
    bool allowed = permitted(model, it->perm[vmpl], access, user);
    enum rmp_result result;

    if (access == RMP_FETCH || access == RMP_WALK) {
        private_access = true;
    }
    if (!private_access && access == RMP_WRITE) {
        bool denied = it->assigned && model->error != MODEL_SHARED_WRITE_PASSES;

        return (struct model_answer){.result = denied ? RMP_NPF_ASSIGNED : RMP_OK};
    }
    if (!private_access) {
        return (struct model_answer){.result = it->assigned ? RMP_CIPHERTEXT : RMP_OK};
    }
    result = ownership(model, place);
    if (result == RMP_NPF_SIZE && model->error == MODEL_SIZE_AFTER_VALIDATED && !it->validated) {
        result = RMP_VC_NOT_VALIDATED;
    }
    if (result == RMP_OK && model->error == MODEL_VMPL_BEFORE_VALIDATED && !allowed) {
        result = RMP_NPF_VMPL;
    }
    if (result == RMP_OK && !it->validated) {
        result = RMP_VC_NOT_VALIDATED;
    }
    if (result == RMP_OK && !allowed) {
        result = RMP_NPF_VMPL;
    }
    return (struct model_answer){.result = result};
}

/* ---- the guest's instructions ---- */

struct model_answer model_validate(struct model *model, const struct rmp_place *place, bool large,
                                   bool validate)
{
    struct model_page *it = &model->page[place->page];
    struct model_answer answer = {.result = ownership(model, place)};
    uint32_t count = large && model->error != MODEL_LARGE_TOUCHES_ONE ? 512 : 1;

    /* Sizes: APM Vol 2 table 15-40. */
    if (answer.result == RMP_OK && !large && it->large) {
        answer.result = RMP_NPF_SIZE;
    }
    if (answer.result != RMP_OK) {
        return answer;
    }
    if (large && !it->large) {
        answer.status = RMP_FAIL_SIZEMISMATCH;
        return answer;
    }
    answer.flag = (it->validated == validate) != (large && model->error == MODEL_CF_INVERTED);
    for (uint32_t i = place->page; i < place->page + count; i++) {
        model->page[i].validated = validate;
        if (!validate && model->error == MODEL_RESCIND_DROPS_VMSA) {
            model->page[i].vmsa = false;
        }
    }
    return answer;
}

static struct model_answer adjust_refused(enum rmp_result result, unsigned status)
{
    return (struct model_answer){.result = result, .status = result == RMP_OK ? status : 0};
}

struct model_answer model_adjust(struct model *model, const struct rmp_place *place, bool large,
                                 unsigned vmpl, uint64_t operand)
{
    struct model_page *it = &model->page[place->page];
    unsigned target = (unsigned)(operand & 0xFF);
    unsigned mask = (unsigned)(operand >> 8 & 0xFF);
    bool vmsa = operand >> 16 & 1;
    enum rmp_result result;

    if (target <= vmpl && !(model->error == MODEL_ADJUST_OWN_VMPL && target == vmpl)) {
        return adjust_refused(RMP_OK, RMP_FAIL_PERMISSION);
    }
    if (target >= VMPL_COUNT || mask & ~(unsigned)RMP_PERM_ALL || operand >> 17) {
        return adjust_refused(RMP_OK, RMP_FAIL_INPUT);
    }
    result = ownership(model, place);
    if (result == RMP_OK && !large && it->large) {
        result = RMP_NPF_SIZE;
    }
    if (result != RMP_OK) {
        return adjust_refused(result, 0);
    }
    if (model->error == MODEL_ADJUST_VC_AFTER_SIZE && large && !it->large) {
        return adjust_refused(RMP_OK, RMP_FAIL_SIZEMISMATCH);
    }
    if (!it->validated) {
        return adjust_refused(RMP_VC_NOT_VALIDATED, 0);
    }
    if (large && !it->large) {
        return adjust_refused(RMP_OK, RMP_FAIL_SIZEMISMATCH);
    }
    if (mask & ~it->perm[vmpl] && model->error != MODEL_ADJUST_GRANTS_MORE) {
        return adjust_refused(RMP_OK, RMP_FAIL_PERMISSION);
    }
    for (uint32_t i = place->page; i < place->page + (large ? 512 : 1); i++) {
        model->page[i].perm[target] = mask;
        if (vmpl == 0 || model->error == MODEL_ADJUST_VMPL1_SETS_VMSA) {
            model->page[i].vmsa = vmsa;
        }
    }
    return (struct model_answer){0};
}
