/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of APIC IDs.
 */
#include <stdio.h>
#include <string.h>

#include "abi/nae.h"
#include "abi/x86.h"
#include "ghcb/nae.h"

/*
 * The first call offers too few pages and learns how many are needed; the second gets the list.
 * Source of the order of checks: LKML 20260608144252.351443-57-joro@8bytes.org. A bent
 * configuration (pages, count, more IDs than fit) writes what fits into the pages that the guest
 * lent.
 */
void nae_answer_apic_id_list(struct hypervisor *hypervisor, const struct exit *exit,
                             struct reply *reply)
{
    const struct hypervisor_config *config = hypervisor->config;
    uint64_t lent = exit_field(exit, FIELD_RAX);
    uint64_t gpa = exit_field(exit, FIELD_INFO1);
    uint64_t bytes =
        APIC_ID_LIST_HEADER_SIZE + (uint64_t)config->apic_id_count * APIC_ID_LIST_ENTRY_SIZE;
    uint64_t needed = (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
    uint32_t count = config->apic_count_set ? config->apic_count : (uint32_t)config->apic_id_count;

    if (config->apic_pages_set ? lent == 0 : lent < needed) {
        reply_set(reply, FIELD_RAX, config->apic_pages_set ? config->apic_pages : needed);
        return;
    }
    if (lent < needed) {
        bytes = lent * PAGE_SIZE;
    }
    for (uint64_t page = 0; page * PAGE_SIZE < bytes; page++) {
        if ((gpa & PAGE_MASK) || !hypervisor_shares(hypervisor, gpa + page * PAGE_SIZE)) {
            reply_malformed(reply, GHCB_ERR_INVALID_INPUT);
            return;
        }
    }
    reply_write(reply, gpa, &count, APIC_ID_LIST_HEADER_SIZE);
    reply_write(reply, gpa + APIC_ID_LIST_HEADER_SIZE, config->apic_id,
                bytes - APIC_ID_LIST_HEADER_SIZE);
}

void nae_say_apic_id_list(const struct exit *exit, char *text, size_t size)
{
    uint64_t lent = exit_field(exit, FIELD_RAX);

    if (lent == 0) {
        snprintf(text, size, "how many pages does the list of APIC IDs need?");
    } else {
        snprintf(text, size, "write the APIC IDs to %llu page(s) at gpa 0x%llx",
                 (unsigned long long)lent, (unsigned long long)exit_field(exit, FIELD_INFO1));
    }
}

#define SAY_ID_MAX 8

/* The list that the host wrote: its count, and the first IDs. */
void nae_say_apic_id_list_reply(const struct exit *exit, const struct reply *reply, char *text,
                                size_t size)
{
    const struct reply_action *count = NULL, *ids = NULL;
    uint32_t word;
    size_t used;

    for (size_t i = 0; i < reply->action_count; i++) {
        const struct reply_action *action = &reply->action[i];
        uint64_t gpa = exit_field(exit, FIELD_INFO1);

        if (action->kind == REPLY_WRITE && action->gpa == gpa && action->size_bytes >= 4) {
            count = action;
        } else if (action->kind == REPLY_WRITE && action->gpa == gpa + APIC_ID_LIST_HEADER_SIZE) {
            ids = action;
        }
    }
    if (!count || !ids) {
        return;
    }
    memcpy(&word, reply->data + count->data_offset, sizeof(word));
    used = (size_t)snprintf(text, size, "a list: count %u, IDs", word);
    for (size_t at = 0; at + 4 <= ids->size_bytes && used < size; at += 4) {
        memcpy(&word, reply->data + ids->data_offset + at, sizeof(word));
        if (at == SAY_ID_MAX * 4) {
            snprintf(text + used, size - used, " ...");
            break;
        }
        used += (size_t)snprintf(text + used, size - used, " %u", word);
    }
}
