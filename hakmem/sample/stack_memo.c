/* SPDX-License-Identifier: MIT */
/* See stack_memo.h. */
#include "hakmem/sample/stack_memo.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/bits.h"
#include "hakmem/os/os.h"

#define MEMO_ENTRIES 1024u
#define MEMO_WORDS_MAX 96u

/* The largest frame that is kept: of which only the return address is read, and of which other words are. */
#define MEMO_FRAME_BYTES_MAX 16384u
#define MEMO_READ_BYTES_MAX 4096u

/* More libraries than most programs are linked with. Those beyond count as such that may be unloaded. */
#define MEMO_OBJECTS_MAX 128u

/* A word of the stack, and its value. */
struct memo_word {
    const uintptr_t *at;
    uintptr_t value;
};

struct memo_entry {
    uint32_t in_use; /* atomic; who has it reads or writes the rest */
    uint32_t word_count;
    bool has_frame_pointer; /* that of the innermost frame matters */
    struct memo_frame innermost;
    struct hak_stack stack;
    struct memo_word words[MEMO_WORDS_MAX]; /* ascending: from the innermost frame outwards */
};

static struct memo_entry *memo_entries; /* atomic; a table of MEMO_ENTRIES; NULL: none */
static bool memo_is_made;               /* atomic; somebody makes it, or has tried */

static const struct link_map *memo_objects[MEMO_OBJECTS_MAX]; /* written before memo_entries */
static uint32_t memo_object_count;

/* Takes no lock of the loader. glibc before 2.35 and other C libraries have no such function: there no path is kept. */
#ifdef DLFO_STRUCT_HAS_EH_DBASE
static const struct link_map *memo_object_of(uintptr_t address) {
    struct dl_find_object found;
    return _dl_find_object((void *)address, &found) == 0 ? found.dlfo_link_map : NULL;
}
#else
static const struct link_map *memo_object_of(uintptr_t address) {
    (void)address;
    return NULL;
}
#endif

static void memo_add_object(const struct link_map *object) {
    if (object != NULL && memo_object_count < MEMO_OBJECTS_MAX) {
        memo_objects[memo_object_count++] = object;
    }
}

/* hakmem's own. */
static const struct link_map *memo_own_object(void) { return memo_object_of((uintptr_t)&hak_stack_memo_init); }

/* The program is the first of all objects. */
static const struct link_map *memo_first_object(void) {
    const struct link_map *first = memo_own_object();
    while (first != NULL && first->l_prev != NULL) {
        first = first->l_prev;
    }
    return first;
}

void hak_stack_memo_note_start(void) {
    for (const struct link_map *object = memo_first_object(); object != NULL; object = object->l_next) {
        memo_add_object(object);
    }
}

static void memo_note_few(void) {
    memo_add_object(memo_first_object());
    memo_add_object(memo_own_object());
    memo_add_object(memo_object_of((uintptr_t)&abort));
}

static bool memo_stays(uintptr_t address) {
    const struct link_map *object = memo_object_of(address);
    for (uint32_t i = 0; i < memo_object_count; i++) {
        if (memo_objects[i] == object) {
            return true;
        }
    }
    return false;
}

static size_t memo_bytes(void) { return bits_round_up(MEMO_ENTRIES * sizeof(struct memo_entry), hak_os_page_size()); }

void hak_stack_memo_init(void) {
    void *memory;
    /* Acquire needs no partner: whoever is the first does it. */
    if (hak_exchange_acquire(&memo_is_made, true)) {
        return;
    }
    if (memo_object_count == 0) {
        memo_note_few();
    }
    if (hak_os_map(memo_bytes(), hak_os_page_size(), &memory) == 0) {
        /* Release: pairs with the acquire of memo_enter. */
        hak_store_release(&memo_entries, (struct memo_entry *)memory);
    }
}

/* The entry of such a walk, for the caller alone. NULL: there is no table, or somebody else has it */
static struct memo_entry *memo_enter(const struct memo_frame *innermost, uint64_t site) {
    struct memo_entry *entries = hak_load_acquire(&memo_entries);
    if (entries == NULL) {
        return NULL;
    }
    /* Knuth's multiplicative hashing, as in region/block_table.c; 2^(64 - 54) entries. */
    HAK_STATIC_ASSERT(MEMO_ENTRIES == 1u << (64 - 54), "the shift below");
    struct memo_entry *entry = &entries[((site ^ innermost->start << 20) * 0x9e3779b97f4a7c15u) >> 54];
    /* Acquire: pairs with the release of memo_leave. */
    return hak_exchange_acquire(&entry->in_use, 1u) == 0 ? entry : NULL;
}

/* Release: pairs with the acquire of memo_enter; what this thread wrote is there. */
static void memo_leave(struct memo_entry *entry) { hak_store_release(&entry->in_use, 0u); }

/* The stack is read as it is, words of the program's variables among them: the sanitizers would object. */
#define MEMO_READS_THE_STACK __attribute__((no_sanitize("address", "thread"), noinline))

static MEMO_READS_THE_STACK bool memo_words_hold(const struct memo_entry *entry) {
    for (uint32_t i = 0; i < entry->word_count; i++) {
        if (*entry->words[i].at != entry->words[i].value) {
            return false;
        }
    }
    return true;
}

static bool memo_is_of(const struct memo_entry *entry, const struct memo_frame *innermost, uint64_t site) {
    return entry->stack.site == site && entry->innermost.start == innermost->start &&
           entry->innermost.address == innermost->address &&
           (!entry->has_frame_pointer || entry->innermost.frame_pointer == innermost->frame_pointer);
}

bool hak_stack_memo_find(const struct memo_frame *innermost, struct hak_stack *stack) {
    struct memo_entry *entry = MEMO_IS_KNOWN ? memo_enter(innermost, stack->site) : NULL;
    if (entry == NULL) {
        return false;
    }
    const bool is_same = memo_is_of(entry, innermost, stack->site) && memo_words_hold(entry);
    if (is_same) {
        *stack = entry->stack;
    }
    memo_leave(entry);
    return is_same;
}

/* Whether the frame's end may depend on its frame pointer. */
static bool memo_has_frame_pointer(const struct memo_frame *frame) {
    return frame[0].frame_pointer >= frame[0].start && frame[0].frame_pointer < frame[1].start;
}

/* Marks the frames that hold a saved frame pointer which matters to a frame further out, and those between, which may have
 * saved and restored it. Result: whether the register's own value matters to one */
static bool memo_mark_saved(const struct memo_walk *walk, bool *matters) {
    bool is_wanted = false;
    for (uint32_t i = walk->count - 1; i-- > 0;) {
        matters[i] = is_wanted;
        const bool changes = walk->frames[i].frame_pointer != walk->frames[i + 1].frame_pointer;
        is_wanted = (is_wanted && !changes) || memo_has_frame_pointer(&walk->frames[i]);
    }
    return is_wanted;
}

/* Notes the words of a frame that unwinding may have read. false: they are too many, or it is an odd frame */
static MEMO_READS_THE_STACK bool memo_note_frame(struct memo_entry *entry, const struct memo_frame *frame,
                                                 bool saved_matters) {
    const uintptr_t end = frame[1].start;
    const bool end_matters = memo_has_frame_pointer(frame);
    const size_t most = saved_matters || end_matters ? MEMO_READ_BYTES_MAX : MEMO_FRAME_BYTES_MAX;
    if (end <= frame[0].start || end - frame[0].start > most || end % sizeof(uintptr_t) != 0 ||
        *(const uintptr_t *)(end - sizeof end) != frame[1].address) {
        return false;
    }
    const uintptr_t first = saved_matters || end_matters ? frame[0].start : end - sizeof end;
    for (uintptr_t at = first; at < end; at += sizeof at) {
        const uintptr_t value = *(const uintptr_t *)at;
        const bool is_read = at == end - sizeof end || (saved_matters && value == frame[1].frame_pointer) ||
                             (end_matters && value == end);
        if (is_read && entry->word_count == MEMO_WORDS_MAX) {
            return false;
        }
        if (is_read) {
            entry->words[entry->word_count++] = (struct memo_word){.at = (const uintptr_t *)at, .value = value};
        }
    }
    return true;
}

void hak_stack_memo_keep(const struct memo_walk *walk, const struct hak_stack *stack) {
    bool matters[MEMO_FRAMES_MAX];
    if (!MEMO_IS_KNOWN || walk->is_odd || walk->count < 2) {
        return;
    }
    struct memo_entry *entry = memo_enter(&walk->frames[0], stack->site);
    if (entry == NULL) {
        return;
    }
    entry->has_frame_pointer = memo_mark_saved(walk, matters);
    entry->word_count = 0;
    bool is_whole = memo_stays(walk->frames[walk->count - 1].address);
    for (uint32_t i = 0; i + 1 < walk->count && is_whole; i++) {
        is_whole = memo_stays(walk->frames[i].address) && memo_note_frame(entry, &walk->frames[i], matters[i]);
    }
    entry->innermost = walk->frames[0];
    entry->stack = *stack;
    if (!is_whole) {
        entry->stack.site = 0; /* no call's */
    }
    memo_leave(entry);
}

void hak_stack_memo_visit(void (*visit)(void *start, size_t size, void *argument), void *argument) {
    /* Acquire: pairs with the release of hak_stack_memo_init. */
    struct memo_entry *entries = hak_load_acquire(&memo_entries);
    if (entries != NULL) {
        visit(entries, memo_bytes(), argument);
    }
}
