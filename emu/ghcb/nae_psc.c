/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Page state change: lists of pages that the guest wants to be private or shared.
 */
#include <stdio.h>
#include <string.h>

#include "abi/nae.h"
#include "abi/x86.h"
#include "ghcb/nae.h"

struct psc_header {
    uint16_t cur, end;
};

struct psc_entry {
    uint64_t gpa, op, cur_page;
    bool large;
};

static bool psc_header(const struct exit *exit, struct psc_header *header)
{
    if (exit->scratch_size_bytes < PSC_HEADER_SIZE) {
        return false;
    }
    memcpy(&header->cur, exit->scratch, 2);
    memcpy(&header->end, exit->scratch + 2, 2);
    return header->end < PSC_ENTRY_MAX;
}

/* Do all entries lie where the host can read them? */
static bool psc_entries_there(const struct exit *exit, const struct psc_header *header)
{
    return PSC_HEADER_SIZE + (header->end + 1u) * PSC_ENTRY_SIZE <= exit->scratch_size_bytes;
}

/* A list that can be shown. */
static bool psc_list(const struct exit *exit, struct psc_header *header)
{
    return psc_header(exit, header) && psc_entries_there(exit, header) &&
           header->cur <= header->end;
}

static struct psc_entry psc_entry(const struct exit *exit, unsigned index)
{
    uint64_t raw;

    memcpy(&raw, exit->scratch + PSC_HEADER_SIZE + index * PSC_ENTRY_SIZE, 8);
    return (struct psc_entry){
        .gpa = raw & PSC_GPA_MASK,
        .op = (raw >> PSC_OP_SHIFT) & PSC_OP_MASK,
        .cur_page = raw & PSC_CUR_PAGE_MASK,
        .large = raw & PSC_PAGE_SIZE_2M,
    };
}

static uint64_t psc_entry_size(const struct psc_entry *entry)
{
    return entry->large ? LARGE_PAGE_SIZE : PAGE_SIZE;
}

static void psc_change(const struct psc_entry *entry, uint64_t gpa, uint64_t size,
                       struct reply *reply)
{
    if (entry->op == PSC_OP_PRIVATE) {
        reply_assign(reply, gpa, size);
    } else if (entry->op == PSC_OP_SHARED) {
        reply_unassign(reply, gpa, size);
    }
    /* PSMASH and UNSMASH are hints. */
}

/*
 * Returns SW_EXITINFO2's error, 0 when the entry was carried out. What cur_page says is done
 * already stays as it is, and the rest of a large page goes by 4 KiB: KVM snp_begin_psc.
 */
static uint64_t psc_entry_answer(const struct hypervisor *hypervisor, const struct psc_entry *entry,
                                 struct reply *reply)
{
    uint64_t size = psc_entry_size(entry);

    if (entry->gpa % size || entry->cur_page > size / PAGE_SIZE || entry->op < PSC_OP_PRIVATE ||
        entry->op > PSC_OP_UNSMASH) {
        return PSC_INFO2_INVALID_ENTRY;
    }
    if (!hypervisor_has(hypervisor, entry->gpa) ||
        !hypervisor_has(hypervisor, entry->gpa + size - PAGE_SIZE)) {
        return PSC_INFO2_GENERIC;
    }
    if (entry->cur_page == 0) {
        psc_change(entry, entry->gpa, size, reply);
    }
    for (uint64_t page = entry->cur_page; page > 0 && page < size / PAGE_SIZE; page++) {
        psc_change(entry, entry->gpa + page * PAGE_SIZE, PAGE_SIZE, reply);
    }
    return 0;
}

/*
 * The whole list in one exit: a partial answer would break guests that do not mark SW_SCRATCH again
 * (linux-svsm). Entries are left as they are, as in the SVSM-era KVM; upstream counts cur_page up.
 * An operation that does not exist is an invalid entry there; upstream does nothing.
 */
void nae_answer_page_state_change(struct hypervisor *hypervisor, const struct exit *exit,
                                  struct reply *reply)
{
    struct psc_header header;
    uint64_t info2 = 0;
    uint16_t index;

    if (!nae_scratch_ok(exit, exit_field(exit, FIELD_INFO2), reply)) {
        return;
    }
    if (exit->scratch_size_bytes < PSC_HEADER_SIZE) {
        reply->unverified = "page state change header beyond the scratch area";
        reply_malformed(reply, GHCB_ERR_INVALID_SCRATCH);
        return;
    }
    if (!psc_header(exit, &header)) {
        reply_set(reply, FIELD_INFO2, PSC_INFO2_INVALID_HEADER);
        return;
    }
    if (!psc_entries_there(exit, &header)) {
        reply->unverified = "page state change entries beyond the scratch area";
        reply_set(reply, FIELD_INFO2, PSC_INFO2_INVALID_HEADER);
        return;
    }
    for (index = header.cur; index <= header.end; index++) {
        struct psc_entry entry = psc_entry(exit, index);

        info2 = psc_entry_answer(hypervisor, &entry, reply);
        if (info2 != 0) {
            break;
        }
    }
    reply_write(reply, exit->scratch_gpa, &index, sizeof(index));
    reply_set(reply, FIELD_INFO2, info2);
}

static const char *psc_op_name(uint64_t op)
{
    return op == PSC_OP_PRIVATE  ? "private"
           : op == PSC_OP_SHARED ? "shared"
           : op == PSC_OP_PSMASH ? "psmash"
                                 : "unsmash";
}

void nae_say_page_state_change(const struct exit *exit, char *text, size_t size)
{
    struct psc_header header;
    uint64_t pages = 0;

    if (!psc_list(exit, &header)) {
        snprintf(text, size, "change page states: an empty or broken list");
        return;
    }
    for (unsigned i = header.cur; i <= header.end; i++) {
        struct psc_entry entry = psc_entry(exit, i);

        pages += psc_entry_size(&entry) / PAGE_SIZE;
    }
    struct psc_entry first = psc_entry(exit, header.cur);
    snprintf(text, size, "make %llu page(s) from gpa 0x%llx %s (%u entries)",
             (unsigned long long)pages, (unsigned long long)first.gpa, psc_op_name(first.op),
             header.end - header.cur + 1u);
}

void nae_describe_page_state_change(const struct exit *exit, struct event *event)
{
    struct psc_header header;

    if (!psc_list(exit, &header)) {
        event_string(event, "list", "broken");
        return;
    }
    struct psc_entry first = psc_entry(exit, header.cur);
    struct psc_entry last = psc_entry(exit, header.end);
    event_dec(event, "cur", header.cur);
    event_dec(event, "end", header.end);
    event_string(event, "op", psc_op_name(first.op));
    event_hex(event, "first", first.gpa);
    event_hex(event, "last", last.gpa + psc_entry_size(&last) - 1);
}
