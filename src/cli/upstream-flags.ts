/** The flags that name other servers for chosen models, and the servers that they stand for. */
import { type Upstream, upstreamDefaults } from '../edge/upstream.js';
import type { Arguments, Environment, Flag } from './flags.js';

export const upstreamFlags = {
  upstream: {
    environment: ['UPSTREAM'],
    value: 'NAME=URL[,NAME=URL]',
    help: 'models of other OpenAI-compatible servers, such as big=http://tei:8080/v1; URL#MODEL where it has another name',
  },
  'upstream-key': {
    environment: ['UPSTREAM_API_KEY'],
    value: 'KEY',
    help: 'their API key; UPSTREAM_API_KEY_<NAME> is the key of one model alone',
  },
  'upstream-timeout': {
    environment: ['UPSTREAM_TIMEOUT_MS'],
    value: 'MS',
    help: `how long they may be silent (default: ${upstreamDefaults.timeoutMs})`,
  },
  'upstream-retries': {
    environment: ['UPSTREAM_RETRIES'],
    value: 'N',
    help: `times that a request is sent again (default: ${upstreamDefaults.maxRetries})`,
  },
} as const satisfies Record<string, Flag>;

/** One server for each model. Throws `invalid_request` that names the flag or variable. */
export function toUpstreams(given: Arguments<keyof typeof upstreamFlags>, environment: Environment): Upstream[] {
  const timeoutMs = given.integer('upstream-timeout', { least: 1 }) ?? upstreamDefaults.timeoutMs;
  const maxRetries = given.integer('upstream-retries', { least: 0 }) ?? upstreamDefaults.maxRetries;
  const entries = (given.text('upstream') ?? '')
    .split(',')
    .map((entry) => entry.trim())
    .filter(Boolean);
  return entries.map((entry) => {
    const [, name, address] = /^([^=]+)=(.+)$/.exec(entry) ?? [];
    const url = name !== undefined && address !== undefined && URL.canParse(address) ? new URL(address) : null;
    if (name === undefined || url === null || !/^https?:$/.test(url.protocol)) {
      throw given.wrong('upstream', 'NAME=URL with an address that begins with http:// or https://');
    }
    const theirs = decodeURIComponent(url.hash.slice(1)) || name;
    url.hash = '';
    const apiKey = environment[`UPSTREAM_API_KEY_${toVariable(name)}`] || given.text('upstream-key') || null;
    return { baseUrl: url.href, models: { [name]: theirs }, apiKey, timeoutMs, maxRetries };
  });
}

/** `bge-m3:latest` → `BGE_M3_LATEST` */
function toVariable(name: string): string {
  return name.toUpperCase().replace(/\W+/g, '_');
}
