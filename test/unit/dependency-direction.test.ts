/**
 * Holds the direction of dependencies between the layers of `src` and `worker`, where type-only imports are free, and
 * that no files import each other in a circle, where they are not.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');

/** What every layer may import: it knows no layer. */
const common = [
  'src/ending.ts',
  'src/errors.ts',
  'src/hex.ts',
  'src/json-object.ts',
  'src/pause.ts',
  'src/release.ts',
  'src/rules.ts',
];

/** What a layer may import by value, beside itself and what is common. */
const allowed: Record<string, readonly string[]> = {
  'src/config.ts': [],
  'src/protocol.ts': [],
  'src/storage': [],
  'src/models': ['src/storage'],
  'src/backend': ['src/models', 'src/storage'],
  'src/core': ['src/config.ts', 'src/models', 'src/backend', 'src/storage'],
  'src/api': ['src/config.ts', 'src/core', 'src/models'],
  'src/adapters': ['src/config.ts', 'src/api'],
  'src/wire': ['src/api'],
  'src/sharing': ['src/wire'],
  'src/page': ['src/config.ts', 'src/core', 'src/api', 'src/wire', 'src/sharing'],
  'src/convert': ['src/models', 'src/backend', 'src/core'],
};

/** Packages that have one home each. */
const packageHomes: Record<string, RegExp> = {
  hono: /^src\/(api|edge)\//,
  zod: /^src\/(api|models|config)/,
  comlink: /^(src\/(page\/engine-|wire\/calls)|worker\/engine-worker)/,
  ai: /^src\/adapters\/ai-sdk/,
  '@langchain/core': /^src\/adapters\/langchain/,
  '@llamaindex/core': /^src\/adapters\/llamaindex/,
  'onnxruntime-web': /^src\/backend\/onnx\//,
  '@huggingface/tokenizers': /^src\/core\/tokenizer-library/,
};

interface Import {
  file: string;
  target: string;
  isType: boolean;
  /** Read when the code comes to it, not with the file. */
  isLazy: boolean;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((file) => !file.startsWith('src/backend/wasm/kernels/'));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8');
  const statements = text.matchAll(/^(?:import|export)\s+(type\b)?[^'"`;]*?from\s+'([^']+)'|\bimport\(\s*'([^']+)'/gm);
  return [...statements].map(([, type, from, dynamic]) => {
    return {
      file,
      target: resolveTarget(file, from ?? dynamic ?? ''),
      isType: type !== undefined,
      isLazy: dynamic !== undefined,
    };
  });
}

function resolveTarget(file: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier;
  return normalize(join(dirname(file), specifier)).replace(/\.js$/, '.ts');
}

function layerOf(file: string): string {
  return Object.keys(allowed).find((layer) => file === layer || file.startsWith(`${layer}/`)) ?? file;
}

/** The first circle that a walk from this file comes to, each file after its importer; null where there is none. */
function findCircle(file: string, path: readonly string[], cleared: Set<string>): string[] | null {
  if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
  if (cleared.has(file)) return null;
  for (const target of targetsOf.get(file) ?? []) {
    const circle = findCircle(target, [...path, file], cleared);
    if (circle) return circle;
  }
  cleared.add(file);
  return null;
}

const allImports = [...sourceFiles('src'), ...sourceFiles('worker')].flatMap(importsOf);
const imports = allImports.filter(({ isType }) => !isType);
const targetsOf = new Map<string, string[]>();
for (const { file, target } of allImports) targetsOf.set(file, [...(targetsOf.get(file) ?? []), target]);

describe('dependencies point one way', () => {
  it('reads the imports that it judges', () => {
    expect(imports.length).toBeGreaterThan(20);
  });

  it.each(Object.entries(allowed))('%s imports only what lies below it', (layer, below) => {
    const wrong = imports
      .filter(({ file }) => layerOf(file) === layer)
      .filter(({ target }) => target.startsWith('src/') || target.startsWith('worker/') || target.startsWith('demo/'))
      .filter(({ target }) => layerOf(target) !== layer && ![...common, ...below].includes(layerOf(target)));
    expect(wrong).toEqual([]);
  });

  it.each(common)('%s imports nothing but what is common too', (file) => {
    const wrong = imports.filter((found) => found.file === file && !common.includes(found.target));
    expect(wrong).toEqual([]);
  });

  it.each(Object.entries(packageHomes))('%s is imported in one place only', (name, home) => {
    const strangers = imports
      .filter(({ target }) => target === name || target.startsWith(`${name}/`))
      .filter(({ file }) => !home.test(file));
    expect(strangers).toEqual([]);
  });

  it('no files import each other in a circle, not even for types', () => {
    const cleared = new Set<string>();
    const circles = [...targetsOf.keys()].map((file) => findCircle(file, [], cleared));
    expect(circles.find((circle) => circle !== null)).toBeUndefined();
  });

  it('an engine worker starts without the code of the HTTP API', () => {
    const needed = new Set(['worker/engine-worker.ts']);
    for (const from of needed) {
      for (const { file, target, isLazy } of imports) if (file === from && !isLazy) needed.add(target);
    }
    expect([...needed]).toContain('src/engine-api.ts');
    expect([...needed].filter((name) => /^hono|^src\/api\/(handler|dialects|openapi)/.test(name))).toEqual([]);
  });

  it('no backend imports another backend', () => {
    const crossing = imports.filter(
      ({ file, target }) =>
        (file.startsWith('src/backend/onnx/') && target.startsWith('src/backend/wasm/')) ||
        (file.startsWith('src/backend/wasm/') && target.startsWith('src/backend/onnx/')),
    );
    expect(crossing).toEqual([]);
  });
});
