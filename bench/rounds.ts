/**
 * Runs the systems: first each one is checked against the reference vectors (which also fills the browser's cache),
 * then they take turns, so that a drift of the machine hits all of them alike: for the start and the corpus one after the
 * other in fresh pages, for single texts in short turns of a few calls with all pages open.
 */
import type { Page } from '@playwright/test';
import { wordsOf } from '../src/errors.js';
import type { BenchBrowser, ProcessMemory } from './browser.js';
import type { Goldens, KnownItem } from './corpus.js';
import type { PackedVectors } from './page/subject.js';
import {
  type CosineSummary,
  compareRows,
  type Matrix,
  type RetrievalScore,
  scoreRetrieval,
  toMatrix,
} from './statistics.js';
import type { NamedForm, System } from './systems.js';

/** Texts of a run; every system gets the same ones. */
export interface Workload {
  bulk: readonly string[];
  /** Short queries, one call each. */
  queries: readonly string[];
  /** Texts of exactly 128 tokens, one call each. */
  texts128: readonly string[];
  goldens: Goldens | null;
  /** Null leaves retrieval out. */
  knownItem: KnownItem | null;
}

/** What a system did with one form. */
export interface FormResult {
  form: NamedForm;
  /** Milliseconds of each pass over the whole corpus. */
  bulkMs: number[];
  /** To the reference vectors; null without them. */
  goldens: CosineSummary | null;
  /** Vectors of the corpus, to compare systems with each other. */
  vectors: Matrix | null;
  retrieval: RetrievalScore | null;
}

export interface SystemResult {
  system: System;
  description: string;
  forms: FormResult[];
  queryMs: number[];
  text128Ms: number[];
  readyMs: number[];
  /** Peak resident memory of the page's process above an empty page, a turn each; empty where it cannot be read. */
  peakBytes: number[];
  /** Bytes that the server sent while the system started again: 0 when the browser's cache served everything. */
  restartBytes: number[];
  /** Share of a bulk job that went into tokenizing, by the system's own clock; null when it reports none. */
  tokenizingShare: number | null;
  /** Why the system has no results, or not all of them. */
  failure: string | null;
}

export interface RunContext {
  browser: BenchBrowser;
  bytesSent(): number;
  workload: Workload;
  rounds: number;
  log(line: string): void;
}

/** No single step takes longer than this; a step that does counts as a failure of its system. */
const stepTimeoutMs = 5 * 60_000;
const warmUpTexts = 48;
const warmUpQueries = 16;
const warmUpTexts128 = 4;
/** Calls of single texts in a turn. A machine that others share changes its speed within seconds. */
const callsPerTurn = 8;
/** Calls that begin a turn uncounted, after the others had theirs. */
const callsBefore = 2;

/** Checks and measures all systems. A system that fails keeps its reason and the others go on. */
export async function runRounds(systems: readonly System[], context: RunContext): Promise<SystemResult[]> {
  const results = systems.map(createResult);
  for (const result of results) {
    await guard(result, context, () => check(result, context));
  }
  for (let round = 1; round <= context.rounds; round++) {
    for (const result of results) {
      if (result.failure !== null) continue;
      context.log(`round ${round} of ${context.rounds}: ${result.system.key}`);
      await guard(result, context, () => measure(result, context));
    }
    await measureSingles(results, context, round);
  }
  return results;
}

function createResult(system: System): SystemResult {
  return {
    system,
    description: '',
    forms: system.forms.map((form) => ({ form, bulkMs: [], goldens: null, vectors: null, retrieval: null })),
    queryMs: [],
    text128Ms: [],
    readyMs: [],
    peakBytes: [],
    restartBytes: [],
    tokenizingShare: null,
    failure: null,
  };
}

async function guard(result: SystemResult, context: RunContext, step: () => Promise<void>): Promise<void> {
  try {
    await step();
  } catch (error) {
    result.failure = describeFailure(error);
    context.log(`${result.system.key} failed`);
  }
}

/** Errors of the page come with Playwright's prefix and a stack of minified code; the first line says it all. */
function describeFailure(error: unknown): string {
  const message = wordsOf(error);
  return message.replace(/^page\.evaluate: /, '').split('\n', 1)[0] ?? '';
}

/** Embeds the references once with every form; throws when the vectors are not this model's. */
async function check(result: SystemResult, context: RunContext): Promise<void> {
  const { workload } = context;
  context.log(`check: ${result.system.key}`);
  await withPage(context, async (page) => {
    await start(page, result.system);
    result.description = await inTime(page.evaluate(() => window.bench.describe()));
    requireServedBy(result);
    for (const entry of result.forms) {
      entry.goldens = await checkGoldens(page, entry.form, result.system, workload.goldens);
      if (workload.knownItem !== null) entry.retrieval = await score(page, entry.form, workload.knownItem);
    }
  });
}

/** A fallback must not pass for the system that was asked for. */
function requireServedBy({ system, description }: SystemResult): void {
  if (system.servedBy === null || description.startsWith(system.servedBy)) return;
  throw new Error(`It was to be served by ${system.servedBy} and is served by: ${description}`);
}

async function checkGoldens(
  page: Page,
  form: NamedForm,
  system: System,
  goldens: Goldens | null,
): Promise<CosineSummary | null> {
  if (goldens === null) return null;
  const cosines = compareRows(await embed(page, goldens.texts, form), toMatrix(goldens.embeddings));
  if (cosines.min >= system.minCosine) return cosines;
  throw new Error(
    `Its vectors are wrong: the smallest cosine to the references is ${cosines.min.toFixed(4)} (${form.name}), ` +
      `at least ${system.minCosine} is expected of ${system.config}.`,
  );
}

async function score(page: Page, form: NamedForm, { documents, queries }: KnownItem): Promise<RetrievalScore> {
  const queryTexts = queries.map(({ query }) => query);
  const relevant = queries.map(({ document }) => document);
  return scoreRetrieval(await embed(page, documents, form), await embed(page, queryTexts, form), relevant);
}

/** One turn in a fresh page: the start with a warm cache, then the corpus in every form, after a warm-up. */
async function measure(result: SystemResult, context: RunContext): Promise<void> {
  const { workload } = context;
  const { system } = result;
  await withPage(context, async (page) => {
    const before = await context.browser.rendererMemory();
    const sentBefore = context.bytesSent();
    result.readyMs.push(await start(page, system));
    result.restartBytes.push(context.bytesSent() - sentBefore);
    if (system.tasks.includes('bulk')) await measureBulk(page, result, workload);
    const peak = findPeak(before, await context.browser.rendererMemory());
    if (peak !== null) result.peakBytes.push(peak);
    if (system.tasks.includes('bulk')) result.tokenizingShare = await profile(page, workload.bulk);
  });
}

interface Opened {
  result: SystemResult;
  page: Page;
}

interface Singles {
  texts: readonly string[];
  warmUp: number;
  /** Where the samples of a system go. */
  samples(result: SystemResult): number[];
}

/** Single texts, with the pages of all systems open: after a few calls of one the next has its turn. */
async function measureSingles(results: readonly SystemResult[], context: RunContext, round: number): Promise<void> {
  const { queries, texts128 } = context.workload;
  const all: Record<'query' | 'text128', Singles> = {
    query: { texts: queries, warmUp: warmUpQueries, samples: ({ queryMs }) => queryMs },
    text128: { texts: texts128, warmUp: warmUpTexts128, samples: ({ text128Ms }) => text128Ms },
  };
  for (const task of ['query', 'text128'] as const) {
    context.log(`round ${round} of ${context.rounds}: single texts (${task})`);
    const opened: Opened[] = [];
    try {
      for (const result of results) {
        if (result.failure === null && result.system.tasks.includes(task)) await openInto(opened, result, context);
      }
      await takeTurns(opened, all[task], context);
    } finally {
      for (const { page } of opened) await page.close().catch(() => undefined);
    }
  }
}

async function openInto(opened: Opened[], result: SystemResult, context: RunContext): Promise<void> {
  await guard(result, context, async () => {
    const page = await context.browser.open();
    opened.push({ result, page });
    await start(page, result.system);
  });
}

async function takeTurns(opened: readonly Opened[], singles: Singles, context: RunContext): Promise<void> {
  const { texts, warmUp, samples } = singles;
  const turn = async ({ result, page }: Opened, uncounted: readonly string[], counted: readonly string[]) => {
    if (result.failure !== null) return;
    await guard(result, context, async () => {
      const [form] = result.system.forms;
      await time(page, toCalls(uncounted), form);
      samples(result).push(...(await time(page, toCalls(counted), form)));
    });
  };
  for (const each of opened) await turn(each, texts.slice(0, warmUp), []);
  for (let at = 0; at < texts.length; at += callsPerTurn) {
    const counted = texts.slice(at, at + callsPerTurn);
    for (const each of opened) await turn(each, counted.slice(0, callsBefore), counted);
  }
}

async function measureBulk(page: Page, result: SystemResult, workload: Workload): Promise<void> {
  for (const entry of result.forms) {
    await time(page, [workload.bulk.slice(0, warmUpTexts)], entry.form);
    entry.bulkMs.push(...(await time(page, [workload.bulk], entry.form)));
    entry.vectors ??= unpack(await inTime(page.evaluate(() => window.bench.takeTimed())));
  }
}

/** Peak of the renderer that worked most since `before`, above what it held then. */
function findPeak(before: Map<number, ProcessMemory>, after: Map<number, ProcessMemory>): number | null {
  let busiest: { worked: number; peak: number } | null = null;
  for (const [id, memory] of after) {
    const start = before.get(id);
    const worked = memory.cpuSeconds - (start?.cpuSeconds ?? 0);
    if (busiest !== null && worked <= busiest.worked) continue;
    busiest = { worked, peak: memory.peakBytes - (start?.residentBytes ?? 0) };
  }
  return busiest?.peak ?? null;
}

async function withPage(context: RunContext, task: (page: Page) => Promise<void>): Promise<void> {
  const page = await context.browser.open();
  try {
    await task(page);
    await inTime(page.evaluate(() => window.bench.stop()));
  } finally {
    // A page of a crashed browser is closed already; its failure is the one that counts.
    await page.close().catch(() => undefined);
  }
}

function start(page: Page, system: System): Promise<number> {
  return inTime(page.evaluate((setup) => window.bench.start(setup, 'A first short text.'), system.setup));
}

async function profile(page: Page, texts: readonly string[]): Promise<number | null> {
  const job = await inTime(page.evaluate((texts) => window.bench.profile(texts), [...texts]));
  return job === null ? null : job.tokenizeMs / job.totalMs;
}

async function embed(page: Page, texts: readonly string[], form: NamedForm): Promise<Matrix> {
  const argument = { texts: [...texts], form };
  return unpack(await inTime(page.evaluate(({ texts, form }) => window.bench.embed(texts, form), argument)));
}

function unpack({ base64, dimensions }: PackedVectors): Matrix {
  const bytes = Uint8Array.from(Buffer.from(base64, 'base64'));
  return { values: new Float32Array(bytes.buffer), dimensions };
}

function time(page: Page, calls: (readonly string[])[], form: NamedForm): Promise<number[]> {
  const argument = { calls: calls.map((call) => [...call]), form };
  return inTime(page.evaluate(({ calls, form }) => window.bench.time(calls, form), argument));
}

function toCalls(texts: readonly string[]): string[][] {
  return texts.map((text) => [text]);
}

/** Ends a wait that would never end: a worker that hangs answers nothing. */
async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`No answer within ${stepTimeoutMs / 60_000} minutes.`)), stepTimeoutMs);
  });
  try {
    return await Promise.race([answer, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
