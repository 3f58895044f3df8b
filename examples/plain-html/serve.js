/** Any server of files does; this one puts the page, the package and the models where a site would have them. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';

const root = path.join(import.meta.dirname, '../..');
const folders = [
  ['/vecinity-sw.js', 'dist/vecinity-sw.js'],
  ['/vecinity/', 'dist/'],
  ['/models/', 'public/models/'],
  ['/', 'examples/plain-html/'],
];
const types = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

const server = createServer(async ({ url = '/' }, response) => {
  // `URL` has resolved `..`, so that a path stays inside its folder.
  const { pathname } = new URL(url === '/' ? '/index.html' : url, 'http://localhost');
  const [prefix, folder] = folders.find(([start]) => pathname.startsWith(start));
  const file = path.join(root, folder, decodeURIComponent(pathname.slice(prefix.length)));
  const found = file.startsWith(path.join(root, folder)) ? await stat(file).catch(() => null) : null;
  if (!found?.isFile()) return response.writeHead(404).end();
  response.writeHead(200, {
    'content-type': types[path.extname(file)] ?? 'application/octet-stream',
    'content-length': found.size,
    // With these two the engine may use several threads.
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
  });
  createReadStream(file).pipe(response);
});

server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => {
  console.log(`http://localhost:${server.address().port}/`);
});
