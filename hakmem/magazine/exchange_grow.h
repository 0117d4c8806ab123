/* SPDX-License-Identifier: MIT */
/* Room for a class that its thread exchanges often; by the owning thread, within an exchange. */
#ifndef HAKMEM_MAGAZINE_EXCHANGE_GROW_H
#define HAKMEM_MAGAZINE_EXCHANGE_GROW_H

#include "hakmem/magazine/thread.h"

/* Notes an exchange of the class. Result: it is one of those that the thread exchanges most; it has more room then, and
 * is to get more blocks. What is rarely exchanged stays small, however many classes there are. */
bool hak_exchange_note_turn(struct hak_thread *thread, unsigned class_index);

/* Moves slots of a magazine down, into which hak_walk may look meanwhile. */
void hak_exchange_move_slots(void **to, void *const *from, uint32_t count);

#endif
