/** `vecinity embed`: vectors of texts. */
import type { EmbedRequest } from '../core/engine.js';
import { describeFlags, type Flag, readArguments } from './flags.js';
import { outputFlags, type Result, toOutput, writeResult } from './output.js';
import { createProgress } from './progress.js';
import type { Terminal } from './terminal.js';
import { readTexts } from './texts.js';
import { type Loaded, modelFlags, withModel } from './with-model.js';

/** Flags of every command that makes vectors of texts. */
export const textFlags = {
  file: { value: 'FILE', help: 'texts, one a line; - is the standard input' },
  'prompt-name': { value: 'NAME', help: "the model's prompt to put before each text (default: the model's default)" },
  prompt: { value: 'TEXT', help: 'text to put before each text; wins over --prompt-name' },
  dimensions: { value: 'N', help: "width to cut the vectors to (default: the model's)" },
  'no-truncate': { value: null, help: 'fail on a text that is too long instead of cutting it' },
} as const satisfies Record<string, Flag>;

const flags = { ...textFlags, ...outputFlags, ...modelFlags };

export const embedUsage = `Usage: vecinity embed [TEXT...] [options]

Prints the vector of each text; without a text and without --file it reads lines from its input.

${describeFlags(flags)}`;

/** Texts of one request: small enough that the bar moves and Ctrl-C is heard, large enough to fill a batch. */
const textsPerRequest = 512;
const shownValues = 4;

/** Runs the command. Throws `invalid_request` for a wrong command line, and what the model fails with. */
export async function embed(args: readonly string[], terminal: Terminal): Promise<void> {
  const given = readArguments(flags, args, { environment: terminal.environment, positionals: true });
  const output = toOutput(given, terminal);
  const choice = toChoice(given);
  const texts = await readTexts({ given: given.positionals, file: given.text('file') }, terminal);
  await withModel(given, terminal, async (loaded) => {
    const embedded = await embedAll(loaded, { texts, choice }, terminal);
    await writeResult(toResult(embedded, texts), output, terminal);
  });
}

export type Choice = Pick<EmbedRequest, 'promptName' | 'prompt' | 'dimensions' | 'truncate'>;

/** What the flags say of each request. Throws `invalid_request`. */
export function toChoice(given: ReturnType<typeof readArguments<keyof typeof textFlags>>): Choice {
  return {
    promptName: given.text('prompt-name') ?? null,
    prompt: given.text('prompt') ?? null,
    dimensions: given.integer('dimensions', { least: 1 }) ?? null,
    truncate: !given.has('no-truncate'),
  };
}

export interface Embedded {
  model: string;
  /** `[count, dimensions]` */
  values: Float32Array;
  dimensions: number;
  promptTokens: number;
  truncated: number;
}

/** Embeds texts in requests of a fair size, with progress on a terminal. */
export async function embedAll(
  { engine, status }: Loaded,
  { texts, choice }: { texts: readonly string[]; choice: Choice },
  terminal: Terminal,
): Promise<Embedded> {
  const progress = createProgress(terminal, (done, total) => `${done} of ${total} texts`);
  const all = { model: status.id, values: new Float32Array(0), dimensions: 0, promptTokens: 0, truncated: 0 };
  try {
    for (let start = 0; start < texts.length; start += textsPerRequest) {
      const { signal } = terminal;
      const onProgress = ({ done }: { done: number }) => progress.show('embed', start + done, texts.length);
      const inputs = texts.slice(start, start + textsPerRequest);
      const rest = { normalize: null, truncateSide: 'right', maxTokens: null } as const;
      const { dimensions, embeddings, usage, truncated } = await engine.embed({
        ...{ model: status.id, inputs, signal, onProgress },
        ...choice,
        ...rest,
      });
      if (start === 0) Object.assign(all, { dimensions, values: new Float32Array(texts.length * dimensions) });
      all.values.set(embeddings, start * dimensions);
      all.promptTokens += usage.promptTokens;
      all.truncated += truncated;
    }
  } finally {
    progress.clear();
  }
  return all;
}

function toResult({ model, values, dimensions, promptTokens, truncated }: Embedded, texts: readonly string[]): Result {
  const vector = (index: number) => values.subarray(index * dimensions, (index + 1) * dimensions);
  return {
    head: { model, dimensions, usage: { promptTokens }, truncated },
    rowsName: 'embeddings',
    count: texts.length,
    row: (index) => ({ index, text: texts[index], embedding: Array.from(vector(index)) }),
    columns: ['index', 'text', `embedding (${dimensions})`],
    cells: (index) => [String(index), texts[index] ?? '', `${preview(vector(index))}`],
    values,
    shape: [texts.length, dimensions],
  };
}

function preview(vector: Float32Array): string {
  const first = Array.from(vector.subarray(0, shownValues), (value) => value.toFixed(4)).join(' ');
  return vector.length > shownValues ? `${first} …` : first;
}
