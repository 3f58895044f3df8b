/**
 * `npm run bench -- handler`: what the API costs without inference: time per request, and how long the event loop is
 * held while 2,048 vectors are written. The engine answers at once with vectors that are there already.
 */
import { createHandler } from '../src/api/handler.js';
import type { EmbedRequest, EmbedResult } from '../src/core/engine.js';
import { FakeEngine } from '../test/unit/api-engine.js';
import { median, percentile } from './statistics.js';

/** What a server has to keep. */
const limits = { requestMs: 0.3, holdMs: 50 };

const dimensions = 384;
const inputs = 2048;
const requests = 5_000;
const bigRequests = 10;

class InstantEngine extends FakeEngine {
  readonly #vectors = Float32Array.from({ length: inputs * dimensions }, (_, at) => Math.sin(at) / 20);

  override async embed(request: EmbedRequest): Promise<EmbedResult> {
    const count = request.inputs.length;
    return {
      model: request.model ?? 'default',
      embeddings: this.#vectors.slice(0, count * dimensions),
      count,
      dimensions,
      usage: { promptTokens: count },
      truncated: 0,
      timing: { tokenizeMs: 0, queueMs: 0, inferenceMs: 0, totalMs: 0 },
    };
  }
}

/** Measures, prints, and returns 1 when a limit is broken. */
export async function main(): Promise<number> {
  const handler = createHandler({ engine: new InstantEngine() });
  const embed = (body: string) => () => answer(handler, body);
  const small = embed(JSON.stringify({ input: 'The food was delicious.', encoding_format: 'base64' }));
  await timesOf(small, requests / 5);
  const requestMs = await timesOf(small, requests);
  console.log(`request without inference: median ${ms(median(requestMs))}, p95 ${ms(percentile(requestMs, 0.95))}`);
  const texts = Array.from({ length: inputs }, (_, at) => `text ${at}`);
  const holds: number[] = [];
  for (const encoding of ['float', 'base64']) {
    const big = embed(JSON.stringify({ input: texts, encoding_format: encoding }));
    const held = await longestHolds(big, bigRequests);
    console.log(`${inputs} vectors as ${encoding}: event loop held ${ms(Math.max(...held))} at most`);
    holds.push(...held);
  }
  const isKept = median(requestMs) < limits.requestMs && Math.max(...holds) < limits.holdMs;
  if (!isKept) console.error(`The limits are ${ms(limits.requestMs)} a request and ${ms(limits.holdMs)} of holding.`);
  return isKept ? 0 : 1;
}

async function answer(handler: (request: Request) => Promise<Response>, body: string): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const response = await handler(new Request('http://localhost/v1/embeddings', { method: 'POST', headers, body }));
  if (!response.ok) throw new Error(`The handler answered ${response.status}: ${await response.text()}`);
  await response.arrayBuffer();
}

async function timesOf(work: () => Promise<void>, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return times;
}

/** For each run the longest time in ms between two turns of the event loop. */
async function longestHolds(work: () => Promise<void>, count: number): Promise<number[]> {
  const holds: number[] = [];
  for (let index = 0; index < count; index += 1) {
    let longest = 0;
    let last = performance.now();
    let timer: NodeJS.Immediate = setImmediate(function tick() {
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
      timer = setImmediate(tick);
    });
    await work();
    clearImmediate(timer);
    holds.push(Math.max(longest, performance.now() - last));
  }
  return holds;
}

function ms(value: number): string {
  return `${value.toFixed(3)} ms`;
}
