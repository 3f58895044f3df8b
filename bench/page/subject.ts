/** What the page measures: something that embeds texts, whoever made it. Types shared by the page, the worker and the runner. */
import type { VecinityOptions } from '../../src/page/options.js';

/** How a caller hands over a list of texts. */
export interface Form {
  /** Texts of one call into the system; 0 hands over all at once. */
  batchSize: number;
  /** Sorts by length before batches are cut, and restores the order of the answers. */
  sorted: boolean;
}

/** Vectors `[count, dimensions]` in the order of the texts. */
export interface Vectors {
  values: Float32Array<ArrayBuffer>;
  dimensions: number;
}

export interface TransformersSetup {
  driver: 'transformers';
  model: string;
  dtype: 'q8' | 'fp32';
  threads: number;
  pooling: 'mean' | 'cls' | 'last_token';
  /** Tokens kept of each text. */
  maxTokens: number;
}

export interface VecinitySetup {
  driver: 'vecinity';
  model: string;
  /** Options of `createVecinity` beside the model. */
  options: Pick<VecinityOptions, 'modelsUrl' | 'dtype' | 'threads'>;
}

export type Setup = TransformersSetup | VecinitySetup;

/** A system that is ready; `stop` ends its workers. */
export interface Subject {
  embed(texts: readonly string[], form: Form): Promise<Vectors>;
  /** What the system says about itself after loading, for the record. */
  describe(): Promise<string>;
  /** What the system itself reports of one job; null when it reports nothing. */
  profile(texts: readonly string[]): Promise<JobProfile | null>;
  stop(): Promise<void>;
}

/** Milliseconds of one job by the system's own clock. */
export interface JobProfile {
  tokenizeMs: number;
  totalMs: number;
}

/** Vectors as little-endian float32 in base64, which crosses to the runner much faster than a list of numbers. */
export interface PackedVectors {
  base64: string;
  dimensions: number;
}

/** What the runner calls in the page. */
export interface BenchPage {
  /** Starts the system in a fresh worker; milliseconds until the first vector was there. */
  start(setup: Setup, text: string): Promise<number>;
  describe(): Promise<string>;
  profile(texts: readonly string[]): Promise<JobProfile | null>;
  embed(texts: readonly string[], form: Form): Promise<PackedVectors>;
  /** Milliseconds of each call, one after another; every call embeds one list of texts. */
  time(calls: readonly (readonly string[])[], form: Form): Promise<number[]>;
  /** The vectors of the call that was timed last. */
  takeTimed(): PackedVectors;
  stop(): Promise<void>;
}

declare global {
  interface Window {
    bench: BenchPage;
  }
}
