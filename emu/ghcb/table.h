/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The exit tables: one row for each MSR-protocol request (msr_protocol.c) and each NAE event
 * (nae.c; its handlers are in nae_*.c). Adding an exit is one row, its handlers, and a fixture.
 */
#ifndef SNPEMU_GHCB_TABLE_H
#define SNPEMU_GHCB_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "ghcb/exit.h"
#include "ghcb/hypervisor.h"
#include "ghcb/reply.h"
#include "trace/event.h"

enum exit_flag {
    EXIT_TERMINATES = 1, /* the run ends; there is no reply */
    EXIT_UNMODELLED = 2, /* known by name, not modelled: ends the run as `unmodelled` */
    EXIT_UNVERIFIED = 4, /* rests on a fact with no source that was read: see strict */
    /* SW_EXITINFO1 has the page of a message to the AMD-SP; what comes back depends on the image.
     */
    EXIT_MESSAGE = 8,
};

struct exit_row {
    const char *name; /* in scripts, traces, options */
    enum exit_protocol protocol;
    uint64_t code;      /* GHCBInfo, or SW_EXITCODE */
    unsigned flags;     /* enum exit_flag */
    uint32_t required;  /* FIELD_BIT() of inputs that must be marked besides code and info */
    uint32_t optional;  /* and of those that are inputs in some cases, or may be */
    const char *inputs; /* what else must be there, and what is answered when it is not; or NULL */
    const char *source; /* document and section, or repository and file */
    /* The honest answer. NULL with EXIT_TERMINATES or EXIT_UNMODELLED. */
    void (*answer)(struct hypervisor *hypervisor, const struct exit *exit, struct reply *reply);
    /* Bytes of the scratch area that the event uses; NULL: at most a GHCB's shared buffer. */
    uint64_t (*scratch_size)(const struct exit *exit);
    /*
     * Memory that the guest lends with this exit, at most EXIT_BUFFER_MAX; how many. As the
     * hypervisor is before it answers. NULL: none.
     */
    size_t (*buffers)(const struct hypervisor *hypervisor, const struct exit *exit,
                      struct exit_buffer *buffer);
    /* One line in plain words for the ladder: what the guest asks. Writes at most `size` bytes. */
    void (*say)(const struct exit *exit, char *text, size_t size);
    const char *words; /* for exit_say_words: the line itself */
    /* The same for a reply that is not the plain "done"; NULL: none. */
    void (*say_reply)(const struct exit *exit, const struct reply *reply, char *text, size_t size);
    /* Decoded fields for the trace besides the marked ones; NULL: none. */
    void (*describe)(const struct exit *exit, struct event *event);
};

extern const struct exit_row exit_msr_rows[];
extern const size_t exit_msr_row_count;
extern const struct exit_row exit_nae_rows[];
extern const size_t exit_nae_row_count;

/*
 * Page exits that cannot be told apart by their code: `malformed` when the code is not marked
 * valid or the usage is not the standard one, `unknown` when the code has no row.
 */
extern const struct exit_row exit_row_malformed;
extern const struct exit_row exit_row_unknown_nae;
extern const struct exit_row exit_row_unknown_msr;

/* A `say` for rows whose line is always the same: their `words`. */
void exit_say_words(const struct exit *exit, char *text, size_t size);
/* A `say` that gives the code and both info values. */
void exit_say_raw(const struct exit *exit, char *text, size_t size);

/*
 * What `buffers` of its row says, as far as the hypervisor shares it from its first byte on; 0
 * without. What the guest names beyond that it has not lent.
 */
size_t exit_buffers(const struct hypervisor *hypervisor, const struct exit *exit,
                    struct exit_buffer buffer[EXIT_BUFFER_MAX]);

/* NULL when there is no row. */
const struct exit_row *exit_row_by_code(enum exit_protocol protocol, uint64_t code);
const struct exit_row *exit_row_by_name(const char *name);

#endif
