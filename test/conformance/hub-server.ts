/** A model hub on the loopback: one repository made of a folder, with its listing, ranges, and faults on demand. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

export interface Hub {
  url: string;
  /** `GET /…` with the range where there was one. */
  requests: { path: string; range: string | null }[];
  /** Files whose next request gets so many bytes, and then nothing more. */
  holds: Map<string, number>;
  /** Files whose listing tells another hash than they have. */
  forged: Set<string>;
  /** Members of the listing that differ from what is true. */
  listing: Record<string, unknown>;
  /** Resolves when a file is being held. */
  held: Promise<void>;
  /** Breaks every connection. */
  drop(): void;
  close(): void;
}

const commit = 'c0ffee';

/** The repository `owner/name`; every revision stands for the same commit. */
export async function startHub(folder: string): Promise<Hub> {
  const files = await readFiles(folder);
  let tellHeld = () => {};
  const held = new Promise<void>((resolve) => {
    tellHeld = resolve;
  });
  const hub: Hub = {
    url: '',
    requests: [],
    holds: new Map(),
    forged: new Set(),
    listing: {},
    held,
    drop() {},
    close() {},
  };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://hub');
    hub.requests.push({ path: pathname, range: request.headers.range ?? null });
    if (pathname.startsWith('/api/models/owner/name/revision/')) return sendListing(response, files, hub);
    const name = decodeURIComponent(pathname.replace(/^\/owner\/name\/resolve\/[^/]+\//, ''));
    const bytes = files.get(name);
    if (!bytes) return void response.writeHead(404).end();
    sendFile({ request, response, bytes, hold: hub.holds.get(name), tellHeld });
    hub.holds.delete(name);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  hub.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  hub.drop = () => server.closeAllConnections();
  hub.close = () => server.close().closeAllConnections();
  return hub;
}

async function readFiles(folder: string): Promise<Map<string, Buffer>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  return new Map(
    await Promise.all(paths.map(async (file) => [path.relative(folder, file), await readFile(file)] as const)),
  );
}

/** As the hub tells it: weights by their SHA-256, small files by git's hash of a blob. */
function sendListing(response: ServerResponse, files: ReadonlyMap<string, Buffer>, { forged, listing }: Hub): void {
  const siblings = [...files].map(([rfilename, bytes]) => {
    const blob = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
    const content = forged.has(rfilename) ? 'something else' : bytes;
    const sha256 = createHash('sha256').update(content).digest('hex');
    const lfs = rfilename.endsWith('.safetensors') ? { lfs: { sha256, size: bytes.length } } : {};
    return { rfilename, size: bytes.length, blobId: blob, ...lfs };
  });
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ id: 'owner/name', sha: commit, siblings, ...listing }));
}

interface Sending {
  request: IncomingMessage;
  response: ServerResponse;
  bytes: Buffer;
  hold: number | undefined;
  tellHeld: () => void;
}

function sendFile({ request, response, bytes, hold, tellHeld }: Sending): void {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const rest = bytes.subarray(start);
  response.writeHead(start > 0 ? 206 : 200, { 'content-length': rest.length });
  if (hold === undefined) return void response.end(rest);
  response.write(rest.subarray(0, hold), tellHeld);
}
