/**
 * Small facts about models on this machine that cost time to find out: which device was faster, what a model's check
 * text gives. Kept as JSON in Cache Storage, in memory where there is none. Losing one costs a measurement, nothing else.
 */

const cacheName = 'vecinity-verdicts-v1';

/** Cache Storage takes only http addresses; this one can never be reached. */
const keyPrefix = 'https://vecinity.invalid/verdicts/';

/** Keeps JSON values by key; reading gives `unknown`, because what an older version wrote may look different. */
export interface VerdictStore {
  /** Null when nothing is kept. */
  read(key: string): Promise<unknown>;
  write(key: string, value: unknown): Promise<void>;
}

/** Remembers for as long as the page or process lives. */
export function createMemoryVerdicts(): VerdictStore {
  const kept = new Map<string, unknown>();
  return {
    read: async (key) => kept.get(key) ?? null,
    write: async (key, value) => {
      kept.set(key, value);
    },
  };
}

/**
 * Remembers in Cache Storage, or in memory where it is absent (Node, plain http) or denied (private windows). Opened by
 * the first use, so that no start waits for it.
 */
export function openVerdicts(storage?: CacheStorage): VerdictStore {
  let opened: Promise<VerdictStore> | null = null;
  const open = (): Promise<VerdictStore> => {
    opened ??= openStore(storage);
    return opened;
  };
  return {
    read: async (key) => await (await open()).read(key),
    write: async (key, value) => await (await open()).write(key, value),
  };
}

async function openStore(storage: CacheStorage | undefined): Promise<VerdictStore> {
  const memory = createMemoryVerdicts();
  try {
    // The mere look at `caches` may throw.
    const cache = await (storage ?? globalThis.caches)?.open(cacheName);
    return cache ? cachedVerdicts(cache, memory) : memory;
  } catch {
    return memory;
  }
}

/** Memory answers first, and keeps answering when the browser evicts or locks its storage. */
function cachedVerdicts(cache: Cache, memory: VerdictStore): VerdictStore {
  const urlOf = (key: string): string => keyPrefix + encodeURIComponent(key);
  return {
    async read(key) {
      const known = await memory.read(key);
      if (known !== null) return known;
      try {
        const response = await cache.match(urlOf(key));
        return response ? await response.json() : null;
      } catch {
        return null;
      }
    },
    async write(key, value) {
      await memory.write(key, value);
      try {
        await cache.put(urlOf(key), Response.json(value));
      } catch {
        // A full quota loses the verdict with the page; it is measured again next time.
      }
    },
  };
}
