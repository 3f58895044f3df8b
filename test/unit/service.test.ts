/** The answering side of one leadership: what is tried again, and in which order, when its engine dies. */
import { describe, expect, it, vi } from 'vitest';
import { VecinityError } from '../../src/errors.js';
import type { ToFollower } from '../../src/sharing/messages.js';
import { Service } from '../../src/sharing/service.js';
import { type EngineCall, type EngineLine, NoScript } from '../../src/wire/engine-line.js';
import { macrotask } from './virtual-runner.js';

const epoch = '1';
const load = (model: string): EngineCall => ({ operation: 'load', argument: { model } });
const embed = (input: string): EngineCall => ({ operation: 'embeddings', argument: input });

/** A model has one id, by whichever name it was asked for. */
const answerOf = (call: EngineCall) =>
  call.operation === 'load'
    ? { id: call.argument.model.replace('owner/', ''), spec: { repository: 'repository/model' } }
    : call;

interface Run {
  call: EngineCall;
  signal: AbortSignal | undefined;
  resolve(value: unknown): void;
  reject(error: VecinityError): void;
}

/** A leadership with one tab, whose engine is in the test's hand. */
function setUp() {
  /** What the engine works on. */
  const running: Run[] = [];
  const heard: ToFollower[] = [];
  const engine = {
    run: (call: EngineCall, { signal }: { signal?: AbortSignal } = {}) =>
      new Promise((resolve, reject) => {
        running.push({ call, signal, resolve, reject });
      }),
    connect: async () => {},
    dispose: () => {},
    // The results are the test's own.
  } as unknown as EngineLine;
  const later: (() => void)[] = [];
  const after = (_: number, work: () => void) => {
    later.push(work);
    return () => {};
  };
  const service = new Service({ epoch, engine, around: { elapsed: () => 0, after } });
  for (const tab of ['tab', 'other'])
    service.join(tab, { visible: true, isOwn: false, send: (message) => heard.push(message) });
  let lastId = 0;
  const fail = async (error: VecinityError) => {
    for (const { reject } of running.splice(0)) reject(error);
    await macrotask();
  };
  return {
    ask(call: EngineCall, deaths = 0, tab = 'tab'): void {
      lastId += 1;
      service.receive(tab, { type: 'request', epoch, id: lastId, call, deaths, watched: false, abortable: false });
    },
    askAgain: (call: EngineCall) =>
      service.receive('tab', {
        ...{ type: 'request', epoch, id: lastId, call, deaths: 0, watched: false, abortable: false },
      }),
    cancel: (id: number) => service.receive('tab', { type: 'cancel', epoch, id }),
    leave: () => service.leave('tab'),
    /** What waits for its time is done. */
    passTime: () => {
      for (const work of later.splice(0)) work();
    },
    calls: () => running.map(({ call }) => call),
    signals: () => running.map(({ signal }) => signal),
    async finish(): Promise<void> {
      for (const { resolve, call } of running.splice(0)) resolve(answerOf(call));
      await macrotask();
    },
    fail,
    die: () => fail(new VecinityError('worker_died', 'The engine worker died: a defect.')),
    ends: () => heard.filter(({ type }) => type === 'result' || type === 'error'),
    accepted: () => heard.filter(({ type }) => type === 'accepted').length,
    deaths: () => heard.filter(({ type }) => type === 'died').length,
  };
}

it('lets a tab go before the rush of a page that asks through it', async () => {
  const { ask, calls, finish } = setUp();
  const headers: [string, string][] = [['vecinity-client', 'page without the package']];
  const argument = { method: 'POST', url: '/v1/embeddings', headers, body: null };
  for (let at = 0; at < 100; at += 1) ask({ operation: 'exchange', argument });
  ask(embed('query'));
  expect(calls()).not.toContainEqual(embed('query'));
  await finish();
  expect(calls()).toContainEqual(embed('query'));
});

it('works once on a request that a tab sends twice', async () => {
  const { ask, askAgain, calls, finish, ends } = setUp();
  ask(embed('text'));
  askAgain(embed('text'));
  expect(calls()).toEqual([embed('text')]);
  await finish();
  expect(ends()).toHaveLength(1);
});

it('accepts a request of a rush only when the engine gets it, and never gives it what was called off by then', async () => {
  const { ask, cancel, calls, accepted, finish } = setUp();
  for (let id = 1; id <= 40; id += 1) ask(embed(`text ${id}`));
  // The last is the question whether the others were read.
  expect([calls().length, calls().at(-1), accepted()]).toEqual([33, { operation: 'status', argument: null }, 32]);
  for (const id of [33, 39]) cancel(id);
  await finish();
  expect([calls().map(({ argument }) => argument), accepted()]).toEqual([
    [34, 35, 36, 37, 38, 40].map((id) => `text ${id}`),
    38,
  ]);
});

it('calls off what a tab that is gone has asked for', () => {
  const { ask, signals, leave } = setUp();
  ask(embed('text'));
  leave();
  expect(signals().map((signal) => signal?.aborted)).toEqual([true]);
});

it('loads a model again whose engine died of something else, and the asking tab hears of its model only', async () => {
  const { ask, calls, die, finish, ends, deaths } = setUp();
  ask(load('model'));
  await die();
  expect(calls()).toEqual([load('model')]);
  await finish();
  expect(ends()).toEqual([{ type: 'result', epoch, id: 1, value: answerOf(load('model')) }]);
  expect(deaths()).toBe(1);
});

it('gives a model up that two engines died of, and says so and how the last one died', async () => {
  const { ask, calls, die, ends } = setUp();
  ask(load('model'));
  await die();
  await die();
  expect(calls()).toEqual([]);
  expect(ends()).toEqual([
    expect.objectContaining({
      error: expect.objectContaining({
        code: 'engine_crashed',
        message: expect.stringMatching(/died 2 times.*The engine worker died: a defect/),
      }),
    }),
  ]);
});

it('counts the engine of an earlier leader that died while it loaded the model', async () => {
  const { ask, die, ends } = setUp();
  ask(load('model'), 1);
  await macrotask();
  await die();
  expect(ends()).toMatchObject([{ type: 'error', error: { code: 'engine_crashed' } }]);
});

it('passes the reason on why a model cannot be loaded, without another try', async () => {
  const { ask, calls, fail, ends } = setUp();
  ask(load('model'));
  await fail(new VecinityError('model_not_found', 'There is no such model.'));
  expect(calls()).toEqual([]);
  expect(ends()).toMatchObject([{ error: { code: 'model_not_found', message: 'There is no such model.' } }]);
});

it('tries models again before the requests that need them, one after the other', async () => {
  const { ask, calls, die, finish, ends } = setUp();
  ask(embed('first'));
  ask(embed('second'));
  ask(load('model'));
  ask(load('other'));
  await die();
  expect(calls()).toEqual([load('model')]);
  await finish();
  expect(calls()).toEqual([load('other')]);
  await finish();
  expect(calls()).toEqual([embed('first')]);
  await finish();
  expect(calls()).toEqual([embed('second')]);
  await finish();
  expect(ends().map((end) => [end.type, 'id' in end && end.id])).toEqual([
    ['result', 3],
    ['result', 4],
    ['result', 1],
    ['result', 2],
  ]);
});

it('does not try again what was called off while it waited its turn', async () => {
  const { ask, calls, cancel, die, finish } = setUp();
  for (const text of ['first', 'second', 'third']) ask(embed(text));
  await die();
  expect(calls()).toEqual([embed('first')]);
  cancel(2);
  await finish();
  expect(calls()).toEqual([embed('third')]);
});

it('goes on with requests when a model turns out to be what the engines die of', async () => {
  const { ask, calls, die, finish } = setUp();
  ask(load('deadly'));
  ask(embed('text'));
  await die();
  await die();
  expect(calls()).toEqual([embed('text')]);
  await finish();
  expect(calls()).toEqual([]);
});

it('blames no request for a worker whose script never came', async () => {
  const { ask, fail, ends } = setUp();
  ask(load('first'));
  const cause = new NoScript();
  const error = new VecinityError('worker_died', 'The engine worker died: its script could not be loaded.', { cause });
  await fail(error);
  await fail(error);
  expect(ends()).toMatchObject([{ type: 'error', error: { code: 'worker_died', message: error.message } }]);
});

describe('a model that another tab lets go of', () => {
  const unload: EngineCall = { operation: 'unload', argument: 'model' };
  const downloadFailed = new VecinityError('download_failed', 'The network failed.');

  /** Two tabs with the model's load: the first one's number 1, the other's 2. */
  function setUpLoads() {
    const around = setUp();
    around.ask(load('model'));
    around.ask(load('model'), 0, 'other');
    /** Whether the engine is told to unload it when the other tab lets it go. */
    const goes = () => {
      around.ask(unload, 0, 'other');
      return around.calls().some(({ operation }) => operation === 'unload');
    };
    return { ...around, goes };
  }

  it('stays while a tab has it, or loads it', async () => {
    const { finish, goes } = setUpLoads();
    expect(goes()).toBe(false);
    await finish();
    expect(goes()).toBe(false);
  });

  it('goes when the load of the first one was aborted, before it was there or when the word came too late', async () => {
    for (const isLate of [false, true]) {
      const { cancel, finish, goes, calls } = setUpLoads();
      if (isLate) await finish();
      cancel(1);
      // The other one has it, or is about to.
      expect(calls().filter(({ operation }) => operation === 'unload')).toEqual([]);
      await finish();
      expect(goes()).toBe(true);
    }
  });

  it('goes when the first one could not load it', async () => {
    const { ask, fail, finish, goes } = setUpLoads();
    await fail(downloadFailed);
    ask(load('model'), 0, 'other');
    await finish();
    expect(goes()).toBe(true);
  });

  it('stays when the first one has called off only one of its loads', async () => {
    const { ask, cancel, finish, goes } = setUpLoads();
    ask(load('model'));
    await finish();
    cancel(3);
    expect(goes()).toBe(false);
  });

  it('goes a while after its last tab was closed, if none has come that wants it', async () => {
    for (const comesBack of [false, true]) {
      const { ask, finish, leave, passTime, calls } = setUp();
      ask(load('model'));
      ask(load('model'));
      await finish();
      leave();
      expect(calls()).toEqual([]);
      if (comesBack) ask(load('model'), 0, 'other');
      await finish();
      passTime();
      expect(calls()[0]).toEqual(comesBack ? undefined : unload);
    }
  });

  it('stays when the other one loaded it under another of its names', async () => {
    const { ask, finish, leave, passTime, calls } = setUp();
    ask(load('model'));
    ask(load('owner/model'), 0, 'other');
    await finish();
    leave();
    passTime();
    expect(calls()).toEqual([]);
    ask({ operation: 'unload', argument: 'model' }, 0, 'other');
    expect(calls()).toHaveLength(1);
  });

  it('stays for the other one also where the first lets it go by a name that nobody has loaded it by', async () => {
    const { ask, finish, calls } = setUpLoads();
    await finish();
    ask({ operation: 'unload', argument: 'repository/model' });
    expect(calls()).toEqual([]);
    ask(unload, 0, 'other');
    expect(calls()).toEqual([unload]);
  });

  it('goes with the last tab that has it, however often each has loaded it', async () => {
    const { ask, finish, goes } = setUpLoads();
    ask(load('model'));
    await finish();
    ask(unload);
    expect(goes()).toBe(true);
  });
});

it('keeps to itself that a model cannot go whose load was called off when it was there', async () => {
  const unhandled = vi.fn();
  process.on('unhandledRejection', unhandled);
  const { ask, cancel, calls, finish, die, ends } = setUp();
  ask(load('model'));
  await finish();
  cancel(1);
  expect(calls()).toEqual([{ operation: 'unload', argument: 'model' }]);
  await die();
  process.off('unhandledRejection', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
  expect(ends()).toHaveLength(1);
});

describe('a model that a tab lets go of and loads again at once', () => {
  const unload: EngineCall = { operation: 'unload', argument: 'model' };

  it('is there when the engine dies meanwhile: what is tried again does not let go of it after the load', async () => {
    const { ask, calls, die, finish } = setUp();
    ask(load('model'));
    await finish();
    ask(unload);
    ask(load('model'));
    await die();
    expect(calls()).toEqual([load('model')]);
    await finish();
    expect(calls()).toEqual([]);
  });

  it('counts as wanted when both had to wait for their turn', async () => {
    const { ask, calls, finish } = setUp();
    ask(load('model'));
    await finish();
    for (let id = 2; id <= 33; id += 1) ask(embed(`text ${id}`));
    ask(unload);
    ask(load('model'));
    await finish();
    expect(calls()).toEqual([unload, load('model')]);
    await finish();
    ask(load('model'), 0, 'other');
    await finish();
    ask(unload, 0, 'other');
    expect(calls()).toEqual([]);
  });
});

it('unloads a model whose load was called off when it was there already, if no tab wants it', async () => {
  const { ask, cancel, calls, fail, finish, ends } = setUp();
  ask(load('model'));
  await finish();
  cancel(1);
  expect(calls()).toEqual([{ operation: 'unload', argument: 'model' }]);
  await fail(new VecinityError('model_not_loaded', 'It is gone.'));
  ask(load('model'));
  await finish();
  expect(ends()).toHaveLength(2);
});

it('leaves a load that is called off to the engine, where others may wait for it that are no tabs', async () => {
  const { ask, cancel, calls, signals } = setUp();
  ask(load('model'));
  cancel(1);
  expect([calls(), signals().map((signal) => signal?.aborted)]).toEqual([[load('model')], [true]]);
});
