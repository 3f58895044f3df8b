/** Requests of a Service Worker that was stopped and asks again: on the real ports, with time that the test moves. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { WireRequest, WireResponse } from '../../src/protocol.js';
import { Answers, keyOf, withKey } from '../../src/wire/answers.js';
import { deferred } from './deferred.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const open = () => new AbortController().signal;
const bodyOf = (text: string) => new TextEncoder().encode(text).buffer;
const requestOf = (text: string): WireRequest => ({
  method: 'POST',
  url: 'http://x/v1',
  headers: [],
  body: bodyOf(text),
});
const responseOf = (text: string, status = 200): WireResponse => ({
  status,
  statusText: '',
  headers: [],
  body: bodyOf(text),
});
const textOf = ({ body }: WireResponse) => new TextDecoder().decode(body ?? new ArrayBuffer(0));

/** An engine that counts what it computes. */
function setUp(status = 200) {
  const computed: string[] = [];
  const compute = async ({ body }: WireRequest) => {
    const text = new TextDecoder().decode(body ?? new ArrayBuffer(0));
    computed.push(text);
    return responseOf(`answer to ${text}`, status);
  };
  const answers = new Answers();
  return { answers, computed, ask: (wire: WireRequest, signal = open()) => answers.ask(wire, signal, compute) };
}

test('a request that comes again before its answer was delivered is computed once', async () => {
  const { ask, computed } = setUp();
  const wire = await withKey(requestOf('text'), 'tab');
  expect(textOf(await ask(wire))).toBe('answer to text');
  const again = await ask(await withKey(requestOf('text'), 'tab'));
  expect(textOf(again)).toBe('answer to text');
  expect(computed).toEqual(['text']);
});

test('a request that comes again while it is computed joins it, and outlives the one that was there first', async () => {
  const computing = deferred<WireResponse>();
  const answers = new Answers();
  const signals: AbortSignal[] = [];
  const compute = (_: WireRequest, signal: AbortSignal) => {
    signals.push(signal);
    return computing.promise;
  };
  const wire = await withKey(requestOf('text'), 'tab');
  const [first, second] = [new AbortController(), new AbortController()];
  const both = [answers.ask(wire, first.signal, compute), answers.ask(wire, second.signal, compute)];
  first.abort();
  expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
  computing.resolve(responseOf('answer'));
  expect((await Promise.all(both)).map(textOf)).toEqual(['answer', 'answer']);
});

test('what nobody waits for any more is not computed further', async () => {
  const answers = new Answers();
  const signals: AbortSignal[] = [];
  const compute = (_: WireRequest, signal: AbortSignal) => {
    signals.push(signal);
    return new Promise<WireResponse>(() => {});
  };
  const wire = await withKey(requestOf('text'), 'tab');
  const asker = new AbortController();
  void answers.ask(wire, asker.signal, compute);
  asker.abort();
  void answers.ask(wire, open(), compute);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
});

test('an answer that was delivered, or is a minute old, or too much to keep, is computed anew', async () => {
  const { answers, ask, computed } = setUp();
  const wire = await withKey(requestOf('text'), 'tab');
  await ask(wire);
  answers.delivered(wire);
  await ask(wire);
  vi.advanceTimersByTime(60_000);
  await ask(wire);
  expect(computed).toHaveLength(3);
  const large = () => Promise.resolve({ ...responseOf(''), body: new ArrayBuffer(20 * 2 ** 20) });
  for (const text of ['one', 'two']) await answers.ask(await withKey(requestOf(text), 'tab'), open(), large);
  await ask(wire);
  expect(textOf(await ask(await withKey(requestOf('one'), 'tab')))).toBe('answer to one');
});

test('an error is not kept', async () => {
  const { ask, computed } = setUp(429);
  const wire = await withKey(requestOf('text'), 'tab');
  await ask(wire);
  await ask(wire);
  expect(computed).toHaveLength(2);
});

test('the key is of the content and of the client; without a body there is none, and the engine never sees it', async () => {
  const keys = await Promise.all([
    withKey(requestOf('text'), 'tab'),
    withKey(requestOf('text'), 'other tab'),
    withKey(requestOf('other text'), 'tab'),
    withKey({ ...requestOf('text'), url: 'http://x/v2' }, 'tab'),
  ]);
  expect(new Set(keys.map(keyOf)).size).toBe(4);
  expect(keyOf(await withKey({ ...requestOf(''), body: null }, 'tab'))).toBeNull();
  const seen: WireRequest[] = [];
  const compute = async (request: WireRequest) => {
    seen.push(request);
    return responseOf('answer');
  };
  await new Answers().ask(await withKey(requestOf('text'), 'tab'), open(), compute);
  expect(seen.map(({ headers }) => headers)).toEqual([[]]);
});
