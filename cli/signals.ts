import os from 'node:os';

export type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

/** The first SIGINT or SIGTERM (or what else is named) from now on. A second one ends this process at once: the next start recovers. */
export async function onStopSignal(signals: readonly StopSignal[] = ['SIGINT', 'SIGTERM']): Promise<StopSignal> {
  return new Promise((resolve) => {
    let seen = 0;
    for (const signal of signals) {
      process.on(signal, () => {
        seen += 1;
        if (seen > 1) process.exit(exitCodeOf(signal));
        resolve(signal);
      });
    }
  });
}

/** What a shell reports of a process that this signal ended. */
export const exitCodeOf = (signal: StopSignal): number => 128 + os.constants.signals[signal];
