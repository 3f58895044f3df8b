/** What several browser tests do: open a page with an engine, ask it in every way, and look for leaks. */
import { readFile } from 'node:fs/promises';
import { type BrowserContext, expect, type Frame, type Page } from '@playwright/test';
import type { VecinityOptions } from 'vecinity';

export interface EmbeddingGolden {
  inputs: string[];
  input_ids: number[][];
  embeddings: number[][];
}

export interface RerankGolden {
  query: string;
  documents: string[];
  logits: number[];
  scores_sigmoid: number[];
}

export async function readGolden<T>(model: string): Promise<T> {
  const file = new URL(`../fixtures/models/${model}/golden.json`, import.meta.url);
  return JSON.parse(await readFile(file, 'utf8'));
}

/** Options that can be posted to a page. */
export type PageOptions = Omit<VecinityOptions, 'createWorker' | 'onProgress' | 'signal'>;

/** Opens the page with the package and loads a model there, as `window.vecinity`. */
export async function openEngine(page: Page, options: PageOptions = {}, url = '/'): Promise<void> {
  await page.goto(url);
  await openEngineHere(page, options);
}

/** The same in a page with the package that is open already. */
export async function openEngineHere(place: Page | Frame, options: PageOptions = {}): Promise<void> {
  await place.waitForFunction(() => window.subject !== undefined);
  await place.evaluate(
    async (given) => {
      const createWorker = () => {
        window.engineWorker = window.subject.startEngineWorker();
        return window.engineWorker;
      };
      window.vecinity = await window.subject.createVecinity({ ...given, createWorker });
    },
    { model: 'bert-cls', device: 'wasm', dtype: 'f32', ...options } as const,
  );
}

export async function registerServiceWorker(place: Page | Frame) {
  return await place.evaluate(() => window.vecinity.serviceWorker.register());
}

/** A plain `fetch` of the embeddings, as any page does it. */
export async function fetchEmbeddings(place: Page | Frame, input: string | string[]) {
  return await place.evaluate(async (texts) => {
    const response = await fetch('/v1/embeddings', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'bert-cls', input: texts }),
    });
    return { status: response.status, body: await response.json() };
  }, input);
}

export function vectorsOf(body: { data: { embedding: number[] }[] }): number[][] {
  return body.data.map(({ embedding }) => embedding);
}

/** The engine of the page gives the model's vectors, in whichever dtype. */
export async function expectGolden(place: Page | Frame): Promise<void> {
  const golden = await readGolden<EmbeddingGolden>('bert-cls');
  const vectors = await place.evaluate(async (texts) => {
    const embedded = await window.vecinity.embed(texts);
    return embedded.map((vector) => [...vector]);
  }, golden.inputs);
  expect(worstCosine(vectors, golden.embeddings)).toBeGreaterThan(0.999);
}

/** Requests for our paths that reached the server, by default that of the tests. */
export async function leaks(context: BrowserContext, origin = ''): Promise<string[]> {
  const response = await context.request.get(`${origin}/leaks`);
  return await response.json();
}

export function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = (x: readonly number[], y: readonly number[]) =>
    x.reduce((sum, value, at) => sum + value * (y[at] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** The least alike pair of rows of two lists of vectors. */
export function worstCosine(a: readonly number[][], b: readonly number[][]): number {
  if (a.length !== b.length) throw new Error(`${a.length} vectors are compared with ${b.length}.`);
  return Math.min(...a.map((row, at) => cosine(row, b[at] ?? [])));
}

/** A job that is at work when this resolves; `window.pending` ends with its number of vectors or its error's code. */
export function startJob(page: Page): Promise<void> {
  return page.evaluate(async () => {
    const { vecinity } = window;
    const texts = Array.from({ length: 1_500 }, (_, at) => `text ${at} `.repeat(40));
    const started = new Promise<void>((resolve) => {
      vecinity.addEventListener('progress', () => resolve(), { once: true });
    });
    window.pending = vecinity.embed(texts, { truncate: true }).then(
      ({ length }) => length,
      ({ code }) => code,
    );
    await started;
  });
}

/** How often the model's compute worker was replaced. */
export function recoveries(page: Page): Promise<number | undefined> {
  return page.evaluate(async () => (await window.vecinity.status()).models[0]?.recoveries);
}

/** What did not work, as the status says it. */
export function failures(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const tried = (await window.vecinity.status()).models[0]?.tried ?? [];
    return tried.filter(({ ok }) => !ok).map(({ backend, reason }) => `${backend}: ${reason}`);
  });
}
