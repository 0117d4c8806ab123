/* The sequence lock of the page that a process publishes: observe/page.h, on a machine that shows stores and does relaxed loads
 * in any order.
 *
 * A length and two words of text are written again and again, each time with a number of their own; what a reader accepts is of one writing.
 * Each MUTANT_... leaves out one order that the C code asks for, or the second look. */

#define WORDS 5
#define SEQUENCE 0
#define CLOCK 1
#define LENGTH 2
#define FIRST 3 /* words of the text */
#define SECOND 4

#include "weak_memory.pml"

#ifndef ROUNDS
#define ROUNDS 3
#endif

inline store_guarded(word, value) {
#ifndef MUTANT_STORES_RELAXED
    drain(); /* hak_store_release */
#endif
    store(word, value)
}

active proctype writer() { /* publish_write */
    byte writing = 1;
    do
    :: writing <= ROUNDS ->
        store(SEQUENCE, 2 * writing - 1); /* hak_store_relaxed(&page->sequence) */
        store_guarded(CLOCK, writing);
        store_guarded(LENGTH, writing);
        store_guarded(FIRST, writing);
        store_guarded(SECOND, writing);
#ifndef MUTANT_END_RELAXED
        drain(); /* hak_store_release(&page->sequence) */
#endif
        store(SEQUENCE, 2 * writing);
        writing++
    :: else -> break
    od;
    writer_ended = true
}

active proctype reader() { /* publish_read */
    short sequence, again, length, first, second;
    visible[SEQUENCE] != 0;
    sequence = visible[SEQUENCE]; /* hak_load_acquire */
    if
    :: sequence % 2 == 0 ->
        length = visible[LENGTH]; /* hak_load_acquire(&page->length) */
        first = visible[FIRST]; /* hak_load_acquire(&page->text[word]) */
#ifdef MUTANT_LOADS_RELAXED
        again = visible[SEQUENCE];
        second = visible[SECOND];
#else
        second = visible[SECOND];
        again = visible[SEQUENCE]; /* hak_load_relaxed(&page->sequence), behind acquires */
#endif
#ifdef MUTANT_NO_SECOND_LOOK
        again = sequence;
#endif
        assert(again != sequence || (first == second && first == length && 2 * first == sequence))
    :: else
    fi
}
