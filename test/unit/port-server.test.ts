/** The answering end of a port, against bare messages of the other end. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FromEnginePort, ToEnginePort, WireRequest } from '../../src/protocol.js';
import { servePort } from '../../src/wire/port-server.js';
import { type Deferred, deferred } from './deferred.js';

const request: WireRequest = { method: 'GET', url: 'http://x/health', headers: [], body: null };

/** A request that the handler has, until the test lets it answer. */
interface Held {
  signal: AbortSignal;
  answer: Deferred<Response>;
}

let other: MessagePort;
let held: Held[];
let heard: FromEnginePort[];
/** Resolves when the condition holds; looked at with every message and every request. */
let until: (condition: () => boolean) => Promise<void>;

beforeEach(() => {
  const { port1, port2 } = new MessageChannel();
  let look = () => {};
  until = (condition) =>
    new Promise((resolve) => {
      look = () => condition() && resolve();
      look();
    });
  heard = [];
  held = [];
  other = port2;
  other.onmessage = ({ data }) => {
    heard.push(data);
    look();
  };
  const handler = ({ signal }: Request) => {
    const answer = deferred<Response>();
    held.push({ signal, answer });
    look();
    return answer.promise;
  };
  servePort(port1, { handler, engineId: 'engine' });
});
afterEach(() => other.close());

const say = (message: ToEnginePort) => other.postMessage(message);
const ask = (id: string) => say({ type: 'request', id, request });

const abortOf = (request: Held | undefined) =>
  new Promise<void>((resolve) => request?.signal.addEventListener('abort', () => resolve()));

test('says hello, takes a request on, and answers it', async () => {
  ask('1');
  await until(() => held.length === 1);
  held[0]?.answer.resolve(new Response(null, { status: 204 }));
  await until(() => heard.length === 2);
  expect(heard).toMatchObject([
    { type: 'hello', engineId: 'engine' },
    { type: 'response', id: '1', response: { status: 204, body: null } },
  ]);
});

test('a request that is cancelled is aborted, and gets no answer when there is one after all', async () => {
  ask('1');
  ask('2');
  await until(() => held.length === 2);
  const aborted = abortOf(held[0]);
  say({ type: 'cancel', id: '1' });
  await aborted;
  for (const { answer } of held) answer.resolve(new Response('late'));
  await until(() => heard.some(({ type }) => type === 'response'));
  expect(held.map(({ signal }) => signal.aborted)).toEqual([true, false]);
  expect(heard.flatMap((message) => (message.type === 'response' ? [message.id] : []))).toEqual(['2']);
});

test('the end of the conversation aborts what is open', async () => {
  ask('1');
  await until(() => held.length === 1);
  const aborted = abortOf(held[0]);
  say({ type: 'close' });
  await aborted;
});
