/* SPDX-License-Identifier: GPL-2.0-or-later */
/* docs/SPEC-COVERAGE.md */
#include <inttypes.h>
#include <string.h>

#include "coverage.h"

#define FIXTURES_SHOWN 3

static const char *const status_name[STATUS_COUNT] = {
    [STATUS_MODELLED] = "modelled",
    [STATUS_UNVERIFIED] = "unverified",
    [STATUS_UNMODELLED] = "unmodelled",
};

static const struct {
    const char *title, *code, *does;
} group_text[GROUP_COUNT] = {
    [GROUP_MSR_PROTOCOL] = {"GHCB MSR protocol", "GHCBInfo", NULL},
    [GROUP_NAE] = {"NAE events", "SW_EXITCODE", NULL},
    [GROUP_PSP] = {"Messages to the AMD-SP", "MSG_TYPE", "answer"},
    [GROUP_MSR] = {"MSRs", "number", "an SNP guest sees"},
    [GROUP_INSN] = {"Instructions", NULL, "an SNP guest sees"},
    [GROUP_DEBUG] = {"Debug exceptions", NULL, "when, and how"},
    [GROUP_PORT] = {"Port I/O devices", "ports", NULL},
    [GROUP_ACCESS] = {"Accesses and the RMP", NULL, "result"},
};

/* A bar would end the cell. */
static void write_cell(FILE *out, const char *text)
{
    for (; *text; text++) {
        fputs(*text == '|' ? "\\|" : (char[]){*text, '\0'}, out);
    }
}

/* Cases, which have a colon in their names, before whole fixtures: they say more. */
static size_t write_names(FILE *out, const struct name_list *list, bool cases, size_t shown)
{
    for (size_t i = 0; i < list->count && shown < FIXTURES_SHOWN; i++) {
        if (!strchr(list->name[i], ':') == !cases) {
            fprintf(out, "%s%s", shown ? ", " : "", list->name[i]);
            shown++;
        }
    }
    return shown;
}

static void write_fixtures(FILE *out, const struct coverage_row *row)
{
    size_t shown = write_names(out, &row->fixtures, true, 0);

    shown = write_names(out, &row->fixtures, false, shown);
    if (shown < row->fixtures.count) {
        fprintf(out, ", %zu more", row->fixtures.count - shown);
    }
    if (shown == 0) {
        fputs(row->exempt ? "none needed: " : "none", out);
        write_cell(out, row->exempt ? row->exempt : "");
    }
}

static void write_row(FILE *out, const struct coverage_row *row)
{
    const char *name = strchr(row->key, '/') + 1;

    fprintf(out, "| %s | ", name);
    if (group_text[row->group].code) {
        fprintf(out, "%s | ", row->code);
    }
    if (group_text[row->group].does) {
        write_cell(out, row->does);
        fputs(" | ", out);
    }
    write_cell(out, row->source ? row->source : "none");
    fprintf(out, " | %s | ", status_name[row->status]);
    write_fixtures(out, row);
    fputs(" |\n", out);
}

static void write_group(const struct coverage *coverage, FILE *out, enum coverage_group group)
{
    const char *prefix = NULL;

    for (size_t i = 0; i < coverage->row_count && !prefix; i++) {
        prefix = coverage->row[i].group == group ? coverage->row[i].key : NULL;
    }
    fprintf(out, "\n## %s\n\n", group_text[group].title);
    if (!prefix) {
        fputs("None.\n", out);
        return;
    }
    fprintf(out, "Key: `%.*s/` and the name.\n\n| name | ", (int)strcspn(prefix, "/"), prefix);
    if (group_text[group].code) {
        fprintf(out, "%s | ", group_text[group].code);
    }
    if (group_text[group].does) {
        fprintf(out, "%s | ", group_text[group].does);
    }
    fputs("source | status | fixtures |\n", out);
    fprintf(out, "| --- | --- |%s%s --- | --- |\n", group_text[group].code ? " --- |" : "",
            group_text[group].does ? " --- |" : "");
    for (size_t i = 0; i < coverage->row_count; i++) {
        if (coverage->row[i].group == group) {
            write_row(out, &coverage->row[i]);
        }
    }
}

static void write_summary(const struct coverage *coverage, FILE *out)
{
    size_t unverified = 0;

    fputs("| rows | modelled | unverified | unmodelled | without fixture |\n"
          "| --- | --- | --- | --- | --- |\n",
          out);
    for (enum coverage_group group = 0; group < GROUP_COUNT; group++) {
        size_t count[STATUS_COUNT] = {0}, without = 0;

        for (size_t i = 0; i < coverage->row_count; i++) {
            const struct coverage_row *row = &coverage->row[i];

            if (row->group == group) {
                count[row->status]++;
                without += row->fixtures.count == 0;
            }
        }
        fprintf(out, "| %s | %zu | %zu | %zu | %zu |\n", group_text[group].title,
                count[STATUS_MODELLED], count[STATUS_UNVERIFIED], count[STATUS_UNMODELLED],
                without);
    }
    for (size_t i = 0; i < coverage->case_count; i++) {
        unverified += coverage->guest_case[i].flags & CASE_UNVERIFIED ? 1 : 0;
    }
    fprintf(out, "\n%zu cases in %zu tiny guests, %zu of them on unverified facts; %zu fixtures.\n",
            coverage->case_count, coverage->image_count, unverified, coverage->fixture_count);
}

static void write_cases(const struct coverage *coverage, FILE *out)
{
    const char *guest = NULL;

    fputs("\n## Cases of the tiny guests\n\n"
          "*alone*: it has a scenario of its own, because it ends the run or needs another host.\n",
          out);
    for (size_t i = 0; i < coverage->case_count; i++) {
        const struct coverage_case *this = &coverage->guest_case[i];

        if (this->guest != guest) {
            guest = this->guest;
            fprintf(out, "\n### %s\n\n| case | rows | source | |\n| --- | --- | --- | --- |\n",
                    guest);
        }
        fprintf(out, "| %s | %s | ", this->name, this->covers);
        write_cell(out, this->source);
        fprintf(out, " | %s%s%s |\n", this->flags & CASE_UNVERIFIED ? "unverified" : "",
                (this->flags & CASE_UNVERIFIED) && (this->flags & CASE_ALONE) ? ", " : "",
                this->flags & CASE_ALONE ? "alone" : "");
    }
}

void coverage_write(const struct coverage *coverage, FILE *out)
{
    fputs("<!-- SPDX-License-Identifier: GPL-2.0-or-later -->\n"
          "# What is modelled, on which source, and what proves it\n\n"
          "Written by `tools/spec-coverage` from the emulator's tables, the golden traces and the\n"
          "cases of `fixtures/guests/`; changes by hand are lost.\n\n"
          "- *modelled*: does what the source says.\n"
          "- *unverified*: modelled, but on a fact that was recalled or derived, and that no\n"
          "  second source confirmed, at least in part.\n"
          "- *unmodelled*: known by name; a run that meets it ends there, as `unmodelled`.\n\n",
          out);
    write_summary(coverage, out);
    for (enum coverage_group group = 0; group < GROUP_COUNT; group++) {
        write_group(coverage, out, group);
    }
    write_cases(coverage, out);
}
