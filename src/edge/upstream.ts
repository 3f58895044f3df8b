/**
 * Models that another server answers: requests that name one go to an OpenAI-compatible server as they came, and its
 * answer comes back as a stream. Tries again what may succeed the next time; every wait ends.
 */

import type { RemoteModels, RemoteRequest } from '../api/remote/models.js';
import { toMissingRoute, toUpstreamError } from '../api/remote/upstream-error.js';
import { withDefaults } from '../config.js';

import { abortError, VecinityError } from '../errors.js';
import { pause } from '../pause.js';
import {
  checkObject,
  checkPart,
  isFunction,
  isString,
  isText,
  limitFrom,
  numberFrom,
  orNull,
  type Rules,
} from '../rules.js';
import { checkedFetch } from './checked-fetch.js';
import { UpstreamWait } from './upstream-wait.js';

/** One server, and which models are asked of it. */
export interface Upstream {
  /**
   * For example `https://api.openai.com/v1` or `http://tei:8080/v1`. `/embeddings`, `/rerank` and `/score` lie below;
   * TEI's and vLLM's own routes (`/rerank`, `/embed_all`, `/tokenize`, `/classify` …) are looked for beside `/v1`.
   */
  baseUrl: string;
  /** Names of its models; or for each name that clients use, the name that the server knows. */
  models: readonly string[] | Readonly<Record<string, string>>;
  /** Sent as `Authorization: Bearer <key>`; clients' own keys are never passed on. Default: none. */
  apiKey?: string | null;
  /** Sent with every request, for servers that ask for more. */
  headers?: Readonly<Record<string, string>>;
  /** How long the server may be silent, before its answer and between two pieces of it; default 60,000. */
  timeoutMs?: number;
  /** Times that a request is sent again after 408, 429, a 5xx or no answer; default 2. */
  maxRetries?: number;
  /** First wait before trying again, doubled each time, unless the server says how long; default 500. */
  retryDelayMs?: number;
  /** Used instead of the runtime's own `fetch`. */
  fetch?: typeof fetch;
}

/** What an upstream is where it does not say. */
export const upstreamDefaults: Required<
  Pick<Upstream, 'apiKey' | 'headers' | 'timeoutMs' | 'maxRetries' | 'retryDelayMs'>
> = {
  apiKey: null,
  headers: {},
  timeoutMs: 60_000,
  maxRetries: 2,
  retryDelayMs: 500,
};

/** Waits that a server asks for are kept up to this one; a longer one is passed to the client at once. */
const maxRetryDelayMs = 8_000;

/** Statuses of a moment; OpenAI's SDKs try the same ones again. */
function isTransient(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505);
}

const rules: Rules = {
  baseUrl: ['an http or https address', isHttp],
  models: ['a list of names, or an object with their name there for each', isNames],
  apiKey: orNull(['a string', isString]),
  headers: ['an object of strings', isTexts],
  timeoutMs: numberFrom(1),
  maxRetries: limitFrom(0),
  retryDelayMs: numberFrom(0),
  fetch: ['a function', isFunction],
};

/** The models of several servers. Throws `invalid_request` for options that cannot work. */
export function toRemoteModels(upstreams: readonly Upstream[]): RemoteModels {
  const servers = new Map<string, { server: UpstreamServer; model: string }>();
  for (const upstream of upstreams) {
    const server = new UpstreamServer(upstream);
    for (const [name, model] of namesOf(upstream)) servers.set(name, { server, model });
  }
  return {
    names: [...servers.keys()],
    forward(request) {
      const found = servers.get(request.model);
      if (!found) throw new VecinityError('model_not_found', `No upstream has the model \`${request.model}\`.`);
      return found.server.forward(request, found.model);
    },
  };
}

function namesOf({ models }: Upstream): [name: string, model: string][] {
  const isList = (value: Upstream['models']): value is readonly string[] => Array.isArray(value);
  return isList(models) ? models.map((name) => [name, name]) : Object.entries(models);
}

function isHttp(value: unknown): boolean {
  return isString(value) && /^https?:/.test(String(value)) && URL.canParse(String(value));
}

function isNames(value: unknown): boolean {
  return isTexts(value) || (Array.isArray(value) && value.every(isText));
}

function isTexts(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isString);
}

class UpstreamServer {
  readonly #baseUrl: string;
  readonly #rootUrl: string;
  readonly #headers: Record<string, string>;
  readonly #options: Required<Pick<Upstream, 'timeoutMs' | 'maxRetries' | 'retryDelayMs' | 'fetch'>>;

  constructor(upstream: Upstream) {
    checkObject(upstream, 'upstream');
    checkPart(rules, upstream, { place: 'upstream', required: ['baseUrl', 'models'] });
    const { apiKey, headers, timeoutMs, maxRetries, retryDelayMs } = withDefaults(upstreamDefaults, upstream);
    this.#baseUrl = upstream.baseUrl.replace(/\/+$/, '');
    this.#rootUrl = this.#baseUrl.replace(/\/v\d+$/, '');
    this.#headers = { ...headers, ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }) };
    const fetch = checkedFetch(upstream.fetch ?? globalThis.fetch, 'upstream_failed');
    this.#options = { timeoutMs, maxRetries, retryDelayMs, fetch };
  }

  /** The server's answer; `model` is its own name there. Throws what its failures stand for here, `not_found` for a route that it lacks, `timeout` and `aborted`. */
  async forward(request: RemoteRequest, model: string): Promise<Response> {
    const { maxRetries } = this.#options;
    const text = toText({ ...request.body, model });
    for (let attempt = 0; ; attempt += 1) {
      const outcome = await this.#send(request, text);
      if (outcome instanceof Response) return outcome;
      const delayMs = this.#delay(outcome.error, attempt);
      if (!outcome.transient || attempt >= maxRetries || delayMs > maxRetryDelayMs) throw outcome.error;
      await pause(delayMs, request.signal);
    }
  }

  async #send(request: RemoteRequest, text: string): Promise<Response | { error: VecinityError; transient: boolean }> {
    const wait = new UpstreamWait(this.#options.timeoutMs, request.signal);
    try {
      const response = await wait.during(this.#fetch(request, text, wait.signal));
      if (!response.ok) {
        const said = await wait.during(response.text());
        const error = toMissingRoute(response, said, request) ?? toUpstreamError(response, said, request.model);
        return { error, transient: isTransient(response.status) };
      }
      return passOn(response, wait);
    } catch (thrown) {
      if (request.signal?.aborted) throw abortError(request.signal);
      if (thrown instanceof VecinityError) return { error: thrown, transient: false };
      return { error: wait.explain(thrown, this.#baseUrl), transient: true };
    }
  }

  #fetch({ path, fromRoot, headers }: RemoteRequest, body: string, signal: AbortSignal): Promise<Response> {
    return this.#options.fetch((fromRoot ? this.#rootUrl : this.#baseUrl) + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers, ...this.#headers },
      body,
      // A key must not follow a redirect to another host; what is not followed is a failure of that server.
      redirect: 'manual',
      signal,
    });
  }

  /** What the server asks for, else the doubled delay with up to a quarter less, so that clients spread. */
  #delay({ retryAfterMs }: VecinityError, attempt: number): number {
    if (retryAfterMs !== null) return retryAfterMs;
    const doubled = Math.min(this.#options.retryDelayMs * 2 ** attempt, maxRetryDelayMs);
    return doubled * (1 - Math.random() / 4);
  }
}

/** Reading JSON has no limit to its depth; writing it has one. */
function toText(body: object): string {
  try {
    return JSON.stringify(body);
  } catch (cause) {
    const message = 'The request body is nested too deeply to be passed on to another server.';
    throw new VecinityError('invalid_request', message, { cause });
  }
}

/** The answer piece by piece, as the client takes it: a large one is never held here. */
function passOn(response: Response, wait: UpstreamWait): Response {
  const headers = new Headers();
  for (const name of [
    'content-type',
    'metadata',
    'x-compute-type',
    'x-compute-time',
    'x-compute-tokens',
    'x-inference-time',
  ]) {
    const value = response.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  return new Response(response.body && wait.watch(response.body), { status: response.status, headers });
}
