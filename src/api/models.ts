/** What `/v1/models` says of each model: OpenAI's fields, and those that vLLM and Infinity add. */
import { maxInputs } from '../config.js';
import type { EngineStatus, ModelStatus } from '../core/engine.js';
import { findModel, presentAliases, presentModels, unknownModel } from './names.js';
import { namedRemote } from './remote/remote.js';
import type { ModelsResponse } from './responses.js';
import type { ApiContext } from './route.js';

type Queue = EngineStatus['queue'];
type OpenaiModel = ModelsResponse['data'][number];

/** One entry of the list; what needs the model's files is null until they were read. */
export interface ModelCard extends OpenaiModel {
  /** The model behind an alias, else the repository. */
  root: string;
  /** The id that an alias stands for. */
  parent: string | null;
  state: ModelStatus['state'];
  task: string | null;
  revision: string | null;
  dimensions: number | null;
  matryoshka_dimensions: number[];
  /** vLLM's name for the tokens of one input at most. */
  max_model_len: number | null;
  pooling: string | null;
  normalize: boolean | null;
  prompts: string[];
  license: string | null;
  backend: string | null;
  /** Infinity's words for what the model can do. */
  capabilities: ('embed' | 'rerank' | 'classify')[];
  /** Infinity's words for the queue, which all models share. */
  stats: { queue_fraction: number; queue_absolute: number; results_pending: number; batch_size: number };
}

/** Models that are present, then the aliases that lead to them, then the models of other servers. */
export function listModels(context: ApiContext): ModelsResponse & { data: ModelCard[] } {
  const { queue } = context.engine.status();
  const models = presentModels(context).map((model) => toCard(model, model.id, queue));
  const aliases = presentAliases(context).map(({ alias, model }) => toCard(model, alias, queue));
  const remote = context.remote?.names.map((name) => toRemoteCard(name, queue)) ?? [];
  return { object: 'list', data: [...models, ...aliases, ...remote] };
}

/** One model by id, repository or alias. Throws `model_not_found`. */
export function retrieveModel(name: string, context: ApiContext): ModelCard {
  const { queue } = context.engine.status();
  if (namedRemote(name, context) !== null) return toRemoteCard(name, queue);
  const model = findModel(name, context);
  if (!model) throw unknownModel(name, context);
  return toCard(model, name, queue);
}

/** A model of another server. That server knows more; what is listed here must not wait for it. */
export function toRemoteStatus(id: string): ModelStatus {
  return { id, state: 'ready', spec: null, backend: null, tried: [], recoveries: 0, progress: null, error: null };
}

function toRemoteCard(name: string, queue: Queue): ModelCard {
  return toCard(toRemoteStatus(name), name, queue);
}

function toCard({ id, spec, state, backend }: ModelStatus, name: string, queue: Queue): ModelCard {
  const repository = spec?.repository ?? id;
  const isAlias = name !== id && name !== repository;
  return {
    id: name,
    object: 'model',
    // When this engine started: the files of a model carry no date.
    created: Math.floor(performance.timeOrigin / 1000),
    owned_by: repository.includes('/') ? repository.slice(0, repository.indexOf('/')) : 'vecinity',
    root: repository,
    parent: isAlias ? id : null,
    state,
    task: spec?.task ?? null,
    revision: spec?.revision ?? null,
    dimensions: spec?.dimensions ?? null,
    matryoshka_dimensions: spec?.matryoshkaDimensions ?? [],
    max_model_len: spec?.maxTokens ?? null,
    pooling: spec?.pooling ?? null,
    normalize: spec?.normalize ?? null,
    prompts: Object.keys(spec?.prompts ?? {}),
    license: spec?.license ?? null,
    backend: backend?.backend ?? null,
    capabilities: toCapabilities(spec),
    stats: toStats(queue),
  };
}

/** A model with several labels is a classifier; one label is what a reranker has. */
function toCapabilities(spec: ModelStatus['spec']): ModelCard['capabilities'] {
  if (spec?.task !== 'rerank') return ['embed', 'rerank'];
  return spec.dimensions === 1 ? ['rerank'] : ['classify'];
}

function toStats({ inputs, maxInputs: most }: Queue): ModelCard['stats'] {
  return { queue_fraction: inputs / most, queue_absolute: inputs, results_pending: inputs, batch_size: maxInputs };
}
