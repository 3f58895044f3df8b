/** A handler behind a real server on loopback, for clients that bring their own HTTP; closed after the test. */
import { onTestFinished } from 'vitest';
import type { ApiConfig } from '../../src/config.js';
import { listen } from '../../src/edge/server.js';
import { createApi } from './api-client.js';
import { FakeEngine } from './api-engine.js';

export async function serveApi(api: Partial<ApiConfig> = {}, engine = new FakeEngine()) {
  const { handler } = createApi(api, engine);
  const server = await listen(handler);
  onTestFinished(() => server.close());
  return { engine, url: server.url };
}
