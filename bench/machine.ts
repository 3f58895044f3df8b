/** Describes where a run took place, so that its numbers can be read later. */
import { availableParallelism, cpus, totalmem } from 'node:os';
import { browserArgs } from './browser.js';

export interface Machine {
  cpu: string;
  cores: number;
  memoryGigabytes: number;
  platform: string;
  browser: string;
  /** Flags beyond those that Playwright starts every Chromium with. */
  flags: string[];
  crossOriginIsolated: boolean;
  node: string;
  date: string;
}

export function describeMachine(browser: { version: string; isolated: boolean }): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGigabytes: Math.round(totalmem() / 1e9),
    platform: `${process.platform} ${process.arch}`,
    browser: `Chromium ${browser.version}`,
    flags: [...browserArgs],
    crossOriginIsolated: browser.isolated,
    node: process.version,
    date: new Date().toISOString(),
  };
}

export function formatMachine(machine: Machine): string {
  const { cpu, cores, browser, flags, crossOriginIsolated, date } = machine;
  const isolation = crossOriginIsolated ? 'cross-origin isolated' : 'NOT cross-origin isolated';
  return `${cpu}, ${cores} core(s), ${browser} ${flags.join(' ')}, ${isolation}, ${date}`;
}
