/** The WASM engine inside a worker of a page, as the compute worker uses it: runs what a test asks for. */
import type { TokenBatch } from '../../../src/backend/backend.js';
import { loadKernels } from '../../../src/backend/wasm/assets.js';
import {
  convertedForms,
  detectLevel,
  pickExactForm,
  pickForm,
  probeArithmetic,
} from '../../../src/backend/wasm/features.js';
import { loadWasmBackend } from '../../../src/backend/wasm/index.js';
import type { GemmForm } from '../../../src/backend/wasm/plan.js';
import { openModelFiles } from '../../../src/models/open-files.js';
import { loadModelSpec } from '../../../src/models/spec-files.js';
import { checkAll } from '../../wasm/kernel-checks.js';

export type Question =
  | { ask: 'kernels'; forms: GemmForm[] }
  | { ask: 'form' }
  | { ask: 'run'; model: string; dtype: 'f32' | 'q8'; threads: number; overlap?: boolean; batches: TokenBatch[] };

self.onmessage = async ({ data }: MessageEvent<Question>) => {
  try {
    self.postMessage({ answer: await answer(data) });
  } catch (error) {
    self.postMessage({ error: String(error) });
  }
};

async function answer(question: Question): Promise<unknown> {
  const level = detectLevel();
  if (question.ask === 'run') return await run(question);
  const module = await loadKernels(level, { shared: false, assetsUrl: null });
  if (question.ask === 'form') {
    const host = probeArithmetic(module, false);
    const exact = convertedForms.filter((form) => host.isExact(form));
    const [form, exactForm] = [pickForm(convertedForms, host), pickExactForm(host)];
    return { level, form, exactForm, exact, addsWide: host.addsWide() };
  }
  return { level, wrong: checkAll(module, question.forms) };
}

async function run({ model, dtype, threads, overlap = false, batches }: Question & { ask: 'run' }): Promise<unknown> {
  const base = new URL(`/models/${model}/`, self.location.href).href;
  const location = { kind: 'url' as const, base, headers: {}, cache: false };
  const spec = await loadModelSpec(openModelFiles(location), {
    id: model,
    repository: model,
    revision: 'local',
    entry: null,
  });
  const request = {
    spec,
    location,
    backend: 'wasm' as const,
    device: 'wasm' as const,
    dtype,
    threads,
    assetsUrl: null,
  };
  const backend = await loadWasmBackend(request, {});
  const results: number[][] = [];
  if (overlap)
    results.push(...(await Promise.all(batches.map((batch) => backend.run(batch)))).map((values) => [...values]));
  else for (const batch of batches) results.push([...(await backend.run(batch))]);
  const { info, width } = backend;
  await backend.dispose();
  return { info, width, results };
}
