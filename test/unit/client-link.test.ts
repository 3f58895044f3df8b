import { afterEach, describe, expect, it, vi } from 'vitest';
import type { CallOptions, EmbeddingsResponse, ModelsResponse } from '../../src/api/responses.js';
import { defaultApiConfig, defaultEngineConfig } from '../../src/config.js';
import type { ModelStatus } from '../../src/core/engine.js';
import type { EnginePast } from '../../src/core/past.js';
import { createEngineApi } from '../../src/engine-api.js';
import { VecinityError } from '../../src/errors.js';
import { EngineLink, type EngineLinkOptions } from '../../src/page/engine-link.js';
import { OwnEngine } from '../../src/page/own-engine.js';
import type { EngineWorkerApi } from '../../src/protocol.js';
import type { ToFollower } from '../../src/sharing/messages.js';
import { Service } from '../../src/sharing/service.js';
import { moveVectors } from '../../src/wire/calls.js';
import { servePort } from '../../src/wire/port-server.js';
import { deferred } from './deferred.js';
import { fakeSpec } from './fake-backend.js';
import { engineApi, FakeWorker } from './fake-engine.js';

const links: EngineLink[] = [];

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  for (const link of links.splice(0)) link.dispose();
});

/** A link whose workers are made by `api`, one after the other. */
function createLink(api: (start: number) => Partial<EngineWorkerApi>, options: Partial<EngineLinkOptions> = {}) {
  const workers: FakeWorker[] = [];
  const deaths: string[] = [];
  const link = new EngineLink({
    startWorker: () => {
      const worker = new FakeWorker(engineApi(api(workers.length)));
      workers.push(worker);
      return worker;
    },
    engine: defaultEngineConfig,
    api: defaultApiConfig,
    onEnd: (error) => deaths.push(error.code),
    ...options,
  });
  links.push(link);
  return { link, workers, deaths };
}

const status = {
  models: [],
  defaultModel: null,
  queue: { inputs: 0, tokens: 0, maxInputs: 1, maxBatchTokens: 16_384 },
  formerEngines: [],
};
// The tests look at the id alone.
const loaded = (id: string) => ({ id, state: 'ready' }) as ModelStatus;
const models: ModelsResponse = { object: 'list', data: [] };
const never = () => new Promise<never>(() => {});
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'resolved',
    (error: VecinityError) => error.code,
  );

describe('what crosses between page and engine worker', () => {
  it('keeps the code, the parameter and the retry time of an error', async () => {
    const { link } = createLink(() => ({
      async status() {
        throw new VecinityError('overloaded', 'The queue is full.', { param: 'input', retryAfterMs: 250 });
      },
    }));
    const error = await link.call((api) => api.status()).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(VecinityError);
    expect(error).toMatchObject({ code: 'overloaded', status: 429, param: 'input', retryAfterMs: 250 });
  });

  it('turns an error that is not ours into internal_error', async () => {
    const { link } = createLink(() => ({
      async status() {
        throw new TypeError('x is not a function');
      },
    }));
    expect(await codeOf(link.call((api) => api.status()))).toBe('internal_error');
  });

  it('moves vectors: one buffer for all rows, empty afterwards at the sender', async () => {
    const values = Float32Array.of(1, 2, 3, 4);
    const { link } = createLink(() => ({ embeddings: async () => moveVectors(twoRows(values)) }));
    const { data } = await link.call((api) => api.embeddings({}));
    // The casts are safe: the fake engine gives vectors and no strings.
    const rows = data.map(({ embedding }) => embedding as Float32Array);
    expect(rows.map((row) => [...row])).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect(new Set(rows.map(({ buffer }) => buffer)).size).toBe(1);
    expect(values.byteLength).toBe(0);
  });

  it('carries progress to the caller and the abort to the engine', async () => {
    const inEngine = deferred<string>();
    const { link } = createLink(() => ({
      embeddings: (_body, options: CallOptions = {}) => {
        options.onProgress?.({ done: 1, total: 2 });
        options.signal?.addEventListener('abort', () => inEngine.resolve('aborted in the engine'));
        return never();
      },
    }));
    const controller = new AbortController();
    const progressed = deferred<unknown>();
    const options = { signal: controller.signal, onProgress: progressed.resolve };
    const call = codeOf(link.callWith(options, (api, line) => api.embeddings({}, line)));
    expect(await progressed.promise).toEqual({ done: 1, total: 2 });
    controller.abort();
    expect(await call).toBe('aborted');
    expect(await inEngine.promise).toBe('aborted in the engine');
  });

  it('names what cannot be posted, and goes on', async () => {
    const { link } = createLink(() => ({ status: async () => status, embeddings: never }));
    const error = await link.call((api) => api.embeddings({ input: () => 'a' })).catch((thrown) => thrown);
    expect(error).toMatchObject({ name: 'VecinityError', code: 'invalid_request' });
    expect(await codeOf(link.call((api) => api.status()))).toBe('resolved');
  });

  it('says why no worker can be started', async () => {
    const link = new EngineLink({
      startWorker: () => {
        throw new DOMException("Script cannot be accessed from origin 'null'.", 'SecurityError');
      },
      ...{ engine: defaultEngineConfig, api: defaultApiConfig, onEnd() {} },
    });
    links.push(link);
    const error = await link.call((api) => api.status()).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'worker_died', message: expect.stringContaining("from origin 'null'") });
  });

  it('tells the engine of a signal that was aborted before the call', async () => {
    const { link, workers } = createLink(() => ({ status: async () => status }));
    expect(await codeOf(link.call((api) => api.status(), AbortSignal.abort()))).toBe('aborted');
    expect(workers).toHaveLength(0);
  });
});

describe('a worker that dies', () => {
  it('rejects every waiting call at once with worker_died', async () => {
    const { link, workers, deaths } = createLink(() => ({ status: never, models: never }));
    const calls = [codeOf(link.call((api) => api.status())), codeOf(link.call((api) => api.models()))];
    await expect.poll(() => workers).toHaveLength(1);
    workers[0]?.crash('boom');
    expect(await Promise.all(calls)).toEqual(['worker_died', 'worker_died']);
    expect(deaths).toEqual(['worker_died']);
    await expect.poll(() => workers[0]?.isTerminated).toBe(true);
  });

  it('counts as dead when whoever made it calls terminate', async () => {
    const { link, workers } = createLink(() => ({ status: never }));
    const call = codeOf(link.call((api) => api.status()));
    await expect.poll(() => workers).toHaveLength(1);
    workers[0]?.terminate();
    expect(await call).toBe('worker_died');
  });

  it('is replaced by the next call, which finds the same models loaded', async () => {
    const loads: string[] = [];
    const { link, workers } = createLink((start) => ({
      load: async (model) => {
        loads.push(`${start}:${model}`);
        return loaded(model);
      },
      status: async () => status,
    }));
    await link.load('a', { revision: 'r1' });
    await link.load('b', {});
    workers[0]?.crash('boom');
    expect(await link.call((api) => api.status())).toEqual(status);
    expect(loads).toEqual(['0:a', '0:b', '1:a', '1:b']);
  });

  it('loads models again in the order in which they were asked for, not in that in which they were ready', async () => {
    const loads: string[] = [];
    let finishFirst = () => {};
    const { link, workers } = createLink((start) => ({
      load: async (model) => {
        loads.push(`${start}:${model}`);
        if (start === 0 && model === 'a') await new Promise<void>((resolve) => (finishFirst = resolve));
        return loaded(model);
      },
      status: async () => status,
    }));
    const first = link.load('a', {});
    await link.load('b', {});
    finishFirst();
    await first;
    workers[0]?.crash('boom');
    await link.call((api) => api.status());
    expect(loads).toEqual(['0:a', '0:b', '1:a', '1:b']);
  });

  it('does not load a model again that could not be loaded', async () => {
    const loads: string[] = [];
    const { link, workers } = createLink((start) => ({
      load: async (model) => {
        loads.push(`${start}:${model}`);
        throw new VecinityError('model_not_found', 'There is no such model.');
      },
      status: async () => status,
    }));
    await expect(link.load('a', {})).rejects.toMatchObject({ code: 'model_not_found' });
    workers[0]?.crash('boom');
    await link.call((api) => api.status());
    expect(loads).toEqual(['0:a']);
  });

  it.each(['a', 'owner/a'])('does not load a model again that was unloaded, as %s', async (name) => {
    const loads: string[] = [];
    const { link, workers } = createLink((start) => ({
      load: async (model) => {
        loads.push(`${start}:${model}`);
        return { ...loaded(model), spec: fakeSpec({ repository: 'owner/a' }) };
      },
      unload: async () => {},
      status: async () => status,
    }));
    await link.load('a', {});
    await link.unload(name);
    workers[0]?.crash('boom');
    await link.call((api) => api.status());
    expect(loads).toEqual(['0:a']);
  });

  it('does not load a model again that was unloaded while it was asked for anew', async () => {
    const loads: string[] = [];
    let refuse = (_: VecinityError) => {};
    const refused = new Promise<ModelStatus>((_, reject) => {
      refuse = reject;
    });
    const { link, workers } = createLink((start) => ({
      load: async (model) => {
        loads.push(`${start}:${model}`);
        return loads.length === 1 ? loaded(model) : await refused;
      },
      unload: async () => refuse(new VecinityError('disposed', 'The model was unloaded.')),
      status: async () => status,
    }));
    await link.load('a', {});
    const loading = codeOf(link.load('a', { dtype: 'f32' }));
    await link.unload('a');
    expect(await loading).toBe('disposed');
    workers[0]?.crash('boom');
    await link.call((api) => api.status());
    expect(loads).toEqual(['0:a', '0:a']);
  });

  it('does not load a model again that two have asked for and both have called off', async () => {
    const loads: string[] = [];
    const { link, workers } = createLink((start) => ({
      load: async (model, { signal } = {}) => {
        loads.push(`${start}:${model}`);
        return await new Promise<never>((_, reject) => {
          signal?.addEventListener('abort', () => reject(new VecinityError('aborted', 'The load was aborted.')));
        });
      },
      status: async () => status,
    }));
    const controllers = [new AbortController(), new AbortController()];
    const calls = controllers.map(({ signal }) => codeOf(link.load('a', { signal })));
    for (const controller of controllers) controller.abort();
    expect(await Promise.all(calls)).toEqual(['aborted', 'aborted']);
    await link.call((api) => api.status());
    workers[0]?.crash('boom');
    await link.call((api) => api.status());
    expect(loads).toEqual(['0:a', '0:a']);
  });

  it('counts as dead when its heartbeat stops while calls wait', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const asked = deferred();
    const stuck = () => {
      asked.resolve();
      return never();
    };
    const { link } = createLink(() => ({ status: stuck, ping: never }));
    const call = codeOf(link.call((api) => api.status()));
    await asked.promise;
    await vi.advanceTimersByTimeAsync(25 * 5_000);
    expect(await call).toBe('worker_died');
  });

  it('is not looked at while nobody waits for it', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const { link } = createLink(() => ({ status: async () => status }));
    await link.call((api) => api.status());
    await vi.advanceTimersByTimeAsync(5_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is forgiven what it missed before, once nobody waits', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const [asked, answer] = [deferred(), deferred()];
    let pings = 0;
    const { link, deaths } = createLink(() => ({
      status: async () => {
        asked.resolve();
        await answer.promise;
        return status;
      },
      models: never,
      // The first tells that the worker has started; none of the later ones is answered.
      ping: () => (++pings === 1 ? undefined : never()),
    }));
    const first = link.call((api) => api.status());
    await asked.promise;
    await vi.advanceTimersByTimeAsync(4 * 5_000);
    answer.resolve();
    await first;
    const second = codeOf(link.call((api) => api.models()));
    await vi.advanceTimersByTimeAsync(4 * 5_000);
    expect(deaths).toEqual([]);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await second).toBe('worker_died');
  });

  it('is given less time once it has answered, be it in its first moment', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const asked = deferred();
    const stuck = () => {
      asked.resolve();
      return never();
    };
    let pings = 0;
    const ping = () => {
      pings += 1;
      if (pings > 1) return never();
    };
    const { link, deaths } = createLink(() => ({ models: async () => models, status: stuck, ping }));
    // By the time of this answer, that of the ping before it has come too.
    await link.call((api) => api.models());
    const call = codeOf(link.call((api) => api.status()));
    await asked.promise;
    await vi.advanceTimersByTimeAsync(5 * 5_000);
    expect(deaths).toEqual(['worker_died']);
    expect(await call).toBe('worker_died');
  });

  it('says which failure kept the models from being loaded again', async () => {
    const { link, workers } = createLink((start) => ({
      load: async (model) => {
        if (start === 0) return loaded(model);
        throw new VecinityError('model_file_missing', 'gone');
      },
      status: never,
    }));
    await link.load('a', {});
    workers[0]?.crash('boom');
    expect(await codeOf(link.call((api) => api.status()))).toBe('model_file_missing');
    await expect.poll(() => workers[1]?.isTerminated).toBe(true);
  });
});

describe('a worker that can load only one of two models again', () => {
  /** Loads two models, and loses the worker; `b` is not to be had until `isBack` says so. */
  async function loseTwo() {
    const now = vi.spyOn(performance, 'now').mockReturnValue(0);
    const loads: string[] = [];
    const hub = { isBack: false };
    const made = createLink((start) => ({
      load: async (model) => {
        loads.push(`${start}:${model}`);
        if (start > 0 && model === 'b' && !hub.isBack)
          throw new VecinityError('download_failed', 'The network failed.');
        return loaded(model);
      },
      unload: async () => {},
      status: async () => status,
    }));
    const { link, workers } = made;
    await link.load('a', {});
    await link.load('b', {});
    workers[0]?.crash('boom');
    const ask = () => link.call((api) => api.status());
    expect(await ask()).toEqual(status);
    await vi.waitFor(() => expect(loads).toEqual(['0:a', '0:b', '1:a', '1:b']));
    return { ...made, loads, hub, now, ask };
  }

  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('goes on with that one, and tries the other again with calls that come after a while', async () => {
    const { workers, loads, hub, now, ask } = await loseTwo();
    await ask();
    expect(loads).toHaveLength(4);
    hub.isBack = true;
    now.mockReturnValue(2_000);
    await ask();
    now.mockReturnValue(10_000);
    await ask();
    expect(loads.slice(4)).toEqual(['1:b']);
    expect(workers).toHaveLength(2);
    expect(workers[1]?.isTerminated).toBe(false);
  });

  it('forgets the other once it is unloaded', async () => {
    const { link, loads, now, ask } = await loseTwo();
    await link.unload('b');
    now.mockReturnValue(10_000);
    await ask();
    expect(loads).toHaveLength(4);
  });
});

describe('a worker that takes the place of another', () => {
  /** A link whose workers keep what they are told of those before them, and load nothing. */
  function createHeirs(error: VecinityError, ended?: EnginePast['ended']) {
    const pasts: (EnginePast | undefined)[] = [];
    const api = {
      configure: async (_engine: unknown, _api: unknown, past?: EnginePast) => void pasts.push(past),
      load: () => Promise.reject(error),
      unload: async () => {},
      status: async () => status,
    };
    return { ...createLink(() => api, ended ? { ended } : {}), pasts };
  }
  const failure = new VecinityError('download_failed', 'The network failed.');
  const ask = (link: EngineLink) => link.call((api) => api.status());

  it('has the options of the one before it', async () => {
    const engine = { ...defaultEngineConfig, storageFull: 'memory' } as const;
    const configs: unknown[] = [];
    const api = { configure: async (config: unknown) => void configs.push(config), status: async () => status };
    const { link, workers } = createLink(() => api, { engine });
    await ask(link);
    workers[0]?.crash('boom');
    await ask(link);
    expect(configs).toEqual([engine, engine]);
  });

  it('is told how and when those before it ended, first of all those of other tabs', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 0 });
    const closed = { at: '1969-12-31T23:59:59.000Z', reason: 'The tab was closed.' };
    const { link, workers, pasts } = createHeirs(failure, [closed]);
    await ask(link);
    workers[0]?.crash('boom');
    vi.setSystemTime(1_000);
    await ask(link);
    workers[1]?.terminate();
    await ask(link);
    const died = (at: string, reason: string) => ({ at, reason: expect.stringContaining(reason) });
    expect(pasts.map((past) => past?.ended)).toEqual([
      [closed],
      [closed, died('1970-01-01T00:00:00.000Z', 'boom')],
      [closed, died('1970-01-01T00:00:00.000Z', 'boom'), died('1970-01-01T00:00:01.000Z', 'terminated')],
    ]);
  });

  it('is told of the last ends only, however many there were', async () => {
    const { link, workers, pasts } = createHeirs(failure);
    for (let death = 0; death <= 25; death += 1) {
      await ask(link);
      workers[death]?.crash(`death ${death}`);
    }
    const ended = pasts.at(-1)?.ended ?? [];
    expect(ended).toHaveLength(20);
    expect(ended.at(-1)?.reason).toContain('death 24');
  });

  it('is told why a model could not be loaded, until that is unloaded', async () => {
    const { link, workers, pasts } = createHeirs(failure);
    expect(await codeOf(link.load('a', {}))).toBe('download_failed');
    workers[0]?.crash('boom');
    await ask(link);
    expect(pasts[1]?.failed).toEqual([{ model: 'a', error: expect.objectContaining({ message: failure.message }) }]);
    await link.unload('a');
    workers[1]?.crash('boom');
    await ask(link);
    expect(pasts[2]?.failed).toEqual([]);
  });

  it('is told of a model over which the one before it died', async () => {
    const { link, workers, pasts } = createHeirs(failure);
    await ask(link);
    const loading = codeOf(link.load('a', {}));
    workers[0]?.crash('boom');
    expect(await loading).toBe('worker_died');
    await ask(link);
    const error = {
      code: 'engine_crashed',
      message: expect.stringMatching(/^The model a could not be loaded: .*boom/),
    };
    expect(pasts[1]?.failed).toEqual([{ model: 'a', error: expect.objectContaining(error) }]);
  });

  it('is not told of a load that was called off', async () => {
    const { link, workers, pasts } = createHeirs(new VecinityError('aborted', 'The load was aborted.'));
    expect(await codeOf(link.load('a', {}))).toBe('aborted');
    workers[0]?.crash('boom');
    await ask(link);
    expect(pasts[1]?.failed).toEqual([]);
  });
});

it('a text that is tried again after two engines died over its model is told that, and not that there is no model', async () => {
  const asked = [deferred(), deferred()];
  const dying = (start: number) => ({
    load: () => {
      asked[start]?.resolve();
      return never();
    },
    embeddings: never,
  });
  const noBackend = () => Promise.reject(new Error('nothing is loaded'));
  const { link, workers } = createLink((start) => (start < 2 ? dying(start) : createEngineApi(noBackend)));
  const heard: ToFollower[] = [];
  const ended = deferred();
  const send = (message: ToFollower) => {
    heard.push(message);
    if (heard.filter(({ type }) => type === 'error').length === 2) ended.resolve();
  };
  const service = new Service({
    epoch: '1',
    engine: new OwnEngine(link),
    around: { elapsed: () => 0, after: () => () => {} },
  });
  service.join('tab', { visible: true, isOwn: false, send });
  const common = { type: 'request', epoch: '1', deaths: 0, watched: false, abortable: false } as const;
  service.receive('tab', { ...common, id: 1, call: { operation: 'load', argument: { model: 'owner/a' } } });
  service.receive('tab', { ...common, id: 2, call: { operation: 'embeddings', argument: { input: 'text' } } });
  for (const [start, { promise }] of asked.entries()) {
    await promise;
    workers[start]?.crash('boom');
  }
  await ended.promise;
  const told = {
    code: 'engine_crashed',
    message: expect.stringMatching(/^The model owner\/a could not be loaded: .*boom/),
  };
  expect(heard.find((message) => message.type === 'error' && message.id === 2)).toMatchObject({ error: told });
});

describe('dispose', () => {
  it('rejects what waits and what comes later with disposed, and ends the worker', async () => {
    const { link, workers } = createLink(() => ({ status: never }));
    const waiting = codeOf(link.call((api) => api.status()));
    await expect.poll(() => workers).toHaveLength(1);
    link.dispose();
    expect(await waiting).toBe('disposed');
    expect(await codeOf(link.call((api) => api.status()))).toBe('disposed');
    await expect.poll(() => workers[0]?.isTerminated).toBe(true);
    expect(workers).toHaveLength(1);
  });

  it('rejects at once, and terminates the worker when the workers of that one have ended', async () => {
    const ended = deferred<void>();
    const asked = deferred<void>();
    const end = () => {
      asked.resolve();
      return ended.promise;
    };
    const { link, workers } = createLink(() => ({ status: never, end }));
    const waiting = codeOf(link.call((api) => api.status()));
    link.dispose();
    expect(await waiting).toBe('disposed');
    await asked.promise;
    expect(workers[0]?.isTerminated).toBe(false);
    ended.resolve();
    await expect.poll(() => workers[0]?.isTerminated).toBe(true);
  });

  it('terminates a worker that does not say so', async () => {
    vi.useFakeTimers();
    const { link, workers } = createLink(() => ({ status: never, end: never }));
    const waiting = codeOf(link.call((api) => api.status()));
    link.dispose();
    expect(await waiting).toBe('disposed');
    await vi.advanceTimersByTimeAsync(5_000);
    expect(workers[0]?.isTerminated).toBe(true);
  });

  it.each(['freeze', 'pagehide'])('terminates at %s, after which nothing is called back in the page', async (going) => {
    const [document, window] = [new EventTarget(), new EventTarget()];
    vi.stubGlobal('document', document);
    vi.stubGlobal('window', window);
    const { link, workers } = createLink(() => ({ status: never, end: never }));
    const target = going === 'freeze' ? document : window;
    // As our own listeners, which were there first.
    target.addEventListener(going, () => link.dispose());
    const waiting = codeOf(link.call((api) => api.status()));
    target.dispatchEvent(new Event(going));
    expect(workers[0]?.isTerminated).toBe(true);
    expect(await waiting).toBe('disposed');
  });

  it.each([
    ['freeze', 'resume'],
    ['pagehide', 'pageshow'],
  ])('terminates at %s also for the page itself, which hears of it last; no more after %s', async (going, coming) => {
    const page = new EventTarget();
    vi.stubGlobal('document', page);
    vi.stubGlobal('window', page);
    const ends = [{ endsIn: going }, { endsIn: coming }];
    for (const { endsIn } of ends) {
      const { link, workers } = createLink(() => ({ status: never, end: never }));
      const waiting = codeOf(link.call((api) => api.status()));
      page.addEventListener(endsIn, () => link.dispose());
      for (const type of [going, coming]) page.dispatchEvent(new Event(type));
      expect(workers[0]?.isTerminated).toBe(endsIn === going);
      expect(await waiting).toBe('disposed');
    }
  });

  it('is what a page that sleeps needs for that: an engine in use stays as it is', async () => {
    const document = new EventTarget();
    vi.stubGlobal('document', document);
    vi.stubGlobal('window', new EventTarget());
    const { link, workers } = createLink(() => ({ models: async () => models }));
    await link.call((api) => api.models());
    document.dispatchEvent(new Event('freeze'));
    expect(workers[0]?.isTerminated).toBe(false);
  });
});

describe('whole requests', () => {
  const handler = async (request: Request) =>
    new Response(`${request.method} ${new URL(request.url).pathname} ${await request.text()}`, { status: 201 });
  const request = {
    method: 'POST',
    url: 'http://x/v1/embeddings',
    headers: [],
    body: new TextEncoder().encode('hi').buffer,
  };

  it('come back as the handler answered them', async () => {
    const { link } = createLink(() => ({ connect: async (port) => servePort(port, { handler, engineId: 'e' }) }));
    const response = await link.exchange(request, new AbortController().signal);
    expect(response.status).toBe(201);
    expect(new TextDecoder().decode(response.body ?? undefined)).toBe('POST /v1/embeddings hi');
  });

  it('end with worker_died when the engine dies after it took the request', async () => {
    const { link, workers } = createLink(() => ({
      connect: async (port) => servePort(port, { handler: never, engineId: 'e' }),
    }));
    const response = codeOf(link.exchange(request, new AbortController().signal));
    await expect.poll(() => workers).toHaveLength(1);
    workers[0]?.crash('boom');
    expect(await response).toBe('worker_died');
  });

  it('abort in the handler when the caller aborts', async () => {
    const inHandler = deferred();
    const started = deferred();
    const waits = (received: Request) => {
      received.signal.addEventListener('abort', () => inHandler.resolve());
      started.resolve();
      return never();
    };
    const { link } = createLink(() => ({
      connect: async (port) => servePort(port, { handler: waits, engineId: 'e' }),
    }));
    const controller = new AbortController();
    const response = codeOf(link.exchange(request, controller.signal));
    await started.promise;
    controller.abort();
    expect(await response).toBe('aborted');
    await inHandler.promise;
  });

  /** An engine whose answers come when the test says so, by the texts of the requests. */
  function heldEngine() {
    const ports: MessagePort[] = [];
    const received = new Map<string, { signal: AbortSignal; answer: () => void }>();
    const handler = async (request: Request) => {
      const text = await request.text();
      const held = deferred();
      received.set(text, { signal: request.signal, answer: () => held.resolve() });
      await held.promise;
      return new Response(`to ${text}`);
    };
    const connect = async (port: MessagePort) => {
      ports.push(port);
      servePort(port, { handler, engineId: 'e' });
    };
    return { ports, received, connect };
  }
  const asking = (text: string) => ({ ...request, body: new TextEncoder().encode(text).buffer });
  const textOf = async (response: Promise<{ body: ArrayBuffer | null }>) =>
    new TextDecoder().decode((await response).body ?? undefined);
  const open = () => new AbortController().signal;

  it('go over one port, several at a time, and each gets its own answer', async () => {
    const { ports, received, connect } = heldEngine();
    const { link } = createLink(() => ({ connect }));
    const answers = ['a', 'b', 'c'].map((text) => textOf(link.exchange(asking(text), open())));
    await expect.poll(() => received.size).toBe(3);
    for (const text of ['c', 'a', 'b']) received.get(text)?.answer();
    expect(await Promise.all(answers)).toEqual(['to a', 'to b', 'to c']);
    expect(ports).toHaveLength(1);
  });

  it('abort one by one: the others on the port are answered', async () => {
    const { received, connect } = heldEngine();
    const { link } = createLink(() => ({ connect }));
    const controller = new AbortController();
    const first = textOf(link.exchange(asking('a'), open()));
    const second = codeOf(link.exchange(asking('b'), controller.signal));
    await expect.poll(() => received.size).toBe(2);
    controller.abort();
    expect(await second).toBe('aborted');
    await expect.poll(() => received.get('b')?.signal.aborted).toBe(true);
    expect(received.get('a')?.signal.aborted).toBe(false);
    for (const text of ['b', 'a']) received.get(text)?.answer();
    expect(await first).toBe('to a');
  });

  it('all end with the engine that had them; the next one goes to the next engine', async () => {
    const engines = [heldEngine(), heldEngine()];
    const { link, workers } = createLink((start) => ({ connect: engines[start]?.connect ?? never }));
    const lost = ['a', 'b'].map((text) => codeOf(link.exchange(asking(text), open())));
    await expect.poll(() => engines[0]?.received.size).toBe(2);
    workers[0]?.crash('boom');
    expect(await Promise.all(lost)).toEqual(['worker_died', 'worker_died']);
    const next = textOf(link.exchange(asking('c'), open()));
    await expect.poll(() => engines[1]?.received.size).toBe(1);
    engines[1]?.received.get('c')?.answer();
    expect(await next).toBe('to c');
  });

  it('that come in the moment of an engine’s death go to the next one', async () => {
    const engines = [heldEngine(), heldEngine()];
    const { link, workers } = createLink((start) => ({ connect: engines[start]?.connect ?? never }));
    const lost = codeOf(link.exchange(asking('a'), open()));
    workers[0]?.crash('boom');
    const next = textOf(link.exchange(asking('b'), open()));
    expect(await lost).toBe('worker_died');
    await expect.poll(() => engines[1]?.received.size).toBe(1);
    engines[1]?.received.get('b')?.answer();
    expect(await next).toBe('to b');
  });

  it('say why an engine takes no port, and ask it again the next time', async () => {
    const { connect, received } = heldEngine();
    let refusals = 1;
    const { link } = createLink(() => ({
      async connect(port) {
        if (refusals-- > 0) throw new VecinityError('invalid_request', 'routePrefix is wrong');
        await connect(port);
      },
    }));
    expect(await codeOf(link.exchange(asking('a'), open()))).toBe('invalid_request');
    const next = textOf(link.exchange(asking('b'), open()));
    await expect.poll(() => received.size).toBe(1);
    received.get('b')?.answer();
    expect(await next).toBe('to b');
  });

  it('are answered with an error of our shape when the handler throws', async () => {
    const broken = () => Promise.reject(new VecinityError('overloaded', 'full'));
    const { link } = createLink(() => ({
      connect: async (port) => servePort(port, { handler: broken, engineId: 'e' }),
    }));
    const response = await link.exchange(request, new AbortController().signal);
    expect(response.status).toBe(429);
    expect(JSON.parse(new TextDecoder().decode(response.body ?? undefined)).error.code).toBe('overloaded');
  });
});

function twoRows(values: Float32Array<ArrayBuffer>): EmbeddingsResponse {
  const rows = [values.subarray(0, 2), values.subarray(2, 4)];
  return {
    object: 'list',
    data: rows.map((embedding, index) => ({ object: 'embedding', index, embedding })),
    model: 'm',
    usage: { prompt_tokens: 2, total_tokens: 2 },
  };
}
