/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening and closing an SVSM image: the file's bytes, and the order in which its parts are read.
 */
#include "image/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_SUFFIX ".elf"

/* A longer path is shown by its end, so that fault and remedy still fit into struct error. */
#define PATH_SHOWN_MAX 160

static const char *shown_path(const char *path, const char **cut)
{
    size_t length = strlen(path);

    *cut = length > PATH_SHOWN_MAX ? "..." : "";
    return length > PATH_SHOWN_MAX ? path + (length - PATH_SHOWN_MAX) : path;
}

int image_refuse(const struct image *image, struct error *error, const char *format, ...)
{
    const char *cut;
    const char *path = shown_path(image->path, &cut);
    char text[sizeof(error->text)];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return error_set(error, SNPEMU_ERR_INPUT, "%s%s: %s", cut, path, text);
}

int image_out_of_memory(const struct image *image, struct error *error)
{
    const char *cut;
    const char *path = shown_path(image->path, &cut);

    return error_set(error, SNPEMU_ERR_MEMORY, "%s%s: out of memory", cut, path);
}

static int io_error(const struct image *image, const char *verb, const char *remedy,
                    struct error *error)
{
    const char *cut;
    const char *reason = strerror(errno);
    const char *path = shown_path(image->path, &cut);

    return error_set(error, SNPEMU_ERR_IO, "%s%s: cannot %s: %s; %s", cut, path, verb, reason,
                     remedy);
}

/* Opening a device can act on it and opening a FIFO can block, hence the look before. */
static int open_regular(const struct image *image, int *fd, size_t *size_bytes, struct error *error)
{
    struct stat status;

    if (stat(image->path, &status) != 0) {
        return io_error(image, "open", "give the path of an SVSM image", error);
    }
    if (S_ISREG(status.st_mode)) {
        *fd = open(image->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (*fd < 0 || fstat(*fd, &status) != 0) {
            return io_error(image, "open", "make the file readable", error);
        }
    }
    if (!S_ISREG(status.st_mode)) {
        return image_refuse(image, error, "%s, not a file; give the path of an SVSM image",
                            S_ISDIR(status.st_mode) ? "a directory" : "a device, pipe or socket");
    }
    if (status.st_size > (off_t)IMAGE_FILE_MAX) {
        return image_refuse(image, error,
                            "the file has %lld bytes, more than %u; strip its debug information",
                            (long long)status.st_size, IMAGE_FILE_MAX);
    }
    *size_bytes = (size_t)status.st_size;
    return 0;
}

/* Read the file whole. It is not mapped: another program may shorten it meanwhile. */
static int read_file(struct image *image, struct error *error)
{
    struct image_file *file = image->file;
    size_t wanted = 0;
    int fd = -1;
    int status = open_regular(image, &fd, &wanted, error);

    if (status != 0) {
        goto out;
    }
    file->bytes = malloc(wanted + 1);
    if (file->bytes == NULL) {
        status = image_out_of_memory(image, error);
        goto out;
    }
    while (file->size_bytes < wanted) {
        ssize_t got = read(fd, file->bytes + file->size_bytes, wanted - file->size_bytes);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            status = io_error(image, "read", "check the file system", error);
            goto out;
        }
        if (got == 0) {
            status = image_refuse(image, error,
                                  "the file became shorter while it was read; try again when it "
                                  "is complete");
            goto out;
        }
        file->size_bytes += (size_t)got;
    }
out:
    if (fd >= 0) {
        close(fd);
    }
    return status;
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

static int read_image(struct image *image, struct error *error)
{
    struct flat flat = {0};
    int status = image_elf_open(image, error);

    if (status == 0) {
        status = image_elf_flatten(image, &flat, error);
    }
    if (status == 0) {
        status = image_launch_read(image, &flat, error);
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

static int finish(struct image **out, struct image *image, int status, struct error *error)
{
    if (status == 0) {
        status = read_image(image, error);
    }
    if (status != 0) {
        image_close(image);
        return status;
    }
    *out = image;
    return 0;
}

int image_open(struct image **image, const char *path, struct error *error)
{
    struct image *opened = image_new(path);

    if (opened == NULL) {
        return error_set(error, SNPEMU_ERR_MEMORY, "image: out of memory");
    }
    return finish(image, opened, read_file(opened, error), error);
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
    return finish(image, opened, status, error);
}

void image_close(struct image *image)
{
    if (image == NULL) {
        return;
    }
    image_symbols_free(image->symbols);
    if (image->file != NULL) {
        free(image->file->bytes);
    }
    free(image->file);
    free(image->segment);
    free(image->name);
    free(image->path);
    free(image);
}
