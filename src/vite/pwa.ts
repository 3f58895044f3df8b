/** What vite-plugin-pwa has to be told so that a site's one Service Worker answers for Vecinity and starts it offline. */

import { checkObject, checkPart, type Rule, type Rules } from '../rules.js';

interface Globs {
  globPatterns?: string[];
  globIgnores?: string[];
}

/** Rules and scripts are passed on as they are given; workbox has the types of the rules. */
interface Workbox<Rule> extends Globs {
  importScripts?: string[];
  runtimeCaching?: Rule[];
}

/** The part of vite-plugin-pwa's options that is completed here. */
export interface PwaOptions<Rule> {
  workbox?: Workbox<Rule>;
  injectManifest?: Globs;
}

/** workbox-build's own default, which any pattern of ours would replace. */
const usualPatterns = ['**/*.{js,css,html}'];
/** The kernels. ONNX Runtime is too big to be fetched before it is needed. */
const kernelPatterns = ['**/{relaxed,simd}*.wasm'];
/** The browser keeps a Service Worker's scripts by itself. */
const ignored = ['**/node_modules/**/*', '**/ort*.wasm', '**/vecinity-sw.js'];

const modelFiles = /\/models\/.+\.(?:json|txt|model|safetensors|onnx|onnx_data)$/;
const runtimeFiles = /\/ort-[^/]*\.wasm$/;

/**
 * `VitePWA(withVecinity({ registerType: 'autoUpdate' }))`: with `generateSW` the generated Service Worker has
 * Vecinity's answers and keeps page, engine and the models below `/models/`. With `injectManifest` the list of files
 * is completed, and the first line of the site's own Service Worker is `import 'vecinity/service-worker'`.
 */
export function withVecinity<Rule, Options extends PwaOptions<Rule>>(options: Options & PwaOptions<Rule>): Options {
  checkObject(options);
  const { workbox = {}, injectManifest = {} } = options;
  for (const [name, part] of Object.entries({ workbox, injectManifest })) {
    checkObject(part, name);
    checkPart(listRules, part, { place: name });
  }
  return {
    ...options,
    workbox: {
      ...workbox,
      ...completeGlobs(workbox),
      // Relative to the Service Worker, so that it holds below any base. The listener that is added first is asked first.
      importScripts: ['vecinity-sw.js', ...(workbox.importScripts ?? [])],
      runtimeCaching: [...(workbox.runtimeCaching ?? []), ...rules],
    },
    injectManifest: { ...injectManifest, ...completeGlobs(injectManifest) },
  };
}

const aList: Rule = ['a list', Array.isArray];
const listRules: Rules = { globPatterns: aList, globIgnores: aList, importScripts: aList, runtimeCaching: aList };

function completeGlobs({ globPatterns = usualPatterns, globIgnores = [] }: Globs): Globs {
  return { globPatterns: [...globPatterns, ...kernelPatterns], globIgnores: [...globIgnores, ...ignored] };
}

/** That a model lacks a file is known offline too, if it was seen once. */
const rules = [
  {
    urlPattern: modelFiles,
    handler: 'NetworkFirst' as const,
    options: { cacheName: 'vecinity-models', cacheableResponse: { statuses: [200, 404] }, rangeRequests: true },
  },
  {
    urlPattern: runtimeFiles,
    handler: 'CacheFirst' as const,
    options: { cacheName: 'vecinity-runtime', cacheableResponse: { statuses: [200] } },
  },
];
