/**
 * How Vecinity's own entries are bundled: the Service Worker as one classic script, the library as self-contained ES
 * modules. Used by the build and, for the Service Worker, by the dev server of this repository.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Plugin, rolldown } from 'rolldown';

export const repositoryRoot = fileURLToPath(new URL('../..', import.meta.url));

/** A hash of everything that page, workers and Service Worker are made of. */
export async function hashSources(): Promise<string> {
  const hash = createHash('sha256');
  for (const folder of ['src', 'worker']) {
    const entries = await readdir(path.join(repositoryRoot, folder), { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
    for (const file of files.sort()) hash.update(file.slice(repositoryRoot.length)).update(await readFile(file));
  }
  return hash.digest('hex').slice(0, 12);
}

/** The Service Worker's code as one classic script. */
export async function bundleServiceWorker(buildId: string): Promise<string> {
  const bundle = await rolldown({
    input: path.join(repositoryRoot, 'worker/service-worker.ts'),
    platform: 'browser',
    transform: { define: defineBuild(buildId), target: 'es2022' },
  });
  const { output } = await bundle.generate({ format: 'iife', minify: true });
  await bundle.close();
  return output[0].code;
}

export interface LibraryOptions {
  /** Source file by the name that its output has in `folder`. */
  input: Record<string, string>;
  folder: string;
  buildId: string;
  platform: 'browser' | 'node';
  /** Packages that are left to be resolved where the code runs. */
  external?: RegExp;
  /** Whether what a site's bundler may leave out stays marked. Default true. */
  annotations?: boolean;
}

/** Parts of the page that it loads when they are asked for, by the names that they are imported by. */
export const lazyEntries: Readonly<Record<string, string>> = {
  registration: 'src/page/registration.ts',
};

/** What runs on Node: the server's parts, and the threads that it starts by these names. */
export const nodeEntries: Readonly<Record<string, string>> = {
  node: 'src/edge/index.ts',
  cli: 'src/cli/index.ts',
  'compute-thread': 'src/edge/compute-thread.ts',
  'wasm-thread': 'src/edge/wasm-thread.ts',
};

/** Thin layers for other libraries, on a page and on Node alike. */
export const adapterEntries: Readonly<Record<string, string>> = {
  'ai-sdk': 'src/adapters/ai-sdk.ts',
  langchain: 'src/adapters/langchain.ts',
  llamaindex: 'src/adapters/llamaindex.ts',
  pipeline: 'src/adapters/pipeline.ts',
};

/** The libraries that the adapters are for: the user's own copies, never ours. */
export const adapterPeers = /^(ai|@langchain\/core|@llamaindex\/core)(\/|$)/;

/**
 * Writes entries as ES modules; lazily imported parts become chunks beside them, `.wasm` files go to `assets/`.
 * Returns the paths of all modules that went in.
 */
export async function bundleLibrary(options: LibraryOptions): Promise<string[]> {
  const { input, folder, buildId, platform, external, annotations = true } = options;
  const bundle = await rolldown({
    input,
    platform,
    cwd: repositoryRoot,
    transform: { define: defineBuild(buildId), target: 'es2022' },
    plugins:
      platform === 'browser' ? [emittedFiles(), builtWorkers(), builtParts(), quietRuntime(), withoutProxies()] : [],
    // No chunk may import an entry: under another address than it was started by, a worker's would run twice.
    preserveEntrySignatures: 'strict',
    ...(external ? { external } : {}),
  });
  const { output } = await bundle.write({
    dir: folder,
    format: 'esm',
    minify: platform === 'browser',
    // One letter beyond Latin 1 makes a browser keep a script in twice the memory, in every worker that runs it.
    charset: platform === 'browser' ? 'ascii' : 'utf8',
    // `dist/THIRD-PARTY.txt` has the licences in full; a page's bytes are counted.
    comments: { legal: platform !== 'browser', annotation: annotations },
    entryFileNames: '[name].js',
    chunkFileNames: '[name]-[hash].js',
    assetFileNames: 'assets/[name][extname]',
  });
  await bundle.close();
  const entries = new Set(output.flatMap((file) => (file.type === 'chunk' && file.isEntry ? file.fileName : [])));
  for (const file of output) {
    const entry = file.type === 'chunk' ? file.imports.find((name) => entries.has(name)) : undefined;
    if (entry !== undefined && platform === 'browser') throw new Error(`${file.fileName} imports the entry ${entry}.`);
  }
  return output.flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []));
}

export function defineBuild(buildId: string): Record<string, string> {
  return { __VECINITY_BUILD__: JSON.stringify(buildId) };
}

/** `new URL('x.wasm', import.meta.url)` becomes a file of the build; a site's bundler finds it there in the same form. */
function emittedFiles(): Plugin {
  const pattern = /new URL\(\s*(['"])([^'"]+\.(?:wasm|mjs))\1,\s*import\.meta\.url,?\s*\)/g;
  return {
    name: 'vecinity:emitted-files',
    transform: {
      filter: { id: { include: /\/src\/.*\.ts$/ }, code: /import\.meta\.url/ },
      async handler(code, id) {
        let replaced = code;
        for (const [expression, , specifier = ''] of code.matchAll(pattern)) {
          const file = await this.resolve(specifier, id);
          if (!file) this.error(`${specifier} is not there`);
          const name = path.basename(file.id);
          this.emitFile({ type: 'asset', fileName: `assets/${name}`, source: await readFile(file.id) });
          replaced = replaced.replace(expression, `new URL('./assets/${name}', import.meta.url)`);
        }
        return { code: replaced, map: null };
      },
    },
  };
}

/** Workers keep the form that bundlers look for, but name the built file. */
function builtWorkers(): Plugin {
  return {
    name: 'vecinity:built-workers',
    transform: {
      filter: { code: /-worker\.ts'/ },
      handler: (code) => ({
        code: code.replace(
          /new URL\('[^']*?([a-z-]+-worker)\.ts', import\.meta\.url\)/g,
          "new URL('./$1.js', import.meta.url)",
        ),
        map: null,
      }),
    },
  };
}

/** A lazy entry is left to be loaded as it is: in one bundle with the page, it would move what both need to a third file. */
function builtParts(): Plugin {
  return {
    name: 'vecinity:built-parts',
    resolveId(specifier, _importer, { kind }) {
      const name = path.basename(specifier);
      if (kind !== 'dynamic-import' || !(path.parse(name).name in lazyEntries)) return null;
      return { id: `./${name}`, external: true };
    },
  };
}

/**
 * onnxruntime names files that its bundled builds do not need, in a form that makes every bundler warn that they are
 * missing. `globalThis.URL` means the same and is not looked for.
 */
function quietRuntime(): Plugin {
  return {
    name: 'vecinity:quiet-runtime',
    transform: {
      filter: { id: /onnxruntime-web/ },
      handler: (code) => ({
        code: code.replace(/new [\w$]+\(("ort[^"]+"),import\.meta\.url\)/g, 'new globalThis.URL($1,import.meta.url)'),
        map: null,
      }),
    },
  };
}

/** Comlink's callbacks across threads, which are not used here, would bring the code of the called end to every page. */
function withoutProxies(): Plugin {
  const entry = '["proxy", proxyTransferHandler],';
  return {
    name: 'vecinity:without-proxies',
    transform: {
      filter: { id: /\/comlink\// },
      handler(code) {
        if (!code.includes(entry)) this.error('Comlink is another one: its handler of proxies is not found.');
        return { code: code.replace(entry, ''), map: null };
      },
    },
  };
}
