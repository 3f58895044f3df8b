/** Turns results into rows, rows into tables and ratios. Pure: prints nothing, reads no clock. */
import type { SystemResult } from './rounds.js';
import { type CosineSummary, compareRows, type Matrix, median, percentile } from './statistics.js';
import type { Task } from './systems.js';

/** One line of the results: one system, one way of calling it, one kind of texts. */
export interface Row {
  system: string;
  config: string;
  corpus: string;
  /** Of the fastest call, for all systems alike; the median is beside it. */
  textsPerSecond: number;
  medianTextsPerSecond: number;
  /** Of the time of one call: the whole corpus, or one text. */
  p50Ms: number;
  p95Ms: number;
  /** To the reference vectors, embedded in the same form; null without references. */
  cosineMean: number | null;
  cosineMin: number | null;
  /** To the fp32 vectors of transformers.js on the corpus itself; null where that system did not run. */
  corpusCosineMean: number | null;
  corpusCosineMin: number | null;
  /** From a fresh worker to the first vector, weights in the browser's cache; median of the rounds. */
  readyMs: number | null;
  /** Largest of the rounds, above an empty page; null where it cannot be read. */
  peakMegabytes: number | null;
  /** Share of a bulk job that is tokenizing; null where the system does not say. */
  tokenizingShare: number | null;
  mrrAt10: number | null;
  recallAt10: number | null;
  key: string;
  task: Task;
  /** Calls that were timed. */
  calls: number;
}

export const queryTokens = 8;
export const longTokens = 128;

/** The results as rows: those of the corpus first, then single queries, then single long texts. */
export function toRows(results: readonly SystemResult[], corpus: { name: string; count: number }): Row[] {
  const reference = results.find(({ system }) => system.key.startsWith('transformers-fp32'))?.forms[0]?.vectors ?? null;
  const bulk = results.flatMap((result) =>
    result.forms.flatMap((entry) => {
      if (entry.bulkMs.length === 0) return [];
      const speed = describeCalls(entry.bulkMs, corpus.count);
      return [{ ...describe(result, entry, reference), ...speed, corpus: corpus.name, task: 'bulk' as const }];
    }),
  );
  const single = (task: 'query' | 'text128', name: string) =>
    results.flatMap((result) => {
      const samples = task === 'query' ? result.queryMs : result.text128Ms;
      const [entry] = result.forms;
      if (samples.length === 0 || entry === undefined) return [];
      return [{ ...describe(result, entry, reference), ...describeCalls(samples, 1), corpus: name, task }];
    });
  return [
    ...bulk,
    ...single('query', `single query of ${queryTokens} tokens`),
    ...single('text128', `single text of ${longTokens} tokens`),
  ];
}

function describe(result: SystemResult, entry: SystemResult['forms'][number], reference: Matrix | null) {
  const toReference = entry.vectors === null || reference === null ? null : compareRows(entry.vectors, reference);
  return {
    system: result.system.name,
    config: `${result.system.config}, ${entry.form.name}`,
    key: result.system.key,
    ...named(entry.goldens, toReference),
    readyMs: result.readyMs.length === 0 ? null : median(result.readyMs),
    peakMegabytes: result.peakBytes.length === 0 ? null : Math.max(...result.peakBytes) / 1e6,
    tokenizingShare: result.tokenizingShare,
    mrrAt10: entry.retrieval?.mrrAt10 ?? null,
    recallAt10: entry.retrieval?.recallAt10 ?? null,
  };
}

function named(goldens: CosineSummary | null, corpus: CosineSummary | null) {
  return {
    cosineMean: goldens?.mean ?? null,
    cosineMin: goldens?.min ?? null,
    corpusCosineMean: corpus?.mean ?? null,
    corpusCosineMin: corpus?.min ?? null,
  };
}

function describeCalls(samples: readonly number[], textsPerCall: number) {
  return {
    textsPerSecond: (textsPerCall * 1000) / Math.min(...samples),
    medianTextsPerSecond: (textsPerCall * 1000) / median(samples),
    p50Ms: median(samples),
    p95Ms: percentile(samples, 0.95),
    calls: samples.length,
  };
}

/** One ratio of the headline: ours against a peer's, larger is better for us. */
export interface Ratio {
  what: string;
  ratio: number;
  ours: string;
  theirs: string;
}

/** The ratios that matter, each from rows of this one run; a ratio whose rows are missing is left out. */
export function toRatios(rows: readonly Row[]): Ratio[] {
  const ours = (key: string, task: Task) => rows.find((row) => row.key === key && row.task === task) ?? null;
  const peers = (task: Task, keep: (row: Row) => boolean = () => true) =>
    rows.filter((row) => row.system === 'transformers.js' && row.task === task && keep(row));
  const isFp32 = (row: Row) => row.key.includes('fp32');
  const isQ8 = (row: Row) => row.key.includes('q8');
  const isUsual = (row: Row) => isFp32(row) && row.config.endsWith('as given');
  const bulk = ours('vecinity-default', 'bulk');
  const query = ours('vecinity-default', 'query');
  const long = ours('vecinity-default-1t', 'text128');
  return [
    compareSpeed('bulk: default against its best of all', bulk, peers('bulk')),
    compareSpeed('bulk: default against its best fp32', bulk, peers('bulk', isFp32)),
    compareSpeed('bulk: default against its usual form', bulk, peers('bulk', isUsual)),
    compareSpeed('bulk: f32 against its best fp32', ours('vecinity-f32', 'bulk'), peers('bulk', isFp32)),
    compareTime('query: median, default against its best', query, peers('query'), 'p50Ms'),
    compareTime('query: 95th percentile, default against its best', query, peers('query'), 'p95Ms'),
    compareTime('128 tokens, 1 thread: default against its q8', long, peers('text128', isQ8), 'p50Ms'),
    compareTime('128 tokens, 1 thread: default against its fp32', long, peers('text128', isFp32), 'p50Ms'),
    compareTime('ready: default against its quickest', bulk, peers('bulk'), 'readyMs'),
  ].filter((ratio) => ratio !== null);
}

function compareSpeed(what: string, ours: Row | null, peers: readonly Row[]): Ratio | null {
  const [peer] = [...peers].sort((a, b) => b.textsPerSecond - a.textsPerSecond);
  if (ours === null || peer === undefined) return null;
  return {
    what,
    ratio: ours.textsPerSecond / peer.textsPerSecond,
    ours: `${ours.textsPerSecond.toFixed(1)} texts/s`,
    theirs: `${peer.textsPerSecond.toFixed(1)} texts/s (${peer.config})`,
  };
}

function compareTime(
  what: string,
  ours: Row | null,
  peers: readonly Row[],
  field: 'p50Ms' | 'p95Ms' | 'readyMs',
): Ratio | null {
  const [peer] = [...peers].sort((a, b) => (a[field] ?? Infinity) - (b[field] ?? Infinity));
  const our = ours?.[field] ?? null;
  const their = peer?.[field] ?? null;
  if (our === null || their === null) return null;
  return { what, ratio: their / our, ours: `${our.toFixed(1)} ms`, theirs: `${their.toFixed(1)} ms (${peer?.config})` };
}

/** All tables of a run as text. */
export function formatReport(rows: readonly Row[], results: readonly SystemResult[]): string {
  const sections = [...new Set(rows.map(({ corpus }) => corpus))].map((corpus) => {
    const matching = rows.filter((row) => row.corpus === corpus);
    return `${corpus}\n${matching[0]?.task === 'bulk' ? formatBulk(matching) : formatSingle(matching)}`;
  });
  sections.push(`start and memory\n${formatStart(results)}`);
  sections.push(`what served\n${formatServed(results)}`);
  const ratios = toRatios(rows);
  if (ratios.length > 0) sections.push(`ratios (above 1 is faster than transformers.js)\n${formatRatios(ratios)}`);
  const failures = results.filter(({ failure }) => failure !== null);
  if (failures.length > 0) {
    sections.push(`failed\n${failures.map(({ system, failure }) => `  ${system.key}: ${failure}`).join('\n')}`);
  }
  return sections.join('\n\n');
}

function formatBulk(rows: readonly Row[]): string {
  const withQuality = rows.some(({ mrrAt10 }) => mrrAt10 !== null);
  const quality = withQuality ? ['MRR@10', 'recall@10'] : [];
  const header = ['system', 'config', 'texts/s best', 'median', 'cosine mean', 'min', 'on corpus', 'min', ...quality];
  const body = rows.map((row) => [
    row.system,
    row.config,
    row.textsPerSecond.toFixed(1),
    row.medianTextsPerSecond.toFixed(1),
    ...[row.cosineMean, row.cosineMin, row.corpusCosineMean, row.corpusCosineMin].map((cosine) => fixed(cosine, 5)),
    ...(withQuality ? [fixed(row.mrrAt10, 4), fixed(row.recallAt10, 4)] : []),
  ]);
  return formatTable([header, ...body]);
}

function formatSingle(rows: readonly Row[]): string {
  const header = ['system', 'config', 'p50 ms', 'p95 ms', 'best ms', 'calls', 'cosine mean', 'min'];
  const body = rows.map((row) => [
    row.system,
    row.config,
    row.p50Ms.toFixed(1),
    row.p95Ms.toFixed(1),
    (1000 / row.textsPerSecond).toFixed(1),
    String(row.calls),
    fixed(row.cosineMean, 5),
    fixed(row.cosineMin, 5),
  ]);
  return formatTable([header, ...body]);
}

function formatStart(results: readonly SystemResult[]): string {
  const header = ['system', 'config', 'ready ms median', 'best', 'network MB', 'peak memory MB', 'tokenizing'];
  const body = results
    .filter(({ readyMs }) => readyMs.length > 0)
    .map(({ system, readyMs, restartBytes, peakBytes, tokenizingShare }) => [
      system.name,
      system.config,
      median(readyMs).toFixed(0),
      Math.min(...readyMs).toFixed(0),
      (Math.max(...restartBytes) / 1e6).toFixed(1),
      peakBytes.length === 0 ? '–' : (Math.max(...peakBytes) / 1e6).toFixed(0),
      tokenizingShare === null ? '–' : `${(tokenizingShare * 100).toFixed(1)} %`,
    ]);
  return formatTable([header, ...body]);
}

function formatServed(results: readonly SystemResult[]): string {
  const loaded = results.filter(({ description }) => description !== '');
  return formatTable(loaded.map(({ system, description }) => [system.key, description]));
}

function formatRatios(ratios: readonly Ratio[]): string {
  return formatTable(ratios.map(({ what, ratio, ours, theirs }) => [what, `${ratio.toFixed(2)} x`, ours, theirs]));
}

/** Columns padded to their widest cell; a column whose cells below the first line are all numbers is right-aligned. */
export function formatTable(lines: readonly (readonly string[])[]): string {
  const count = Math.max(0, ...lines.map((line) => line.length));
  const columns = Array.from({ length: count }, (_, column) => {
    const cells = lines.map((line) => line[column] ?? '');
    const isNumeric = cells.slice(1).every((cell) => /^(–|\d[\d.]*( [x%])?)$/.test(cell));
    const width = Math.max(...cells.map((cell) => cell.length));
    return cells.map((cell) => (isNumeric ? cell.padStart(width) : cell.padEnd(width)));
  });
  return lines.map((_, row) => `  ${columns.map((cells) => cells[row]).join('  ')}`.trimEnd()).join('\n');
}

function fixed(value: number | null, digits: number): string {
  return value === null ? '–' : value.toFixed(digits);
}
