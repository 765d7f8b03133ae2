/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host that carries out a combination. script.c says the same in Lua: what is done here in
 * which order, is written there in that order.
 */
#include <string.h>

#include "abi/nae.h"
#include "abi/x86.h"
#include "ghcb/table.h"
#include "ghcb/vcpus.h"
#include "product.h"

/* An exit as far as a deed looks at it. */
struct deed_context {
    struct product_host *host;
    struct hypervisor *hypervisor;
    const struct exit *exit;
    struct reply *reply;
    uint64_t lent;     /* pages of the list; 0: there is none */
    uint64_t list_gpa; /* when lent is not 0 */
};

/* What no guest of ours lends: a list that begins within a page, or nearly above 52-bit addresses.
 */
static void find_list(struct deed_context *context)
{
    uint64_t gpa = exit_field(context->exit, FIELD_INFO1);

    if (gpa != 0 && (gpa & PAGE_MASK) == 0 && gpa < PRODUCT_GPA_MAX) {
        context->lent = exit_field(context->exit, FIELD_RAX);
        context->list_gpa = gpa;
    }
}

static uint64_t deed_gpa(const struct deed_context *context, const struct deed *deed)
{
    uint64_t start = deed->place == PLACE_LIST ? context->list_gpa : context->exit->ghcb_gpa;

    return start + (uint64_t)deed->offset;
}

static void do_deed(struct deed_context *context, const struct deed *deed)
{
    struct reply *reply = context->reply;
    uint64_t gpa = deed_gpa(context, deed);
    struct reply_watch watch = {
        .gpa = gpa,
        .size_bytes = deed->size_bytes,
        .nth = deed->nth,
        .value = deed->value,
        .sticky = true,
        .owner = context->host,
    };

    if (deed->kind >= DEED_READ && context->lent == 0 &&
        (deed->place == PLACE_LIST || deed->kind >= DEED_REMAP)) {
        return;
    }
    switch (deed->kind) {
    case DEED_SET:
        reply_set(reply, deed->field, deed->value);
        break;
    case DEED_ADD:
        reply_set(reply, deed->field, exit_field(context->exit, deed->field) + deed->value);
        break;
    case DEED_UNMARK:
        reply_unmark(reply, deed->field);
        break;
    case DEED_KEEP_MARKS:
    case DEED_NOTHING:
        reply->keep_marks = true;
        break;
    case DEED_REPEAT:
        reply_repeat(reply, true, &vcpus_current_level(&context->hypervisor->vcpus)->answer);
        break;
    case DEED_READ:
        reply_watch_add(reply, &watch);
        break;
    case DEED_ASSIGN:
        reply_assign(reply, gpa, PAGE_SIZE);
        break;
    case DEED_UNASSIGN:
        reply_unassign(reply, gpa, PAGE_SIZE);
        break;
    case DEED_REMAP:
        reply_remap(reply, context->list_gpa, gpa);
        break;
    case DEED_SWAP:
        reply_swap(reply, context->list_gpa, gpa);
        break;
    case DEED_NONE:
    case DEED_KIND_COUNT:
        break;
    }
    context->host->met = context->host->met || deed->kind >= DEED_ASSIGN;
}

static void do_row(struct deed_context *context, const struct product_row *row)
{
    for (size_t i = 0; i < DEEDS_MAX; i++) {
        if (row->deed[i].exit == context->exit->nth) {
            do_deed(context, &row->deed[i]);
        }
    }
}

/* The list of the combination instead of the honest one, as far as there are pages for it. */
static void write_list(struct deed_context *context)
{
    const struct product_row *row = context->host->combination->row[AXIS_SHAPE];
    uint32_t *word = context->host->word;
    size_t size_bytes =
        (1 + product_row_ids(row, context->host->cpus, word + 1, PRODUCT_IDS_MAX)) * sizeof(*word);
    uint64_t room_bytes =
        (context->lent < PRODUCT_LENT_MAX ? context->lent : PRODUCT_LENT_MAX) * PAGE_SIZE;

    word[0] = row->count;
    if (context->lent != 0) {
        reply_write(context->reply, context->list_gpa, word,
                    size_bytes < room_bytes ? size_bytes : (size_t)room_bytes);
    }
}

static bool is_list_exit(const struct exit *exit)
{
    return exit->protocol == EXIT_PAGE && exit->row->code == NAE_APIC_ID_LIST;
}

static bool host_handles(struct host *host, const struct exit *exit)
{
    (void)host;
    return is_list_exit(exit);
}

static bool row_begins(const struct product_row *row, enum deed_kind kind, uint64_t nth)
{
    return row->deed[0].kind == kind && row->deed[0].exit == nth;
}

static int host_answer(struct host *base, struct hypervisor *hypervisor, const struct exit *exit,
                       struct reply *reply, struct error *error)
{
    struct product_host *host = (struct product_host *)base;
    const struct combination *combination = host->combination;
    struct deed_context context = {
        .host = host, .hypervisor = hypervisor, .exit = exit, .reply = reply};

    (void)error;
    if (!combination || !is_list_exit(exit)) {
        hypervisor_answer(hypervisor, exit, reply);
        return SNPEMU_OK;
    }
    find_list(&context);
    if (!row_begins(combination->row[AXIS_FIRST], DEED_NOTHING, exit->nth) &&
        !row_begins(combination->row[AXIS_SECOND], DEED_NOTHING, exit->nth)) {
        hypervisor_answer(hypervisor, exit, reply);
    }
    if (exit->nth == 2) {
        host->asked = true;
        write_list(&context);
    }
    do_row(&context, combination->row[AXIS_FIRST]);
    do_row(&context, combination->row[AXIS_SECOND]);
    do_row(&context, combination->row[AXIS_CHANGE]);
    return SNPEMU_OK;
}

static void host_watch_fired(struct host *host, void *owner)
{
    (void)owner;
    ((struct product_host *)host)->met = true;
}

void product_host_init(struct product_host *host, uint32_t cpus)
{
    memset(host, 0, sizeof(*host));
    host->host = (struct host){
        .answer = host_answer, .watch_fired = host_watch_fired, .handles = host_handles};
    host->cpus = cpus;
}

void product_host_begin(struct host *base)
{
    struct product_host *host = (struct product_host *)base;

    host->asked = false;
    host->met = false;
}
