/** What a page can say to `createVecinity`, and how it becomes the engine's and the API's configuration. */
import { type ApiConfig, defaultApiConfig, defaultEngineConfig, type EngineConfig, withDefaults } from '../config.js';
import type { JobProgress, LoadProgress } from '../core/engine.js';
import { callRules, checkObject, checkRules, isFunction, isString, type Rules, wrongOption } from '../rules.js';

/** A model's files or a long job, as far as it is. */
export type Progress = LoadProgress | ({ type: 'job' } & JobProgress);

export interface VecinityOptions extends Partial<EngineConfig>, Partial<Omit<ApiConfig, 'corsOrigin'>> {
  /**
   * A name of the catalogue, a hub id, a URL, or a folder below `modelsUrl`; default `all-MiniLM-L6-v2`. Null loads
   * nothing and shares nothing: for `storage`, which needs no model, or to call `load` later.
   */
  model?: string | null;
  /** Branch, tag or commit of the model's repository. */
  revision?: string;
  /**
   * One engine for all tabs of the origin that were set up alike (same model and options): one has it, the others ask
   * it, and another takes over when that one goes away. Default true. Without Web Locks or BroadcastChannel, where they
   * are forbidden, and in pages that are not secure, each tab has its own engine; with false this one does.
   */
  share?: boolean;
  /** Where the engine worker's script is, when the bundler does not find it. */
  workerUrl?: string | URL;
  /** Starts the engine worker, for bundlers that want to see `new Worker` in your own code; wins over `workerUrl`. */
  createWorker?: () => Worker;
  /** True asks the browser, once the model is loaded, to keep it; some browsers ask the user then. Default false. */
  persist?: boolean;
  /** Called with every 'progress' event, also with those before `createVecinity` has resolved. */
  onProgress?: (progress: Progress) => void;
  /** Gives up loading; the worker is gone afterwards. */
  signal?: AbortSignal;
}

const rules: Rules<keyof VecinityOptions> = {
  ...callRules,
  createWorker: ['a function', isFunction],
  routePrefix: ['a path', isString],
};

/** Throws `invalid_request` for what cannot be called here, or posted to the worker, which checks the rest. */
export function checkPageOptions(options: VecinityOptions): void {
  checkObject(options);
  checkRules(rules, options);
  // What else an object has is not read: settings of a site may be more than ours.
  for (const name of ['model', 'revision', ...Object.keys({ ...defaultEngineConfig, ...defaultApiConfig })]) {
    const value: unknown = Reflect.get(options, name);
    if (typeof value === 'symbol' || isFunction(value)) throw wrongOption(name, 'data', value);
  }
}

/** Relative addresses are resolved here, against the page: a worker would resolve them against its own script. */
export function toEngineConfig(options: VecinityOptions): EngineConfig {
  const config = withDefaults(defaultEngineConfig, options);
  const resolve = (name: 'hubUrl' | 'modelsUrl' | 'assetsUrl') => toAddress(name, config[name]).href;
  return {
    ...config,
    hubUrl: resolve('hubUrl').replace(/\/$/, ''),
    modelsUrl: config.modelsUrl === null ? null : resolve('modelsUrl'),
    assetsUrl: config.assetsUrl === null ? null : resolve('assetsUrl'),
  };
}

/** Against the page. Throws `invalid_request` for what is no address. */
export function toAddress(name: string, value: unknown): URL {
  if (!isAddress(value)) throw wrongOption(name, 'an address', value);
  return new URL(value, document.baseURI);
}

/** Seen from the page. */
export function isAddress(value: unknown): value is string | URL {
  return (isString(value) || value instanceof URL) && URL.canParse(value, document.baseURI);
}

export function toApiConfig(options: VecinityOptions): ApiConfig {
  return withDefaults(defaultApiConfig, options);
}
