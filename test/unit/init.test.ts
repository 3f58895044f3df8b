import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { checkAssets, installAssets } from '../../src/cli/init.js';

let source: string;
let site: string;

/** A package whose modules name each other in every form that a minifier writes. */
const modules = {
  'vecinity-sw.js': 'self.addEventListener("fetch",()=>{})',
  'index.js': 'import{a}from"./shared-1.js";new Worker(new URL("./engine-worker.js",import.meta.url))',
  'shared-1.js': 'export const a=()=>import("./lazy-1.js")',
  'lazy-1.js': 'export default new URL(`./assets/simd.wasm`, import.meta.url)',
  'engine-worker.js': 'import"./shared-1.js";',
  'assets/simd.wasm': '\0asm',
  'cli.js': 'import "./node-only.js"',
  'node-only.js': '',
};

beforeEach(async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'vecinity-init-'));
  source = path.join(folder, 'package');
  site = path.join(folder, 'public');
  await writeModules(modules);
  return () => rm(folder, { recursive: true });
});

async function writeModules(files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(source, name)), { recursive: true });
    await writeFile(path.join(source, name), text);
  }
}

async function siteFiles(): Promise<string[]> {
  const entries = await readdir(site, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map((entry) => path.relative(site, path.join(entry.parentPath, entry.name))).sort();
}

describe('the files that a site serves itself', () => {
  it('are all that the entries lead to, and nothing of Node', async () => {
    expect(await installAssets(source, site)).toBe(6);
    const names = ['assets/simd.wasm', 'engine-worker.js', 'index.js', 'lazy-1.js', 'manifest.json', 'shared-1.js'];
    expect(await siteFiles()).toEqual(['vecinity-sw.js', ...names.map((name) => `vecinity/${name}`)]);
    expect(await readFile(path.join(site, 'vecinity/lazy-1.js'), 'utf8')).toBe(modules['lazy-1.js']);
    await expect(checkAssets(source, site)).resolves.toBeUndefined();
  });

  it('are told to be old, and what to do', async () => {
    await installAssets(source, site);
    await writeModules({ 'vecinity-sw.js': '// new' });
    await rm(path.join(site, 'vecinity/index.js'));
    await expect(checkAssets(source, site)).rejects.toThrow(
      /vecinity-sw\.js is of another version, vecinity\/index\.js is missing\. Run `vecinity init .*public`/,
    );
  });

  it('lose what an earlier version had, and keep what is not ours', async () => {
    await installAssets(source, site);
    await writeFile(path.join(site, 'page.html'), '');
    await writeFile(path.join(site, 'vecinity/mine.txt'), '');
    await writeModules({ 'shared-1.js': 'export const a=()=>import("./lazy-2.js")', 'lazy-2.js': '' });
    await installAssets(source, site);
    const files = await siteFiles();
    expect(files).toEqual(expect.arrayContaining(['page.html', 'vecinity/lazy-2.js', 'vecinity/mine.txt']));
    expect(files).not.toContain('vecinity/lazy-1.js');
  });

  it('are never taken away outside of our folder, whatever a manifest says', async () => {
    await installAssets(source, site);
    await writeFile(path.join(site, 'page.html'), '');
    const files = { 'page.html': '', 'vecinity/../page.html': '' };
    await writeFile(path.join(site, 'vecinity/manifest.json'), JSON.stringify({ files }));
    await installAssets(source, site);
    expect(await siteFiles()).toContain('page.html');
  });

  it('neither written nor taken away where a link in the site leads out of it', async () => {
    const elsewhere = path.join(path.dirname(site), 'elsewhere');
    await mkdir(elsewhere);
    await writeFile(path.join(elsewhere, 'index.js'), 'mine');
    await mkdir(site);
    await symlink('../elsewhere', path.join(site, 'vecinity'));
    await expect(installAssets(source, site)).rejects.toThrow(/vecinity is a link that leads out of/);
    await rm(path.join(site, 'vecinity'));
    await installAssets(source, site);
    await symlink('../../elsewhere', path.join(site, 'vecinity/link'));
    const files = { 'vecinity/link/index.js': '', 'vecinity/assets': '' };
    await writeFile(path.join(site, 'vecinity/manifest.json'), JSON.stringify({ files }));
    await expect(installAssets(source, site)).rejects.toThrow(/link is a link that leads out of/);
    expect(await readFile(path.join(elsewhere, 'index.js'), 'utf8')).toBe('mine');
    expect(await readdir(elsewhere)).toEqual(['index.js']);
  });

  it('take the place of links, and leave what those lead to', async () => {
    const mine = path.join(path.dirname(site), 'mine.json');
    await writeFile(mine, 'mine');
    await mkdir(path.join(site, 'vecinity'), { recursive: true });
    for (const name of ['manifest.json', 'index.js'])
      await symlink('../../mine.json', path.join(site, 'vecinity', name));
    await installAssets(source, site);
    expect(await readFile(mine, 'utf8')).toBe('mine');
    expect(await siteFiles()).toEqual(expect.arrayContaining(['vecinity/index.js', 'vecinity/manifest.json']));
  });

  it('are refused when the package is not whole', async () => {
    await rm(path.join(source, 'assets/simd.wasm'));
    await expect(installAssets(source, site)).rejects.toThrow(/The package is not whole: .*simd\.wasm/);
  });
});
