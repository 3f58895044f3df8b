/** What every script of the package has in common. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { bundleLibrary } from '../../src/vite/bundle.js';

it('is plain ASCII in browsers, which keep a script with other letters in twice the memory', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'vecinity-bundle-'));
  try {
    const source = path.join(folder, 'source.ts');
    await writeFile(source, "export const words = ['▁', /[～]/u, `😀`];");
    await bundleLibrary({ input: { built: source }, folder, buildId: 'test', platform: 'browser' });
    const built = path.join(folder, 'built.js');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant.
    expect(await readFile(built, 'utf8')).toMatch(/^[\x00-\x7f]+$/);
    const { words } = await import(built);
    expect([words[0], words[1].test('～'), words[2]]).toEqual(['▁', true, '😀']);
  } finally {
    await rm(folder, { recursive: true });
  }
});
