import { InvalidArgumentError } from 'commander';

/** Parses the value of a port option; 0 asks for a free one. */
export function portNumber(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port <= 65535)) throw new InvalidArgumentError('a port is a whole number from 0 to 65535');
  return port;
}
