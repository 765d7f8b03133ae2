/* SPDX-License-Identifier: MIT */
/* SEV_FEATURES: AMD APM Vol 2 (24593) appendix B, VMSA offset 0x3b0. */
#ifndef SVSM_FEATURES_H
#define SVSM_FEATURES_H

#define FEATURE_SNP (1ULL << 0)
#define FEATURE_VTOM (1ULL << 1)
#define FEATURE_REFLECT_VC (1ULL << 2)
#define FEATURE_RESTRICTED_INJECTION (1ULL << 3)
#define FEATURE_ALTERNATE_INJECTION (1ULL << 4)
#define FEATURE_SECURE_TSC (1ULL << 9)
#define FEATURE_VMSA_REGISTER_PROTECTION (1ULL << 14)
#define FEATURE_SMT_PROTECTION (1ULL << 15)
#define FEATURE_RESERVED (0xfULL << 10 | ~0xffffULL)

/*
 * What SVSM and guest must and must not have. AMDESE/linux-svsm a2d150f959ed src/cpu/vmsa.rs; its
 * comment refuses SMT protection to both, its code to the guest alone.
 */
#define FEATURES_REFUSED                                                                           \
    (FEATURE_VTOM | FEATURE_REFLECT_VC | FEATURE_ALTERNATE_INJECTION | FEATURE_SECURE_TSC |        \
     FEATURE_VMSA_REGISTER_PROTECTION | FEATURE_RESERVED)

#define VMPL0_FEATURES_REQUIRED (FEATURE_SNP | FEATURE_RESTRICTED_INJECTION)
#define VMPL0_FEATURES_REFUSED FEATURES_REFUSED
#define VMPL1_FEATURES_REQUIRED FEATURE_SNP
#define VMPL1_FEATURES_REFUSED (FEATURES_REFUSED | FEATURE_SMT_PROTECTION)

#endif
