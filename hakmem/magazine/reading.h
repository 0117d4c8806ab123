/* SPDX-License-Identifier: MIT */
/* Reads the counts and magazines of all threads beside them. No thread waits for a reader, but for one that ends: for as
 * long as a reader loads the tops of that very thread, which are at most two a class, and makes no call in between.
 *
 * Records are never unmapped, and none leaves the list that starts with hak_record_newest: it only grows. Whatever a thread
 * counted stays in its record, also for the next thread of the record, so that each count is in one place at every moment,
 * and a reader finds it there whether the thread goes on, ends or begins meanwhile.
 *
 * A thread's tops lie in its own thread-local storage, which is gone soon after its end. Who may follow `loaded` and
 * `returned` the record's word `tops` says, which changes by atomic operations only:
 *
 *     begin     sets RECORD_HAS_TOPS, when the tops are laid out
 *     reader    adds RECORD_READER, loads tops if the flag was there, and takes RECORD_READER off again
 *     end       clears the flag, waits until no reader is left, and only then gives up the tops
 *
 * A reader that adds after the flag was cleared does not see it; the end sees whoever added before.
 *
 * Tops lead into the record's storage, which a walk reads after it took RECORD_READER off again. Meanwhile the thread may end, and
 * the pages of that storage go back to the system, or serve other classes of the next thread: then the walk finds NULL or blocks
 * that it does not look for, and learns so from the sequence, which begin and end raise. Counts lie before those pages.
 *
 * A thread's counts follow from its tops and from the levels at its last exchange. Whether any thread allocated or freed
 * between two readings is computed as follows:
 *
 *     if no thread exchanged           every sequence is even and unchanged, before and after the tops are read
 *     or began or ended
 *     then                             a loaded top can only fall, and a returned top only rise
 *     so if the sum is unchanged       of (returned - loaded) over all threads and classes, no top moved at all
 *
 * Sequences only rise, so it is enough to compare their sum; a record that is new raises it. */
#ifndef HAKMEM_MAGAZINE_READING_H
#define HAKMEM_MAGAZINE_READING_H

#include "hakmem/magazine/record.h"

/* How often a reader tries again, which takes as long as some exchanges, before it sleeps for a millisecond: the thread may have
 * lost its processor in the middle of one. It may also be stopped there, and must not stop the reader: how often a reading
 * sleeps at most, over all threads together. */
#define READING_TRIES 500
#define READING_SLEEPS 20

/* Counts of one class, and the blocks of it in magazines. */
struct thread_class_totals {
    uint64_t allocations, frees;
    uint64_t cached_blocks;
};

/* What hak_reading_add finds of a record. */
struct reading_classes {
    uint64_t words[RECORD_WORDS]; /* the classes that count anything, or have blocks in magazines, as a set of bits */
    bool has_tops;                /* a thread has the record, and the next three are of one moment */
    uint32_t sequence;
    void *const *loaded[HAK_CLASS_COUNT];
    void *const *returned[HAK_CLASS_COUNT];
};

/* A record's counts of a class, of all its threads, with the tops of `classes` if there was no exchange since. They are consistent with
 * each other unless *sleeps, of which it takes as many as it needs, are used up. */
struct thread_class_totals hak_reading_class(struct hak_thread *thread, unsigned class_index,
                                             const struct reading_classes *classes, uint32_t *sleeps);

/* The magazines of a class. */
struct reading_magazines {
    void *const *loaded, *const *returned; /* tops */
    int loaded_unused, returned_unused;    /* what magazine_level counts too many: slots that hold no block */
};

/* Blocks in a magazine. Top and unused slots may be from before and after an exchange: then it is wrong, but never more than the
 * slots below the top in the storage of one magazine. For where `below` is how many these are, and c the class's constants,
 *
 *     magazine_level == c.magazine - (MAGAZINE_SLOTS - below)
 *     level          <= below - (MAGAZINE_SLOTS - c.magazine)        where unused >= 0
 *                    == below - (RECORD_HALF_SLOTS - room)           of a packed class, where unused ==
 *                                                                    c.magazine - room - RECORD_HALF_SLOTS */
HAK_ALWAYS_INLINE uint32_t reading_level(void *const *top, unsigned class_index, int unused) {
    const int level = (int)magazine_level(top, class_index) - unused;
    return level > 0 ? (uint32_t)level : 0;
}

/* false: no thread has the record, or it is another than a moment ago. */
bool hak_reading_magazines(struct hak_thread *thread, unsigned class_index, struct reading_magazines *out);

/* Values of which at least one changes when any thread allocates or frees a block of a slab, or when bits of a slab
 * change. */
struct hak_reading_moves {
    uint64_t sequences, tops;
    uint64_t outside; /* changes of slabs outside of exchanges: slab/moving.h */
    bool is_settled;  /* no exchange and no such change was under way */
};

/* A pass over all records: the moves so far, to which each record's are added. Whatever was read before the second pass
 * begins, or of a record before it is added, counts as read before. */
struct hak_reading_moves hak_reading_begin(void);

/* Result: whether a thread has the record. */
bool hak_reading_add(struct hak_reading_moves *moves, struct hak_thread *thread, struct reading_classes *classes);

/* Whether no thread allocated or freed between the two passes. */
bool hak_reading_is_quiet(const struct hak_reading_moves *before, const struct hak_reading_moves *after);

/* For the thread that has the record: its tops may be read from now on. */
void hak_reading_allow(struct hak_thread *thread);

/* The same, before its tops end: nobody reads them from now on, and no more. */
void hak_reading_end(struct hak_thread *thread);

#endif
