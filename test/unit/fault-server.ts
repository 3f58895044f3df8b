/** A server of one file that breaks as it is told: it knows ranges and ETags, and counts what it sent. */
import { createHash } from 'node:crypto';

export interface FaultServer {
  fetch: typeof fetch;
  /** The `Range` header of each request for the file, or null. */
  ranges: (string | null)[];
  bytes: Uint8Array<ArrayBuffer>;
  etag: string | null;
  knowsRanges: boolean;
  /** How many bytes the next answers bring before the network breaks; when none is left, all come. */
  cuts: number[];
  /** What answers instead of the file, in turn. */
  instead: (() => Response)[];
  /** The hub's list of files; null answers 404. */
  tree: unknown;
  /** The manifest beside the file; null answers 404. */
  manifest: unknown;
}

export const hubBase = 'https://hub.example/owner/name/resolve/main/';

/** Serves `bytes` as `model.safetensors` of a repository. */
export function faultServer(bytes: Uint8Array<ArrayBuffer>): FaultServer {
  const server: FaultServer = {
    ranges: [],
    bytes,
    etag: '"v1"',
    knowsRanges: true,
    cuts: [],
    instead: [],
    tree: treeOf(bytes),
    manifest: null,
    fetch: async (input, init) => {
      const url = String(input);
      if (init?.signal?.aborted) throw init.signal.reason;
      if (url.includes('/api/models/')) return server.tree ? Response.json(server.tree) : notFound();
      if (url.endsWith('/vecinity.json')) return server.manifest ? Response.json(server.manifest) : notFound();
      if (!url.endsWith('/model.safetensors')) return notFound();
      const range = new Headers(init?.headers).get('range');
      server.ranges.push(range);
      return server.instead.shift()?.() ?? answer(server, range);
    },
  };
  return server;
}

/** The hub's list of a repository with this one file. */
export function treeOf(bytes: Uint8Array): unknown {
  const oid = createHash('sha256').update(bytes).digest('hex');
  const lfs = { oid, size: bytes.length };
  return [{ type: 'file', path: 'model.safetensors', size: bytes.length, lfs }];
}

function notFound(): Response {
  return new Response('Not found', { status: 404 });
}

function answer(server: FaultServer, range: string | null): Response {
  const { bytes, etag } = server;
  const start = server.knowsRanges ? Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0) : 0;
  const isPart = server.knowsRanges && range !== null;
  if (isPart && start >= bytes.length) return new Response('', { status: 416 });
  const headers = new Headers({ 'content-length': String(bytes.length - start) });
  if (etag !== null) headers.set('etag', etag);
  if (isPart) headers.set('content-range', `bytes ${start}-${bytes.length - 1}/${bytes.length}`);
  return new Response(cutStream(bytes.subarray(start), server.cuts.shift()), { status: isPart ? 206 : 200, headers });
}

/** Brings the bytes one step at a time, and fails when `cut` of them were there. */
function cutStream(bytes: Uint8Array<ArrayBuffer>, cut = Number.POSITIVE_INFINITY): ReadableStream<Uint8Array> {
  const stepBytes = 1 + (bytes.length >> 3);
  let at = 0;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const end = Math.min(at + stepBytes, cut, bytes.length);
        if (end > at) controller.enqueue(bytes.slice(at, end));
        at = end;
        if (at === bytes.length) controller.close();
        else if (at >= cut) controller.error(new TypeError('network error'));
      },
    },
    { highWaterMark: 0 },
  );
}
