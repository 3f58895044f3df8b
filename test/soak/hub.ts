/** A model hub on another origin than the page, which answers in every wrong way that servers and networks know. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import path from 'node:path';

/**
 * `cut` breaks every connection; `error` and `busy` answer 500 and 429, `missing` 404 but for config.json, without which
 * there would be no model; `page` is one of HTML; `damaged` flips a bit of the files whose hash is published; `short` ends
 * in the middle, `slow` brings a little at a time.
 */
export const manners = ['cut', 'error', 'busy', 'missing', 'page', 'damaged', 'short', 'slow'] as const;
export type Manner = (typeof manners)[number];

export interface Hub {
  url: string;
  /** How it answers from now on; null is right again. */
  behave(manner: Manner | null): void;
  close(): Promise<void>;
}

export interface HubOptions {
  /** Hub names (`owner/name`) and the folders that they stand for. */
  folders: Readonly<Record<string, string>>;
  /** False leaves ONNX files out: then our own engine has to do it all. */
  onnx: boolean;
}

export async function startHub({ folders, onnx }: HubOptions): Promise<Hub> {
  const files = new Map<string, Buffer>();
  for (const [name, folder] of Object.entries(folders)) await readModel(files, name, folder);
  for (const file of files.keys()) if (!onnx && file.endsWith('.onnx')) files.delete(file);
  let manner: Manner | null = null;
  const server = createServer((request, response) => {
    if (manner === 'cut') request.socket.destroy();
    else answer(request, response, { files, manner });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The hub has no port.');
  return {
    url: `http://127.0.0.1:${address.port}`,
    behave(wish) {
      manner = wish;
      if (manner === 'cut') server.closeAllConnections();
    },
    async close() {
      const closed = once(server.close(), 'close');
      server.closeAllConnections();
      await closed;
    },
  };
}

async function readModel(files: Map<string, Buffer>, name: string, folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const file = path.join(entry.parentPath, entry.name);
    if (!entry.isFile()) continue;
    files.set(`${name}/${path.relative(folder, file).replaceAll(path.sep, '/')}`, await readFile(file));
  }
}

interface Answering {
  files: ReadonlyMap<string, Buffer>;
  manner: Manner | null;
}

function answer(request: IncomingMessage, response: ServerResponse, { files, manner }: Answering): void {
  response.setHeader('access-control-allow-origin', '*');
  response.setHeader('access-control-allow-headers', '*');
  response.setHeader('access-control-expose-headers', 'etag, content-range');
  response.setHeader('cross-origin-resource-policy', 'cross-origin');
  response.setHeader('cache-control', 'no-store');
  if (request.method === 'OPTIONS') return void response.end();
  if (manner === 'error' || manner === 'busy') return void response.writeHead(manner === 'error' ? 500 : 429).end();
  const { pathname } = new URL(request.url ?? '/', 'http://hub');
  const [, listed] = /^\/api\/models\/(.+)\/tree\//.exec(pathname) ?? [];
  if (listed) return void response.end(JSON.stringify(listModel(files, listed)));
  if (manner === 'page') return void response.setHeader('content-type', 'text/html').end('<!doctype html><p>Sign in');
  const [, name, file] = /^\/(.+)\/resolve\/[^/]+\/(.+)$/.exec(pathname) ?? [];
  const bytes = files.get(`${name}/${file}`);
  if (!bytes || !file || (manner === 'missing' && file !== 'config.json')) response.writeHead(404).end();
  else sendBytes(request, response, { manner, bytes: manner === 'damaged' && isHashed(file) ? damaged(bytes) : bytes });
}

function isHashed(file: string): boolean {
  return file.endsWith('.safetensors');
}

function damaged(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  const at = copy.length >> 1;
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

/** As the hub lists them: all files, with hashes of the large ones. */
function listModel(files: ReadonlyMap<string, Buffer>, name: string) {
  const listed = [...files].filter(([file]) => file.startsWith(`${name}/`));
  return listed.map(([file, bytes]) => {
    const entry = { type: 'file', path: file.slice(name.length + 1), size: bytes.length };
    if (!isHashed(file)) return entry;
    const oid = createHash('sha256').update(bytes).digest('hex');
    return { ...entry, lfs: { oid, size: bytes.length } };
  });
}

function sendBytes(
  request: IncomingMessage,
  response: ServerResponse,
  { bytes, manner }: { bytes: Buffer; manner: Manner | null },
): void {
  const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const range = start > 0 ? { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {};
  response.writeHead(start > 0 ? 206 : 200, { etag: '"v1"', 'content-length': bytes.length - start, ...range });
  const body = bytes.subarray(start);
  if (manner === 'short') response.write(body.subarray(0, body.length >> 1), () => response.destroy());
  else if (manner === 'slow') trickle(response, body);
  else response.end(body);
}

const slowSteps = 50;
const slowStepMs = 100;

/** Brings the body in five seconds. */
function trickle(response: ServerResponse, body: Buffer): void {
  const stepBytes = Math.ceil(body.length / slowSteps);
  let at = 0;
  const timer = setInterval(() => {
    if (at < body.length) response.write(body.subarray(at, at + stepBytes));
    else response.end();
    at += stepBytes;
  }, slowStepMs);
  response.once('close', () => clearInterval(timer));
}
