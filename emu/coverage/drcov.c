/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "coverage/drcov.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "image/image.h"

#define HEADER "DRCOV VERSION: 2\nDRCOV FLAVOR: drcov\n"
#define COLUMNS "Columns: id, base, end, entry, path\n"
#define ENTRY_SIZE 8 /* u32 start, u16 size, u16 module */

struct module {
    char *path;
    uint64_t base, end;
};

struct entry {
    uint32_t module, start;
    uint16_t size_bytes;
};

struct drcov {
    struct module module[DRCOV_MODULES_MAX];
    size_t modules;
    struct entry *entry;
    size_t count, capacity;
    size_t settled;
};

struct drcov *drcov_new(void)
{
    return calloc(1, sizeof(struct drcov));
}

void drcov_free(struct drcov *drcov)
{
    if (!drcov) {
        return;
    }
    for (size_t i = 0; i < drcov->modules; i++) {
        free(drcov->module[i].path);
    }
    free(drcov->entry);
    free(drcov);
}

static int no_memory(struct error *error)
{
    return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for coverage");
}

static int entry_compare(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;

    if (a->module != b->module) {
        return a->module < b->module ? -1 : 1;
    }
    if (a->start != b->start) {
        return a->start < b->start ? -1 : 1;
    }
    return (int)a->size_bytes - (int)b->size_bytes;
}

static void settle(struct drcov *drcov)
{
    size_t kept = 0;

    if (drcov->count) {
        qsort(drcov->entry, drcov->count, sizeof(*drcov->entry), entry_compare);
    }
    for (size_t i = 0; i < drcov->count; i++) {
        if (i == 0 || entry_compare(&drcov->entry[i], &drcov->entry[kept - 1]) != 0) {
            drcov->entry[kept++] = drcov->entry[i];
        }
    }
    drcov->count = drcov->settled = kept;
}

static bool add_entry(struct drcov *drcov, uint32_t module, uint32_t start, uint16_t size_bytes)
{
    if (drcov->count == drcov->capacity && drcov->count > 2 * drcov->settled + 4096) {
        settle(drcov);
    }
    if (drcov->count == drcov->capacity) {
        size_t capacity = drcov->capacity ? 2 * drcov->capacity : 4096;
        struct entry *grown =
            capacity <= DRCOV_BLOCKS_MAX ? realloc(drcov->entry, capacity * sizeof(*grown)) : NULL;

        if (!grown) {
            return false;
        }
        drcov->entry = grown;
        drcov->capacity = capacity;
    }
    drcov->entry[drcov->count++] = (struct entry){module, start, size_bytes};
    return true;
}

/* The module of that path that begins there; it must end where it did. */
static int find_module(struct drcov *drcov, const char *path, uint64_t base, uint64_t end,
                       uint32_t *number, struct error *error)
{
    size_t i = 0;

    while (i < drcov->modules &&
           (drcov->module[i].base != base || strcmp(drcov->module[i].path, path) != 0)) {
        i++;
    }
    *number = (uint32_t)i;
    if (i < drcov->modules) {
        return drcov->module[i].end == end
                   ? SNPEMU_OK
                   : error_set(error, SNPEMU_ERR_INPUT,
                               "coverage of two builds of %.300s does not go together; name "
                               "another file for this one",
                               path);
    }
    if (i == DRCOV_MODULES_MAX) {
        return error_set(error, SNPEMU_ERR_INPUT, "coverage of more than %u images in one file",
                         DRCOV_MODULES_MAX);
    }
    drcov->module[i] = (struct module){strdup(path), base, end};
    if (!drcov->module[i].path) {
        return no_memory(error);
    }
    for (char *c = drcov->module[i].path; *c; c++) {
        *c = (unsigned char)*c < ' ' || *c == 0x7F ? '?' : *c;
    }
    drcov->modules++;
    return SNPEMU_OK;
}

/* Blocks inside [base, end), which is one module. */
static int add_module(struct drcov *drcov, const char *path, uint64_t base, uint64_t end,
                      const struct block_count *block, size_t count, struct error *error)
{
    uint32_t module;
    int status = find_module(drcov, path, base, end, &module, error);

    for (size_t i = 0; status == SNPEMU_OK && i < count; i++) {
        uint64_t start = block[i].gva - base;

        if (start < end - base && block[i].size_bytes <= UINT16_MAX && block[i].times > 0 &&
            !add_entry(drcov, module, (uint32_t)start, (uint16_t)block[i].size_bytes)) {
            status = no_memory(error);
        }
    }
    return status;
}

int drcov_image(struct drcov *drcov, const struct image *image, const struct block_count *block,
                size_t count, struct error *error)
{
    int status = SNPEMU_OK;

    for (size_t i = 0, next; i < image->segment_count && status == SNPEMU_OK; i = next) {
        uint64_t start = image->segment[i].gpa, end = start;

        /* A block's distance from its module's start has 32 bits; firmware begins at the reset
           vector and goes on in the upper half. */
        for (next = i; next < image->segment_count &&
                       image->segment[next].gpa + image->segment[next].memory_size_bytes - start <=
                           UINT32_MAX;
             next++) {
            end = image->segment[next].gpa + image->segment[next].memory_size_bytes;
        }
        if (next == i) {
            break;
        }
        status = add_module(drcov, image->path, start + image->gva_offset, end + image->gva_offset,
                            block, count, error);
    }
    return status;
}

int drcov_write(struct drcov *drcov, FILE *file, struct error *error)
{
    (void)error;
    settle(drcov);
    fprintf(file, HEADER "Module Table: version 2, count %zu\n" COLUMNS, drcov->modules);
    for (size_t i = 0; i < drcov->modules; i++) {
        fprintf(file, "%3zu, 0x%016" PRIx64 ", 0x%016" PRIx64 ", 0x%016x, %s\n", i,
                drcov->module[i].base, drcov->module[i].end, 0, drcov->module[i].path);
    }
    fprintf(file, "BB Table: %zu bbs\n", drcov->count);
    for (size_t i = 0; i < drcov->count; i++) {
        const struct entry *entry = &drcov->entry[i];
        const uint8_t bytes[ENTRY_SIZE] = {
            (uint8_t)entry->start,         (uint8_t)(entry->start >> 8),
            (uint8_t)(entry->start >> 16), (uint8_t)(entry->start >> 24),
            (uint8_t)entry->size_bytes,    (uint8_t)(entry->size_bytes >> 8),
            (uint8_t)entry->module,        (uint8_t)(entry->module >> 8),
        };

        fwrite(bytes, sizeof(bytes), 1, file);
    }
    return SNPEMU_OK;
}

/* ---- reading ---- */

/* The next line, as a string in `line`, which has room for `room`. */
static bool take_line(const char **at, const char *end, char *line, size_t room)
{
    const char *stop = memchr(*at, '\n', (size_t)(end - *at));
    size_t size = stop ? (size_t)(stop - *at) : room;

    if (!stop || size >= room || memchr(*at, '\0', size)) {
        return false;
    }
    memcpy(line, *at, size);
    line[size] = '\0';
    *at = stop + 1;
    return true;
}

static int refuse(const char *name, struct error *error)
{
    return error_set(error, SNPEMU_ERR_INPUT,
                     "%.300s: is no drcov file as snpemu writes it; name another file, or remove "
                     "it",
                     name);
}

/* "  0, 0xbase, 0xend, 0xentry, path" */
static int read_module(struct drcov *drcov, const char *name, char *line, uint32_t *number,
                       struct error *error)
{
    uint64_t base, end;
    int path = 0;

    if (sscanf(line, " %*u, 0x%16" SCNx64 ", 0x%16" SCNx64 ", 0x%*16x, %n", &base, &end, &path) <
            2 ||
        path == 0 || !line[path]) {
        return refuse(name, error);
    }
    return find_module(drcov, line + path, base, end, number, error);
}

static int read_entries(struct drcov *drcov, const char *name, const uint8_t *bytes, size_t count,
                        const uint32_t *module, size_t modules, struct error *error)
{
    for (size_t i = 0; i < count; i++, bytes += ENTRY_SIZE) {
        uint32_t start = bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                         (uint32_t)bytes[3] << 24;
        uint16_t size = (uint16_t)(bytes[4] | bytes[5] << 8);
        uint16_t which = (uint16_t)(bytes[6] | bytes[7] << 8);

        if (which >= modules) {
            return refuse(name, error);
        }
        if (!add_entry(drcov, module[which], start, size)) {
            return no_memory(error);
        }
    }
    return SNPEMU_OK;
}

int drcov_read(struct drcov *drcov, const char *name, const char *bytes, size_t size_bytes,
               struct error *error)
{
    uint32_t *module = calloc(DRCOV_MODULES_MAX, sizeof(*module));
    const char *at = bytes, *end = bytes + size_bytes;
    size_t modules = 0, count = 0;
    char line[4352];
    int status = SNPEMU_OK;

    if (!module) {
        return no_memory(error);
    }
    if (size_bytes < strlen(HEADER) || memcmp(bytes, HEADER, strlen(HEADER)) != 0) {
        free(module);
        return refuse(name, error);
    }
    at += strlen(HEADER);
    if (!take_line(&at, end, line, sizeof(line)) ||
        sscanf(line, "Module Table: version 2, count %5zu", &modules) != 1 ||
        modules > DRCOV_MODULES_MAX || !take_line(&at, end, line, sizeof(line))) {
        status = refuse(name, error);
    }
    for (size_t i = 0; i < modules && status == SNPEMU_OK; i++) {
        status = take_line(&at, end, line, sizeof(line))
                     ? read_module(drcov, name, line, &module[i], error)
                     : refuse(name, error);
    }
    if (status == SNPEMU_OK &&
        (!take_line(&at, end, line, sizeof(line)) ||
         sscanf(line, "BB Table: %9zu bbs", &count) != 1 ||
         count != (size_t)(end - at) / ENTRY_SIZE || (size_t)(end - at) % ENTRY_SIZE != 0)) {
        status = refuse(name, error);
    }
    if (status == SNPEMU_OK) {
        status = read_entries(drcov, name, (const uint8_t *)at, count, module, modules, error);
    }
    free(module);
    return status;
}
