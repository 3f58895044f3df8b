/** A browser with a profile on disk, as a user has one; all other tests run in windows that are private. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type BrowserContext, chromium, type LaunchOptions } from '@playwright/test';

/** Lets frames of other sites have storage, which is apart for every site that they are framed by. */
export const framesHaveStorage = { profile: { cookie_controls_mode: 0 } };

export class Profile {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** A new one, with these of the browser's preferences. */
  static async create(preferences: object = {}): Promise<Profile> {
    const folder = await mkdtemp(path.join(tmpdir(), 'vecinity-profile-'));
    await mkdir(path.join(folder, 'Default'));
    await writeFile(path.join(folder, 'Default/Preferences'), JSON.stringify(preferences));
    return new Profile(folder);
  }

  /** Starts the browser; close what comes back before the next start. */
  async open(options: LaunchOptions, baseURL: string | undefined): Promise<BrowserContext> {
    // Playwright switches off that frames of other sites have storage apart; of two lists the last one counts.
    const args = [...(options.args ?? []), '--disable-features=Translate'];
    return await chromium.launchPersistentContext(this.#folder, { ...options, args, ...(baseURL ? { baseURL } : {}) });
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
