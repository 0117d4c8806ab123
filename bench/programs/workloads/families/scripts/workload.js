// JSON, Buffers, compression, and worker threads that get and give Buffers; prints a line for each part.
'use strict';

const { createHash } = require('crypto');
const zlib = require('zlib');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

function checksum(data) {
    return createHash('sha256').update(data).digest('hex');
}

function filled(bytes) {
    const buffer = Buffer.alloc(bytes);
    for (let i = 0; i < bytes; i++) {
        buffer[i] = i * 31 + 7;
    }
    return buffer;
}

// Many buffers of all sizes, a random one of 512 replaced; the generator is the same in every version.
function churn(seed, count) {
    let state = seed;
    const kept = new Array(512);
    let sum = 0;
    for (let i = 0; i < count; i++) {
        state = (state * 48271) % 2147483647;
        const place = state % kept.length;
        if (kept[place]) {
            sum = (sum + kept[place][kept[place].length - 1]) % 1000003;
        }
        kept[place] = Buffer.allocUnsafeSlow(1 + state % 20000).fill(state & 255);
    }
    return sum;
}

async function main(workers, bytes) {
    const documents = [];
    for (let i = 0; i < 20000; i++) {
        const list = [i, i * 2, String(i)];
        documents.push({ id: i, name: 'name'.repeat(i % 17), list, nested: { odd: i % 2 === 1 } });
    }
    const text = JSON.stringify(documents);
    console.log(`json ${JSON.stringify(JSON.parse(text)) === text ? 'equal' : 'differs'}`);

    const buffer = filled(bytes);
    console.log(`buffer ${checksum(buffer)}`);

    const packed = zlib.gzipSync(text);
    console.log(`zlib ${zlib.gunzipSync(packed).toString() === text ? 'equal' : 'differs'}`);
    console.log(`churn ${churn(1, 60000)}`);

    const answers = await Promise.all(Array.from({ length: workers }, (_, number) => new Promise((resolve, reject) => {
        const part = buffer.subarray(0, bytes >> (number + 1));
        const worker = new Worker(__filename, { workerData: { number, part, text } });
        worker.on('message', resolve);
        worker.on('error', reject);
    })));
    for (const answer of answers) {
        console.log(`worker ${answer.number} ${answer.churn} ${answer.checksum} ${checksum(answer.packed)}`);
    }
}

if (isMainThread) {
    main(Number(process.argv[2]), Number(process.argv[3]));
} else {
    const { number, part, text } = workerData;
    const packed = zlib.deflateSync(text, { level: 1 + number });
    parentPort.postMessage({ number, packed, checksum: checksum(part), churn: churn(2 + number, 30000) });
}
