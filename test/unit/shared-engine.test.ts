/** The names by which tabs find each other, or do not: on stand-ins of the platform that note them. */
import { afterEach, expect, test, vi } from 'vitest';
import type { EngineLine } from '../../src/wire/engine-line.js';

const line: EngineLine = {
  // Only the names are looked at, so any answer will do.
  run: async () => null as never,
  connect: async () => {},
  dispose() {},
};

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

/** Opens a tab of this build and setup; gives the locks and channels that it asked for. */
async function namesOf({ build, setup }: { build: string; setup: unknown }): Promise<string[]> {
  const names: string[] = [];
  vi.stubGlobal('navigator', {
    locks: {
      request(name: string, ...rest: [...unknown[], () => Promise<unknown>]) {
        names.push(name);
        const [hold] = rest.slice(-1) as [() => Promise<unknown>];
        return Promise.resolve().then(hold);
      },
    },
  });
  vi.stubGlobal(
    'BroadcastChannel',
    class {
      constructor(name: string) {
        names.push(name);
      }
      postMessage() {}
      close() {}
    },
  );
  vi.stubGlobal('document', Object.assign(new EventTarget(), { visibilityState: 'visible' }));
  vi.stubGlobal('window', new EventTarget());
  vi.resetModules();
  vi.doMock('../../src/wire/build-id.js', () => ({ buildId: build }));
  const { SharedEngine } = await import('../../src/sharing/shared-engine.js');
  const engine = new SharedEngine({ setup, startEngine: () => line, startOwnEngine: () => line });
  await engine.run({ operation: 'status', argument: null });
  engine.dispose();
  return names;
}

const common = (some: readonly string[], others: readonly string[]) => some.filter((name) => others.includes(name));

test('tabs of the same build and setup meet at one channel and one leader’s lock', async () => {
  const [first, second] = [
    await namesOf({ build: 'one', setup: { model: 'a' } }),
    await namesOf({ build: 'one', setup: { model: 'a' } }),
  ];
  const shared = common(first, second);
  expect(shared).toHaveLength(2);
  expect(shared).toContain(`${shared[0]?.replace(/:leader$/, '')}:leader`);
});

test('tabs of another build or another setup share no name at all', async () => {
  const first = await namesOf({ build: 'one', setup: { model: 'a' } });
  expect(common(first, await namesOf({ build: 'two', setup: { model: 'a' } }))).toEqual([]);
  expect(common(first, await namesOf({ build: 'one', setup: { model: 'b' } }))).toEqual([]);
});

test('every name says whose it is, in which version of the protocol and of which build', async () => {
  const names = await namesOf({ build: 'one', setup: {} });
  expect(names.length).toBeGreaterThan(3);
  expect(names.filter((name) => !name.startsWith('vecinity:1:one:'))).toEqual([]);
});
