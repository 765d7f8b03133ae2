/* SPDX-License-Identifier: MIT */
/*
 * Call 1 of the core protocol: a list of pages to validate or rescind. The list is the guest's
 * memory, and other vCPUs may write to it meanwhile: each part is read once.
 *
 * Results as published: AMDESE/linux-svsm a2d150f959ed, src/protocols/core.rs, with these
 * differences. A list that is resumed goes on at its entry `next`; there it starts over, with the
 * count of what is left. The list must be the guest's own memory; there it may lie in the SVSM's,
 * which is then written to. A page to rescind that is not validated is reported as unchanged; there
 * RMPADJUST's #VC is the end. Reserved bits of an entry are ignored, as there.
 */
#include "cpu.h"
#include "guest_memory.h"
#include "protocol.h"
#include "window.h"

#define LIST_HEADER_SIZE 8
#define LIST_NEXT 2 /* offset of the u16 */
#define LIST_ENTRY_SIZE 8

#define ENTRY_SIZE_MASK 0x3ULL /* RMP_SIZE_* */
#define ENTRY_VALIDATE (1ULL << 2)
#define ENTRY_IGNORE_UNCHANGED (1ULL << 3)
#define ENTRY_GPA_MASK (~PAGE_MASK)

/* ROMs, which the hypervisor may have made read-only: clearing them would not end. */
#define ROM_BEGIN 0xc0000ULL
#define ROM_END 0x100000ULL

struct page {
    u64 gpa;
    u64 va;
    u64 size_bytes;
    u32 size; /* RMP_SIZE_* */
};

static bool page_zero_part(const struct page *page, u64 begin, u64 end)
{
    u64 from = page->gpa > begin ? page->gpa : begin;
    u64 to = page->gpa + page->size_bytes < end ? page->gpa + page->size_bytes : end;

    return from >= to || guest_zero((void *)(page->va + (from - page->gpa)), to - from);
}

/* So that the hypervisor cannot show the guest what VMPL0 once kept in another page. */
static bool page_zero(const struct page *page)
{
    return page_zero_part(page, 0, ROM_BEGIN) && page_zero_part(page, ROM_END, CBIT_MASK);
}

static u64 page_rescind(const struct page *page, u64 entry)
{
    u32 status = core_revoke(page->va, page->size);

    if (status != RMP_SUCCESS && status != RMPADJUST_FAULTED) {
        return CALL_INSTRUCTION_STATUS + status;
    }
    status = pvalidate(page->va, page->size, PVALIDATE_RESCIND);
    if (status == PVALIDATE_UNCHANGED && (entry & ENTRY_IGNORE_UNCHANGED) != 0) {
        return CALL_SUCCESS;
    }
    return status == RMP_SUCCESS ? CALL_SUCCESS : CALL_INSTRUCTION_STATUS + status;
}

static u64 page_validate(const struct page *page, u64 entry)
{
    u32 status = pvalidate(page->va, page->size, PVALIDATE_VALIDATE);

    if (status == PVALIDATE_UNCHANGED && (entry & ENTRY_IGNORE_UNCHANGED) != 0) {
        status = RMP_SUCCESS;
    }
    if (status != RMP_SUCCESS) {
        return CALL_INSTRUCTION_STATUS + status;
    }
    if (!page_zero(page)) {
        return CALL_INVALID_PARAMETER; /* the hypervisor took it back at once */
    }
    status = guest_rmpadjust(page->va, page->size, ATTRIBUTES_ALL | GUEST_VMPL);
    return status == RMP_SUCCESS ? CALL_SUCCESS : CALL_INSTRUCTION_STATUS + status;
}

static u64 handle_entry(u64 entry)
{
    struct page page = {.gpa = entry & ENTRY_GPA_MASK, .size = entry & ENTRY_SIZE_MASK};
    enum window window = page.size == RMP_SIZE_4K ? WINDOW_PAGE : WINDOW_LARGE_PAGE;
    u64 result;

    page.size_bytes = page.size == RMP_SIZE_4K ? PAGE_SIZE : LARGE_PAGE_SIZE;
    if (page.size > RMP_SIZE_2M || page.gpa % page.size_bytes != 0 ||
        !core_range_valid(page.gpa, page.size_bytes)) {
        return CALL_INVALID_ADDRESS;
    }
    page.va = window_map(window, page.gpa);
    if ((entry & ENTRY_VALIDATE) != 0) {
        result = page_validate(&page, entry);
    } else {
        result = page_rescind(&page, entry);
    }
    window_unmap(window);
    return result;
}

/* From entry `next` to the first that fails, keeping the list's own count. */
static u64 handle_list(u64 list_gpa, u16 next, u16 count, bool *flush)
{
    u64 result = CALL_INVALID_PARAMETER; /* a list with nothing left, too */

    while (next < count) {
        u64 entry;

        if (!guest_read(list_gpa + LIST_HEADER_SIZE + next * LIST_ENTRY_SIZE, &entry,
                        sizeof(entry))) {
            return CALL_INVALID_PARAMETER;
        }
        *flush |= (entry & ENTRY_VALIDATE) == 0;
        result = handle_entry(entry);
        if (result != CALL_SUCCESS) {
            return result;
        }
        next++;
        if (!guest_write(list_gpa + LIST_NEXT, &next, sizeof(next))) {
            return CALL_INVALID_PARAMETER;
        }
    }
    return result;
}

/* RCX: the list. It does not leave its page, so it has at most 511 entries. */
u64 core_pvalidate(struct vmsa *vmsa)
{
    struct {
        u16 count;
        u16 next;
        u32 reserved;
    } header;
    u64 gpa = vmsa->rcx;
    bool flush = false;
    u64 result;

    if (gpa % LIST_ENTRY_SIZE != 0 || !core_range_valid(gpa, sizeof(header)) ||
        !guest_read(gpa, &header, sizeof(header))) {
        return CALL_INVALID_PARAMETER;
    }
    if (header.count == 0 || header.count < header.next ||
        (gpa & PAGE_MASK) + LIST_HEADER_SIZE + header.count * LIST_ENTRY_SIZE > PAGE_SIZE) {
        return CALL_INVALID_PARAMETER;
    }
    result = handle_list(gpa, header.next, header.count, &flush);
    if (flush) {
        core_flush();
    }
    return result;
}
