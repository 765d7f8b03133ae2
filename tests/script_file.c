/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "script_file.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void script_file_write(struct script_file *file, const void *text, size_t size_bytes)
{
    const char *root = getenv("TMPDIR");
    FILE *stream;

    snprintf(file->folder, sizeof(file->folder), "%s/snpemu-XXXXXX", root ? root : P_tmpdir);
    ck_assert_ptr_nonnull(mkdtemp(file->folder));
    snprintf(file->path, sizeof(file->path), "%s/case.lua", file->folder);
    stream = fopen(file->path, "wb");
    ck_assert_ptr_nonnull(stream);
    ck_assert_uint_eq(fwrite(text, 1, size_bytes, stream), size_bytes);
    ck_assert_int_eq(fclose(stream), 0);
}

void script_file_remove(const struct script_file *file)
{
    unlink(file->path);
    rmdir(file->folder);
}
