/** The one timer of a workflow that thinks in deadlines. */
import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';

/**
 * Rings once at the earliest time that was set. Setting a later time, or none, lets it run: a ring too early does no
 * harm, while each new timer costs an action.
 */
export class Alarm {
  private readonly ring: () => void;
  private readonly summary: string;
  private armed: { at: number; scope: CancellationScope } | null = null;

  constructor(summary: string, ring: () => void) {
    this.summary = summary;
    this.ring = ring;
  }

  /** `at` in epoch ms; null = nothing to wait for. */
  set(at: number | null): void {
    if (at === null || (this.armed && this.armed.at <= at)) return;
    this.armed?.scope.cancel();
    const scope = new CancellationScope();
    const armed = { at, scope };
    this.armed = armed;
    void scope.run(() => this.wait(armed));
  }

  private async wait(armed: { at: number }): Promise<void> {
    try {
      await sleep(Math.max(1, armed.at - Date.now()), { summary: this.summary });
    } catch (err) {
      // Replaced by an earlier one, or the workflow itself is cancelled, which its main loop sees.
      if (isCancellation(err)) return;
      throw err;
    }
    if (this.armed === armed) this.armed = null;
    this.ring();
  }
}
