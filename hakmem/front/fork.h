/* fork in a program with several threads. */
#ifndef HAKMEM_FRONT_FORK_H
#define HAKMEM_FRONT_FORK_H

/* Registers the handlers, once. Where there is no memory for them, a fork is as if there were none: right as long as
 * no other thread is inside the allocator. */
void fork_init(void);

#endif
