/** `vecinity embed`, `rerank` and `similarity` as processes: results, formats, exit codes and messages. */
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Finding } from '../../src/cli/doctor.js';
import { type CommandOptions, finish, runCommand, startCommand } from './command.js';
import { cosine, type EmbeddingGolden, readGolden } from './golden.js';
import { bundleNodePackage, fixtureModels, type NodePackage } from './node-package.js';

let built: NodePackage;
const golden = readGolden<EmbeddingGolden>('bert-cls');
const texts = golden.inputs.filter((text) => text.trim() !== '' && !/[\n\r]/.test(text)).slice(0, 3);
const expected = texts.map((text) => golden.embeddings[golden.inputs.indexOf(text)] ?? []);

beforeAll(async () => {
  built = await bundleNodePackage();
  await writeFile(path.join(built.folder, 'package.json'), '{"type":"module"}');
});
afterAll(() => built.remove());

const model = (name: string) => ['--model', name, '--models-dir', fixtureModels, '--dtype', 'f32', '--threads', '1'];
const run = (args: readonly string[], options?: CommandOptions) => runCommand(built.folder, args, options);

describe('vecinity embed', () => {
  it('prints the vectors of its arguments as JSON', async () => {
    const { code, stdout, stderr } = await run(['embed', ...texts, ...model('bert-cls')]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const result = JSON.parse(stdout.toString());
    expect(result).toMatchObject({ model: 'bert-cls', usage: { promptTokens: expect.any(Number) }, truncated: 0 });
    expect(result.embeddings.map(({ text }: { text: string }) => text)).toEqual(texts);
    for (const { index, embedding } of result.embeddings) {
      expect(embedding).toHaveLength(result.dimensions);
      expect(cosine(embedding, expected[index] ?? [])).toBeGreaterThan(0.99999);
    }
  });

  it('reads lines from its input and prints one line of JSON for each', async () => {
    const input = `\ufeff${texts.join('\r\n')}\r\n\r\n`;
    const { code, stdout } = await run(['embed', '--output', 'jsonl', ...model('bert-cls')], { input });
    expect(code).toBe(0);
    const rows = stdout.toString().trimEnd().split('\n');
    expect(rows.map((row) => JSON.parse(row).text)).toEqual(texts);
  });

  it('writes a NumPy array to a file that appears whole', async () => {
    const file = path.join(built.folder, 'texts.txt');
    await writeFile(file, texts.join('\n'));
    const out = path.join(built.folder, 'vectors.npy');
    const args = ['embed', '--file', file, '--out', out, '--dimensions', '4'];
    const { code, stdout } = await run([...args, ...model('bert-cls')]);
    expect({ code, printed: stdout.length }).toEqual({ code: 0, printed: 0 });
    const bytes = await readFile(out);
    const length = bytes.readUInt16LE(8);
    expect(bytes.subarray(0, 8)).toEqual(Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]));
    expect((10 + length) % 64).toBe(0);
    expect(bytes.subarray(10, 10 + length).toString()).toMatch(/'descr': '<f4'.*'shape': \(3, 4\), }\s*\n$/);
    const values = Array.from({ length: 4 }, (_, i) => bytes.readFloatLE(10 + length + i * 4));
    expect(bytes.length).toBe(10 + length + 3 * 4 * 4);
    expect(cosine(values, (expected[0] ?? []).slice(0, 4))).toBeGreaterThan(0.99999);
    expect((await readdir(built.folder)).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it('prints a table without the control characters of a text', async () => {
    const args = ['embed', 'a\u001b[31mb', '--output', 'table', ...model('bert-cls')];
    const lines = (await run(args)).stdout.toString().split('\n');
    expect(lines[0]).toMatch(/^index {2}text {2,}embedding \(\d+\)$/);
    expect(lines[1]).toMatch(/^ {4}0 {2}a \[31mb {2,}-?\d\.\d{4} /);
  });

  it('ends quietly when nobody reads its output any more', async () => {
    const child = startCommand(built.folder, ['embed', '--output', 'jsonl', ...model('bert-cls')]);
    child.stdout?.destroy();
    const input = Array.from({ length: 2000 }, (_, i) => `text ${i}`).join('\n');
    let messages = '';
    child.stderr?.on('data', (chunk) => {
      messages += chunk;
    });
    child.stdin?.end(input);
    const [code] = await once(child, 'close');
    expect({ code, messages }).toEqual({ code: 0, messages: '' });
  });

  it('says with its exit code that it was interrupted', async () => {
    const hub = createServer(); // Never answers, so that there is something to interrupt.
    onTestFinished(() => void hub.close().closeAllConnections());
    await once(hub.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`;
    const child = startCommand(built.folder, ['embed', 'a', '--model', 'owner/name', '--hub-url', url]);
    const ended = finish(child);
    await once(hub, 'request');
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: 130, stderr: '' });
  });
});

describe('vecinity convert', () => {
  it('ends at once when it is interrupted, and leaves nothing', async () => {
    const [calibration, folder] = ['many.txt', 'converted'].map((name) => path.join(built.folder, name)) as [
      string,
      string,
    ];
    await writeFile(calibration, 'one of many texts, which take a while to go through the model\n'.repeat(3_000));
    const source = path.join(fixtureModels, 'bert-cls');
    const child = startCommand(built.folder, ['convert', source, '--calibrate', calibration, '--output', folder]);
    const ended = finish(child);
    child.stderr?.once('data', () => child.kill('SIGINT')); // The first of its linears is done.
    // A shell tells of a process that SIGINT ended as 130.
    expect(await ended).toMatchObject({ code: null, stderr: expect.not.stringContaining('wrote') });
    expect(child.signalCode).toBe('SIGINT');
    await expect(readdir(folder)).rejects.toThrow('ENOENT');
  });
});

describe('vecinity rerank', () => {
  it('prints the best documents first, with the scores of the model', async () => {
    const args = ['rerank', 'a query', '--top-n', '2', ...model('bert-reranker')];
    const { code, stdout } = await run(args, { input: 'first\nsecond\nthird\n' });
    expect(code).toBe(0);
    const { results, query } = JSON.parse(stdout.toString());
    expect(query).toBe('a query');
    expect(results).toHaveLength(2);
    expect(results[0].score).toBeGreaterThanOrEqual(results[1].score);
    for (const { index, document } of results) expect(document).toBe(['first', 'second', 'third'][index]);
  });
});

describe('vecinity similarity', () => {
  it('prints a symmetric matrix', async () => {
    const { code, stdout } = await run(['similarity', ...texts, ...model('bert-cls')]);
    expect(code).toBe(0);
    const { measure, similarities } = JSON.parse(stdout.toString());
    expect(measure).toBe('cosine');
    expect(similarities[0].similarities[0]).toBeCloseTo(1, 5);
    expect(similarities[0].similarities[1]).toBeCloseTo(cosine(expected[0] ?? [], expected[1] ?? []), 4);
    expect(similarities[1].similarities[0]).toBe(similarities[0].similarities[1]);
  });
});

describe('a wrong command line', () => {
  it.each([
    [['embed'], /^vecinity embed: There is no text: give some as arguments, with --file, or through a pipe\.\n/],
    [['embed', 'a', '--dimensions', '0'], /`--dimensions` must be an integer of at least 1; got "0"/],
    [['embed', 'a', '--output', 'xml'], /`--output` must be one of json, jsonl, npy, table; got "xml"/],
    [
      ['embed', '--file', 'no-such-file'],
      /`--file` names no-such-file, which cannot be read: there is no such file or folder\./,
    ],
    [['embed', 'a', '--colour'], /: Unknown option '--colour'\.\n/],
    [['embed', 'a', '--modle', 'x'], /: Unknown option '--modle'\. Is --model meant\?\n/],
    [
      ['embed', 'a', '--models-dir', 'no-such-folder'],
      /`--models-dir`: the folder of models no-such-folder is not there\./,
    ],
    [['rerank'], /`rerank` takes a QUERY first/],
    [['similarity', 'one'], /takes from 2 to 4096 texts, got 1/],
    [['embed', 'a', '--hub-url', 'ftp://x'], /`--hub-url` \(or HUB_URL, HF_ENDPOINT\) must be an address/],
    [['dance'], /there is no command "dance"/],
  ])('of %j ends with 2 and one sentence', async (args, message) => {
    const { code, stdout, stderr } = await run(args);
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('    at ');
    expect({ code, printed: stdout.length }).toEqual({ code: 2, printed: 0 });
  });

  it('is told apart from a model that is not there', async () => {
    const { code, stderr } = await run(['embed', 'a', '--model', './nothing-here']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^vecinity embed: There is no model at .*nothing-here/);
  });

  it('is told apart from a folder that holds models and is none', async () => {
    const { code, stderr } = await run(['convert', fixtureModels]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('is a folder without a config.json') });
  });

  it('is told apart from a network that fails, with the reason', async () => {
    const hub = createServer();
    await once(hub.listen(0, '127.0.0.1'), 'listening');
    const { port } = hub.address() as AddressInfo;
    await new Promise((resolve) => hub.close(resolve));
    const { code, stderr } = await run(['embed', 'a', '--hub-url', `http://127.0.0.1:${port}`]);
    expect(code).toBe(1);
    expect(stderr).toContain(`connect ECONNREFUSED 127.0.0.1:${port}`);
    expect(stderr).toMatch(/`--models-dir` names a folder of models; `--hub-url` names a mirror of the hub\.\n$/);
  });

  it('is helped by a usage on the output', async () => {
    const { code, stdout, stderr } = await run(['embed', '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.toString()).toContain('--prompt-name NAME');
    expect((await run(['help', 'embed'])).stdout).toEqual(stdout);
  });

  it.each(['serve', 'embed', 'convert'])('has a usage of %s that fits a terminal', async (name) => {
    const lines = (await run([name, '--help'])).stdout.toString().split('\n');
    expect(lines.filter((line) => line.length > 120)).toEqual([]);
  });
});

describe('vecinity doctor', () => {
  const cache = () => ['--cache-dir', path.join(built.folder, 'cache')];

  it('tells what there is and that a model works', async () => {
    const { code, stdout } = await run(['doctor', '--output', 'json', ...cache(), ...model('bert-cls')]);
    expect(code).toBe(0);
    const findings: Finding[] = JSON.parse(stdout.toString());
    const details = Object.fromEntries(findings.map(({ check, detail }) => [check, detail]));
    expect(details).toMatchObject({
      node: process.versions.node,
      wasm: expect.stringContaining('SIMD'),
      threads: expect.stringMatching(/^\d+ cores, memory can be shared/),
      'models folder': expect.stringContaining('bert-cls'),
      model: expect.stringMatching(/^bert-cls works: wasm on wasm, f32, 1 threads/),
    });
  });

  it('ends with 1 and says what to do when something does not work', async () => {
    const { code, stdout, stderr } = await run(['doctor', '--models-dir', 'no-such-folder', ...cache()]);
    expect(stdout.toString()).toMatch(/models folder +failure +no-such-folder has no models\n +-> put models there/);
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'vecinity doctor: does not work: models folder\n' });
  });
});

describe('vecinity bench', () => {
  it('prints the throughput and the time of single texts', async () => {
    const { code, stdout } = await run(['bench', '--seconds', '1', ...model('bert-cls')]);
    expect(code).toBe(0);
    const { measurements, backend } = JSON.parse(stdout.toString());
    expect(backend).toMatchObject({ backend: 'wasm', dtype: 'f32' });
    const names = ['load', 'throughput', 'tokens', 'query p50', 'query p95'];
    expect(measurements.map(({ measure }: { measure: string }) => measure)).toEqual(names);
    for (const { value } of measurements) expect(value).toBeGreaterThan(0);
    expect(measurements[4].value).toBeGreaterThanOrEqual(measurements[3].value);
  });
});
