/** The command line and environment of `vecinity serve`, as typed options. */
import { type ApiConfig, compatNames, defaultApiConfig, defaultEngineConfig, defaultModel } from '../config.js';
import type { NodeEngineOptions } from '../edge/engine.js';
import { engineFlags, toEngineOptions } from './engine-flags.js';
import { type Arguments, describeFlags, type Environment, type Flag, readArguments } from './flags.js';

export interface ServeOptions {
  hostname: string;
  port: number;
  models: string[];
  engine: NodeEngineOptions;
  api: Partial<ApiConfig>;
}

const flags = {
  host: { environment: ['HOST'], value: 'HOST', help: 'address to listen on (default: 127.0.0.1)' },
  port: { environment: ['PORT'], value: 'N', help: 'port; 0 takes a free one and prints it (default: 8080)' },
  model: {
    environment: ['MODEL', 'EMBEDDING_MODEL'],
    value: 'NAME[,NAME]',
    help: `models: names, hub ids or folders (default: ${defaultModel})`,
  },
  ...engineFlags,
  'api-key': { environment: ['API_KEY'], value: 'KEY', help: 'asked of every request but /health and /metrics' },
  'route-prefix': { environment: ['ROUTE_PREFIX'], value: '/PATH', help: 'put before every route' },
  'model-policy': {
    environment: ['MODEL_POLICY'],
    value: 'POLICY',
    help: 'any: every model name is answered; strict: unknown ones are 404 (default: any)',
  },
  'max-queue': {
    environment: ['MAX_QUEUE'],
    value: 'N',
    help: `inputs that may wait (default: ${defaultEngineConfig.maxQueue})`,
  },
  compat: {
    environment: ['COMPAT'],
    value: 'API',
    help: `whose rules hold where APIs disagree: ${compatNames.join(', ')} (default: none)`,
  },
  cors: {
    environment: ['CORS_ORIGIN'],
    value: 'ORIGIN',
    help: 'origin that may call from a browser, or * (default: none)',
  },
} as const satisfies Record<string, Flag>;

export const serveUsage = `Usage: vecinity serve [options]

Serves the OpenAI, Cohere, Jina, TEI, Ollama and vLLM APIs until it is interrupted.

${describeFlags(flags)}`;

/** Flags win over the environment. Throws `invalid_request` that names the flag or variable. */
export function parseServeOptions(args: readonly string[], environment: Environment): ServeOptions {
  const given = readArguments(flags, args, { environment });
  return {
    hostname: given.text('host') ?? '127.0.0.1',
    port: given.integer('port', { least: 0, most: 65_535 }) ?? 8080,
    models: toModels(given),
    engine: {
      ...toEngineOptions(given, environment),
      maxQueue: given.integer('max-queue', { least: 1 }) ?? defaultEngineConfig.maxQueue,
    },
    api: {
      apiKey: given.text('api-key') ?? null,
      routePrefix: given.text('route-prefix') ?? defaultApiConfig.routePrefix,
      modelPolicy: given.word('model-policy', ['any', 'strict']) ?? defaultApiConfig.modelPolicy,
      compat: given.word('compat', compatNames) ?? defaultApiConfig.compat,
      corsOrigin: given.text('cors') ?? null,
    },
  };
}

function toModels(given: Arguments<'model'>): string[] {
  const names = (given.text('model') ?? defaultModel)
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  if (names.length === 0) throw given.wrong('model', 'a name or several with commas between them');
  return names;
}
