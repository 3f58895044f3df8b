import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { collectLicenses } from '../../scripts/licenses.js';

const installed = join(import.meta.dirname, '../../node_modules');

test('every package whose code is built in is named once, with the text of its licence', async () => {
  const modules = ['hono/dist/hono.js', 'hono/dist/compose.js', '@noble/hashes/sha2.js', 'onnxruntime-web/dist/ort.js'];
  const text = await collectLicenses([...modules.map((module) => join(installed, module)), '/site/src/index.ts']);
  const [, ...sections] = text.split(`\n\n${'-'.repeat(80)}\n\n`);
  expect(sections.map((section) => section.split(' ')[0])).toEqual(['@noble/hashes', 'hono', 'onnxruntime-web']);
  for (const section of sections) {
    expect(section).toMatch(/^\S+ \d+\.\d+\.\d+ \(MIT\)\n\n/);
    expect(section).toMatch(/Copyright \(c\) .*Permission is hereby granted.*SOFTWARE\./s);
  }
});

test('a package without the text of its licence ends the build', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'vecinity-licenses-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const place = join(folder, 'node_modules/bare');
  await mkdir(place, { recursive: true });
  await writeFile(join(place, 'package.json'), JSON.stringify({ name: 'bare', version: '1.0.0', license: 'MIT' }));
  await expect(collectLicenses([join(place, 'index.js')])).rejects.toThrow('bare has no licence');
});
