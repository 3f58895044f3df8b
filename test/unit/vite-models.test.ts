import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveModels } from '../../src/vite/models.js';
import { toMounts } from '../../src/vite/options.js';

let folder: string;
let server: Server;
let origin: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'vecinity-models-'));
  await mkdir(path.join(folder, 'first/m/onnx'), { recursive: true });
  await mkdir(path.join(folder, 'second/m'), { recursive: true });
  await writeFile(path.join(folder, 'secret.json'), 'secret');
  await writeFile(path.join(folder, 'first/m/config.json'), '{"from":"first"}');
  await writeFile(path.join(folder, 'first/m/onnx/model.onnx'), '0123456789');
  await writeFile(path.join(folder, 'second/m/config.json'), '{"from":"second"}');
  await writeFile(path.join(folder, 'second/m/vocab.txt'), 'word');
  const serve = serveModels('/models/', [path.join(folder, 'first'), path.join(folder, 'second')]);
  server = createServer((incoming, response) => serve(incoming, response, () => response.end('the site')));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.close();
  await rm(folder, { recursive: true });
});

/** A request as it is: `fetch` would take dots out of the path and ask for a fresh copy. */
function get(rawPath: string, headers: Record<string, string> = {}): Promise<{ status: number; text: string }> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path: rawPath, headers }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on('error', reject).end();
  });
}

describe('a mounted folder of models', () => {
  it('gives a file with its size, a validator and no stale copies', async () => {
    const response = await fetch(`${origin}/models/m/onnx/model.onnx`);
    expect(await response.text()).toBe('0123456789');
    expect(response.headers.get('content-length')).toBe('10');
    expect(response.headers.get('cache-control')).toBe('no-cache');
    const validator = response.headers.get('etag') ?? '';
    expect((await get('/models/m/onnx/model.onnx', { 'if-none-match': validator })).status).toBe(304);
  });

  it.each([
    ['bytes=2-5', 'bytes 2-5/10', '2345'],
    ['bytes=0-0', 'bytes 0-0/10', '0'],
    ['bytes=-3', 'bytes 7-9/10', '789'],
    ['bytes=8-', 'bytes 8-9/10', '89'],
  ])('gives the range %s', async (range, contentRange, text) => {
    const response = await fetch(`${origin}/models/m/onnx/model.onnx`, { headers: { range } });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(contentRange);
    expect(await response.text()).toBe(text);
  });

  it('refuses a range beyond the end', async () => {
    const response = await fetch(`${origin}/models/m/onnx/model.onnx`, { headers: { range: 'bytes=10-' } });
    expect(response.status).toBe(416);
  });

  it('looks into the folders in order', async () => {
    expect(await (await fetch(`${origin}/models/m/config.json`)).json()).toEqual({ from: 'first' });
    expect(await (await fetch(`${origin}/models/m/vocab.txt`)).text()).toBe('word');
  });

  it('answers what is not there with 404 in plain text, never with the site', async () => {
    for (const missing of ['m/nothing.json', 'm', 'm/', 'nothing/config.json', '']) {
      const response = await fetch(`${origin}/models/${missing}`);
      expect(response.status, missing).toBe(404);
      expect(response.headers.get('content-type'), missing).toContain('text/plain');
    }
  });

  it.each([
    '/models/../secret.json',
    '/models/%2e%2e/secret.json',
    '/models/m/..%2f..%2f..%2fsecret.json',
    '/models/%00',
  ])('does not leave the folder for %s', async (rawPath) => {
    expect((await get(rawPath)).text).not.toContain('secret');
  });

  it('leaves other addresses to the site', async () => {
    expect(await (await fetch(`${origin}/modelsx`)).text()).toBe('the site');
  });
});

describe('modelsDir', () => {
  it('is one folder, several, or several addresses', () => {
    expect(toMounts(undefined)).toEqual([]);
    expect(toMounts('a')).toEqual([['/models/', ['a']]]);
    expect(toMounts(['a', 'b'])).toEqual([['/models/', ['a', 'b']]]);
    expect(toMounts({ weights: 'a', '/more/': ['b'] })).toEqual([
      ['/weights/', ['a']],
      ['/more/', ['b']],
    ]);
  });
});
