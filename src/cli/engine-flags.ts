/** The flags of every command that runs a model, and the engine options that they stand for. */
import { resolve } from 'node:path';
import { defaultEngineConfig } from '../config.js';
import type { NodeEngineOptions } from '../edge/engine.js';
import { defaultCacheFolder, pulledModels } from './cache.js';
import type { Arguments, Environment, Flag } from './flags.js';

export const hubFlags = {
  'hub-url': { environment: ['HUB_URL', 'HF_ENDPOINT'], value: 'URL', help: 'address of the model hub' },
  'hub-token': { environment: ['HUB_TOKEN', 'HF_TOKEN'], value: 'TOKEN', help: 'for private models' },
} as const satisfies Record<string, Flag>;

/** Where models come from. */
export const sourceFlags = {
  ...hubFlags,
  'cache-dir': {
    environment: ['VECINITY_CACHE'],
    value: 'DIR',
    help: 'what `vecinity pull` has downloaded (default: ~/.cache/vecinity)',
  },
} as const satisfies Record<string, Flag>;

export const engineFlags = {
  'models-dir': { environment: ['MODELS_DIR'], value: 'DIR', help: 'folder of models, looked at before the hub' },
  device: { environment: ['DEVICE'], value: 'DEVICE', help: 'auto, wasm or webgpu (default: auto)' },
  dtype: { environment: ['DTYPE'], value: 'DTYPE', help: 'auto, f32, f16 or q8 (default: auto)' },
  threads: { environment: ['THREADS'], value: 'N', help: 'threads that compute (default: one a core)' },
  'max-batch-tokens': {
    environment: ['MAX_BATCH_TOKENS'],
    value: 'N',
    help: `tokens of one run (default: ${defaultEngineConfig.maxBatchTokens})`,
  },
  ...sourceFlags,
} as const satisfies Record<string, Flag>;

export type SourceFlag = keyof typeof sourceFlags;
export type EngineFlag = keyof typeof engineFlags;

/** Throws `invalid_request` that names the flag or variable. */
export function toEngineOptions(given: Arguments<EngineFlag>, environment: Environment): NodeEngineOptions {
  return {
    modelsDir: given.text('models-dir') ?? null,
    device: given.word('device', ['auto', 'wasm', 'webgpu']) ?? 'auto',
    dtype: given.word('dtype', ['auto', 'f32', 'f16', 'q8']) ?? 'auto',
    threads: given.integer('threads', { least: 0 }) ?? 0,
    maxBatchTokens: given.integer('max-batch-tokens', { least: 1 }) ?? defaultEngineConfig.maxBatchTokens,
    ...toHub(given),
    pulledDir: pulledModels(cacheFolder(given, environment)),
  };
}

/** The hub's address and token. */
export function toHub(given: Arguments<keyof typeof hubFlags>): { hubUrl: string; hubToken: string | null } {
  const hubUrl = given.text('hub-url') ?? defaultEngineConfig.hubUrl;
  if (!/^https?:\/\/[^/]/.test(hubUrl)) throw given.wrong('hub-url', 'an address that begins with http:// or https://');
  return { hubUrl: hubUrl.replace(/\/+$/, ''), hubToken: given.text('hub-token') ?? null };
}

/** The cache's own folder: the flag or variable first, then the place that the system has for caches. */
export function cacheFolder(given: Arguments<SourceFlag>, environment: Environment): string {
  const named = given.text('cache-dir');
  return named === undefined ? defaultCacheFolder(environment) : resolve(named);
}
