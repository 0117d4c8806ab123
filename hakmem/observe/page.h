/* SPDX-License-Identifier: MIT */
/* The page that a process publishes: a file in memory that other processes read.
 *
 * It has no name: a descriptor in /proc/PID/fd leads to it, "/memfd:hakmem (deleted)". So it is gone with the process,
 * however that ends, whatever user and root folder the process has by then; and two processes of the same number, in
 * namespaces of their own, never meet.
 *
 *     0   magic        "hakmem" and two NULs
 *     8   layout       PUBLISH_LAYOUT; whoever does not know it stops here
 *     12  pid
 *     16  sequence     odd while the rest is being written; even and unchanged around a reading means that it is whole
 *     24  clock_ms     CLOCK_MONOTONIC, of the writing
 *     32  period_ms    between two writings
 *     40  length       bytes of text
 *     48  text         statistics as JSON, described by hakmem/observe/stats.schema.json; up to the last words of the page
 *     -40 profile      what the profile is: PUBLISH_PROFILE_.., and its rate above that; 0: of an older library
 *     -32 refused      0, or the errno value for which the last switch was refused
 *     -24 switched     the last `wanted` that was dealt with; the two before it say what came of it
 *     -16 wanted       by a tool: a word that was not there before switches the profile; 0: nothing was wanted yet
 *     -8  asked        by a tool: a number that was not there before asks for a look at which blocks are lost
 *
 * All numbers in the machine's order. One process writes all but the last two, any number read, nobody waits: a seqlock. A reader
 * compares `pid` with the process's number in its own namespace: the child of a raw clone still has its parent's file.
 *
 * Who may write is who may open the file: it belongs to the user that the process had when it made it, who alone may read and
 * write it, and /proc/PID/fd leads there only for whoever may look into the process. All the same the process believes nothing
 * that it finds in the last two words: each is one number, of which every value means something harmless, and is acted upon once
 * a period at most. What it has answered it remembers elsewhere. */
#ifndef HAKMEM_OBSERVE_PAGE_H
#define HAKMEM_OBSERVE_PAGE_H

#include "hakmem/base/atomic.h"

#define PUBLISH_MAGIC "hakmem\0"
#define PUBLISH_LAYOUT 1u
#define PUBLISH_LABEL "hakmem"

/* Enough for all classes and STATS_THREADS_MAX threads with every number at its largest; publish.c has the sum. */
#define PUBLISH_PAGE_BYTES ((size_t)128 * 1024)
#define PUBLISH_TEXT_WORDS (PUBLISH_PAGE_BYTES / sizeof(uint64_t) - 11)
#define PUBLISH_TEXT_BYTES (PUBLISH_TEXT_WORDS * sizeof(uint64_t))

/* What `profile` says in its lowest bits, below the rate. */
#define PUBLISH_PROFILE_OFF 1u
#define PUBLISH_PROFILE_ON 2u
#define PUBLISH_PROFILE_NONE 3u /* a build that has none */
#define PUBLISH_PROFILE_SHIFT 2

/* `wanted`: the rate to go on with, 0 to switch off, and above it a number that makes the word another. */
#define PUBLISH_WANTED_RATE_BITS 41
#define PUBLISH_WANTED_RATE_MASK (((uint64_t)1 << PUBLISH_WANTED_RATE_BITS) - 1)

struct publish_page {
    char magic[8]; /* constant after the file is made, as the next two */
    uint32_t layout;
    uint32_t pid;
    uint64_t sequence; /* atomic */
    uint64_t clock_ms; /* atomic, as all that follow */
    uint64_t period_ms;
    uint64_t length;
    uint64_t text[PUBLISH_TEXT_WORDS];
    uint64_t profile;
    uint64_t refused;
    uint64_t switched;
    uint64_t wanted; /* atomic: written by tools, as is the next */
    uint64_t asked;
};

HAK_STATIC_ASSERT(sizeof(struct publish_page) == PUBLISH_PAGE_BYTES, "no padding");
HAK_STATIC_ASSERT(offsetof(struct publish_page, text) == 48, "as the tool knows it");

/* By the one writer. pre: length <= PUBLISH_TEXT_BYTES; text is padded to whole words */
static inline void publish_write(struct publish_page *page, uint64_t clock_ms, uint64_t period_ms, const uint64_t *text,
                                 size_t length) {
    const uint64_t sequence = hak_load_relaxed(&page->sequence);
    /* Relaxed: all that follows is stored with release, hence after it. */
    hak_store_relaxed(&page->sequence, sequence + 1);
    /* Release, here and below: pairs with the acquire loads of readers, who see the odd sequence if they see any of
     * these. */
    hak_store_release(&page->clock_ms, clock_ms);
    hak_store_release(&page->period_ms, period_ms);
    hak_store_release(&page->length, (uint64_t)length);
    for (size_t word = 0; word < (length + 7) / 8; word++) {
        hak_store_release(&page->text[word], text[word]);
    }
    hak_store_release(&page->sequence, sequence + 2);
}

/* By any reader: one attempt, into PUBLISH_TEXT_BYTES. false: it was being written, or nothing was written yet. */
static inline bool publish_read(const struct publish_page *page, uint64_t *text, size_t *length) {
    /* Acquire, all: each pairs with the writer's release stores; the second look at the sequence comes last. */
    const uint64_t sequence = hak_load_acquire(&page->sequence);
    if (sequence == 0 || sequence % 2 != 0) {
        return false;
    }
    const uint64_t found = hak_load_acquire(&page->length);
    if (found > PUBLISH_TEXT_BYTES) {
        return false;
    }
    for (size_t word = 0; word < (found + 7) / 8; word++) {
        text[word] = hak_load_acquire(&page->text[word]);
    }
    *length = (size_t)found;
    return hak_load_relaxed(&page->sequence) == sequence;
}

#endif
