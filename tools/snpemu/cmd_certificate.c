/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snpemu certificate: whose signature the attestation reports of a seed bear.
 */
#include <stdio.h>

#include "command.h"
#include "host/scenario.h"
#include "options.h"
#include "psp/psp.h"

#define KEY_SEED 's'
#define PEM_LINE_BYTES 48 /* which make 64 characters */

struct certificate {
    struct options options;
    uint64_t seed;
};

static const struct argp_option certificate_options[] = {
    OPTION_HELP,
    {"seed", KEY_SEED, "N", 0, "The seed of the runs whose reports are to be verified (1)", 0},
    {0},
};

static const char certificate_doc[] =
    "Print the certificate of the test key that signs attestation reports, as PEM.\v"
    "The key is made from the seed, so anybody can make it: it proves nothing but that snpemu made "
    "a report. Issuer and subject of the certificate say so, and so does the report's CHIP_ID.\n"
    "\n"
    "  snpemu certificate --seed 7 > vcek.pem";

static error_t certificate_parse(int key, char *arg, struct argp_state *state)
{
    struct certificate *certificate = state->input;

    if (key == KEY_SEED) {
        return option_number(state, "--seed", arg, 0, UINT64_MAX, &certificate->seed);
    }
    if (key == ARGP_KEY_ARG) {
        return option_fail(state, "certificate: '%.100s' is one word too many; it takes --seed",
                           arg);
    }
    return option_other(key, state);
}

/* RFC 7468: base64 in lines of 64. */
static void print_pem(const uint8_t *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    printf("-----BEGIN CERTIFICATE-----\n");
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t word = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                        (left > 2 ? bytes[i + 2] : 0u);

        printf("%c%c%c%c", digits[word >> 18], digits[word >> 12 & 63],
               left > 1 ? digits[word >> 6 & 63] : '=', left > 2 ? digits[word & 63] : '=');
        if ((i + 3) % PEM_LINE_BYTES == 0 || left <= 3) {
            printf("\n");
        }
    }
    printf("-----END CERTIFICATE-----\n");
}

const struct argp cmd_certificate_argp = {
    certificate_options, certificate_parse, NULL, certificate_doc, NULL, NULL, NULL};

int cmd_certificate(int argc, char **argv)
{
    static const struct psp_guest nobody;
    struct certificate certificate = {.seed = SCENARIO_SEED_DEFAULT};
    struct error *error = &certificate.options.error;
    uint8_t der[PSP_CERTIFICATE_MAX];
    struct psp *psp = NULL;
    int status = options_parse(&cmd_certificate_argp, argc, argv, &certificate.options);

    if (status == SNPEMU_OK) {
        status = psp_new(&psp, certificate.seed, &nobody, error);
    }
    if (status == SNPEMU_OK) {
        size_t size = psp_certificate(psp, der);

        if (size) {
            print_pem(der, size);
        } else {
            status = error_set(error, SNPEMU_ERR_INTERNAL, "libgcrypt cannot sign with P-384");
        }
    }
    psp_free(psp);
    return status == SNPEMU_OK ? EXIT_MET : command_fail(status, error);
}
