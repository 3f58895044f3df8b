/** The engine worker of a page counts from its first call on, though its routes are made for the first request. */
import path from 'node:path';
import { expect, it } from 'vitest';
import { defaultApiConfig, defaultEngineConfig } from '../../src/config.js';
import { createEngineApi } from '../../src/engine-api.js';
import { openFolder } from '../../src/models/folder.node.js';
import { setFolderOpener } from '../../src/models/open-files.js';
import type { FromEnginePort } from '../../src/protocol.js';
import { fakeBackend } from './fake-backend.js';

const modelsUrl = path.join(import.meta.dirname, '../fixtures/models') + path.sep;

it('metrics hold the typed calls before the first request', async () => {
  setFolderOpener(openFolder);
  const api = createEngineApi(async (_, { spec }) => fakeBackend({ width: spec.dimensions }));
  await api.configure({ ...defaultEngineConfig, modelsUrl, device: 'wasm' }, defaultApiConfig);
  await api.load('bert-cls');
  await api.embeddings({ input: ['one', 'two'] });
  expect(await readMetrics(api)).toMatch(/^te_embed_success 2$/m);
  await api.embeddings({ input: 'three' });
  expect(await readMetrics(api)).toMatch(/^te_embed_success 3$/m);
  await api.dispose();
});

async function readMetrics(api: ReturnType<typeof createEngineApi>): Promise<string> {
  const { port1, port2 } = new MessageChannel();
  await api.connect(port2);
  const url = 'http://site.example/metrics';
  port1.postMessage({ type: 'request', id: '1', request: { method: 'GET', url, headers: [], body: null } });
  return await new Promise((resolve) => {
    port1.onmessage = ({ data }: MessageEvent<FromEnginePort>) => {
      if (data.type !== 'response') return;
      port1.close();
      resolve(new TextDecoder().decode(data.response.body ?? new ArrayBuffer()));
    };
  });
}
