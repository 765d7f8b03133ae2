/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to the files of a page:
 *
 *   page.c    events and places, as they come
 *   source.c  the files of source that places lie in
 *   write.c   all of it as HTML
 */
#ifndef SNPEMU_PAGE_INTERNAL_H
#define SNPEMU_PAGE_INTERNAL_H

#include "page/page.h"

#define SOURCE_FILES_MAX 512u
#define SOURCE_FILE_MAX (1u << 20) /* bytes */
#define SOURCE_ALL_MAX (8u << 20)  /* bytes */

/* The template, cut where the data goes. */
extern const unsigned char page_template_head[], page_template_tail[];
extern const size_t page_template_head_size, page_template_tail_size;

/* A place in a program, once however many events name it. */
struct page_place {
    const struct image *program;
    uint64_t gva;
    bool behind; /* what is meant is the instruction before it: a call, or VMGEXIT */
};

struct page {
    struct trace_sink sink; /* first: the sink is the page */
    const struct image *image, *firmware;
    FILE *events; /* to `bytes`: the elements of a JSON array */
    char *bytes;
    size_t size_bytes;
    size_t event_count; /* those that are not kept, too */
    bool failed;
    struct page_place *place;
    size_t place_count, place_capacity;
    uint32_t *place_index; /* hash table of place_capacity * 2: number of a place and 1; 0: free */
};

/* A file of source, as it is. */
struct source_file {
    char *path; /* as the program has it, without "." and ".." */
    char *text; /* NULL: it cannot be read, or is not to be */
    size_t size_bytes;
};

struct source_files {
    struct source_file file[SOURCE_FILES_MAX];
    size_t count;
    size_t size_bytes; /* of all texts */
};

/*
 * The number of the file with that path, read now if it has not been asked for before; -1: it is
 * not shown. Only what looks like a program's source is read, since the path is the image's.
 */
int source_file_number(struct source_files *files, const char *path,
                       const struct page_facts *facts);
void source_files_release(struct source_files *files);

#endif
