/** Ollama's own routes for embeddings and models. Texts are cut unless the request says no; durations are nanoseconds. */
import * as z from 'zod/mini';
import { version } from '../../../package.json';
import { maxInputs } from '../../config.js';
import type { EmbedResult, ModelStatus } from '../../core/engine.js';
import type { VecinityError } from '../../errors.js';
import { fieldOf } from '../../json-object.js';
import { json, ollamaEmbedAnswer, ollamaPromptAnswer, ollamaRerankAnswer } from '../answers.js';
import { embedInputs } from '../embed-inputs.js';
import { flag, integerFrom, positiveInteger, text } from '../fields.js';
import { expiryOf, keepAlive, useModel } from '../keep-alive.js';
import {
  ollamaRunningAnswer,
  ollamaShowAnswer,
  ollamaTagsAnswer,
  pullAnswer,
  versionAnswer,
} from '../model-answers.js';
import { toRemoteStatus } from '../models.js';
import { findModel, presentModels, resolveModel, specOf, unknownModel } from '../names.js';
import { namedRemote, remoteNameOf } from '../remote/remote.js';
import { rerankBody, rerankBodyDocuments } from '../rerank.js';
import { jsonResponse, timingHeaders } from '../respond.js';
import type { ApiContext, Call, CallContext, Dialect, Route } from '../route.js';
import { count, invalidField, parseBody } from '../validate.js';
import { toJsonRows, writeJson } from '../vectors/embeddings-json.js';
import { lineType, pull, pullBody } from './ollama-pull.js';

/** Told in the document; `parseDuration` reads a little more. */
const durationPattern = String.raw`^-?(\d+(\.\d+)?|(\d+(\.\d+)?(ms|s|m|h))+)$`;
const durationText = z.string().register(z.globalRegistry, { pattern: durationPattern });
const duration = z.nullish(z.union([durationText, z.number()], 'a duration such as "5m", or seconds'));
const common = {
  model: z.nullish(text()),
  keep_alive: duration,
  options: z.nullish(z.looseObject({ num_ctx: z.nullish(integerFrom(0)) }, 'an object')),
};
const embedInput = z.unknown().register(z.globalRegistry, {
  anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' }, maxItems: maxInputs }, { type: 'null' }],
});
const embedBody = z.object({
  ...common,
  input: z.optional(embedInput),
  truncate: z.nullish(flag()),
  dimensions: z.nullish(positiveInteger()),
});
const promptBody = z.object({ ...common, prompt: z.nullish(text()) });
const showBody = z.object({ model: z.nullish(text()), name: z.nullish(text()) });

const allowedInput = `a string or an array of at most ${count(maxInputs)} strings`;
const nanosecondsPerMs = 1_000_000;
const dtypeNames = { f32: 'F32', f16: 'F16', q8: 'Q8_0' } as const;

/** Ollama's clients read one sentence; a full queue is a 503 there. */
const formatError = (error: VecinityError) => ({
  status: error.code === 'overloaded' ? 503 : error.status,
  body: { error: error.message },
});

export const ollama: Dialect = [
  {
    ...post('/api/embed', 'Embeds texts as Ollama does.', embed),
    ...{ body: embedBody, examples: [{ input: ['Lima', 'Quito'] }], answers: json(ollamaEmbedAnswer) },
  },
  {
    ...post('/api/embeddings', 'Embeds one text as older clients of Ollama ask for it.', embedPrompt),
    ...{ body: promptBody, examples: [{ prompt: 'Lima' }], answers: json(ollamaPromptAnswer) },
  },
  {
    ...post('/api/rerank', 'Sorts documents by their relevance to a query, for clients of Ollama.', rerank),
    ...{ body: rerankBody, examples: [{ query: 'capital of Peru', documents: ['Lima', 'Quito'] }] },
    answers: json(ollamaRerankAnswer),
  },
  {
    ...post('/api/pull', 'Loads a model and tells how far it is, a line a step.', pull),
    ...{ body: pullBody, examples: [{ model: 'all-MiniLM-L6-v2', stream: false }] },
    answers: { ...json(pullAnswer), [lineType]: pullAnswer },
  },
  {
    ...post('/api/show', 'Describes one model as Ollama does.', show),
    ...{ body: showBody, examples: [{ model: 'all-MiniLM-L6-v2' }], answers: json(ollamaShowAnswer) },
  },
  {
    ...get('/api/tags', 'Lists the models as Ollama does.', ({ context }) => list(allModels(context), toListed)),
    answers: json(ollamaTagsAnswer),
  },
  {
    ...get('/api/ps', 'Lists the models in memory as Ollama does.', listRunning),
    answers: json(ollamaRunningAnswer),
  },
  {
    ...get('/api/version', 'The version of this server.', () => jsonResponse({ version })),
    answers: json(versionAnswer),
  },
];

function post(path: string, summary: string, handle: Route['handle']) {
  const route = { method: 'POST' as const, paths: [path], summary, guarded: true, formatError, handle };
  // `curl -d`, as Ollama's documents write it, sends JSON under the type of a form.
  return { ...route, anyContentType: true as const };
}

function get(path: string, summary: string, handle: Route['handle']) {
  return { method: 'GET' as const, paths: [path], summary, body: null, guarded: true, formatError, handle };
}

async function embed({ body, context }: Call): Promise<Response> {
  const parsed = parseBody(embedBody, body);
  const inputs = toInputs(parsed.input);
  const model = toName(parsed.model);
  const keepMs = parseDuration(parsed.keep_alive);
  if (inputs.length === 0) return await onlyLoad({ model, keepMs }, { embeddings: [] }, context);
  const result = await embedInputs(
    {
      model,
      inputs,
      normalize: true,
      truncate: parsed.truncate ?? true,
      dimensions: await toDimensions(parsed.dimensions, model, context),
      maxTokens: parsed.options?.num_ctx || null,
    },
    context,
  );
  await applyKeepAlive(keepMs, result.model, context);
  const head = `{"model":${JSON.stringify(parsed.model ?? result.model)},"embeddings":[`;
  const tail = `],${JSON.stringify(toDurations(result)).slice(1)}`;
  const bytes = await writeJson([head, toJsonRows(result, 'float'), tail]);
  return jsonResponse(bytes, { headers: timingHeaders(result) });
}

async function embedPrompt({ body, context }: Call): Promise<Response> {
  const { model, prompt, keep_alive, options } = parseBody(promptBody, body);
  const keepMs = parseDuration(keep_alive);
  if (!prompt) return await onlyLoad({ model: toName(model), keepMs }, { embedding: [] }, context);
  const maxTokens = options?.num_ctx || null;
  const wish = { model: toName(model), inputs: [prompt], normalize: false, truncate: true, maxTokens };
  const result = await embedInputs(wish, context);
  await applyKeepAlive(keepMs, result.model, context);
  return jsonResponse({ embedding: Array.from(result.embeddings) }, { headers: timingHeaders(result) });
}

/** Ollama has no such route yet; clients that expect one send and read what Jina's does, without ids and usage. */
async function rerank({ body, context }: Call): Promise<Response> {
  const named = fieldOf(body, 'model');
  const asked = typeof named === 'string' ? { ...Object(body), model: toName(named) } : body;
  const { result, response } = await rerankBodyDocuments(asked, context);
  const results = response.results.map(({ index, relevance_score, document }) => ({
    ...{ index, relevance_score },
    ...(document ? { document: document.text } : {}),
  }));
  return jsonResponse({ model: response.model, results }, { headers: timingHeaders(result) });
}

function show({ body, context }: Call): Response {
  const parsed = parseBody(showBody, body);
  const name = toName(parsed.model ?? parsed.name);
  const model = findShown(name, context);
  if (!model) throw unknownModel(name ?? '', context);
  const { spec } = model;
  const family = spec?.architecture ?? '';
  const modelInfo = {
    'general.architecture': family,
    [`${family}.context_length`]: spec?.maxTokens ?? null,
    [`${family}.embedding_length`]: spec?.dimensions ?? null,
    [`${family}.pooling_type`]: spec?.pooling ?? null,
  };
  const { details, modified_at } = toListed(model);
  const none = { modelfile: '', parameters: '', template: '' };
  return jsonResponse({ ...none, details, model_info: modelInfo, capabilities: ['embedding'], modified_at });
}

/** Of a model of another server only the name is known here. */
function findShown(name: string | null, context: ApiContext): ModelStatus | null {
  const remote = name === null ? remoteNameOf(null, context) : namedRemote(name, context);
  if (remote !== null) return toRemoteStatus(remote);
  return name === null ? resolveModel(null, 'embedding', context) : findModel(name, context);
}

function allModels(context: ApiContext): ModelStatus[] {
  return [...presentModels(context), ...(context.remote?.names.map(toRemoteStatus) ?? [])];
}

/** Those that take memory here. */
function listRunning({ context }: Call): Response {
  const running = presentModels(context).filter(({ state }) => state === 'ready');
  return list(running, (model) => toRunning(model, context));
}

function list(models: readonly ModelStatus[], toEntry: (model: ModelStatus) => object): Response {
  return jsonResponse({ models: models.map(toEntry) });
}

function toListed({ id, spec, backend, progress }: ModelStatus) {
  const family = spec?.architecture ?? '';
  return {
    name: id,
    model: id,
    // When this engine started: the files of a model carry no date.
    modified_at: new Date(performance.timeOrigin).toISOString(),
    size: progress?.totalBytes ?? 0,
    digest: spec?.revision ?? '',
    details: {
      parent_model: '',
      format: backend?.backend === 'onnx' ? 'onnx' : 'safetensors',
      family,
      families: [family],
      parameter_size: '',
      quantization_level: backend ? dtypeNames[backend.dtype] : '',
    },
  };
}

/** A model without a clock stays; Ollama writes that as a date far away. */
function toRunning(model: ModelStatus, context: ApiContext) {
  const entry = toListed(model);
  const expires = expiryOf(model.id, context)?.toISOString() ?? '9999-12-31T23:59:59Z';
  return { ...entry, expires_at: expires, size_vram: 0, context_length: model.spec?.maxTokens ?? null };
}

interface LoadFields {
  model: string | null;
  /** Null when nothing was said. */
  keepMs: number | null;
}

/** A request without a text asks for the model to be there, or with `keep_alive: 0` to go. */
async function onlyLoad(fields: LoadFields, answer: object, context: Call['context']): Promise<Response> {
  const remote = remoteNameOf(fields.model, context);
  if (remote !== null) return jsonResponse({ model: remote, ...answer });
  const mustGo = fields.keepMs === 0;
  const loading = context.signal ? { signal: context.signal } : {};
  const id = await useModel(fields.model, { task: 'embedding', context }, async (model) => {
    if (!mustGo) await context.engine.load(model.id, loading);
    return model.id;
  });
  await applyKeepAlive(fields.keepMs, id, context);
  return jsonResponse({ model: fields.model ?? id, ...answer });
}

async function applyKeepAlive(keepMs: LoadFields['keepMs'], id: string, context: ApiContext): Promise<void> {
  const isOurs = remoteNameOf(id, context) === null;
  if (keepMs !== null && isOurs) await keepAlive(id, keepMs, context);
}

function toDurations({ timing, usage }: EmbedResult) {
  return {
    total_duration: Math.round(timing.totalMs * nanosecondsPerMs),
    load_duration: 0,
    prompt_eval_count: usage.promptTokens,
  };
}

/** Null and '' ask for nothing. */
function toInputs(value: unknown): string[] {
  if (value === undefined || value === null || value === '') return [];
  if (typeof value === 'string') return [value];
  const isList = Array.isArray(value) && value.length <= maxInputs && value.every((item) => typeof item === 'string');
  if (isList) return value;
  throw invalidField(['input'], allowedInput, value);
}

/** Ollama's names carry a tag; ours have none. */
function toName(model: string | null | undefined): string | null {
  return model?.replace(/:latest$/, '') || null;
}

/** A width above the model's own is the model's own; that of a model of another server is not known here. */
async function toDimensions(
  asked: number | null | undefined,
  name: string | null,
  context: CallContext,
): Promise<number | null> {
  if (asked == null || remoteNameOf(name, context) !== null) return asked ?? null;
  const spec = await useModel(name, { task: 'embedding', context }, (model) => specOf(model, context));
  return spec !== null && asked >= spec.dimensions ? null : asked;
}

const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Seconds as a number, or Go's durations (`1h30m`, `-1`); milliseconds, or null when nothing was said. */
export function parseDuration(value: string | number | null | undefined): number | null {
  if (value === null || value === undefined || value === '') return null;
  const text = String(value);
  if (typeof value === 'number' || /^-?\d+(?:\.\d+)?$/.test(text)) return Number(value) * 1_000;
  if (!/^-?(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text))
    throw invalidField(['keep_alive'], 'a duration such as "5m"', value);
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  const total = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (unitMs[unit ?? ''] ?? 0), 0);
  return text.startsWith('-') ? -total : total;
}
