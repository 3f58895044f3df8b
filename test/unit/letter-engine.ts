/** An engine whose models have a token a letter and a backend of sums: what it must answer can be computed by hand. */
import { expect } from 'vitest';
import type { Backend, BackendLoadOptions, BackendRequest } from '../../src/backend/backend.js';
import { defaultEngineConfig } from '../../src/config.js';
import { createEngine, type EngineParts } from '../../src/core/create-engine.js';
import type { EmbedRequest, RerankRequest } from '../../src/core/engine.js';
import type { Encoding, Tokenizer } from '../../src/core/tokenizer.js';
import { VecinityError } from '../../src/errors.js';
import type { ModelSpec } from '../../src/models/spec.js';
import { createMemoryVerdicts } from '../../src/storage/verdicts.js';
import { fakeBackend, fakeSpec, fakeValues } from './fake-backend.js';

/** One token a letter, between 1 and 2; what is too long is cut or refused as the real tokenizer does. */
export function letterTokenizer(spec: ModelSpec): Tokenizer {
  const lettersOf = (text: string) => [...text].map((letter) => letter.codePointAt(0) ?? 0);
  const finish = (
    ids: number[],
    limit: number,
    options: { truncate?: boolean; truncateSide?: string } = {},
  ): Encoding => {
    const excess = Math.max(0, ids.length - limit);
    if (excess > 0 && !options.truncate) {
      throw new VecinityError('context_length_exceeded', `${ids.length} tokens`, { param: 'input' });
    }
    const kept = options.truncateSide === 'left' ? ids.slice(excess) : ids.slice(0, ids.length - excess);
    const shape = { typeIds: null, truncated: excess > 0, totalTokens: ids.length, skippedTokens: 0 };
    return { inputIds: Int32Array.from(kept), ...shape };
  };
  const wrap = (encoding: Encoding): Encoding => ({ ...encoding, inputIds: Int32Array.of(1, ...encoding.inputIds, 2) });
  return {
    encode: (text, options = {}) => {
      const limit = Math.min(options.maxTokens ?? spec.maxTokens, spec.maxTokens);
      return wrap(finish(lettersOf((options.prompt ?? '') + text), limit - 2, options));
    },
    encodePair: (query, document, options = {}) => {
      const perDocument = options.maxTokensPerDocument ?? Number.POSITIVE_INFINITY;
      const second = lettersOf(document).slice(0, perDocument);
      return wrap(finish([...lettersOf(query), 3, ...second], spec.maxTokens - 2, options));
    },
    encodeIds: (ids, options = {}) => finish(ids.map(Number), spec.maxTokens, options),
    encodeChunks: (chunks) => {
      const ids = chunks.map((chunk) => lettersOf(String(chunk)));
      const offsets = Int32Array.of(1, ...ids.map((_, at) => 1 + ids.slice(0, at + 1).flat().length));
      return { ...wrap(finish(ids.flat(), spec.maxTokens - 2, {})), offsets };
    },
    decode: (ids) => String.fromCodePoint(...Array.from(ids)),
    countTokens: (text) => text.length + 2,
    tokenize: (text) => [...text].map((letter) => ({ id: 1, text: letter, special: false, start: null, stop: null })),
  };
}

interface SetUp {
  specs?: Record<string, Partial<ModelSpec>>;
  parts?: Partial<EngineParts>;
  openBackend?: (request: BackendRequest, options: BackendLoadOptions) => Promise<Backend>;
}

export function setUp({ specs = { fake: {} }, parts = {}, openBackend }: SetUp = {}) {
  const opened: string[] = [];
  const backends: ReturnType<typeof fakeBackend>[] = [];
  const makeBackend = async ({ spec, device }: BackendRequest) => {
    const backend = fakeBackend({ width: spec.dimensions, info: { device } });
    backends.push(backend);
    return backend;
  };
  const engine = createEngine({
    config: defaultEngineConfig,
    openModel: async (name, { onProgress }) => {
      opened.push(name);
      const changes = specs[name];
      if (!changes) throw new VecinityError('model_not_found', `no ${name}`);
      onProgress({ file: 'config.json', loadedBytes: 10, totalBytes: 10 });
      const spec = fakeSpec({ id: name, repository: `test/${name}`, ...changes });
      const location = { kind: 'url', base: 'https://models.test/', headers: {}, cache: false } as const;
      return { spec, location, tokenizer: Promise.resolve(letterTokenizer(spec)) };
    },
    openBackend: openBackend ?? makeBackend,
    probeWebGpu: async () => ({ kind: 'none', adapter: '' }),
    wasmSupports: () => false,
    verdicts: createMemoryVerdicts(),
    modelIdOf: (name) => name.replace(/^test\//, ''),
    ...parts,
  });
  return { engine, opened, backends };
}

export function embedRequest(changes: Partial<EmbedRequest> = {}): EmbedRequest {
  return {
    ...{ model: null, inputs: ['a'], promptName: null, prompt: null, dimensions: null, normalize: null },
    ...{ truncate: false, truncateSide: 'right', maxTokens: null },
    ...changes,
  };
}

export function rerankRequest(changes: Partial<RerankRequest> = {}): RerankRequest {
  return {
    ...{ model: null, query: 'q', documents: ['a', 'b'], scoreActivation: 'sigmoid' },
    ...{ maxTokensPerDocument: null, truncate: true },
    ...changes,
  };
}

export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    () => 'ok',
    (thrown: unknown) =>
      thrown instanceof VecinityError ? [thrown.code, thrown.param].filter(Boolean).join(' ') : 'other',
  );
}

/** The raw vector of one text as the fake backend computes it. */
export function rawVector(text: string, width = 4): number[] {
  const ids = [1, ...[...text].map((letter) => letter.codePointAt(0) ?? 0), 2];
  const batch = { inputIds: Int32Array.from(ids), typeIds: null, offsets: Int32Array.of(0, ids.length) };
  return [...fakeValues(batch, width)];
}

export function unit(values: readonly number[]): number[] {
  const norm = Math.hypot(...values);
  return values.map((value) => value / norm);
}

export function expectClose(actual: ArrayLike<number>, expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  expected.forEach((value, i) => void expect(actual[i]).toBeCloseTo(value, 5));
}

export async function loaded(options: SetUp = {}) {
  const set = setUp(options);
  for (const name of Object.keys(options.specs ?? { fake: {} })) await set.engine.load(name);
  return set;
}
