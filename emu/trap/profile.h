/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processors by name: which features each has, and which of them a guest is shown. It is shown what
 * the CPU engine executes and KVM lets through; an instruction of the rest is `unmodelled`, where
 * hardware would execute it, and #UD where the processor has no such instruction.
 */
#ifndef SNPEMU_TRAP_PROFILE_H
#define SNPEMU_TRAP_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Words of feature bits that CPUID gives. */
enum feature_word {
    WORD_1_ECX,
    WORD_1_EDX,
    WORD_7_EBX,
    WORD_7_ECX,
    WORD_7_EDX,
    WORD_7_1_EAX,
    WORD_D_1_EAX,
    WORD_80000001_ECX,
    WORD_80000001_EDX,
    WORD_80000008_EBX,
    WORD_80000021_EAX,
    WORD_COUNT,
};

enum feature_processor {
    MILAN = 1,
    GENOA = 2,
    TURIN = 4,
};

/* Those that an instruction can be told by; more in profile.c. */
enum feature {
    FEATURE_UNKNOWN, /* which processors have it was not looked up */
    FEATURE_ABSENT,  /* no processor here has it */
    FEATURE_AVX,
    FEATURE_F16C,
    FEATURE_FMA,
    FEATURE_AVX2,
    FEATURE_AVX512,
    FEATURE_AVX_VNNI,
    FEATURE_SHA,
    FEATURE_GFNI,
    FEATURE_VAES,
    FEATURE_VPCLMULQDQ,
    FEATURE_INVPCID,
    FEATURE_RDPID,
    FEATURE_PKU,
    FEATURE_MOVDIRI,
    FEATURE_XSAVEC,
    FEATURE_XSAVES,
    FEATURE_NAMED_COUNT,
};

struct feature_row {
    const char *name;
    enum feature_word word;
    uint8_t bit;
    uint8_t processors; /* enum feature_processor */
    bool shown;
};

extern const struct feature_row feature_rows[];
extern const size_t feature_row_count;

struct cpu_profile {
    const char *name;
    enum feature_processor processor;
    uint32_t signature; /* CPUID 1 EAX */
    uint32_t max_extended_leaf;
    uint64_t xcr0; /* bits that XSETBV takes */
};

extern const struct cpu_profile cpu_profiles[];
extern const size_t cpu_profile_count;

const struct cpu_profile *cpu_profile_by_name(const char *name); /* NULL when there is none */

/* The bits of a word that the processor has, or of those, the ones that a guest is shown. */
uint32_t cpu_profile_word(const struct cpu_profile *profile, enum feature_word word, bool shown);

/* FEATURE_UNKNOWN: true. */
bool cpu_profile_may_have(const struct cpu_profile *profile, enum feature feature);

#endif
