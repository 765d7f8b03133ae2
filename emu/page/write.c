/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check/oracle.h"
#include "page/internal.h"
#include "trace/json.h"
#include "trace/meaning.h"
#include "trace/writer.h"

#ifndef SNPEMU_VERSION
#define SNPEMU_VERSION "unknown"
#endif

/* One object of the page's data: {"key":value,... written member by member, for it may be large. */
struct members {
    FILE *file;
    bool begun, failed;
};

static void member_begin(struct members *members, const char *key)
{
    fprintf(members->file, "%s\"%s\":", members->begun ? ",\n" : "{\n", key);
    members->begun = true;
}

/* Takes `value`; NULL is a failure. */
static void member(struct members *members, const char *key, json_t *value)
{
    member_begin(members, key);
    members->failed = members->failed || !value || !json_write(members->file, value, true);
    json_decref(value);
}

/* ---- how it ended ---- */

static json_t *oracle_list_json(uint32_t oracles)
{
    json_t *list = json_array();

    for (int kind = 0; kind < ORACLE_COUNT; kind++) {
        if (oracles & ORACLE_BIT(kind)) {
            json_array_append_new(list, json_pack("{s:s,s:s}", "name",
                                                  oracle_name((enum oracle_kind)kind), "meaning",
                                                  oracle_meaning((enum oracle_kind)kind)));
        }
    }
    return list;
}

/* Who the guest says it is and what it means by its reason; NULL: it did not ask. */
static json_t *termination_json(const struct outcome *outcome)
{
    const struct termination *row = termination_find(outcome->term_set, outcome->term_code);
    const char *who = termination_who(outcome->term_set, outcome->term_code);

    if (outcome->kind != OUTCOME_TERMINATED) {
        return NULL;
    }
    return json_pack("{s:s?,s:s?,s:s?}", "who", who, "name", row ? row->name : NULL, "meaning",
                     row ? row->meaning : NULL);
}

static json_t *outcome_json(const struct outcome *outcome)
{
    enum verdict verdict = outcome_verdict(outcome);
    char phrase[160];

    outcome_phrase(outcome, phrase, sizeof(phrase));
    return json_pack(
        "{s:s,s:s,s:o,s:o,s:s,s:s,s:i,s:i,s:o,s:o,s:o,s:o,s:o,s:o*}", "phrase", phrase, "meaning",
        outcome_meaning(outcome->kind), "detail", json_text(outcome->detail), "panic",
        json_text(outcome->panic), "verdict", verdict_name(verdict), "verdict_meaning",
        verdict_meaning(verdict), "vcpu", (int)outcome->vcpu, "vmpl", (int)outcome->vmpl, "rip",
        json_hex(outcome->rip), "symbol", json_text(outcome->symbol), "instructions",
        json_decimal(outcome->instructions), "exits", json_decimal(outcome->exits), "oracles",
        oracle_list_json(outcome->oracles), "termination", termination_json(outcome));
}

/* ---- what ran, and what it left ---- */

static json_t *run_json(const struct page_facts *facts)
{
    json_t *run = json_header(facts->header);

    if (run && (json_object_set_new(run, "path", json_text(facts->path)) != 0 ||
                json_object_set_new(run, "snpemu", json_string(SNPEMU_VERSION)) != 0)) {
        json_decref(run);
        return NULL;
    }
    return run;
}

static json_t *expected_json(const struct page_facts *facts)
{
    return facts->expectation
               ? json_pack("{s:b,s:o}", "met", facts->met, "why", json_text(facts->why))
               : json_null();
}

static json_t *console_json(const char *console)
{
    size_t size = strlen(console);
    bool cut = size > PAGE_CONSOLE_MAX;

    return json_pack("{s:o,s:b}", "text",
                     json_text(cut ? console + (size - PAGE_CONSOLE_MAX) : console), "cut", cut);
}

static json_t *percpu_row_json(const struct run_percpu *row)
{
    json_t *object = json_pack("{s:i,s:o,s:o,s:o,s:o}", "index", (int)row->index, "apic_id",
                               json_decimal(row->apic_id), "gva", json_hex(row->gva), "ghcb",
                               json_hex(row->ghcb), "tss", json_hex(row->tss));
    json_t *vmsa = json_array(), *caa = json_array();

    for (unsigned vmpl = 0; vmpl < VMPL_COUNT; vmpl++) {
        json_array_append_new(vmsa, json_hex(row->vmsa[vmpl]));
        json_array_append_new(caa, json_hex(row->caa[vmpl]));
    }
    if (json_object_set_new(object, "vmsa", vmsa) != 0 ||
        json_object_set_new(object, "caa", caa) != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *percpu_json(const struct page_facts *facts)
{
    json_t *rows = json_array();

    for (size_t i = 0; rows && i < facts->percpu_count; i++) {
        if (json_array_append_new(rows, percpu_row_json(&facts->percpu[i])) != 0) {
            json_decref(rows);
            return NULL;
        }
    }
    return rows;
}

/* ---- memory ---- */

static json_t *kinds_json(void)
{
    json_t *kinds = json_array();

    for (int kind = 0; kind < RMP_KIND_COUNT; kind++) {
        json_array_append_new(kinds,
                              json_pack("{s:s,s:s}", "name", rmp_kind_name((enum rmp_kind)kind),
                                        "meaning", rmp_kind_meaning((enum rmp_kind)kind)));
    }
    return kinds;
}

static json_t *state_json(const struct rmp_log_state *state)
{
    return json_pack("{s:i,s:b,s:b,s:b,s:b,s:b,s:i,s:[iiii]}", "kind", (int)rmp_log_kind(state),
                     "assigned", state->flags & RMP_ASSIGNED, "validated",
                     state->flags & RMP_VALIDATED, "vmsa", state->flags & RMP_VMSA, "immutable",
                     state->flags & RMP_IMMUTABLE, "large", state->flags & RMP_LARGE, "asid",
                     (int)state->asid, "permissions", (int)state->perm[0], (int)state->perm[1],
                     (int)state->perm[2], (int)state->perm[3]);
}

/* Numbers alone, and many: written as they are. */
static void write_memory(FILE *file, const struct rmp_log *log)
{
    fprintf(file, "\"lost\":%" PRIu64 ",\"slots\":[", log->lost);
    for (size_t i = 0; i < log->slot_count; i++) {
        fprintf(file, "%s[\"0x%" PRIx64 "\",%" PRIu32 ",%" PRIu32 "]", i ? "," : "",
                log->slot[i].gpa, log->slot[i].page_count, log->slot[i].first_page);
    }
    fputs("],\n\"start\":[", file);
    for (size_t i = 0; i < log->start_count; i++) {
        fprintf(file, "%s[%" PRIu32 ",%" PRIu32 ",%u]", i ? "," : "", log->start[i].page,
                log->start[i].count, log->start[i].state);
    }
    fputs("],\n\"changes\":[", file);
    for (size_t i = 0; i < log->change_count; i++) {
        const struct rmp_log_change *change = &log->change[i];

        fprintf(file, "%s[%" PRId64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu32 ",%" PRIu32 ",%u]",
                i ? "," : "", change->event == RMP_LOG_LAUNCH ? -1 : (int64_t)change->event,
                change->first, change->last, change->page, change->count, change->state);
    }
    fputs("]", file);
}

static void put_memory(struct members *members, const struct rmp_log *log)
{
    struct members inner = {.file = members->file};
    json_t *states = json_array();

    for (size_t i = 0; states && i < log->state_count; i++) {
        json_array_append_new(states, state_json(&log->state[i]));
    }
    member_begin(members, "memory");
    member(&inner, "kinds", kinds_json());
    member(&inner, "states", states);
    fputs(",\n", members->file);
    write_memory(members->file, log);
    fputs("}", members->file);
    members->failed = members->failed || inner.failed;
}

/* ---- places ---- */

/* Lines of source, the innermost first, each with the number of its file where that is shown. */
static json_t *frames_json(const struct image_place *place, struct source_files *files,
                           const struct page_facts *facts)
{
    json_t *frames = json_lines(place);

    for (size_t i = 0; frames && i < place->frame_count; i++) {
        json_t *frame = json_array_get(frames, i);
        int number = source_file_number(files, place->frame[i].path, facts);

        if (json_object_set_new(frame, "path", json_text(place->frame[i].path)) != 0 ||
            (number >= 0 && json_object_set_new(frame, "source", json_integer(number)) != 0)) {
            json_decref(frames);
            return NULL;
        }
    }
    return frames;
}

static json_t *place_json(const struct image_place *place, struct source_files *files,
                          const struct page_facts *facts)
{
    json_t *object = json_pack("{s:o,s:o}", "gva", json_hex(place->gva), "lines",
                               frames_json(place, files, facts));

    if (object && place->symbol &&
        (json_object_set_new(object, "symbol", json_text(place->symbol)) != 0 ||
         json_object_set_new(object, "offset", json_decimal(place->offset)) != 0)) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* What is behind a function's last instruction is not the next function. */
static void place_look(const struct page_place *what, struct image_place *place)
{
    image_place_at(what->program, what->gva - (what->behind ? 1 : 0), place);
    if (what->behind) {
        place->gva++;
        place->offset++;
    }
}

static json_t *places_json(const struct page *page, struct source_files *files,
                           const struct page_facts *facts)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < page->place_count; i++) {
        struct image_place place;

        place_look(&page->place[i], &place);
        if (json_array_append_new(list, place_json(&place, files, facts)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *backtrace_json(struct source_files *files, const struct page_facts *facts)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < facts->frame_count; i++) {
        const struct run_frame *frame = &facts->frame[i];
        json_t *place = place_json(&frame->place, files, facts);

        if (!place || json_object_set_new(place, "guessed", json_boolean(frame->guessed)) != 0 ||
            json_object_set_new(place, "interrupted", json_boolean(frame->interrupted)) != 0 ||
            json_array_append(list, place) != 0) {
            json_decref(place);
            json_decref(list);
            return NULL;
        }
        json_decref(place);
    }
    return list;
}

static json_t *sources_json(const struct source_files *files)
{
    json_t *list = json_array();

    for (size_t i = 0; i < files->count; i++) {
        const struct source_file *file = &files->file[i];

        json_array_append_new(list, file->text
                                        ? json_pack("{s:o,s:o}", "path", json_text(file->path),
                                                    "text", json_text(file->text))
                                        : json_null());
    }
    return list;
}

static void put_places(struct members *members, const struct page *page,
                       const struct page_facts *facts)
{
    struct source_files *files = calloc(1, sizeof(*files));

    if (!files) {
        members->failed = true;
        return;
    }
    member(members, "places", places_json(page, files, facts));
    member(members, "backtrace", backtrace_json(files, facts));
    member(members, "sources", sources_json(files));
    source_files_release(files);
    free(files);
}

/* ---- the file ---- */

static void write_template(FILE *file, const unsigned char *bytes, size_t size_bytes)
{
    fwrite(bytes, 1, size_bytes, file);
}

static bool write_facts(const struct page *page, const struct page_facts *facts, FILE *file)
{
    struct members members = {.file = file};

    member(&members, "report", json_string("snpemu"));
    member(&members, "version", json_integer(PAGE_VERSION));
    member(&members, "run", run_json(facts));
    member(&members, "outcome", outcome_json(facts->outcome));
    member(&members, "expected", expected_json(facts));
    member(&members, "digest", json_digest(facts->digest, RUN_DIGEST_SIZE));
    member(&members, "event_count", json_decimal(page->event_count));
    member(&members, "percpu", percpu_json(facts));
    member(&members, "console", console_json(facts->console));
    put_memory(&members, facts->rmp_log);
    put_places(&members, page, facts);
    fputs("}\n", file);
    return !members.failed;
}

int page_write(struct page *page, const struct page_facts *facts, FILE *file, struct error *error)
{
    bool ok = !page->failed && fflush(page->events) == 0;

    write_template(file, page_template_head, page_template_head_size);
    fputs("<script type=\"application/json\" id=\"facts\">\n", file);
    ok = ok && write_facts(page, facts, file);
    fputs("</script>\n<script type=\"application/json\" id=\"events\">\n[", file);
    if (ok && page->size_bytes > 0) {
        fwrite(page->bytes, 1, page->size_bytes, file);
    }
    fputs("\n]</script>\n", file);
    write_template(file, page_template_tail, page_template_tail_size);
    return ok ? trace_writer_flush(file, error)
              : error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a page");
}
