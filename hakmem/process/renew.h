/* SPDX-License-Identifier: MIT */
/* In the child of a fork, full guard builds: other secrets of the canaries, where a process of the family found a changed one.
 *
 * Otherwise a server that forks for each connection tells a canary byte by byte: who overflows a block by one byte learns
 * from the child's death whether the byte was wrong. With secrets of its own each child has another canary, and n
 * bytes are right once in 128^n children. It begins with the first changed canary, which no program without a fault has, and
 * not with the first fork, because it looks at every live block and copies the pages that they end in: a million blocks
 * of 64 bytes take the child 0.12 s.
 *
 * A child that fork's handlers do not know of, made by clone or vfork, keeps its parent's secrets, and so does one that was
 * forked in a signal handler while the allocator was interrupted. */
#ifndef HAKMEM_PROCESS_RENEW_H
#define HAKMEM_PROCESS_RENEW_H

/* pre: the process has one thread, which holds no lock and is in no exchange */
void hak_renew_canaries(void);

#endif
