/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a run is about: a scenario and its image, found and opened.
 */
#ifndef SNPEMU_SUBJECT_H
#define SNPEMU_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "ghcb/hypervisor.h"
#include "host/scenario.h"
#include "image/firmware.h"
#include "image/image.h"
#include "trace/text.h"

struct subject {
    struct scenario *scenario;
    struct image *image;
    struct firmware *firmware; /* NULL: none */
};

/* What the command line says instead of the scenario. */
struct overrides {
    bool cpus_given, seed_given, budget_given, exit_budget_given;
    bool strict; /* true: strict, whatever the scenario says */
    bool oracles_given;
    uint32_t oracles; /* ORACLE_BIT()s */
    uint64_t cpus, seed, budget, exit_budget;
    const char *firmware; /* a file, a built firmware's name, or "none"; NULL: not given */
    uint32_t apic_id[HYPERVISOR_APIC_ID_MAX];
    size_t apic_id_count; /* 0: not given; without cpus_given also the number of CPUs */
};

/*
 * `path` is a scenario (NAME.lua), an ELF file, or the name of a built image. `overrides` may be
 * NULL. Without a scenario the guest's firmware is the built one, or none where there is no such
 * file.
 */
int subject_open(struct subject *subject, const char *path, const struct overrides *overrides,
                 struct error *error);
/* The same for a script that need not be in a file yet: as if `path` held these bytes. */
int subject_read(struct subject *subject, const char *path, const char *source, size_t size_bytes,
                 struct error *error);
/* Other firmware: a file, a built one's name, or "none". What there was stays when it fails. */
int subject_set_firmware(struct subject *subject, const char *given, struct error *error);
void subject_close(struct subject *subject);

/*
 * How a scenario in directory `dir` names the image, or the firmware, which must be there: a built
 * one's name, else a path; relative where the subject's own scenario names it so.
 */
int subject_image_from(const struct subject *subject, const char *dir, char *text, size_t size,
                       struct error *error);
int subject_firmware_from(const struct subject *subject, const char *dir, char *text, size_t size,
                          struct error *error);

/* What the first line of a trace says of it. */
struct text_header subject_header(const struct subject *subject);

#endif
