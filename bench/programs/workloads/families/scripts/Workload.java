import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.zip.CRC32;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

/** Collections, memory outside the heap, compression and threads; prints a line for each part. */
public final class Workload {
    private static final int BLOCK = 1 << 18;

    private static int primes(int limit) {
        BitSet composite = new BitSet(limit);
        int count = 0;
        for (int n = 2; n < limit; n++) {
            if (!composite.get(n)) {
                count++;
                for (long multiple = (long) n * n; multiple < limit; multiple += n) {
                    composite.set((int) multiple);
                }
            }
        }
        return count;
    }

    private static long words(int count) {
        Map<String, Integer> counts = new TreeMap<>();
        long state = 1;
        for (int i = 0; i < count; i++) {
            state = state * 48271 % 2147483647;
            counts.merge("word" + state % 5000, 1, Integer::sum);
        }
        long sum = 0;
        for (Map.Entry<String, Integer> entry : counts.entrySet()) {
            sum = sum * 31 + entry.getKey().hashCode() + entry.getValue();
        }
        return sum;
    }

    /** Direct buffers come from malloc, each deflater and inflater too. */
    private static long direct(int seed) {
        CRC32 sum = new CRC32();
        long state = seed;
        List<ByteBuffer> kept = new ArrayList<>();
        for (int i = 0; i < 400; i++) {
            state = state * 48271 % 2147483647;
            ByteBuffer buffer = ByteBuffer.allocateDirect(1 + (int) (state % 50_000));
            while (buffer.hasRemaining()) {
                buffer.put((byte) state);
            }
            kept.add(buffer);
        }
        for (ByteBuffer buffer : kept) {
            buffer.flip();
            sum.update(buffer);
        }
        return sum.getValue();
    }

    private static boolean deflated(int seed) throws Exception {
        byte[] data = new byte[BLOCK];
        for (int i = 0; i < data.length; i++) {
            data[i] = (byte) (i % (seed + 13) * seed);
        }
        byte[] packed = new byte[BLOCK + 1024];
        byte[] copy = new byte[BLOCK];
        for (int round = 0; round < 20; round++) {
            Deflater deflater = new Deflater(1 + round % 9);
            deflater.setInput(data);
            deflater.finish();
            int length = deflater.deflate(packed);
            deflater.end();
            Inflater inflater = new Inflater();
            inflater.setInput(packed, 0, length);
            int restored = inflater.inflate(copy);
            inflater.end();
            if (restored != data.length || !Arrays.equals(data, copy)) {
                return false;
            }
        }
        return true;
    }

    public static void main(String[] arguments) throws Exception {
        System.out.println("primes " + primes(1_000_000));
        System.out.println("words " + words(600_000));
        ExecutorService threads = Executors.newFixedThreadPool(2);
        List<Callable<String>> tasks = new ArrayList<>();
        for (int seed = 1; seed <= 4; seed++) {
            int own = seed;
            tasks.add(() -> "direct " + direct(own));
            tasks.add(() -> "deflated " + (deflated(own) ? "equal" : "differs"));
        }
        for (Future<String> answer : threads.invokeAll(tasks)) {
            System.out.println(answer.get());
        }
        threads.shutdown();
    }
}
