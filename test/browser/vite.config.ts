/** The pages of the browser tests: from the sources on the development server, from the built package otherwise. */
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import { type Connect, defineConfig, type Plugin } from 'vite';
import { isApiPath } from '../../src/api/paths.js';
import { bundleServiceWorker, defineBuild, hashSources } from '../../src/vite/bundle.js';
import { createPlugins } from '../../src/vite/plugin.js';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const sharedModels = at('../../../shared/models');
const models = {
  '/models/': at('../fixtures/models'),
  ...(existsSync(sharedModels) ? { '/shared-models/': sharedModels } : {}),
};

export default defineConfig(async ({ command, isPreview }) => {
  const isSource = command === 'serve' && !isPreview;
  const buildId = await hashSources();
  return {
    root: at('pages'),
    define: isSource ? defineBuild(buildId) : {},
    resolve: {
      alias: [
        { find: /^vecinity$/, replacement: at(isSource ? '../../src/index.ts' : '../../dist/index.js') },
        {
          find: /^vecinity\/worker/,
          replacement: at(isSource ? '../../worker/engine-worker.ts' : '../../dist/engine-worker.js'),
        },
      ],
    },
    plugins: [
      countLeaks(),
      breakModels(),
      leaveOutSafetensors(),
      createPlugins({ modelsDir: models, isolate: true }, () =>
        isSource ? bundleServiceWorker(buildId) : readFile(at('../../dist/vecinity-sw.js'), 'utf8'),
      ),
    ],
    optimizeDeps: { entries: ['index.html', '../../../worker/*.ts'], exclude: ['onnxruntime-web'] },
    cacheDir: at('../../node_modules/.vite-tests'),
    server: { fs: { allow: [at('../..')] } },
    build: {
      outDir: at('../../build/test-pages'),
      emptyOutDir: true,
      target: 'es2022',
      rolldownOptions: { input: ['index', 'plain', 'strict', 'endings'].map((name) => at(`pages/${name}.html`)) },
    },
  };
});

/** Requests for our paths that reached a server: there must be none. `/leaks` lists them. */
function countLeaks(): Plugin {
  const leaks: string[] = [];
  const middleware: Connect.NextHandleFunction = ({ url = '/', method }, response, next) => {
    const { pathname } = new URL(url, 'http://localhost');
    if (pathname === '/leaks') return sendText(response, 200, JSON.stringify(leaks));
    if (!isApiPath(pathname, '')) return next();
    leaks.push(`${method} ${pathname}`);
    sendText(response, 404, 'This request left the page.');
  };
  return onEveryServer('count-leaks', middleware);
}

const brokenModels: Record<string, (response: ServerResponse, file: string) => boolean> = {
  'missing-weights': (response, file) => isWeights(file) && sendText(response, 404, 'not there'),
  'corrupt-weights': (response, file) => isWeights(file) && sendText(response, 200, 'these are no weights'),
  'html-weights': (response, file) => isWeights(file) && sendHtml(response),
  'html-everything': (response) => sendHtml(response),
  'broken-config': (response, file) => file === 'config.json' && sendText(response, 200, '{"model_type": "bert",'),
};

/** `/models/corrupt-weights/…` is `bert-cls` with one thing broken, and so on for each entry of the table. */
function breakModels(): Plugin {
  return onEveryServer('break-models', (request, response, next) => {
    const [, name = '', file = ''] = /^\/models\/([^/]+)\/([^?]*)/.exec(request.url ?? '') ?? [];
    const isBroken = brokenModels[name]?.(response, file);
    if (isBroken) return;
    if (name in brokenModels) request.url = request.url?.replace(`/${name}/`, '/bert-cls/');
    next();
  });
}

/** `/onnx-only/models/…` is `/models/…` without safetensors, so that onnxruntime has to do the work. */
function leaveOutSafetensors(): Plugin {
  const prefix = '/onnx-only';
  return onEveryServer('onnx-only', (request, response, next) => {
    const { url = '/' } = request;
    if (!url.startsWith(`${prefix}/`)) return next();
    if (url.includes('.safetensors')) return sendText(response, 404, 'not there');
    request.url = url.slice(prefix.length);
    next();
  });
}

function isWeights(file: string): boolean {
  return /\.(onnx|safetensors)$/.test(file);
}

function sendHtml(response: ServerResponse): boolean {
  response.setHeader('content-type', 'text/html');
  return sendText(response, 200, readFileSync(at('pages/plain.html'), 'utf8'));
}

function sendText(response: ServerResponse, status: number, text: string): boolean {
  response.statusCode = status;
  response.end(text);
  return true;
}

function onEveryServer(name: string, middleware: Connect.NextHandleFunction): Plugin {
  return {
    name,
    configureServer: ({ middlewares }) => void middlewares.use(middleware),
    configurePreviewServer: ({ middlewares }) => void middlewares.use(middleware),
  };
}
