/**
 * `npm run bench -- load [seconds]`: 64 clients at once against `vecinity serve` of the built package. Counts what was
 * sent, answered, refused (429 and 503) and lost; prints how long answers took. Exits with 1 when anything was lost.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { percentile } from './statistics.js';

const clients = 64;
const defaultSeconds = 20;
const model = 'all-MiniLM-L6-v2';
const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

interface Tally {
  sent: number;
  answered: number;
  refused: number;
  lost: number;
  /** Of the answered ones, in ms. */
  times: number[];
}

/** Starts a server, lets the clients ask for that long, ends the server. */
export async function main([seconds = String(defaultSeconds)]: readonly string[]): Promise<number> {
  const server = spawn(
    process.execPath,
    [at('../dist/cli.js'), 'serve', '--port', '0', '--model', model, '--models-dir', at('../public/models')],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  try {
    const url = await readyUrl(createInterface(server.stderr));
    const tally: Tally = { sent: 0, answered: 0, refused: 0, lost: 0, times: [] };
    const endMs = performance.now() + Number(seconds) * 1000;
    await Promise.all(Array.from({ length: clients }, (_, client) => askUntil(endMs, { url, client, tally })));
    print(tally, Number(seconds));
    return tally.lost === 0 && tally.sent === tally.answered + tally.refused ? 0 : 1;
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

async function askUntil(endMs: number, job: { url: string; client: number; tally: Tally }): Promise<void> {
  const { url, client, tally } = job;
  for (let turn = 0; performance.now() < endMs; turn += 1) {
    // Every eighth client sends many texts at once: the others must not wait for all of them.
    const count = client % 8 === 0 ? 16 : 1;
    const input = Array.from({ length: count }, (_, text) => `Client ${client} asks ${turn} about text ${text}.`);
    const start = performance.now();
    tally.sent += 1;
    try {
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify({ model, input });
      const response = await fetch(`${url}/v1/embeddings`, { method: 'POST', headers, body });
      const answer: { data?: unknown[] } = await response.json();
      if (response.status === 429 || response.status === 503) tally.refused += 1;
      else if (!response.ok || answer.data?.length !== count) tally.lost += 1;
      else {
        tally.answered += 1;
        tally.times.push(performance.now() - start);
      }
    } catch {
      tally.lost += 1;
    }
  }
}

function print({ sent, answered, refused, lost, times }: Tally, seconds: number): void {
  console.log(`${clients} clients, ${seconds} s: ${sent} sent, ${answered} answered, ${refused} refused, ${lost} lost`);
  if (times.length === 0) return;
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => `${percentile(times, share).toFixed(1)} ms`);
  console.log(`${(answered / seconds).toFixed(1)} requests/s; p50 ${p50}, p95 ${p95}, p99 ${p99}`);
}
