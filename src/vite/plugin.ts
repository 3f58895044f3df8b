/**
 * The Vite plugin: makes Vecinity's workers and its Service Worker reachable in development and in builds, mounts
 * folders of models, and sends the headers of cross-origin isolation when asked to.
 */
import { readFile } from 'node:fs/promises';
import type { Connect, Plugin } from 'vite';
import { checkObject, checkRules } from '../rules.js';
import { serveModels } from './models.js';
import { pluginRules, toMounts, type VecinityPluginOptions } from './options.js';
import { answerPassedBy } from './passed-by.js';
import { installedPeers } from './peers.js';

export type { Folders, VecinityPluginOptions } from './options.js';
export { type PwaOptions, withVecinity } from './pwa.js';

const serviceWorkerFile = 'vecinity-sw.js';

const isolationHeaders = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
};

/** `plugins: [vecinity({ modelsDir: 'models' })]` */
export function vecinity(options: VecinityPluginOptions = {}): Plugin[] {
  return createPlugins(options, () => readFile(new URL(`./${serviceWorkerFile}`, import.meta.url), 'utf8'));
}

/** The same with another source of the Service Worker's code, for this repository's own server. */
export function createPlugins(options: VecinityPluginOptions, readServiceWorker: () => Promise<string>): Plugin[] {
  checkObject(options);
  checkRules(pluginRules, options);
  return [servePlugin(options, readServiceWorker), refusePlugin(options)];
}

/** Serves where the site has put it among its plugins: one that takes every path may come after it. */
function servePlugin(
  { isolate = false, serviceWorker = true, modelsDir }: VecinityPluginOptions,
  readServiceWorker: () => Promise<string>,
): Plugin {
  let base = '/';

  function mount(middlewares: Connect.Server): void {
    for (const [url, folders] of toMounts(modelsDir)) middlewares.use(serveModels(url, folders));
  }

  return {
    name: 'vecinity',
    config: () => ({
      // A pre-bundled copy would look for the workers and the WASM in the wrong folder.
      optimizeDeps: { exclude: ['vecinity'], include: installedPeers() },
      worker: { format: 'es' as const },
      ...(isolate ? { server: { headers: isolationHeaders }, preview: { headers: isolationHeaders } } : {}),
    }),
    configResolved(config) {
      base = config.base;
    },
    configureServer({ middlewares }) {
      mount(middlewares);
      if (serviceWorker) middlewares.use(serveScript(`${base}${serviceWorkerFile}`, readServiceWorker));
    },
    configurePreviewServer({ middlewares }) {
      mount(middlewares);
    },
    async generateBundle() {
      // Workers are built in environments of their own, which must not emit it again.
      if (!serviceWorker || this.environment.name !== 'client') return;
      this.emitFile({ type: 'asset', fileName: serviceWorkerFile, source: await readServiceWorker() });
    },
  };
}

/** Refuses what nobody has answered, behind all other plugins. */
function refusePlugin({ routePrefix = '' }: VecinityPluginOptions): Plugin {
  const refuse = (middlewares: Connect.Server, base: string) => () => {
    middlewares.use(answerPassedBy({ base, routePrefix }));
  };
  return {
    name: 'vecinity:passed-by',
    configureServer: {
      order: 'post',
      // In another server's hands, its own routes may come after Vite's.
      handler: ({ middlewares, config }) =>
        config.server.middlewareMode ? undefined : refuse(middlewares, config.base),
    },
    configurePreviewServer: {
      order: 'post',
      handler: ({ middlewares, config }) => refuse(middlewares, config.base),
    },
  };
}

function serveScript(url: string, read: () => Promise<string>): Connect.NextHandleFunction {
  return (request, response, next) => {
    if (new URL(request.url ?? '/', 'http://localhost').pathname !== url) return next();
    read().then((code) => {
      response.setHeader('content-type', 'text/javascript');
      response.setHeader('cache-control', 'no-cache');
      response.end(code);
    }, next);
  };
}
