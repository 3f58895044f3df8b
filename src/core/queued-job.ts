/** The waiting side of one job: which of its texts are ready to run, and how many are still to come. */
import type { RunOutput } from '../backend/backend.js';
import { type Entry, sortByLength, type TokenizedText } from './packing.js';

export interface QueuedJobOptions {
  /** Runs hold jobs of one kind. Default `pooled`. */
  output?: RunOutput | undefined;
  /** Who asks: clients share the device fairly. Jobs that name none are of one client. */
  client?: string | undefined;
}

/** What waits of several jobs together. The jobs keep it: it is asked for with every request of a rush. */
export interface Waiting {
  /** Inputs, whether their tokens are known yet or not. */
  places: number;
  /** Texts that can run, and their tokens. */
  texts: number;
  tokens: number;
}

/** The waiting side of one job. */
export class QueuedJob {
  /** Inputs that were admitted and are neither in a run nor done, whether their tokens are known yet or not. */
  places: number;
  /** Tokens of the texts in `waiting`. */
  tokens = 0;
  /** Shortest first. */
  readonly waiting: Entry[] = [];
  readonly output: RunOutput;
  readonly client: string;
  #added = 0;
  /** Of all jobs among which this one waits. */
  #sum: Waiting | null = null;

  constructor(total: number, { output = 'pooled', client = '' }: QueuedJobOptions = {}) {
    this.places = total;
    this.output = output;
    this.client = client;
  }

  /** Waits from now on among others, whose sum it is counted in. */
  join(sum: Waiting): void {
    this.#sum = sum;
    this.#count({ places: this.places, texts: this.waiting.length, tokens: this.tokens });
  }

  /** Is counted no more. */
  leave(): void {
    this.#count({ places: -this.places, texts: -this.waiting.length, tokens: -this.tokens });
    this.#sum = null;
  }

  /** Adds the next inputs; their places in the job follow from the order of the calls. */
  add(texts: readonly TokenizedText[]): void {
    let tokens = 0;
    for (const text of texts) {
      const { inputIds, typeIds, skippedTokens = 0 } = text;
      this.waiting.push({ index: this.#added++, inputIds, typeIds, skippedTokens });
      tokens += inputIds.length;
    }
    sortByLength(this.waiting);
    this.tokens += tokens;
    this.#count({ places: 0, texts: texts.length, tokens });
  }

  /** Books out what was moved from `waiting` into a run. */
  took(entries: readonly Entry[]): void {
    const tokens = tokensOf(entries);
    this.places -= entries.length;
    this.tokens -= tokens;
    this.#count({ places: -entries.length, texts: -entries.length, tokens: -tokens });
  }

  #count({ places, texts, tokens }: Waiting): void {
    if (!this.#sum) return;
    this.#sum.places += places;
    this.#sum.texts += texts;
    this.#sum.tokens += tokens;
  }
}

/** Tokens of these texts. */
export function tokensOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
}
