/* Two threads that each store to their own word and then read the other's, where a store becomes visible later than the loads that
 * follow it: arm64 and x86-64 both do that. One of the two must see the other's store. There are four such pairs in
 * process/own_thread.c, region/decay.c and region/region_grow.c:
 *
 *     own_begin                    name = valid         then reads own_users
 *     hak_own_thread_user_ended    own_users - 1        then reads name           a thread of ours outlives no user
 *
 *     hak_own_thread_leave         runs = 0             then reads whether a purge is due
 *     hak_decay_note_freed         due = a time         then reads runs           what was freed is purged by somebody
 *
 *     own_end                      name = none          then reads whether a purge is due
 *     hak_decay_note_freed         due = a time         then reads name           so is what was left to a thread that was ended
 *
 *     region_advise_locked         waits = true         then reads whether a purge is due earlier
 *     hak_decay_take               due = 0              then reads waits          a region that waits is looked for
 *
 * In all the stores are sequentially consistent read-modify-writes, and the loads sequentially consistent: a store is
 * visible before the load that follows is done. A store buffer with one entry a thread is all that matters here.
 *
 * MUTANT_FIRST_RELAXED and MUTANT_SECOND_RELAXED leave the store of one side in its buffer; each must be found. */

bool visible[2], buffered[2], saw[2];
byte ended;

#define show(side) atomic { buffered[side] -> buffered[side] = false; visible[side] = true }

active proctype memory() {
    do
    :: show(0)
    :: show(1)
    :: ended == 2 && !buffered[0] && !buffered[1] -> break
    od
}

active proctype first() {
    buffered[0] = true;
#ifndef MUTANT_FIRST_RELAXED
    !buffered[0]; /* hak_exchange_seq_cst */
#endif
    saw[0] = visible[1]; /* hak_load_seq_cst */
    ended++
}

active proctype second() {
    buffered[1] = true;
#ifndef MUTANT_SECOND_RELAXED
    !buffered[1]; /* hak_fetch_add_seq_cst, hak_compare_exchange_seq_cst, hak_exchange_seq_cst */
#endif
    saw[1] = visible[0]; /* hak_load_seq_cst */
    ended++
}

/* Named as in the other models: the test looks for the proctype that reads. */
active proctype reader() {
    ended == 2;
    assert(saw[0] || saw[1])
}
