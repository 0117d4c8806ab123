/* SPDX-License-Identifier: MIT */
/* Blocks into the loaded magazine; by the owning thread. */
#ifndef HAKMEM_MAGAZINE_EXCHANGE_LOAD_H
#define HAKMEM_MAGAZINE_EXCHANGE_LOAD_H

#include "hakmem/magazine/thread.h"

/* Bytes of the first blocks that a thread loads of a class: one page, which is the least that is touched anyhow. */
#define EXCHANGE_FIRST_BYTES 4096u

/* An exchange: gets blocks into the loaded magazine, which is empty, out of the returned one, the stash or a slab. false: no
 * memory, nothing changed */
bool hak_exchange_load(struct hak_thread *thread, unsigned class_index);

/* Within an exchange: loaded and returned magazine change places, and no slab is touched. pre: the loaded one is empty */
void hak_exchange_swap(struct hak_thread *thread, unsigned class_index);

#endif
