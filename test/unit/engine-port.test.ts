/** The asking end of a port, against the other end's bare messages. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { VecinityError } from '../../src/errors.js';
import type { FromEnginePort, ToEnginePort } from '../../src/protocol.js';
import { EnginePort, parsePeer, protocolVersion } from '../../src/wire/engine-port.js';

const request = { method: 'GET', url: 'http://x/health', headers: [], body: null };
const response = { status: 200, statusText: '', headers: [], body: null };

let other: MessagePort;
let port: EnginePort;
let heard: (count: number) => Promise<ToEnginePort[]>;

beforeEach(() => {
  const { port1, port2 } = new MessageChannel();
  const messages: ToEnginePort[] = [];
  let onMessage = () => {};
  port2.onmessage = ({ data }) => {
    messages.push(data);
    onMessage();
  };
  heard = (count) =>
    new Promise((resolve) => {
      onMessage = () => messages.length >= count && resolve(messages);
      onMessage();
    });
  other = port2;
  port = new EnginePort(port1);
});
afterEach(() => {
  port.close();
  other.close();
});

const say = (message: FromEnginePort) => other.postMessage(message);
const open = () => new AbortController().signal;

test('only an engine of the same protocol version has said hello', async () => {
  let isGreeted = false;
  void port.hello.then(() => {
    isGreeted = true;
  });
  // Another version stands for whatever is deployed later.
  say({ type: 'hello', version: 2 as typeof protocolVersion, engineId: 'newer' });
  const answer = port.send(request, open());
  await heard(1);
  say({ type: 'response', id: '1', response });
  expect(await answer).toEqual(response);
  expect(isGreeted).toBe(false);
  say({ type: 'hello', version: protocolVersion, engineId: 'ours' });
  await port.hello;
});

test('what a page says that knows nothing of engines is passed over', async () => {
  const answer = port.send(request, open());
  await heard(1);
  for (const garbage of [null, 'ok', 7, [], {}, { type: 'response' }, { type: 'response', id: '__proto__' }])
    other.postMessage(garbage);
  say({ type: 'response', id: '1', response });
  expect(await answer).toEqual(response);
});

test('an abort cancels its own request, and leaves no listener on the signal', async () => {
  const controller = new AbortController();
  const [gone, stays] = [port.send(request, controller.signal), port.send(request, open())];
  await heard(2);
  controller.abort(new VecinityError('timeout', 'too long'));
  await expect(gone).rejects.toMatchObject({ code: 'timeout' });
  expect((await heard(3))[2]).toEqual({ type: 'cancel', id: '1' });
  say({ type: 'response', id: '1', response });
  say({ type: 'response', id: '2', response });
  expect(await stays).toEqual(response);
});

test('a closed port ends what is open and takes nothing more, with the reason that it was given', async () => {
  const waiting = port.send(request, open());
  port.close(new VecinityError('worker_died', 'the engine is gone'));
  await expect(waiting).rejects.toMatchObject({ code: 'worker_died' });
  await expect(port.send(request, open())).rejects.toMatchObject({ code: 'worker_died' });
  expect((await heard(2)).map(({ type }) => type)).toEqual(['request', 'close']);
});

test('a message between page and Service Worker is read only when it is ours and of our version', () => {
  const ours = { vecinity: protocolVersion, type: 'ping' };
  expect(parsePeer(ours)).toBe(ours);
  for (const foreign of [null, 'ping', {}, { vecinity: 2, type: 'ping' }]) expect(parsePeer(foreign)).toBeNull();
});
