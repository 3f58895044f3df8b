/** How requests of several tabs come to one engine: in which order, and how many of them before it has read them. */
import { expect, it } from 'vitest';
import { Entrance } from '../../src/sharing/entrance.js';
import { macrotask } from './virtual-runner.js';

/** An engine that reads and answers when the test says so. */
function setUp() {
  /** What the engine was given, in that order, and how each is answered. */
  const given: string[] = [];
  const answers = new Map<string, (value: string) => void>();
  const questions: { resolve(value: unknown): void; reject(reason: Error): void }[] = [];
  const entrance = new Entrance(() => new Promise((resolve, reject) => questions.push({ resolve, reject })));
  const pass = (tab: string, name: string) =>
    entrance.pass(tab, () => {
      given.push(name);
      return new Promise<string>((resolve) => answers.set(name, resolve));
    });
  return {
    given,
    pass,
    /** How often the engine was asked whether it has read everything. */
    asks: () => questions.length,
    rush(tab: string, count: number): void {
      for (let at = 0; at < count; at += 1) void pass(tab, `${tab} ${at}`);
    },
    async answer(name: string): Promise<void> {
      answers.get(name)?.(`answer to ${name}`);
      await macrotask();
    },
    async read(): Promise<void> {
      questions.at(-1)?.resolve(null);
      await macrotask();
    },
    async die(): Promise<void> {
      questions.at(-1)?.reject(new Error('The engine worker died.'));
      await macrotask();
    },
  };
}

it('gives at once what finds nobody before it, and asks the engine nothing', async () => {
  const { pass, given, answer, asks } = setUp();
  const answered = pass('tab', 'query');
  expect(given).toEqual(['query']);
  await answer('query');
  expect([await answered, asks()]).toEqual(['answer to query', 0]);
});

it('gives the engine no more than thirty-two requests that it has not read', async () => {
  const { rush, given, read, asks } = setUp();
  rush('busy', 80);
  expect([given.length, asks()]).toEqual([32, 1]);
  await read();
  expect([given.length, asks()]).toEqual([64, 2]);
  await read();
  expect([given.length, asks()]).toEqual([80, 2]);
});

it('lets the tabs take turns, each in its own order', async () => {
  const { rush, given, read } = setUp();
  rush('busy', 200);
  rush('second', 2);
  rush('third', 1);
  await read();
  expect(given.slice(32, 38)).toEqual(['busy 32', 'second 0', 'third 0', 'busy 33', 'second 1', 'busy 34']);
  expect(given).toHaveLength(64);
});

it('takes an answer for a sign that the request was read', async () => {
  const { rush, given, answer, asks } = setUp();
  rush('busy', 40);
  for (const at of [0, 1, 2]) await answer(`busy ${at}`);
  expect([given.length, asks()]).toEqual([35, 1]);
});

it('counts only what was given before the engine was asked as read', async () => {
  const { rush, given, answer, read, asks } = setUp();
  rush('busy', 200);
  for (let at = 0; at < 10; at += 1) await answer(`busy ${at}`);
  expect([given.length, asks()]).toEqual([42, 1]);
  await read();
  expect([given.length, asks()]).toEqual([64, 2]);
});

it('asks again when the engine was asked about requests that have all been answered since', async () => {
  const { rush, given, answer, read, asks } = setUp();
  rush('busy', 70);
  for (let at = 0; at < 32; at += 1) await answer(`busy ${at}`);
  expect([given.length, asks()]).toEqual([64, 1]);
  await read();
  expect([given.length, asks()]).toEqual([64, 2]);
  await read();
  expect(given).toHaveLength(70);
});

it('goes on when the engine dies before it has read anything', async () => {
  const { rush, given, die, read } = setUp();
  rush('busy', 80);
  await die();
  expect(given).toHaveLength(64);
  await read();
  expect(given).toHaveLength(80);
});

it('settles as what it gave the engine does, also when that had to wait', async () => {
  const { rush, pass, read, answer } = setUp();
  rush('busy', 32);
  const answered = pass('tab', 'query');
  await read();
  await answer('query');
  expect(await answered).toBe('answer to query');
});
