import os from 'node:os';

/** The first SIGINT or SIGTERM from now on. A second one ends this process at once: the next start recovers. */
export async function onStopSignal(): Promise<string> {
  return new Promise((resolve) => {
    let seen = 0;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        seen += 1;
        if (seen > 1) process.exit(128 + os.constants.signals[signal]);
        resolve(signal);
      });
    }
  });
}
