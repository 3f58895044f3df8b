/** What the Vite plugin has bundled first is what the adapters import. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { installedPeers, peerModules } from '../../src/vite/peers.js';

/** Modules of other packages that are imported for more than their types. */
async function importsOf(adapter: string): Promise<string[]> {
  const code = await readFile(new URL(`../../src/adapters/${adapter}.ts`, import.meta.url), 'utf8');
  return [...code.matchAll(/^import (?!type )[^;]*? from '([^.][^']*)';$/gm)].map(([, name = '']) => name);
}

describe('peer modules of the Vite plugin', () => {
  it('are all that the adapters of LangChain and LlamaIndex import as values', async () => {
    const imported = [...(await importsOf('langchain')), ...(await importsOf('llamaindex'))];
    expect([...peerModules].sort()).toEqual([...new Set(imported)].sort());
  });

  it('are named as imports of this package, where they are installed', () => {
    expect(installedPeers()).toEqual(peerModules.map((name) => `vecinity > ${name}`));
  });
});
