/** The page of the soak: one client of the built package, asked in every way that a site asks it. */
import type * as Package from '../../../src/index.js';
import type { Ask, Reply, SoakPage, WrongDevice } from './subject.js';

// The built package; the address is a variable because it exists only on our server.
const packageUrl = '/vecinity/index.js';
const { createVecinity } = (await import(packageUrl)) as typeof Package; // The types of exactly these sources.

const tab = crypto.randomUUID();
const harms = new BroadcastChannel(tab);
harms.onmessage = ({ data }: MessageEvent<WrongDevice>) => void window.tellOfDevice(data);
let vecinity: Package.Vecinity | null = null;
let engineWorker: Worker | null = null;
let reranker = '';

const soak: SoakPage = {
  open: (setup) =>
    replyOf(async () => {
      reranker = setup.reranker;
      vecinity = await createVecinity({ ...setup.options, createWorker: startWorker });
      await vecinity.load(reranker);
      const { controlled } = await vecinity.serviceWorker.register();
      if (!controlled) throw { code: 'service_worker_unavailable', message: 'This page is not controlled.' };
      return [];
    }),
  ask: (ask) => replyOf(() => answer(ask)),
  harm(how) {
    if (engineWorker === null) return false;
    if (how === 'terminate') engineWorker.terminate();
    else harms.postMessage(how);
    if (how === 'terminate' || how === 'close' || how === 'throw') engineWorker = null;
    return true;
  },
  async updateServiceWorker() {
    await (await navigator.serviceWorker.getRegistration())?.update();
  },
};

/** Under a name by which the worker finds our messages. */
function startWorker(): Worker {
  engineWorker = new Worker('/soak/engine-worker.js', { type: 'module', name: tab });
  return engineWorker;
}

function current(): Package.Vecinity {
  if (vecinity === null) throw new Error('This page has no client yet.');
  return vecinity;
}

async function answer(ask: Ask): Promise<Iterable<number>[]> {
  switch (ask.kind) {
    case 'embed':
    case 'bulk':
      return await current().embed(ask.texts, { truncate: true });
    case 'cancel':
      return await current().embed(ask.texts, { truncate: true, signal: AbortSignal.timeout(ask.abortAfterMs ?? 0) });
    case 'flood':
      return await flood(ask.texts);
    case 'cancelled-flood':
      return await flood(ask.texts, AbortSignal.timeout(ask.abortAfterMs ?? 0));
    case 'fetch':
      return (await post('/v1/embeddings', { input: ask.texts, truncate: true })).data.map(
        ({ embedding }) => embedding,
      );
    case 'rerank':
      return [byIndex(await current().rerank(ask.query, ask.documents, { model: reranker }))];
    case 'fetch-rerank': {
      const { query, documents } = ask;
      const { results } = await post('/v1/rerank', { model: reranker, query, documents });
      return [byIndex(results.map(({ index, relevance_score: score }) => ({ index, score })))];
    }
  }
}

/** Waits for every end, whatever comes of the first. */
async function flood(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
  const options = { truncate: true, ...(signal ? { signal } : {}) };
  const asked = texts.map((text) => current().embed(text, options));
  await Promise.allSettled(asked);
  return await Promise.all(asked);
}

interface Answer {
  data: { embedding: number[] }[];
  results: { index: number; relevance_score: number }[];
}

/** What came, and what the browser knows of how it came. */
class BypassError extends Error {
  override readonly name = 'Bypass';

  constructor({ url, status }: Response, text: string) {
    const controller = navigator.serviceWorker.controller?.state ?? 'none';
    const entries = performance.getEntriesByType('resource') as PerformanceResourceTiming[];
    const started = entries.findLast(({ name }) => name === url)?.workerStart;
    const ageMs = Math.round(performance.now());
    super(
      `${status} of the site itself, "${text.slice(0, 40)}", to a page of ${ageMs} ms with the controller ${controller}; ` +
        `the Service Worker was asked at ${started ?? 'an unknown time'}`,
    );
  }
}

/** Plain `fetch`, as a page without the package does it. */
async function post(path: string, body: object): Promise<Answer> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
  const text = await response.text();
  // Every answer of ours is JSON: another one came past the Service Worker, from the site's server.
  if (!response.headers.get('content-type')?.includes('json')) throw new BypassError(response, text);
  const answered = JSON.parse(text);
  if (!response.ok) throw answered.error;
  return answered;
}

function byIndex(ranked: { index: number; score: number }[]): number[] {
  return ranked.toSorted((a, b) => a.index - b.index).map(({ score }) => score);
}

async function replyOf(work: () => Promise<Iterable<number>[]>): Promise<Reply> {
  try {
    return { values: pack(await work()) };
  } catch (thrown) {
    // Errors of the client, of the API and of the platform have these members; anything else has no code.
    const { code, name = '', message = String(thrown) } = (thrown ?? {}) as Partial<Package.VecinityError>;
    return { code: typeof code === 'string' ? code : null, name, message };
  }
}

function pack(rows: Iterable<number>[]): string {
  const bytes = new Uint8Array(Float32Array.from(rows.flatMap((row) => [...row])).buffer);
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

window.soak = soak;
