/* SPDX-License-Identifier: MIT */
/* What is written when the program ends: HAKMEM_STATS, HAKMEM_LEAKS, HAKMEM_PROFILE. */
#ifndef HAKMEM_OBSERVE_END_H
#define HAKMEM_OBSERVE_END_H

/* Notes where standard error leads to, and keeps a copy where that is to be written to: many programs close it before they
 * end. Called once, by the constructor, when the options have been read. */
void hak_observe_end_init(void);

/* Writes what the options ask for. Called once by a process that ends by exit, when the destructors have run: process/end.c. */
void hak_observe_end(void);

#endif
