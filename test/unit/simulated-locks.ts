/** Web Locks of one origin: exclusive, first come first served, to be stolen. Everything happens at once. */

export interface LockRequest<Owner> {
  owner: Owner;
  onGranted: () => void;
  onStolen: () => void;
}

export class SimulatedLocks<Owner> {
  /** The first request of each line holds the lock. */
  readonly #lines = new Map<string, LockRequest<Owner>[]>();

  /** What this owner holds or waits for. */
  namesOf(owner: Owner): string[] {
    const isMine = (line: LockRequest<Owner>[]) => line.some((request) => request.owner === owner);
    return [...this.#lines].flatMap(([name, line]) => (isMine(line) ? [name] : []));
  }

  holderOf(name: string): Owner | undefined {
    return this.#lines.get(name)?.[0]?.owner;
  }

  /** The result gives the lock, or the wait for it, up. */
  request(name: string, request: LockRequest<Owner>, steal = false): () => void {
    const line = this.#lines.get(name) ?? [];
    this.#lines.set(name, line);
    if (steal) line.splice(0, 1, request)[0]?.onStolen();
    else line.push(request);
    if (line[0] === request) request.onGranted();
    return () => this.#release(name, request);
  }

  /** Whatever this owner holds or waits for under the name. */
  forget(name: string, owner: Owner): void {
    for (const request of [...(this.#lines.get(name) ?? [])]) if (request.owner === owner) this.#release(name, request);
  }

  #release(name: string, request: LockRequest<Owner>): void {
    const line = this.#lines.get(name) ?? [];
    const at = line.indexOf(request);
    if (at === -1) return;
    line.splice(at, 1);
    if (at === 0) line[0]?.onGranted();
  }
}
