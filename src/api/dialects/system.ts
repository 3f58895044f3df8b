/** Routes about the engine itself: `/health` and `/info`. */
import { version } from '../../../package.json';
import { maxInputs } from '../../config.js';
import type { EngineStatus, LoadProgress, ModelStatus } from '../../core/engine.js';
import { VecinityError } from '../../errors.js';
import type { ModelSpec } from '../../models/spec.js';
import { json } from '../answers.js';
import { errorResponse } from '../error-response.js';

import { healthAnswer, infoAnswer, versionAnswer } from '../model-answers.js';
import { toRemoteStatus } from '../models.js';
import { findModel, presentModels } from '../names.js';
import { jsonResponse } from '../respond.js';
import type { ApiContext, Call, Dialect } from '../route.js';

const prometheusType = 'text/plain; version=0.0.4; charset=utf-8';

export const system: Dialect = [
  {
    method: 'GET',
    paths: ['/health', '/v1/health', '/ping'],
    summary: 'Says whether the models are ready: 200, or 503 with the progress of loading.',
    body: null,
    answers: json(healthAnswer),
    guarded: false,
    handle: health,
  },
  {
    method: 'GET',
    paths: ['/version'],
    summary: 'The version of this server, as vLLM says it.',
    body: null,
    answers: json(versionAnswer),
    guarded: true,
    handle: () => jsonResponse({ version }),
  },
  {
    method: 'GET',
    paths: ['/info'],
    summary: 'Describes the model, its device, what was tried before, and the queue.',
    body: null,
    answers: json(infoAnswer),
    guarded: true,
    handle: ({ context }) => jsonResponse(describeEngine(context.engine.status())),
  },
  {
    method: 'GET',
    paths: ['/metrics'],
    summary: 'What was done so far, in the text format of Prometheus.',
    body: null,
    guarded: false,
    answers: { 'text/plain': null },
    handle: ({ context, metrics }) =>
      new Response(metrics.render(context.engine.status()), { headers: { 'content-type': prometheusType } }),
  },
  {
    method: 'GET',
    paths: ['/'],
    summary: 'Says that the server is there.',
    body: null,
    guarded: false,
    answers: { 'text/plain': null },
    handle: running,
  },
];

/** Clients of Ollama look for its own sentence. */
function running({ context }: Call): Response {
  const sentence = context.api.compat === 'ollama' ? 'Ollama is running' : 'Vecinity is running.';
  return new Response(sentence, { headers: { 'content-type': 'text/plain; charset=utf-8' } });
}

function health({ context }: Call): Response {
  const waiting = findAwaited(context);
  if (waiting !== null) return notReady(waiting);
  const models = presentModels(context);
  const usable = models.find(isUsable) ?? (models.length === 0 ? context.remote?.names.map(toRemoteStatus)[0] : null);
  if (usable) return jsonResponse({ status: 'ok', unix: Date.now() / 1000, model: usable.id });
  return notReady(models);
}

/** Models that were asked for at the start and are not there yet; null as soon as all were there once. */
function findAwaited(context: ApiContext): ModelStatus[] | null {
  const { awaited = new Set<string>() } = context;
  for (const name of awaited) {
    const model = findModel(name, context);
    if (model && isUsable(model)) awaited.delete(name);
  }
  if (awaited.size === 0) return null;
  return [...awaited].map((name) => findModel(name, context)).filter((model) => model !== null);
}

/** A model that went comes back with the next request for it. */
function isUsable({ state }: ModelStatus): boolean {
  return state === 'ready' || state === 'unloaded';
}

function notReady(models: readonly ModelStatus[]): Response {
  const loading = models.find(({ state }) => state === 'loading');
  if (loading) return stillLoading(loading);
  const failed = models.find(({ state }) => state === 'failed');
  const message = failed
    ? `The model ${failed.id} could not be loaded: ${failed.error?.message ?? 'the reason is not known.'}`
    : 'No model is loaded.';
  return errorResponse(new VecinityError('model_not_loaded', message), {
    extra: { status: failed ? 'failed' : 'empty' },
  });
}

function stillLoading({ id, progress }: ModelStatus): Response {
  const message = `Loading model ${id}${progress ? `: ${progress.phase}` : ''}.`;
  return errorResponse(new VecinityError('model_loading', message, { retryAfterMs: 1000 }), {
    extra: { status: 'loading', progress: progress && describeProgress(progress) },
  });
}

function describeProgress(progress: LoadProgress) {
  const { model, phase, loadedBytes, totalBytes, resumedBytes, bytesPerSecond, remainingMs, files } = progress;
  const entries = Object.entries(files).map(([file, bytes]) => ({
    file,
    loaded_bytes: bytes.loadedBytes,
    total_bytes: bytes.totalBytes,
  }));
  return {
    model,
    phase,
    loaded_bytes: loadedBytes,
    total_bytes: totalBytes,
    resumed_bytes: resumedBytes,
    bytes_per_second: bytesPerSecond,
    remaining_ms: remainingMs,
    files: entries,
  };
}

/** The default model's facts at the top, every model's under `models`. */
function describeEngine({ models, defaultModel, queue, formerEngines }: EngineStatus) {
  const first = models.find(({ id }) => id === defaultModel) ?? models[0];
  return {
    version,
    ...(first ? describeModel(first) : { model: null }),
    ...(first ? describeForTei(first, queue) : {}),
    queue: { inputs: queue.inputs, tokens: queue.tokens, max_inputs: queue.maxInputs },
    former_engines: formerEngines,
    models: models.map(describeModel),
  };
}

/** TEI's names for what its clients read. */
function describeForTei({ id, spec, backend }: ModelStatus, queue: EngineStatus['queue']) {
  return {
    model_id: spec?.repository ?? id,
    model_sha: spec?.revision ?? null,
    model_dtype: backend ? teiDtypes[backend.dtype] : null,
    served_model_name: id,
    model_type: spec && toModelType(spec),
    max_concurrent_requests: queue.maxInputs,
    max_input_length: spec?.maxTokens ?? null,
    max_batch_tokens: queue.maxBatchTokens,
    max_batch_requests: null,
    max_client_batch_size: maxInputs,
    auto_truncate: true,
    tokenization_workers: 1,
    sha: null,
    docker_label: null,
  };
}

const teiDtypes = { f32: 'float32', f16: 'float16', q8: 'int8' } as const;

/** A model with one label is a reranker, one with several a classifier. */
function toModelType({ task, pooling, dimensions, config }: ModelSpec) {
  if (task !== 'rerank') return { embedding: { pooling } };
  const labels = { id2label: config.id2label ?? { 0: 'LABEL_0' }, label2id: config.label2id ?? { LABEL_0: 0 } };
  return dimensions === 1 ? { reranker: labels } : { classifier: labels };
}

function describeModel({ id, state, spec, backend, tried, recoveries, progress, error }: ModelStatus) {
  return {
    model: id,
    state,
    repository: spec?.repository ?? null,
    revision: spec?.revision ?? null,
    task: spec?.task ?? null,
    architecture: spec?.architecture ?? null,
    device: backend?.device ?? null,
    dtype: backend?.dtype ?? null,
    backend: backend?.backend ?? null,
    threads: backend?.threads ?? null,
    details: backend?.details ?? {},
    tried,
    recoveries,
    max_tokens: spec?.maxTokens ?? null,
    dimensions: spec?.dimensions ?? null,
    pooling: spec?.pooling ?? null,
    normalize: spec?.normalize ?? null,
    similarity: spec?.similarity ?? null,
    prompts: spec?.prompts ?? {},
    progress: progress && describeProgress(progress),
    error,
  };
}
