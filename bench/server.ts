/**
 * An origin of our own for a page in a real browser: cross-origin isolated, every file cacheable, nothing from anywhere
 * else. TypeScript of the page's folder is stripped on the way; everything else is sent as it lies on disk.
 */
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import send from 'send';
import { transformWithOxc } from 'vite';

/** An address prefix and the folder that is sent for it. */
export interface Mount {
  prefix: string;
  folder: string;
  /** Files that this mount does not have, whatever lies in the folder. */
  hide?: RegExp;
}

/** What `/` shows, and where its scripts lie: `/<name>/<script>.js` is `<script>.ts` of the folder. */
export interface PageFiles {
  name: string;
  title: string;
  folder: string;
}

export interface ServerOptions {
  mounts: readonly Mount[];
  /** Default: the benchmark's page. */
  page?: PageFiles;
  /** Sends the headers that make the page cross-origin isolated. */
  isolated: boolean;
  /** Asked before files are sent; calls `next` for what it does not answer. */
  before?: (request: IncomingMessage, response: ServerResponse, next: () => void) => void;
}

export interface BenchServer {
  origin: string;
  /** Bytes of files sent so far: shows whether a start was served by the browser's cache. */
  bytesSent(): number;
  close(): Promise<void>;
}

const benchPage: PageFiles = {
  name: 'bench',
  title: 'Benchmark',
  folder: fileURLToPath(new URL('./page', import.meta.url)),
};

const isolationHeaders = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
};

/** Serves the mounts and the page on a free port of this machine. */
export async function startServer({
  mounts,
  isolated,
  page = benchPage,
  before = (_request, _response, next) => next(),
}: ServerOptions): Promise<BenchServer> {
  let bytesSent = 0;
  const site = { mounts, page };
  const server = createServer((request, response) => {
    if (isolated) response.setHeaders(new Map(Object.entries(isolationHeaders)));
    before(request, response, () => {
      respond(request, response, site, (bytes) => {
        bytesSent += bytes;
      }).catch((error: unknown) => refuse(response, 500, String(error)));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
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
  { mounts, page }: Required<Pick<ServerOptions, 'mounts' | 'page'>>,
  count: (bytes: number) => void,
): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  if (pathname === '/') return sendText(response, 'text/html', htmlOf(page));
  const [, folder, script] = /^\/([a-z]+)\/([a-z-]+)\.js$/.exec(pathname) ?? [];
  if (folder === page.name && script) return sendScript(response, path.join(page.folder, `${script}.ts`));
  const mount = mounts.find(({ prefix, hide }) => pathname.startsWith(prefix) && !hide?.test(pathname));
  if (mount === undefined) return refuse(response, 404, `Not found: ${pathname}`);
  send(request, pathname.slice(mount.prefix.length - 1), {
    root: mount.folder,
    index: false,
    immutable: true,
    maxAge: '1d',
  })
    .on('stream', (stream) => stream.on('data', (chunk: Buffer) => count(chunk.length)))
    .on('directory', () => refuse(response, 404, `Not found: ${pathname}`))
    .on('error', (error) => refuse(response, error.status, `${error.message}: ${pathname}`))
    .pipe(response);
}

function htmlOf({ name, title }: PageFiles): string {
  return `<!doctype html><meta charset="utf-8"><title>${title}</title><link rel="icon" href="data:,">
<script type="module" src="/${name}/page.js"></script>`;
}

async function sendScript(response: ServerResponse, file: string): Promise<void> {
  const { code } = await transformWithOxc(await readFile(file, 'utf8'), file);
  sendText(response, 'text/javascript', code);
}

function sendText(response: ServerResponse, type: string, text: string): void {
  response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(text);
}

function refuse(response: ServerResponse, status: number, reason: string): void {
  if (!response.headersSent) response.writeHead(status, { 'content-type': 'text/plain' });
  response.end(reason);
}
