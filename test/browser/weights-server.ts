/** A hub on another origin with one model of the fixtures, whose weights come as brokenly as a test says. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from '@playwright/test';

export type Answer = (response: ServerResponse, bytes: Buffer) => void;

const folder = new URL('../fixtures/models/bert-cls/', import.meta.url);

/** A server that runs while the tests of the calling file do, and is as new before each of them. */
export function serveWeights(): WeightsServer {
  const server = new WeightsServer();
  test.beforeAll(() => server.start());
  test.afterAll(() => server.stop());
  test.beforeEach(() => server.reset());
  return server;
}

export class WeightsServer {
  readonly #server: Server;
  readonly #weights = readFileSync(new URL('model.safetensors', folder));
  /** The `Range` header of each request for the weights, or null. */
  readonly ranges: (string | null)[] = [];
  /** Paths of all requests. */
  readonly paths: string[] = [];
  /** How many bytes the next answers bring before the connection is cut. */
  cuts: number[] = [];
  /** What answers for the weights, in turn, before the weights themselves do. */
  answers: Answer[] = [];

  constructor() {
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, 'localhost', resolve));
    return this.hubUrl;
  }

  get hubUrl(): string {
    return `http://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Forgets what a test has asked and ordered. */
  reset(): void {
    this.ranges.length = 0;
    this.paths.length = 0;
    this.cuts = [];
    this.answers = [];
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get sizeBytes(): number {
    return this.#weights.length;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    response.setHeader('access-control-allow-origin', '*');
    response.setHeader('access-control-allow-headers', '*');
    response.setHeader('access-control-expose-headers', 'etag, content-range');
    response.setHeader('cross-origin-resource-policy', 'cross-origin');
    response.setHeader('cache-control', 'no-store');
    if (request.method === 'OPTIONS') {
      response.end();
      return;
    }
    const path = request.url ?? '';
    this.paths.push(path);
    if (path.startsWith('/api/models/')) {
      response.end(JSON.stringify(this.#tree()));
      return;
    }
    const name = /\/resolve\/[^/]+\/(.+)$/.exec(path)?.[1] ?? '';
    if (name === 'model.safetensors') {
      this.#sendWeights(request, response);
      return;
    }
    // Without ONNX files there is no second way to load the model.
    try {
      if (name.startsWith('onnx/')) throw new Error(name);
      response.end(readFileSync(new URL(name, folder)));
    } catch {
      response.writeHead(404).end();
    }
  }

  #tree(): unknown {
    const oid = createHash('sha256').update(this.#weights).digest('hex');
    const size = this.#weights.length;
    return [{ type: 'file', path: 'model.safetensors', size, lfs: { oid, size } }];
  }

  #sendWeights(request: IncomingMessage, response: ServerResponse): void {
    const { range = null } = request.headers;
    this.ranges.push(range);
    const answer = this.answers.shift();
    if (answer) {
      answer(response, this.#weights);
      return;
    }
    const start = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
    const total = this.#weights.length;
    response.writeHead(range === null ? 200 : 206, {
      etag: '"v1"',
      'content-length': total - start,
      ...(range === null ? {} : { 'content-range': `bytes ${start}-${total - 1}/${total}` }),
    });
    const cut = this.cuts.shift();
    if (cut === undefined) {
      response.end(this.#weights.subarray(start));
      return;
    }
    // Chromium drops what it has not handed on yet when a connection breaks, so the bytes get a moment first.
    response.write(this.#weights.subarray(start, start + cut), () => setTimeout(() => response.socket?.end(), 100));
  }
}
