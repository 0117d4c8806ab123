/* SPDX-License-Identifier: MIT */
/* What the threads learned of each class, in the text and JSON of the statistics. Only with `learn=elo`; in the product nothing of it
 * is there. Reads the records of all threads as they are at the moment, of ended ones until another thread has the record. */
#ifndef HAKMEM_OBSERVE_LEARNED_H
#define HAKMEM_OBSERVE_LEARNED_H

#include "hakmem/base/text.h"
#include "hakmem/ladder/learn.h"

/* Members of a class's object: who is chosen, its rating, the matches. Nothing where there was no match. */
void hak_learned_write_json_class(struct hak_text *sink, unsigned class_index);

/* A member of the whole object: what all exchanges cost. */
void hak_learned_write_json_sum(struct hak_text *sink);

/* A table, and a line of the sum. */
void hak_learned_write_text(struct hak_text *sink);

HAK_ALWAYS_INLINE void learned_write_json_class(struct hak_text *sink, unsigned class_index) {
    if (LADDER_LEARNS) {
        hak_learned_write_json_class(sink, class_index);
    }
}

HAK_ALWAYS_INLINE void learned_write_json_sum(struct hak_text *sink) {
    if (LADDER_LEARNS) {
        hak_learned_write_json_sum(sink);
    }
}

HAK_ALWAYS_INLINE void learned_write_text(struct hak_text *sink) {
    if (LADDER_LEARNS) {
        hak_learned_write_text(sink);
    }
}

#endif
