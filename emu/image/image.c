/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening and closing an SVSM image: the file's bytes, and the order in which its parts are read.
 */
#include "image/internal.h"

#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/input.h"

#define NAME_SUFFIX ".elf"

static const struct input_kind image_kind = {
    .name = "an SVSM image", .size_max = IMAGE_FILE_MAX, .shrink = "strip its debug information"};

int image_refuse(const struct image *image, struct error *error, const char *format, ...)
{
    char text[sizeof(error->text)];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return input_refuse(image->path, error, "%s", text);
}

int image_out_of_memory(const struct image *image, struct error *error)
{
    return input_out_of_memory(image->path, error);
}

/* The file name without directory and suffix. */
static char *name_from_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    size_t length = strlen(base);
    size_t suffix = strlen(NAME_SUFFIX);

    if (length > suffix && strcmp(base + length - suffix, NAME_SUFFIX) == 0) {
        length -= suffix;
    }
    return strndup(base, length);
}

static struct image *image_new(const char *path)
{
    struct image *image = calloc(1, sizeof(*image));

    if (image == NULL) {
        return NULL;
    }
    image->path = strdup(path);
    image->name = name_from_path(path);
    image->file = calloc(1, sizeof(*image->file));
    if (image->path == NULL || image->name == NULL || image->file == NULL) {
        image_close(image);
        return NULL;
    }
    return image;
}

/* From offsets in the flat image to guest physical addresses, once the load GPA is known. */
static int place_segments(struct image *image, const struct flat *flat, struct error *error)
{
    image->segment = calloc(flat->count, sizeof(*image->segment));
    if (image->segment == NULL) {
        return image_out_of_memory(image, error);
    }
    for (size_t i = 0; i < flat->count; i++) {
        const struct flat_segment *segment = &flat->segment[i];

        image->segment[i] = (struct image_segment){
            .gpa = image->load_gpa + (segment->gva - flat->gva),
            .file_size_bytes = segment->file_size_bytes,
            .memory_size_bytes = segment->memory_size_bytes,
            .bytes = segment->bytes,
        };
    }
    image->segment_count = flat->count;
    image->end_gpa = image->load_gpa + flat->size_bytes;
    image->gva_offset = flat->gva - image->load_gpa;
    return 0;
}

static int read_image(struct image *image, bool launched, struct error *error)
{
    struct flat flat = {0};
    int status = image_elf_open(image, error);

    if (status == 0) {
        status = image_elf_flatten(image, &flat, error);
    }
    if (status == 0 && launched) {
        status = image_launch_read(image, &flat, error);
    } else if (status == 0) {
        image->memory_size_bytes = flat.size_bytes;
    }
    if (status == 0) {
        status = place_segments(image, &flat, error);
    }
    if (status == 0) {
        status = image_symbols_read(image, &flat, error);
    }
    free(flat.segment);
    elf_end(image->file->elf);
    image->file->elf = NULL;
    return status;
}

static int finish(struct image **out, struct image *image, bool launched, int status,
                  struct error *error)
{
    if (status == 0) {
        status = read_image(image, launched, error);
    }
    if (status != 0) {
        image_close(image);
        return status;
    }
    *out = image;
    return 0;
}

static int open_path(struct image **image, const char *path, bool launched, struct error *error)
{
    struct image *opened = image_new(path);

    if (opened == NULL) {
        return error_set(error, SNPEMU_ERR_MEMORY, "image: out of memory");
    }
    return finish(
        image, opened, launched,
        input_read(path, &image_kind, &opened->file->bytes, &opened->file->size_bytes, error),
        error);
}

int image_open(struct image **image, const char *path, struct error *error)
{
    return open_path(image, path, true, error);
}

int image_open_program(struct image **image, const char *path, struct error *error)
{
    return open_path(image, path, false, error);
}

int image_open_bytes(struct image **image, const char *path, const void *bytes, size_t size_bytes,
                     struct error *error)
{
    struct image *opened = image_new(path);
    int status = 0;

    if (opened == NULL) {
        return error_set(error, SNPEMU_ERR_MEMORY, "image: out of memory");
    }
    opened->file->bytes = malloc(size_bytes + 1);
    if (opened->file->bytes == NULL) {
        status = image_out_of_memory(opened, error);
    } else if (size_bytes != 0) {
        memcpy(opened->file->bytes, bytes, size_bytes);
        opened->file->size_bytes = size_bytes;
    }
    return finish(image, opened, true, status, error);
}

void image_close(struct image *image)
{
    if (image == NULL) {
        return;
    }
    image_symbols_free(image->symbols);
    if (image->file != NULL) {
        image_dwarf_free(image->file);
        image_demangled_free(image->file);
        free(image->file->bytes);
    }
    free(image->file);
    free(image->segment);
    free(image->name);
    free(image->path);
    free(image);
}
