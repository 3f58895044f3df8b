import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listModels } from '../../src/vite/listing.js';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'vecinity-listing-'));
});

afterEach(() => rm(root, { recursive: true }));

async function addModel(folder: string, name: string): Promise<void> {
  await mkdir(path.join(root, folder, name), { recursive: true });
  await writeFile(path.join(root, folder, name, 'config.json'), '{}');
}

test('a listing names each folder with a config.json once, over all mounted folders', async () => {
  await addModel('one', 'b');
  await addModel('one', 'a');
  await addModel('two', 'a');
  await mkdir(path.join(root, 'two', 'no-model'));
  await writeFile(path.join(root, 'one', 'readme.txt'), '');
  const folders = ['one', 'two', 'not-there'].map((folder) => path.join(root, folder));
  expect(await listModels(folders)).toEqual({ models: ['a', 'b'] });
});
