/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to the files of the AMD-SP:
 *
 *   psp.c          keys from the seed; the launch digest
 *   request.c      the header of a message, and which answer it gets
 *   report.c       MSG_REPORT
 *   key.c          MSG_KEY
 *   certificate.c  the test VCEK's certificate
 *   crypto.c       libgcrypt
 */
#ifndef SNPEMU_PSP_INTERNAL_H
#define SNPEMU_PSP_INTERNAL_H

#include "psp/crypto.h"
#include "psp/psp.h"

#define PSP_ROOT_SIZE 32

/* SVNs in the order of TCB_VERSION's bytes: boot loader, TEE, four reserved, SNP, microcode. */
#define PSP_TCB 0x0101000000000101ULL
#define PSP_BUILD 25
#define PSP_MINOR 55
#define PSP_MAJOR 1

struct psp {
    uint64_t seed;
    struct psp_guest guest;
    struct psp_state state;
    uint8_t vmpck[PSP_KEY_COUNT][PSP_KEY_SIZE];
    uint8_t vmrk[PSP_ROOT_SIZE];
    uint8_t vcek[CRYPTO_P384_SIZE]; /* the private key of the current TCB */
    uint8_t report_id[REPORT_ID_SIZE];
    uint8_t measurement[LAUNCH_DIGEST_SIZE];
};

/* A request that is authentic and in sequence. */
struct psp_message {
    uint8_t key; /* the VMPCK, and so the VMPL, that sealed it */
    uint8_t type;
    const uint8_t *payload; /* PSP_PAYLOAD_MAX bytes; beyond `size` they are zero */
    size_t size;
    uint8_t *response; /* PSP_PAYLOAD_MAX bytes of zero to be filled in */
    size_t response_size;
    const char *unverified; /* see struct psp_answer */
};

#define PSP_PAYLOAD_MAX (PAGE_SIZE - PSP_PAYLOAD)

/* An answer: it says response_size; what is wrong with the payload goes into the response. */
typedef bool psp_handler(struct psp *psp, struct psp_message *message);
psp_handler psp_report, psp_key;

/* A secret of the chip or of this guest: `name` and `index` tell them apart. */
bool psp_derive(const struct psp *psp, const char *name, uint64_t index, uint8_t *bytes,
                size_t size);
/* The root of the keys derived from the VCEK of a TCB version. */
bool psp_vcek_root(const struct psp *psp, uint64_t tcb, uint8_t root[PSP_ROOT_SIZE]);
/* CHIP_ID: the text that says whose key it is, padded with zeroes. */
void psp_chip_id(const struct psp *psp, uint8_t id[REPORT_CHIP_ID_SIZE]);

/* Little-endian words of messages. */
uint64_t psp_load(const uint8_t *bytes, size_t size);
void psp_store(uint8_t *bytes, uint64_t value, size_t size);

#endif
