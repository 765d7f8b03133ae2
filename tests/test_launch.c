/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a launch measures: the digest computed once more, from the memory and the registers that
 * the launched machine has, by the launcher's order.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "abi/msr.h"
#include "abi/svsm.h"
#include "launch.h"
#include "psp/internal.h"
#include "psp_guest.h"

static struct image *image;
static struct hypervisor_config config;
static struct machine machine;
static struct psp *psp;
static struct error error;

static void setup(void)
{
    ck_assert_msg(image_open(&image, SNPEMU_IMAGE_DIR "/psp.elf", &error) == 0, "%s", error.text);
    hypervisor_config_init(&config, 1);
}

static void launch(void)
{
    struct launch what = {.image = image, .config = &config, .seed = 1};

    ck_assert_int_eq(launch_psp(&psp, &config, 1, &error), 0);
    what.psp = psp;
    ck_assert_msg(launch_machine(&machine, &what, &error) == 0, "%s", error.text);
}

static void unlaunch(void)
{
    machine_release(&machine);
    psp_free(psp);
}

static void teardown(void)
{
    image_close(image);
}

static void measure(uint8_t digest[48], uint8_t type, uint64_t gpa, const uint8_t *page)
{
    uint8_t info[0x70] = {0};

    memcpy(info, digest, 48);
    if (page) {
        psp_guest_sha384(page, PAGE_SIZE, info + 0x30);
    }
    psp_guest_store(info + 0x60, 0x70, 2);
    info[0x62] = type;
    psp_guest_store(info + 0x68, gpa, 8);
    psp_guest_sha384(info, sizeof(info), digest);
}

static const uint8_t *page_at(uint64_t gpa)
{
    return memory_bytes(&machine.memory, memory_page(&machine.memory, gpa));
}

/* From the registers that the vCPU starts with. */
static void make_vmsa(uint8_t page[PAGE_SIZE])
{
    const struct vcpu *vcpu = machine.vcpu;
    struct vcpu_table gdtr, idtr;

    memset(page, 0, PAGE_SIZE);
    vcpu_get_table(vcpu, VCPU_GDTR, &gdtr);
    vcpu_get_table(vcpu, VCPU_IDTR, &idtr);
    psp_guest_store(page + 0x10, vcpu_get(vcpu, VCPU_CS), 2);
    psp_guest_store(page + 0x12, 0xA9A, 2); /* 64-bit code, present, of the guests' own GDT */
    psp_guest_store(page + 0x14, 0xFFFFFFFF, 4);
    psp_guest_store(page + 0x64, gdtr.limit, 4);
    psp_guest_store(page + 0x68, gdtr.base, 8);
    psp_guest_store(page + 0x72, 0x82, 2);
    psp_guest_store(page + 0x74, 0xFFFF, 4);
    psp_guest_store(page + 0x84, idtr.limit, 4);
    psp_guest_store(page + 0x88, idtr.base, 8);
    psp_guest_store(page + 0x92, 0x8B, 2);
    psp_guest_store(page + 0x94, 0xFFFF, 4);
    psp_guest_store(page + 0xD0, image->start.efer | EFER_SVME, 8);
    psp_guest_store(page + 0x148, vcpu_get(vcpu, VCPU_CR4), 8);
    psp_guest_store(page + 0x150, vcpu_get(vcpu, VCPU_CR3), 8);
    psp_guest_store(page + 0x158, vcpu_get(vcpu, VCPU_CR0), 8);
    psp_guest_store(page + 0x160, 0x400, 8);
    psp_guest_store(page + 0x168, 0xFFFF0FF0, 8);
    psp_guest_store(page + 0x170, vcpu_get(vcpu, VCPU_RFLAGS), 8);
    psp_guest_store(page + 0x178, vcpu_get(vcpu, VCPU_RIP), 8);
    psp_guest_store(page + 0x268, 0x0007040600070406, 8);
    psp_guest_store(page + 0x310, vcpu_get(vcpu, VCPU_RDX), 8);
    psp_guest_store(page + 0x3B0, machine.state.sev_features, 8);
    psp_guest_store(page + 0x3E8, 1, 8);
    psp_guest_store(page + 0x408, 0x1F80, 4);
    psp_guest_store(page + 0x410, 0x37F, 2);
}

static void expected(uint8_t digest[48])
{
    uint8_t vmsa[PAGE_SIZE];

    memset(digest, 0, 48);
    for (uint64_t gpa = image->load_gpa; gpa < image->end_gpa; gpa += PAGE_SIZE) {
        measure(digest, 1, gpa, page_at(gpa));
    }
    for (size_t i = 0; i < image->section_count; i++) {
        const struct image_section *section = &image->section[i];

        for (uint64_t at = 0; at < section->size_bytes; at += PAGE_SIZE) {
            uint64_t gpa = section->gpa + at;

            if (section->type == SVSM_SECTION_SECRETS) {
                measure(digest, 5, gpa, NULL);
            } else if (section->type == SVSM_SECTION_CPUID) {
                measure(digest, 6, gpa, NULL);
            } else {
                measure(digest, 1, gpa, page_at(gpa));
            }
        }
    }
    for (size_t i = 0; i < config.prevalidated_count; i++) {
        measure(digest, 3, config.prevalidated[i], NULL);
    }
    make_vmsa(vmsa);
    measure(digest, 2, 0xFFFFFFFFF000, vmsa);
}

START_TEST(digest)
{
    uint8_t want[48];

    config.prevalidated[0] = image->load_gpa + 0x200000;
    config.prevalidated_count = (size_t)_i;
    launch();
    expected(want);
    ck_assert_uint_eq(image->section_count, 3);
    ck_assert_mem_eq(psp->measurement, want, 48);
    unlaunch();
}
END_TEST

/* What no page of the digest holds: the keys and the CPUID table; and what one does. */
START_TEST(what_changes_it)
{
    uint8_t first[48];

    launch();
    memcpy(first, psp->measurement, 48);
    unlaunch();
    config.cpuid_count--;
    launch();
    ck_assert_mem_eq(psp->measurement, first, 48);
    unlaunch();
    config.sev_features ^= 0x20;
    launch();
    ck_assert_mem_ne(psp->measurement, first, 48);
    unlaunch();
}
END_TEST

START_TEST(secrets)
{
    uint8_t want[PAGE_SIZE] = {0};

    launch();
    psp_fill_secrets(psp, want);
    for (size_t i = 0; i < image->section_count; i++) {
        if (image->section[i].type == SVSM_SECTION_SECRETS) {
            ck_assert_mem_eq(page_at(image->section[i].gpa), want, PAGE_SIZE);
        }
    }
    unlaunch();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("launch");
    TCase *tcase = tcase_create("launch");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    suite_add_tcase(suite, tcase);
    tcase_add_loop_test(tcase, digest, 0, 2);
    tcase_add_test(tcase, what_changes_it);
    tcase_add_test(tcase, secrets);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
