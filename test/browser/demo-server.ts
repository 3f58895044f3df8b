/** The built demo on a server of its own that can be cut off, and that can bring a new version. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Plugin, preview } from 'vite';
import { createPlugins } from '../../src/vite/plugin.js';

const at = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/** The title of the page in a version that came later. */
export const newTitle = 'Vecinity: the next version';

export interface DemoServer {
  origin: string;
  /** From now on, page and Service Worker are those of a new version. */
  release(): Promise<void>;
  /** From now on this answers instead of the server, or leaves the request without an answer. */
  answerWith(answer: (response: ServerResponse) => void): void;
  /** Ends the server: the network is gone. */
  close(): Promise<void>;
}

/** Serves a copy of `build/demo` with the models of the fixtures, at a port of the system's choice. */
export async function startDemo(): Promise<DemoServer> {
  const folder = await mkdtemp(path.join(tmpdir(), 'vecinity-demo-'));
  await cp(at('../../build/demo'), folder, { recursive: true });
  let instead: ((response: ServerResponse) => void) | null = null;
  const faults: Plugin = {
    name: 'test:faults',
    configurePreviewServer: ({ middlewares }) => {
      middlewares.use((_request, response, next) => (instead ? instead(response) : next()));
    },
  };
  const server = await preview({
    configFile: false,
    logLevel: 'error',
    root: folder,
    build: { outDir: folder },
    preview: { port: 0, host: 'localhost' },
    plugins: [
      faults,
      createPlugins({ modelsDir: at('../fixtures/models'), isolate: true }, () =>
        Promise.reject(new Error('This server builds nothing.')),
      ),
    ],
  });
  const address = server.httpServer.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  return {
    origin: `http://localhost:${address.port}`,
    release: () => release(folder),
    answerWith: (answer) => {
      instead = answer;
    },
    close: async () => {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** As a new build does it: another page, and another revision of it in the Service Worker's list. */
async function release(folder: string): Promise<void> {
  await change(path.join(folder, 'index.html'), /<title>.*<\/title>/, `<title>${newTitle}</title>`);
  await change(path.join(folder, 'service-worker.js'), /(url:.index\.html.,revision:.)\w+/, '$1next');
}

async function change(file: string, pattern: RegExp, replacement: string): Promise<void> {
  const text = await readFile(file, 'utf8');
  if (!pattern.test(text)) throw new Error(`${path.basename(file)} has nothing like ${pattern}.`);
  await writeFile(file, text.replace(pattern, replacement));
}
