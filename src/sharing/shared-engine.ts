/** The line to the one engine that all tabs of an origin share, where they were set up alike; this tab may have it. */

import { VecinityError } from '../errors.js';
import { Answers } from '../wire/answers.js';
import type { CallLife, EngineCall, EngineLine, EngineResult, Operation } from '../wire/engine-line.js';
import { protocolVersion } from '../wire/engine-port.js';
import { fromWireResponse, toWireRequest } from '../wire/http.js';
import { servePort } from '../wire/port-server.js';
import { type BrowserTab, openTab } from './browser-tab.js';
import { Member } from './member.js';

export interface SharedEngineOptions {
  /** Plain data; tabs share an engine only where all of it is equal. */
  setup: unknown;
  startEngine(): EngineLine;
}

export class SharedEngine implements EngineLine {
  readonly #joined: Promise<Member>;
  readonly #engineId = crypto.randomUUID();
  readonly #answers = new Answers();
  #tab: BrowserTab | null = null;
  #member: Member | null = null;
  #ended: VecinityError | null = null;
  readonly #unlisten = new AbortController();

  constructor(options: SharedEngineOptions) {
    this.#joined = this.#join(options);
    // Whoever calls sees the reason.
    this.#joined.catch(() => {});
  }

  async run<O extends Operation>(call: EngineCall<O>, life?: CallLife): Promise<EngineResult<O>> {
    const member = await this.#joined;
    // The leader's engine gives the operation's own result; both ends speak the same protocol version.
    return (await member.run(call as EngineCall, life)) as EngineResult<O>;
  }

  /** Served from here, so that a request which came through the Service Worker outlives the leader as well. */
  async connect(port: MessagePort): Promise<void> {
    await this.#joined;
    const handler = async (request: Request) => {
      const argument = await toWireRequest(request);
      return fromWireResponse(await this.run({ operation: 'exchange', argument }, { signal: request.signal }));
    };
    servePort(port, { handler, engineId: this.#engineId, answers: this.#answers });
  }

  dispose(): void {
    this.#ended ??= new VecinityError('disposed', 'This Vecinity was disposed; create a new one.');
    this.#unlisten.abort();
    this.#member?.end(this.#ended);
    this.#tab?.close();
  }

  async #join({ setup, startEngine }: SharedEngineOptions): Promise<Member> {
    const group = await groupOf(setup);
    const tab = openTab(group, startEngine);
    this.#tab = tab;
    await tab.ready;
    if (this.#ended) {
      tab.close();
      throw this.#ended;
    }
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

/** Locks and channels belong to the origin; the name adds the protocol and what an engine cannot be without. */
async function groupOf(setup: unknown): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(setup));
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const key = Array.from(digest.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `vecinity:${protocolVersion}:${key}`;
}
