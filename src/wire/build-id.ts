/** Which build this code belongs to, so that a page and a Service Worker can see whether they were deployed together. */
declare const __VECINITY_BUILD__: string | undefined;

/** A hash of the sources, put in by the bundler; `source` where the sources run unbundled. */
export const buildId: string = typeof __VECINITY_BUILD__ === 'undefined' ? 'source' : __VECINITY_BUILD__;
