/* Words that one thread writes and others read, where stores become visible in any order: what arm64 may do, and x86-64 does not.
 *
 * A store waits in `pending` until it is visible. Two to one word are seen in their order, so that the second waits for the first.
 * `drain` is what a release means to the writer: it goes on once all is visible that it stored before. For a writer that reads
 * nothing of what others write, waiting tells no more than the order does. */

short visible[WORDS];
short stored[WORDS];
bool pending[WORDS];

inline store(word, value) {
    atomic { !pending[word] -> stored[word] = value; pending[word] = true }
}

#define IS_DRAINED (!pending[0] && !pending[1] && !pending[2] && !pending[3] && !pending[4])

inline drain() { IS_DRAINED }

bool writer_ended;

/* Makes visible what is stored, in any order and at any time. */
#define show(word) atomic { pending[word] -> visible[word] = stored[word]; stored[word] = 0; pending[word] = false }

active proctype memory() {
    do
    :: show(0)
    :: show(1)
    :: show(2)
    :: show(3)
    :: show(4)
    :: atomic { writer_ended && IS_DRAINED -> break }
    od
}
