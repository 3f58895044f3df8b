import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { encode, pool, type ReferenceModel } from '../../src/backend/wasm/reference.js';
import { loadReferenceModel } from '../../src/backend/wasm/reference-model.js';
import { calibrationTexts } from '../../src/convert/calibration-texts.js';
import { convertModel } from '../../src/convert/convert-model.js';
import { smoothingMultipliers } from '../../src/convert/smoothing.js';
import type { ModelFiles } from '../../src/models/files.js';
import { openModelFiles } from '../../src/models/open-files.js';
import { openSafetensors } from '../../src/models/safetensors.js';
import { loadModelSpec } from '../../src/models/spec-files.js';
import { cosine } from '../conformance/golden.js';
import { type Answer, htmlPage, memoryServer } from './memory-server.js';
import { fixtureFolder, modelFolder } from './model-folder.js';

describe('converting a model', () => {
  it('writes weights whose vectors are those of the original', async () => {
    const { files, golden, converted } = await convertFixture('bert-cls');
    const model = await loaded(converted, files);
    const offsets = Int32Array.from([0, ...golden.input_ids.map((ids) => ids.length)]);
    for (let text = 1; text < offsets.length; text++)
      offsets[text] = (offsets[text] as number) + (offsets[text - 1] as number);
    const batch = { inputIds: Int32Array.from(golden.input_ids.flat()), typeIds: null, offsets };
    const pooled = pool(encode(model, batch), offsets, 'cls');
    const { hidden } = model.description;
    golden.embeddings.forEach((expected, text) => {
      expect(cosine(pooled.subarray(text * hidden, (text + 1) * hidden), expected)).toBeGreaterThan(0.9995);
    });
  });

  it('stores linears and words in 8 bits, with scales, multipliers and where they come from', async () => {
    const { converted } = await convertFixture('bert-cls');
    const file = await openSafetensors(inMemory(converted));
    expect(file?.metadata).toMatchObject({ format: 'vecinity-q8', source: 'tests/bert-cls@main', block: '128' });
    expect(file?.tensors.get('embeddings.word_embeddings.weight')?.dtype).toBe('I8');
    const up = 'encoder.layer.1.intermediate.dense';
    expect(file?.tensors.get(`${up}.weight`)).toMatchObject({ dtype: 'I8', shape: [256, 64] });
    expect(file?.tensors.get(`${up}.weight_scale`)).toMatchObject({ dtype: 'F32', shape: [256] });
    expect(file?.tensors.get(`${up}.smooth`)).toMatchObject({ dtype: 'F32', shape: [64] });
    expect(file?.tensors.get(`${up}.bias`)).toMatchObject({ dtype: 'F32', shape: [256] });
    const self = 'encoder.layer.1.attention.self';
    expect(await file?.read(`${self}.query.smooth`)).toEqual(await file?.read(`${self}.value.smooth`));
  });

  it('copies what a model needs beside its weights, unchanged', async () => {
    const { files, converted } = await convertFixture('bert-cls');
    for (const path of ['config.json', 'tokenizer.json', 'modules.json', '1_Pooling/config.json']) {
      const original = await files.readBytes(path);
      expect(Buffer.from(converted.get(path) ?? []).equals(original ?? new Uint8Array())).toBe(true);
    }
  });

  it('copies no page that a server has in the place of a file', async () => {
    const base = 'https://app.example/bert-cls/';
    const folder = modelFolder(fixtureFolder('bert-cls'));
    const present = ['config.json', 'tokenizer.json', 'model.safetensors'];
    const entries = await Promise.all(
      present.map(async (path) => [base + path, await folder.readBytes(path)] as const),
    );
    const answers = Object.fromEntries(entries.map(([url, bytes]) => [url, new Uint8Array(bytes ?? [])]));
    const withPages = new Proxy<Record<string, Answer>>(answers, {
      get: (known, url: string) => known[url] ?? htmlPage,
    });
    const { fetch } = memoryServer(withPages);
    const files = openModelFiles({ kind: 'url', base, headers: {}, cache: false }, { fetch });
    expect([...(await convertFiles(files, 'bert-cls')).keys()].sort()).toEqual([...present].sort());
  });

  it('gives the same bytes every time', async () => {
    const [first, second] = [await convertFixture('bert-reranker'), await convertFixture('bert-reranker')];
    expect(weightsOf(first.converted).equals(weightsOf(second.converted))).toBe(true);
  });

  it('refuses a family that the engine does not know, and says which', async () => {
    await expect(convertFixture('modernbert-mean')).rejects.toMatchObject({
      code: 'unsupported_task',
      message: expect.stringContaining('modernbert'),
    });
  });

  it('refuses to convert a converted model', async () => {
    const { converted } = await convertFixture('bert-cls');
    await expect(convertFiles(inMemory(converted), 'bert-cls')).rejects.toMatchObject({ code: 'invalid_request' });
  });
});

describe('smoothing', () => {
  const input = Float32Array.from({ length: 64 }, (_, index) => Math.sin(index) * (index % 8 === 3 ? 50 : 1));
  const weights = Float32Array.from({ length: 32 }, (_, index) => Math.cos(index));

  it('makes the columns smaller that would take all the levels', () => {
    const multipliers = smoothingMultipliers(input, [{ weights, importance: 1 }], 8);
    const smallest = multipliers.indexOf(Math.min(...multipliers));
    expect(smallest).toBe(3);
  });

  it('is finite and positive for columns that never occur', () => {
    const multipliers = smoothingMultipliers(
      new Float32Array(64),
      [{ weights: new Float32Array(32), importance: 1 }],
      8,
    );
    for (const multiplier of multipliers) expect(multiplier).toBeGreaterThan(0);
  });
});

describe('the built-in calibration texts', () => {
  it('are many, different, and of many lengths', () => {
    expect(new Set(calibrationTexts).size).toBe(calibrationTexts.length);
    expect(calibrationTexts.length).toBeGreaterThanOrEqual(64);
    const lengths = calibrationTexts.map((text) => text.length);
    expect(Math.min(...lengths)).toBeLessThan(10);
    expect(Math.max(...lengths)).toBeGreaterThan(800);
  });
});

interface Golden {
  input_ids: number[][];
  embeddings: number[][];
}

async function convertFixture(name: string) {
  const folder = fixtureFolder(name);
  const golden = JSON.parse(await readFile(`${folder}golden.json`, 'utf8')) as Golden;
  const files = modelFolder(folder);
  return { files, golden, converted: await convertFiles(files, name) };
}

async function convertFiles(files: ModelFiles, name: string): Promise<Map<string, Uint8Array>> {
  const spec = await loadModelSpec(files, { id: name, repository: `tests/${name}`, revision: 'main', entry: null });
  return convertModel({ files, spec, texts: calibrationTexts.slice(8, 24) });
}

function weightsOf(converted: Map<string, Uint8Array>): Buffer {
  return Buffer.from(converted.get('model.safetensors') ?? []);
}

async function loaded(converted: Map<string, Uint8Array>, original: ModelFiles): Promise<ReferenceModel> {
  const config = (await original.readJson('config.json')) as Record<string, unknown>;
  const model = await loadReferenceModel(inMemory(converted), config);
  if (model === null) throw new Error('The converted model is not one that the engine knows.');
  return model;
}

function inMemory(contents: Map<string, Uint8Array>): ModelFiles {
  const text = (path: string) => new TextDecoder().decode(contents.get(path));
  return {
    location: { kind: 'folder', base: '/converted/', headers: {}, cache: false },
    readJson: async (path) => (contents.has(path) ? JSON.parse(text(path)) : null),
    readBytes: async (path) => contents.get(path) ?? null,
    readRange: async (path, start, end) => contents.get(path)?.slice(start, end) ?? null,
  };
}
