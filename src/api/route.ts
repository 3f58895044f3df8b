/** What a dialect is made of: routes as data. The handler mounts them; the validators on them also document them. */
import type { ApiConfig } from '../config.js';
import type { Engine, RequestOptions } from '../core/engine.js';
import type { Answers } from './answers.js';
import type { ErrorFormat } from './error-response.js';
import type { Metrics } from './metrics.js';
import type { RemoteModels } from './remote/models.js';
import type { BodySchema } from './validate.js';

/** What every route answers from. */
export interface ApiContext {
  engine: Engine;
  api: ApiConfig;
  /** Models that another server answers; absent where there are none. */
  remote?: RemoteModels;
  /** Models that were asked for at the start and have not been ready yet. */
  awaited?: Set<string>;
}

/** A context for one call: the caller's signal and progress listener travel with it, and the headers of its trace. */
export type CallContext = ApiContext & RequestOptions & { trace?: Readonly<Record<string, string>> };

/** One request, after its key was checked and its body was read. */
export interface Call {
  context: CallContext;
  /** Parsed JSON, not yet validated; undefined for a route without a body. */
  body: unknown;
  /** A parameter of the address; null where it has none of that name. */
  query(name: string): string | null;
  /** The model id of `/v1/models/{id}`, decoded; empty elsewhere. */
  id: string;
  metrics: Metrics;
}

export interface Route {
  method: 'GET' | 'POST';
  /** Hono patterns; all of them answer alike. */
  paths: readonly string[];
  summary: string;
  /** Validator of the JSON body; null for a route that takes none. */
  body: BodySchema | null;
  /** A body for each form that the route takes, which any embedding model answers unless only another kind can. */
  examples?: readonly object[];
  /** True asks for the API key when one is set. */
  guarded: boolean;
  answers: Answers;
  /** The dialect's own words for failures; absent: OpenAI's shape. */
  formatError?: ErrorFormat;
  /** True reads a JSON body whatever its content type says, as the route's own servers do. */
  anyContentType?: true;
  handle(call: Call): Response | Promise<Response>;
}

/** One foreign API: its routes, each parse → engine call → format. */
export type Dialect = readonly Route[];
