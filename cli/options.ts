import { InvalidArgumentError } from 'commander';

/** Parses the value of an option that is a whole number; anything else is refused before anything is sent. */
export const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Allowed: a whole number from ${least} to ${most}.`);
  };

/** Parses the value of a port option; 0 asks for a free one. */
export const portNumber = wholeNumber(0, 65_535);
