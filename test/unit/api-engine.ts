/** An engine without a model: vectors and scores follow from the inputs alone, and it keeps what it was asked. */
import type {
  ClassifyRequest,
  ClassifyResult,
  DecodeRequest,
  DecodeResult,
  EmbedRequest,
  EmbedResult,
  EmbedTokensRequest,
  EmbedTokensResult,
  Engine,
  EngineInput,
  EngineStatus,
  LoadOptions,
  ModelState,
  ModelStatus,
  RerankRequest,
  RerankResult,
  RunListener,
  TokenizeRequest,
  TokenizeResult,
} from '../../src/core/engine.js';
import type { ModelSpec, Task } from '../../src/models/spec.js';

const timing = { tokenizeMs: 1.25, queueMs: 2, inferenceMs: 30.5, totalMs: 33.756 };

export class FakeEngine implements Engine {
  readonly embedRequests: EmbedRequest[] = [];
  readonly tokensRequests: EmbedTokensRequest[] = [];
  readonly rerankRequests: RerankRequest[] = [];
  readonly classifyRequests: ClassifyRequest[] = [];
  readonly tokenizeRequests: TokenizeRequest[] = [];
  readonly loads: string[] = [];
  readonly unloads: string[] = [];
  readonly runListeners: RunListener[] = [];
  models: ModelStatus[];
  defaultModel: string | null;
  /** Awaited before each answer; throws to make the call fail. */
  before: (request: EmbedRequest | RerankRequest | ClassifyRequest) => void | Promise<void> = () => {};

  constructor(models: ModelStatus[] = [fakeModel('all-MiniLM-L6-v2', 'embedding')]) {
    this.models = models;
    this.defaultModel = models[0]?.id ?? null;
  }

  async load(model: string, _options?: LoadOptions): Promise<ModelStatus> {
    this.loads.push(model);
    const status = fakeModel(model, 'embedding');
    this.models = [...this.models.filter(({ id }) => id !== model), status];
    return status;
  }

  async unload(model: string): Promise<void> {
    this.unloads.push(model);
    this.models = this.models.filter(({ id }) => id !== model);
  }

  async embed(request: EmbedRequest): Promise<EmbedResult> {
    this.embedRequests.push(request);
    await this.before(request);
    const dimensions = request.dimensions ?? 4;
    return {
      model: request.model ?? 'default',
      embeddings: Float32Array.from(request.inputs.flatMap((input) => [...fakeEmbedding(input, dimensions)])),
      count: request.inputs.length,
      dimensions,
      usage: { promptTokens: request.inputs.reduce((sum, input) => sum + input.length + 2, 0) },
      truncated: 0,
      timing,
    };
  }

  /** A vector a letter or token id: each as if it were an input by itself. */
  async embedTokens(request: EmbedTokensRequest): Promise<EmbedTokensResult> {
    this.tokensRequests.push(request);
    const rows = request.inputs.map((input) => [...input].map((part) => [...fakeEmbedding([part], 4)]));
    const offsets = Int32Array.of(0, ...rows.map((_, input) => rows.slice(0, input + 1).flat().length));
    return {
      ...{ model: request.model ?? 'default', embeddings: Float32Array.from(rows.flat(2)), offsets },
      ...{ count: rows.length, dimensions: 4, usage: { promptTokens: rows.flat().length }, truncated: 0, timing },
    };
  }

  async rerank(request: RerankRequest): Promise<RerankResult> {
    this.rerankRequests.push(request);
    await this.before(request);
    const logits = request.documents.map((document) => document.length - 3);
    const scores = request.scoreActivation === 'none' ? logits : logits.map((logit) => 1 / (1 + Math.exp(-logit)));
    return {
      model: request.model ?? 'default',
      scores: Float32Array.from(scores),
      usage: { promptTokens: 7 },
      truncated: 1,
      timing,
    };
  }

  /** Two labels; the second is the likelier one for every input but the first. */
  async classify(request: ClassifyRequest): Promise<ClassifyResult> {
    this.classifyRequests.push(request);
    await this.before(request);
    const scores = request.inputs.flatMap((_, index) => (index === 0 ? [0.75, 0.25] : [0.125, 0.875]));
    return {
      model: request.model ?? 'default',
      labels: ['negative', 'positive'],
      scores: Float32Array.from(scores),
      count: request.inputs.length,
      usage: { promptTokens: 9 },
      truncated: 0,
      timing,
    };
  }

  /** A token a letter, between two special ones. */
  async tokenize(request: TokenizeRequest): Promise<TokenizeResult> {
    this.tokenizeRequests.push(request);
    const special = (text: string) => ({ id: 1, text, special: true, start: null, stop: null });
    const tokens = request.texts.map((text) => {
      const letters = [...text].map((letter, at) => ({
        ...{ id: letter.charCodeAt(0), text: letter, special: false },
        ...{ start: at, stop: at + 1 },
      }));
      return request.addSpecialTokens ? [special('[CLS]'), ...letters, special('[SEP]')] : letters;
    });
    return { model: request.model ?? 'default', tokens, maxTokens: 256 };
  }

  async decode({ model, ids, skipSpecialTokens }: DecodeRequest): Promise<DecodeResult> {
    const kept = ids.map((sequence) => sequence.filter((id) => id !== 1 || !skipSpecialTokens));
    return { model: model ?? 'default', texts: kept.map((sequence) => String.fromCharCode(...sequence)) };
  }

  status(): EngineStatus {
    return {
      models: this.models,
      defaultModel: this.defaultModel,
      queue: { inputs: 3, tokens: 40, maxInputs: 8192, maxBatchTokens: 16_384 },
      formerEngines: [],
    };
  }

  onRun(listener: RunListener): void {
    this.runListeners.push(listener);
  }

  async dispose(): Promise<void> {}
}

/** The vector that the fake engine gives for an input. */
export function fakeEmbedding(input: EngineInput, dimensions: number): Float32Array<ArrayBuffer> {
  const seed =
    typeof input === 'string'
      ? input.length
      : input.reduce<number>((sum, part) => sum + (typeof part === 'string' ? part.length : part), 0);
  return Float32Array.from({ length: dimensions }, (_, column) => Math.sin(seed + column / 7));
}

export function fakeModel(id: string, task: Task, { state = 'ready', spec = {} }: FakeModelOptions = {}): ModelStatus {
  return {
    id,
    state,
    spec: state === 'ready' ? { ...fakeSpec(id, task), ...spec } : null,
    backend: state === 'ready' ? { backend: 'onnx', device: 'wasm', dtype: 'f32', threads: 2, details: {} } : null,
    tried: [{ at: '2026-01-02T03:04:05.000Z', backend: 'onnx', device: 'webgpu', ok: false, reason: 'no adapter' }],
    recoveries: 0,
    progress: null,
    error: state === 'failed' ? { code: 'model_file_missing', message: 'model.onnx is not there.' } : null,
  };
}

interface FakeModelOptions {
  state?: ModelState;
  spec?: Partial<ModelSpec>;
}

function fakeSpec(id: string, task: Task): ModelSpec {
  return {
    id,
    repository: `sentence-transformers/${id}`,
    revision: 'main',
    task,
    architecture: 'bert',
    pooling: 'mean',
    normalize: true,
    dimensions: 4,
    matryoshkaDimensions: [],
    maxTokens: 256,
    vocabSize: 30_522,
    prompts: { query: 'query: ', passage: 'passage: ' },
    defaultPromptName: null,
    similarity: 'cosine',
    includePrompt: true,
    license: 'apache-2.0',
    config: {},
    canary: null,
  };
}
