/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The AMD-SP, as a guest sees it through guest requests: it measures what is launched, and answers
 * sealed messages. Its keys never leave it: a hypervisor hands in the page of a request and gets
 * the page of the response, both ciphertext.
 *
 * All keys come from the seed, so they are test keys that everybody can make. What is signed says
 * so: the report's CHIP_ID, which tells a verifier whose key to take, is a text; so are the names
 * in the certificate.
 *
 * Source: amd/AMD-ASPFW (SEV firmware 1.55.25) fw/psp_bl_uapps/sev_uapp/src/sev_mcmd.c
 * snp_mcmd_guest_request, snp_mcmd_launch_update.
 */
#ifndef SNPEMU_PSP_PSP_H
#define SNPEMU_PSP_PSP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/psp.h"
#include "abi/x86.h"
#include "error.h"

/* The first 43 bytes of CHIP_ID; the seed in hexadecimal follows. */
#define PSP_CHIP_TEXT "snpemu TEST KEY, not an AMD chip; seed 0x"
#define PSP_CERTIFICATE_MAX 1024

struct psp; /* opaque: it holds keys */

/* What the launcher says of the guest: SNP_LAUNCH_START and SNP_LAUNCH_FINISH. */
struct psp_guest {
    uint64_t policy;
    uint8_t host_data[REPORT_HOST_DATA_SIZE];
};

/* What changes while the guest runs. Part of a snapshot and of the state digest. */
struct psp_state {
    uint64_t count[PSP_KEY_COUNT]; /* messages so far of each VMPCK, requests and responses */
};

/* How a request ended. */
struct psp_answer {
    uint32_t status;        /* of the firmware: PSP_*; the response is written for PSP_SUCCESS */
    size_t size_bytes;      /* of the response, its header included */
    const char *unverified; /* what of it nobody could check; NULL: nothing. Static text */
    const char *unmodelled; /* the request cannot be answered: its name; NULL: it was. Static */
};

/* Returns 0, SNPEMU_ERR_MEMORY, or SNPEMU_ERR_INTERNAL when the cryptography library fails. */
int psp_new(struct psp **psp, uint64_t seed, const struct psp_guest *guest, struct error *error);
void psp_free(struct psp *psp); /* takes NULL */

/*
 * Measure a page of LAUNCH_*; its bytes count for LAUNCH_NORMAL and LAUNCH_VMSA alone. vmpl1_perm:
 * what the launcher lets VMPL1 do with it, RMP_PERM_*.
 */
int psp_launch_update(struct psp *psp, uint8_t type, uint8_t vmpl1_perm, uint64_t gpa,
                      const uint8_t page[PAGE_SIZE], struct error *error);
/* The four VMPCKs and the version of a secrets page. */
void psp_fill_secrets(const struct psp *psp, uint8_t page[PAGE_SIZE]);

/*
 * One SNP_GUEST_REQUEST. The request is hostile. `response` keeps what the answer does not write.
 */
int psp_request(struct psp *psp, const uint8_t request[PAGE_SIZE], uint8_t response[PAGE_SIZE],
                struct psp_answer *answer, struct error *error);

struct psp_state psp_get_state(const struct psp *psp);
void psp_set_state(struct psp *psp, const struct psp_state *state);

/*
 * The test VCEK's certificate, signed by itself: X.509 in DER. Its size; 0 when the library fails.
 * Made anew each time, for few runs want it and it takes longer than all else here.
 */
size_t psp_certificate(const struct psp *psp, uint8_t der[PSP_CERTIFICATE_MAX]);

/* The firmware's name of a status, in lower case; NULL for one that is not in abi/psp.h. */
const char *psp_status_name(uint32_t status);
/* The kinds of request that the firmware knows, in the order of their types; false beyond them. */
struct psp_message_kind {
    uint8_t type;
    const char *name;
    const char *answer; /* in words; NULL: not modelled */
    const char *source;
};
bool psp_message_kind(size_t i, struct psp_message_kind *kind);
/* What a type of message is called, such as "report request"; NULL for an unknown one. */
const char *psp_message_name(uint8_t type);

#endif
