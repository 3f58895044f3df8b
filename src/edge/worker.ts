/**
 * `vecinity/edge`: the API where there are neither threads nor Node, inside the fetch handler of an edge worker. One
 * thread does everything, so a request waits while another is computed; models with ONNX files only need `vecinity/node`.
 * Where requests may not share what they have begun (Cloudflare), the engine lives in a Durable Object.
 */
import { assembleEngine } from '../assemble-engine.js';
import { type CompiledKernels, setKernels } from '../backend/wasm/assets.js';
import { loadWasmBackend } from '../backend/wasm/index.js';
import { supportsModel } from '../backend/wasm/supports.js';
import { defaultEngineConfig, type EngineConfig, withDefaults } from '../config.js';
import type { Engine } from '../core/engine.js';
import { VecinityError } from '../errors.js';
import { setFolderOpener } from '../models/open-files.js';
import { UrlFiles } from '../models/url-files.js';
import { checkObject, checkPart, isFunction, isString, type Rules } from '../rules.js';
import { checkedFetch } from './checked-fetch.js';

export type { Handler } from '../api/handler.js';
export type { CompiledKernels } from '../backend/wasm/assets.js';
export type { ApiConfig } from '../config.js';
export type { Engine, EngineStatus, LoadOptions, ModelStatus } from '../core/engine.js';
export { VecinityError } from '../errors.js';
export { createHandler, type HandlerOptions } from './handler.js';
export type { Upstream } from './upstream.js';

export interface EdgeEngineOptions
  extends Partial<Pick<EngineConfig, 'dtype' | 'hubUrl' | 'hubToken' | 'maxBatchTokens' | 'maxQueue'>> {
  /** `vecinity/assets/relaxed.wasm` and `vecinity/assets/simd.wasm`, imported: the runtime compiles them. */
  kernels: CompiledKernels;
  /** Address of a folder with one folder for each model, looked at before the hub. */
  modelsUrl: string;
  /** Reads below `modelsUrl`, for example a binding's `fetch`; default the global one. */
  fetch?: typeof fetch;
}

/** Stands for `modelsUrl` inside the engine, which takes a folder's files as they are and keeps no copy of them. */
const mount = 'file:///models/';

/** Texts of one run: short runs let the runtime do other things in between. */
const maxBatchTokens = 2_048;

const rules: Rules<keyof EdgeEngineOptions> = {
  modelsUrl: ['an absolute address', isAddress],
  fetch: ['a function', isFunction],
};

/** Makes an engine without a model. Throws `invalid_request` for an address that is none. */
export function createEdgeEngine(given: EdgeEngineOptions): Engine {
  checkObject(given);
  checkPart(rules, given, { required: ['modelsUrl'] });
  const { kernels, modelsUrl, fetch: read, ...options } = given;
  checkObject(kernels, 'kernels');
  for (const level of ['relaxed', 'simd'] as const) checkObject(kernels[level], `kernels.${level}`);
  const base = toBase(modelsUrl);
  const fetchFile = checkedFetch(read ?? ((input, init) => fetch(input, init)), 'invalid_request');
  setKernels(kernels);
  setFolderOpener(
    (location) => new UrlFiles({ ...location, kind: 'url', base: base + location.base.slice(mount.length) }, fetchFile),
  );
  const defaults: EngineConfig = { ...defaultEngineConfig, maxBatchTokens };
  const config: EngineConfig = { ...withDefaults(defaults, options), device: 'wasm', threads: 1 };
  return assembleEngine(
    { ...config, modelsUrl: mount },
    {
      openBackend: async (_, request, loading) => {
        if (request.backend === 'wasm') return await loadWasmBackend(request, loading);
        const message = `The model ${request.spec.id} runs on ONNX Runtime, which edge workers do not have.`;
        throw new VecinityError('device_unavailable', message);
      },
      wasmSupports: supportsModel,
    },
  );
}

function toBase(modelsUrl: string): string {
  const { href } = new URL(modelsUrl);
  return href.endsWith('/') ? href : `${href}/`;
}

/** A string, or a `URL` in plain JavaScript. */
function isAddress(value: unknown): boolean {
  return (isString(value) || value instanceof URL) && URL.canParse(String(value));
}
