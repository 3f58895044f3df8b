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
  vi.advanceTimersByTime(59_999);
  await ask(wire);
  expect(computed).toHaveLength(2);
  vi.advanceTimersByTime(1);
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

test('the delivery of an answer that was not kept ends no later computation of the same request', async () => {
  const { answers, ask } = setUp(429);
  const first = await withKey(requestOf('text'), 'tab');
  await ask(first);
  const signals: AbortSignal[] = [];
  const compute = (_: WireRequest, signal: AbortSignal) => {
    signals.push(signal);
    return new Promise<WireResponse>(() => {});
  };
  void answers.ask(await withKey(requestOf('text'), 'tab'), open(), compute);
  answers.delivered(first);
  expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
});

test('the key is of the content and of the client; without a body there is none, and the engine never sees it', async () => {
  const keys = await Promise.all([
    withKey(requestOf('text'), 'tab'),
    withKey(requestOf('text'), 'other tab'),
    withKey(requestOf('other text'), 'tab'),
    withKey({ ...requestOf('text'), url: 'http://x/v2' }, 'tab'),
    withKey({ ...requestOf('text'), method: 'PUT' }, 'tab'),
  ]);
  expect(new Set(keys.map(keyOf)).size).toBe(5);
  expect(keyOf(await withKey({ ...requestOf(''), body: null }, 'tab'))).toBeNull();
  const seen: WireRequest[] = [];
  const compute = async (request: WireRequest) => {
    seen.push(request);
    return responseOf('answer');
  };
  await new Answers().ask(await withKey(requestOf('text'), 'tab'), open(), compute);
  expect(seen.map(({ headers }) => headers)).toEqual([[]]);
});

test('answers are handed out as copies, each of which may move to another thread', async () => {
  const { ask } = setUp();
  const wire = await withKey(requestOf('text'), 'tab');
  const first = await ask(wire);
  structuredClone(first.body, { transfer: [first.body ?? new ArrayBuffer(0)] });
  expect(textOf(await ask(wire))).toBe('answer to text');
});

test('an asker that is served leaves nothing on its signal, and its later abort takes the answer from no other', async () => {
  const { ask, computed } = setUp();
  const wire = await withKey(requestOf('text'), 'tab');
  const asker = new AbortController();
  await ask(wire, asker.signal);
  asker.abort();
  await ask(wire);
  expect(computed).toEqual(['text']);
});

test('what could not be computed is computed anew, and an older end does not touch the newer beginning', async () => {
  const answers = new Answers();
  const [late, newer] = [deferred(), deferred<WireResponse>()];
  let begun = 0;
  const ended = late.promise.then(() => Promise.reject(new Error('called off')));
  const compute = () => [ended, newer.promise][begun++ - 1] ?? Promise.reject(new Error('worker died'));
  const wire = await withKey(requestOf('text'), 'tab');
  const failing = answers.ask(wire, open(), compute);
  await expect(failing).rejects.toThrow('worker died');
  const asker = new AbortController();
  const abandoned = answers.ask(wire, asker.signal, compute);
  asker.abort();
  const next = answers.ask(wire, open(), compute);
  late.resolve();
  await expect(abandoned).rejects.toThrow('called off');
  const joined = answers.ask(wire, open(), compute);
  newer.resolve(responseOf('answer'));
  expect((await Promise.all([next, joined])).map(textOf)).toEqual(['answer', 'answer']);
  expect(begun).toBe(3);
});

test('room is made of answers, never of what is still computed', async () => {
  const { answers, computed } = setUp();
  const computing = deferred<WireResponse>();
  const slow = () => {
    computed.push('slow');
    return computing.promise;
  };
  const wire = await withKey(requestOf('slow'), 'tab');
  const first = answers.ask(wire, open(), slow);
  const large = () => Promise.resolve({ ...responseOf(''), body: new ArrayBuffer(20 * 2 ** 20) });
  for (const text of ['one', 'two']) await answers.ask(await withKey(requestOf(text), 'tab'), open(), large);
  const again = answers.ask(wire, open(), slow);
  computing.resolve(responseOf('answer'));
  expect((await Promise.all([first, again])).map(textOf)).toEqual(['answer', 'answer']);
  expect(computed).toEqual(['slow']);
});

test('an answer that is too large by itself is not kept and takes the place of no other', async () => {
  const { answers, ask, computed } = setUp();
  const wire = await withKey(requestOf('small'), 'tab');
  await ask(wire);
  const huge = () => Promise.resolve({ ...responseOf(''), body: new ArrayBuffer(2 ** 25 + 1) });
  await answers.ask(await withKey(requestOf('huge'), 'tab'), open(), huge);
  await ask(wire);
  expect(computed).toEqual(['small']);
});
