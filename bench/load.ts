/**
 * `npm run bench -- load [seconds]`: 64 clients at once against `vecinity serve` of the built package. Counts what was
 * sent, answered, refused (429 and 503) and lost; prints how long answers took. Exits with 1 when anything was lost.
 */
import { servedModel, withServer } from './served.js';
import { percentile } from './statistics.js';

const clients = 64;
const defaultSeconds = 20;

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
  return await withServer(async (url) => {
    const tally: Tally = { sent: 0, answered: 0, refused: 0, lost: 0, times: [] };
    const endMs = performance.now() + Number(seconds) * 1000;
    await Promise.all(Array.from({ length: clients }, (_, client) => askUntil(endMs, { url, client, tally })));
    print(tally, Number(seconds));
    return tally.lost === 0 && tally.sent === tally.answered + tally.refused ? 0 : 1;
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
      const body = JSON.stringify({ model: servedModel, input });
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
