/** The licences of the packages whose code is inside the built files; they ask to travel with it. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/** One text with name, version and licence of every package that the modules come from. Throws when one has none. */
export async function collectLicenses(modules: readonly string[]): Promise<string> {
  const folders = new Set(modules.flatMap((module) => packageFolder(module) ?? []));
  const sections = await Promise.all([...folders].sort().map(describePackage));
  const head = 'The files of this folder contain code of the following packages.';
  return [head, ...sections].join(`\n\n${'-'.repeat(80)}\n\n`);
}

/** `…/node_modules/@scope/name` of a file inside it; null for our own files. */
function packageFolder(module: string): string | null {
  return /^(.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+)[\\/]/.exec(module)?.[1] ?? null;
}

async function describePackage(folder: string): Promise<string> {
  const { name, version, license } = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'));
  if (typeof license !== 'string') throw new Error(`${name} names no licence.`);
  const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? await readFile(path.join(folder, file), 'utf8') : '';
  return `${name} ${version} (${license})\n\n${text}`.trimEnd();
}
