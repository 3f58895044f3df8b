/** The licences of the packages whose code is inside the built files; they ask to travel with it. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

/** https://opensource.org/license/mit, for packages that have the text in their repository only. */
const mitText = (holder: string) => `MIT License

Copyright (c) ${holder}

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.`;

/** What stands in the repository of packages that come without a file of their licence. */
const textsElsewhere: Readonly<Record<string, string>> = {
  'onnxruntime-common': mitText('Microsoft Corporation'),
  'onnxruntime-web': `${mitText('Microsoft Corporation')}

Its .wasm files contain code of further projects, whose licences are in
https://github.com/microsoft/onnxruntime/blob/main/ThirdPartyNotices.txt`,
};

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
  const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? await readFile(path.join(folder, file), 'utf8') : textsElsewhere[name];
  if (typeof license !== 'string' || !text) throw new Error(`${name} has no licence, or no text of it.`);
  return `${name} ${version} (${license})\n\n${text}`.trimEnd();
}
