/**
 * The line to the one engine that all tabs of an origin share, where they were set up alike; this tab may have it. Where
 * tabs turn out to be unable to find each other it is the line to an engine of this tab's own.
 */

import type { EnginePast } from '../core/past.js';
import type { VecinityError } from '../errors.js';
import { sha256Hex } from '../hex.js';
import { Answers } from '../wire/answers.js';
import { buildId } from '../wire/build-id.js';
import {
  type CallLife,
  disposedError,
  type EngineCall,
  type EngineLine,
  type EngineResult,
  type Operation,
} from '../wire/engine-line.js';
import { protocolVersion } from '../wire/engine-port.js';
import { fromWireResponse, toWireRequest } from '../wire/http.js';
import { servePort } from '../wire/port-server.js';
import { type BrowserTab, openTab } from './browser-tab.js';
import { Member } from './member.js';

export interface SharedEngineOptions {
  /** Plain data; tabs share an engine only where all of it is equal. */
  setup: unknown;
  /** The engine of this tab while it leads, after those that `ended` in other tabs; its deaths are our business. */
  startEngine(ended: EnginePast['ended']): EngineLine;
  /** The engine of this tab where it stays alone. */
  startOwnEngine(): EngineLine;
}

/** Locks and channels belong to the origin; the names add the protocol and the build, whose messages no other one knows. */
const family = `vecinity:${protocolVersion}:${buildId}`;

export class SharedEngine implements EngineLine {
  readonly #options: SharedEngineOptions;
  /** Null where the platform refused. */
  readonly #joined: Promise<Member | null>;
  #own: EngineLine | null = null;
  readonly #engineId = crypto.randomUUID();
  readonly #answers = new Answers();
  #tab: BrowserTab | null = null;
  #member: Member | null = null;
  #ended: VecinityError | null = null;
  readonly #unlisten = new AbortController();

  constructor(options: SharedEngineOptions) {
    this.#options = options;
    this.#joined = this.#join(options);
    // Whoever calls sees the reason.
    this.#joined.catch(() => {});
  }

  async run<O extends Operation>(call: EngineCall<O>, life?: CallLife): Promise<EngineResult<O>> {
    const member = await this.#joined;
    if (!member) return await this.#openOwn().run(call, life);
    // The leader's engine gives the operation's own result; both ends speak the same protocol version.
    return (await member.run(call as EngineCall, life)) as EngineResult<O>;
  }

  /** Served from here, so that a request which came through the Service Worker outlives the leader as well. */
  async connect(port: MessagePort): Promise<void> {
    if (!(await this.#joined)) return await this.#openOwn().connect(port);
    const handler = async (request: Request) => {
      const argument = await toWireRequest(request);
      return fromWireResponse(await this.run({ operation: 'exchange', argument }, { signal: request.signal }));
    };
    servePort(port, { handler, engineId: this.#engineId, answers: this.#answers });
  }

  dispose(): void {
    this.#ended ??= disposedError();
    this.#unlisten.abort();
    this.#member?.end(this.#ended);
    this.#tab?.close();
    this.#own?.dispose();
  }

  #openOwn(): EngineLine {
    if (this.#ended) throw this.#ended;
    this.#own ??= this.#options.startOwnEngine();
    return this.#own;
  }

  async #join({ setup, startEngine }: SharedEngineOptions): Promise<Member | null> {
    const tab = await openTab({ family, group: groupOf(setup), startEngine }).catch(() => null);
    if (this.#ended) {
      tab?.close();
      throw this.#ended;
    }
    if (!tab) return null;
    this.#tab = tab;
    const member = new Member(tab);
    this.#member = member;
    tab.listen((message) => member.heed(message));
    this.#listen(member);
    return member;
  }

  /** A page that goes or is frozen says so while it can; one that comes back out of the history goes on. */
  #listen(member: Member): void {
    const { signal } = this.#unlisten;
    document.addEventListener('visibilitychange', () => member.visibilityChanged(), { signal });
    document.addEventListener('freeze', () => member.suspend(), { signal });
    document.addEventListener('resume', () => member.resume(), { signal });
    window.addEventListener('pagehide', () => member.suspend(), { signal });
    window.addEventListener('pageshow', () => member.resume(), { signal });
  }
}

/** Adds what an engine cannot be without. */
async function groupOf(setup: unknown): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(setup));
  return `${family}:${(await sha256Hex(bytes)).slice(0, 32)}`;
}
