import { expect, test, vi } from 'vitest';
import { watchRequests } from '../../src/page/passed-by.js';

/** A watch whose repairs end when the test says how. */
function setUp() {
  const container = new EventTarget();
  const ends: ((worked: boolean) => void)[] = [];
  const repair = vi.fn(() => new Promise<boolean>((resolve) => ends.push(resolve)));
  const life = new AbortController();
  const mount = { origin: 'http://localhost', base: '/', routePrefix: '' };
  watchRequests({ mount, container, repair, signal: life.signal });
  return {
    repair,
    change: () => container.dispatchEvent(new Event('controllerchange')),
    end: async (worked: boolean) => {
      ends.shift()?.(worked);
      await new Promise(setImmediate);
    },
    stop: () => life.abort(),
  };
}

test('a Service Worker that takes the page over while the one before it is looked at is looked at, too', async () => {
  const { repair, change, end, stop } = setUp();
  change();
  change();
  change();
  expect(repair).toHaveBeenCalledTimes(1);
  await end(true);
  expect(repair).toHaveBeenCalledTimes(2);
  await end(true);
  expect(repair).toHaveBeenCalledTimes(2);
  stop();
});

test('a repair that fails is not tried again for the changes that it made itself, but for the next one', async () => {
  const { repair, change, end, stop } = setUp();
  change();
  change();
  await end(false);
  expect(repair).toHaveBeenCalledTimes(1);
  change();
  expect(repair).toHaveBeenCalledTimes(2);
  await end(true);
  stop();
  change();
  expect(repair).toHaveBeenCalledTimes(2);
});
