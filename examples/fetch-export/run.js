/** Node has no server for `export default { fetch }` of its own; `deno serve` and `bun` start worker.js as it is. */
import { listen } from 'vecinity/node';
import worker from './worker.js';

const { url } = await listen(worker.fetch, { port: Number(process.env.PORT ?? 8080) });
console.log(`${url}/v1/embeddings`);
