/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "subject.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_SUFFIX ".elf"
#define FIRMWARE_SUFFIX ".bin"

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);

    return length > end_length && strcmp(text + length - end_length, end) == 0;
}

/* A word that can only be the name of a built image. */
static bool is_image_name(const char *text)
{
    return *text && !strchr(text, '/') && !ends_with(text, ".elf") && !ends_with(text, ".lua");
}

static bool is_firmware_name(const char *text)
{
    return *text && !strchr(text, '/') && !strchr(text, '.');
}

static bool is_elf(const char *path)
{
    static const char magic[] = {0x7F, 'E', 'L', 'F'};
    char start[sizeof(magic)];
    FILE *file = fopen(path, "rb");
    bool elf = file && fread(start, 1, sizeof(start), file) == sizeof(start) &&
               memcmp(start, magic, sizeof(magic)) == 0;

    if (file) {
        fclose(file);
    }
    return elf;
}

/* The directory of this program, without a slash at its end; "." when the system does not say. */
static void own_directory(char *directory, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", directory, size - 1);
    char *slash;

    directory[length > 0 ? length : 0] = '\0';
    slash = strrchr(directory, '/');
    if (slash) {
        *slash = '\0';
    } else {
        snprintf(directory, size, ".");
    }
}

/*
 * Built images lie in $SNPEMU_IMAGES, or in a fixed place beside the program: images/ of the build
 * tree, or share/snpemu/images where it is installed.
 */
static int find_built(const char *name, const char *suffix, char *path, size_t size,
                      struct error *error)
{
    static const char *const beside[] = {"/../images", "/../share/snpemu/images"};
    const char *given = getenv("SNPEMU_IMAGES");
    char directory[2][PATH_MAX], own[PATH_MAX - 64];
    size_t count = 0;

    if (given && *given) {
        snprintf(directory[count++], PATH_MAX, "%s", given);
    } else {
        own_directory(own, sizeof(own));
        for (; count < 2; count++) {
            snprintf(directory[count], PATH_MAX, "%s%s", own, beside[count]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if ((size_t)snprintf(path, size, "%s/%s%s", directory[i], name, suffix) < size &&
            access(path, F_OK) == 0) {
            return SNPEMU_OK;
        }
    }
    return error_set(error, SNPEMU_ERR_IO,
                     "no image '%.64s%s' in %.150s%s%.150s; build it, set SNPEMU_IMAGES, or give "
                     "a path",
                     name, suffix, directory[0], count > 1 ? " or " : "",
                     count > 1 ? directory[1] : "");
}

/* A path that is relative to the script. */
static int beside_script(const struct scenario *scenario, const char *file, char *path, size_t size,
                         struct error *error)
{
    const char *slash = NULL;
    int length;

    if (scenario->path && file[0] != '/') {
        slash = strrchr(scenario->path, '/');
    }
    length =
        slash ? snprintf(path, size, "%.*s/%s", (int)(slash - scenario->path), scenario->path, file)
              : snprintf(path, size, "%s", file);
    if (length < 0 || (size_t)length >= size) {
        return error_set(error, SNPEMU_ERR_INPUT, "%.200s: the path of an image is too long",
                         scenario->path ? scenario->path : file);
    }
    return SNPEMU_OK;
}

/* Where a scenario's image is. */
static int find_image(const struct scenario *scenario, char *path, size_t size, struct error *error)
{
    if (scenario->path && is_image_name(scenario->image)) {
        return find_built(scenario->image, IMAGE_SUFFIX, path, size, error);
    }
    return beside_script(scenario, scenario->image, path, size, error);
}

/* Where the firmware is; an empty path where there is none. */
static int find_firmware(const struct scenario *scenario, const char *given, char *path,
                         size_t size, struct error *error)
{
    struct error missing;

    path[0] = '\0';
    if (given && strcmp(given, "none") == 0) {
        return SNPEMU_OK;
    }
    if (given && is_firmware_name(given) && access(given, F_OK) != 0) {
        return find_built(given, FIRMWARE_SUFFIX, path, size, error);
    }
    if (given) {
        return beside_script(&(struct scenario){.path = NULL}, given, path, size, error);
    }
    if (scenario->path && scenario->firmware) {
        return is_firmware_name(scenario->firmware)
                   ? find_built(scenario->firmware, FIRMWARE_SUFFIX, path, size, error)
                   : beside_script(scenario, scenario->firmware, path, size, error);
    }
    if (!scenario->path &&
        find_built(SCENARIO_FIRMWARE_BUILT, FIRMWARE_SUFFIX, path, size, &missing) != SNPEMU_OK) {
        path[0] = '\0';
    }
    return SNPEMU_OK;
}

static int override(struct scenario *scenario, const struct overrides *overrides,
                    struct error *error)
{
    uint64_t cpus = overrides->cpus_given ? overrides->cpus : overrides->apic_id_count;
    int status = SNPEMU_OK;

    if (cpus > HYPERVISOR_CPU_MAX) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "--apic-ids: more than %d; give the number of CPUs with --cpus",
                         HYPERVISOR_CPU_MAX);
    }
    if (cpus > 0) {
        status = scenario_set_cpus(scenario, (uint32_t)cpus, error);
    }
    if (status != SNPEMU_OK) {
        return status;
    }
    if (overrides->apic_id_count > 0) {
        scenario_set_apic_ids(scenario, overrides->apic_id, overrides->apic_id_count);
    }
    scenario->strict |= overrides->strict;
    scenario->oracles = overrides->oracles_given ? overrides->oracles : scenario->oracles;
    scenario->seed = overrides->seed_given ? overrides->seed : scenario->seed;
    scenario->budget = overrides->budget_given ? overrides->budget : scenario->budget;
    scenario->exit_budget =
        overrides->exit_budget_given ? overrides->exit_budget : scenario->exit_budget;
    return SNPEMU_OK;
}

static int load(struct scenario **scenario, const char *path, struct error *error)
{
    char built[PATH_MAX];
    struct stat stat_data;

    if (!*path) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "the path is empty; give a scenario (NAME.lua) or an ELF image");
    }
    if (stat(path, &stat_data) != 0) {
        if (errno == ENOENT && is_image_name(path)) {
            int status = find_built(path, IMAGE_SUFFIX, built, sizeof(built), error);

            return status == SNPEMU_OK ? scenario_for_image(scenario, built, 1, error) : status;
        }
        return error_set(error, SNPEMU_ERR_IO, "%.300s: %s; give a scenario or an ELF image", path,
                         strerror(errno));
    }
    /* The sources of a built image may lie in a directory of its name. */
    if (S_ISDIR(stat_data.st_mode) && is_image_name(path) &&
        find_built(path, ".elf", built, sizeof(built), &(struct error){0}) == SNPEMU_OK) {
        return scenario_for_image(scenario, built, 1, error);
    }
    if (S_ISDIR(stat_data.st_mode)) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "%.300s: is a directory; 'snpemu test' takes a directory of scenarios",
                         path);
    }
    if (ends_with(path, ".lua")) {
        return scenario_load(scenario, path, error);
    }
    if (access(path, R_OK) != 0) {
        return error_set(error, SNPEMU_ERR_IO, "%.300s: %s", path, strerror(errno));
    }
    if (is_elf(path) || ends_with(path, ".elf")) {
        return scenario_for_image(scenario, path, 1, error);
    }
    return error_set(error, SNPEMU_ERR_INPUT,
                     "%.300s: neither a scenario (NAME.lua) nor an ELF image", path);
}

int subject_set_firmware(struct subject *subject, const char *given, struct error *error)
{
    struct firmware *firmware = NULL;
    char path[PATH_MAX];
    int status = find_firmware(subject->scenario, given, path, sizeof(path), error);

    if (status == SNPEMU_OK && path[0]) {
        status = firmware_open(&firmware, path, error);
    }
    if (status == SNPEMU_OK) {
        firmware_close(subject->firmware);
        subject->firmware = firmware;
    }
    return status;
}

/* Image and firmware of the scenario that is there. */
static int open_files(struct subject *subject, const char *firmware, struct error *error)
{
    char image_path[PATH_MAX];
    int status = find_image(subject->scenario, image_path, sizeof(image_path), error);

    if (status == SNPEMU_OK) {
        status = image_open(&subject->image, image_path, error);
    }
    return status == SNPEMU_OK ? subject_set_firmware(subject, firmware, error) : status;
}

int subject_open(struct subject *subject, const char *path, const struct overrides *overrides,
                 struct error *error)
{
    int status;

    memset(subject, 0, sizeof(*subject));
    status = load(&subject->scenario, path, error);
    if (status == SNPEMU_OK && overrides) {
        status = override(subject->scenario, overrides, error);
    }
    if (status == SNPEMU_OK) {
        status = open_files(subject, overrides ? overrides->firmware : NULL, error);
    }
    if (status != SNPEMU_OK) {
        subject_close(subject);
    }
    return status;
}

int subject_read(struct subject *subject, const char *path, const char *source, size_t size_bytes,
                 struct error *error)
{
    int status;

    memset(subject, 0, sizeof(*subject));
    status = scenario_read(&subject->scenario, path, source, size_bytes, error);
    if (status == SNPEMU_OK) {
        status = open_files(subject, NULL, error);
    }
    if (status != SNPEMU_OK) {
        subject_close(subject);
    }
    return status;
}

void subject_close(struct subject *subject)
{
    firmware_close(subject->firmware);
    image_close(subject->image);
    scenario_free(subject->scenario);
    memset(subject, 0, sizeof(*subject));
}

/* ---- how a scenario elsewhere names these files ---- */

static bool same_file(const char *a, const char *b)
{
    struct stat one, other;

    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

/* From one directory to a file, both without links. False when there is no room. */
static bool path_between(const char *from, const char *to, char *path, size_t size)
{
    size_t common = 0, used = 0;

    for (size_t i = 0; from[i] == to[i] || (!from[i] && to[i] == '/'); i++) {
        if (!from[i] || from[i] == '/') {
            common = i;
        }
        if (!from[i]) {
            break;
        }
    }
    for (const char *c = from + common; *c; c++) {
        if (*c == '/' && c[1]) {
            used += (size_t)snprintf(path + used, used < size ? size - used : 0, "../");
        }
        if (used >= size) {
            return false;
        }
    }
    return (size_t)snprintf(path + used, size - used, "%s%s", used ? "" : "./", to + common + 1) <
           size - used;
}

/* A built one's name, else a path: a relative one if `relative`. */
static int name_file(const char *file, const char *suffix, bool (*is_name)(const char *text),
                     const char *dir, bool relative, char *text, size_t size, struct error *error)
{
    const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
    char built[PATH_MAX], real[PATH_MAX], real_dir[PATH_MAX];
    bool fits;

    if (ends_with(base, suffix)) {
        fits =
            (size_t)snprintf(text, size, "%.*s", (int)(strlen(base) - strlen(suffix)), base) < size;
        if (fits && is_name(text) &&
            find_built(text, suffix, built, sizeof(built), &(struct error){0}) == SNPEMU_OK &&
            same_file(built, file)) {
            return SNPEMU_OK;
        }
    }
    if (!realpath(file, real) || !realpath(dir, real_dir)) {
        return error_set(error, SNPEMU_ERR_IO, "%.200s: %s", dir, strerror(errno));
    }
    fits = relative ? path_between(real_dir, real, text, size)
                    : (size_t)snprintf(text, size, "%s", real) < size;
    return fits ? SNPEMU_OK
                : error_set(error, SNPEMU_ERR_INPUT, "%.200s: the path is too long", file);
}

int subject_image_from(const struct subject *subject, const char *dir, char *text, size_t size,
                       struct error *error)
{
    const struct scenario *scenario = subject->scenario;

    return name_file(subject->image->path, IMAGE_SUFFIX, is_image_name, dir,
                     scenario->path && scenario->image[0] != '/', text, size, error);
}

int subject_firmware_from(const struct subject *subject, const char *dir, char *text, size_t size,
                          struct error *error)
{
    const struct scenario *scenario = subject->scenario;

    return name_file(subject->firmware->path, FIRMWARE_SUFFIX, is_firmware_name, dir,
                     scenario->path && scenario->firmware && scenario->firmware[0] != '/', text,
                     size, error);
}

struct text_header subject_header(const struct subject *subject)
{
    const struct scenario *scenario = subject->scenario;

    return (struct text_header){
        .image = subject->image->name,
        .cpus = scenario->cpus,
        .memory_mib =
            scenario->memory_mib ? scenario->memory_mib : subject->image->memory_size_bytes >> 20,
        .seed = scenario->seed,
        .firmware = subject->firmware ? subject->firmware->name : NULL,
        .guest_memory_mib = scenario->guest_memory_mib,
    };
}
