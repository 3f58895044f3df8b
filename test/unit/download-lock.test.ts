/** One download at a time by the platform's locks, here a queue of callbacks; the channels are those of Node. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { lockDownload } from '../../src/storage/download-lock.js';
import { deferred } from './deferred.js';

const url = 'https://hub.example/model.safetensors';
const refusal = () => new DOMException('denied', 'SecurityError');

/** Grants each name to one holder after the other; `signal` ends a wait. */
function queueOfLocks() {
  const tails = new Map<string, Promise<unknown>>();
  return {
    async request(name: string, { signal }: { signal?: AbortSignal }, hold: () => Promise<unknown>) {
      const before = tails.get(name) ?? Promise.resolve();
      const gone = new Promise<never>((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason));
      });
      const held = Promise.race([before, gone]).then(hold);
      tails.set(
        name,
        held.catch(() => {}),
      );
      return await held;
    },
  };
}

const refusing = { request: () => Promise.reject(refusal()) };

class RefusedChannel {
  constructor() {
    throw refusal();
  }
}

function useLocks(locks: unknown): void {
  vi.stubGlobal('navigator', { locks });
}

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe('a download of a file', () => {
  it('waits for another one, hears how far that is, and begins when it has ended', async () => {
    useLocks(queueOfLocks());
    const [ending, heard] = [deferred(), deferred<[number, number | null]>()];
    const order: string[] = [];
    const first = lockDownload(url, {}, async (tell) => {
      order.push('first begins');
      tell(3, 10);
      await ending.promise;
      order.push('first ends');
    });
    const onProgress = (loadedBytes: number, totalBytes: number | null) => heard.resolve([loadedBytes, totalBytes]);
    const second = lockDownload(url, { onProgress }, async () => order.push('second begins'));
    expect(await heard.promise).toEqual([3, 10]);
    ending.resolve();
    await Promise.all([first, second]);
    expect(order).toEqual(['first begins', 'first ends', 'second begins']);
  });

  it('does not wait for that of another file', async () => {
    useLocks(queueOfLocks());
    const ending = deferred();
    const first = lockDownload(url, {}, () => ending.promise);
    expect(await lockDownload(`${url}.json`, {}, async () => 'done')).toBe('done');
    ending.resolve();
    await first;
  });

  it('hears nothing of others while it has the lock itself', async () => {
    useLocks(queueOfLocks());
    const onProgress = vi.fn();
    await lockDownload(url, { onProgress }, async () => {
      const [other, witness] = [0, 1].map(() => new BroadcastChannel(`vecinity:v1:download:${url}`));
      await new Promise((resolve) => {
        if (witness) witness.onmessage = resolve;
        other?.postMessage([1, 2]);
      });
      other?.close();
      witness?.close();
    });
    expect(onProgress).not.toHaveBeenCalled();
  });

  it('gives its wait up when its signal says so, and closes its channel whatever happened', async () => {
    useLocks(queueOfLocks());
    const close = vi.spyOn(BroadcastChannel.prototype, 'close');
    const [ending, stop, work] = [deferred(), new AbortController(), vi.fn(async () => {})];
    const first = lockDownload(url, {}, () => ending.promise);
    const second = lockDownload(url, { signal: stop.signal }, work);
    stop.abort(new Error('given up'));
    await expect(second).rejects.toThrow('given up');
    expect(close).toHaveBeenCalledTimes(1);
    ending.resolve();
    await first;
    expect(close).toHaveBeenCalledTimes(2);
    expect(work).not.toHaveBeenCalled();
  });
});

describe('without locks a download', () => {
  it.each([
    ['they are missing', () => useLocks(undefined)],
    ['they are refused, as in a frame of another site', () => useLocks(refusing)],
    [
      'channels are refused',
      () => {
        useLocks(queueOfLocks());
        vi.stubGlobal('BroadcastChannel', RefusedChannel);
      },
    ],
  ])('begins at once, and only once, where %s', async (_, arrange) => {
    arrange();
    const work = vi.fn(async (tell: (loadedBytes: number, totalBytes: number | null) => void) => {
      tell(1, 2);
      return 'done';
    });
    expect(await lockDownload(url, {}, work)).toBe('done');
    expect(work).toHaveBeenCalledOnce();
  });

  it('does not begin where the lock fails for another reason', async () => {
    useLocks({ request: () => Promise.reject(new DOMException('the page is going', 'InvalidStateError')) });
    const work = vi.fn(async () => {});
    await expect(lockDownload(url, {}, work)).rejects.toThrow('the page is going');
    expect(work).not.toHaveBeenCalled();
  });

  it('is not begun again when its own work was refused something', async () => {
    useLocks(queueOfLocks());
    const work = vi.fn(() => Promise.reject(refusal()));
    await expect(lockDownload(url, {}, work)).rejects.toThrow('denied');
    expect(work).toHaveBeenCalledOnce();
  });
});
