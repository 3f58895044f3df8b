/** Ports of an engine worker, without a worker and without a model. */
import { describe, expect, it } from 'vitest';
import { type ApiConfig, defaultApiConfig, defaultEngineConfig } from '../../src/config.js';
import { createEngineApi } from '../../src/engine-api.js';
import { EnginePort } from '../../src/wire/engine-port.js';
import { fromWireResponse, toWireRequest } from '../../src/wire/http.js';

async function openEngine(api: Partial<ApiConfig> = {}): Promise<ReturnType<typeof createEngineApi>> {
  const engine = createEngineApi(() => Promise.reject(new Error('no model is loaded in these tests')));
  await engine.configure(defaultEngineConfig, { ...defaultApiConfig, ...api });
  return engine;
}

describe('a port of an engine', () => {
  it('is greeted and answered before any model was loaded', async () => {
    const { port1, port2 } = new MessageChannel();
    const port = new EnginePort(port1);
    const engine = await openEngine();
    await engine.connect(port2);
    await port.hello;
    const request = await toWireRequest(new Request('http://localhost/v1/models'));
    const response = fromWireResponse(await port.send(request, new AbortController().signal));
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ object: 'list', data: [] });
    port.close();
  });

  it.each([{ routePrefix: 'ai' }, { apiKey: '' }])('is refused under options that cannot work: %o', async (api) => {
    const { port1, port2 } = new MessageChannel();
    const engine = await openEngine(api);
    await expect(engine.connect(port2)).rejects.toMatchObject({
      code: 'invalid_request',
      param: Object.keys(api)[0],
    });
    port1.close();
  });
});
