/** What `serviceWorker.register()` does until plain `fetch` calls of its page arrive, with a Service Worker in the test's hand. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ServiceWorkerLink } from '../../src/page/service-worker-link.js';
import { buildId } from '../../src/wire/build-id.js';
import { protocolVersion } from '../../src/wire/engine-port.js';

const scope = 'https://app.example/';

/** A page's container and its registered Service Worker. */
class FakeContainer extends EventTarget {
  controller: { scriptURL: string } | null = null;
  build = buildId;
  claims = 0;
  /** What a claim does, the `count`th of this test. */
  onClaim: (count: number) => void = () => {};
  onReplaced: () => void = () => {};

  readonly registered: string[] = [];

  readonly worker = Object.assign(new EventTarget(), {
    scriptURL: `${scope}vecinity-sw.js`,
    state: 'activated',
    postMessage: (message: { type: string }, [port]: MessagePort[] = []) => {
      port?.postMessage({ vecinity: protocolVersion, type: 'pong', build: this.build });
      if (message.type !== 'claim') return;
      this.claims += 1;
      this.onClaim(this.claims);
    },
  });
  update = async () => {};
  /** Set where a script of another address is installed first; null while it takes over at once. */
  next: (EventTarget & { scriptURL: string; state: string }) | null = null;
  /** Set where a worker that is installed waits for the one before it. */
  waiting: (EventTarget & { scriptURL: string; state: string }) | null = null;

  startMessages(): void {}

  async register(script: URL | string) {
    this.registered.push(String(script));
    if (this.registered.length > 1 && this.next) {
      this.next.scriptURL = String(script);
      return { scope, active: this.worker, installing: this.next, waiting: null, update: this.update };
    }
    if (this.registered.length > 1) {
      this.worker.scriptURL = String(script);
      this.onReplaced();
    }
    return { scope, active: this.worker, installing: null, waiting: this.waiting, update: this.update };
  }

  /** What is installed already: the worker of an earlier page, of this address. */
  installed: string | null = null;

  /** What has the page, where it is another registration than ours. */
  nearest: { scope: string; active: { scriptURL: string } | null } | null = null;

  async getRegistration(url: string) {
    if (this.nearest && url.startsWith(this.nearest.scope)) return this.nearest;
    if (this.installed !== null) this.worker.scriptURL = this.installed;
    return this.installed === null ? undefined : { scope, active: this.worker, update: this.update };
  }

  control(worker: { scriptURL: string } = this.worker): void {
    this.controller = worker;
    this.dispatchEvent(new Event('controllerchange'));
  }
}

/** Delivers what the test says of this page's requests. */
class FakeObserver {
  static readonly running = new Set<FakeObserver>();
  readonly #tell: (list: { getEntries(): object[] }) => void;

  constructor(tell: (list: { getEntries(): object[] }) => void) {
    this.#tell = tell;
  }

  observe(): void {
    FakeObserver.running.add(this);
  }

  disconnect(): void {
    FakeObserver.running.delete(this);
  }

  static async request(path: string, workerStart: number, initiatorType = 'fetch'): Promise<void> {
    const entry = { name: new URL(path, scope).href, workerStart, initiatorType };
    for (const observer of FakeObserver.running) observer.#tell({ getEntries: () => [entry] });
    await new Promise((resolve) => setTimeout(resolve));
  }
}

let container: FakeContainer;
let isReached: boolean;
const asked = vi.fn();

beforeEach(() => {
  container = new FakeContainer();
  isReached = true;
  asked.mockReset();
  vi.stubGlobal('navigator', { serviceWorker: container });
  vi.stubGlobal('document', { baseURI: scope });
  vi.stubGlobal('location', { href: `${scope}app/page`, origin: scope.slice(0, -1) });
  vi.stubGlobal('PerformanceObserver', FakeObserver);
  link = new ServiceWorkerLink({ connect: async () => {}, routePrefix: '' });
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    asked(url, init.cache);
    if (!isReached) throw new TypeError('Failed to fetch');
    return new Response();
  });
});

afterEach(() => {
  link.dispose();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

let link: ServiceWorkerLink;
const register = () => link.register();

/** The registration, with as much time as its claims take. */
async function registered() {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const registering = register();
  // Until then a real message is on its way, which takes no virtual time.
  await vi.waitFor(() => expect(container.claims).toBe(1), { timeout: 20_000 });
  await vi.advanceTimersByTimeAsync(60_000);
  return await registering;
}

it('asks nothing of a Service Worker that controls the page and is reached, and nobody else whether it is', async () => {
  container.controller = container.worker;
  expect(await register()).toEqual({ controlled: true, version: buildId, outdated: false });
  expect(container.claims).toBe(0);
  expect(asked.mock.calls).toEqual([[`${scope}vecinity-control`, 'only-if-cached']]);
});

it('has a page taken over by another worker when its requests pass by the one that seems to control it', async () => {
  container.controller = container.worker;
  isReached = false;
  container.onReplaced = () => {
    isReached = true;
  };
  expect(await register()).toMatchObject({ controlled: true });
  expect(container.registered).toEqual([`${scope}vecinity-sw.js`, `${scope}vecinity-sw.js?again=1`]);
});

it('has the worker that takes a page over begin at once, and only then looks whether the page is reached', async () => {
  container.controller = container.worker;
  isReached = false;
  const next = Object.assign(new EventTarget(), { scriptURL: '', state: 'installing', postMessage: vi.fn() });
  container.next = next;
  const registering = register();
  await vi.waitFor(() => expect(next.scriptURL).not.toBe(''), { timeout: 20_000 });
  expect(next.postMessage).not.toHaveBeenCalled();
  next.state = 'installed';
  next.dispatchEvent(new Event('statechange'));
  await vi.waitFor(() => expect(next.postMessage).toHaveBeenCalledWith({ vecinity: protocolVersion, type: 'claim' }));
  expect(asked).toHaveBeenCalledTimes(1);
  isReached = true;
  container.control(next);
  expect(await registering).toMatchObject({ controlled: true });
});

it('says it again when the Service Worker was stopped before it heard of the claim', async () => {
  container.onClaim = (count) => {
    if (count === 3) container.control();
  };
  expect(await registered()).toMatchObject({ controlled: true });
  expect(container.claims).toBe(3);
});

it('says so in the end when requests of the page still pass it by', async () => {
  container.controller = container.worker;
  isReached = false;
  expect(await register()).toMatchObject({ controlled: false });
});

it('does not ask another build, which may not know the question', async () => {
  container.controller = container.worker;
  container.build = 'another';
  isReached = false;
  expect(await register()).toEqual({ controlled: true, version: 'another', outdated: true });
  expect(asked).not.toHaveBeenCalled();
});

it('leaves the address of an earlier takeover as it is, which needs no network and disturbs no other tab', async () => {
  container.installed = `${scope}vecinity-sw.js?again=1`;
  container.controller = container.worker;
  expect(await register()).toMatchObject({ controlled: true });
  expect(container.registered).toEqual([container.installed]);
});

it('takes a page over under the next address when that one is passed by in turn', async () => {
  container.installed = `${scope}vecinity-sw.js?again=1`;
  container.controller = container.worker;
  isReached = false;
  container.onReplaced = () => {
    isReached = true;
  };
  expect(await register()).toMatchObject({ controlled: true });
  expect(container.registered.at(-1)).toBe(`${scope}vecinity-sw.js?again=2`);
});

it('replaces another script of the scope', async () => {
  container.installed = `${scope}old-sw.js?again=1`;
  container.controller = container.worker;
  await register();
  expect(container.registered).toEqual([`${scope}vecinity-sw.js`]);
});

it('is content with the worker that another tab took over with meanwhile', async () => {
  container.controller = { scriptURL: `${scope}vecinity-sw.js?again=1` };
  expect(await register()).toMatchObject({ controlled: true });
  expect(container.claims).toBe(0);
});

describe('a registration that waits for an update whose network swallows what is sent', () => {
  let answer: () => void;

  beforeEach(() => {
    const held = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const { register: registerAtOnce } = container;
    container.register = async (script) => {
      await held;
      return await registerAtOnce.call(container, script);
    };
    container.controller = container.worker;
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });

  it('goes on after a few seconds with the same script where it stands', async () => {
    container.installed = `${scope}vecinity-sw.js`;
    const registering = register();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await registering).toMatchObject({ controlled: true });
    expect(container.registered).toEqual([]);
  });

  it('goes on with an older build where it stands, although that is looked for anew in vain', async () => {
    container.installed = `${scope}vecinity-sw.js`;
    container.build = 'older';
    container.update = () => new Promise(() => {});
    const registering = register();
    const ended = vi.fn();
    void registering.finally(ended);
    await vi.advanceTimersByTimeAsync(5_000);
    // Real messages are on their way meanwhile, which take no virtual time.
    await vi.waitFor(
      async () => {
        await vi.advanceTimersByTimeAsync(1_000);
        expect(ended).toHaveBeenCalled();
      },
      { timeout: 20_000 },
    );
    expect(await registering).toMatchObject({ controlled: true, outdated: true });
  });

  it('is waited for where another script stands', async () => {
    container.installed = `${scope}their-sw.js`;
    const ended = vi.fn();
    const registering = register().finally(ended);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(ended).not.toHaveBeenCalled();
    answer();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await registering).toBeDefined();
    expect(container.registered).not.toEqual([]);
  });
});

it('says that a window blocks Service Workers where a registration gives nothing', async () => {
  container.register = async () => undefined as never;
  const refusal = { code: 'service_worker_unavailable', message: expect.stringContaining('blocks its registration') };
  await expect(register()).rejects.toMatchObject(refusal);
});

describe('a site that was deployed anew', () => {
  /** The installed worker, and the one that an update finds, which takes over in the end. */
  function deploy(name: string, answerOfOld: string | null) {
    const postTo =
      (build: string | null) =>
      (message: { type: string }, [port]: MessagePort[] = []) => {
        if (build !== null) port?.postMessage({ vecinity: protocolVersion, type: 'pong', build });
        if (message.type === 'claim') container.control();
      };
    const scriptURL = `${scope}${name}`;
    const old = Object.assign(new EventTarget(), { scriptURL, state: 'activated', postMessage: postTo(answerOfOld) });
    const next = Object.assign(new EventTarget(), { scriptURL, state: 'installing', postMessage: postTo(buildId) });
    const registration = {
      ...{ scope, active: old, installing: null as typeof next | null, waiting: null },
      update: async () => {
        registration.installing = next;
      },
    };
    container.worker.scriptURL = scriptURL;
    container.register = async () => registration as never;
    const become = (state: string) => {
      next.state = state;
      if (state === 'activated') registration.active = next;
      next.dispatchEvent(new Event('statechange'));
    };
    const isFound = () => vi.waitFor(() => expect(registration.installing).not.toBeNull(), { timeout: 20_000 });
    return { become, isFound };
  }

  it('is served by its own build, whose worker the registration waits for until it has taken over', async () => {
    const { become, isFound } = deploy('vecinity-sw.js', 'the build before');
    const registering = register();
    await isFound();
    become('installed');
    await new Promise(setImmediate);
    become('activated');
    expect(await registering).toEqual({ controlled: true, version: buildId, outdated: false });
  });

  it('does not wait for a worker of the site’s own, which may itself wait for tabs to close', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { become, isFound } = deploy('own-sw.js', 'the build before');
    const registering = register();
    await isFound();
    become('installed');
    expect(await registering).toEqual({ controlled: true, version: 'the build before', outdated: true });
  });

  it('looks for the newer worker where the one before it does not understand', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { become, isFound } = deploy('vecinity-sw.js', null);
    const registering = register();
    await vi.advanceTimersByTimeAsync(5_000);
    await isFound();
    vi.useRealTimers();
    become('activated');
    expect(await registering).toEqual({ controlled: true, version: buildId, outdated: false });
  });
});

it('says so of a worker that does not answer in our version of the protocol, after an update too', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  container.worker.postMessage = () => {};
  const refused = register().catch((thrown: unknown) => thrown);
  await vi.advanceTimersByTimeAsync(5_000);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(await refused).toMatchObject({
    code: 'service_worker_unavailable',
    message: expect.stringContaining('vecinity-sw.js did not answer: it is of another version'),
  });
});

describe('a registration that the browser refuses', () => {
  beforeEach(() => {
    container.register = async () => {
      throw new DOMException('The user denied permission.', 'SecurityError');
    };
  });

  it('comes with the browser’s words and where the script may be instead', async () => {
    const message = expect.stringMatching(/The user denied permission.*register\(\{ url \}\)/);
    await expect(register()).rejects.toMatchObject({ code: 'service_worker_unavailable', message });
  });

  it('is said to be usual in a frame of another site', async () => {
    vi.stubGlobal('top', {
      get location(): never {
        throw new DOMException('Blocked a frame from accessing a cross-origin frame.', 'SecurityError');
      },
    });
    const message = expect.stringMatching(/The user denied permission.*a page of another site/);
    await expect(register()).rejects.toMatchObject({ code: 'service_worker_unavailable', message });
  });
});

it('says after twenty seconds that a worker is not active, whether it was still being installed or not', async () => {
  for (const state of ['installing', 'installed']) {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const slow = Object.assign(new EventTarget(), { scriptURL: `${scope}vecinity-sw.js`, state: 'installing' });
    container.register = async () => {
      setTimeout(() => {
        slow.state = state;
        slow.dispatchEvent(new Event('statechange'));
      }, 15_000);
      return { scope, active: null, installing: slow, waiting: null, update: async () => {} } as never;
    };
    const ended = register().catch(({ message }) => message);
    await vi.dynamicImportSettled();
    const onEnd = vi.fn();
    void ended.then(onEnd);
    await vi.advanceTimersByTimeAsync(19_000);
    expect(onEnd).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1_000);
    vi.useRealTimers();
    const pending = new Promise((resolve) => setTimeout(() => resolve('still waits')));
    expect(await Promise.race([ended, pending])).toMatch(/it was not active after 20 s/);
  }
});

describe('a page that loses its Service Worker because the site’s data was cleared', () => {
  const loseController = () => {
    container.controller = null;
    container.dispatchEvent(new Event('controllerchange'));
  };
  const opened: ServiceWorkerLink[] = [];
  const open = () => {
    const client = new ServiceWorkerLink({ connect: async () => {}, routePrefix: '' });
    opened.push(client);
    return client;
  };

  afterEach(() => {
    for (const client of opened.splice(0)) client.dispose();
  });

  it('registers it again, as it did before', async () => {
    container.controller = container.worker;
    await open().register({ scope: '/app/' });
    const { length } = container.registered;
    container.onClaim = () => container.control();
    loseController();
    await vi.waitFor(() => expect(container.controller).not.toBeNull());
    expect(container.registered.slice(length)).toEqual([`${scope}vecinity-sw.js`]);
  });

  it('lets it be where it never registered one', async () => {
    container.controller = container.worker;
    open();
    loseController();
    await new Promise(setImmediate);
    expect(container.registered).toEqual([]);
  });

  it('registers it again once, for as long as it has a client, whichever has registered', async () => {
    container.controller = container.worker;
    const [registered, other] = [open(), open()];
    await registered.register();
    container.onClaim = () => container.control();
    registered.dispose();
    loseController();
    await vi.waitFor(() => expect(container.controller).not.toBeNull());
    await new Promise((resolve) => setTimeout(resolve));
    expect(container.registered).toHaveLength(2);
    for (const client of [other, link]) client.dispose();
    loseController();
    await new Promise((resolve) => setTimeout(resolve));
    expect(container.registered).toHaveLength(2);
  });

  it('does not register for its next clients what one of its former ones had', async () => {
    for (const isThere of [true, false]) {
      container.controller = container.worker;
      container.registered.length = 0;
      const registering = register();
      if (isThere) await registering;
      link.dispose();
      await registering;
      link = open();
      loseController();
      await new Promise((resolve) => setTimeout(resolve));
      expect(container.registered).toHaveLength(1);
    }
  });
});

it('goes on with the worker before when requests of other tabs keep that one busy', async () => {
  container.waiting = Object.assign(new EventTarget(), { scriptURL: `${scope}vecinity-sw.js`, state: 'installed' });
  container.controller = container.worker;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const registering = register();
  await vi.waitFor(() => expect(container.registered).toHaveLength(1), { timeout: 20_000 });
  await vi.advanceTimersByTimeAsync(6_000);
  expect(await registering).toMatchObject({ controlled: true });
});

it('says at once that the page belongs to a Service Worker of a narrower scope, and what to do', async () => {
  container.nearest = { scope: `${scope}app/`, active: { scriptURL: `${scope}app/site.js` } };
  const refused = register();
  await expect(refused).rejects.toMatchObject({ code: 'service_worker_unavailable' });
  await expect(refused).rejects.toThrow(
    "this page belongs to /app/site.js, whose scope /app/ is narrower; begin that script with importScripts('/vecinity-sw.js') and call register({ url: '/app/site.js', scope: '/app/' })",
  );
  expect(container.registered).toEqual([]);
});

it('takes a page whose registration of a narrower scope never came to work', async () => {
  container.controller = container.worker;
  container.nearest = { scope: `${scope}app/`, active: null };
  expect(await register()).toMatchObject({ controlled: true });
});

it('keeps a Service Worker awake whose request it serves, also when somebody sets the clock ahead', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date', 'performance'] });
  const told: string[] = [];
  const source = { postMessage: ({ type }: { type: string }) => told.push(type) };
  const data = { vecinity: protocolVersion, type: 'connect', id: 'request' };
  const ports = [new MessageChannel().port1];
  container.dispatchEvent(Object.assign(new Event('message'), { data, source, ports }));
  vi.setSystemTime(Date.now() + 3_600_000);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(told.length).toBeGreaterThan(0);
  expect(new Set(told)).toEqual(new Set(['keepalive']));
});

it('tells every Service Worker whose request it serves that the engine is lost: while one takes over, there are two', async () => {
  const told: string[] = [];
  const offer = (name: string) => {
    const { port1 } = new MessageChannel();
    const source = { postMessage: ({ type }: { type: string }) => told.push(`${name}: ${type}`) };
    const data = { vecinity: protocolVersion, type: 'connect', id: name };
    container.dispatchEvent(Object.assign(new Event('message'), { data, source, ports: [port1] }));
  };
  const done = (id: string) => {
    const data = { vecinity: protocolVersion, type: 'done', id };
    container.dispatchEvent(Object.assign(new Event('message'), { data, source: null, ports: [] }));
  };
  for (const name of ['former', 'next', 'finished']) offer(name);
  done('finished');
  link.engineLost();
  expect(told).toEqual(['former: no-engine', 'next: no-engine']);
  link.engineLost();
  expect(told).toHaveLength(2);
});

describe("in the middle of a page's life", () => {
  beforeEach(async () => {
    container.controller = container.worker;
    await register();
    isReached = false;
  });

  it('has the page taken over by another worker once a request has passed the Service Worker by', async () => {
    container.onReplaced = () => {
      isReached = true;
    };
    await FakeObserver.request('/v1/embeddings', 0);
    await vi.waitFor(() => expect(container.registered.at(-1)).toBe(`${scope}vecinity-sw.js?again=1`));
  });

  it('has the page taken over before it has asked anything, when the Service Worker that came is passed by', async () => {
    container.onReplaced = () => {
      isReached = true;
    };
    container.control();
    await vi.waitFor(() => expect(container.registered.at(-1)).toBe(`${scope}vecinity-sw.js?again=1`));
    expect(FakeObserver.running.size).toBe(1);
  });

  it('waits for a Service Worker that is slow to answer, and replaces none for that', async () => {
    isReached = true;
    vi.stubGlobal('AbortSignal', { timeout: () => ({ aborted: true }) });
    vi.stubGlobal('fetch', async (url: string) => {
      asked(url);
      throw new DOMException('The operation timed out.', 'TimeoutError');
    });
    asked.mockReset();
    container.control();
    await vi.waitFor(() => expect(asked).toHaveBeenCalled());
    await new Promise((resolve) => setTimeout(resolve));
    expect(container.registered).toHaveLength(1);
  });

  it('watches again after the next change, where a repair has failed', async () => {
    await FakeObserver.request('/v1/embeddings', 0);
    await vi.waitFor(() => expect(FakeObserver.running.size).toBe(0));
    isReached = true;
    container.control();
    await vi.waitFor(() => expect(FakeObserver.running.size).toBe(1));
  });

  it.each([
    ['a request that arrived', '/v1/embeddings', 12.5, 'fetch'],
    ['a request for another path', '/style.css', 0, 'fetch'],
    ['a frame with a page of that name', '/v1/embeddings', 0, 'iframe'],
  ])('does nothing about %s', async (_, path, workerStart, initiatorType) => {
    asked.mockReset();
    await FakeObserver.request(path, workerStart, initiatorType);
    expect(asked).not.toHaveBeenCalled();
  });

  it('leaves a page alone that has lost its Service Worker, which registers it again', async () => {
    container.controller = null;
    asked.mockReset();
    await FakeObserver.request('/v1/embeddings', 0);
    expect(asked).not.toHaveBeenCalled();
    expect(FakeObserver.running.size).toBe(1);
  });

  it('leaves a page alone that another Service Worker has by now', async () => {
    container.controller = { scriptURL: `${scope}sw.js` };
    asked.mockReset();
    await FakeObserver.request('/v1/embeddings', 0);
    expect(asked).not.toHaveBeenCalled();
    expect(container.registered).toHaveLength(1);
  });

  it('leaves the page alone where requests arrive after all', async () => {
    isReached = true;
    asked.mockReset();
    await FakeObserver.request('/v1/embeddings', 0);
    await vi.waitFor(() => expect(asked).toHaveBeenCalledTimes(1));
    expect(container.registered).toHaveLength(1);
  });

  it('gives up when that did not help, so that no tab is disturbed for each request', async () => {
    await FakeObserver.request('/v1/embeddings', 0);
    await vi.waitFor(() => expect(FakeObserver.running.size).toBe(0));
    expect(container.registered).toHaveLength(2);
  });

  it('watches once, however often the page registers, and no longer than it has a client', async () => {
    isReached = true;
    await register();
    expect(FakeObserver.running.size).toBe(1);
    link.dispose();
    expect(FakeObserver.running.size).toBe(0);
  });

  it('watches for the other clients of the page when the one that registered is disposed of', async () => {
    const other = new ServiceWorkerLink({ connect: async () => {}, routePrefix: '' });
    link.dispose();
    container.onReplaced = () => {
      isReached = true;
    };
    await FakeObserver.request('/v1/embeddings', 0);
    await vi.waitFor(() => expect(container.registered.at(-1)).toBe(`${scope}vecinity-sw.js?again=1`));
    other.dispose();
    expect(FakeObserver.running.size).toBe(0);
  });

  it('does not watch for a client that was disposed before it was registered', async () => {
    isReached = true;
    link.dispose();
    await register();
    expect(FakeObserver.running.size).toBe(0);
  });
});
