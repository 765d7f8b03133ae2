/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * leak: what the guest stored where the hypervisor reads, and the event does not pass. Judged when
 * the guest exits, for what it stored since the answer before:
 *
 *   registers   fields of the GHCB page that are no input of this event, and registers that no
 *               event has
 *   memory      bytes of a lent buffer behind those that the event reads, if they are a copy of
 *               private memory. In an exact run the instruction that loaded them is known; in a
 *               fast one anything but zero is suspicious. What was stored where nothing is lent
 *               waits until it is
 *
 * Only what still stands there counts.
 */
#include <stdio.h>
#include <string.h>

#include "check/oracle_internal.h"

#define COMMON_FIELDS (FIELD_BIT(FIELD_CODE) | FIELD_BIT(FIELD_INFO1) | FIELD_BIT(FIELD_INFO2))
#define GRANULE 8 /* bytes for which one bit is kept */

/* ---- where a stored value came from ---- */

static void load_note(struct oracles *oracles, const struct oracle_access *access)
{
    struct load *load = &oracles->table->load[oracles->state.load_next++ % LOAD_MAX];

    load->value = 0;
    load->size_bytes = access->size_bytes < 8 ? access->size_bytes : 8;
    load->code_gva = access->code_gva;
    memcpy(&load->value, access->bytes, load->size_bytes);
}

/* Few bytes are often equal by chance: of those only the latest load counts. */
static const struct load *load_of(const struct oracles *oracles, uint64_t value, uint32_t size)
{
    uint32_t next = oracles->state.load_next;
    uint64_t mask = size >= 8 ? UINT64_MAX : (1ULL << 8 * size) - 1;
    uint32_t reach = size >= 4 ? LOAD_MAX : 1;

    for (uint32_t i = 1; i <= reach && i <= next; i++) {
        const struct load *load = &oracles->table->load[(next - i) % LOAD_MAX];

        if (load->size_bytes >= size && (load->value & mask) == (value & mask)) {
            return load;
        }
    }
    return NULL;
}

/* There is no room for another store: the older half goes. */
static void stores_halve(struct oracles *oracles)
{
    oracles->state.store_count /= 2;
    memcpy(oracles->table->store, oracles->table->store + STORE_MAX - oracles->state.store_count,
           oracles->state.store_count * sizeof(oracles->table->store[0]));
}

static void store_note(struct oracles *oracles, const struct oracle_access *access)
{
    struct oracle_state *state = &oracles->state;
    uint32_t size = access->size_bytes < 8 ? access->size_bytes : 8;
    const struct load *load = access->value ? load_of(oracles, access->value, size) : NULL;

    if (load && state->store_count == STORE_MAX) {
        stores_halve(oracles);
    }
    if (load) {
        oracles->table->store[state->store_count++] = (struct store){
            .gpa = access->gpa,
            .size_bytes = size,
            .value = access->value,
            .code_gva = access->code_gva,
            .retired = access->retired,
            .load_gva = load->code_gva,
        };
    }
}

/* A fast run: the GHCB's own buffer, which is written through the observer, whoever does it. */
static void buffer_note(struct oracles *oracles, const struct oracle_access *access)
{
    uint64_t offset = (access->gpa & PAGE_MASK) - GHCB_SHARED_BUFFER;

    if (!access->value || offset >= GHCB_SHARED_BUFFER_SIZE) {
        return;
    }
    for (uint32_t i = 0; i < oracles->vcpu_used; i++) {
        struct oracle_vcpu *vcpu = &oracles->vcpu[i];

        if (vcpu->ghcb_gpa && vcpu->ghcb_gpa == (access->gpa & ~PAGE_MASK)) {
            uint64_t granule = offset / GRANULE;

            vcpu->buffer_written[granule / 8] |= (uint8_t)(1u << granule % 8);
        }
    }
}

/* The page becomes a GHCB: what stands in its buffer was stored when nobody looked. */
void leak_ghcb(struct oracles *oracles, struct oracle_vcpu *vcpu)
{
    const uint8_t *page = oracle_shared_bytes(oracles, vcpu->ghcb_gpa);

    if (oracles->exact || !page) {
        return;
    }
    for (uint64_t i = 0; i < GHCB_SHARED_BUFFER_SIZE; i++) {
        if (page[GHCB_SHARED_BUFFER + i]) {
            vcpu->buffer_written[i / GRANULE / 8] |= (uint8_t)(1u << i / GRANULE % 8);
            vcpu->written_before = true;
        }
    }
}

/* It was told what the guest passes, and all else is the hypervisor's from now on. Of an event that
   has no row that is not known: what was stored waits for the next one. */
void leak_answer(struct oracle_vcpu *vcpu, const struct exit *exit)
{
    if (exit->row->code != 0) {
        memset(vcpu->buffer_written, 0, sizeof(vcpu->buffer_written));
    }
    vcpu->written_before = exit->row->code == 0;
}

void leak_access(struct oracles *oracles, const struct oracle_access *access)
{
    if (access->write && access->shared) {
        if (oracles->exact) {
            store_note(oracles, access);
        } else {
            buffer_note(oracles, access);
        }
    } else if (!access->write && !access->shared && oracles->exact) {
        load_note(oracles, access);
    }
}

/* ---- at the exit ---- */

static void hit_register(struct oracles *oracles, const struct exit *exit, uint64_t offset,
                         uint64_t value, uint64_t code_gva, const char *name)
{
    struct oracle_hit hit = {
        .kind = ORACLE_LEAK,
        .vcpu = exit->vcpu,
        .code_gva = code_gva,
        .retired = exit->time,
        .gpa = exit->ghcb_gpa + offset,
        .size_bytes = 8,
    };

    memcpy(hit.bytes, &value, sizeof(value));
    snprintf(hit.what, sizeof(hit.what), "%s stored, which %s does not pass", name, exit->name);
    oracles_report(oracles, &hit);
}

static void leak_registers(struct oracles *oracles, const struct exit *exit)
{
    const struct oracle_vcpu *vcpu = &oracles->vcpu[exit->vcpu];
    uint32_t foreign = vcpu->written & ~(exit->row->required | exit->row->optional | COMMON_FIELDS);

    for (enum ghcb_field field = 0; field < FIELD_COUNT; field++) {
        if ((foreign & FIELD_BIT(field)) && exit->field[field]) {
            hit_register(oracles, exit, ghcb_field_rows[field].offset, exit->field[field],
                         vcpu->store_gva[field], ghcb_field_rows[field].name);
        }
    }
    for (uint32_t i = 0; i < vcpu->stray_count; i++) {
        uint64_t offset = vcpu->stray[i].offset, value = 0;
        const uint8_t *bytes = oracle_shared_bytes(oracles, exit->ghcb_gpa + offset);

        if (bytes) {
            memcpy(&value, bytes, sizeof(value));
        }
        if (value) {
            hit_register(oracles, exit, offset, value, vcpu->stray[i].code_gva, "a register");
        }
    }
}

/* What becomes of a place in shared memory by this exit. */
enum passing {
    PASSED,
    NOT_PASSED, /* it lies in a lent buffer, or the GHCB's, and is not read */
    NOT_LENT,
};

static enum passing passing(struct oracles *oracles, const struct exit *exit, uint64_t gpa)
{
    uint64_t offset = gpa - exit->ghcb_gpa;
    const struct lent *lent = lent_at(oracles, gpa, 1);

    if (lent && lent->vcpu == exit->vcpu && lent->row == exit->row) {
        return gpa - lent->buffer.gpa < lent->buffer.passed_bytes ? PASSED : NOT_PASSED;
    }
    if (offset - GHCB_SHARED_BUFFER < GHCB_SHARED_BUFFER_SIZE) {
        return NOT_PASSED;
    }
    return offset < PAGE_SIZE ? PASSED : NOT_LENT; /* fields: leak_registers */
}

static bool still_stands(const struct oracles *oracles, const struct store *store)
{
    const uint8_t *bytes = oracle_shared_bytes(oracles, store->gpa);

    return bytes && memcmp(bytes, &store->value, store->size_bytes) == 0;
}

static void hit_store(struct oracles *oracles, const struct exit *exit, const struct store *store)
{
    struct oracle_hit hit = {
        .kind = ORACLE_LEAK,
        .vcpu = exit->vcpu,
        .code_gva = store->code_gva,
        .retired = store->retired,
        .other_gva = store->load_gva,
        .gpa = store->gpa,
        .size_bytes = store->size_bytes,
    };

    memcpy(hit.bytes, &store->value, sizeof(store->value));
    snprintf(hit.what, sizeof(hit.what), "a copy of private memory, which %s does not pass",
             exit->name);
    oracles_report(oracles, &hit);
}

static void leak_stores(struct oracles *oracles, const struct exit *exit)
{
    size_t kept = 0;

    for (size_t i = 0; i < oracles->state.store_count; i++) {
        const struct store *store = &oracles->table->store[i];

        if (!still_stands(oracles, store)) {
            continue;
        }
        switch (passing(oracles, exit, store->gpa)) {
        case PASSED:
            break;
        case NOT_PASSED:
            hit_store(oracles, exit, store);
            break;
        case NOT_LENT:
            oracles->table->store[kept++] = *store;
            break;
        }
    }
    oracles->state.store_count = kept;
}

/* Or may hold: what was lent is not all shared. */
static bool holds_anything(struct oracles *oracles, uint64_t gpa, uint64_t size_bytes)
{
    for (uint64_t at = 0; at < size_bytes;) {
        uint64_t offset = (gpa + at) & PAGE_MASK;
        uint64_t chunk =
            PAGE_SIZE - offset < size_bytes - at ? PAGE_SIZE - offset : size_bytes - at;
        const uint8_t *page =
            oracles->ops.shared_page(oracles->ops.context, (gpa + at) & ~PAGE_MASK);

        /* How far it reaches is the guest's word: no more of it is looked at. */
        if (!page) {
            return true;
        }
        if (page[offset] || memcmp(page + offset, page + offset + 1, chunk - 1) != 0) {
            return true;
        }
        at += chunk;
    }
    return false;
}

/* ---- a fast run: what an exact one has to look at ---- */

/* What was stored in the GHCB's own buffer since the answer before. */
static bool is_buffer_suspicious(struct oracles *oracles, const struct exit *exit)
{
    const struct oracle_vcpu *vcpu = &oracles->vcpu[exit->vcpu];

    for (uint64_t byte = 0; byte < sizeof(vcpu->buffer_written); byte++) {
        for (uint32_t left = vcpu->buffer_written[byte]; left; left &= left - 1) {
            uint64_t granule = byte * 8 + (uint64_t)__builtin_ctz(left);

            if (passing(oracles, exit, exit->ghcb_gpa + GHCB_SHARED_BUFFER + granule * GRANULE) ==
                NOT_PASSED) {
                return true;
            }
        }
    }
    return false;
}

static bool is_in_ghcb_buffer(const struct exit *exit, const struct exit_buffer *buffer)
{
    uint64_t offset = buffer->gpa - exit->ghcb_gpa - GHCB_SHARED_BUFFER;

    return offset < GHCB_SHARED_BUFFER_SIZE &&
           buffer->size_bytes <= GHCB_SHARED_BUFFER_SIZE - offset;
}

/* What stands in other memory that is lent now, since whenever. */
static bool is_lent_suspicious(struct oracles *oracles, const struct exit *exit)
{
    for (size_t i = 0; i < oracles->state.lent_count; i++) {
        const struct lent *lent = &oracles->table->lent[i];
        const struct exit_buffer *buffer = &lent->buffer;

        if (lent->row == exit->row && lent->vcpu == exit->vcpu &&
            !is_in_ghcb_buffer(exit, buffer) && !buffer->poll &&
            holds_anything(oracles, buffer->gpa + buffer->passed_bytes,
                           buffer->size_bytes - buffer->passed_bytes)) {
            return true;
        }
    }
    return false;
}

/* Of an event that has no row it is not known what it passes. */
void leak_exit(struct oracles *oracles, const struct exit *exit)
{
    if (exit->protocol != EXIT_PAGE || exit->row->code == 0) {
        return;
    }
    /* Another event, fields, or marks than the guest's: what it passes is not known. */
    if (oracles->state.raced || !own_exit(&oracles->vcpu[exit->vcpu], exit)) {
        oracles->state.store_count = 0;
        return;
    }
    leak_registers(oracles, exit);
    if (oracles->exact) {
        leak_stores(oracles, exit);
    } else if (is_lent_suspicious(oracles, exit)) {
        oracle_suspect(oracles, ORACLE_LEAK, exit->vcpu, exit->row->code);
        oracles->state.from = 0; /* who knows when it was stored */
    } else if (is_buffer_suspicious(oracles, exit)) {
        oracle_suspect(oracles, ORACLE_LEAK, exit->vcpu, exit->row->code);
        if (oracles->vcpu[exit->vcpu].written_before) {
            oracles->state.from = 0;
        }
    }
}
