/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trap/profile.h"

#include <string.h>

#define ALL (MILAN | GENOA | TURIN)
#define NEW (GENOA | TURIN)

/*
 * Source: QEMU target/i386/cpu.c builtin_x86_defs: EPYC-Milan with its version 2, EPYC-Genoa,
 * EPYC-Turin; every AMD model has the low half of CPUID 1 EDX again in
 * 0x80000001 EDX. Shown: what the CPU engine's own list of what it executes has (the TCG_*
 * features of that file), and what the emulator executes in its place (RDRAND, RDSEED, CLZERO);
 * without what KVM hides (MONITOR) or what would need registers that have no row (IBRS...).
 */
const struct feature_row feature_rows[] = {
    [FEATURE_FMA] = {"fma", WORD_1_ECX, 12, ALL, false},
    [FEATURE_AVX] = {"avx", WORD_1_ECX, 28, ALL, false},
    [FEATURE_F16C] = {"f16c", WORD_1_ECX, 29, ALL, false},
    [FEATURE_AVX2] = {"avx2", WORD_7_EBX, 5, ALL, false},
    [FEATURE_INVPCID] = {"invpcid", WORD_7_EBX, 10, ALL, false},
    [FEATURE_AVX512] = {"avx512f", WORD_7_EBX, 16, NEW, false},
    [FEATURE_SHA] = {"sha-ni", WORD_7_EBX, 29, ALL, false},
    [FEATURE_PKU] = {"pku", WORD_7_ECX, 3, ALL, false},
    [FEATURE_GFNI] = {"gfni", WORD_7_ECX, 8, NEW, false},
    [FEATURE_VAES] = {"vaes", WORD_7_ECX, 9, ALL, false},
    [FEATURE_VPCLMULQDQ] = {"vpclmulqdq", WORD_7_ECX, 10, ALL, false},
    [FEATURE_RDPID] = {"rdpid", WORD_7_ECX, 22, ALL, false},
    [FEATURE_MOVDIRI] = {"movdiri", WORD_7_ECX, 27, TURIN, false},
    [FEATURE_AVX_VNNI] = {"avx-vnni", WORD_7_1_EAX, 4, TURIN, false},
    [FEATURE_XSAVEC] = {"xsavec", WORD_D_1_EAX, 1, ALL, false},
    [FEATURE_XSAVES] = {"xsaves", WORD_D_1_EAX, 3, ALL, false},
    [FEATURE_NAMED_COUNT] = {"sse3", WORD_1_ECX, 0, ALL, true},
    {"pclmulqdq", WORD_1_ECX, 1, ALL, true},
    {"monitor", WORD_1_ECX, 3, ALL, false},
    {"ssse3", WORD_1_ECX, 9, ALL, true},
    {"cx16", WORD_1_ECX, 13, ALL, true},
    {"pcid", WORD_1_ECX, 17, ALL, false},
    {"sse4.1", WORD_1_ECX, 19, ALL, true},
    {"sse4.2", WORD_1_ECX, 20, ALL, true},
    {"x2apic", WORD_1_ECX, 21, ALL, true},
    {"movbe", WORD_1_ECX, 22, ALL, true},
    {"popcnt", WORD_1_ECX, 23, ALL, true},
    {"aes", WORD_1_ECX, 25, ALL, true},
    {"xsave", WORD_1_ECX, 26, ALL, true},
    {"rdrand", WORD_1_ECX, 30, ALL, true},
    {"hypervisor", WORD_1_ECX, 31, ALL, true},
    {"fpu", WORD_1_EDX, 0, ALL, true},
    {"vme", WORD_1_EDX, 1, ALL, true},
    {"de", WORD_1_EDX, 2, ALL, true},
    {"pse", WORD_1_EDX, 3, ALL, true},
    {"tsc", WORD_1_EDX, 4, ALL, true},
    {"msr", WORD_1_EDX, 5, ALL, true},
    {"pae", WORD_1_EDX, 6, ALL, true},
    {"mce", WORD_1_EDX, 7, ALL, true},
    {"cx8", WORD_1_EDX, 8, ALL, true},
    {"apic", WORD_1_EDX, 9, ALL, true},
    {"sep", WORD_1_EDX, 11, ALL, true},
    {"mtrr", WORD_1_EDX, 12, ALL, true},
    {"pge", WORD_1_EDX, 13, ALL, true},
    {"mca", WORD_1_EDX, 14, ALL, true},
    {"cmov", WORD_1_EDX, 15, ALL, true},
    {"pat", WORD_1_EDX, 16, ALL, true},
    {"pse36", WORD_1_EDX, 17, ALL, true},
    {"clflush", WORD_1_EDX, 19, ALL, true},
    {"mmx", WORD_1_EDX, 23, ALL, true},
    {"fxsr", WORD_1_EDX, 24, ALL, true},
    {"sse", WORD_1_EDX, 25, ALL, true},
    {"sse2", WORD_1_EDX, 26, ALL, true},
    {"fsgsbase", WORD_7_EBX, 0, ALL, true},
    {"bmi1", WORD_7_EBX, 3, ALL, true},
    {"smep", WORD_7_EBX, 7, ALL, true},
    {"bmi2", WORD_7_EBX, 8, ALL, true},
    {"erms", WORD_7_EBX, 9, ALL, true},
    {"avx512dq", WORD_7_EBX, 17, NEW, false},
    {"rdseed", WORD_7_EBX, 18, ALL, true},
    {"adx", WORD_7_EBX, 19, ALL, true},
    {"smap", WORD_7_EBX, 20, ALL, true},
    {"avx512ifma", WORD_7_EBX, 21, NEW, false},
    {"clflushopt", WORD_7_EBX, 23, ALL, true},
    {"clwb", WORD_7_EBX, 24, ALL, true},
    {"avx512cd", WORD_7_EBX, 28, NEW, false},
    {"avx512bw", WORD_7_EBX, 30, NEW, false},
    {"avx512vl", WORD_7_EBX, 31, NEW, false},
    {"avx512-vbmi", WORD_7_ECX, 1, NEW, false},
    {"umip", WORD_7_ECX, 2, ALL, false},
    {"avx512-vbmi2", WORD_7_ECX, 6, NEW, false},
    {"avx512-vnni", WORD_7_ECX, 11, NEW, false},
    {"avx512-bitalg", WORD_7_ECX, 12, NEW, false},
    {"avx512-vpopcntdq", WORD_7_ECX, 14, NEW, false},
    {"la57", WORD_7_ECX, 16, NEW, false},
    {"movdir64b", WORD_7_ECX, 28, TURIN, false},
    {"fsrm", WORD_7_EDX, 4, ALL, true},
    {"avx512-vp2intersect", WORD_7_EDX, 8, TURIN, false},
    {"avx512-bf16", WORD_7_1_EAX, 5, NEW, false},
    {"xsaveopt", WORD_D_1_EAX, 0, ALL, true},
    {"xgetbv1", WORD_D_1_EAX, 2, ALL, true},
    {"lahf-lm", WORD_80000001_ECX, 0, ALL, true},
    {"svm", WORD_80000001_ECX, 2, ALL, false},
    {"cr8legacy", WORD_80000001_ECX, 4, ALL, true},
    {"abm", WORD_80000001_ECX, 5, ALL, true},
    {"sse4a", WORD_80000001_ECX, 6, ALL, true},
    {"misalignsse", WORD_80000001_ECX, 7, ALL, false},
    {"3dnowprefetch", WORD_80000001_ECX, 8, ALL, true},
    {"osvw", WORD_80000001_ECX, 9, ALL, false},
    {"topoext", WORD_80000001_ECX, 22, ALL, false},
    {"perfctr-core", WORD_80000001_ECX, 23, ALL, false},
    {"fpu", WORD_80000001_EDX, 0, ALL, true},
    {"vme", WORD_80000001_EDX, 1, ALL, true},
    {"de", WORD_80000001_EDX, 2, ALL, true},
    {"pse", WORD_80000001_EDX, 3, ALL, true},
    {"tsc", WORD_80000001_EDX, 4, ALL, true},
    {"msr", WORD_80000001_EDX, 5, ALL, true},
    {"pae", WORD_80000001_EDX, 6, ALL, true},
    {"mce", WORD_80000001_EDX, 7, ALL, true},
    {"cx8", WORD_80000001_EDX, 8, ALL, true},
    {"apic", WORD_80000001_EDX, 9, ALL, true},
    {"mtrr", WORD_80000001_EDX, 12, ALL, true},
    {"pge", WORD_80000001_EDX, 13, ALL, true},
    {"mca", WORD_80000001_EDX, 14, ALL, true},
    {"cmov", WORD_80000001_EDX, 15, ALL, true},
    {"pat", WORD_80000001_EDX, 16, ALL, true},
    {"pse36", WORD_80000001_EDX, 17, ALL, true},
    {"mmx", WORD_80000001_EDX, 23, ALL, true},
    {"fxsr", WORD_80000001_EDX, 24, ALL, true},
    {"syscall", WORD_80000001_EDX, 11, ALL, true},
    {"nx", WORD_80000001_EDX, 20, ALL, true},
    {"mmxext", WORD_80000001_EDX, 22, ALL, true},
    {"fxsr-opt", WORD_80000001_EDX, 25, ALL, false},
    {"pdpe1gb", WORD_80000001_EDX, 26, ALL, true},
    {"rdtscp", WORD_80000001_EDX, 27, ALL, true},
    {"lm", WORD_80000001_EDX, 29, ALL, true},
    {"clzero", WORD_80000008_EBX, 0, ALL, true},
    {"xsaveerptr", WORD_80000008_EBX, 2, ALL, false},
    {"wbnoinvd", WORD_80000008_EBX, 9, ALL, true},
    {"ibpb", WORD_80000008_EBX, 12, ALL, false},
    {"ibrs", WORD_80000008_EBX, 14, ALL, false},
    {"amd-stibp", WORD_80000008_EBX, 15, ALL, false},
    {"stibp-always-on", WORD_80000008_EBX, 17, ALL, false},
    {"amd-ssbd", WORD_80000008_EBX, 24, ALL, false},
    {"amd-psfd", WORD_80000008_EBX, 28, ALL, false},
    {"no-nested-data-bp", WORD_80000021_EAX, 0, ALL, false},
    {"fs-gs-base-ns", WORD_80000021_EAX, 1, TURIN, false},
    {"lfence-always-serializing", WORD_80000021_EAX, 2, ALL, true},
    {"null-sel-clr-base", WORD_80000021_EAX, 6, ALL, true},
    {"auto-ibrs", WORD_80000021_EAX, 8, NEW, false},
    {"prefetchi", WORD_80000021_EAX, 20, TURIN, false},
    {"sbpb", WORD_80000021_EAX, 27, TURIN, false},
    {"ibpb-brtype", WORD_80000021_EAX, 28, TURIN, false},
    {"srso-user-kernel-no", WORD_80000021_EAX, 30, TURIN, false},
};
const size_t feature_row_count = sizeof(feature_rows) / sizeof(feature_rows[0]);

/* x87, SSE, AVX, PKRU; AVX-512's three. */
#define XCR0_MILAN 0x207
#define XCR0_GENOA 0x2E7

const struct cpu_profile cpu_profiles[] = {
    {"milan", MILAN, 0x00A00F11, 0x80000021, XCR0_MILAN},
    {"genoa", GENOA, 0x00A10F10, 0x80000021, XCR0_GENOA},
    {"turin", TURIN, 0x00B00F00, 0x80000021, XCR0_GENOA},
};
const size_t cpu_profile_count = sizeof(cpu_profiles) / sizeof(cpu_profiles[0]);

const struct cpu_profile *cpu_profile_by_name(const char *name)
{
    for (size_t i = 0; i < cpu_profile_count; i++) {
        if (strcmp(cpu_profiles[i].name, name) == 0) {
            return &cpu_profiles[i];
        }
    }
    return NULL;
}

uint32_t cpu_profile_word(const struct cpu_profile *profile, enum feature_word word, bool shown)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < feature_row_count; i++) {
        const struct feature_row *row = &feature_rows[i];

        if (row->name && row->word == word && (row->processors & profile->processor) &&
            (row->shown || !shown)) {
            bits |= 1u << row->bit;
        }
    }
    return bits;
}

bool cpu_profile_may_have(const struct cpu_profile *profile, enum feature feature)
{
    if (feature == FEATURE_UNKNOWN) {
        return true;
    }
    return feature != FEATURE_ABSENT && (feature_rows[feature].processors & profile->processor);
}
