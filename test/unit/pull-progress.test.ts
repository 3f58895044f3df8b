/** What `vecinity pull` draws on a terminal while it downloads, on a clock of the test's own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, it, onTestFinished, vi } from 'vitest';
import { pull } from '../../src/cli/pull.js';
import { startHub } from '../conformance/hub-server.js';

const fixtureModel = path.join(import.meta.dirname, '../fixtures/models/bert-cls');

it('shows how fast a model comes and how long it still takes', async () => {
  const hub = await startHub(fixtureModel);
  const cache = await mkdtemp(path.join(tmpdir(), 'vecinity-pull-'));
  let nowMs = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => {
    nowMs += 250;
    return nowMs;
  });
  onTestFinished(async () => {
    vi.restoreAllMocks();
    hub.close();
    await rm(cache, { recursive: true });
  });
  const stderr = Object.assign(new PassThrough(), { isTTY: true, columns: 200 });
  await pull(['owner/name', '--weights', 'safetensors'], {
    environment: { VECINITY_CACHE: cache, HF_ENDPOINT: hub.url },
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    stderr,
    signal: new AbortController().signal,
  });
  const lines = String(stderr.read()).split('\r\u001b[K');
  const weights = lines.filter((line) => line.startsWith('model.safetensors'));
  expect(weights.at(-1)).toMatch(/\d\.\d of \d\.\d MB, \d+\.\d MB\/s, \d+ s left$/);
});
