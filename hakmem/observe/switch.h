/* SPDX-License-Identifier: MIT */
/* The profile switched from outside: a tool writes what it wants into the published page (page.h), and the publishing thread
 * does it at its next publication, by what the program itself could call. There is no other way in: no signal, no socket, no
 * thread, and a process that publishes nothing cannot be switched.
 *
 * The unwinder that samples need is part of what was loaded with the program, so that nothing is loaded for it. */
#ifndef HAKMEM_OBSERVE_SWITCH_H
#define HAKMEM_OBSERVE_SWITCH_H

#include "hakmem/observe/page.h"

/* For a page that was just made: nothing was wanted yet. */
void hak_switch_begin(struct publish_page *page);

/* Does what is wanted, if that is new, and writes down what the profile is. By the publishing thread, which holds no lock. */
void hak_switch_answer(struct publish_page *page);

#endif
