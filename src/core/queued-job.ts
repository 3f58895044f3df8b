/** The waiting side of one job: which of its texts are ready to run, and how many are still to come. */
import type { RunOutput } from '../backend/backend.js';
import { type Entry, sortByLength, type TokenizedText } from './packing.js';

export interface QueuedJobOptions {
  /** Runs hold jobs of one kind. Default `pooled`. */
  output?: RunOutput | undefined;
  /** Who asks: clients share the device fairly. Jobs that name none are of one client. */
  client?: string | undefined;
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

  constructor(total: number, { output = 'pooled', client = '' }: QueuedJobOptions = {}) {
    this.places = total;
    this.output = output;
    this.client = client;
  }

  /** Adds the next inputs; their places in the job follow from the order of the calls. */
  add(texts: readonly TokenizedText[]): void {
    for (const text of texts) {
      const { inputIds, typeIds, skippedTokens = 0 } = text;
      this.waiting.push({ index: this.#added++, inputIds, typeIds, skippedTokens });
      this.tokens += inputIds.length;
    }
    sortByLength(this.waiting);
  }

  /** Books out what was moved from `waiting` into a run. */
  took(entries: readonly Entry[]): void {
    this.places -= entries.length;
    this.tokens -= tokensOf(entries);
  }
}

/** Tokens of these texts. */
export function tokensOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
}
