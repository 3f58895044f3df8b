/** The page's side of Vecinity: only its public client, from the built package. */
import type * as Package from '../../src/index.js';
import type { JobProfile, Subject, VecinitySetup, Vectors } from './subject.js';

/** Starts a client with a fresh engine worker. */
export async function startVecinity(setup: VecinitySetup): Promise<Subject> {
  // The built package; the address is a variable because it exists only on our server.
  const packageUrl = '/vecinity/index.js';
  const { createVecinity } = (await import(packageUrl)) as typeof Package; // The types of exactly these sources.
  const vecinity = await createVecinity({ model: setup.model, ...setup.options });
  return {
    embed: async (texts) => pack(await vecinity.embed(texts, { truncate: true })),
    describe: async () => describe(await vecinity.status()),
    profile: (texts) => profile(vecinity.fetch, texts),
    stop: async () => vecinity.dispose(),
  };
}

/** The HTTP answer tells in its headers where a job's time went. */
async function profile(fetch: typeof globalThis.fetch, input: readonly string[]): Promise<JobProfile> {
  const body = JSON.stringify({ input, encoding_format: 'base64', truncate: true });
  const headers = { 'content-type': 'application/json' };
  const response = await fetch('/v1/embeddings', { method: 'POST', headers, body });
  if (!response.ok) throw new Error(`/v1/embeddings answered ${response.status}: ${await response.text()}`);
  await response.arrayBuffer();
  const read = (name: string) => Number(response.headers.get(name) ?? Number.NaN);
  return { tokenizeMs: read('x-tokenization-time'), totalMs: read('x-total-time') };
}

function pack(rows: readonly Float32Array[]): Vectors {
  const dimensions = rows[0]?.length ?? 0;
  const values = new Float32Array(rows.length * dimensions);
  rows.forEach((row, index) => {
    values.set(row, index * dimensions);
  });
  return { values, dimensions };
}

/** What serves, and what was tried before: a fallback must not pass for the system that was asked for. */
function describe({ models }: Package.EngineStatus): string {
  const model = models[0];
  if (!model?.backend) return 'no model';
  const { backend, device, dtype, threads, details } = model.backend;
  const words = Object.entries(details).map(([name, value]) => `${name} ${value}`);
  const failures = model.tried
    .filter(({ ok }) => !ok)
    .map((attempt) => `not ${attempt.backend}/${attempt.device}: ${attempt.reason}`);
  return [`${backend} on ${device}`, dtype, `${threads} thread(s)`, ...words, ...failures].join('; ');
}
