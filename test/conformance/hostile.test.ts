/**
 * Requests that mean harm, against a real engine behind the handler and behind a real socket: each is answered with
 * what is wrong about it or harmlessly, in bounded time, and the request after it works.
 */
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Engine } from '../../src/core/engine.js';
import type { RunningServer } from '../../src/edge/server.js';
import { type EmbeddingGolden, readGolden } from './golden.js';
import { bundleNodePackage, fixtureModels, type NodePackage } from './node-package.js';

const mebibyte = 1024 * 1024;
/** Two texts of three letters and a space, that a giant text is made of. */
const words = 'abc def ';

let built: NodePackage;
let engine: Engine;
let handler: (request: Request) => Promise<Response>;
let server: RunningServer;

beforeAll(async () => {
  built = await bundleNodePackage();
  engine = await built.module.createNodeEngine({ modelsDir: fixtureModels, threads: 1, dtype: 'f32' });
  await engine.load('bert-cls');
  handler = built.module.createHandler({ engine });
  server = await built.module.listen(handler);
});

afterAll(async () => {
  await server.close();
  await engine.dispose();
  await built.remove();
});

/** A model whose tokenizer takes twice the time for each letter more of some texts. */
async function endlessModel(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'vecinity-endless-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await cp(path.join(fixtureModels, 'bert-cls'), path.join(folder, 'endless'), { recursive: true });
  const file = path.join(folder, 'endless', 'tokenizer.json');
  const pattern = { Regex: '^(a+)+$' };
  const split = { type: 'Split', pattern, behavior: 'Isolated', invert: false };
  const steps = { type: 'Sequence', pretokenizers: [split, { type: 'BertPreTokenizer' }] };
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), pre_tokenizer: steps }));
  return folder;
}

it('a model whose tokenizer has no end for a text costs that request only', async () => {
  const own = await built.module.createNodeEngine({ modelsDir: await endlessModel(), threads: 1, dtype: 'f32' });
  onTestFinished(() => own.dispose());
  await own.load('endless');
  const answer = built.module.createHandler({ engine: own });
  const ask = async (input: string) => {
    const body = JSON.stringify({ input });
    const response = await answer(
      new Request('http://localhost/v1/embeddings', { method: 'POST', headers: json, body }),
    );
    return [response.status, (await response.json()).error?.message];
  };
  const message = /^The tokenizer\.json of endless cannot tokenize a text of 61 characters: it had not ended after/;
  expect(await ask(`${'a'.repeat(60)}b`)).toEqual([502, expect.stringMatching(message)]);
  expect(await ask('next')).toEqual([200, undefined]);
});

const json = { 'content-type': 'application/json' };

async function post(body: BodyInit, headers: Record<string, string> = json) {
  const response = await handler(new Request('http://localhost/v1/embeddings', { method: 'POST', headers, body }));
  const { error, data } = await response.json();
  return { status: response.status, code: error?.code, message: String(error?.message), data };
}

/** The engine still says what the reference says. */
async function stillWorks(): Promise<void> {
  const { inputs, embeddings } = readGolden<EmbeddingGolden>('bert-cls');
  const { status, data } = await post(JSON.stringify({ input: inputs[0] }));
  expect(status).toBe(200);
  data[0].embedding.forEach((value: number, at: number) => {
    expect(value).toBeCloseTo(embeddings[0]?.[at] ?? Number.NaN, 4);
  });
}

const nested = (open: string, close: string) => open.repeat(100_000) + close.repeat(100_000);

const refused: [name: string, body: () => BodyInit, status: number, code: string][] = [
  ['arrays in arrays, 100,000 deep', () => `{"input":${nested('[', ']')}}`, 400, 'invalid_request'],
  [
    'objects in objects, 100,000 deep',
    () => `{"input":${'{"a":'.repeat(1e5)}1${'}'.repeat(1e5)}}`,
    400,
    'invalid_request',
  ],
  ['arrays that are never closed', () => '['.repeat(1_000_000), 400, 'invalid_json'],
  ['a million inputs', () => JSON.stringify({ input: Array(1e6).fill('a') }), 400, 'invalid_request'],
  ['a million token ids', () => JSON.stringify({ input: Array(1e6).fill(5) }), 400, 'context_length_exceeded'],
  ['a token id beyond every vocabulary', () => '{"input":[1e15]}', 400, 'invalid_request'],
  ['a token id that is no number of JSON', () => '{"input":[NaN]}', 400, 'invalid_json'],
  ['a token id that is read as infinite', () => '{"input":[1e999]}', 400, 'invalid_request'],
  ['a token id below zero', () => '{"input":[-1]}', 400, 'invalid_request'],
  ['infinite dimensions', () => '{"input":"a","dimensions":1e999}', 400, 'invalid_request'],
  ['dimensions in words', () => '{"input":"a","dimensions":"NaN"}', 400, 'invalid_request'],
  ['a giant text', () => JSON.stringify({ input: words.repeat(3 * mebibyte) }), 400, 'context_length_exceeded'],
  ['a giant word', () => JSON.stringify({ input: 'a'.repeat(30 * mebibyte) }), 400, 'context_length_exceeded'],
  ['more bytes than a body may have', () => new Uint8Array(33 * mebibyte).fill(32), 413, 'payload_too_large'],
  ['bytes that are not UTF-8', () => new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), 400, 'invalid_json'],
  ['a prompt named as what every object has', () => '{"input":"a","prompt_name":"__proto__"}', 400, 'invalid_request'],
  ['a prompt named constructor', () => '{"input":"a","prompt_name":"constructor"}', 400, 'invalid_request'],
];

const harmless: [name: string, body: () => string][] = [
  [
    'keys of the prototype',
    () => '{"__proto__":{"input":"x","polluted":1},"constructor":{"prototype":{"polluted":1}},"input":"a"}',
  ],
  ['a model named as what every object has', () => '{"input":"a","model":"__proto__"}'],
  ['a model named toString', () => '{"input":"a","model":"toString"}'],
  ['a name of ten million letters', () => JSON.stringify({ input: 'a', model: 'x'.repeat(1e7) })],
  [
    'half a million members that nobody knows',
    () => `{${Array.from({ length: 5e5 }, (_, at) => `"k${at}":${at},`).join('')}"input":"a"}`,
  ],
  ['an unknown member, 100,000 deep', () => `{"input":"a","extra":${nested('[', ']')}}`],
  ['halves of characters', () => '{"input":["\\ud800 x","x \\udfff","\\udfff\\ud800"]}'],
  ['characters that control a terminal or a file', () => '{"input":"\\u0000\\u0007\\u001b[31m\\ufeff\\u202e"}'],
  ['a giant text that may be cut', () => JSON.stringify({ input: words.repeat(3 * mebibyte), truncate: true })],
  [
    '2,048 long texts that may be cut',
    () => JSON.stringify({ input: Array(2_048).fill(words.repeat(1_500)), truncate: true }),
  ],
];

describe('a body with', () => {
  it.each(refused)('%s is refused', async (_name, body, status, code) => {
    const answer = await post(body());
    expect([answer.status, answer.code], answer.message).toEqual([status, code]);
    expect(answer.message.length).toBeLessThan(2_000);
    await stillWorks();
  });

  it.each(harmless)('%s does no harm', async (_name, body) => {
    const answer = await post(body());
    expect(answer.status, answer.message).toBe(200);
    for (const { embedding } of answer.data) expect(embedding.every(Number.isFinite)).toBe(true);
    expect(Object.prototype).not.toHaveProperty('polluted');
    await stillWorks();
  });

  it.each(['text/plain', 'multipart/form-data; boundary=x', 'application/jsonp', 'application/json, text/html', ''])(
    'the content type %j is refused',
    async (type) => {
      const answer = await post('{"input":"a"}', { 'content-type': type });
      expect([answer.status, answer.code]).toEqual([415, 'unsupported_media_type']);
    },
  );
});

/** Writes these bytes to a connection of its own and gives what comes back until it ends, or until `enough` is there. */
async function speak(parts: readonly string[], enough?: RegExp): Promise<string> {
  const socket = connect(server.port, '127.0.0.1');
  let heard = '';
  socket.on('data', (chunk) => {
    heard += chunk;
    if (enough?.test(heard)) socket.destroy();
  });
  // A server that refuses closes while we still write.
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  for (const part of parts) if (!socket.destroyed) socket.write(part);
  await closed;
  return heard;
}

const head = (...headers: string[]) =>
  `${['POST /v1/embeddings HTTP/1.1', 'host: localhost', 'content-type: application/json', ...headers].join('\r\n')}\r\n\r\n`;

describe('a socket with', () => {
  it('a body that is shorter than it says is waited for alone: others are answered, and its end frees it', async () => {
    const socket = connect(server.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(`${head('content-length: 1000')}{"input":`);
    await stillWorks();
    const response = await fetch(`${server.url}/v1/embeddings`, {
      method: 'POST',
      headers: json,
      body: '{"input":"a"}',
    });
    expect(response.status).toBe(200);
    const closed = once(socket, 'close');
    socket.destroy();
    await closed;
    await stillWorks();
  });

  it.each([
    [
      'a body that is longer than it says',
      [head('content-length: 13'), '{"input":"a"}GET / GARBAGE'],
      /HTTP\/1\.1 400/,
    ],
    ['a length that is no number', [head('content-length: many')], /HTTP\/1\.1 400/],
    ['two lengths that differ', [head('content-length: 5', 'content-length: 6'), '{"a"}'], /HTTP\/1\.1 400/],
    [
      'a length and chunks at once',
      [head('content-length: 5', 'transfer-encoding: chunked'), '0\r\n\r\n'],
      /HTTP\/1\.1 400/,
    ],
    ['a length beyond every limit', [head('content-length: 99999999999')], /HTTP\/1\.1 413/],
    ['a flood of headers', [head(...Array.from({ length: 5_000 }, (_, at) => `x-${at}: y`))], /HTTP\/1\.1 431/],
    ['one giant header', [head(`x-giant: ${'y'.repeat(1e6)}`)], /HTTP\/1\.1 431/],
    [
      'an expectation that nobody meets',
      [head('expect: pizza', 'content-length: 13'), '{"input":"a"}'],
      /HTTP\/1\.1 417/,
    ],
    ['chunks of unknown length', [head('transfer-encoding: chunked'), 'zz\r\n'], /HTTP\/1\.1 400/],
    ['an encoding of its chunks that nobody knows', [head('transfer-encoding: xchunked')], /HTTP\/1\.1 400/],
    ['endless notes to a chunk', [head('transfer-encoding: chunked'), `d;${'x'.repeat(1e5)}`], /HTTP\/1\.1 413/],
    [
      'a flood of headers after its chunks',
      [head('transfer-encoding: chunked'), '0\r\n', 'x: y\r\n'.repeat(20_000)],
      /HTTP\/1\.1 431/,
    ],
    [
      'a request for another server',
      ['GET http://evil.example/health HTTP/1.1\r\nhost: localhost\r\n\r\n'],
      /HTTP\/1\.1 400/,
    ],
    ['a path out of the root', ['GET /../../etc/passwd HTTP/1.1\r\nhost: localhost\r\n\r\n'], /HTTP\/1\.1 404/],
    [
      'a path that begins with two slashes',
      ['GET //evil.example/health HTTP/1.1\r\nhost: localhost\r\n\r\n'],
      /HTTP\/1\.1 404/,
    ],
    [
      'a method that takes things away',
      ['DELETE /v1/models/bert-cls HTTP/1.1\r\nhost: localhost\r\n\r\n'],
      /HTTP\/1\.1 405/,
    ],
    [
      'a compressed body',
      [head('content-encoding: gzip', 'content-length: 4'), '\u001f\u0008\u0000\u0000'],
      /HTTP\/1\.1 415/,
    ],
    ['no HTTP at all', ['\u0016\u0003\u0001 hello\r\n\r\n'], /HTTP\/1\.1 400/],
  ])('%s is refused, and the next request works', async (_name, parts, answer) => {
    expect(await speak(parts, answer)).toMatch(answer);
    await stillWorks();
  });

  it('chunks without end is refused at the limit of a body', async () => {
    const chunk = `${(mebibyte).toString(16)}\r\n${' '.repeat(mebibyte)}\r\n`;
    const heard = await speak([head('transfer-encoding: chunked'), ...Array(40).fill(chunk)], /payload_too_large/);
    expect(heard).toMatch(/HTTP\/1\.1 413/);
    await stillWorks();
  });
});
