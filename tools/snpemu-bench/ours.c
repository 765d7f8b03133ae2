/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ours.h"

#include <stdlib.h>
#include <string.h>

#include "abi/x86.h"

int workload_open(struct workload *workload, const char *image, uint32_t cpus, const char *firmware,
                  struct error *error)
{
    struct overrides *overrides = calloc(1, sizeof(*overrides)); /* large */
    const struct image *opened;
    uint64_t start, end;
    int status;

    memset(workload, 0, sizeof(*workload));
    if (!overrides) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
    }
    overrides->cpus_given = true;
    overrides->cpus = cpus;
    overrides->firmware = firmware;
    status = subject_open(&workload->subject, image, overrides, error);
    free(overrides);
    if (status != 0) {
        return status;
    }
    /* Memory consists of whole large pages, as the launch lays it out. */
    opened = workload->subject.image;
    start = opened->load_gpa & ~(LARGE_PAGE_SIZE - 1);
    end = (opened->load_gpa + opened->memory_size_bytes + LARGE_PAGE_SIZE - 1) &
          ~(LARGE_PAGE_SIZE - 1);
    workload->gva_first = start + opened->gva_offset;
    workload->page_count = (uint32_t)((end - start) >> PAGE_SHIFT);
    return 0;
}

void workload_close(struct workload *workload)
{
    subject_close(&workload->subject);
}

/* In place of the walk: the offset is the same for all addresses, and everything is allowed. */
static bool ours_offset(void *context, uint64_t gva, enum mmu_access access,
                        struct mmu_translation *translation)
{
    const struct workload *workload = context;
    uint64_t page = (gva - workload->gva_first) >> PAGE_SHIFT;

    (void)access;
    translation->page = (uint32_t)page;
    translation->ciphertext = false;
    return page < workload->page_count;
}

static int open_with(struct ours *ours, const struct workload *workload,
                     const struct run_options *options, struct error *error)
{
    memset(ours, 0, sizeof(*ours));
    ours->workload = workload;
    ours->host = host_honest_new();
    if (!ours->host) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
    }
    return run_new(&ours->run, workload->subject.scenario, workload->subject.image, ours->host,
                   options, error);
}

int ours_open(struct ours *ours, const struct workload *workload, const char *until, bool walk,
              struct error *error)
{
    const struct run_options options = {
        .firmware = workload->subject.firmware,
        .until = until,
        .translate = walk ? NULL : ours_offset,
        .translate_context = (void *)(uintptr_t)workload,
    };

    return open_with(ours, workload, &options, error);
}

int ours_open_watched(struct ours *ours, const struct workload *workload, const char *until,
                      uint32_t oracles, bool exact, struct error *error)
{
    const struct run_options options = {
        .firmware = workload->subject.firmware,
        .until = until,
        .oracles = oracles,
        .oracles_exact = exact,
    };

    return open_with(ours, workload, &options, error);
}

void ours_close(struct ours *ours)
{
    run_free(ours->run);
    if (ours->host) {
        ours->host->free(ours->host);
    }
    memset(ours, 0, sizeof(*ours));
}

int ours_run(struct ours *ours, enum outcome_kind kind, struct error *error)
{
    int status = run_to_end(ours->run, &ours->outcome, error);

    if (status == 0 && ours->outcome.kind != kind) {
        status =
            error_set(error, SNPEMU_ERR_INPUT, "the run ended as %s instead of %s: %s",
                      outcome_name(ours->outcome.kind), outcome_name(kind), ours->outcome.detail);
    }
    return status;
}

int ours_save(struct ours *ours, uint64_t exit, struct error *error)
{
    uint64_t number = exit;
    bool at_exit;
    int status = run_to_exit(ours->run, &number, &at_exit, error);

    if (status == 0 && (!at_exit || number != exit)) {
        status = error_set(error, SNPEMU_ERR_INTERNAL, "the run does not reach exit %llu",
                           (unsigned long long)exit);
    }
    return status ? status : run_snapshot(ours->run, error);
}
