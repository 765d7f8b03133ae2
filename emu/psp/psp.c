/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "psp/internal.h"

#define DERIVE_NAME_MAX 32

uint64_t psp_load(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++) {
        value |= (uint64_t)bytes[i] << 8 * i;
    }
    return value;
}

void psp_store(uint8_t *bytes, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(value >> 8 * i);
    }
}

/* ---- keys ---- */

/* HMAC-SHA256, keyed with the seed, of a text that no other secret has; as often as needed. */
bool psp_derive(const struct psp *psp, const char *name, uint64_t index, uint8_t *bytes,
                size_t size)
{
    uint8_t key[8], text[DERIVE_NAME_MAX + 16] = {0}, block[CRYPTO_SHA256_SIZE];

    psp_store(key, psp->seed, sizeof(key));
    snprintf((char *)text, DERIVE_NAME_MAX, "snpemu %s", name);
    psp_store(text + DERIVE_NAME_MAX, index, 8);
    for (size_t at = 0; at < size; at += sizeof(block)) {
        size_t chunk = size - at < sizeof(block) ? size - at : sizeof(block);

        psp_store(text + DERIVE_NAME_MAX + 8, at, 8);
        if (!crypto_hmac_sha256(key, sizeof(key), text, sizeof(text), block)) {
            return false;
        }
        memcpy(bytes + at, block, chunk);
    }
    return true;
}

bool psp_vcek_root(const struct psp *psp, uint64_t tcb, uint8_t root[PSP_ROOT_SIZE])
{
    return psp_derive(psp, "VCEK root", tcb, root, PSP_ROOT_SIZE);
}

/* The first byte is cleared, which keeps the number below the group's order; it is never zero. */
static bool make_vcek(struct psp *psp)
{
    if (!psp_derive(psp, "VCEK", PSP_TCB, psp->vcek, sizeof(psp->vcek))) {
        return false;
    }
    psp->vcek[0] = 0;
    psp->vcek[sizeof(psp->vcek) - 1] |= 1;
    return true;
}

static bool make_keys(struct psp *psp)
{
    for (unsigned i = 0; i < PSP_KEY_COUNT; i++) {
        if (!psp_derive(psp, "VMPCK", i, psp->vmpck[i], PSP_KEY_SIZE)) {
            return false;
        }
    }
    return psp_derive(psp, "VMRK", 0, psp->vmrk, sizeof(psp->vmrk)) &&
           psp_derive(psp, "REPORT_ID", 0, psp->report_id, sizeof(psp->report_id)) &&
           make_vcek(psp);
}

void psp_chip_id(const struct psp *psp, uint8_t id[REPORT_CHIP_ID_SIZE])
{
    char text[REPORT_CHIP_ID_SIZE + 1] = {0};

    _Static_assert(sizeof(PSP_CHIP_TEXT) - 1 + 16 <= REPORT_CHIP_ID_SIZE, "CHIP_ID");
    snprintf(text, sizeof(text), "%s%016llx", PSP_CHIP_TEXT, (unsigned long long)psp->seed);
    memcpy(id, text, REPORT_CHIP_ID_SIZE);
}

/* ---- the object ---- */

int psp_new(struct psp **out, uint64_t seed, const struct psp_guest *guest, struct error *error)
{
    struct psp *psp = calloc(1, sizeof(*psp));

    if (!psp) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for an AMD-SP");
    }
    psp->seed = seed;
    psp->guest = *guest;
    if (!crypto_init() || !make_keys(psp)) {
        free(psp);
        return error_set(error, SNPEMU_ERR_INTERNAL,
                         "libgcrypt cannot do what an AMD-SP needs: HMAC, AES-GCM, ECDSA P-384");
    }
    *out = psp;
    return 0;
}

void psp_free(struct psp *psp)
{
    free(psp);
}

struct psp_state psp_get_state(const struct psp *psp)
{
    return psp->state;
}

void psp_set_state(struct psp *psp, const struct psp_state *state)
{
    psp->state = *state;
}

/* ---- launch ---- */

int psp_launch_update(struct psp *psp, uint8_t type, uint8_t vmpl1_perm, uint64_t gpa,
                      const uint8_t page[PAGE_SIZE], struct error *error)
{
    uint8_t info[PAGE_INFO_SIZE] = {0};
    bool measured = type == LAUNCH_NORMAL || type == LAUNCH_VMSA;

    memcpy(info + PAGE_INFO_DIGEST, psp->measurement, LAUNCH_DIGEST_SIZE);
    psp_store(info + PAGE_INFO_LENGTH, PAGE_INFO_SIZE, 2);
    info[PAGE_INFO_TYPE] = type;
    info[PAGE_INFO_VMPL1_PERM] = vmpl1_perm;
    psp_store(info + PAGE_INFO_GPA, gpa, 8);
    if ((measured && !crypto_sha384(page, PAGE_SIZE, info + PAGE_INFO_CONTENTS)) ||
        !crypto_sha384(info, sizeof(info), psp->measurement)) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "SHA-384 is not available");
    }
    return 0;
}

void psp_fill_secrets(const struct psp *psp, uint8_t page[PAGE_SIZE])
{
    psp_store(page + SECRETS_VERSION, SECRETS_VERSION_3, 4);
    memcpy(page + SECRETS_VMPCK, psp->vmpck, sizeof(psp->vmpck));
}
