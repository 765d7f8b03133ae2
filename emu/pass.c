/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pass.h"

#include <stdlib.h>
#include <string.h>

int pass_begin(struct pass *pass, const struct subject *subject, bool with_golden,
               const struct pass *like, struct blocks *ran, struct error *error)
{
    struct run_options options = {
        .firmware = subject->firmware,
        .trace = &pass->trace,
        .oracles = subject->scenario->oracles,
        .ran = ran,
    };
    struct text_header header = subject_header(subject);
    int status;

    memset(pass, 0, sizeof(*pass));
    pass->subject = subject;
    pass->full = text_trace_new(TEXT_FULL, &header, NULL);
    pass->golden = with_golden ? text_trace_new(TEXT_GOLDEN, &header, NULL) : NULL;
    if (!pass->full || (with_golden && !pass->golden)) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
    }
    pass->trace.sink[pass->trace.sink_count++] = text_trace_sink(pass->full);
    if (pass->golden) {
        pass->trace.sink[pass->trace.sink_count++] = text_trace_sink(pass->golden);
    }
    if (like) {
        options.oracles_exact = like->oracles_exact;
        options.oracles_from = like->oracles_from;
        status = SNPEMU_OK;
    } else {
        status = run_suspects(subject->scenario, subject->image, &options, error);
    }
    pass->oracles_exact = options.oracles_exact;
    pass->oracles_from = options.oracles_from;
    if (status == SNPEMU_OK) {
        status = scenario_host(subject->scenario, &pass->host, error);
    }
    if (status != SNPEMU_OK) {
        return status;
    }
    return run_new(&pass->run, subject->scenario, subject->image, pass->host, &options, error);
}

int pass_to_end(struct pass *pass, struct error *error)
{
    int status = run_to_end(pass->run, &pass->outcome, error);

    if (status == SNPEMU_OK) {
        status = run_digest(pass->run, pass->digest, error);
    }
    if (status == SNPEMU_OK && pass->full) {
        text_trace_digest(pass->full, pass->digest, sizeof(pass->digest));
        status = text_trace_finish(pass->full, error);
    }
    return status;
}

int pass_fast(struct pass *pass, const struct subject *subject, uint32_t oracles,
              struct error *error)
{
    const struct run_options options = {.firmware = subject->firmware, .oracles = oracles};
    int status;

    memset(pass, 0, sizeof(*pass));
    pass->subject = subject;
    status = scenario_host(subject->scenario, &pass->host, error);
    if (status == SNPEMU_OK) {
        status =
            run_new(&pass->run, subject->scenario, subject->image, pass->host, &options, error);
    }
    return status == SNPEMU_OK ? pass_to_end(pass, error) : status;
}

void pass_release(struct pass *pass)
{
    run_free(pass->run);
    if (pass->host) {
        pass->host->free(pass->host);
    }
    text_trace_free(pass->full);
    text_trace_free(pass->golden);
    memset(pass, 0, sizeof(*pass));
}

/* The first host's script has been advanced by the first end: the second end needs a fresh one. */
static int pass_replace_host(struct pass *pass, struct error *error)
{
    struct host *fresh;
    int status = scenario_host(pass->subject->scenario, &fresh, error);

    if (status == SNPEMU_OK) {
        run_set_host(pass->run, fresh);
        pass->host->free(pass->host);
        pass->host = fresh;
    }
    return status;
}

/* To where the snapshot is to be. What a script remembers is none of it: it must not have begun. */
static int pass_to_snapshot(struct pass *pass, uint64_t exits, bool *arrived, struct error *error)
{
    const struct scenario *scenario = pass->subject->scenario;
    uint64_t exit_number = scenario->scripted ? UINT64_MAX : exits / 2 + 1;
    int status;

    if (scenario->snapshot.kind == PLACE_NONE) {
        return run_to_exit(pass->run, &exit_number, arrived, error);
    }
    status = run_to_place(pass->run, &scenario->snapshot, &exit_number, arrived, error);
    if (status == SNPEMU_OK && !*arrived) {
        status = error_set(
            error, SNPEMU_ERR_INPUT,
            "snapshot: the run ends before it comes to that place; choose an earlier one");
    }
    if (status == SNPEMU_OK && run_script_acted(pass->run)) {
        status = error_set(error, SNPEMU_ERR_INPUT,
                           "snapshot: a handler has answered before, and what it remembers is not "
                           "kept; choose an earlier place");
    }
    return status;
}

int pass_restored(struct pass *pass, const struct subject *subject, const struct pass *like,
                  uint64_t exits, char **first, size_t *first_size_bytes, struct error *error)
{
    bool arrived = false;
    size_t start;
    int status;

    *first = NULL;
    status = pass_begin(pass, subject, false, like, NULL, error);
    if (status == SNPEMU_OK) {
        status = pass_to_snapshot(pass, exits, &arrived, error);
    }
    if (status == SNPEMU_OK && arrived) {
        status = run_snapshot(pass->run, error);
    }
    text_trace_text(pass->full, &start); /* taking a snapshot may have completed an event */
    if (status == SNPEMU_OK) {
        status = pass_to_end(pass, error);
    }
    if (status != SNPEMU_OK) {
        return status;
    }
    *first = strdup(text_trace_text(pass->full, first_size_bytes));
    if (!*first) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
    }
    if (!arrived) {
        return SNPEMU_OK; /* over before the exit: there is nothing to restore */
    }
    text_trace_cut(pass->full, start);
    status = run_restore(pass->run, error);
    if (status == SNPEMU_OK) {
        status = pass_replace_host(pass, error);
    }
    return status == SNPEMU_OK ? pass_to_end(pass, error) : status;
}
