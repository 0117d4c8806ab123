/* Words that several threads write, where the stores of each become visible in any order: weak_memory.pml for more than one writer.
 *
 * A store waits in its thread's buffer until it is visible to the others; two of a thread to one word are seen in their order. A
 * thread sees its own at once. `drain` is a release, and the end of a lock's hold: the thread goes on once all that it stored is
 * visible. What reads and writes in one operation does so on what is visible, once its own store to the word is. */

short visible[WORDS];
short stored[WRITERS * WORDS];
bool pending[WRITERS * WORDS];

#define AT(word) (me * WORDS + (word))

inline store(word, value) { atomic { !pending[AT(word)] -> stored[AT(word)] = value; pending[AT(word)] = true } }

#define LOOK(word) (pending[AT(word)] -> stored[AT(word)] : visible[word])

#define IS_DRAINED_3(w) (!pending[w] && !pending[(w) + 1] && !pending[(w) + 2])
#if WORDS == 3
#define IS_DRAINED(w) IS_DRAINED_3(w)
#else /* 7 */
#define IS_DRAINED(w) (IS_DRAINED_3(w) && IS_DRAINED_3((w) + 3) && !pending[(w) + 6])
#endif

inline drain() { IS_DRAINED(me * WORDS) }

byte writers_ended;

#define show(place) \
    atomic { pending[place] -> visible[(place) % WORDS] = stored[place]; stored[place] = 0; pending[place] = false }

active proctype memory() {
    do
    :: show(0)
    :: show(1)
    :: show(2)
    :: show(3)
    :: show(4)
    :: show(5)
#if WORDS == 7
    /* The last is of the first thread alone. */
    :: show(6)
    :: show(7)
    :: show(8)
    :: show(9)
    :: show(10)
    :: show(11)
    :: show(12)
#endif
    :: atomic { writers_ended == WRITERS && IS_DRAINED(0) && IS_DRAINED(WORDS) -> break }
    od
}
