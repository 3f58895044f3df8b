/**
 * Requests of a Service Worker that may come twice: it is stopped whenever the browser likes, and whoever asked it asks
 * again. The same request is computed once for as long as its answer was not delivered, within bounds of time and memory.
 */
import { sha256Hex } from '../hex.js';
import type { WireRequest, WireResponse } from '../protocol.js';

/** What a retry of the official SDKs and of a person comes within. */
const keepMs = 60_000;
const maxKeptBytes = 2 ** 25;

/** Which request this is, in the words of its content. Never leaves the browser. */
const keyHeader = 'vecinity-request';

export type Compute = (request: WireRequest, signal: AbortSignal) => Promise<WireResponse>;

interface Known {
  readonly key: string;
  response: Promise<WireResponse>;
  stop: AbortController;
  /** Askers that are neither gone nor served; one whose Service Worker was stopped stays among them. */
  waiting: number;
  /** 0 while it is computed. */
  sizeBytes: number;
  timer: ReturnType<typeof setTimeout> | null;
}

/** The same request with a name that it has whenever this client sends it. */
export async function withKey(wire: WireRequest, client: string): Promise<WireRequest> {
  if (wire.body === null) return wire;
  const head = new TextEncoder().encode(`${client}\n${wire.method}\n${wire.url}\n`);
  const bytes = new Uint8Array(head.length + wire.body.byteLength);
  bytes.set(head);
  bytes.set(new Uint8Array(wire.body), head.length);
  return { ...wire, headers: [...wire.headers, [keyHeader, await sha256Hex(bytes)]] };
}

export function keyOf({ headers }: WireRequest): string | null {
  return headers.find(([name]) => name === keyHeader)?.[1] ?? null;
}

export class Answers {
  readonly #known = new Map<string, Known>();
  /** What each request got: by the time it is delivered, another computation may have its name. */
  readonly #given = new WeakMap<WireRequest, Known>();

  /** Computes a request, or joins the computation of the same one; the last asker's abort ends it. */
  async ask(wire: WireRequest, signal: AbortSignal, compute: Compute): Promise<WireResponse> {
    const key = keyOf(wire);
    if (key === null) return await compute(wire, signal);
    const known = this.#known.get(key) ?? this.#start(key, wire, compute);
    known.waiting += 1;
    this.#given.set(wire, known);
    const onAbort = () => this.#leave(known);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const response = await known.response;
      // A copy: what is handed out moves to another thread.
      return { ...response, body: response.body?.slice(0) ?? null };
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** An asker has its answer: without others that wait it is not needed again. */
  delivered(wire: WireRequest): void {
    const known = this.#given.get(wire);
    if (known) this.#leave(known);
  }

  #start(key: string, wire: WireRequest, compute: Compute): Known {
    const stop = new AbortController();
    const request = { ...wire, headers: wire.headers.filter(([name]) => name !== keyHeader) };
    const response = compute(request, stop.signal);
    const known: Known = { key, response, stop, waiting: 0, sizeBytes: 0, timer: null };
    this.#known.set(key, known);
    response.then(
      (answer) => this.#keep(known, answer),
      () => this.#forget(known),
    );
    return known;
  }

  /** Only answers are kept; an error may be another one next time. */
  #keep(known: Known, { status, body }: WireResponse): void {
    if (this.#known.get(known.key) !== known) return;
    known.sizeBytes = body?.byteLength ?? 0;
    known.timer = setTimeout(() => this.#forget(known), keepMs);
    if (status !== 200 || known.sizeBytes > maxKeptBytes) this.#forget(known);
    this.#makeRoom();
  }

  #makeRoom(): void {
    let kept = 0;
    for (const { sizeBytes } of this.#known.values()) kept += sizeBytes;
    for (const known of this.#known.values()) {
      if (kept <= maxKeptBytes) return;
      if (known.sizeBytes === 0) continue;
      kept -= known.sizeBytes;
      this.#forget(known);
    }
  }

  #leave(known: Known): void {
    known.waiting -= 1;
    if (known.waiting > 0) return;
    known.stop.abort();
    this.#forget(known);
  }

  #forget(known: Known): void {
    if (known.timer !== null) clearTimeout(known.timer);
    if (this.#known.get(known.key) === known) this.#known.delete(known.key);
  }
}
