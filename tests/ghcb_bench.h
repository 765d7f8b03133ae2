/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's GHCB page and the honest hypervisor behind it, for tests: put fields, make an exit,
 * look at the answer. On top of the small machine of guest_builder.h.
 */
#ifndef SNPEMU_TESTS_GHCB_BENCH_H
#define SNPEMU_TESTS_GHCB_BENCH_H

#include "ghcb/exit.h"
#include "ghcb/hypervisor.h"
#include "ghcb/reply.h"
#include "guest_builder.h"
#include "psp/psp.h"

#define BENCH_GHCB (GUEST_GPA + GUEST_SHARED)        /* the first of 16 shared pages */
#define BENCH_SHARED(n) (BENCH_GHCB + (n)*PAGE_SIZE) /* 1 to 15 are free */
#define BENCH_PRIVATE (GUEST_GPA + GUEST_DATA)       /* 64 private pages */
#define BENCH_BUFFER (BENCH_GHCB + GHCB_SHARED_BUFFER)
#define BENCH_NOWHERE (GUEST_GPA + 0x10000000) /* no memory */

struct ghcb_bench {
    struct guest guest;
    struct hypervisor_config config;
    struct hypervisor hypervisor;
    struct psp *psp; /* of seed 1 */
    struct exit exit;
    struct reply reply;
    char console[256];
    size_t console_size;
};

/* Four CPUs with APIC IDs 0 to 3; the GHCB is registered. Both end the test when something fails.
 */
void bench_open(struct ghcb_bench *bench);
void bench_close(struct ghcb_bench *bench);

/* One request of the MSR protocol; the MSR afterwards. */
uint64_t bench_msr(struct ghcb_bench *bench, uint64_t request);

/* The page's bytes, from offset. */
uint8_t *bench_page(struct ghcb_bench *bench, uint64_t offset);
/* Any byte of memory, up to its page's end. */
uint8_t *bench_at(struct ghcb_bench *bench, uint64_t gpa);
void bench_clear(struct ghcb_bench *bench); /* no marks, all fields zero */
void bench_put(struct ghcb_bench *bench, enum ghcb_field field, uint64_t value); /* marks it */
void bench_mark(struct ghcb_bench *bench, enum ghcb_field field, bool marked);
uint64_t bench_get(struct ghcb_bench *bench, enum ghcb_field field);
bool bench_marked(struct ghcb_bench *bench, enum ghcb_field field);

/* Take the exit and answer it; carried out if the answer resumes the guest. */
enum reply_resume bench_go(struct ghcb_bench *bench);
/* The same after code and info are put, with their marks, and the version is 2. */
enum reply_resume bench_exit(struct ghcb_bench *bench, uint64_t code, uint64_t info1,
                             uint64_t info2);

#endif
