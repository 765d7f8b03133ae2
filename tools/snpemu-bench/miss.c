/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "miss.h"

#include <inttypes.h>
#include <string.h>

#include "abi/x86.h"
#include "code.h"
#include "host/scenario.h"
#include "launch.h"
#include "machine/machine.h"
#include "measure.h"
#include "walk.h"

#define MISS_PAGES 16

const char *const miss_names[MISS_COUNT] = {
    [MISS_CHECKED] = "checked",
    [MISS_WALK] = "walk",
    [MISS_OFFSET] = "offset",
};

const char *const miss_words[MISS_COUNT] = {
    [MISS_CHECKED] = "with page walk, C-bit and RMP",
    [MISS_WALK] = "with the page walk alone",
    [MISS_OFFSET] = "without a walk: the engine and its hook",
};

/* A machine that runs one of the loops. */
struct misser {
    struct image *image;
    struct scenario *scenario;
    struct machine machine;
    struct vcpu_stop stop;
    struct mmu_fault fault;
    uint64_t fills; /* that the hooks below were asked for */
    struct psp *psp;
};

/* ---- translations ---- */

static bool miss_walk(void *context, uint64_t gva, enum mmu_access access,
                      struct mmu_translation *translation)
{
    struct misser *misser = context;
    struct mmu_context registers;

    misser->fills++;
    vcpu_mmu_context(misser->machine.vcpu, &registers);
    return walk_translate(&misser->machine.mmu, &registers, gva, access, translation,
                          &misser->fault);
}

static bool miss_offset(void *context, uint64_t gva, enum mmu_access access,
                        struct mmu_translation *translation)
{
    struct misser *misser = context;

    (void)access;
    misser->fills++;
    translation->page = memory_page(&misser->machine.memory, gva);
    translation->ciphertext = false;
    return translation->page != MEMORY_NO_PAGE;
}

/* ---- the loops ---- */

/* Sixteen pages in turn; RSI is a page that nobody reads. */
static void write_loop(struct code *code)
{
    size_t loop;

    code_move(code, CODE_RDI, CODE_MISSES);
    code_move(code, CODE_RSI, CODE_PRIVATE);
    loop = code_loop(code);
    CODE(code, 0x81, 0xC7, 0x00, 0x10, 0x00, 0x00); /* add edi, 0x1000 */
    CODE(code, 0x81, 0xE7, 0x00, 0xF0, 0x02, 0x40); /* and edi, 0x4002F000 */
    if (code->with) {
        CODE(code, 0x0F, 0x01, 0x3F); /* invlpg [rdi] */
    } else {
        CODE(code, 0x0F, 0x01, 0x3E); /* invlpg [rsi] */
    }
    CODE(code, 0x8A, 0x07); /* mov al, [rdi] */
    code_end(code, loop);
}

static int misser_open(struct misser *misser, bool with, uint32_t rounds, struct error *error)
{
    struct code code = {.with = with, .no_ghcb = true, .rounds = rounds};
    int status;

    memset(misser, 0, sizeof(*misser));
    write_loop(&code);
    status = code_image(&misser->image, &code, error);
    if (status == 0) {
        status = scenario_for_image(&misser->scenario, "loop", 1, error);
    }
    if (status == 0) {
        status = launch_psp(&misser->psp, &misser->scenario->host, 1, error);
    }
    if (status == 0) {
        const struct launch launch = {
            .image = misser->image,
            .config = &misser->scenario->host,
            .psp = misser->psp,
            .seed = 1,
        };

        status = launch_machine(&misser->machine, &launch, error);
    }
    return status ? status : machine_save(&misser->machine, error);
}

static void misser_close(struct misser *misser)
{
    if (misser->machine.vcpu) {
        machine_release(&misser->machine);
    }
    psp_free(misser->psp);
    scenario_free(misser->scenario);
    image_close(misser->image);
}

/* From the launch to the halt. */
static int misser_run(struct misser *misser, double *ns, struct error *error)
{
    int status = machine_restore(&misser->machine, error);
    double start = measure_cpu_ns();

    misser->fills = 0;
    if (status == 0) {
        status = vcpu_run(misser->machine.vcpu, &misser->stop, error);
    }
    *ns = measure_cpu_ns() - start;
    if (status == 0 && misser->stop.kind != VCPU_STOP_HALT) {
        status = error_set(error, SNPEMU_ERR_INTERNAL, "a loop of misses stops at 0x%" PRIx64,
                           misser->stop.rip);
    }
    return status;
}

/* ---- measuring ---- */

struct measurement {
    const struct miss_task *task;
    struct misser misser[2]; /* without misses, with */
    struct sample miss[MISS_COUNT], walk[MISS_COUNT];
};

static int measure_kind(struct measurement *m, enum miss_kind kind, struct error *error)
{
    static vcpu_translate *const translate[] = {
        [MISS_CHECKED] = NULL, [MISS_WALK] = miss_walk, [MISS_OFFSET] = miss_offset};
    double ns[2];
    int status = 0;

    for (unsigned i = 0; status == 0 && i < 2; i++) {
        vcpu_set_translation(m->misser[i].machine.vcpu, translate[kind], &m->misser[i]);
        status = misser_run(&m->misser[i], &ns[i], error);
    }
    if (status == 0 && translate[kind] &&
        m->misser[1].fills - m->misser[0].fills < m->task->rounds - MISS_PAGES) {
        status = error_set(error, SNPEMU_ERR_INTERNAL, "%" PRIu64 " misses instead of %" PRIu32,
                           m->misser[1].fills - m->misser[0].fills, m->task->rounds);
    }
    sample_add(&m->miss[kind], (ns[1] - ns[0]) / m->task->rounds);
    return status;
}

typedef bool miss_translate(const struct mmu *mmu, const struct mmu_context *context, uint64_t gva,
                            enum mmu_access access, struct mmu_translation *translation,
                            struct mmu_fault *fault);

/* The translation itself, called as often. */
static int measure_walk(struct measurement *m, enum miss_kind kind, struct error *error)
{
    static miss_translate *const translate[] = {mmu_translate, walk_translate};
    const struct machine *machine = &m->misser[0].machine;
    struct mmu_translation place;
    struct mmu_context context;
    struct mmu_fault fault;
    uint32_t done = 0;
    double start;

    vcpu_mmu_context(machine->vcpu, &context);
    start = measure_cpu_ns();
    for (uint32_t i = 0; i < m->task->rounds; i++) {
        done += translate[kind](&machine->mmu, &context, CODE_MISSES + i % MISS_PAGES * PAGE_SIZE,
                                MMU_READ, &place, &fault);
    }
    sample_add(&m->walk[kind], (measure_cpu_ns() - start) / m->task->rounds);
    return done == m->task->rounds
               ? 0
               : error_set(error, SNPEMU_ERR_INTERNAL, "%s: a page is not there", miss_names[kind]);
}

static int measure_round(struct measurement *m, unsigned round, struct error *error)
{
    int status = 0;

    for (unsigned i = 0; status == 0 && i < MISS_COUNT; i++) {
        status = measure_kind(m, round % 2 ? MISS_COUNT - 1 - i : i, error);
    }
    for (unsigned i = 0; status == 0 && i <= MISS_WALK; i++) {
        status = measure_walk(m, round % 2 ? MISS_WALK - i : i, error);
    }
    return status;
}

static void forget_samples(struct measurement *m)
{
    memset(m->miss, 0, sizeof(m->miss));
    memset(m->walk, 0, sizeof(m->walk));
}

static int miss_work(const void *opaque, void *out, struct error *error)
{
    static struct measurement m; /* too large for the stack; one child measures once */
    struct miss_result *result = out;
    int status;

    m.task = opaque;
    status = misser_open(&m.misser[0], false, m.task->rounds, error);
    if (status == 0) {
        status = misser_open(&m.misser[1], true, m.task->rounds, error);
    }
    for (unsigned i = 0; status == 0 && i <= m.task->runs; i++) {
        status = measure_round(&m, i, error);
        if (i == 0) { /* the first one warms up */
            forget_samples(&m);
        }
    }
    for (unsigned i = 0; i < MISS_COUNT; i++) {
        result->ns[i] = sample_median(&m.miss[i]);
        result->walk_ns[i] = sample_median(&m.walk[i]);
    }
    result->ratio = sample_ratio(&m.miss[MISS_CHECKED], &m.miss[MISS_WALK]);
    result->walk_ratio = sample_ratio(&m.walk[MISS_CHECKED], &m.walk[MISS_WALK]);
    misser_close(&m.misser[1]);
    misser_close(&m.misser[0]);
    return status;
}

int miss_measure(const struct miss_task *task, struct miss_result *result, struct error *error)
{
    memset(result, 0, sizeof(*result));
    return measure_in_child(miss_work, task, result, sizeof(*result), NULL, error);
}
