/** One visit of the soak's page, from its opening to its end: whoever asked it then learns that it is gone. */
import type { BrowserContext, CDPSession, Page } from '@playwright/test';
import type { Ask, Reply, SoakPage, SoakSetup } from './page/subject.js';

/** What became of a question: `gone` when the visit ended first, `silent` when no answer came in time. */
export type Hearing = Reply | 'gone' | 'silent';

export class Tab {
  readonly page: Page;
  readonly session: CDPSession;
  readonly #gone: Promise<'gone'>;
  #end: () => void = () => {};
  #isGone = false;

  private constructor(page: Page, session: CDPSession) {
    this.page = page;
    this.session = session;
    this.#gone = new Promise((resolve) => {
      this.#end = () => resolve('gone');
    });
  }

  /** Visits `origin` in the page that an earlier visit left, or in a new one. */
  static async visit(context: BrowserContext, origin: string, left: Page | null): Promise<Tab> {
    const page = left ?? (await context.newPage());
    const tab = new Tab(page, await context.newCDPSession(page));
    await page.goto(origin);
    await page.waitForFunction(() => window.soak !== undefined);
    return tab;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** The visit is about to end, or has ended. */
  leave(): void {
    this.#isGone = true;
    this.#end();
  }

  open(setup: SoakSetup, limitMs: number): Promise<Hearing> {
    return this.#hear(
      this.page.evaluate((given) => window.soak.open(given), setup),
      limitMs,
    );
  }

  ask(ask: Ask, limitMs: number): Promise<Hearing> {
    return this.#hear(
      this.page.evaluate((given) => window.soak.ask(given), ask),
      limitMs,
    );
  }

  /** False when this tab has no engine. */
  async harm(how: Parameters<SoakPage['harm']>[0]): Promise<boolean> {
    return await this.page.evaluate((given) => window.soak.harm(given), how);
  }

  async #hear(reply: Promise<Reply>, limitMs: number): Promise<Hearing> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const silence = new Promise<'silent'>((resolve) => {
      timer = setTimeout(resolve, limitMs, 'silent');
    });
    try {
      return await Promise.race([reply, this.#gone, silence]);
    } catch (thrown) {
      // A page that closes although nobody left it goes with its browser.
      if (this.page.isClosed()) this.leave();
      if (this.#isGone) return 'gone';
      return { code: null, name: 'Page', message: String(thrown) };
    } finally {
      clearTimeout(timer);
    }
  }
}
