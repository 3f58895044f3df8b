/** Counts what an engine does and prints it for Prometheus: under TEI's names, and a few of our own. */
import type { Engine, EngineStatus, Timing, Usage } from '../core/engine.js';
import { toVecinityError } from '../errors.js';

/** Upper bounds of durations, in seconds. */
const secondBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Upper bounds of lengths, in tokens. */
const tokenBounds = [8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192];

/** TEI's kinds of failures by our codes; what is not listed is a failed inference. */
const failures: Record<string, string> = {
  invalid_request: 'validation',
  context_length_exceeded: 'tokenization',
  unsupported_task: 'model_type',
  overloaded: 'overloaded',
  aborted: 'dropped',
};

/** Upper bounds of the texts of a run. */
const textBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048];

const tasks = ['embed', 'predict'] as const;
const parts = ['', 'tokenization_', 'queue_', 'inference_'] as const;

/** What is there from the first moment on, so that a rate can be taken of what has not happened yet. */
const knownCounters: readonly (readonly [name: string, labels: readonly string[]])[] = [
  ['te_request_count', ['method="single"', 'method="batch"']],
  ['te_request_success', ['method="single"', 'method="batch"']],
  ['te_request_failure', [...new Set([...Object.values(failures), 'inference'])].map((kind) => `err="${kind}"`)],
  ...tasks.flatMap((task) => [[`te_${task}_count`, ['']] as const, [`te_${task}_success`, ['']] as const]),
];
const knownHistograms: readonly (readonly [name: string, bounds: readonly number[]])[] = [
  ...['request', ...tasks].flatMap((of) => parts.map((part) => [`te_${of}_${part}duration`, secondBounds] as const)),
  ['te_request_input_length', tokenBounds],
  ['te_batch_next_size', textBounds],
  ['te_batch_next_tokens', tokenBounds],
];

type Task = (typeof tasks)[number];
type Done = { timing: Timing; usage: Usage };

export class Metrics {
  readonly #counters = new Map<string, Map<string, number>>();
  readonly #histograms = new Map<string, Histogram>();
  /** Requests by their model. */
  readonly #running = new Map<string, number>();

  constructor() {
    for (const [name, series] of knownCounters) for (const labels of series) this.#add(name, labels, 0);
    for (const [name, bounds] of knownHistograms) this.#histograms.set(name, new Histogram(bounds));
  }

  /** The same engine, whose work is counted. */
  watch(engine: Engine): Engine {
    engine.onRun(({ texts, tokens }) => {
      this.#observe('te_batch_next_size', texts);
      this.#observe('te_batch_next_tokens', tokens);
    });
    return {
      onRun: (listener) => engine.onRun(listener),
      load: (model, options) => engine.load(model, options),
      unload: (model) => engine.unload(model),
      tokenize: (request) => engine.tokenize(request),
      decode: (request) => engine.decode(request),
      status: () => engine.status(),
      dispose: () => engine.dispose(),
      embed: (request) => this.#count('embed', sizeOf(request, request.inputs), engine.embed(request)),
      embedTokens: (request) => this.#count('embed', sizeOf(request, request.inputs), engine.embedTokens(request)),
      rerank: (request) => this.#count('predict', sizeOf(request, request.documents), engine.rerank(request)),
      classify: (request) => this.#count('predict', sizeOf(request, request.inputs), engine.classify(request)),
    };
  }

  /** One answered request. */
  answered(route: string, method: string, status: number): void {
    this.#add('vecinity_http_requests_total', `path="${route}",method="${method}",status="${status}"`, 1);
  }

  /** Requests that a model, or all models together, have not answered yet. */
  running(model?: string): number {
    if (model !== undefined) return this.#running.get(model) ?? 0;
    return [...this.#running.values()].reduce((sum, count) => sum + count, 0);
  }

  /** The text format of Prometheus. */
  render({ queue, models }: EngineStatus): string {
    const states = models.map(({ id, state, backend }) => {
      const labels = { model: id, state, device: backend?.device ?? '', dtype: backend?.dtype ?? '' };
      const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
      return `vecinity_model{${pairs.join()}} 1`;
    });
    const recoveries = models.map(
      ({ id, recoveries }) => `vecinity_recoveries_total{model="${escapeLabel(id)}"} ${recoveries}`,
    );
    const gauges = [
      ...['# TYPE te_queue_size gauge', `te_queue_size ${queue.inputs}`],
      ...['# TYPE vecinity_queue_tokens gauge', `vecinity_queue_tokens ${queue.tokens}`],
      ...['# TYPE vecinity_model gauge', ...states],
    ];
    const ofModels = ['# TYPE vecinity_recoveries_total counter', ...recoveries];
    const counters = [...this.#counters].flatMap(([name, series]) => [
      `# TYPE ${name} counter`,
      ...[...series].map(([labels, value]) => `${name}${labels === '' ? '' : `{${labels}}`} ${value}`),
    ]);
    const histograms = [...this.#histograms].flatMap(([name, histogram]) => histogram.lines(name));
    return `${[...gauges, ...ofModels, ...counters, ...histograms].join('\n')}\n`;
  }

  async #count<Result extends Done>(task: Task, { model, inputs }: Size, work: Promise<Result>): Promise<Result> {
    this.#running.set(model, this.running(model) + 1);
    const method = `method="${inputs === 1 ? 'single' : 'batch'}"`;
    this.#add('te_request_count', method, 1);
    this.#add(`te_${task}_count`, '', inputs);
    try {
      const done = await work;
      this.#add('te_request_success', method, 1);
      this.#add(`te_${task}_success`, '', inputs);
      this.#observeTiming(task, done.timing);
      this.#observe('te_request_input_length', done.usage.promptTokens / Math.max(1, inputs));
      return done;
    } catch (thrown) {
      this.#add('te_request_failure', `err="${failures[toVecinityError(thrown).code] ?? 'inference'}"`, 1);
      throw thrown;
    } finally {
      this.#running.set(model, this.running(model) - 1);
    }
  }

  #observeTiming(task: Task, { totalMs, tokenizeMs, queueMs, inferenceMs }: Timing): void {
    const spent = { '': totalMs, tokenization_: tokenizeMs, queue_: queueMs, inference_: inferenceMs };
    for (const part of parts) {
      for (const subject of ['request', task]) this.#observe(`te_${subject}_${part}duration`, spent[part] / 1000);
    }
  }

  #add(name: string, labels: string, amount: number): void {
    const series = this.#counters.get(name) ?? new Map<string, number>();
    series.set(labels, (series.get(labels) ?? 0) + amount);
    this.#counters.set(name, series);
  }

  #observe(name: string, value: number): void {
    this.#histograms.get(name)?.observe(value);
  }
}

/** What is known of a request before it is answered. */
interface Size {
  model: string;
  inputs: number;
}

function sizeOf({ model }: { model: string | null }, { length }: readonly unknown[]): Size {
  return { model: model ?? '', inputs: length };
}

class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    this.#sum += value;
    this.#count += 1;
    this.#bounds.forEach((bound, at) => {
      if (value <= bound) this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    });
  }

  lines(name: string): string[] {
    const buckets = this.#bounds.map((bound, at) => `${name}_bucket{le="${bound}"} ${this.#counts[at]}`);
    const total = `${name}_bucket{le="+Inf"} ${this.#count}`;
    return [`# TYPE ${name} histogram`, ...buckets, total, `${name}_sum ${this.#sum}`, `${name}_count ${this.#count}`];
  }
}

function escapeLabel(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}
