/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other side of hostile answers: lists that any honest host may give, which the guest must take
 * as they are. An alarm in one of them is a mistake of the guest, or of what watches it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cpuid.h"
#include "abi/nae.h"
#include "check/oracle.h"
#include "clock.h"
#include "ghcb/table.h"
#include "product.h"

/* ---- lists ---- */

/* SplitMix64: a generator of its own, so that the guest's random numbers stay what they are. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15ULL;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ z >> 27) * 0x94D049BB133111EBULL;
    return z ^ z >> 31;
}

static uint32_t draw_below(uint64_t *state, uint64_t end)
{
    return (uint32_t)(draw(state) % end);
}

/* IDs without a repetition: each way of a row goes on from what it last gave. */
typedef uint32_t next_id(uint64_t *state, uint32_t i, uint32_t base, uint32_t odd);

static uint32_t next_dense(uint64_t *state, uint32_t i, uint32_t base, uint32_t odd)
{
    (void)state;
    (void)odd;
    return base % 4 == 0 ? i : base + i; /* from 0 on as often as not */
}

/* Sockets of 64: 0 to 47, 64 to 111, ... as processors with fewer cores than their IDs allow. */
static uint32_t next_holes(uint64_t *state, uint32_t i, uint32_t base, uint32_t odd)
{
    uint32_t cores = 1 + odd % 64;

    (void)state;
    (void)base;
    return i / cores * 64 + i % cores;
}

/* Multiplication by an odd number is one to one. */
static uint32_t next_sparse(uint64_t *state, uint32_t i, uint32_t base, uint32_t odd)
{
    (void)state;
    return (base + i) * odd;
}

static uint32_t next_top(uint64_t *state, uint32_t i, uint32_t base, uint32_t odd)
{
    (void)state;
    (void)base;
    (void)odd;
    return UINT32_MAX - i;
}

static void shuffle(uint64_t *state, uint32_t *id, uint32_t count)
{
    for (uint32_t i = count; i > 1; i--) {
        uint32_t other = draw_below(state, i), kept = id[i - 1];

        id[i - 1] = id[other];
        id[other] = kept;
    }
}

/* One in eight is at an edge: few CPUs, a full page, as many as there is room for. */
static uint32_t draw_count(uint64_t *state)
{
    static const uint32_t edges[] = {1, 2, 3, 1022, 1023, 1024};

    return draw_below(state, 8) == 0 ? edges[draw_below(state, sizeof(edges) / sizeof(edges[0]))]
                                     : 1 + draw_below(state, HONEST_CPUS_MAX);
}

void honest_list_make(struct honest_list *list, uint64_t seed, uint64_t number)
{
    static next_id *const ways[] = {next_dense, next_holes, next_sparse, next_top};
    uint64_t state = seed;
    uint32_t base, odd;
    next_id *way;

    state = draw(&state) ^ number;
    way = ways[draw_below(&state, sizeof(ways) / sizeof(ways[0]))];
    base = (uint32_t)draw(&state);
    odd = (uint32_t)draw(&state) | 1;
    list->count = draw_count(&state);
    for (uint32_t i = 0; i < list->count; i++) {
        list->id[i] = way(&state, i, base, odd);
    }
    if (draw_below(&state, 2) == 0) {
        shuffle(&state, list->id, list->count);
    }
    list->bsp = list->id[draw_below(&state, list->count)];
}

/* ---- the host ---- */

/* The honest model with other CPUs than those that the machine was opened with. */
struct honest_host {
    struct host host; /* first: the two are cast into each other */
    struct hypervisor_config config;
    const struct honest_list *list; /* NULL: as it was opened */
};

static bool is_about_cpus(const struct exit *exit)
{
    return exit->protocol == EXIT_PAGE &&
           (exit->row->code == NAE_APIC_ID_LIST ||
            (exit->row->code == NAE_CPUID &&
             (uint32_t)exit_field(exit, FIELD_RAX) == CPUID_LEAF_EXTENDED_TOPOLOGY));
}

static bool honest_handles(struct host *host, const struct exit *exit)
{
    (void)host;
    return is_about_cpus(exit);
}

static int honest_answer(struct host *base, struct hypervisor *hypervisor, const struct exit *exit,
                         struct reply *reply, struct error *error)
{
    struct honest_host *host = (struct honest_host *)base;
    const struct hypervisor_config *own = hypervisor->config;

    (void)error;
    if (host->list && is_about_cpus(exit)) {
        hypervisor->config = &host->config;
    }
    hypervisor_answer(hypervisor, exit, reply);
    hypervisor->config = own;
    /* The model says there which vCPU asks; it was numbered when the machine was opened. */
    if (host->list && is_about_cpus(exit) && exit->row->code == NAE_CPUID) {
        reply_set(reply, FIELD_RDX, host->list->bsp);
    }
    return SNPEMU_OK;
}

/* Nothing is left from one run to the next. */
static void honest_begin(struct host *host)
{
    (void)host;
}

static void honest_set(struct honest_host *host, const struct honest_list *list)
{
    host->list = list;
    memcpy(host->config.apic_id, list->id, list->count * sizeof(list->id[0]));
    host->config.apic_id_count = list->count;
    host->config.bsp_apic_id = list->bsp;
}

/* ---- what the guest made of it ---- */

static int id_compare(const void *a, const void *b)
{
    const uint32_t *first = a, *second = b;

    return (*first > *second) - (*first < *second);
}

/* Is the per-CPU table made of exactly these IDs, the BSP first? If not, `why` says so. */
static bool check_table(struct run *run, const struct honest_list *list, struct run_percpu *row,
                        char *why, size_t size)
{
    uint32_t had[HONEST_CPUS_MAX], has[HONEST_CPUS_MAX];
    size_t rows = run_percpu_table(run, row, HONEST_CPUS_MAX + 1);

    if (rows != list->count) {
        snprintf(why, size, "the guest has %zu CPUs, not %" PRIu32, rows, list->count);
        return false;
    }
    if (row[0].apic_id != list->bsp) {
        snprintf(why, size, "its first CPU is 0x%" PRIx32 ", not the BSP 0x%" PRIx32,
                 row[0].apic_id, list->bsp);
        return false;
    }
    for (size_t i = 0; i < rows; i++) {
        if (row[i].index != i) {
            snprintf(why, size, "its CPU %zu has the number %" PRIu32, i, row[i].index);
            return false;
        }
        has[i] = row[i].apic_id;
    }
    memcpy(had, list->id, rows * sizeof(had[0]));
    qsort(had, rows, sizeof(had[0]), id_compare);
    qsort(has, rows, sizeof(has[0]), id_compare);
    if (memcmp(had, has, rows * sizeof(has[0])) != 0) {
        snprintf(why, size, "it has other APIC IDs than the list");
        return false;
    }
    return true;
}

static bool check_outcome(const struct outcome *outcome, char *why, size_t size)
{
    char phrase[160], oracles[160];

    if (outcome->kind == OUTCOME_REACHED && outcome_verdict(outcome) == VERDICT_PASS) {
        return true;
    }
    outcome_phrase(outcome, phrase, sizeof(phrase));
    oracle_list(outcome->oracles, oracles, sizeof(oracles));
    snprintf(why, size, "%s, %s, oracles: %s %s", phrase, verdict_name(outcome_verdict(outcome)),
             oracles, outcome->panic[0] ? outcome->panic : outcome->detail);
    return false;
}

/* ---- all of them ---- */

static int run_lists(struct honest *honest, struct product_stage *stage, struct honest_host *host,
                     FILE *file, uint64_t most, struct error *error)
{
    struct run_percpu *row = calloc(HONEST_CPUS_MAX + 1, sizeof(*row));
    int status = row ? SNPEMU_OK : error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a table");

    for (uint64_t number = 1; status == SNPEMU_OK && number <= honest->lists; number++) {
        struct honest_list list;
        struct outcome outcome;
        struct run *run;
        char why[640] = "";

        honest_list_make(&list, honest->seed, number);
        honest_set(host, &list);
        status = product_stage_play(stage, &host->host, honest_begin, false, &outcome, &run, error);
        host->list = NULL;
        if (status != SNPEMU_OK) {
            break;
        }
        honest->cpus += list.count;
        if (check_outcome(&outcome, why, sizeof(why)) &&
            check_table(run, &list, row, why, sizeof(why))) {
            honest->passed++;
        } else if (most > 0) {
            fprintf(file, "list %" PRIu64 ", %" PRIu32 " CPUs: %s\n", number, list.count, why);
            most--;
        }
    }
    free(row);
    return status;
}

int honest_run(struct honest *honest, FILE *file, uint64_t most, struct error *error)
{
    struct honest_host *host = calloc(1, sizeof(*host));
    struct product_stage stage;
    double start;
    int status;

    if (!host) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a host");
    }
    host->host = (struct host){.answer = honest_answer, .handles = honest_handles};
    host->config = honest->product.subject.scenario->host;
    status = product_stage_open(&stage, &honest->product, &host->host, error);
    start = clock_seconds();
    if (status == SNPEMU_OK) {
        status = run_lists(honest, &stage, host, file, most, error);
    }
    honest->seconds = clock_seconds() - start;
    honest->product.again = stage.again;
    product_stage_close(&stage);
    free(host);
    return status;
}
