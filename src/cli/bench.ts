/** `vecinity bench`: how fast one model is on this machine, in a few seconds. */
import { calibrationTexts } from '../convert/calibration-texts.js';
import type { EmbedRequest } from '../core/engine.js';
import { abortError } from '../errors.js';
import { describeFlags, type Flag, readArguments, usageError } from './flags.js';
import { outputFlags, type Result, toOutput, writeResult } from './output.js';
import { createProgress } from './progress.js';
import type { Terminal } from './terminal.js';
import { readTexts } from './texts.js';
import { type Loaded, modelFlags, withModel } from './with-model.js';

const flags = {
  file: { value: 'FILE', help: 'texts to measure with, one a line (default: built-in texts)' },
  seconds: { value: 'N', help: 'length of each of the two measurements (default: 5)' },
  ...outputFlags,
  ...modelFlags,
} as const satisfies Record<string, Flag>;

export const benchUsage = `Usage: vecinity bench [options]

Measures an embedding model: texts per second in requests of 32, then the time of single texts one after another.

${describeFlags(flags)}`;

const textsPerRequest = 32;
const usualSeconds = 5;
/** Not measured: the first runs are of code that the host has not optimised yet. */
const warmUpRequests = 2;

/** Runs the command. Throws `invalid_request`, and what the model fails with. */
export async function bench(args: readonly string[], terminal: Terminal): Promise<void> {
  const given = readArguments(flags, args, { environment: terminal.environment, positionals: true });
  if (given.positionals.length > 0) throw usageError('`bench` takes no arguments; name texts with --file.');
  const output = toOutput(given, terminal);
  const durationMs = 1000 * (given.integer('seconds', { least: 1, most: 3600 }) ?? usualSeconds);
  const file = given.text('file');
  const texts = file === undefined ? calibrationTexts : await readTexts({ given: [], file }, terminal);
  const startedAt = performance.now();
  await withModel(given, terminal, async (loaded) => {
    const loadMs = performance.now() - startedAt;
    const run = { loaded, texts, durationMs, terminal };
    const bulk = await measure(run, textsPerRequest);
    const single = await measure(run, 1);
    await writeResult(toResult(loaded, { loadMs, bulk, single }), output, terminal);
  });
}

interface Run {
  loaded: Loaded;
  texts: readonly string[];
  durationMs: number;
  terminal: Terminal;
}

interface Measured {
  textsPerSecond: number;
  tokensPerSecond: number;
  /** Of each request, ascending. */
  timesMs: number[];
}

/** One request after another; at least one, however short the time. */
async function measure(run: Run, count: number): Promise<Measured> {
  const { durationMs, terminal } = run;
  const progress = createProgress(terminal, (done, total) => `${done.toFixed(0)} of ${total} ms`);
  const label = count === 1 ? 'single texts' : `requests of ${count}`;
  for (let request = 0; request < warmUpRequests; request++) await embedSome(run, { count, request });
  const timesMs: number[] = [];
  let tokens = 0;
  const startedAt = performance.now();
  let elapsedMs = 0;
  while (elapsedMs < durationMs) {
    if (terminal.signal.aborted) throw abortError(terminal.signal);
    const requestAt = performance.now();
    tokens += await embedSome(run, { count, request: timesMs.length });
    timesMs.push(performance.now() - requestAt);
    elapsedMs = performance.now() - startedAt;
    progress.show(label, elapsedMs, durationMs);
  }
  progress.clear();
  const perSecond = 1000 / elapsedMs;
  timesMs.sort((a, b) => a - b);
  return { textsPerSecond: timesMs.length * count * perSecond, tokensPerSecond: tokens * perSecond, timesMs };
}

/** The next texts in a circle; returns the tokens that were embedded. */
async function embedSome(
  { loaded, texts, terminal }: Run,
  { count, request }: { count: number; request: number },
): Promise<number> {
  const inputs = Array.from({ length: count }, (_, i) => texts[(request * count + i) % texts.length] ?? '');
  const usual = { promptName: null, prompt: null, dimensions: null, normalize: null, maxTokens: null };
  const rest = { ...usual, truncate: true, truncateSide: 'right' } satisfies Partial<EmbedRequest>;
  const { usage } = await loaded.engine.embed({ model: loaded.status.id, inputs, signal: terminal.signal, ...rest });
  return usage.promptTokens;
}

/** The smallest value that so large a share of all does not exceed; of ascending values. */
export function percentile(ascending: readonly number[], share: number): number {
  return ascending[Math.max(0, Math.ceil(ascending.length * share) - 1)] ?? Number.NaN;
}

interface Figures {
  loadMs: number;
  bulk: Measured;
  single: Measured;
}

function toResult({ status: { id, backend } }: Loaded, { loadMs, bulk, single }: Figures): Result {
  const figures = [
    { measure: 'load', value: loadMs, unit: 'ms' },
    { measure: 'throughput', value: bulk.textsPerSecond, unit: 'texts/s' },
    { measure: 'tokens', value: bulk.tokensPerSecond, unit: 'tokens/s' },
    { measure: 'query p50', value: percentile(single.timesMs, 0.5), unit: 'ms' },
    { measure: 'query p95', value: percentile(single.timesMs, 0.95), unit: 'ms' },
  ];
  return {
    head: { model: id, backend },
    rowsName: 'measurements',
    count: figures.length,
    row: (index) => ({ ...figures[index] }),
    columns: ['measure', 'value', 'unit'],
    cells: (index) => [
      figures[index]?.measure ?? '',
      figures[index]?.value.toFixed(1) ?? '',
      figures[index]?.unit ?? '',
    ],
    values: Float32Array.from(figures, ({ value }) => value),
    shape: [figures.length],
  };
}
