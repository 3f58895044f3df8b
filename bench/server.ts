/**
 * The benchmark's own origin: cross-origin isolated, every file cacheable, nothing from anywhere else.
 * TypeScript of `bench/page` is stripped on the way; everything else is sent as it lies on disk.
 */
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import path from 'node:path';
import { transformWithOxc } from 'vite';

/** An address prefix and the folders that are looked at for it, in order. */
export interface Mount {
  prefix: string;
  folders: readonly string[];
}

export interface BenchServer {
  origin: string;
  /** Bytes of bodies sent so far: shows whether a start was served by the browser's cache. */
  bytesSent(): number;
  close(): Promise<void>;
}

const contentTypes: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
  '.txt': 'text/plain',
};

const isolation = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
};

const pageHtml = `<!doctype html><meta charset="utf-8"><title>Benchmark</title><link rel="icon" href="data:,">
<script type="module" src="/bench/page.js"></script>`;

/** Serves the mounts on a free port of this machine. */
export async function startServer(mounts: readonly Mount[]): Promise<BenchServer> {
  let bytesSent = 0;
  const count = (bytes: number) => {
    bytesSent += bytes;
  };
  const server = createServer((request, response) => {
    respond(request, response, mounts, count).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500, isolation);
      response.end(String(error));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The benchmark server has no port.');
  return {
    origin: `http://127.0.0.1:${address.port}`,
    bytesSent: () => bytesSent,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  mounts: readonly Mount[],
  count: (bytes: number) => void,
): Promise<void> {
  const pathname = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
  if (pathname === '/') return sendText(response, 'text/html', pageHtml);
  const file = await findFile(pathname, mounts);
  if (file === null) {
    response.writeHead(404, isolation).end(`Not found: ${pathname}`);
    return;
  }
  if (file.endsWith('.ts')) {
    const { code } = await transformWithOxc(await readFile(file, 'utf8'), file);
    return sendText(response, 'text/javascript', code);
  }
  await sendFile(request, response, file, count);
}

/** The first file that a mount has for this address; `x.js` is also found as `x.ts`. Null when there is none. */
async function findFile(pathname: string, mounts: readonly Mount[]): Promise<string | null> {
  for (const { prefix, folders } of mounts) {
    if (!pathname.startsWith(prefix)) continue;
    for (const folder of folders) {
      const file = path.resolve(folder, pathname.slice(prefix.length));
      if (!file.startsWith(path.resolve(folder) + path.sep)) continue;
      if (await isFile(file)) return file;
      const source = file.replace(/\.js$/, '.ts');
      if (source !== file && (await isFile(source))) return source;
    }
  }
  return null;
}

async function isFile(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => null);
  return found?.isFile() ?? false;
}

function sendText(response: ServerResponse, type: string, text: string): void {
  response.writeHead(200, { ...isolation, 'content-type': type, 'cache-control': 'no-store' }).end(text);
}

async function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  file: string,
  count: (bytes: number) => void,
): Promise<void> {
  const { size } = await stat(file);
  const range = parseRange(request.headers.range, size);
  const headers: Record<string, string | number> = {
    ...isolation,
    'content-type': contentTypes[path.extname(file)] ?? 'application/octet-stream',
    'cache-control': 'public, max-age=86400, immutable',
    'accept-ranges': 'bytes',
    'content-length': range.end - range.start + 1,
  };
  if (range.partial) headers['content-range'] = `bytes ${range.start}-${range.end}/${size}`;
  response.writeHead(range.partial ? 206 : 200, headers);
  if (request.method === 'HEAD' || size === 0) {
    response.end();
    return;
  }
  const stream = createReadStream(file, { start: range.start, end: range.end });
  stream.on('data', (chunk) => count(chunk.length));
  stream.on('error', () => response.destroy());
  stream.pipe(response);
}

function parseRange(header: string | undefined, size: number): { start: number; end: number; partial: boolean } {
  const match = /^bytes=(\d+)-(\d*)$/.exec(header ?? '');
  const start = Number(match?.[1] ?? 0);
  const end = Math.min(match?.[2] ? Number(match[2]) : size - 1, size - 1);
  if (match === null || start > end) return { start: 0, end: size - 1, partial: false };
  return { start, end, partial: true };
}
