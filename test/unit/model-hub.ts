/** A hub in memory with one model of the fixtures, and an engine that loads it into a fake disk. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { loadWasmBackend } from '../../src/backend/wasm/index.js';
import { supportsModel } from '../../src/backend/wasm/supports.js';
import { defaultEngineConfig } from '../../src/config.js';
import { createEngine, type EngineParts } from '../../src/core/create-engine.js';
import type { Engine } from '../../src/core/engine.js';
import { openModel } from '../../src/core/open-model.js';
import { cosine } from '../../src/core/similarity.js';
import { VecinityError } from '../../src/errors.js';
import type { StorageFull } from '../../src/models/files.js';
import { modelIdOf } from '../../src/models/resolve.js';
import { forgetStoredFiles } from '../../src/models/stored-models.js';
import { createMemoryVerdicts } from '../../src/storage/verdicts.js';
import { type EmbeddingGolden, readGolden } from '../conformance/golden.js';
import { fixtureFolder } from './model-folder.js';

export const hubModel = 'owner/model';
const hubUrl = 'https://hub.example';
export const hubBase = `${hubUrl}/${hubModel}/resolve/main/`;

export type Content = Uint8Array<ArrayBuffer>;

export interface ModelHub {
  fetch: typeof fetch;
  /** What is served, by path. */
  files: Map<string, Content>;
  /** What is served first, in turn, by path. */
  instead: Map<string, Content[]>;
  /** Paths in the order in which they were asked for. */
  requests: string[];
  /** Whether the hub publishes hashes: of what `files` holds. */
  hasHashes: boolean;
}

/** Give its `fetch` to `vi.stubGlobal`. */
export function modelHub(family: string): ModelHub {
  const folder = fixtureFolder(family);
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.\w+$/.test(name));
  const files = new Map(names.map((name) => [name, new Uint8Array(readFileSync(folder + name))]));
  const hub: ModelHub = {
    files,
    instead: new Map(),
    requests: [],
    hasHashes: false,
    fetch: async (input) => {
      const url = String(input);
      if (url.includes('/api/models/')) return hub.hasHashes ? Response.json(treeOf(hub.files)) : notFound();
      const path = url.slice(hubBase.length);
      hub.requests.push(path);
      const bytes = hub.instead.get(path)?.shift() ?? hub.files.get(path);
      return bytes ? new Response(bytes, { headers: { 'content-length': String(bytes.length) } }) : notFound();
    },
  };
  return hub;
}

function treeOf(files: ReadonlyMap<string, Content>): unknown {
  return [...files].map(([path, bytes]) => {
    const oid = createHash('sha256').update(bytes).digest('hex');
    return { type: 'file', path, size: bytes.length, lfs: { oid, size: bytes.length } };
  });
}

function notFound(): Response {
  return new Response('Not found', { status: 404 });
}

type OpenBackend = EngineParts['openBackend'];

/** Computes in this thread. */
export const openHubBackend: OpenBackend = async (request, options) => {
  if (request.backend === 'wasm') return await loadWasmBackend(request, options);
  throw new VecinityError('device_unavailable', 'There is no second way to load the model here.');
};

export interface HubEngineOptions {
  storageFull?: StorageFull;
  openBackend?: OpenBackend;
}

/** A new visit: an engine with nothing in memory. */
export function hubEngine({ storageFull = 'error', openBackend = openHubBackend }: HubEngineOptions = {}): Engine {
  const config = { ...defaultEngineConfig, hubUrl, modelsUrl: null, threads: 1, storageFull };
  return createEngine({
    config,
    openModel: (name, options) => openModel(name, config, options),
    openBackend,
    forgetFiles: forgetStoredFiles,
    probeWebGpu: async () => ({ kind: 'none', adapter: '' }),
    wasmSupports: supportsModel,
    verdicts: createMemoryVerdicts(),
    modelIdOf,
  });
}

/** Loads the model in an engine, a new one unless told otherwise, and embeds as `embedGolden` does. */
export async function nearestToGolden(family: string, engine = hubEngine()): Promise<number> {
  try {
    await engine.load(hubModel, { dtype: 'f32' });
    return await embedGolden(family, engine);
  } finally {
    await engine.dispose();
  }
}

/** Embeds some texts of the golden file with a loaded model: the least cosine to the reference. */
export async function embedGolden(family: string, engine: Engine): Promise<number> {
  const { inputs, embeddings } = readGolden<EmbeddingGolden>(family);
  const none = { promptName: null, prompt: '', dimensions: null, normalize: null, maxTokens: null };
  const texts = inputs.slice(0, 3);
  const result = await engine.embed({
    ...{ model: hubModel, inputs: texts, ...none, truncate: true, truncateSide: 'right' },
  });
  const width = result.dimensions;
  return Math.min(
    ...texts.map((_, i) => cosine(embeddings[i] ?? [], result.embeddings.subarray(i * width, (i + 1) * width))),
  );
}
