/** Stores what a command prints, within limits; what is beyond them is counted and dropped, and the command goes on. */
import { closeSync, writeSync } from 'node:fs';
import { openLog } from './plain-file.js';

/** Longest line that is stored. */
export const LINE_LIMIT = 8 * 1024 * 1024;

const NEWLINE = 0x0a;

/** Bytes that all logs of a run may still store. */
export interface OutputBudget {
  left: number;
  readonly limit: number;
  truncated: boolean;
}

export class LimitedLog {
  readonly #fd: number;
  readonly #budget: OutputBudget;
  #line = 0;
  stored = 0;
  seen = 0;
  cutLines = 0;

  constructor(file: string, budget: OutputBudget) {
    this.#fd = openLog(file);
    this.#budget = budget;
  }

  write(chunk: Buffer): void {
    this.seen += chunk.length;
    if (this.#line + chunk.length <= LINE_LIMIT) {
      const last = chunk.lastIndexOf(NEWLINE);
      this.#line = last === -1 ? this.#line + chunk.length : chunk.length - last - 1;
      this.#store(chunk);
      return;
    }
    for (let at = 0; at < chunk.length;) {
      const newline = chunk.indexOf(NEWLINE, at);
      const end = newline === -1 ? chunk.length : newline + 1;
      this.#writePart(chunk.subarray(at, end));
      if (newline !== -1) this.#line = 0;
      at = end;
    }
  }

  /** A part of one line. */
  #writePart(part: Buffer): void {
    const before = this.#line;
    this.#line += part.length;
    if (this.#line <= LINE_LIMIT) {
      this.#store(part);
    } else if (before <= LINE_LIMIT) {
      this.cutLines += 1;
      this.#store(part.subarray(0, LINE_LIMIT - before));
      this.#store(Buffer.from('[signalbox: line cut]\n'));
    }
  }

  #store(bytes: Buffer): void {
    if (this.#budget.truncated) return;
    const fits = bytes.subarray(0, this.#budget.left);
    for (let at = 0; at < fits.length;) at += writeSync(this.#fd, fits, at);
    this.#budget.left -= fits.length;
    this.stored += fits.length;
    if (fits.length < bytes.length) {
      this.#budget.truncated = true;
      writeSync(
        this.#fd,
        `\n[signalbox: output limit of ${this.#budget.limit} bytes reached, the rest is not stored]\n`,
      );
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}
