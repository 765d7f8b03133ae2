/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The handlers of NAE events, by the file that has them. For nae.c, whose table calls them, and
 * for nae_*.c.
 */
#ifndef SNPEMU_GHCB_NAE_H
#define SNPEMU_GHCB_NAE_H

#include "ghcb/exit.h"
#include "ghcb/hypervisor.h"
#include "ghcb/reply.h"
#include "trace/event.h"

typedef void nae_answer(struct hypervisor *hypervisor, const struct exit *exit,
                        struct reply *reply);
typedef void nae_say(const struct exit *exit, char *text, size_t size);

/*
 * Is the scratch area good for `length` bytes? If not, the reply says why: 2/3, or, for memory that
 * the host cannot read, the end of the run.
 */
bool nae_scratch_ok(const struct exit *exit, uint64_t length, struct reply *reply);

/* nae_buffer.c: what memory is lent. exit_row.buffers. */
typedef size_t nae_buffers(const struct hypervisor *hypervisor, const struct exit *exit,
                           struct exit_buffer *buffer);
nae_buffers nae_buffers_apic_id_list, nae_buffers_page_state_change, nae_buffers_mmio_read,
    nae_buffers_mmio_write, nae_buffers_port_io, nae_buffers_guest_request, nae_buffers_hv_doorbell;

/* nae_cpu.c: instructions */
nae_answer nae_answer_nothing; /* done, and nothing was to do */
nae_answer nae_answer_cpuid, nae_answer_rdtsc, nae_answer_rdtscp, nae_answer_rdpmc,
    nae_answer_vmmcall;
nae_say nae_say_cpuid, nae_say_rdpmc, nae_say_vmmcall;

/* nae_msr.c: RDMSR and WRMSR */
nae_answer nae_answer_msr;
nae_say nae_say_msr;

/* nae_io.c: ports and memory-mapped devices */
nae_answer nae_answer_port_io, nae_answer_mmio_read, nae_answer_mmio_write;
nae_say nae_say_port_io, nae_say_mmio_read, nae_say_mmio_write;
uint64_t nae_scratch_port_io(const struct exit *exit);
uint64_t nae_scratch_info2(const struct exit *exit);

/* nae_psc.c: page state change */
nae_answer nae_answer_page_state_change;
nae_say nae_say_page_state_change;
void nae_describe_page_state_change(const struct exit *exit, struct event *event);

/* nae_list.c: the APIC ID list */
nae_answer nae_answer_apic_id_list;
nae_say nae_say_apic_id_list;
void nae_say_apic_id_list_reply(const struct exit *exit, const struct reply *reply, char *text,
                                size_t size);

/* nae_vcpu.c: vCPUs and their VMPLs */
nae_answer nae_answer_ap_reset_hold, nae_answer_ap_jump_table, nae_answer_ap_creation,
    nae_answer_run_vmpl;
nae_say nae_say_ap_jump_table, nae_say_ap_creation, nae_say_run_vmpl;
/* Shared with the MSR protocol: false when the host has no VMSA for that VMPL. */
bool nae_run_vmpl(const struct hypervisor *hypervisor, const struct exit *exit, uint64_t vmpl,
                  struct reply *reply);

/* nae_guest.c: messages to the AMD-SP */
nae_answer nae_answer_guest_request, nae_answer_ext_guest_request;
nae_say nae_say_guest_request;
void nae_say_guest_request_reply(const struct exit *exit, const struct reply *reply, char *text,
                                 size_t size);
void nae_describe_guest_request(const struct exit *exit, struct event *event);

/* nae_hv.c: restricted injection, and what a guest tells of itself */
nae_answer nae_answer_hv_doorbell, nae_answer_hv_ipi, nae_answer_hv_features,
    nae_answer_unsupported_event, nae_answer_unknown;
/* Shared with nae_msr.c: an interrupt command, by whatever way the guest gives it. */
enum apic_result nae_send_ipi(struct hypervisor *hypervisor, const struct exit *exit, uint64_t icr);
nae_say nae_say_hv_doorbell, nae_say_hv_ipi, nae_say_terminate, nae_say_unsupported_event;

#endif
