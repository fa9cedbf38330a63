/**
 * A time limit on the monotonic clock: a system clock that somebody sets meanwhile neither ends nor prolongs it.
 */
export class Patience {
  private readonly end: number;

  constructor(milliseconds: number) {
    this.end = performance.now() + milliseconds;
  }

  /** Milliseconds that are left, 0 when it is over. */
  get left(): number {
    return Math.max(0, this.end - performance.now());
  }

  get over(): boolean {
    return this.left === 0;
  }
}
