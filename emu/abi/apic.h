/* SPDX-License-Identifier: MIT */
/*
 * The local APIC as far as a guest reaches it through intercepted MSRs: APIC base and the x2APIC
 * registers.
 *
 * Source: AMD APM Vol 2 (24593) chapter 16, "Advanced Programmable Interrupt Controller (APIC)".
 */
#ifndef SNPEMU_ABI_APIC_H
#define SNPEMU_ABI_APIC_H

#define APIC_MSR_BASE 0x1Bu
#define APIC_BASE_BSP (1ULL << 8)
#define APIC_BASE_EXTD (1ULL << 10) /* x2APIC mode */
#define APIC_BASE_ENABLE (1ULL << 11)
#define APIC_BASE_RESET 0xFEE00000ULL

#define X2APIC_MSR_FIRST 0x800u
#define X2APIC_MSR_LAST 0x8FFu
#define X2APIC_ID 0x802u
#define X2APIC_VERSION 0x803u
#define X2APIC_TPR 0x808u
#define X2APIC_PPR 0x80Au
#define X2APIC_EOI 0x80Bu
#define X2APIC_LDR 0x80Du
#define X2APIC_SPIV 0x80Fu
#define X2APIC_ISR_FIRST 0x810u /* ISR, TMR, IRR: eight registers each */
#define X2APIC_TMR_FIRST 0x818u
#define X2APIC_IRR_FIRST 0x820u
#define X2APIC_IRR_LAST 0x827u
#define X2APIC_ESR 0x828u
#define X2APIC_ICR 0x830u
#define X2APIC_LVT_FIRST 0x832u
#define X2APIC_LVT_LAST 0x837u
#define X2APIC_TIMER_INITIAL 0x838u
#define X2APIC_TIMER_CURRENT 0x839u
#define X2APIC_TIMER_DIVIDE 0x83Eu
#define X2APIC_SELF_IPI 0x83Fu

#define APIC_SPIV_ENABLE 0x100u
#define APIC_SPIV_MASK 0x3FFu
/* ICR: vector in 7:0, destination's APIC ID in 63:32. */
#define APIC_ICR_MODE_MASK 0x700ULL
#define APIC_ICR_MODE_FIXED 0x000ULL
#define APIC_ICR_MODE_NMI 0x400ULL
#define APIC_ICR_MODE_INIT 0x500ULL
#define APIC_ICR_LOGICAL (1ULL << 11)
#define APIC_ICR_BUSY (1ULL << 12)
#define APIC_ICR_SHORTHAND_MASK (3ULL << 18)
#define APIC_ICR_SELF (1ULL << 18)
#define APIC_ICR_DESTINATION_SHIFT 32
#define APIC_VECTOR_MASK 0xFFULL
#define APIC_ICR_RESERVED 0xFFF32000ULL /* 31:20, 17:16, 13 */

#endif
