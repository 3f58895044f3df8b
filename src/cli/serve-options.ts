/** The command line and environment of `vecinity serve`, as typed options. */
import { type ApiConfig, compatNames, defaultApiConfig, defaultEngineConfig, defaultModel } from '../config.js';
import { isHeaderName } from '../edge/clients.js';
import type { NodeEngineOptions } from '../edge/engine.js';
import { isLoopback } from '../edge/hosts.js';
import type { Upstream } from '../edge/upstream.js';
import { engineFlags, toEngineOptions } from './engine-flags.js';
import { type Arguments, describeFlags, type Environment, type Flag, readArguments } from './flags.js';
import { toUpstreams, upstreamFlags } from './upstream-flags.js';

export interface ServeOptions {
  hostname: string;
  port: number;
  /** Names by which the server may be asked besides the usual ones; null lets all names pass. */
  hosts: string[] | null;
  models: string[];
  engine: NodeEngineOptions;
  api: Partial<ApiConfig>;
  /** Other servers that answer for chosen models. */
  upstream: Upstream[];
  /** Null keeps every model. */
  memoryBudgetBytes: number | null;
  /** The header in which a proxy in front says whose request it is; null: the connection's address. */
  clientHeader: string | null;
  /** Null: text on a terminal, JSON elsewhere. */
  logFormat: 'json' | 'text' | null;
}

const flags = {
  host: { environment: ['HOST'], value: 'HOST', help: 'address to listen on (default: 127.0.0.1)' },
  port: { environment: ['PORT'], value: 'N', help: 'port; 0 takes a free one and prints it (default: 8080)' },
  'allow-host': {
    environment: ['ALLOWED_HOSTS'],
    value: 'NAME[,NAME]',
    help: 'names that requests may have in their host header besides localhost and addresses (default: none on a loopback address without a key, else any)',
  },
  model: {
    environment: ['MODEL', 'EMBEDDING_MODEL'],
    value: 'NAME[,NAME]',
    help: `models: names, hub ids or folders (default: ${defaultModel}, or none with --upstream)`,
  },
  ...engineFlags,
  'api-key': { environment: ['API_KEY'], value: 'KEY', help: 'asked of every request but /health and /metrics' },
  'route-prefix': { environment: ['ROUTE_PREFIX'], value: '/PATH', help: 'put before every route' },
  'model-policy': {
    environment: ['MODEL_POLICY'],
    value: 'POLICY',
    help: 'any: every model name is answered; strict: unknown ones are 404 (default: any for one model, else strict)',
  },
  ...upstreamFlags,
  'max-queue': {
    environment: ['MAX_QUEUE'],
    value: 'N',
    help: `inputs that may wait (default: ${defaultEngineConfig.maxQueue})`,
  },
  'client-header': {
    environment: ['CLIENT_HEADER'],
    value: 'NAME',
    help: 'header in which the proxy in front names the client, such as x-forwarded-for; clients get fair shares (default: none, the address of the connection is the client)',
  },
  'max-request-tokens': {
    environment: ['MAX_REQUEST_TOKENS'],
    value: 'N',
    help: 'tokens of one embedding request at most (default: no limit; 300,000 with --compat openai)',
  },
  compat: {
    environment: ['COMPAT'],
    value: 'API',
    help: `whose rules hold where APIs disagree: ${compatNames.join(', ')} (default: none)`,
  },
  'memory-budget': {
    environment: ['MEMORY_BUDGET'],
    value: 'SIZE',
    help: 'memory of all models, such as 2GB; those unused longest go and come back (default: no limit)',
  },
  'log-format': {
    environment: ['LOG_FORMAT'],
    value: 'FORMAT',
    help: 'json, one object a line, or text (default: text on a terminal, else json)',
  },
  cors: {
    environment: ['CORS_ORIGIN'],
    value: 'ORIGIN',
    help: 'origin that may call from a browser, or * (default: none)',
  },
} as const satisfies Record<string, Flag>;

export const serveUsage = `Usage: vecinity serve [options]

Serves the APIs of OpenAI, Cohere, Jina, TEI, Ollama, vLLM, Infinity, Vertex AI and llama.cpp until it is interrupted;
/docs lists the routes.

${describeFlags(flags)}`;

/** Flags win over the environment. Throws `invalid_request` that names the flag or variable. */
export function parseServeOptions(args: readonly string[], environment: Environment): ServeOptions {
  const given = readArguments(flags, args, { environment });
  const upstream = toUpstreams(given, environment);
  const models = toModels(given, upstream.length > 0 ? [] : [defaultModel]);
  const isOne = models.length + upstream.length === 1;
  const hostname = given.text('host') ?? '127.0.0.1';
  const apiKey = given.text('api-key') ?? null;
  return {
    hostname,
    port: given.integer('port', { least: 0, most: 65_535 }) ?? 8080,
    hosts: toHosts(given, isLoopback(hostname) && apiKey === null ? [] : null),
    models,
    upstream,
    engine: {
      ...toEngineOptions(given, environment),
      maxQueue: given.integer('max-queue', { least: 1 }) ?? defaultEngineConfig.maxQueue,
    },
    api: {
      apiKey,
      routePrefix: given.text('route-prefix') ?? defaultApiConfig.routePrefix,
      modelPolicy: given.word('model-policy', ['any', 'strict']) ?? (isOne ? defaultApiConfig.modelPolicy : 'strict'),
      maxRequestTokens: given.integer('max-request-tokens', { least: 1 }) ?? null,
      compat: given.word('compat', compatNames) ?? defaultApiConfig.compat,
      corsOrigin: given.text('cors') ?? null,
    },
    memoryBudgetBytes: toBytes(given),
    clientHeader: toHeader(given),
    logFormat: given.word('log-format', ['json', 'text']) ?? null,
  };
}

function toModels(given: Arguments<'model'>, unsaid: string[]): string[] {
  return given.text('model') === undefined ? unsaid : toNames(given, 'model');
}

/** Who needs a key cannot be asked by a page that does not know it, whatever name it uses. */
function toHosts(given: Arguments<'allow-host'>, unsaid: string[] | null): string[] | null {
  return given.text('allow-host') === undefined ? unsaid : toNames(given, 'allow-host');
}

function toNames<Name extends string>(given: Arguments<Name>, flag: Name): string[] {
  const names = (given.text(flag) ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  if (names.length === 0) throw given.wrong(flag, 'a name or several with commas between them');
  return names;
}

function toHeader(given: Arguments<'client-header'>): string | null {
  const name = given.text('client-header') ?? null;
  if (name === null || isHeaderName(name)) return name;
  throw given.wrong('client-header', 'the name of a header');
}

const unitBytes: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
};

function toBytes(given: Arguments<'memory-budget'>): number | null {
  const text = given.text('memory-budget');
  if (text === undefined) return null;
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?) ?([kmg]i?)?b?$/i.exec(text) ?? [];
  const bytes = Math.floor(Number(number) * (unitBytes[unit.toLowerCase()] ?? 1));
  if (bytes > 0) return bytes;
  throw given.wrong('memory-budget', 'a size such as 512MB, 2GB or 1.5GiB');
}
