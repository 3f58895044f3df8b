/**
 * What llama.cpp's server tells of itself. A slot is what computes one request at a time; here each model has a queue of
 * its own, whose requests share runs, so each model is a slot. Nothing of it can be changed by a request.
 */
import { version } from '../../../package.json';
import type { ModelStatus } from '../../core/engine.js';
import { VecinityError } from '../../errors.js';
import { json, llamaPropsAnswer, llamaSlotsAnswer } from '../answers.js';
import { presentModels } from '../names.js';
import { jsonResponse } from '../respond.js';
import type { Call, Dialect } from '../route.js';
import { formatError } from './llama-cpp.js';

const route = { method: 'GET' as const, body: null, guarded: true, formatError };

export const llamaServer: Dialect = [
  {
    ...route,
    paths: ['/props'],
    summary: 'The model and its limits, as llama.cpp says them.',
    answers: json(llamaPropsAnswer),
    handle: props,
  },
  {
    ...route,
    paths: ['/slots'],
    summary: 'Which models compute now, as llama.cpp says it; 503 with `fail_on_no_slot` when all of them do.',
    answers: json(llamaSlotsAnswer),
    handle: slots,
  },
];

function props({ context }: Call): Response {
  const ready = readyModels(context);
  const { defaultModel } = context.engine.status();
  const model = ready.find(({ id }) => id === defaultModel) ?? ready[0];
  return jsonResponse({
    default_generation_settings: { n_ctx: model?.spec?.maxTokens ?? null, params: {} },
    total_slots: ready.length,
    model_alias: model?.id ?? null,
    model_path: model?.spec?.repository ?? null,
    modalities: { vision: false, audio: false },
    chat_template: '',
    bos_token: null,
    eos_token: null,
    build_info: `vecinity ${version}`,
  });
}

/** Throws `model_loading` where a request would have to wait and asks not to. */
function slots({ context, metrics, query }: Call): Response {
  const all = readyModels(context).map(({ id: model, spec }, id) => ({
    ...{ id, model, n_ctx: spec?.maxTokens ?? null },
    ...{ speculative: false, is_processing: metrics.running(model) > 0 },
  }));
  const isBusy = all.every(({ is_processing }) => is_processing);
  if (query('fail_on_no_slot') === null || !isBusy) return jsonResponse(all);
  throw new VecinityError('model_loading', 'There is no slot available: every model computes or loads.', {
    retryAfterMs: 1000,
  });
}

function readyModels(context: Call['context']): ModelStatus[] {
  return presentModels(context).filter(({ state }) => state === 'ready');
}
