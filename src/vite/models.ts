/** Serves folders of models: ranges, validators and exact sizes come from `send`; a file that is not there is a plain 404. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import send from 'send';
import { listModels } from './listing.js';

export type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

/**
 * Answers everything below `url` from the folders, the first that has the file wins. A miss never falls through to the
 * site's pages: a model loader would take their HTML for a broken model file. `index.json` lists the models.
 */
export function serveModels(url: string, folders: readonly string[]): Middleware {
  return (request, response, next) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    if (pathname === `${url}index.json`) sendListing(response, folders);
    else if (pathname.startsWith(url))
      sendFirst(request, response, { pathname: pathname.slice(url.length - 1), folders });
    else next();
  };
}

function sendListing(response: ServerResponse, folders: readonly string[]): void {
  listModels(folders).then(
    (listing) => {
      response.setHeader('content-type', 'application/json');
      response.setHeader('cache-control', 'no-cache');
      response.end(JSON.stringify(listing));
    },
    () => refuse(response, 500),
  );
}

interface Wanted {
  /** Percent-encoded, from the folder on; `send` decodes it and refuses what leaves the folder. */
  pathname: string;
  folders: readonly string[];
}

function sendFirst(request: IncomingMessage, response: ServerResponse, { pathname, folders }: Wanted): void {
  const [root, ...others] = folders;
  if (root === undefined) {
    refuse(response, 404);
    return;
  }
  send(request, pathname, { root, dotfiles: 'ignore', index: false, cacheControl: false })
    .on('headers', (headed: ServerResponse) => headed.setHeader('cache-control', 'no-cache'))
    .on('directory', () => refuse(response, 404))
    .on('error', ({ status }: { status: number }) => {
      if (status === 404 && others.length > 0) sendFirst(request, response, { pathname, folders: others });
      else refuse(response, status);
    })
    .pipe(response);
}

function refuse(response: ServerResponse, status: number): void {
  response.statusCode = status;
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.end(status === 404 ? 'There is no such model file.\n' : 'The model file cannot be sent.\n');
}
