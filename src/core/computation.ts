/**
 * The inputs of one request from text to values: they are tokenized in turns while the first of them already run. Knows
 * nothing of what the values mean.
 */
import type { RunOutput } from '../backend/backend.js';
import { toVecinityError } from '../errors.js';
import type { Batcher, OpenJob } from './batcher.js';
import type { RequestOptions, Timing, Usage } from './engine.js';
import { requireFewer } from './request-limits.js';
import type { Encoding } from './tokenizer.js';
import { inTurns } from './turns.js';

/** What a job of encodings gave. */
export interface Computed {
  /** `[count, width]`, or a row a token. */
  values: Float32Array<ArrayBuffer>;
  usage: Usage;
  truncated: number;
  timing: Timing;
}

export interface ComputeRequest extends RequestOptions {
  count: number;
  /** The tokens of one input; what it throws ends the request. */
  encode: (index: number) => Encoding;
  /** Default: one row an input. */
  output?: RunOutput;
  maxTotalTokens?: number | null | undefined;
}

interface Runner {
  batcher: Batcher;
  now: () => number;
}

interface Tally {
  promptTokens: number;
  truncated: number;
  tokenizeMs: number;
}

/** Tokenizes and runs at the same time; the batcher sorts what has arrived and starts with it. */
export async function compute(request: ComputeRequest, { batcher, now }: Runner): Promise<Computed> {
  const startedAt = now();
  const { count, signal, client, onProgress, output } = request;
  const job = batcher.open(count, { signal, client, onProgress, output });
  const tally: Tally = { promptTokens: 0, truncated: 0, tokenizeMs: 0 };
  try {
    await feed(job, request, { tally, now });
  } catch (thrown) {
    job.fail(toVecinityError(thrown));
  }
  const { values, queueMs, inferenceMs } = await job.result;
  const { promptTokens, truncated, tokenizeMs } = tally;
  const timing = { tokenizeMs, queueMs, inferenceMs, totalMs: now() - startedAt };
  return { values, usage: { promptTokens }, truncated, timing };
}

async function feed(
  job: OpenJob,
  { count, encode, maxTotalTokens }: ComputeRequest,
  { tally, now }: { tally: Tally; now: () => number },
): Promise<void> {
  const takeTurn = (from: number, mayGoOn: () => boolean): number => {
    const turnStart = now();
    const encodings: Encoding[] = [];
    do encodings.push(encode(from + encodings.length));
    while (from + encodings.length < count && mayGoOn());
    for (const { inputIds, truncated } of encodings) {
      tally.promptTokens += inputIds.length;
      tally.truncated += Number(truncated);
    }
    tally.tokenizeMs += now() - turnStart;
    requireFewer(tally.promptTokens, maxTotalTokens);
    job.add(encodings);
    return from + encodings.length;
  };
  await inTurns(takeTurn, { count, now, stopped: () => job.ended });
}
