/**
 * The demo's Content-Security-Policy: no script but its own, and from the page no connection but to its own server and
 * the hub. The page brings it along wherever it is put; files that become workers get theirs from the server.
 */
import type { Plugin } from 'vite';

const scripts = ["script-src 'self' 'wasm-unsafe-eval'", "worker-src 'self'", "object-src 'none'", "base-uri 'none'"];

/** For every file. From where a worker fetches a model is up to who names it. */
export const workerPolicy = scripts.join('; ');

/** For the page. Plot styles each drawing by an element inside of it; the picture to take away is drawn from an address. */
export const pagePolicy = [
  "default-src 'none'",
  ...scripts,
  "connect-src 'self' https://huggingface.co https://*.hf.co",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "manifest-src 'self'",
  "form-action 'none'",
].join('; ');

export function policy(): Plugin {
  const headers = { 'Content-Security-Policy': workerPolicy };
  return {
    name: 'demo:policy',
    config: () => ({ server: { headers }, preview: { headers } }),
    transformIndexHtml: () => [
      {
        tag: 'meta',
        attrs: { 'http-equiv': 'Content-Security-Policy', content: pagePolicy },
        // What stands before it is not held to it.
        injectTo: 'head-prepend',
      },
    ],
  };
}
