/** Every option of the engine with its default, in one place. Plain data: it is posted to the engine worker as it is. */
import type { DevicePreference, DtypePreference } from './backend/backend.js';
import type { StorageFull } from './models/files.js';

/** The model of a page or a server that names none. */
export const defaultModel = 'all-MiniLM-L6-v2';

/** Inputs or documents of one request at most; a page sends longer lists in parts. */
export const maxInputs = 2_048;

export interface EngineConfig {
  device: DevicePreference;
  dtype: DtypePreference;
  /** Threads of a WASM backend at most; 0 chooses from the cores. */
  threads: number;
  /** Address of the model hub, without a trailing slash; a mirror can be named here. */
  hubUrl: string;
  hubToken: string | null;
  /** Path or URL of a folder of models on our own origin, looked at before the hub; null looks at the hub only. */
  modelsUrl: string | null;
  /** Where the engine's own `.wasm` and `.mjs` files are; null: beside the worker. */
  assetsUrl: string | null;
  /** What to do about a file of a model that does not fit into the browser's storage. */
  storageFull: StorageFull;
  /** Tokens of one run at most. */
  maxBatchTokens: number;
  /** Inputs waiting at most; a request that does not fit is refused with 429. */
  maxQueue: number;
  /** A run that takes longer is given up and its worker replaced. */
  runTimeoutMs: number;
}

/** APIs that an answer can follow where neither the route nor the body says which one was meant. */
export const compatNames = ['none', 'openai', 'vllm', 'infinity', 'ollama'] as const;

export interface ApiConfig {
  /** Put before every route, for example `/ai`; empty for none. */
  routePrefix: string;
  /** When set, every inference route asks for `Authorization: Bearer <key>`. */
  apiKey: string | null;
  /** `any`: every model name is answered by the loaded model; `strict`: an unknown name is 404 `model_not_found`. */
  modelPolicy: 'any' | 'strict';
  /** Other names of loaded models: `{ 'text-embedding-3-small': 'all-MiniLM-L6-v2' }`. */
  aliases: Record<string, string>;
  /**
   * Tokens that one embedding request may have in all; more is a 400. Null: as many as fit its inputs, and OpenAI's
   * 300,000 where `compat` is `openai`.
   */
  maxRequestTokens: number | null;
  /** What a cross-encoder's score is when a request does not say: the sigmoid, or the raw logit. */
  scoreActivation: 'sigmoid' | 'none';
  /**
   * Whose rules hold where peers disagree on the same route and body. `none`: ours. `openai`: an empty text is a 400,
   * and so are more than 300,000 tokens a request. `vllm`: `dimensions` is a 400 for a model that declares no widths to
   * be cut to, and embeddings have an `id` and `created`. `infinity`: so they do; texts are cut unless `truncate` says
   * no, wrong fields are a 422, usage counts characters, `/classify` answers a list of labels a text, and documents come
   * back as strings, when asked for. `ollama`: `GET /` says that Ollama is running.
   */
  compat: (typeof compatNames)[number];
  /**
   * A model that nobody has asked for this long leaves the memory and comes back with the next request; null lets it
   * stay. A request's own `keep_alive` wins.
   */
  keepAliveMs: number | null;
  /** `Access-Control-Allow-Origin` for answers across origins; null sends no CORS headers. */
  corsOrigin: string | null;
}

export const defaultEngineConfig: EngineConfig = {
  device: 'auto',
  dtype: 'auto',
  threads: 0,
  hubUrl: 'https://huggingface.co',
  hubToken: null,
  modelsUrl: '/models/',
  assetsUrl: null,
  storageFull: 'error',
  maxBatchTokens: 16_384,
  maxQueue: 8_192,
  runTimeoutMs: 60_000,
};

export const defaultApiConfig: ApiConfig = {
  routePrefix: '',
  apiKey: null,
  modelPolicy: 'any',
  aliases: {},
  maxRequestTokens: null,
  scoreActivation: 'sigmoid',
  compat: 'none',
  keepAliveMs: null,
  corsOrigin: null,
};

/** The defaults with what the caller gave; members that are `undefined` count as not given. */
export function withDefaults<T extends object>(defaults: T, given: Partial<T>): T {
  const config = { ...defaults };
  for (const key of Object.keys(defaults) as (keyof T)[]) {
    const value = given[key];
    if (value !== undefined) config[key] = value;
  }
  return config;
}
