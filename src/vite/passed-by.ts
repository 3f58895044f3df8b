/**
 * What the development and preview servers say to requests for the engine that the Service Worker did not get: those of a
 * page's first visit, before it has one, and those that a browser lets pass it by. SDKs try again by themselves.
 */
import type { IncomingMessage } from 'node:http';
import type { Connect } from 'vite';
import { errorResponse } from '../api/error-response.js';
import { isApiPath } from '../api/paths.js';
import { VecinityError } from '../errors.js';

export interface PassedByOptions {
  /** Of the site, with a slash at its end. */
  base: string;
  routePrefix: string;
}

const retryAfterMs = 1_000;
const fallbackPage = '/index.html';

/** Comes after everything that may have such a path itself: proxies, files, other plugins. */
export function answerPassedBy(options: PassedByOptions): Connect.NextHandleFunction {
  return (request, response, next) => {
    if (!isForEngine(request, options)) return next();
    const { status, headers, body } = refusal();
    request.resume();
    response.writeHead(status, Object.fromEntries(headers));
    new Response(body).text().then((text) => response.end(text), next);
  };
}

/** True when a page's engine would have answered, and nothing of the site is there. */
function isForEngine(request: Connect.IncomingMessage, { base, routePrefix }: PassedByOptions): boolean {
  // Only servers that rewrite addresses keep the one that came.
  const asked = pathOf(request.originalUrl ?? request.url);
  const path = asked.startsWith(base) ? asked.slice(base.length - 1) : asked;
  if (!isApiPath(path, routePrefix) || isNavigation(request)) return false;
  // What would be one page for all unknown paths is nothing of the site; another page is.
  return [asked, path, fallbackPage].includes(pathOf(request.url));
}

function isNavigation({ headers }: IncomingMessage): boolean {
  return headers['sec-fetch-mode'] === 'navigate' || (headers.accept ?? '').includes('text/html');
}

function pathOf(url = '/'): string {
  return url.replace(/[?#].*$/s, '');
}

function refusal(): Response {
  const message =
    'No engine was reached: the request came to the server, because no Vecinity Service Worker controls this page yet. ' +
    'Wait for `serviceWorker.register()` of a client before the first request, or send requests by `vecinity.fetch`.';
  return errorResponse(new VecinityError('service_worker_unavailable', message, { retryAfterMs }));
}
