/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Non-automatic exit events: the GHCB page protocol. Layouts: abi/nae.h.
 */
#include <stdio.h>
#include <string.h>

#include "abi/nae.h"
#include "abi/x86.h"
#include "ghcb/table.h"
#include "ghcb/uart.h"

#define KVM_NAE "Linux arch/x86/kvm/svm/sev.c sev_handle_vmgexit"

static void reply_malformed(struct reply *reply, uint64_t reason)
{
    reply_set(reply, FIELD_INFO1, GHCB_INFO1_MALFORMED);
    reply_set(reply, FIELD_INFO2, reason);
}

/* ---- CPUID ---- */

static void answer_cpuid(struct hypervisor *hypervisor, const struct exit *exit,
                         struct reply *reply)
{
    struct cpuid_leaf leaf = {0};

    if (exit_field(exit, FIELD_RAX) == 0xD && !exit_marked(exit, FIELD_XCR0)) {
        reply_malformed(reply, GHCB_ERR_MISSING_INPUT);
        return;
    }
    hypervisor_cpuid(hypervisor, exit, (uint32_t)exit_field(exit, FIELD_RAX),
                     (uint32_t)exit_field(exit, FIELD_RCX), &leaf);
    reply_set(reply, FIELD_RAX, leaf.eax);
    reply_set(reply, FIELD_RBX, leaf.ebx);
    reply_set(reply, FIELD_RCX, leaf.ecx);
    reply_set(reply, FIELD_RDX, leaf.edx);
}

static void say_cpuid(const struct exit *exit, char *text, size_t size)
{
    snprintf(text, size, "CPUID leaf 0x%x, subleaf 0x%x", (uint32_t)exit_field(exit, FIELD_RAX),
             (uint32_t)exit_field(exit, FIELD_RCX));
}

/* ---- port I/O ---- */

static unsigned io_size(uint64_t info1)
{
    return info1 & IOIO_SIZE_8 ? 1 : info1 & IOIO_SIZE_16 ? 2 : info1 & IOIO_SIZE_32 ? 4 : 0;
}

static void answer_port_io(struct hypervisor *hypervisor, const struct exit *exit,
                           struct reply *reply)
{
    uint64_t info1 = exit_field(exit, FIELD_INFO1);
    uint16_t port = (uint16_t)(info1 >> IOIO_PORT_SHIFT);
    unsigned size = io_size(info1);

    if (info1 & (IOIO_STRING | IOIO_REP)) {
        reply_unmodelled(reply, "string port i/o");
        return;
    }
    if (!(info1 & IOIO_IN) && !exit_marked(exit, FIELD_RAX)) {
        reply_malformed(reply, GHCB_ERR_MISSING_INPUT);
        return;
    }
    if (size != 1 || !uart_has(port)) {
        reply_unmodelled(reply, "port 0x%x, %u byte(s): no device is modelled there", port, size);
        return;
    }
    if (info1 & IOIO_IN) {
        reply_set(reply, FIELD_RAX, uart_read(&hypervisor->state.uart, port));
    } else {
        uart_write(&hypervisor->state.uart, port, (uint8_t)exit_field(exit, FIELD_RAX), reply);
    }
}

static void say_port_io(const struct exit *exit, char *text, size_t size)
{
    uint64_t info1 = exit_field(exit, FIELD_INFO1);

    if (info1 & IOIO_IN) {
        snprintf(text, size, "read port 0x%x", (unsigned)(info1 >> IOIO_PORT_SHIFT) & 0xFFFF);
    } else {
        snprintf(text, size, "write 0x%x to port 0x%x", (uint32_t)exit_field(exit, FIELD_RAX),
                 (unsigned)(info1 >> IOIO_PORT_SHIFT) & 0xFFFF);
    }
}

/* ---- page state change ---- */

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
    return header->end < PSC_ENTRY_MAX &&
           PSC_HEADER_SIZE + (header->end + 1u) * PSC_ENTRY_SIZE <= exit->scratch_size_bytes;
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

/* Returns SW_EXITINFO2's error, 0 when the entry was carried out. */
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
    if (entry->op == PSC_OP_PRIVATE) {
        reply_assign(reply, entry->gpa, size);
    } else if (entry->op == PSC_OP_SHARED) {
        reply_unassign(reply, entry->gpa, size);
    }
    return 0; /* PSMASH and UNSMASH are hints */
}

/*
 * The whole list in one exit: a partial answer would break guests that do not mark SW_SCRATCH again
 * (linux-svsm). Entries are left as they are, as in the SVSM-era KVM; upstream counts cur_page up.
 */
static void answer_page_state_change(struct hypervisor *hypervisor, const struct exit *exit,
                                     struct reply *reply)
{
    struct psc_header header;
    uint64_t info2 = 0;
    uint16_t index;

    if (!exit->scratch_size_bytes) {
        reply_malformed(reply, GHCB_ERR_INVALID_SCRATCH);
        return;
    }
    if (!psc_header(exit, &header)) {
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

static void say_page_state_change(const struct exit *exit, char *text, size_t size)
{
    struct psc_header header;
    uint64_t pages = 0;

    if (!psc_header(exit, &header) || header.cur > header.end) {
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

static void describe_page_state_change(const struct exit *exit, struct event *event)
{
    struct psc_header header;

    if (!psc_header(exit, &header) || header.cur > header.end) {
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

/* ---- APIC ID list ---- */

/*
 * The first call offers too few pages and learns how many are needed; the second gets the list.
 * Source of the order of checks: LKML 20260608144252.351443-57-joro@8bytes.org. A bent
 * configuration (pages, count, more IDs than fit) writes what fits into the pages that the guest
 * lent.
 */
static void answer_apic_id_list(struct hypervisor *hypervisor, const struct exit *exit,
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

static void say_apic_id_list(const struct exit *exit, char *text, size_t size)
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
static void say_apic_id_list_reply(const struct exit *exit, const struct reply *reply, char *text,
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

/* ---- rows ---- */

static void say_raw(const struct exit *exit, char *text, size_t size)
{
    snprintf(text, size, "event 0x%llx, info1 0x%llx, info2 0x%llx",
             (unsigned long long)exit->field[FIELD_CODE],
             (unsigned long long)exit->field[FIELD_INFO1],
             (unsigned long long)exit->field[FIELD_INFO2]);
}

/* Usage first, then the marks that every exit needs: sev_es_validate_vmgexit in KVM. */
static void answer_malformed(struct hypervisor *hypervisor, const struct exit *exit,
                             struct reply *reply)
{
    (void)hypervisor;
    reply_malformed(reply, exit->usage != GHCB_USAGE_STANDARD ? GHCB_ERR_INVALID_USAGE
                                                              : GHCB_ERR_MISSING_INPUT);
}

const struct exit_row exit_nae_rows[] = {
    {.name = "cpuid",
     .protocol = EXIT_PAGE,
     .code = NAE_CPUID,
     .source = KVM_NAE,
     .required = FIELD_BIT(FIELD_RAX) | FIELD_BIT(FIELD_RCX),
     .answer = answer_cpuid,
     .say = say_cpuid},
    {.name = "port_io",
     .protocol = EXIT_PAGE,
     .code = NAE_IOIO,
     .source = KVM_NAE,
     .answer = answer_port_io,
     .say = say_port_io},
    {.name = "msr",
     .protocol = EXIT_PAGE,
     .code = NAE_MSR,
     .source = KVM_NAE,
     .flags = EXIT_UNMODELLED,
     .say = say_raw},
    {.name = "page_state_change",
     .protocol = EXIT_PAGE,
     .code = NAE_PAGE_STATE_CHANGE,
     .source = "Linux arch/x86/kvm/svm/sev.c snp_begin_psc",
     .required = FIELD_BIT(FIELD_SCRATCH),
     .answer = answer_page_state_change,
     .say = say_page_state_change,
     .describe = describe_page_state_change},
    {.name = "ap_creation",
     .protocol = EXIT_PAGE,
     .code = NAE_AP_CREATION,
     .source = KVM_NAE,
     .flags = EXIT_UNMODELLED,
     .say = say_raw},
    {.name = "apic_id_list",
     .protocol = EXIT_PAGE,
     .code = NAE_APIC_ID_LIST,
     .source = "LKML 20260608144252.351443-57-joro@8bytes.org",
     .required = FIELD_BIT(FIELD_RAX),
     .answer = answer_apic_id_list,
     .say = say_apic_id_list,
     .say_reply = say_apic_id_list_reply},
    {.name = "run_vmpl",
     .protocol = EXIT_PAGE,
     .code = NAE_RUN_VMPL,
     .source = KVM_NAE,
     .flags = EXIT_UNMODELLED,
     .say = say_raw},
};
const size_t exit_nae_row_count = sizeof(exit_nae_rows) / sizeof(exit_nae_rows[0]);

const struct exit_row exit_row_malformed = {
    .name = "malformed",
    .protocol = EXIT_PAGE,
    .source = "Linux arch/x86/kvm/svm/sev.c sev_es_validate_vmgexit",
    .answer = answer_malformed,
    .say = say_raw,
};

const struct exit_row exit_row_unknown_nae = {
    .name = "unknown",
    .protocol = EXIT_PAGE,
    .flags = EXIT_UNMODELLED,
    .source = KVM_NAE,
    .say = say_raw,
};
