/** `vecinity serve`: the API on a port, one line in the log for every event, an end that loses nothing. */
import { once } from 'node:events';
import type { Handler } from '../api/handler.js';
import { createClientOf } from '../edge/clients.js';
import { createNodeEngine } from '../edge/engine.js';
import { createHandler } from '../edge/handler.js';
import { isLoopback } from '../edge/hosts.js';
import { withMemoryBudget } from '../edge/memory-budget.js';
import { listen } from '../edge/server.js';
import { VecinityError } from '../errors.js';
import { modelIdOf } from '../models/resolve.js';
import { createLog, type Log } from './log.js';
import { parseServeOptions, type ServeOptions } from './serve-options.js';
import { type Terminal, tell } from './terminal.js';

export { serveUsage } from './serve-options.js';

export interface Serving {
  url: string;
  /** Resolves when every model is loaded; rejects with the first failure. */
  ready: Promise<void>;
  /** Finishes what was accepted, then ends the threads. */
  close(): Promise<void>;
}

/** Serves until the terminal's signal fires. Throws for a wrong command line, address or model. */
export async function serve(args: readonly string[], terminal: Terminal): Promise<void> {
  const options = parseServeOptions(args, terminal.environment);
  const format = options.logFormat ?? (terminal.stderr.isTTY ? 'text' : 'json');
  const log = createLog(format, (line) => tell(terminal, line));
  const serving = await startServing(options, log);
  const { signal } = terminal;
  const interrupted: Promise<unknown> = signal.aborted ? Promise.resolve() : once(signal, 'abort');
  try {
    await Promise.race([interrupted, serving.ready.then(() => interrupted)]);
    log('shutdown', {});
  } finally {
    await serving.close();
  }
}

/** Listens first and loads then, so that `/health` tells how far it is. */
async function startServing(
  { hostname, port, hosts, models, engine: settings, api, upstream, memoryBudgetBytes, clientHeader }: ServeOptions,
  log: Log,
): Promise<Serving> {
  const unlimited = await createNodeEngine(settings);
  const engine = memoryBudgetBytes === null ? unlimited : withMemoryBudget(unlimited, memoryBudgetBytes);
  const clientOf = createClientOf(clientHeader);
  const handler = logged(createHandler({ engine, api, upstream, awaited: models.map(modelIdOf), clientOf }), log);
  const server = await listen(handler, { hostname, port, hosts }).catch(async (error: unknown) => {
    await engine.dispose();
    throw addressError(error, hostname, port);
  });
  log('listening', { url: server.url, port: server.port, models });
  if (api.apiKey == null && !isLoopback(hostname)) log('warning', { message: 'No API key is set: anyone may ask.' });
  const load = async (model: string) => {
    const { id, backend } = await engine.load(model);
    log('model_ready', { model: id, ...backend });
  };
  const ready = Promise.all(models.map(load)).then(() => {});
  // A server that is closed while it loads has nobody who waits for the models any more.
  ready.catch(() => {});
  return {
    url: server.url,
    ready,
    async close() {
      await server.close();
      await engine.dispose();
    },
  };
}

/** Node's codes for an address that cannot be listened on, in words; every other failure as it came. */
function addressError(thrown: unknown, hostname: string, port: number): unknown {
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: `port ${port} of ${hostname} is in use; \`--port 0\` takes a free one`,
    EACCES: `port ${port} of ${hostname} is not allowed for this user; take one above 1023`,
    EADDRNOTAVAIL: `${hostname} is no address of this machine`,
    ENOTFOUND: `${hostname} is no address and no name that is known here`,
  };
  const reason = thrown instanceof Error && 'code' in thrown ? reasons[String(thrown.code)] : undefined;
  return reason === undefined
    ? thrown
    : new VecinityError('internal_error', `Cannot listen: ${reason}.`, { cause: thrown });
}

/** Writes a line for every answer, with the headers' timings where there are some. */
function logged(handler: Handler, log: Log): Handler {
  return async (request) => {
    const startedAt = performance.now();
    const response = await handler(request);
    const tokens = response.headers.get('x-compute-tokens');
    log('request', {
      method: request.method,
      path: new URL(request.url).pathname,
      status: response.status,
      durationMs: Math.round((performance.now() - startedAt) * 100) / 100,
      ...(tokens === null ? {} : { tokens: Number(tokens) }),
      requestId: response.headers.get('x-request-id'),
    });
    return response;
  };
}
