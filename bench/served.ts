/** `vecinity serve` of the built package as a process of its own, for benchmarks that ask it over HTTP. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const servedModel = 'all-MiniLM-L6-v2';
const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Starts a server with the committed model, gives its address to `work` once the model is ready, and ends the server. */
export async function withServer<T>(work: (url: string) => Promise<T>): Promise<T> {
  const server = spawn(
    process.execPath,
    [at('../dist/cli.js'), 'serve', '--port', '0', '--model', servedModel, '--models-dir', at('../public/models')],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  try {
    return await work(await readyUrl(createInterface(server.stderr)));
  } finally {
    const ended = server.exitCode === null ? once(server, 'exit') : null;
    server.kill('SIGTERM');
    await ended;
  }
}

/** The server's address, once its model is ready; its log has a JSON object a line, and is read to its end. */
function readyUrl(lines: Interface): Promise<string> {
  return new Promise((resolve, reject) => {
    let url = '';
    lines.on('line', (line) => {
      const { event, url: listening = '' }: { event?: string; url?: string } = line.startsWith('{')
        ? JSON.parse(line)
        : {};
      if (event === 'listening') url = listening;
      if (event === 'model_ready') resolve(url);
    });
    lines.once('close', () => reject(new Error('The server ended before its model was ready; try `npm run build`.')));
  });
}
