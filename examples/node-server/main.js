import { createServer } from 'node:http';
import { createHandler, createNodeEngine, toListener } from 'vecinity/node';

const engine = await createNodeEngine({ modelsDir: 'public/models' });
await engine.load('all-MiniLM-L6-v2');

// The API lies below /ai; everything else is your own.
const api = toListener(createHandler({ engine, api: { routePrefix: '/ai' } }));
const server = createServer((request, response) => {
  if (request.url.startsWith('/ai/')) return api(request, response);
  response.writeHead(200, { 'content-type': 'text/plain' }).end('my own page\n');
});

server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => {
  console.log(`http://localhost:${server.address().port}/ai/v1/embeddings`);
});

process.once('SIGTERM', () => {
  server.close(() => engine.dispose());
  server.closeIdleConnections();
});
