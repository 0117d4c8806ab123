/* SPDX-License-Identifier: MIT */
/* HAKMEM_STATS: the statistics, written when the program ends. */
#ifndef HAKMEM_STATS_AT_EXIT_H
#define HAKMEM_STATS_AT_EXIT_H

/* Keeps a copy of standard error where that is to be written to: many programs close it before they end. Called once, by
 * the constructor, when the options have been read. */
void hak_stats_at_exit_init(void);

#endif
