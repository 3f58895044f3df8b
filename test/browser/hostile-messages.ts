/** One message of every form that windows, workers, ports and channels of the package read, as a stranger would forge it. */
import type {
  FromCompute,
  FromEnginePort,
  ToCompute,
  ToEnginePort,
  ToPage,
  ToServiceWorker,
} from '../../src/protocol.js';
import type { Announcement, ToFollower, ToLeader } from '../../src/sharing/messages.js';

const version = 1;
const id = '1';
const epoch = '9'.repeat(16);
const error = { code: 'disposed' as const, message: 'forged', param: null, retryAfterMs: null };
const wire = { method: 'GET', url: 'http://localhost/v1/models', headers: [], body: null };
const answer = { status: 200, statusText: '', headers: [], body: null };

const serviceWorker: (ToPage | ToServiceWorker)[] = [
  { vecinity: version, type: 'connect', id },
  { vecinity: version, type: 'done', id },
  { vecinity: version, type: 'pong', build: 'source' },
  { vecinity: version, type: 'claim' },
  { vecinity: version, type: 'ping' },
  { vecinity: version, type: 'keepalive' },
  { vecinity: version, type: 'no-engine' },
];

const ports: (ToEnginePort | FromEnginePort)[] = [
  { type: 'request', id, request: wire },
  { type: 'cancel', id },
  { type: 'hello', version, engineId: id },
  { type: 'response', id, response: answer },
  { type: 'close' },
];

const tabs: (Announcement | ToLeader | ToFollower)[] = [
  { type: 'hello', from: 'stranger', visible: true, latest: epoch },
  { type: 'leader', epoch, stolen: true },
  {
    type: 'request',
    epoch,
    id: 1,
    call: { operation: 'status', argument: null },
    deaths: 0,
    watched: true,
    abortable: true,
  },
  { type: 'cancel', epoch, id: 1 },
  { type: 'ping', epoch },
  { type: 'welcome', epoch },
  { type: 'result', epoch, id: 1, value: null },
  { type: 'error', epoch, id: 1, error },
  { type: 'died', epoch, id: 1 },
  { type: 'pong', epoch },
  { type: 'takeover', epoch, at: 0 },
  { type: 'bye', epoch },
];

const compute: (ToCompute | FromCompute)[] = [
  { type: 'dispose', id: 1 },
  { type: 'done', id: 1 },
  { type: 'error', id: 1, error },
];

/** Calls as Comlink posts them to what a worker or window exposes. */
const calls = [
  { id, type: 'GET', path: [] },
  { id, type: 'APPLY', path: ['ping'], argumentList: [] },
  { id, type: 'APPLY', path: ['status'], argumentList: [] },
  { id, type: 'APPLY', path: ['dispose'], argumentList: [] },
  { id, type: 'SET', path: ['__proto__', 'polluted'], value: { type: 'RAW', value: true } },
  { id, type: 'ENDPOINT', path: [] },
];

/** Signals of a call, and what is nothing at all. */
const rest = [
  'abort',
  'release',
  'close',
  'SKIP_WAITING',
  { type: 'SKIP_WAITING' },
  null,
  0,
  [],
  [1, 2],
  { vecinity: 2 },
];

export const everyMessage: readonly unknown[] = [...serviceWorker, ...ports, ...tabs, ...compute, ...calls, ...rest];
