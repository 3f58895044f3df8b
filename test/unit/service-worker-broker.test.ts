import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ToPage } from '../../src/protocol.js';
import { Broker, type Page } from '../../src/wire/broker.js';
import { clientOf } from '../../src/wire/http.js';
import { servePort } from '../../src/wire/port-server.js';
import { deferred } from './deferred.js';

const body = new TextEncoder().encode('{"input":"text"}').buffer;
const request = { method: 'POST', url: 'http://x/v1/embeddings', headers: [], body };
const open = () => new AbortController().signal;

type Handler = (request: Request) => Promise<Response>;

/** A page with an engine, unless its handler is null; keeps what the Service Worker told it. */
class FakePage implements Page {
  readonly told: ToPage[] = [];
  constructor(
    readonly id: string,
    readonly handler: Handler | null,
    readonly visibilityState = 'visible',
    readonly frameType = 'top-level',
  ) {}

  postMessage(message: ToPage, transfer: Transferable[]): void {
    this.told.push(message);
    const [port] = transfer;
    if (this.handler && port instanceof MessagePort) servePort(port, { handler: this.handler, engineId: this.id });
  }

  get offers(): number {
    return this.told.filter(({ type }) => type === 'connect').length;
  }
}

const answersAs = (id: string): Handler => {
  return async (received) => new Response(`${id} ${await received.text()}`);
};
const never: Handler = () => new Promise(() => {});

/** The caller is one of the pages, or has no id. */
function brokerOf(pages: Page[]) {
  return new Broker({ pages: async () => pages, isThere: async (clientId) => pages.some(({ id }) => id === clientId) });
}

const errorOf = async (response: Response) => (await response.json()).error.code;

describe('the Service Worker looks for an engine', () => {
  it("asks the caller's own tab first, then visible tabs, hidden ones, and frames last", async () => {
    const asked: string[] = [];
    const page = (id: string, visibility: string, frame: string) => {
      const made = new FakePage(id, null, visibility, frame);
      vi.spyOn(made, 'postMessage').mockImplementation((message) => {
        if (message.type === 'connect') asked.push(id);
      });
      return made;
    };
    const pages = [
      page('frame', 'visible', 'nested'),
      page('hidden', 'hidden', 'top-level'),
      page('visible', 'visible', 'top-level'),
      page('caller', 'hidden', 'top-level'),
    ];
    const stop = new AbortController();
    const answer = brokerOf(pages).answer(request, { clientId: 'caller', signal: stop.signal });
    await expect.poll(() => asked).toHaveLength(4);
    expect(asked).toEqual(['caller', 'visible', 'hidden', 'frame']);
    stop.abort();
    await answer;
  });

  it('gives the request to the tab that answers and tells every tab when it is done', async () => {
    const silent = new FakePage('silent', null);
    const engine = new FakePage('engine', answersAs('engine'), 'hidden');
    const response = await brokerOf([silent, engine]).answer(request, { clientId: 'silent', signal: open() });
    expect(await response.text()).toBe('engine {"input":"text"}');
    expect(engine.told.map(({ type }) => type)).toEqual(['connect', 'done']);
    expect(silent.told.map(({ type }) => type)).toEqual(['connect', 'done']);
  });

  it("says for whom a tab works, unless the request is the tab's own", async () => {
    const asked: (string | undefined)[] = [];
    const page = new FakePage('page', async (received) => {
      asked.push(clientOf(received));
      return new Response('done');
    });
    const broker = brokerOf([page, new FakePage('other', null)]);
    for (const clientId of ['page', 'other', '']) await broker.answer(request, { clientId, signal: open() });
    expect(asked).toEqual([undefined, 'other', undefined]);
  });

  it('sends the request to the likeliest tab along with the port, and to no other tab before that greets', async () => {
    const heard = new Map<string, string[]>();
    const listening = (id: string, frame: string) => {
      const page = new FakePage(id, null, 'visible', frame);
      vi.spyOn(page, 'postMessage').mockImplementation((message, [port]) => {
        if (message.type !== 'connect' || !(port instanceof MessagePort)) return;
        const types: string[] = [];
        heard.set(id, types);
        port.onmessage = ({ data }) => types.push(data.type);
      });
      return page;
    };
    const pages = [listening('likeliest', 'top-level'), listening('next', 'nested')];
    const stop = new AbortController();
    const answer = brokerOf(pages).answer(request, { clientId: '', signal: stop.signal });
    await vi.waitFor(() => expect([...heard.values()]).toEqual([['request'], []]));
    stop.abort();
    await answer;
  });

  it('takes the request back from a tab that greets too late', async () => {
    const cancelled = deferred();
    const late = new FakePage('late', null);
    vi.spyOn(late, 'postMessage').mockImplementation((message, [port]) => {
      if (message.type !== 'connect' || !(port instanceof MessagePort)) return;
      port.onmessage = ({ data }) => data.type === 'close' && cancelled.resolve();
    });
    const other = new FakePage('other', answersAs('other'), 'hidden');
    const response = await brokerOf([late, other]).answer(request, { clientId: '', signal: open() });
    expect(await response.text()).toBe('other {"input":"text"}');
    await cancelled.promise;
  });

  it('does not bother other tabs when the first one answers', async () => {
    const other = new FakePage('other', answersAs('other'));
    const pages = [new FakePage('caller', answersAs('caller')), other];
    await brokerOf(pages).answer(request, { clientId: 'caller', signal: open() });
    expect(other.told).toEqual([]);
  });
});

describe('the Service Worker with its clock', () => {
  beforeEach(() => {
    const toFake = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'] as const;
    vi.useFakeTimers({ toFake: [...toFake] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('says no_engine with a time to retry when nobody answers for ten seconds', async () => {
    const answer = brokerOf([new FakePage('silent', null)]).answer(request, { clientId: '', signal: open() });
    await vi.advanceTimersByTimeAsync(11_000);
    const response = await answer;
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after-ms')).toBe('1000');
    expect(await errorOf(response)).toBe('no_engine');
  });

  it('looks on when somebody sets the clock ahead', async () => {
    const pages: Page[] = [];
    const answer = brokerOf(pages).answer(request, { clientId: '', signal: open() });
    await vi.advanceTimersByTimeAsync(1_000);
    vi.setSystemTime(Date.now() + 3_600_000);
    await vi.advanceTimersByTimeAsync(1_000);
    pages.push(new FakePage('late', answersAs('late')));
    await advanceUntilSettled(answer);
    expect(await (await answer).text()).toBe('late {"input":"text"}');
  });

  it('finds a tab that opens while it looks', async () => {
    const pages: Page[] = [];
    const answer = brokerOf(pages).answer(request, { clientId: '', signal: open() });
    await vi.advanceTimersByTimeAsync(2_000);
    pages.push(new FakePage('late', answersAs('late')));
    await advanceUntilSettled(answer);
    expect(await (await answer).text()).toBe('late {"input":"text"}');
  });

  it('gives the request with its body to another tab when the first one is closed', async () => {
    const started = deferred();
    const closing = new FakePage('closing', () => {
      started.resolve();
      return never(new Request('http://x'));
    });
    const pages: Page[] = [closing, new FakePage('other', answersAs('other'))];
    const answer = brokerOf(pages).answer(request, { clientId: '', signal: open() });
    await settle(started.promise);
    pages.shift();
    await advanceUntilSettled(answer);
    expect(await (await answer).text()).toBe('other {"input":"text"}');
  });

  it('gives the request away as soon as the page says that its engine is lost', async () => {
    const calls: string[] = [];
    const page = new FakePage('page', (received) => {
      calls.push('call');
      return calls.length === 1 ? never(received) : answersAs('again')(received);
    });
    const broker = brokerOf([page]);
    const answer = broker.answer(request, { clientId: 'page', signal: open() });
    await settle(() => calls.length === 1);
    broker.engineLost('page');
    await advanceUntilSettled(answer);
    expect(await (await answer).text()).toBe('again {"input":"text"}');
  });

  it('gives up with engine_crashed, not to be retried, when three engines died of the request', async () => {
    let calls = 0;
    const page = new FakePage('page', (received) => {
      calls += 1;
      return never(received);
    });
    const broker = brokerOf([page]);
    const answer = broker.answer(request, { clientId: 'page', signal: open() });
    for (const attempt of [1, 2, 3]) {
      await settle(() => calls === attempt);
      broker.engineLost('page');
    }
    await advanceUntilSettled(answer);
    const response = await answer;
    expect(response.status).toBe(500);
    expect(response.headers.get('x-should-retry')).toBe('false');
    expect(await errorOf(response)).toBe('engine_crashed');
  });

  it('ends after 240 s with a timeout that SDKs do not retry', async () => {
    let isReceived = false;
    let isCancelled = false;
    const page = new FakePage('page', (received) => {
      isReceived = true;
      received.signal.addEventListener('abort', () => {
        isCancelled = true;
      });
      return never(received);
    });
    const answer = brokerOf([page]).answer(request, { clientId: 'page', signal: open() });
    await settle(() => isReceived);
    await vi.advanceTimersByTimeAsync(240_000);
    const response = await answer;
    expect(response.status).toBe(504);
    expect(response.headers.get('x-should-retry')).toBe('false');
    await settle(() => isCancelled);
  });

  it('cancels the request in the engine when the caller is closed', async () => {
    let isReceived = false;
    let isCancelled = false;
    const engine = new FakePage('engine', (received) => {
      isReceived = true;
      received.signal.addEventListener('abort', () => {
        isCancelled = true;
      });
      return never(received);
    });
    const pages = [engine, new FakePage('caller', null, 'hidden')];
    const answer = brokerOf(pages).answer(request, { clientId: 'caller', signal: open() });
    await settle(() => isReceived);
    pages.pop();
    await settle(() => isCancelled);
    expect((await answer).status).toBe(499);
  });

  it('leaves no clock running once it has answered', async () => {
    const page = new FakePage('page', answersAs('page'));
    const answer = brokerOf([page]).answer(request, { clientId: 'page', signal: open() });
    await advanceUntilSettled(answer);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('cancels the request in the engine when the caller aborts', async () => {
    const cancelled = deferred();
    const started = deferred();
    const page = new FakePage('page', (received) => {
      received.signal.addEventListener('abort', () => cancelled.resolve());
      started.resolve();
      return never(received);
    });
    const controller = new AbortController();
    const answer = brokerOf([page]).answer(request, { clientId: 'page', signal: controller.signal });
    await settle(started.promise);
    controller.abort();
    expect((await answer).status).toBe(499);
    await cancelled.promise;
  });
});

/** Lets messages between ports arrive, which no fake clock moves. */
async function settle(condition: Promise<unknown> | (() => boolean)): Promise<void> {
  if (typeof condition !== 'function') {
    await condition;
    return;
  }
  while (!condition()) {
    await new Promise((resolve) => setImmediate(resolve));
    await vi.advanceTimersByTimeAsync(10);
  }
}

async function advanceUntilSettled(promise: Promise<unknown>): Promise<void> {
  let isSettled = false;
  void promise.then(() => {
    isSettled = true;
  });
  await settle(() => isSettled);
}
