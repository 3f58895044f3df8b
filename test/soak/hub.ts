/** A model hub on another origin than the page, whose network can be cut: without it, nothing new is loaded. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import path from 'node:path';

export interface Hub {
  url: string;
  /** True breaks every connection, now and until it is false again. */
  cut(isCut: boolean): void;
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
  let isCut = false;
  const server = createServer((request, response) => {
    if (isCut) request.socket.destroy();
    else answer(request, response, files);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The hub has no port.');
  return {
    url: `http://127.0.0.1:${address.port}`,
    cut(wish) {
      isCut = wish;
      if (isCut) server.closeAllConnections();
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

function answer(request: IncomingMessage, response: ServerResponse, files: ReadonlyMap<string, Buffer>): void {
  response.setHeader('access-control-allow-origin', '*');
  response.setHeader('access-control-allow-headers', '*');
  response.setHeader('access-control-expose-headers', 'etag, content-range');
  response.setHeader('cross-origin-resource-policy', 'cross-origin');
  response.setHeader('cache-control', 'no-store');
  if (request.method === 'OPTIONS') return void response.end();
  const { pathname } = new URL(request.url ?? '/', 'http://hub');
  const [, listed] = /^\/api\/models\/(.+)\/tree\//.exec(pathname) ?? [];
  if (listed) return void response.end(JSON.stringify(listModel(files, listed)));
  const [, name, file] = /^\/(.+)\/resolve\/[^/]+\/(.+)$/.exec(pathname) ?? [];
  const bytes = files.get(`${name}/${file}`);
  if (bytes) sendBytes(request, response, bytes);
  else response.writeHead(404).end();
}

function listModel(files: ReadonlyMap<string, Buffer>, name: string) {
  const weights = [...files].filter(([file]) => file.startsWith(`${name}/`) && file.endsWith('.safetensors'));
  return weights.map(([file, bytes]) => {
    const oid = createHash('sha256').update(bytes).digest('hex');
    return { type: 'file', path: file.slice(name.length + 1), size: bytes.length, lfs: { oid, size: bytes.length } };
  });
}

function sendBytes(request: IncomingMessage, response: ServerResponse, bytes: Buffer): void {
  const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const range = start > 0 ? { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {};
  response.writeHead(start > 0 ? 206 : 200, { etag: '"v1"', 'content-length': bytes.length - start, ...range });
  response.end(bytes.subarray(start));
}
