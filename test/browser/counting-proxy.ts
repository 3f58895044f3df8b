/**
 * The whole network of a browser: a proxy that every request has to pass (page, workers, Service Worker, the browser
 * itself), which keeps each one and lets through only what is for the given origins.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request as openRequest, type ServerResponse } from 'node:http';

export interface Passed {
  method: string;
  url: string;
  body: string;
}

export class CountingProxy {
  readonly #server = createServer((request, response) => void this.#pass(request, response));
  readonly #origins: ReadonlySet<string>;
  /** Everything that was asked for, let through or not. */
  readonly requests: Passed[] = [];

  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins);
    // The way of https: who it is for is all that can be seen, and it is not let through.
    this.#server.on('connect', ({ url = '' }, socket) => {
      this.requests.push({ method: 'CONNECT', url: `https://${url}/`, body: '' });
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    });
  }

  /** Its address, for the browser's `proxy` option. */
  async start(): Promise<string> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('The proxy has no port.');
    return `http://127.0.0.1:${address.port}`;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server.close(), 'close');
    this.#server.closeAllConnections();
    await closed;
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    this.requests.push({ method, url, body: body.toString() });
    if (!this.#origins.has(new URL(url).origin)) return void response.writeHead(502).end();
    const onward = openRequest(url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    onward.end(body);
  }
}
