/** `npm start`: the demo on a development server, with the models that are there. */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { createServer } from 'vite';
import { repositoryRoot } from '../src/vite/bundle.js';
import { ensureKernels } from './kernels.js';

export async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { port: { type: 'string' }, host: { type: 'string' } } });
  const port = values.port === undefined ? {} : { port: toPort(values.port), strictPort: true };
  await ensureKernels();
  const host = values.host === undefined ? {} : { host: values.host };
  const server = await createServer({
    configFile: path.join(repositoryRoot, 'vite.config.ts'),
    server: { ...port, ...host },
  });
  await server.listen();
  server.printUrls();
  return await new Promise<number>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => void server.close().then(() => resolve(0)));
    }
  });
}

function toPort(value: string): number {
  const port = Number(value);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new Error(`--port must be a number from 1 to 65535; got ${value}.`);
}
