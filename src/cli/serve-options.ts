/** The command line and environment of `vecinity serve`, as typed options. */
import { parseArgs } from 'node:util';
import { type ApiConfig, defaultApiConfig, defaultEngineConfig, defaultModel } from '../config.js';
import type { NodeEngineOptions } from '../edge/engine.js';
import { VecinityError } from '../errors.js';

export interface ServeOptions {
  hostname: string;
  port: number;
  models: string[];
  engine: NodeEngineOptions;
  api: Partial<ApiConfig>;
}

interface Flag {
  /** Looked at in this order when the flag is not given. */
  environment: readonly string[];
  value: string;
  help: string;
}

const flags = {
  host: { environment: ['HOST'], value: 'HOST', help: 'address to listen on (default: 127.0.0.1)' },
  port: { environment: ['PORT'], value: 'N', help: 'port; 0 takes a free one and prints it (default: 8080)' },
  model: {
    environment: ['MODEL', 'EMBEDDING_MODEL'],
    value: 'NAME[,NAME]',
    help: `models: names, hub ids or folders (default: ${defaultModel})`,
  },
  'models-dir': { environment: ['MODELS_DIR'], value: 'DIR', help: 'folder of models, looked at before the hub' },
  device: { environment: ['DEVICE'], value: 'DEVICE', help: 'auto, wasm or webgpu (default: auto)' },
  dtype: { environment: ['DTYPE'], value: 'DTYPE', help: 'auto, f32, f16 or q8 (default: auto)' },
  threads: { environment: ['THREADS'], value: 'N', help: 'threads that compute (default: one a core)' },
  'api-key': { environment: ['API_KEY'], value: 'KEY', help: 'asked of every request but /health and /metrics' },
  'route-prefix': { environment: ['ROUTE_PREFIX'], value: '/PATH', help: 'put before every route' },
  'model-policy': {
    environment: ['MODEL_POLICY'],
    value: 'POLICY',
    help: 'any: every model name is answered; strict: unknown ones are 404 (default: any)',
  },
  'max-batch-tokens': {
    environment: ['MAX_BATCH_TOKENS'],
    value: 'N',
    help: `tokens of one run (default: ${defaultEngineConfig.maxBatchTokens})`,
  },
  'max-queue': {
    environment: ['MAX_QUEUE'],
    value: 'N',
    help: `inputs that may wait (default: ${defaultEngineConfig.maxQueue})`,
  },
  cors: {
    environment: ['CORS_ORIGIN'],
    value: 'ORIGIN',
    help: 'origin that may call from a browser, or * (default: none)',
  },
  'hub-url': { environment: ['HUB_URL', 'HF_ENDPOINT'], value: 'URL', help: 'address of the model hub' },
  'hub-token': { environment: ['HUB_TOKEN', 'HF_TOKEN'], value: 'TOKEN', help: 'for private models' },
} as const satisfies Record<string, Flag>;

type FlagName = keyof typeof flags;
type Values = Partial<Record<FlagName, string>>;

export const serveUsage = `Usage: vecinity serve [options]

Serves the OpenAI, Cohere, Jina, TEI, Ollama and vLLM APIs until it is interrupted.

${Object.entries(flags).map(describeFlag).join('\n')}`;

/** Flags win over the environment. Throws `invalid_request` that names the flag or variable. */
export function parseServeOptions(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): ServeOptions {
  const values = readValues(args, environment);
  return {
    hostname: values.host ?? '127.0.0.1',
    port: integer(values, 'port', { least: 0, most: 65_535 }) ?? 8080,
    models: (values.model ?? defaultModel)
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean),
    engine: {
      modelsDir: values['models-dir'] ?? null,
      device: word(values, 'device', ['auto', 'wasm', 'webgpu']) ?? 'auto',
      dtype: word(values, 'dtype', ['auto', 'f32', 'f16', 'q8']) ?? 'auto',
      threads: integer(values, 'threads', { least: 0 }) ?? 0,
      maxBatchTokens: integer(values, 'max-batch-tokens', { least: 1 }) ?? defaultEngineConfig.maxBatchTokens,
      maxQueue: integer(values, 'max-queue', { least: 1 }) ?? defaultEngineConfig.maxQueue,
      hubUrl: values['hub-url'] ?? defaultEngineConfig.hubUrl,
      hubToken: values['hub-token'] ?? null,
    },
    api: {
      apiKey: values['api-key'] ?? null,
      routePrefix: values['route-prefix'] ?? defaultApiConfig.routePrefix,
      modelPolicy: word(values, 'model-policy', ['any', 'strict']) ?? defaultApiConfig.modelPolicy,
      corsOrigin: values.cors ?? null,
    },
  };
}

/** An empty variable counts as one that is not set. */
function readValues(args: readonly string[], environment: Readonly<Record<string, string | undefined>>): Values {
  const given = readArguments(args);
  const names = Object.keys(flags) as FlagName[];
  const entries = names.map((name) => {
    const set = flags[name].environment.map((variable) => environment[variable]).find(Boolean);
    return [name, given[name] ?? set] as const;
  });
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

function readArguments(args: readonly string[]): Values {
  const options = Object.fromEntries(Object.keys(flags).map((name) => [name, { type: 'string' as const }]));
  try {
    return parseArgs({ args: [...args], options, strict: true }).values as Values;
  } catch (cause) {
    // Node's own sentence names the argument.
    throw new VecinityError('invalid_request', cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function integer(values: Values, name: FlagName, range: { least: number; most?: number }): number | undefined {
  const value = values[name];
  if (value === undefined) return undefined;
  const { least, most = Number.MAX_SAFE_INTEGER } = range;
  const number = Number(value);
  if (/^\d+$/.test(value) && number >= least && number <= most) return number;
  throw wrong(name, range.most === undefined ? `an integer of at least ${least}` : `from ${least} to ${most}`, value);
}

function word<const Words extends readonly string[]>(
  values: Values,
  name: FlagName,
  words: Words,
): Words[number] | undefined {
  const value = values[name];
  if (value === undefined || words.includes(value)) return value;
  throw wrong(name, `one of ${words.join(', ')}`, value);
}

function wrong(name: FlagName, allowed: string, value: string): VecinityError {
  const variables = flags[name].environment.join(', ');
  const message = `\`--${name}\` (or ${variables}) must be ${allowed}; got ${JSON.stringify(value)}.`;
  return new VecinityError('invalid_request', message, { param: name });
}

function describeFlag([name, { value, help, environment }]: [string, Flag]): string {
  return `  ${`--${name} ${value}`.padEnd(24)} ${help} [${environment.join(', ')}]`;
}
