/** The benchmark's page: owns one system at a time and the clock; what is measured is the runner's choice. */
import type { BenchPage, Form, PackedVectors, Setup, Subject, Vectors } from './subject.js';
import { startTransformers } from './transformers.js';
import { startVecinity } from './vecinity.js';

let subject: Subject | null = null;
let timed: Vectors | null = null;

const bench: BenchPage = {
  async start(setup, text) {
    const begin = performance.now();
    subject = await startSubject(setup);
    await subject.embed([text], { batchSize: 1, sorted: false });
    return performance.now() - begin;
  },
  describe: () => current().describe(),
  profile: (texts) => current().profile(texts),
  async embed(texts, form) {
    return pack(await current().embed(texts, form));
  },
  async time(calls, form) {
    const samples: number[] = [];
    for (const texts of calls) samples.push(await timeCall(texts, form));
    return samples;
  },
  takeTimed() {
    if (timed === null) throw new Error('No call was timed in this page.');
    const packed = pack(timed);
    timed = null;
    return packed;
  },
  async stop() {
    await subject?.stop();
    subject = null;
  },
};

function startSubject(setup: Setup): Promise<Subject> {
  return setup.driver === 'transformers' ? startTransformers(setup) : startVecinity(setup);
}

function current(): Subject {
  if (subject === null) throw new Error('No system was started in this page.');
  return subject;
}

async function timeCall(texts: readonly string[], form: Form): Promise<number> {
  const begin = performance.now();
  timed = await current().embed(texts, form);
  return performance.now() - begin;
}

function pack({ values, dimensions }: Vectors): PackedVectors {
  // By the platform itself: strings made piece by piece would count as the system's memory.
  return { base64: new Uint8Array(values.buffer, values.byteOffset, values.byteLength).toBase64(), dimensions };
}

window.bench = bench;
