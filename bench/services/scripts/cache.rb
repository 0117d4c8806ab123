# SPDX-License-Identifier: MIT
# A service of several threads with a cache: cache.rb WORK_SECONDS IDLE_SECONDS ENTRIES. As cache.py, in Ruby.
require "json"

THREADS = 8
LOAD_SHARE = 0.7 # of the working time; the rest is for filling the cache
KEPT_SHARE = 20 # one entry in so many stays when the cache shrinks
WRITTEN = 1024 # latencies that a thread keeps until it writes them

def now_ns
  Process.clock_gettime(Process::CLOCK_MONOTONIC, :nanosecond)
end

def mark(word)
  File.open("marks", "a") { |marks| marks.write("#{word} #{now_ns}\n") }
end

# A text of 200 bytes to 20 KiB, by way of objects and JSON.
def document(generator)
  rows = (0...(1 << generator.rand(1..7))).map do |number|
    { "number" => number, "name" => "n" * generator.rand(5..59), "tags" => [number] * 3 }
  end
  JSON.generate(rows)
end

def serve(cache, entries, end_ns, seed)
  generator = Random.new(seed)
  took = []
  File.open("latencies", "ab") do |latencies|
    while now_ns < end_ns
      began = now_ns
      cache[generator.rand(entries)] = document(generator)
      took << [now_ns - began, 2**32 - 1].min
      next if took.length < WRITTEN

      latencies.syswrite(took.pack("L*"))
      took.clear
    end
    latencies.syswrite(took.pack("L*"))
  end
end

work, idle, entries = Float(ARGV[0]), Float(ARGV[1]), Integer(ARGV[2])
mark("begin")
generator = Random.new(0)
cache = Array.new(entries) { document(generator) }
end_ns = now_ns + (LOAD_SHARE * work * 1e9).to_i
(1..THREADS).map { |seed| Thread.new { serve(cache, entries, end_ns, seed) } }.each(&:join)
entries.times { |key| cache[key] = nil unless (key % KEPT_SHARE).zero? }
GC.start
mark("idle")
sleep(idle)
mark("end")
