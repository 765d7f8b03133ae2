/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processors by name: the words of their features, and what a guest's CPUID page shows of them.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ghcb/hypervisor.h"
#include "trap/profile.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* Whole words, added up anew from the names in QEMU target/i386/cpu.c and the bits in its cpu.h. */
static const struct {
    const char *profile;
    enum feature_word word;
    uint32_t all, shown;
} word_rows[] = {
    {"milan", WORD_1_ECX, 0xF6FA320B, 0xC6F82203},
    {"milan", WORD_7_EBX, 0x219C07A9, 0x019C0389},
    {"milan", WORD_7_ECX, 0x0040060C, 0},
    {"milan", WORD_80000001_EDX, 0x2FD3FBFF, 0x2DD3FBFF},
    {"milan", WORD_80000008_EBX, 0x1102D205, 0x00000201},
    {"milan", WORD_80000021_EAX, 0x00000045, 0x00000044},
    {"genoa", WORD_7_EBX, 0xF1BF07A9, 0x019C0389},
    {"genoa", WORD_7_ECX, 0x00415F4E, 0},
    {"genoa", WORD_7_1_EAX, 0x00000020, 0},
    {"turin", WORD_7_ECX, 0x18415F4E, 0},
    {"turin", WORD_7_EDX, 0x00000110, 0x00000010},
    {"turin", WORD_7_1_EAX, 0x00000030, 0},
};

START_TEST(words)
{
    const struct cpu_profile *profile = cpu_profile_by_name(word_rows[_i].profile);

    ck_assert_ptr_nonnull(profile);
    ck_assert_uint_eq(cpu_profile_word(profile, word_rows[_i].word, false), word_rows[_i].all);
    ck_assert_uint_eq(cpu_profile_word(profile, word_rows[_i].word, true), word_rows[_i].shown);
}
END_TEST

/* No bit twice; and what an instruction needs that the engine lacks is never shown. */
START_TEST(rows)
{
    for (size_t i = FEATURE_ABSENT + 1; i < feature_row_count; i++) {
        const struct feature_row *row = &feature_rows[i];

        ck_assert_ptr_nonnull(row->name);
        ck_assert(row->word < WORD_COUNT && row->bit < 32 && row->processors != 0);
        ck_assert_msg(i >= FEATURE_NAMED_COUNT || !row->shown, "%s", row->name);
        for (size_t k = FEATURE_ABSENT + 1; k < i; k++) {
            ck_assert_msg(row->word != feature_rows[k].word || row->bit != feature_rows[k].bit,
                          "%s and %s", row->name, feature_rows[k].name);
        }
    }
    ck_assert_ptr_null(cpu_profile_by_name("rome"));
}
END_TEST

START_TEST(features)
{
    const struct cpu_profile *milan = cpu_profile_by_name("milan");
    const struct cpu_profile *turin = cpu_profile_by_name("turin");

    ck_assert(cpu_profile_may_have(milan, FEATURE_AVX) &&
              cpu_profile_may_have(milan, FEATURE_VAES));
    ck_assert(!cpu_profile_may_have(milan, FEATURE_AVX512));
    ck_assert(cpu_profile_may_have(turin, FEATURE_AVX512));
    ck_assert(cpu_profile_may_have(milan, FEATURE_UNKNOWN));
    ck_assert(!cpu_profile_may_have(turin, FEATURE_ABSENT));
}
END_TEST

static const struct cpuid_leaf *leaf_of(const struct hypervisor_config *config, uint32_t eax,
                                        uint32_t ecx)
{
    for (size_t i = 0; i < config->cpuid_count; i++) {
        if (config->cpuid[i].eax_in == eax && config->cpuid[i].ecx_in == ecx) {
            return &config->cpuid[i];
        }
    }
    ck_abort_msg("no leaf 0x%x", eax);
    return NULL;
}

START_TEST(leaves)
{
    const struct cpu_profile *profile = &cpu_profiles[_i];
    struct hypervisor_config *config = calloc(1, sizeof(*config));

    ck_assert_ptr_nonnull(config);
    hypervisor_config_init(config, 1);
    ck_assert_str_eq(config->profile->name, "milan");
    hypervisor_config_cpu(config, profile);
    ck_assert_uint_eq(leaf_of(config, 1, 0)->eax, profile->signature);
    ck_assert_uint_eq(leaf_of(config, 1, 0)->ebx, 0x800);
    ck_assert_uint_eq(leaf_of(config, 1, 0)->ecx, cpu_profile_word(profile, WORD_1_ECX, true));
    ck_assert_uint_eq(leaf_of(config, 7, 0)->ebx, cpu_profile_word(profile, WORD_7_EBX, true));
    ck_assert_uint_eq(leaf_of(config, 0xD, 0)->eax, 3);
    ck_assert_uint_eq(leaf_of(config, 0xD, 1)->eax, cpu_profile_word(profile, WORD_D_1_EAX, true));
    ck_assert_uint_eq(leaf_of(config, 0x80000000, 0)->eax, profile->max_extended_leaf);
    ck_assert_uint_eq(leaf_of(config, 0x80000001, 0)->eax, profile->signature);
    ck_assert_uint_eq(leaf_of(config, 0x8000001F, 0)->ebx, 0x4033);
    free(config);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("profile");
    TCase *tcase = tcase_create("profile");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tcase);
    tcase_add_loop_test(tcase, words, 0, COUNT(word_rows));
    tcase_add_test(tcase, rows);
    tcase_add_test(tcase, features);
    tcase_add_loop_test(tcase, leaves, 0, (int)cpu_profile_count);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
